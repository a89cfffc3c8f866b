//! `vmi-processes DUMP PROFILE [-v]`: the processes of a dump with vmi.

use std::error::Error;
use vmi::os::VmiOsProcess as _;

fn main() -> Result<(), Box<dyn Error>> {
    ntlens_peers::run(
        |process, processes| {
            processes.push((process.id()?, process.name()?, process.translation_root()?));
            Ok(())
        },
        |out, (id, name, root)| writeln!(out, "{id} {name} {root}"),
    )
}
