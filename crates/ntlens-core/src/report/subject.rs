//! The process that a question is about.

use super::{Arguments, Form, Parameter};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::nt::census::{Of, Processes};
use crate::nt::handle::Holder;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::token::{Token, Tokens};
use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The parameter of questions that can be about one process.
pub const PID: Parameter = Parameter {
    name: "pid",
    form: Form::Number("PID"),
    needed: false,
    about: "Only of this process, whichever source it was found by: its id, or the address of its EPROCESS",
};

/// How a process is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By its id, which several can have: one that is gone, one that is hidden.
    Pid(u64),
    /// By the address of its `EPROCESS`.
    Eprocess(VirtAddr),
}

impl Subject {
    /// A number is an address of the kernel's, or an id.
    pub fn of(number: u64) -> Self {
        let at = VirtAddr(number);
        if at.is_kernel() { Self::Eprocess(at) } else { Self::Pid(number) }
    }

    /// The one that the arguments of a question name.
    pub fn given(arguments: &Arguments) -> Option<Self> {
        arguments.number(PID.name).map(Self::of)
    }

    /// Whether a process is meant.
    pub fn is(self, process: &Process) -> bool {
        match self {
            Self::Pid(pid) => process.pid() == Ok(pid),
            Self::Eprocess(at) => process.eprocess() == at,
        }
    }

    /// The processes that are meant; an error if there are none.
    pub fn choose(self, processes: &[Process]) -> Result<Vec<Process>, Error> {
        let chosen: Vec<Process> = processes.iter().filter(|process| self.is(process)).cloned().collect();
        if chosen.is_empty() { Err(Error::NotFound { what: self.to_string() }) } else { Ok(chosen) }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => write!(f, "process with the id {pid}"),
            Self::Eprocess(at) => write!(f, "process at {at}"),
        }
    }
}

/// The parameter of questions that are else about the processes of the active list only.
pub(super) const fn all(about: &'static str) -> Parameter {
    Parameter { name: "all", form: Form::Flag, needed: false, about }
}

/// The processes that the arguments of a question mean; an error if one is named that is not among the known ones.
pub(super) fn of(arguments: &Arguments, processes: &[Process]) -> Result<Of, Error> {
    let subject = Subject::given(arguments);
    if let Some(subject) = subject {
        subject.choose(processes)?;
    }
    Ok(match subject {
        Some(Subject::Pid(pid)) => Of::Process(pid),
        Some(Subject::Eprocess(at)) => Of::Eprocess(at),
        None if arguments.flag("all") => Of::All,
        None => Of::ActiveList,
    })
}

/// The processes that the arguments of a question leave of all.
pub(super) fn chosen<'p>(arguments: &Arguments, processes: &'p [Process]) -> Result<Cow<'p, [Process]>, Error> {
    Subject::given(arguments)
        .map_or_else(|| Ok(Cow::Borrowed(processes)), |subject| subject.choose(processes).map(Cow::Owned))
}

/// The rows of a question about the tokens of the processes that the arguments leave of all: what `rows` finds in each,
/// where it also adds what it misses.
pub(super) fn of_tokens<R>(
    kernel: &Snapshot,
    arguments: &Arguments,
    found: &mut Processes,
    rows: impl Fn(&Arc<Holder>, &Token, &mut Vec<Incomplete>) -> Result<Vec<R>, Absent>,
) -> Result<Vec<R>, Error> {
    let Processes { processes, incomplete, .. } = found;
    let mut tokens = Tokens::default();
    let mut all = Vec::new();
    for process in &*chosen(arguments, processes)? {
        let token = process.token().and_then(|at| tokens.get(kernel, at.ok_or(Absent::NotApplicable)?));
        let holder = Arc::new(Holder::of(process));
        match token.and_then(|token| rows(&holder, &token, incomplete)) {
            Ok(more) => all.extend(more),
            // A process that is gone has no token left.
            Err(Absent::NotApplicable) => {}
            Err(why) => incomplete.push(Incomplete::new("token of a process", process.eprocess(), why)),
        }
    }
    Ok(all)
}
