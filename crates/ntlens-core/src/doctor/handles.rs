//! The handle tables: their pages, and that each entry leads to an object.

use super::{Check, Exam, Severity};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::handle_table::HandleEntry;
use crate::nt::object_type::ObjectTypes;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const CHECK: Check = Check { name: "handle tables", run };

/// Entries that are looked at, over all tables.
const MAX_ENTRIES: usize = 1 << 20;

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let types = exam.types.clone();
    let mut targets = BTreeMap::new();
    let (mut left, mut skipped) = (MAX_ENTRIES, 0);
    for process in exam.processes() {
        let table = match process.object_table() {
            Ok(table) => table,
            // It gave its handles back when it ended.
            Err(Absent::NotApplicable) => continue,
            Err(why) => {
                exam.tell_gap(Incomplete::new("handle table", process.eprocess(), why));
                continue;
            }
        };
        let tables = &kernel.fields().handle_tables;
        match tables.entries(kernel.space(), table) {
            Ok((entries, incomplete)) => {
                exam.tell_all(incomplete, Severity::Medium, "handles of this page are missing");
                for entry in entries.iter().take(left) {
                    let new = || target(kernel, types.as_deref(), entry.pointer);
                    let target = *targets.entry(entry.pointer).or_insert_with(|| {
                        let found = new();
                        exam.keys.extend(matches!(found, Target::Key).then_some(entry.pointer));
                        found
                    });
                    if let Target::None(why) = target {
                        let wrong = wrong_entry(kernel, &process, entry, why);
                        exam.tell(wrong, Severity::Low, "what the handle leads to is not told");
                    }
                }
                skipped += entries.len().saturating_sub(left);
                left = left.saturating_sub(entries.len());
            }
            Err(why) => {
                let fault = tables.fault(kernel.space(), table, why, process.object_table_field());
                exam.tell_all(Vec::from([fault]), Severity::Medium, "the handles of this process are missing");
            }
        }
    }
    if skipped > 0 {
        let more = Incomplete::beyond("entries of handle tables", "handle tables", MAX_ENTRIES);
        exam.tell(more.times(skipped as u64), Severity::Info, "faults among them are not listed");
    }
}

/// What an entry leads to.
#[derive(Clone, Copy)]
enum Target {
    /// An object, or memory that the dump does not hold.
    Object,
    /// A key of the registry.
    Key,
    /// No object.
    None(&'static str),
}

fn target(kernel: &Snapshot, types: Option<&ObjectTypes>, at: VirtAddr) -> Target {
    if !at.is_kernel() {
        return Target::None("an address outside of the kernel");
    }
    let header = kernel.fields().object.at(kernel.space(), at);
    let stored = match header.type_index() {
        Ok(stored) => stored,
        Err(Absent::NotPresent(_)) => return Target::None("nothing is mapped there"),
        Err(Absent::NonCanonical) => return Target::None("an address that cannot be"),
        Err(_) => return Target::Object,
    };
    let of = types.filter(|types| types.cookie().is_ok()).map(|types| types.of(at, stored));
    match (of, header.is_held()) {
        (Some(Err(_)), _) => Target::None("an object of no known type"),
        (_, Ok(false)) => Target::None("no object that handles lead to"),
        (Some(Ok(of)), _) if &*of.name == "Key" => Target::Key,
        _ => Target::Object,
    }
}

fn wrong_entry(kernel: &Snapshot, process: &Process, entry: &HandleEntry, why: &str) -> Incomplete {
    let field = kernel.fields().handle_tables.pointer_field();
    let found = format!("{}: {why}", entry.pointer);
    let wrong = Incomplete::wrong("_HANDLE_TABLE_ENTRY", field, entry.at, found, "the header of an object");
    let pid = process.pid().map_or_else(|why| format!("({why})"), |pid| format!("{pid}"));
    let what: String = format!("handle {:#x} of process {pid}: {}", entry.handle, wrong.what);
    Incomplete { what, ..wrong }
}
