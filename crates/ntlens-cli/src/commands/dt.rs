//! `dt`: the layout of a type, as the debugger's command of that name prints it.

use super::Other;
use crate::output::{Failure, Status};
use clap::{Arg, Command};
use ntlens::layout::Version;
use ntlens::nt::builds;
use ntlens::symbols::dt::{Dt, Pattern, find, find_all};
use ntlens::symbols::{Pack, Source, TableInfo};
use std::io::Write;

pub(super) const DT: Other = Other {
    spec: || {
        Command::new("dt")
            .about("The layout of a type, from the embedded layouts")
            .arg(Arg::new("type").value_name("[nt!]TYPE").required(true).help("A type, or a pattern that lists types"))
            .arg(Arg::new("pattern").value_name("PATTERN").help("Only fields whose names match, such as 'system*'"))
            .arg(
                Arg::new("build")
                    .long("build")
                    .value_name("BUILD[.REVISION]")
                    .required(true)
                    .help("The kernel: 19041 means its newest revision, 19041.1288 that one"),
            )
            .arg(
                Arg::new("recurse")
                    .short('r')
                    .value_name("DEPTH")
                    .num_args(0..=1)
                    .default_value("0")
                    .default_missing_value("16")
                    .value_parser(clap::value_parser!(usize))
                    .help("Also the fields of structures inside"),
            )
    },
    run: |matches| {
        let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        let pack = Pack::embedded().map_err(ntlens::Error::from)?;
        let table = table(pack.tables(), text("build").unwrap_or_default())?;
        let layouts = pack.all_layouts(table).map_err(ntlens::Error::from)?;
        let name = text("type").unwrap_or_default();
        let mut out = std::io::stdout().lock();
        if name.contains(['*', '?']) {
            for found in find_all(&layouts, name) {
                writeln!(out, "          {}", found.name())?;
            }
            return Ok(Status::Complete);
        }
        let found = find(&layouts, name).ok_or_else(|| {
            let version = layouts.version().map_or(String::new(), |version| version.to_string());
            Failure::NotFound(format!("no type of kernel {version} is named {name}"))
        })?;
        let mut dt = Dt::new(&layouts, found).depth(matches.get_one::<usize>("recurse").copied().unwrap_or(0));
        if let Some(pattern) = text("pattern") {
            dt = dt.only(Pattern::new(pattern));
        }
        write!(out, "{dt}")?;
        Ok(Status::Complete)
    },
};

/// The table of a build: of several revisions the newest, of several sources the one that knows most.
fn table(tables: &[TableInfo], wanted: &str) -> Result<usize, Failure> {
    let (build, revision) = match wanted.split_once('.') {
        Some((build, revision)) => (build.parse::<u32>(), Some(revision.parse::<u32>())),
        None => (wanted.parse(), None),
    };
    let (Ok(build), Ok(revision)) = (build, revision.transpose()) else {
        return Err(Failure::Usage(format!("{wanted:?} is no build, such as 19041 or 19041.1288")));
    };
    let build = builds::kernel_build(build);
    let fits = |version: Version| version.build == build && (revision.is_none() || version.revision == revision);
    let known = tables.iter().enumerate().filter(|(_, table)| fits(table.version));
    let best = known.max_by_key(|(_, table)| (table.source == Source::Isf, table.version));
    best.map(|(index, _)| index)
        .ok_or_else(|| Failure::NotFound(format!("no kernel {wanted} is in the embedded layouts")))
}
