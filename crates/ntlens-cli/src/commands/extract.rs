//! `extract`: a small dump out of a large one.

use super::Other;
use crate::options;
use crate::output::Failure;
use clap::{Arg, ArgAction, ArgGroup, Command};
use ntlens::extract::{Extract, Of};

pub(super) const EXTRACT: Other = Other {
    spec: || {
        Command::new("extract")
            .about("Write a small dump with what is needed to look at one process, or with the kernel alone")
            .after_help("Pages of other processes' user memory are left out.")
            .args(options::dump())
            .arg(
                Arg::new("process")
                    .long("process")
                    .value_name("PID")
                    .value_parser(options::number)
                    .help("This process: its memory, and the kernel's objects around it"),
            )
            .arg(
                Arg::new("kernel").long("kernel").action(ArgAction::SetTrue).help("The kernel's memory, no user pages"),
            )
            .group(ArgGroup::new("of").args(["process", "kernel"]).required(true))
            .args(options::file())
            .args(options::missing())
            .mut_arg("output", |output| output.required(true).help("The dump to write, whole or not at all"))
    },
    run: |matches| {
        let target = options::text_target(matches);
        let opened = options::open(matches)?;
        let of = matches.get_one::<u64>("process").map_or(Of::Kernel, |pid| Of::Process(*pid));
        let extract = Extract::new(&opened.dump, &*opened.symbols, options::start(matches), of)?;
        target.write(|out, _| extract.write(out).map_err(Failure::from))?;
        let remark = format!("{} pages, {} bytes", extract.pages(), extract.size());
        Ok(target.told(&opened.dump, &[remark], extract.incomplete()))
    },
};
