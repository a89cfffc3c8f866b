//! `dt`: the layout of a type, as the debugger's command of that name prints it.

use super::kernel::{self, Build};
use super::{Other, read};
use crate::options;
use crate::output::{Failure, Output, Status, say};
use clap::{Arg, Command};
use ntlens::address::VirtAddr;
use ntlens::layout::Layouts;
use ntlens::report::memory::space;
use ntlens::symbols::dt::{Diff, Dt, Found, Pattern, find, find_all};

pub(super) const DT: Other = Other {
    spec: || {
        Command::new("dt")
            .about("The layout of a type, what an instance of it holds, or what changed in it")
            .arg(
                Arg::new("type")
                    .value_name("[MODULE!]TYPE")
                    .required(true)
                    .help("A type, or a pattern that lists types"),
            )
            .arg(
                Arg::new("rest")
                    .value_name("PATTERN|0xADDRESS")
                    .num_args(0..=2)
                    .help("Only fields whose names match, such as 'system*'; where an instance lies in the dump"),
            )
            .arg(kernel::build("build", "The kernel: 19041 means its newest embedded revision, 19041.1288 that one"))
            .arg(kernel::dump())
            .arg(kernel::build("against", "Compare with this newer kernel").conflicts_with("dump"))
            .arg(read::pid().requires("dump"))
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
            .arg(options::dtb().requires("dump"))
            .args(options::symbols())
            .args(options::file())
    },
    run: |matches| {
        let (layouts, opened) = kernel::types(matches)?;
        let target = options::text_target(matches);
        if let Some(opened) = &opened {
            target.layout(opened.dump.kernel()?);
        }
        let (mut pattern, mut address) = (None, None);
        for argument in matches.get_many::<String>("rest").into_iter().flatten() {
            let slot =
                if argument.starts_with(|first: char| first.is_ascii_digit()) { &mut address } else { &mut pattern };
            if slot.replace(argument.as_str()).is_some() {
                return Err(Failure::Usage(format!("{argument}: one pattern and one address at most")));
            }
        }
        let pattern = pattern.map(Pattern::new);
        let address = address.map(options::address).transpose().map_err(Failure::Usage)?.map(VirtAddr);
        let memory = match (address, &opened) {
            (Some(_), Some(opened)) => Some(space(&opened.dump, read::of(matches))?),
            (Some(_), None) => return Err(Failure::Usage("an address lies in a dump: --dump says in which".into())),
            (None, _) => None,
        };
        let text = matches.get_one::<String>("type").map_or("", String::as_str);
        if text.contains(['*', '?']) {
            return list(&layouts, text, &target);
        }
        let found = of(&layouts, text)?;
        if let Some(newer) = matches.get_one::<Build>("against") {
            let newer = kernel::embedded(*newer)?;
            let diff = Diff::new(found, of(&newer, text)?, pattern.as_ref());
            if diff.changes.is_empty() && !target.quiet {
                say("note", &format!("the same in {} and {}", kernel::name(&layouts), kernel::name(&newer)));
            }
            return print(&target, &diff.to_string());
        }
        let mut dt = Dt::new(&layouts, found).depth(matches.get_one::<usize>("recurse").copied().unwrap_or(0));
        if let Some(pattern) = pattern {
            dt = dt.only(pattern);
        }
        if let Some((memory, at)) = memory.as_ref().zip(address) {
            dt = dt.at(memory, at);
        }
        print(&target, &dt.to_string())
    },
};

fn of<'l>(layouts: &'l Layouts, name: &str) -> Result<Found<'l>, Failure> {
    find(layouts, name)
        .ok_or_else(|| Failure::NotFound(format!("no type of {} is named {name}", kernel::name(layouts))))
}

fn list(layouts: &Layouts, pattern: &str, target: &Output) -> Result<Status, Failure> {
    let names: Vec<_> = find_all(layouts, pattern).iter().map(|found| format!("          {}", found.name())).collect();
    print(target, &(names.join("\n") + "\n"))
}

/// Writes text as it is: the parts of it that come from a dump are made harmless where they are read.
fn print(target: &Output, text: &str) -> Result<Status, Failure> {
    target.write(|out, _| Ok(out.write_all(text.as_bytes())?))?;
    Ok(Status::Complete)
}
