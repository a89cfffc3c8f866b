//! Why did the system stop, and in which process and thread?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    if let Some(code) = dump.dump().header.as_ref().and_then(|header| header.bugcheck_code) {
        println!("bug check {code:#x} {}", ntlens::nt::bugcheck::name(code).unwrap_or("without a name"));
    }
    let crash = dump.kernel()?.crash();
    let eprocess = crash.process?;
    for process in dump.processes()?.processes.iter().filter(|process| process.eprocess() == eprocess) {
        println!("process {} {}", process.pid()?, process.name()?);
    }
    println!("thread {} at {}", crash.thread.as_ref().map_err(|why| *why)?.tid()?, crash.thread?.ethread());
    Ok(())
}
