//! What is wrong with a dump: every structure that the library knows is walked, and each fault told with its place, what was
//! found there, what was expected, and what follows from it.
//!
//! Every question is asked, and what the walkers behind it noticed is taken over: a structure that a question is about is
//! examined with that. A check is for contradictions between views that no answer has to look at, and for faults of which
//! more is known than that an answer lacks something: one file of this folder and one line of `CHECKS`.

mod debugger_block;
mod directories;
mod file;
mod handles;
mod image;
mod keys;
mod memory;
mod modules;
mod noticed;
mod page_tables;
mod processes;
mod processors;
mod threads;
mod tokens;

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use crate::nt::Snapshot;
use crate::nt::census::Processes;
use crate::nt::object_type::ObjectTypes;
use crate::nt::process::{Process, Sources};
use crate::opened::OpenDump;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
pub(crate) use noticed::Noticed;

/// All checks, in the order in which a dump is read.
const CHECKS: &[Check] = &[
    file::CHECK,
    memory::CHECK,
    debugger_block::CHECK,
    image::CHECK,
    page_tables::CHECK,
    modules::CHECK,
    processes::CHECK,
    threads::CHECK,
    processors::CHECK,
    tokens::CHECK,
    handles::CHECK,
    keys::CHECK,
    directories::CHECK,
];

/// Faults of one check that are told by themselves; what is beyond is counted.
const MAX_FAULTS: usize = 256;

/// One structure or view that is walked.
struct Check {
    /// Its name.
    name: &'static str,
    /// Walks it.
    run: fn(&mut Exam<'_>),
}

/// How much depends on a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is not in the dump, or is there and unusual: nothing is wrong.
    Info,
    /// Nothing else depends on it.
    Low,
    /// Part of an answer is missing, or was put together from other places.
    Medium,
    /// Whole answers cannot be given.
    High,
}

impl Severity {
    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Something that is wrong with a dump, or not in it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The check that found it, or the first question that noticed it.
    pub check: &'static str,
    /// What it is and where.
    pub incomplete: Incomplete,
    /// File offset of the place, where the file holds it.
    pub file_offset: Option<u64>,
    /// How much depends on it.
    pub severity: Severity,
    /// What follows from it.
    pub consequence: String,
}

/// A dump under examination. What several checks need is found once.
struct Exam<'a> {
    dump: &'a OpenDump,
    kernel: Option<&'a Snapshot>,
    census: Processes,
    types: Option<Arc<ObjectTypes>>,
    /// Headers of the registry keys that handles lead to, each once.
    keys: Vec<VirtAddr>,
    check: &'static str,
    of_check: usize,
    /// What was told by itself: a fault that two checks meet is one.
    told: BTreeSet<noticed::Subject>,
    faults: Vec<Fault>,
}

/// Walks what the checks are about, and adds what the questions noticed beyond that.
pub(crate) fn examine(dump: &OpenDump, noticed: Vec<Noticed>) -> Vec<Fault> {
    let kernel = dump.kernel().ok();
    let census = kernel.map(Snapshot::processes).unwrap_or_default();
    let types = kernel.map(|kernel| Arc::new(ObjectTypes::find(kernel, &census.processes)));
    let (told, faults) = (BTreeSet::new(), Vec::new());
    let keys = Vec::new();
    let mut exam = Exam { dump, kernel, census, types, keys, check: "", of_check: 0, told, faults };
    for check in CHECKS {
        exam.begin(check.name);
        (check.run)(&mut exam);
    }
    noticed::take_over(&mut exam, noticed);
    exam.faults
}

impl<'a> Exam<'a> {
    /// The kernel of a dump that holds more than the crashing process.
    fn whole_kernel(&self) -> Option<&'a Snapshot> {
        self.kernel.filter(|kernel| kernel.triage().is_none())
    }

    /// The processes, each cheap to clone, to be looked at while faults are told.
    fn processes(&self) -> Vec<Process> {
        self.census.processes.clone()
    }

    /// What is told from here on is told by this check.
    fn begin(&mut self, check: &'static str) {
        (self.check, self.of_check) = (check, 0);
    }

    /// Tells a fault, if it has not been told.
    fn tell(&mut self, incomplete: Incomplete, severity: Severity, consequence: impl Into<String>) {
        let subject = noticed::Subject::of(&incomplete);
        if self.told.contains(&subject) {
            return;
        }
        self.of_check += 1;
        let incomplete = match self.of_check.cmp(&MAX_FAULTS) {
            Ordering::Less => {
                self.told.insert(subject);
                incomplete
            }
            Ordering::Equal => {
                let more = Incomplete::beyond("faults and gaps of this check", self.check, MAX_FAULTS - 1);
                more.times(incomplete.count)
            }
            Ordering::Greater => {
                if let Some(last) = self.faults.last_mut() {
                    last.incomplete.count = last.incomplete.count.saturating_add(incomplete.count);
                }
                return;
            }
        };
        let file_offset = self.dump.file_offset(&incomplete.place);
        let consequence = consequence.into();
        self.faults.push(Fault { check: self.check, incomplete, file_offset, severity, consequence });
    }

    /// Tells what a walk says is missing or wrong: contradictions with this severity and consequence, gaps as what they are.
    fn tell_all(&mut self, found: Vec<Incomplete>, severity: Severity, consequence: &str) {
        for incomplete in found {
            if incomplete.is_contradiction() {
                self.tell(incomplete, severity, consequence);
            } else {
                self.tell_gap(incomplete);
            }
        }
    }

    /// Tells that something is not in the dump.
    fn tell_gap(&mut self, incomplete: Incomplete) {
        self.tell(incomplete, Severity::Info, "what it holds is missing in the answers, which say so");
    }
}

/// Whether a pointer leads to where nothing was ever mapped, in contrast to what is merely not in the dump.
fn leads_nowhere<M: VirtualMemory>(memory: &M, at: VirtAddr) -> bool {
    !at.is_kernel() || memory.read_array::<1>(at).is_err_and(Absent::is_nowhere)
}

/// Where a process was found, in words.
fn found_by(sources: Sources) -> String {
    sources.names().join(", ")
}
