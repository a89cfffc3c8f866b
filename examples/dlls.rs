//! Which images do the loaders of a process know, and which of them does the kernel not know as mapped?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::loader;
use ntlens::nt::vad::{self, AreaKind};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    for process in kernel.processes().processes {
        let areas = vad::areas(kernel, &process).areas;
        for image in loader::images(kernel, &process).images {
            let (base, name) = (image.base()?, image.name()?.unwrap_or_default());
            let mapped = areas.iter().any(|area| area.start == base && area.kind == Ok(AreaKind::Image));
            let bits = if image.wow64() { 32 } else { 64 };
            println!("{} {base} {bits} {name}{}", process.pid()?, if mapped { "" } else { " (not mapped)" });
        }
    }
    Ok(())
}
