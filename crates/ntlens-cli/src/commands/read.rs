//! `read`: bytes of physical or virtual memory.

use super::Other;
use crate::options;
use clap::{Arg, ArgAction, ArgMatches, Command};
use ntlens::report::memory::{self, Of};

pub(super) const READ: Other = Other {
    spec: || {
        Command::new("read")
            .about("Bytes of physical or virtual memory")
            .args(options::dump())
            .arg(Arg::new("address").value_name("ADDRESS").required(true).value_parser(options::address))
            .arg(Arg::new("length").value_name("LENGTH").required(true).value_parser(length))
            .arg(pid())
            .arg(
                Arg::new("physical")
                    .long("physical")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("pid")
                    .help("The address is a physical one"),
            )
            .args(options::output())
    },
    run: |matches| {
        let target = options::target(matches)?;
        let dump = options::open(matches)?.dump;
        let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
        let of = if matches.get_flag("physical") { Of::Physical } else { of(matches) };
        let answer = memory::read(&dump, of, number("address"), number("length"))?;
        target.answer(&dump, &answer)
    },
};

/// The process whose address space is meant.
pub(super) fn pid() -> Arg {
    let help = "The address is one of this process's, not the kernel's";
    Arg::new("pid").long("pid").value_name("PID").value_parser(options::number).help(help)
}

/// The address space that the arguments name.
pub(super) fn of(matches: &ArgMatches) -> Of {
    matches.get_one::<u64>("pid").map_or(Of::Kernel, |pid| Of::Process(*pid))
}

/// More than this is not read into one answer.
const MAX_LENGTH: u64 = 64 << 20;

fn length(text: &str) -> Result<u64, String> {
    let length = options::number(text)?;
    if length <= MAX_LENGTH { Ok(length) } else { Err(format!("at most {MAX_LENGTH} bytes can be read at once")) }
}
