//! What the programs over vmi share.

use isr_cache::Entry;
use std::error::Error;
use std::io::{self, BufWriter, Write};
use vmi::arch::amd64::Amd64;
use vmi::driver::kdmp::VmiKdmpDriver;
use vmi::os::windows::{WindowsOs, WindowsProcess};
use vmi::{VcpuId, VmiCore, VmiSession, VmiState};

/// Reads dumps.
pub type Driver = VmiKdmpDriver<Amd64>;

/// More processes than any dump here has: vmi's list does not end if the kernel's is a loop beside its head.
const MANY: usize = 1 << 16;

/// Runs a program that takes `DUMP PROFILE [-v]`, where `vmi-profile` makes the profile: prints how many lines there are
/// of the processes of the dump, with `-v` each of them too.
///
/// # Errors
///
/// What vmi says of the dump or of the profile.
pub fn run<L>(
    lines: impl Fn(&WindowsProcess<'_, Driver>, &mut Vec<L>) -> Result<(), Box<dyn Error>>,
    print: impl Fn(&mut dyn Write, &L) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [dump, profile, rest @ ..] = args.as_slice() else {
        return Err("usage: DUMP PROFILE [-v]".into());
    };
    let core = VmiCore::new(Driver::new(dump)?)?;
    let registers = core.registers(VcpuId(0))?;
    let kernel = WindowsOs::find_kernel(&core, &registers)?.ok_or("vmi found no kernel")?;
    let entry = Entry::new(profile.into())?;
    let profile = entry.profile()?;
    let os = WindowsOs::<Driver>::with_kernel_base(&profile, kernel.base_address)?;
    let session = VmiSession::new(&core, &os);
    let vmi: VmiState<'_, WindowsOs<Driver>> = session.with_registers(&registers);
    let mut found = Vec::new();
    for process in vmi.os().processes()?.take(MANY) {
        lines(&process?, &mut found)?;
    }
    if rest.iter().any(|option| option == "-v") {
        let mut out = BufWriter::new(io::stdout().lock());
        found.iter().try_for_each(|line| print(&mut out, line))?;
        out.flush()?;
    }
    println!("{}", found.len());
    Ok(())
}
