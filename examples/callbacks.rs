//! Whose code does the kernel call when processes, threads and images come and go, and when handles are made?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::owner::Owners;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let owners = Owners::of(dump.kernel()?);
    for callback in dump.callbacks()?.callbacks {
        let module = owners.module(callback.address).map_or("nobody", |name| name);
        println!("{} {} of {module}", callback.kind.name(), callback.address);
    }
    Ok(())
}
