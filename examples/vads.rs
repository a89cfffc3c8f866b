//! Which private memory of a process may be written to and run as code?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::vad::{self, AreaKind};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    for process in kernel.processes().processes {
        for area in vad::areas(kernel, &process).areas {
            let protection = area.protection?;
            if area.kind? == AreaKind::Private && protection.executable() && protection.writable() {
                println!("{} {} {} bytes {}", process.pid()?, area.start, area.size(), protection.name());
            }
        }
    }
    Ok(())
}
