//! How is each processor protected, and where do system calls and page faults enter the kernel?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::owner::Owners;
use ntlens::nt::{interrupt, special_registers};

/// The vector of page faults.
const PAGE_FAULT: u32 = 14;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    let owners = Owners::of(kernel);
    for processor in kernel.processors() {
        let registers = processor.registers();
        // A processor that was not stopped has no registers, and this says so.
        let features = special_registers::features(registers.cr4?).join(" ");
        let owner = |at| owners.module(at).map_or("no module", |name| &**name);
        let entry = registers.lstar?;
        println!("{} {features}; system calls: {entry} in {}", processor.number()?, owner(entry));
        let (handlers, _) = interrupt::handlers(&processor, &owners);
        for handler in handlers.iter().filter(|handler| handler.vector == PAGE_FAULT) {
            println!("  page faults: {} in {}", handler.gate.offset, owner(handler.gate.offset));
        }
    }
    Ok(())
}
