//! Writes a typical machine as a dump file, and what is true of it beside it as JSON.
//!
//! `write_dump VERSION KIND FILE [PROCESSES [MEMORY_MIB [SEED]]] [FLAG]...`, for example
//! `write_dump 10.0.19041.1288 full a.dmp 60`. Flags: `scattered`, `descending`, `pcid`, `la57`, `encoded`, `exact`,
//! and `busy` for 150 handles more in each process.

use ntlens_testkit::{DumpOptions, Kind, Machine, Placement, layouts};
use std::time::Instant;

const FLAGS: [&str; 7] = ["scattered", "descending", "pcid", "la57", "encoded", "exact", "busy"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_flag = |text: &String| FLAGS.contains(&text.as_str());
    let (flags, arguments): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(is_flag);
    let flag = |name: &str| flags.iter().any(|known| known == name);
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    let number = |index: usize| argument(index).map(str::parse::<u64>).transpose();
    let version = argument(0).ok_or("no version")?;
    let kind = match argument(1).ok_or("no kind")? {
        "full" => Kind::Full,
        "summary" => Kind::Summary,
        "triage" => Kind::Triage,
        "bitmap" => Kind::BitmapFull { active: false },
        "active" => Kind::BitmapFull { active: true },
        "kernel" => Kind::BitmapKernel { live: false },
        "live" => Kind::BitmapKernel { live: true },
        "rdmp-kernel" => Kind::RdmpKernel,
        "rdmp-user" => Kind::RdmpUser,
        "rdmp-full" => Kind::RdmpFull,
        "raw" => Kind::Raw,
        other => return Err(format!("unknown kind {other}").into()),
    };
    let path = argument(2).ok_or("no file")?;
    let layouts = layouts(version).ok_or("unknown version")?;
    let processes = usize::try_from(number(3)?.unwrap_or(60))?;
    let mut machine = Machine::typical(layouts, number(5)?.unwrap_or(1), processes);
    if let Some(mib) = number(4)? {
        machine = machine.memory(mib << 20);
    }
    if flag("busy") {
        machine.busy(150);
    }
    for (name, change) in [
        ("scattered", (|machine| machine.placement(Placement::Scattered)) as fn(Machine) -> Machine),
        ("descending", |machine| machine.placement(Placement::Descending)),
        ("pcid", Machine::pcid),
        ("la57", Machine::five_level_paging),
        ("encoded", Machine::encoded_kdbg),
    ] {
        if flag(name) {
            machine = change(machine);
        }
    }
    let start = Instant::now();
    let image = machine.build();
    let built = start.elapsed();
    let options = DumpOptions::new(kind);
    let truth = image.write_file(if flag("exact") { options.exact_bits() } else { options }, path)?;
    std::fs::write(format!("{path}.truth.json"), truth.to_json().to_string())?;
    let pages = image.memory().pages().count();
    let message = format!("{pages} pages written, built in {built:.2?}, all in {:.2?}\n", start.elapsed());
    std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes())?;
    Ok(())
}
