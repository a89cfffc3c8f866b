//! The commands. Every question of the library is one by itself; the others are a file here and a line of [`OTHERS`].

mod completions;
mod demo;
mod dt;
mod extract;
mod kernel;
mod licenses;
mod process;
mod read;
mod schema;
mod symbols;
mod translate;

use crate::options;
use crate::output::{Failure, Output, Status, set_color};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use ntlens::render::Format;
use ntlens::report::processes::TREE;
use ntlens::report::{QUESTIONS, Question, Wanted, timeline};
use ntlens::{OpenDump, Threads};

/// A command that is no question.
pub(crate) struct Other {
    /// Its name, arguments and help.
    spec: fn() -> Command,
    /// Does it.
    run: fn(&ArgMatches) -> Result<Status, Failure>,
}

/// All of them.
const OTHERS: &[Other] = &[
    process::PROCESS,
    demo::DEMO,
    read::READ,
    translate::TRANSLATE,
    extract::EXTRACT,
    dt::DT,
    symbols::SYMBOLS,
    schema::SCHEMA,
    completions::COMPLETIONS,
];

/// The whole command line.
pub(crate) fn cli() -> Command {
    let questions = QUESTIONS.iter().map(|question| {
        let command = Command::new(question.name()).about(sentence(question.about())).args(options::dump());
        let command = options::with_parameters(command, question.parameters());
        let command = command.args(options::selection()).args(options::output());
        if question.name() == timeline::NAME { command.mut_arg("format", options::with_timelines) } else { command }
    });
    Command::new("ntlens")
        .about("Reads Windows x64 kernel memory dumps: every process and how it is protected, from the kernel's own objects")
        .after_help("A dump holds what was in memory: passwords, names, documents. Nothing of it leaves this machine.")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(flag("version").short('V').help("Print the version, and which kernels' layouts are embedded"))
        .arg(flag("licenses").help("Print the licences of ntlens and of the data in it"))
        .arg(
            Arg::new("color")
                .long("color")
                .global(true)
                .default_value("auto")
                .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
                .help("Colours in tables and remarks"),
        )
        .subcommands(questions)
        .subcommands(OTHERS.iter().map(|other| (other.spec)()))
        .arg_required_else_help(true)
        .subcommand_negates_reqs(true)
}

/// Answers a question with the rows and columns that are wanted.
fn ask(question: &dyn Question, dump: &OpenDump, matches: &ArgMatches, target: &Output) -> Result<Status, Failure> {
    let arguments = options::arguments(matches, question.parameters());
    let mut selection = options::selected(matches, question.selection(target.wanted()))?;
    if arguments.flag(TREE) && matches.contains_id("sort") {
        return Err(Failure::Usage("--tree has its own order, and takes no --sort".into()));
    }
    if arguments.flag(TREE) && target.format == Format::Table {
        selection = selection.outline();
    }
    let answer = question.ask_selected(dump, &arguments, &selection, &Threads)?;
    let status = target.answer(dump, &answer);
    // The process ends with this answer, which may be of millions of pieces.
    std::mem::forget(answer);
    status
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Does what was asked.
pub(crate) fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    set_color(matches.get_one::<String>("color").map_or("auto", String::as_str));
    if matches.get_flag("version") {
        return licenses::version();
    }
    if matches.get_flag("licenses") {
        return licenses::licenses();
    }
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Failure::Usage("no command is given".into()));
    };
    if let Some(question) = ntlens::report::question(name) {
        let target = options::target(matches)?;
        // A filter that cannot be read is told before a large file is opened.
        options::selected(matches, question.selection(Wanted::All))?;
        let dump = options::open(matches)?.dump;
        return ask(question, &dump, matches, &target);
    }
    let other = OTHERS.iter().find(|other| (other.spec)().get_name() == name);
    other.map_or_else(|| Err(Failure::Usage(format!("no command is named {name}"))), |other| (other.run)(matches))
}
