//! What do processes of one session or container hold of another, and who of them was created for another session?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::crossing::{Border, Wanted};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let wanted = Wanted { border: Some(Border::Session), ..Wanted::default() };
    for crossing in dump.crossings(wanted)?.crossings {
        let handle = &crossing.holding.handle;
        let path = handle.target.path().unwrap_or_default();
        let created = if handle.holder.cross_session_create? { " (created for another session)" } else { "" };
        println!("{} {path}: {}{created}", handle.holder.pid?, crossing.relation);
    }
    Ok(())
}
