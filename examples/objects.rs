//! Which objects stand in the namespace of a session, and how many processes hold each?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use std::collections::BTreeSet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let holders = dump.holders()?;
    for object in dump.namespace()?.objects {
        if let Ok(Some(session)) = object.session_id {
            let held = holders.of(object.object).iter();
            let processes: BTreeSet<_> = held.map(|held| held.handle.holder.eprocess).collect();
            println!("{session} {} {}: {}", object.object_type?, object.path, processes.len());
        }
    }
    Ok(())
}
