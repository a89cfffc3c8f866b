//! What the Python classes share: an open dump, and answers.

use crate::error::{self, IncompleteWarning, exception};
use crate::progress::{self, Shared};
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use ntlens::extract::{Extract, Of};
use ntlens::layout::Layouts;
use ntlens::names::Names;
use ntlens::nt::snapshot::Options;
use ntlens::report::{Arguments, Question, Table, Wanted};
use ntlens::text::visible;
use ntlens::{Incomplete, OpenDump, Symbols, render};
use pyo3::intern;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Things of one kind, such as those that are missing, of which a text tells; the table has all.
pub(crate) const TOLD: usize = 3;

/// An answer, as rows and, once somebody wants them, as columns.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) table: Table,
    batch: OnceLock<RecordBatch>,
}

impl Answer {
    pub(crate) fn new(table: Table) -> Arc<Self> {
        Arc::new(Self { table, batch: OnceLock::new() })
    }

    /// The columns.
    pub(crate) fn batch(&self) -> Result<RecordBatch, ArrowError> {
        if let Some(batch) = self.batch.get() {
            return Ok(batch.clone());
        }
        let made = ntlens::arrow::batch(&self.table)?;
        Ok(self.batch.get_or_init(|| made).clone())
    }
}

/// An open dump.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) dump: OpenDump,
    symbols: Arc<Symbols>,
    options: Options,
    strict: bool,
    progress: Option<Py<PyAny>>,
    names: OnceLock<Names>,
    types: OnceLock<Layouts>,
    /// Whole tables in which single rows are looked up.
    lookups: Mutex<BTreeMap<&'static str, Arc<Answer>>>,
}

impl Opened {
    pub(crate) fn new(
        dump: OpenDump,
        symbols: Arc<Symbols>,
        options: Options,
        strict: bool,
        progress: Option<Py<PyAny>>,
    ) -> Self {
        Self {
            dump,
            symbols,
            options,
            strict,
            progress,
            names: OnceLock::new(),
            types: OnceLock::new(),
            lookups: Mutex::default(),
        }
    }

    /// Does work on the dump.
    pub(crate) fn run<T: Send, E: Into<ntlens::Error> + Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&OpenDump) -> Result<T, E> + Send,
    ) -> PyResult<T> {
        let result = progress::run(py, self.progress.as_ref(), || work(&self.dump))?;
        result.map_err(|error| exception(py, error.into()))
    }

    /// Asks a question.
    pub(crate) fn ask(&self, py: Python<'_>, question: &dyn Question, arguments: &Arguments) -> PyResult<Arc<Answer>> {
        let table = self.run(py, |dump| question.ask_with(dump, arguments, Wanted::All, &Shared))?;
        self.answer(py, table)
    }

    /// Takes an answer, and tells if it misses something.
    pub(crate) fn answer(&self, py: Python<'_>, table: Table) -> PyResult<Arc<Answer>> {
        self.tell(py, &table.incomplete)?;
        Ok(Answer::new(table))
    }

    /// Warns of what is missing, or stops there.
    pub(crate) fn tell(&self, py: Python<'_>, incomplete: &[Incomplete]) -> PyResult<()> {
        let Some(text) = render::missing(incomplete, TOLD) else { return Ok(()) };
        if self.strict {
            return Err(error::incomplete(py, visible(&text), incomplete));
        }
        warn(py, &text)
    }

    /// Warns that there is no kernel to ask, or stops there.
    pub(crate) fn tell_of_kernel(&self, py: Python<'_>) -> PyResult<()> {
        match self.dump.kernel() {
            Err(error) if self.strict => Err(exception(py, error.into())),
            Err(error) => warn(py, &error.to_string()),
            Ok(_) => Ok(()),
        }
    }

    /// Writes a part of the dump to a new file, and tells what it lacks.
    pub(crate) fn extract(&self, py: Python<'_>, of: Of, path: PathBuf) -> PyResult<()> {
        let extract = self.run(py, |dump| Extract::new(dump, &*self.symbols, self.options, of))?;
        self.tell(py, extract.incomplete())?;
        self.run(py, move |_| {
            let failed = |error| ntlens::Error::Io { path: path.clone(), error };
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // A file beside it, put in its place when it is whole.
            let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
            extract.write(&mut BufWriter::new(&mut file))?;
            file.persist_noclobber(&path).map(drop).map_err(|error| failed(error.error))
        })
    }

    /// A whole table, asked once.
    pub(crate) fn lookup(&self, py: Python<'_>, question: &dyn Question) -> PyResult<Arc<Answer>> {
        let known = || self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known().get(question.name()) {
            return Ok(answer.clone());
        }
        // Asked without the lock: two threads may do it, and then have the same answer twice.
        let table = self.run(py, |dump| question.ask_spread(dump, Wanted::All, &Shared))?;
        // What was wrong when the dump was opened was told then.
        let told = self.dump.incomplete().len();
        self.tell(py, table.incomplete.get(told..).unwrap_or_default())?;
        Ok(known().entry(question.name()).or_insert(Answer::new(table)).clone())
    }

    /// Names and addresses.
    pub(crate) fn names(&self, py: Python<'_>) -> PyResult<&Names> {
        if let Some(names) = self.names.get() {
            return Ok(names);
        }
        let made = self.run(py, |dump| Names::of(dump, &self.symbols))?;
        Ok(self.names.get_or_init(|| made))
    }

    /// All types of the kernel.
    pub(crate) fn types(&self, py: Python<'_>) -> PyResult<&Layouts> {
        if let Some(types) = self.types.get() {
            return Ok(types);
        }
        let made = self.run(py, |dump| self.symbols.types(dump.kernel()?))?;
        Ok(self.types.get_or_init(|| made))
    }
}

/// A warning at the user's line.
fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    // Made visible, a NUL is none any more.
    let text = CString::new(visible(text)).unwrap_or_default();
    PyErr::warn(py, &py.get_type::<IncompleteWarning>(), &text, user_level(py).unwrap_or(1))
}

/// The level of the first function outside of this package, counted from the innermost one as warnings count.
fn user_level(py: Python<'_>) -> PyResult<i32> {
    let mut frame = py.import(intern!(py, "sys"))?.call_method0(intern!(py, "_getframe"))?;
    let mut level = 1;
    loop {
        let module = frame.getattr(intern!(py, "f_globals"))?.get_item(intern!(py, "__name__"));
        let module: String = module.and_then(|name| name.extract()).unwrap_or_default();
        let outer = frame.getattr(intern!(py, "f_back"))?;
        if module.split('.').next() != Some("ntlens") || outer.is_none() {
            return Ok(level);
        }
        (frame, level) = (outer, level + 1);
    }
}
