//! Which bytes does the kernel image begin with, read as virtual and as physical memory?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::memory::VirtualMemory;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    let base = kernel.kernel_base()?;
    let mut bytes = [0; 16];
    kernel.space().read(base, &mut bytes)?;
    println!("virtual  {base} {bytes:02x?}");

    // A triage dump has no page tables: only its blocks of virtual memory can be read.
    if let Some(tables) = kernel.space().paged() {
        let physical = tables.translate(base)?.at;
        dump.dump().physical()?.read(physical, &mut bytes)?;
        println!("physical {physical} {bytes:02x?}");
    }
    Ok(())
}
