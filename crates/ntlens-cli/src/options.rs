//! Options that commands share.

#[cfg(feature = "download")]
use crate::download;
use crate::output::{Failure, Output};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, ValueHint};
use ntlens::address::PhysAddr;
use ntlens::nt::snapshot::Options;
use ntlens::render::Format;
use ntlens::report::{Argument, Arguments, Form, Parameter, Selection, SelectionError};
#[cfg(feature = "download")]
use ntlens::symbols::path::DEFAULT_SERVER;
use ntlens::symbols::path::SymbolPath;
use ntlens::{OpenDump, Symbols};
use std::path::PathBuf;
use std::sync::Arc;

/// The dump to read, and what helps to read it.
pub(crate) fn dump() -> Vec<Arg> {
    let mut arguments = vec![
        Arg::new("dump")
            .value_name("DUMP")
            .required(true)
            .value_parser(clap::value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("The memory dump"),
        dtb(),
    ];
    arguments.extend(symbols());
    arguments
}

/// Where to start.
pub(crate) fn dtb() -> Arg {
    Arg::new("dtb")
        .long("dtb")
        .value_name("ADDRESS")
        .value_parser(number)
        .help("Root of the page tables to start from, instead of the one in the header or found in raw memory")
}

/// Where symbols are.
pub(crate) fn symbols() -> Vec<Arg> {
    let path = Arg::new("symbols")
        .long("symbols")
        .value_name("PATH")
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(PathBuf))
        .value_hint(ValueHint::AnyPath)
        .help("A PDB, an ISF table, a folder or store of them, or srv*CACHE*URL; searched before _NT_SYMBOL_PATH");
    let force = Arg::new("force-symbols")
        .long("force-symbols")
        .action(ArgAction::SetTrue)
        .requires("symbols")
        .help("Use the kernel symbols that --symbols names, whatever kernel they are of");
    [path, force].into_iter().chain(download_option()).collect()
}

/// Without the feature there is no such option.
fn download_option() -> Option<Arg> {
    let help = "Ask Microsoft's public symbol server for what is found nowhere else";
    cfg!(feature = "download").then(|| Arg::new("download").long("download").action(ArgAction::SetTrue).help(help))
}

/// The symbols that the user has.
pub(crate) fn open_symbols(matches: &ArgMatches) -> Result<Arc<Symbols>, Failure> {
    let given: Vec<PathBuf> = matches.get_many("symbols").into_iter().flatten().cloned().collect();
    let path = ntlens::symbol_path(&given)?;
    let symbols = Symbols::embedded()?.forced(matches.get_flag("force-symbols"));
    Ok(Arc::new(with_servers(symbols, path, matches)))
}

/// Lets servers be asked if the user wants that: with `--download`, or by naming one.
#[cfg(feature = "download")]
fn with_servers(symbols: Symbols, mut path: SymbolPath, matches: &ArgMatches) -> Symbols {
    if matches.get_flag("download") {
        path.extend(&format!("srv*{DEFAULT_SERVER}"));
    }
    if let Some(cache) = download::default_cache() {
        path.set_default_cache(cache);
    }
    let asked = path.servers().next().is_some();
    let symbols = symbols.with_path(path);
    if !asked {
        return symbols;
    }
    let quiet = matches.try_get_one("quiet").ok().flatten().copied().unwrap_or(false);
    let options = download::Options { quiet, ..download::Options::default() };
    symbols.with_fetch(Box::new(download::Downloader::new(options)))
}

#[cfg(not(feature = "download"))]
fn with_servers(symbols: Symbols, path: SymbolPath, _: &ArgMatches) -> Symbols {
    symbols.with_path(path)
}

/// Where to write text that has only one form.
pub(crate) fn file() -> Vec<Arg> {
    vec![
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("Write the answer to a file, whole or not at all, or into a pipe or a device"),
        Arg::new("quiet").short('q').long("quiet").action(ArgAction::SetTrue).help("No remarks and warnings"),
    ]
}

/// How and where to write a table.
pub(crate) fn output() -> Vec<Arg> {
    let mut arguments = file();
    arguments.extend([
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .default_value("table")
            .value_parser(PossibleValuesParser::new(Format::ALL.map(|(name, _)| name)))
            .help("How to write the answer"),
        Arg::new("width")
            .long("width")
            .value_name("COLUMNS")
            .value_parser(clap::value_parser!(u16))
            .help("Columns of the terminal, instead of those it has; 0: lines are as long as they need to be"),
    ]);
    arguments.extend(missing());
    arguments
}

/// What becomes of what is missing.
pub(crate) fn missing() -> [Arg; 2] {
    [
        Arg::new("strict").long("strict").action(ArgAction::SetTrue).help("Exit with 3 if anything is missing"),
        Arg::new("verbose").short('v').long("verbose").action(ArgAction::SetTrue).help("List all that is missing"),
    ]
}

/// `--format` of a timeline, which has formats of its own.
pub(crate) fn with_timelines(format: Arg) -> Arg {
    let names = Format::ALL.into_iter().chain(Format::OF_TIMELINE).map(|(name, _)| name);
    format.value_parser(PossibleValuesParser::new(names))
}

/// Which rows and columns of a table.
pub(crate) fn selection() -> Vec<Arg> {
    vec![
        Arg::new("where")
            .long("where")
            .value_name("FILTER")
            .help("Only rows that fit, such as 'protection != None and not critical'")
            .long_help(FILTERS),
        Arg::new("columns").long("columns").value_name("NAMES").allow_hyphen_values(true).help(
            "Only these columns, in this order, with commas between them; all; +NAME adds to those of the screen",
        ),
        Arg::new("sort")
            .long("sort")
            .value_name("NAMES")
            .allow_hyphen_values(true)
            .help("The order of rows: columns with commas between them, -NAME from the last to the first"),
        Arg::new("limit").long("limit").value_name("ROWS").value_parser(number).help("At most so many rows"),
    ]
}

const FILTERS: &str = "\
Only rows that fit. Tests of columns are joined by `and`, `or`, `not` and parentheses:
  critical                        yes, of a yes-or-no column
  name = lsass.exe                also !=; case does not matter
  name ~ 'svc*'                   with wildcards, also !~; of a list: any of its texts
  integrity_rid >= 0x3000         also < <= > with numbers, addresses and times
  exit_time > 2024-03-02T10:11
  privileges_enabled has SeDebugPrivilege
  pid in (4, 684)
  exit_time is not null           null differs from everything and is never 0
  absent(command_line)            should be there, and is missing for a reason
Columns: `ntlens schema`, or --format csv --limit 0.";

/// The rows and columns of a question that are wanted.
pub(crate) fn selected(matches: &ArgMatches, selection: Selection) -> Result<Selection, Failure> {
    let usage = |option: &'static str| move |why: SelectionError| Failure::Usage(format!("--{option}: {why}"));
    let text = |option: &str| matches.get_one::<String>(option);
    let mut selection = selection;
    if let Some(names) = text("columns") {
        selection = selection.columns(names).map_err(usage("columns"))?;
    }
    if let Some(filter) = text("where") {
        selection = selection.filter(filter).map_err(usage("where"))?;
    }
    if let Some(names) = text("sort") {
        selection = selection.sort(names).map_err(usage("sort"))?;
    }
    if let Some(rows) = matches.get_one::<u64>("limit") {
        selection = selection.limit(usize::try_from(*rows).unwrap_or(usize::MAX));
    }
    Ok(selection)
}

/// A command with the parameters of its question.
pub(crate) fn with_parameters(command: Command, parameters: &[Parameter]) -> Command {
    let argument = |parameter: &Parameter| {
        let argument = Arg::new(parameter.name).help(parameter.about);
        match parameter.form {
            Form::Flag => argument.long(parameter.name).action(ArgAction::SetTrue),
            Form::Number(value) => argument.long(parameter.name).value_name(value).value_parser(number),
            Form::Text(value) => argument.long(parameter.name).value_name(value),
            Form::Choice(values) => argument
                .long(parameter.name)
                .value_name(parameter.name.to_uppercase())
                .value_parser(PossibleValuesParser::new(values)),
            Form::Position(value) => argument.value_name(value),
        }
    };
    let needed: Vec<_> =
        parameters.iter().filter(|parameter| parameter.needed).map(|parameter| parameter.name).collect();
    let command = command.args(parameters.iter().map(argument));
    if needed.is_empty() {
        return command;
    }
    command.group(ArgGroup::new("needed").args(needed).required(true).multiple(true))
}

/// The values of a question's parameters.
pub(crate) fn arguments(matches: &ArgMatches, parameters: &[Parameter]) -> Arguments {
    let value = |parameter: &Parameter| match parameter.form {
        Form::Flag => matches.get_flag(parameter.name).then_some(Argument::Flag),
        Form::Number(_) => matches.get_one(parameter.name).copied().map(Argument::Number),
        Form::Text(_) | Form::Choice(_) | Form::Position(_) => {
            matches.get_one::<String>(parameter.name).cloned().map(Argument::Text)
        }
    };
    let given = parameters.iter().filter_map(|parameter| Some((parameter.name, value(parameter)?)));
    given.fold(Arguments::default(), |arguments, (name, value)| arguments.with(name, value))
}

/// A dump and the symbols it was opened with.
pub(crate) struct Opened {
    pub(crate) dump: OpenDump,
    pub(crate) symbols: Arc<Symbols>,
}

/// Opens the dump of a command.
pub(crate) fn open(matches: &ArgMatches) -> Result<Opened, Failure> {
    let path = path(matches)?;
    let symbols = open_symbols(matches)?;
    let dump = ntlens::open_with(path, &*symbols, start(matches))?;
    Ok(Opened { dump, symbols })
}

/// What the user knows better than the dump.
pub(crate) fn start(matches: &ArgMatches) -> Options {
    Options { dtb: matches.get_one::<u64>("dtb").copied().map(PhysAddr) }
}

/// The dump's path.
fn path(matches: &ArgMatches) -> Result<&PathBuf, Failure> {
    matches.get_one::<PathBuf>("dump").ok_or_else(|| Failure::Usage("no dump is given".into()))
}

/// Where a table goes.
pub(crate) fn target(matches: &ArgMatches) -> Result<Output, Failure> {
    let format = matches.get_one::<String>("format").map_or("table", String::as_str);
    let format = format.parse().map_err(Failure::Usage)?;
    let width = matches.get_one::<u16>("width").copied();
    Ok(Output { format, width, ..text_target(matches) })
}

/// Where text goes.
pub(crate) fn text_target(matches: &ArgMatches) -> Output {
    let file = matches.get_one::<PathBuf>("output").cloned();
    let input = matches.try_get_one::<PathBuf>("dump").ok().flatten().cloned();
    let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false);
    let (strict, quiet, verbose) = (flag("strict"), flag("quiet"), flag("verbose"));
    Output { format: Format::Table, width: None, file, input, strict, quiet, verbose }
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
