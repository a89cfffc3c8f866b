//! Which kernel modules were unloaded, and when?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let (unloaded, _incomplete) = dump.unloaded()?;
    for module in unloaded {
        let time = module.unload_time?.map_or_else(|| "at an unknown time".into(), |time| time.to_string());
        println!("{} to {} {time} {}", module.start, module.end, module.name?.unwrap_or_default());
    }
    Ok(())
}
