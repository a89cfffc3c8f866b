//! `symbols`: which symbols were found for the modules of a dump, where, and how good; names and addresses; tables for other
//! tools.

use super::Other;
use super::kernel;
use crate::options;
use crate::output::{Failure, Output, Status};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, ValueHint};
use ntlens::address::VirtAddr;
use ntlens::embedded;
use ntlens::names::{self, Names};
use std::path::PathBuf;

pub(super) const SYMBOLS: Other = Other {
    spec: || {
        Command::new("symbols")
            .about("The symbols of a dump's modules; names and addresses; symbol tables for other tools")
            .arg(
                Arg::new("dump")
                    .value_name("DUMP")
                    .value_parser(clap::value_parser!(PathBuf))
                    .value_hint(ValueHint::FilePath)
                    .help("The memory dump"),
            )
            .arg(
                Arg::new("names")
                    .value_name("[MODULE!]NAME|0xADDRESS")
                    .num_args(0..)
                    .help("Names to find the addresses of (with * and ?), and addresses to find the names of"),
            )
            .arg(
                Arg::new("embedded")
                    .long("embedded")
                    .action(ArgAction::SetTrue)
                    .help("List the kernels whose layouts are embedded"),
            )
            .arg(kernel::build("build", "An embedded kernel, for --to-isf"))
            .arg(
                Arg::new("to-isf")
                    .long("to-isf")
                    .action(ArgAction::SetTrue)
                    .help("Write the types and symbols as ISF, which volatility3 reads"),
            )
            .group(ArgGroup::new("of").args(["dump", "embedded", "build"]))
            .arg(options::dtb())
            .args(options::symbols())
            .args(options::output())
    },
    run: |matches| {
        let target = options::target(matches)?;
        if matches.get_flag("to-isf") {
            return write_isf(matches, &target);
        }
        if matches.get_flag("embedded") {
            let pack = ntlens::symbols::Pack::embedded().map_err(ntlens::Error::from)?;
            return target.plain(&embedded::embedded(&pack).map_err(ntlens::Error::from)?);
        }
        if !matches.contains_id("dump") {
            return Err(Failure::Usage("symbols of what? a dump, --embedded or --to-isf says".into()));
        }
        let opened = options::open(matches)?;
        let names = Names::of(&opened.dump, &opened.symbols)?;
        let wanted: Vec<_> = matches.get_many::<String>("names").into_iter().flatten().collect();
        if wanted.is_empty() {
            return target.answer(&opened.dump, &names.table());
        }
        let mut found = Vec::new();
        for name in wanted {
            let before = found.len();
            if name.starts_with(|first: char| first.is_ascii_digit()) {
                found.extend(names.nearest(VirtAddr(options::address(name).map_err(Failure::Usage)?)));
            } else {
                found.extend(names.addresses(name));
            }
            if found.len() == before {
                return Err(Failure::NotFound(format!("{name}: in no module, or not in the symbols that were found")));
            }
        }
        target.answer(&opened.dump, &names::found(&found))
    },
};

/// Writes a table of the pack, of a symbol file or of the kernel of a dump.
fn write_isf(matches: &ArgMatches, target: &Output) -> Result<Status, Failure> {
    let (layouts, opened) = kernel::types(matches)?;
    let kernel = opened.as_ref().and_then(|opened| opened.dump.kernel().ok());
    target.write(|out, _| Ok(ntlens::isf::write(out, &layouts, kernel)?))?;
    Ok(Status::Complete)
}
