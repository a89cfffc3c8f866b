//! `process`: all about one process.

use super::Other;
use crate::options;
use crate::output::Failure;
use clap::{Arg, ArgAction, Command};
use ntlens::Threads;
use ntlens::render::Format;
use ntlens::report::page::{SECTIONS, page};

pub(super) const PROCESS: Other = Other {
    spec: || {
        let on_request = SECTIONS.iter().filter_map(|section| Some((section.on_request?, section.title)));
        let flags = on_request.map(|(name, title)| {
            let help = format!("Also show: {}", title.to_lowercase());
            Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
        });
        Command::new("process")
            .about("All about one process: identity, protection, token, mitigations, threads, handles")
            .args(options::dump())
            .arg(
                Arg::new("process")
                    .value_name("PID|0xEPROCESS|NAME")
                    .required(true)
                    .help("Its id, the address of its EPROCESS, or its name; all processes that have it are shown"),
            )
            .args(flags)
            .args(options::output())
    },
    run: |matches| {
        let target = options::target(matches)?;
        if target.format == Format::Csv {
            let instead = "processes --where 'pid = 4' --format csv";
            return Err(Failure::Usage(format!("csv holds one table, and a page has several; try {instead}")));
        }
        let dump = options::open(matches)?.dump;
        let process = matches.get_one::<String>("process").map_or("", String::as_str);
        let on_request = SECTIONS.iter().filter_map(|section| section.on_request);
        let requested: Vec<&str> = on_request.filter(|name| matches.get_flag(name)).collect();
        let page = page(&dump, process, &requested, target.wanted(), &Threads)?;
        target.page(&dump, &page)
    },
};
