//! A process that can be asked further.

use crate::cell::to_python;
use crate::error::not_in_dump;
use crate::opened::{Answer, Opened};
use crate::questions;
use crate::row::Row;
use crate::table::Table;
use ntlens::Absent;
use ntlens::report::subject::Subject;
use ntlens::report::{Argument, Arguments, Cell, Table as Rows, Value};
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

/// A process: a row of the table `processes`, whose columns are its attributes, and what belongs to it.
#[pyclass(frozen, extends = Row, mapping, module = "ntlens")]
#[derive(Debug)]
pub(crate) struct Process {
    of: Arc<Opened>,
}

/// The parameter, and the column, that says which process is meant.
const PID: &str = "pid";

impl Process {
    /// The table whose rows are processes.
    pub(crate) const TABLE: &'static str = "processes";

    pub(crate) fn new(py: Python<'_>, row: Row, of: Arc<Opened>) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, PyClassInitializer::from(row).add_subclass(Self { of }))
    }

    /// The process with an id: the first, where an ended one has the same.
    pub(crate) fn find<'py>(py: Python<'py>, of: &Arc<Opened>, pid: u64) -> PyResult<Bound<'py, Self>> {
        let processes = of.lookup(py, questions::question(Self::TABLE)?)?;
        let index = place(&processes.table, PID, |value| *value == Value::Uint(pid));
        let index = index.ok_or_else(|| {
            not_in_dump(py, format!("no {} in the dump", Subject::Pid(pid)), Some(Absent::NotApplicable))
        })?;
        Self::new(py, Row::new(processes, index), of.clone())
    }
}

/// The first row with a value in a column.
fn place(table: &Rows, column: &str, is: impl Fn(&Value) -> bool) -> Option<usize> {
    let column = table.columns.iter().position(|heading| heading.name == column)?;
    table.rows.iter().position(|row| row.get(column).and_then(Cell::value).is_some_and(&is))
}

/// What an address in a column leads to: the row of another table. Where the library has no such table, the address.
fn relation<'py>(slf: &Bound<'py, Process>, column: &str, table: &str, key: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let row = slf.as_super().get();
    let cell = row.cell(column).ok_or_else(|| PyAttributeError::new_err(format!("processes have no {column}")))?;
    let (Some(value), Ok(question)) = (cell.value(), questions::question(table)) else { return to_python(py, cell) };
    let answer = slf.get().of.lookup(py, question)?;
    match place(&answer.table, key, |held| held == value) {
        Some(index) => Ok(Bound::new(py, Row::new(answer, index))?.into_any()),
        None => Ok(py.None().into_bound(py)),
    }
}

#[pymethods]
impl Process {
    /// Its primary token, a row of the table `tokens`; None if it has none or `absent["token"]` says why.
    #[getter]
    fn token<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        relation(slf, "token", "tokens", "token")
    }

    /// Its innermost job, a row of the table `jobs`; None if it is in none or `absent["job"]` says why.
    #[getter]
    fn job<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        relation(slf, "job", "jobs", "job")
    }

    /// The container it runs in, a row of the table `silos`; None if it is in none or `absent["silo"]` says why.
    #[getter]
    fn silo<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        relation(slf, "silo", "silos", "job")
    }

    /// Bytes of its address space; see `Dump.read_virtual`.
    fn read_virtual<'py>(slf: &Bound<'py, Self>, address: u64, length: usize) -> PyResult<Bound<'py, PyBytes>> {
        crate::dump::read_virtual(slf.py(), &slf.get().of, address, length, Some(pid(slf)?))
    }

    /// Asks a question about this process alone: what the methods of the questions' names do.
    fn _ask(slf: &Bound<'_, Self>, question: &str) -> PyResult<Table> {
        let (py, of, pid) = (slf.py(), &slf.get().of, pid(slf)?);
        let question = questions::question(question)?;
        let narrows = question.parameters().iter().find(|parameter| parameter.name == PID);
        let arguments = narrows.map(|parameter| Arguments::default().with(parameter.name, Argument::Number(pid)));
        let mut answer = of.ask(py, question, &arguments.clone().unwrap_or_default())?;
        if arguments.is_none() {
            let mut table = answer.table.clone();
            let column = table.columns.iter().position(|heading| heading.name == PID);
            let is = |row: &Vec<Cell>| column.and_then(|column| row.get(column)?.value()) == Some(&Value::Uint(pid));
            table.rows.retain(is);
            answer = Answer::new(table);
        }
        Ok(Table::new(answer, Some(of.clone())))
    }
}

/// The id, which a damaged process may not have.
fn pid(process: &Bound<'_, Process>) -> PyResult<u64> {
    match process.as_super().get().cell(PID) {
        Some(Cell::Value(Value::Uint(pid))) => Ok(*pid),
        cell => Err(not_in_dump(process.py(), "the id of the process".into(), cell.and_then(Cell::absent))),
    }
}
