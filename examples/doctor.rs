//! What is wrong with a dump, and what can be asked of it all the same?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::doctor::examine;
use ntlens::report::doctor::answers;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    for fault in examine(&dump) {
        println!("{:<6} {} at {}", fault.severity.name(), fault.incomplete.what, fault.incomplete.place);
    }
    for answer in answers(&dump) {
        println!("{}: {} {}", answer.question, answer.answer, answer.why);
    }
    Ok(())
}
