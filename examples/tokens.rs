//! Who does each process run as, how far is it trusted, and may it debug others?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::privilege;
use ntlens::nt::token::Token;
use ntlens::nt::well_known_sid::SidNames;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let (kernel, names) = (dump.kernel()?, SidNames::default());
    for process in kernel.processes().processes {
        let Some(at) = process.token()? else { continue };
        let token = Token::read(kernel, at);
        let user = token.user()?;
        let user = names.name(&user).unwrap_or_else(|| user.to_string());
        let integrity = token.integrity()?.map_or_else(|| "no label".into(), |level| level.to_string());
        let enabled = privilege::names(token.privileges()?.enabled);
        let debugs = if enabled.iter().any(|name| name == "SeDebugPrivilege") { " debugs others" } else { "" };
        println!("{:>6} {:<15} {integrity:<8} {user}{debugs}", process.pid()?, process.name()?);
    }
    Ok(())
}
