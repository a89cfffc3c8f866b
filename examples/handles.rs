//! Who holds a handle to another process, with which rights?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::handle::Of;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    for handle in dump.handles(Of::ActiveList)?.handles {
        let target = &handle.target;
        if target.object_type.as_deref() == Ok("Process") && target.object != Ok(handle.holder.eprocess) {
            let name = target.name.clone()?.unwrap_or_default();
            println!("{} {:#x} -> {name}: {}", handle.holder.pid?, handle.handle, handle.access()?.join(", "));
        }
    }
    Ok(())
}
