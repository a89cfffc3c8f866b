//! Rust errors as Python exceptions. Nothing else in this crate maps one.

use crate::table;
use ntlens::{Absent, CoreError, Incomplete};
use pyo3::exceptions::{PyException, PyIsADirectoryError, PyOSError, PyUserWarning};
use pyo3::prelude::*;
use pyo3::{create_exception, intern};

create_exception!(ntlens, Error, PyException, "What ntlens could not do. The classes below it say which part failed.");
create_exception!(ntlens, DumpError, Error, "The file is no dump that can be read, or no Windows kernel is in it.");
create_exception!(ntlens, NoLayoutError, Error, "No layout fits the dump's kernel: symbols of it are needed.");
create_exception!(
    ntlens,
    SymbolsError,
    Error,
    "Symbols that were given cannot be used, or do not tell what was asked."
);
create_exception!(
    ntlens,
    NotInDumpError,
    Error,
    "The dump does not hold what was asked for. `reason` is one word of the output contract, such as `paged-out`, or None."
);
create_exception!(
    ntlens,
    IncompleteError,
    Error,
    "An answer misses something, and the dump was opened with strict=True. `incomplete` lists it as a table does."
);
create_exception!(
    ntlens,
    IncompleteWarning,
    PyUserWarning,
    "An answer misses something; the table's `incomplete` lists all of it."
);

/// The exception of an error.
pub(crate) fn exception(py: Python<'_>, error: ntlens::Error) -> PyErr {
    let text = error.to_string();
    match error {
        ntlens::Error::Io { path, error } => io(py, &path, &error),
        ntlens::Error::NotAFile { path, .. } if path.is_dir() => PyIsADirectoryError::new_err(text),
        ntlens::Error::NotAFile { .. } => PyOSError::new_err(text),
        ntlens::Error::Dump { error, .. } | ntlens::Error::Core(error) => of_core(py, &error, text),
        ntlens::Error::Pack(_) => SymbolsError::new_err(text),
        ntlens::Error::Write(error) => error.into(),
        _ => Error::new_err(text),
    }
}

fn of_core(py: Python<'_>, error: &CoreError, text: String) -> PyErr {
    match error {
        CoreError::NoLayout { .. } => NoLayoutError::new_err(text),
        CoreError::OtherSymbols(_) | CoreError::LayoutSource { .. } => SymbolsError::new_err(text),
        CoreError::Missing { why, .. } => not_in_dump(py, text, Some(*why)),
        CoreError::NotFound { .. } => not_in_dump(py, text, Some(Absent::NotApplicable)),
        CoreError::NotInKind { .. } => not_in_dump(py, text, None),
        _ => DumpError::new_err(text),
    }
}

/// An answer that misses something, where that is an error.
pub(crate) fn incomplete(py: Python<'_>, text: String, missing: &[Incomplete]) -> PyErr {
    let error = IncompleteError::new_err(text);
    let told = table::incomplete(py, missing).and_then(|list| error.value(py).setattr(intern!(py, "incomplete"), list));
    told.err().unwrap_or(error)
}

/// What the dump does not hold.
pub(crate) fn not_in_dump(py: Python<'_>, text: String, why: Option<Absent>) -> PyErr {
    let error = NotInDumpError::new_err(text);
    match error.value(py).setattr(intern!(py, "reason"), why.map(Absent::reason)) {
        Ok(()) => error,
        Err(other) => other,
    }
}

/// The system's error as Python's own `open` raises it: with the number, from which Python chooses the class.
fn io(py: Python<'_>, path: &std::path::Path, error: &std::io::Error) -> PyErr {
    let message = error.to_string();
    let message = message.split(" (os error").next().unwrap_or_default().to_owned();
    let made = match error.raw_os_error() {
        Some(number) => py.get_type::<PyOSError>().call1((number, message, path.as_os_str())),
        None => py.get_type::<PyOSError>().call1((format!("{}: {message}", path.display()),)),
    };
    made.map_or_else(|error| error, PyErr::from_value)
}
