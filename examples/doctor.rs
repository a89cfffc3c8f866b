//! What is wrong with a dump, and what can be asked of it all the same?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::report::doctor::diagnose;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let diagnosis = diagnose(&dump);
    for fault in diagnosis.faults {
        println!("{:<6} {} at {}", fault.severity.name(), fault.incomplete.what, fault.incomplete.place);
    }
    for answer in diagnosis.answers {
        println!("{}: {} {}", answer.question, answer.answer, answer.why);
    }
    Ok(())
}
