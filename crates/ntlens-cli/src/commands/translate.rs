//! `translate`: where a virtual address lies in physical memory.

use super::{Other, read};
use crate::options;
use clap::{Arg, Command};
use ntlens::address::VirtAddr;
use ntlens::report::translation;

pub(super) const TRANSLATE: Other = Other {
    spec: || {
        Command::new("translate")
            .about("Where a virtual address lies in physical memory and in the file")
            .args(options::dump())
            .arg(Arg::new("address").value_name("ADDRESS").required(true).value_parser(options::address))
            .arg(read::pid())
            .args(options::output())
    },
    run: |matches| {
        let target = options::target(matches)?;
        let dump = options::open(matches)?.dump;
        let at = matches.get_one::<u64>("address").copied().unwrap_or_default();
        let answer = translation::translate(&dump, read::of(matches), VirtAddr(at))?;
        target.answer(&dump, &answer)
    },
};
