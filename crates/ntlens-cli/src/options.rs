//! Options that commands share.

use crate::output::{Failure, Output};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, ValueHint};
use ntlens::OpenDump;
use ntlens::address::PhysAddr;
use ntlens::nt::snapshot::Options;
use ntlens::render::Format;
use std::path::PathBuf;

/// The dump to read.
pub(crate) fn dump() -> Vec<Arg> {
    vec![
        Arg::new("dump")
            .value_name("DUMP")
            .required(true)
            .value_parser(clap::value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("The memory dump"),
        Arg::new("dtb")
            .long("dtb")
            .value_name("ADDRESS")
            .value_parser(number)
            .help("Root of the page tables to start from, instead of the one in the header or found in raw memory"),
    ]
}

/// How to write the answer.
pub(crate) fn output() -> Vec<Arg> {
    vec![
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .default_value("table")
            .value_parser(PossibleValuesParser::new(Format::ALL.map(|(name, _)| name)))
            .help("How to write the answer"),
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("Write the answer to a file, whole or not at all"),
        Arg::new("strict").long("strict").action(ArgAction::SetTrue).help("Exit with 3 if anything is missing"),
        Arg::new("quiet").short('q').long("quiet").action(ArgAction::SetTrue).help("No remarks and warnings"),
        Arg::new("verbose").short('v').long("verbose").action(ArgAction::SetTrue).help("List all that is missing"),
    ]
}

/// Opens the dump of a command.
pub(crate) fn open(matches: &ArgMatches) -> Result<OpenDump, Failure> {
    let path = path(matches)?;
    let options = Options { dtb: matches.get_one::<u64>("dtb").copied().map(PhysAddr) };
    Ok(ntlens::open_with(path, options)?)
}

/// The dump's path.
fn path(matches: &ArgMatches) -> Result<&PathBuf, Failure> {
    matches.get_one::<PathBuf>("dump").ok_or_else(|| Failure::Usage("no dump is given".into()))
}

/// Where the answer goes.
pub(crate) fn target(matches: &ArgMatches) -> Result<Output, Failure> {
    let format = matches.get_one::<String>("format").map_or("table", String::as_str);
    let format = format.parse().map_err(Failure::Usage)?;
    let file = matches.get_one::<PathBuf>("output").cloned();
    let input = matches.try_get_one::<PathBuf>("dump").ok().flatten().cloned();
    let flag = |name: &str| matches.get_flag(name);
    Ok(Output { format, file, input, strict: flag("strict"), quiet: flag("quiet"), verbose: flag("verbose") })
}

/// A number, hexadecimal with `0x` in front.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    let plain = text.replace(['`', '_'], "");
    let parsed = match plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => plain.parse(),
    };
    parsed.map_err(|_| "expected a number, such as 4096 or 0xfffff80012345000".into())
}

/// An address, hexadecimal with or without `0x`.
pub(crate) fn address(text: &str) -> Result<u64, String> {
    let plain = text.replace(['`', '_'], "");
    let digits = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")).unwrap_or(&plain);
    u64::from_str_radix(digits, 16).map_err(|_| "expected an address, such as 0xfffff80012345000".into())
}
