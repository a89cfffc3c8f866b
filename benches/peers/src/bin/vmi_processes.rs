//! `vmi-processes DUMP PROFILE [-v]`: lists the processes of a dump with vmi and prints how many there are, with `-v`
//! each of them too.

use isr_cache::Entry;
use std::error::Error;
use vmi::arch::amd64::Amd64;
use vmi::driver::kdmp::VmiKdmpDriver;
use vmi::os::VmiOsProcess as _;
use vmi::os::windows::WindowsOs;
use vmi::{VcpuId, VmiCore, VmiSession};

type Driver = VmiKdmpDriver<Amd64>;

/// More processes than any dump here has: vmi's list does not end if the kernel's is a loop beside its head.
const MANY: usize = 1 << 16;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [dump, profile, rest @ ..] = args.as_slice() else {
        return Err("usage: vmi-processes DUMP PROFILE [-v]".into());
    };
    let core = VmiCore::new(Driver::new(dump)?)?;
    let registers = core.registers(VcpuId(0))?;
    let kernel = WindowsOs::find_kernel(&core, &registers)?.ok_or("vmi found no kernel")?;
    let entry = Entry::new(profile.into())?;
    let profile = entry.profile()?;
    let os = WindowsOs::<Driver>::with_kernel_base(&profile, kernel.base_address)?;
    let session = VmiSession::new(&core, &os);
    let vmi = session.with_registers(&registers);
    let mut processes = Vec::new();
    for process in vmi.os().processes()?.take(MANY) {
        let process = process?;
        processes.push((process.id()?, process.name()?, process.translation_root()?));
    }
    if rest.iter().any(|option| option == "-v") {
        for (id, name, root) in &processes {
            println!("{id} {name} {root}");
        }
    }
    println!("{}", processes.len());
    Ok(())
}
