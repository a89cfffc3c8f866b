//! Which processes a question is about, for all questions that offer `--pid` and `--all`.

use super::{Arguments, Form, Parameter};
use crate::absent::Absent;
use crate::error::Error;
use crate::nt::census::Of;
use crate::nt::process::Process;

/// The parameter for one process.
pub(super) const fn pid(about: &'static str) -> Parameter {
    Parameter { name: "pid", form: Form::Number("PID"), needed: false, about }
}

/// The parameter for all processes.
pub(super) const fn all(about: &'static str) -> Parameter {
    Parameter { name: "all", form: Form::Flag, needed: false, about }
}

/// The processes that the parameters mean.
pub(super) fn of(arguments: &Arguments) -> Of {
    match arguments.number("pid") {
        Some(pid) => Of::Process(pid),
        None if arguments.flag("all") => Of::All,
        None => Of::ActiveList,
    }
}

/// An error if the process that is meant is not among the known ones.
pub(super) fn known(of: Of, processes: &[Process]) -> Result<(), Error> {
    if matches!(of, Of::Process(_)) && !processes.iter().any(|process| of.includes(process)) {
        return Err(Error::Missing { what: "the process of this id", why: Absent::NotApplicable });
    }
    Ok(())
}
