//! Which kernel's types a command is about: `--build`, `--dump` or `--symbols`.

use crate::options::{self, Opened};
use crate::output::Failure;
use clap::{Arg, ArgMatches, ValueHint};
use ntlens::layout::Layouts;
use ntlens::symbols::{Pack, file};
use std::path::PathBuf;

/// The build of `--build` and `--against`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Build {
    build: u32,
    revision: Option<u32>,
}

/// `--build`
pub(super) fn build(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name("BUILD[.REVISION]").value_parser(parse_build).help(help)
}

/// `--dump`
pub(super) fn dump() -> Arg {
    Arg::new("dump")
        .long("dump")
        .value_name("DUMP")
        .value_parser(clap::value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .conflicts_with("build")
        .help("The kernel of this dump")
}

fn parse_build(text: &str) -> Result<Build, String> {
    let (build, revision) = text.split_once('.').map_or((text, None), |(build, revision)| (build, Some(revision)));
    let number = |text: &str| text.parse().map_err(|_| "expected a build, such as 19041 or 19041.1288".to_owned());
    Ok(Build { build: number(build)?, revision: revision.map(number).transpose()? })
}

/// All types of an embedded kernel.
pub(super) fn embedded(wanted: Build) -> Result<Layouts, Failure> {
    let pack = Pack::embedded().map_err(ntlens::Error::from)?;
    let table = ntlens::embedded::kernel(&pack, wanted.build, wanted.revision).ok_or_else(|| {
        let revision = wanted.revision.map_or(String::new(), |revision| format!(".{revision}"));
        Failure::NotFound(format!("no kernel {}{revision} is in the embedded layouts", wanted.build))
    })?;
    Ok(pack.all_layouts(table).map_err(ntlens::Error::from)?)
}

/// The types that the arguments name, and the dump if they are a dump's.
pub(super) fn types(matches: &ArgMatches) -> Result<(Layouts, Option<Opened>), Failure> {
    if let Some(wanted) = matches.get_one::<Build>("build") {
        return Ok((embedded(*wanted)?, None));
    }
    if matches.contains_id("dump") {
        let opened = options::open(matches)?;
        let types = opened.symbols.types(opened.dump.kernel()?)?;
        return Ok((types, Some(opened)));
    }
    // Without a dump there is nothing that a folder could be searched for: only files say which kernel is meant.
    let given: Vec<_> = matches.get_many::<PathBuf>("symbols").into_iter().flatten().collect();
    match given.as_slice() {
        [file] if !file.is_dir() => Ok((file::read(file)?.layouts, None)),
        [] => Err(Failure::Usage("which kernel's? --build, --dump or --symbols FILE says".into())),
        _ => Err(Failure::Usage("without a dump, --symbols must be one file".into())),
    }
}

/// The kernel in words.
pub(super) fn name(layouts: &Layouts) -> String {
    let id = layouts.id().map(|id| id.to_string());
    layouts
        .version()
        .map(|version| version.to_string())
        .or(id)
        .map_or("this image".into(), |name| format!("kernel {name}"))
}
