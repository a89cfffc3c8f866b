//! What do other programs get? One table of the output contract as a JSON document.

mod support;

use ntlens::render::{self, Format, Terminal};
use ntlens::report::{Wanted, question};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let answer = question("processes").ok_or("no such table")?.ask(&dump, Wanted::All)?;
    render::write(&mut std::io::stdout().lock(), Format::Json, Some(&dump), &answer, Terminal::default())?;
    Ok(())
}
