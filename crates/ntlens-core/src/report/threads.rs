//! `threads`: the threads of the processes of the active list.

use super::subject::{PID, Subject};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::owner::Owners;
use crate::nt::process::Sources;
use crate::nt::sid::Sid;
use crate::nt::thread::{Impersonation, Thread};
use crate::nt::thread_census::{self, FoundThread};
use crate::nt::token::{Token, Tokens, impersonation_level_name};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// A thread, its process's name, the module it started in, and the token it acts with.
#[derive(Debug)]
pub struct ThreadRow {
    found: FoundThread,
    process_name: Result<String, Absent>,
    start_module: Result<Option<String>, Absent>,
    impersonation: Result<Option<(Impersonation, Arc<Token>)>, Absent>,
}

impl Deref for ThreadRow {
    type Target = Thread;

    fn deref(&self) -> &Thread {
        &self.found.thread
    }
}

impl ThreadRow {
    /// Something of its impersonation, null while it acts for its process.
    fn acting<T: Into<Cell>>(&self, get: impl FnOnce(&Impersonation, &Token) -> Result<T, Absent>) -> Cell {
        let acting = self.impersonation.as_ref().map_err(|why| *why);
        acting.and_then(|acting| acting.as_ref().map(|(how, token)| get(how, token)).transpose()).into()
    }

    fn sources(&self) -> Vec<&'static str> {
        let all = [("thread-list", self.found.in_list), ("cid-table", self.found.in_cid_table)];
        all.into_iter().filter(|(_, found)| *found).map(|(name, _)| name).collect()
    }
}

/// The table.
pub const THREADS: Asked<ThreadRow> = Asked {
    table: TableDef {
        name: "threads",
        about: "the threads of the processes of the active list, where they started and for whom they act",
        columns: COLUMNS,
        screen: &[
            screen("PID", "pid").key(),
            screen("TID", "tid").key(),
            screen("Process", "process_name").key(),
            screen("State", "state").main(),
            screen("Wait", "wait_reason"),
            screen("Start", "start_address"),
            screen("Module", "start_module").main(),
            screen("Win32 start", "win32_start_address"),
            screen("Impersonation", "impersonation").main(),
            screen("As", "impersonation_user_sid").main(),
            screen("Created", "create_time").wide(),
            screen("ETHREAD", "ethread").wide(),
        ],
        record: false,
    },
    parameters: &[PID],
    rows: |dump, arguments| {
        let kernel = dump.kernel()?;
        let mut found = kernel.processes();
        match Subject::given(arguments) {
            Some(subject) => found.processes = subject.choose(&found.processes)?,
            // A triage dump has no list to be in.
            None if kernel.triage().is_some() => {}
            None => found.processes.retain(|process| process.sources().contains(Sources::ACTIVE_LIST)),
        }
        let names: BTreeMap<VirtAddr, Result<String, Absent>> =
            found.processes.iter().map(|process| (process.eprocess(), process.name())).collect();
        let modules = Owners::of(kernel);
        let threads = thread_census::threads(kernel, &found.processes);
        let mut tokens = Tokens::default();
        let rows = threads.threads.into_iter().map(|found| {
            let thread = &found.thread;
            let process_name =
                thread.process().and_then(|at| names.get(&at).cloned().unwrap_or(Err(Absent::NotApplicable)));
            let start_module = thread.start_address().and_then(|at| modules.name(at));
            let impersonation = thread
                .impersonation()
                .and_then(|how| how.map(|how| Ok((how, tokens.get(kernel, how.token)?))).transpose());
            ThreadRow { found, process_name, start_module, impersonation }
        });
        let rows = rows.collect();
        found.incomplete.extend(threads.incomplete);
        Ok((rows, found.incomplete))
    },
    remarks: |rows| {
        // A triage dump has neither a list nor a table.
        let hidden = rows.iter().filter(|row| row.found.in_cid_table && !row.found.in_list);
        let number = |id: Result<u64, Absent>| id.map_or_else(|why| why.to_string(), |id| id.to_string());
        hidden
            .map(|row| {
                format!("thread {} of process {} is not in its process's list", number(row.tid()), number(row.pid()))
            })
            .collect()
    },
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&ThreadRow) -> Cell) -> Column<ThreadRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<ThreadRow>] = &[
    column("pid", Kind::Uint, "id of the process it belongs to", |t| t.pid().into()),
    column("tid", Kind::Uint, "its own id", |t| t.tid().into()),
    column("process_name", Kind::Text, "ImageFileName of that process", |t| t.process_name.clone().into()),
    column("ethread", Kind::Address, "address of the ETHREAD", |t| t.ethread().into()),
    column("state", Kind::Text, "what the scheduler does with it", |t| t.state().into()),
    column("wait_reason", Kind::Text, "what it waits for, or waited for last", |t| t.wait_reason().into()),
    column("start_address", Kind::Address, "where it starts for the kernel", |t| t.start_address().into()),
    column("win32_start_address", Kind::Address, "where it starts for the program", |t| t.win32_start_address().into()),
    column("start_module", Kind::Text, "kernel module that it starts in", |t| t.start_module.clone().into()),
    column("create_time", Kind::Time, "when it was created", |t| t.create_time().into()),
    column("exit_time", Kind::Time, "when it ended", |t| t.exit_time().into()),
    column("impersonation", Kind::Text, "how far it may act for somebody else", |t| {
        t.acting(|how, _| how.level.map(impersonation_level_name))
    }),
    column("impersonation_token", Kind::Address, "the token it acts with", |t| t.acting(|how, _| Ok(how.token))),
    column("impersonation_user_sid", Kind::Text, "the user it acts for", |t| {
        t.acting(|_, token| token.user().map(|sid: Sid| sid.to_string()))
    }),
    column("effective_only", Kind::Bool, "groups and privileges that are off stay off", |t| {
        t.acting(|how, _| how.effective_only)
    }),
    column("teb", Kind::Address, "thread environment block", |t| t.teb().into()),
    column("sources", Kind::List, "the views of the kernel in which it was found", |t| t.sources().into()),
];
