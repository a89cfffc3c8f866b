//! All about one process: its row of `processes`, and the answers of other questions about it.
//!
//! A question that can be about one process is a section by one line of [`SECTIONS`].

use super::processes::PROCESSES;
use super::subject::{PID, Subject};
use super::{Argument, Arguments, Question, Spread, Table, Wanted};
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::nt::process::Process;
use crate::opened::OpenDump;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The name of the page in the output contract.
pub const NAME: &str = "process";

/// A part of the page.
#[derive(Clone, Copy)]
pub struct Section {
    /// What stands above it.
    pub title: &'static str,
    /// The question, which has the parameter [`PID`].
    pub question: &'static dyn Question,
    /// The name by which one asks for it, if it is too long to be shown at all times.
    pub on_request: Option<&'static str>,
}

impl core::fmt::Debug for Section {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Section").field("title", &self.title).finish_non_exhaustive()
    }
}

impl Section {
    fn is_wanted(&self, requested: &[&str]) -> bool {
        self.on_request.is_none_or(|name| requested.contains(&name))
    }
}

/// A section that is always shown.
const fn section(title: &'static str, question: &'static dyn Question) -> Section {
    Section { title, question, on_request: None }
}

/// The parts of the page below the row of `processes`.
pub const SECTIONS: &[Section] = &[
    section("SIDs of the token", &super::groups::GROUPS),
    section("Privileges", &super::privileges::PRIVILEGES),
    section("Mitigations and siblings", &super::mitigations::MITIGATIONS),
    section("Threads", &super::threads::THREADS),
    section("Loaded images", &super::dlls::DLLS),
    section("Handles by type", &super::handle_types::HANDLE_TYPES),
    Section { on_request: Some("handles"), ..section("Handles", &super::handles::HANDLES) },
    Section { on_request: Some("vads"), ..section("Memory areas", &super::vads::VADS) },
];

/// Columns that say of which process a row is: a page is of one.
const SAME: [&str; 3] = ["pid", "process", "process_name"];

/// Columns of `processes` that belong together; those that stand nowhere here come last.
pub const PARTS: &[(&str, &[&str])] = &[
    (
        "Identity",
        &[
            "eprocess",
            "pid",
            "ppid",
            "parent",
            "depth",
            "orphan",
            "name",
            "image_path",
            "command_line",
            "create_time",
            "exit_time",
            "sources",
            "wow64",
            "active_threads",
            "handle_count",
            "dtb",
            "user_dtb",
            "peb",
            "peb32",
        ],
    ),
    (
        "Protection",
        &[
            "protection",
            "protection_level",
            "protection_type",
            "protection_signer",
            "protection_audit",
            "signature_level",
            "signature_level_name",
            "section_signature_level",
            "section_signature_level_name",
            "critical",
            "system_process",
            "subsystem_process",
            "cross_session_create",
            "minimal",
            "pico",
            "pico_context",
            "secure",
            "trustlet_id",
            "frozen",
            "being_debugged",
            "exiting",
            "deleted",
        ],
    ),
    (
        "Token",
        &[
            "token",
            "user_sid",
            "user_name",
            "integrity",
            "integrity_rid",
            "logon_id",
            "elevation",
            "token_session_id",
            "restricted",
            "trust_label",
            "app_container",
            "package_sid",
            "capabilities",
            "privileges_enabled",
        ],
    ),
    (
        "Session, job and silo",
        &[
            "session_id",
            "job",
            "job_name",
            "job_chain",
            "scheduling_group",
            "silo",
            "silo_kind",
            "silo_id",
            "server_silo",
        ],
    ),
    ("Mitigations", &["mitigations", "mitigation_flags_raw", "mitigation_flags2_raw", "mitigation_flags3_raw"]),
    ("Flags", &["flags", "flags_raw", "flags2", "flags2_raw", "flags3", "flags3_raw"]),
];

/// What is known of some processes.
#[derive(Clone, Debug)]
pub struct Page {
    /// One for each process.
    pub processes: Vec<ProcessPage>,
    /// What the answers could not take into account.
    pub incomplete: Vec<Incomplete>,
    /// What a reader should not miss.
    pub remarks: Vec<String>,
}

/// What is known of one process.
#[derive(Clone, Debug)]
pub struct ProcessPage {
    /// Its row of `processes`, with all columns.
    pub record: Table,
    /// The answers of the sections, with their titles.
    pub sections: Vec<(&'static str, Table)>,
}

/// The processes that are meant: by an id, the address of an `EPROCESS` (`0x...`), or a name without regard to case.
fn meant(all: &[Process], text: &str) -> Result<Vec<Process>, Error> {
    let plain = text.replace(['`', '_'], "");
    let digits = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X"));
    let number = digits.map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok());
    if let Some(number) = number {
        return Subject::of(number).choose(all);
    }
    let named = |process: &&Process| process.name().is_ok_and(|name| name.eq_ignore_ascii_case(text));
    let found: Vec<Process> = all.iter().filter(named).cloned().collect();
    if found.is_empty() {
        return Err(Error::NotFound { what: format!("process with the name {text}") });
    }
    Ok(found)
}

/// Asks everything about the processes that a text means: an id, the address of an `EPROCESS` (`0x...`), or a name without
/// regard to case. Several can have one id or name: all are told of. `requested` names the sections that are shown on
/// request; `wanted` is for the columns of the sections.
pub fn page(
    dump: &OpenDump,
    text: &str,
    requested: &[&str],
    wanted: Wanted,
    spread: &dyn Spread,
) -> Result<Page, Error> {
    let all = dump.processes()?.processes;
    let meant = meant(&all, text)?;
    let addresses: Vec<String> = meant.iter().map(|process| process.eprocess().to_string()).collect();
    let selection = PROCESSES.selection(Wanted::All);
    // Only these rows need all columns.
    let narrowed = selection.clone().filter(&format!("eprocess in ({})", addresses.join(", "))).unwrap_or(selection);
    let mut rows = PROCESSES.ask_selected(dump, &Arguments::default(), &narrowed, spread)?;
    let mut page = Page { processes: Vec::new(), incomplete: Vec::new(), remarks: Vec::new() };
    let mut told = BTreeSet::new();
    page.take(&mut rows, &mut told);
    for process in &meant {
        let at = process.eprocess();
        let of_this = rows.rows.iter().filter(|row| row.first() == Some(&at.into())).cloned().collect();
        let record = Table { record: true, rows: of_this, ..rows.clone() };
        // An id says it as people do; an address, where several have the id.
        let same = all.iter().filter(|other| other.pid() == process.pid()).count();
        let number = process.pid().ok().filter(|_| same == 1).unwrap_or(at.0);
        let arguments = Arguments::default().with(PID.name, Argument::Number(number));
        let mut sections = Vec::new();
        for section in SECTIONS.iter().filter(|section| section.is_wanted(requested)) {
            let selection = section.question.selection(wanted);
            let mut table = section.question.ask_selected(dump, &arguments, &selection, spread)?;
            page.take(&mut table, &mut told);
            table.screen.retain(|shown| !SAME.contains(&shown.column));
            for remark in table.remarks.drain(..) {
                if !page.remarks.contains(&remark) {
                    page.remarks.push(remark);
                }
            }
            sections.push((section.title, table));
        }
        page.processes.push(ProcessPage { record, sections });
    }
    Ok(page)
}

impl Page {
    /// Takes what an answer lacks. Every answer says again what was wrong when the dump was opened.
    fn take(&mut self, table: &mut Table, told: &mut BTreeSet<(String, String, &'static str)>) {
        let new = |missing: &Incomplete| told.insert((missing.what.clone(), missing.place.to_string(), missing.reason));
        self.incomplete.extend(table.incomplete.drain(..).filter(new));
    }
}
