//! Where in physical memory does a virtual address lie? (`translate DUMP ADDRESS`; else the kernel image)
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::address::VirtAddr;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    let at = match std::env::args().nth(2) {
        Some(text) => VirtAddr(u64::from_str_radix(text.trim_start_matches("0x"), 16)?),
        None => kernel.kernel_base()?,
    };
    let tables = kernel.space().paged().ok_or("a triage dump has no page tables")?;
    match tables.translate(at) {
        Ok(found) => println!("{at} -> {}, page of {} bytes, {}", found.at, found.page.bytes(), found.residence.name()),
        Err(why) => println!("{at} -> nowhere: {why}"),
    }
    Ok(())
}
