//! Which trace sessions run, and how many providers send to each?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    // The host comes first, then each container.
    for part in dump.tracing()?.parts {
        let providers = part.providers?;
        for logger in part.loggers? {
            let id = logger.id()?;
            let enabled =
                |list: &[ntlens::nt::etw::provider::Enable]| list.iter().any(|one| u32::from(one.logger_id) == id);
            let count = providers.iter().filter(|provider| provider.enabled.as_deref().is_ok_and(enabled)).count();
            println!("{id} {}: {count} providers", logger.name()?.unwrap_or_default());
        }
    }
    Ok(())
}
