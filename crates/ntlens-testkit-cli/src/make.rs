//! `make`: a machine, and a dump of it.

use crate::write::Target;
use crate::{Failure, kernels};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ntlens_testkit::{DumpOptions, Kind, Machine, Placement, layouts};
use std::io::{Seek, Write};
use std::path::PathBuf;

/// Handles that `--with busy` adds to each process.
const BUSY_HANDLES: usize = 150;
/// Machines with less, in MiB, have nothing above 4 GiB: a raw image of them stays small.
const LOW: u64 = 64;

type Change = fn(Machine) -> Machine;

/// What a machine can have beside its processes: word, meaning.
const PARTS: [(&str, &str, Change); 8] = [
    ("jobs", "jobs inside one another, silos, a container", |mut machine| {
        machine.typical_jobs();
        machine
    }),
    ("crossings", "what crosses sessions, containers and integrity levels", |mut machine| {
        machine.typical_crossings();
        machine
    }),
    ("busy", "150 handles more in each process", |mut machine| {
        machine.busy(BUSY_HANDLES);
        machine
    }),
    ("pcid", "process-context identifiers in page table bases", Machine::pcid),
    ("la57", "page tables of five levels", Machine::five_level_paging),
    ("kva-shadow", "page tables of their own for user code", Machine::kva_shadow),
    ("encoded-kdbg", "an encoded debugger data block", Machine::encoded_kdbg),
    ("debugger-data", "what tells debuggers where trace sessions are", Machine::debugger_data),
];

const PLACEMENTS: [(&str, Placement); 3] =
    [("ascending", Placement::Ascending), ("descending", Placement::Descending), ("scattered", Placement::Scattered)];

fn parts_help() -> String {
    let parts: Vec<String> = PARTS.iter().map(|(word, about, _)| format!("{word} ({about})")).collect();
    format!("What else the machine has: {}", parts.join(", "))
}

pub(crate) fn command() -> Command {
    let number = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    Command::new("make")
        .about("Make a machine as people have them, and write a dump of it")
        .arg(
            Arg::new("dump")
                .value_name("OUT.dmp")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The dump, written whole or not at all"),
        )
        .arg(
            number("build", "BUILD[.REVISION]")
                .default_value("19041")
                .help("The kernel; `builds` lists them. Without a revision the first of the build"),
        )
        .arg(
            Arg::new("kind")
                .long("kind")
                .value_name("KIND")
                .default_value("active")
                .value_parser(PossibleValuesParser::new(Kind::ALL.map(Kind::name)))
                .help("The kind of dump; `kinds` describes them"),
        )
        .arg(
            number("seed", "NUMBER")
                .default_value("1")
                .value_parser(value_parser!(u64))
                .help("Where everything random comes from"),
        )
        .arg(
            number("processes", "COUNT")
                .default_value("40")
                .value_parser(value_parser!(u32).range(32..=20_000))
                .help("How many processes, from 32 on"),
        )
        .arg(
            number("memory", "MIB")
                .value_parser(value_parser!(u64).range(32..=1 << 20))
                .help("RAM; by default what the processes need. From 64 on, some of it is above 4 GiB"),
        )
        .arg(
            Arg::new("placement")
                .long("placement")
                .value_name("ORDER")
                .default_value("ascending")
                .value_parser(PossibleValuesParser::new(PLACEMENTS.map(|(word, _)| word)))
                .help("In which order frames are taken"),
        )
        .arg(
            Arg::new("with")
                .long("with")
                .value_name("PART")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .value_parser(PossibleValuesParser::new(PARTS.map(|(word, ..)| word)))
                .hide_possible_values(true)
                .help(parts_help()),
        )
        .arg(
            Arg::new("exact-bits")
                .long("exact-bits")
                .action(ArgAction::SetTrue)
                .help("A bitmap ends with the last frame, inside of a byte"),
        )
        .arg(
            number("truth", "FILE.json")
                .value_parser(value_parser!(PathBuf))
                .help("Where to write what is true of the machine; `schema` describes it"),
        )
        .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("Replace files that are there"))
}

/// The value of an option that has a default or is required.
fn get<'a, T: Clone + Send + Sync + 'static>(matches: &'a ArgMatches, name: &str) -> Result<&'a T, Failure> {
    matches.get_one(name).ok_or_else(|| Failure::Usage(format!("{name} is missing")))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let force = matches.get_flag("force");
    let dump = Target { path: get::<PathBuf>(matches, "dump")?, force };
    let truth = matches.get_one::<PathBuf>("truth").map(|path| Target { path, force });
    dump.check()?;
    if let Some(truth) = truth {
        if truth.path == dump.path {
            return Err(Failure::Usage("--truth names the dump itself".into()));
        }
        truth.check()?;
    }
    let kind: Kind = get::<String>(matches, "kind")?.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
    let image = machine(matches, kind)?.build();
    let options = DumpOptions::new(kind);
    let options = if matches.get_flag("exact-bits") { options.exact_bits() } else { options };
    let told = dump.write(|file| {
        let told = image.write(options, file)?;
        // Zeros at the end were only skipped.
        file.set_len(told.dump.as_ref().map_or(0, |dump| dump.file_size))?;
        file.rewind()?;
        Ok(told)
    })?;
    if let Some(truth) = truth {
        truth.write(|file| writeln!(file, "{}", told.to_json()))?;
    }
    Ok(())
}

/// MiB that are enough for so many processes with every part.
const fn needed(processes: u32) -> u64 {
    40 + processes as u64 * 2 / 5
}

fn machine(matches: &ArgMatches, kind: Kind) -> Result<Machine, Failure> {
    let version = kernels::find(get::<String>(matches, "build")?)?;
    let layouts = layouts(&version).ok_or_else(|| Failure::Usage(format!("no layouts of {version}")))?;
    let processes = *get::<u32>(matches, "processes")?;
    let mut machine = Machine::typical(layouts, *get(matches, "seed")?, processes as usize);
    let needed = needed(processes);
    let asked = matches.get_one::<u64>("memory").copied();
    if asked.is_some_and(|mib| mib < needed) {
        return Err(Failure::Usage(format!("{processes} processes need at least {needed} MiB of memory")));
    }
    // A raw image is as long as the address of the last frame.
    let low = (kind == Kind::Raw && needed < LOW).then_some(LOW - 1);
    if let Some(mib) = asked.or(low) {
        machine = machine.memory(mib << 20);
    }
    let placement = get::<String>(matches, "placement")?;
    if let Some((_, order)) = PLACEMENTS.iter().find(|(word, _)| word == placement) {
        machine = machine.placement(*order);
    }
    for word in matches.get_many::<String>("with").unwrap_or_default() {
        if let Some((.., change)) = PARTS.iter().find(|(known, ..)| known == word) {
            machine = change(machine);
        }
    }
    Ok(machine)
}
