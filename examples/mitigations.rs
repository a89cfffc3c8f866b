//! Which mitigations does each process have, by policy?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::Absent;
use ntlens::nt::mitigation::Decoder;
use ntlens::nt::token::Tokens;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    let (decoder, mut tokens) = (Decoder::new(kernel), Tokens::default());
    for process in kernel.processes().processes {
        let token = process.token().and_then(|at| tokens.get(kernel, at.ok_or(Absent::NotApplicable)?));
        let set = decoder.of(&process, &token).names();
        println!("{} {} {}", process.pid()?, process.name()?, set.join(" "));
    }
    Ok(())
}
