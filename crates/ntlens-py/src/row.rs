//! One row of an answer.

use crate::cell::to_python;
use crate::html;
use crate::opened::Answer;
use ntlens::render::cell_text;
use ntlens::report::{Cell, Table};
use ntlens::text::visible;
use pyo3::exceptions::{PyAttributeError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyIterator, PyList, PySet, PyTuple};
use std::fmt::Write;
use std::sync::Arc;

/// One row: a mapping of columns to values, which are attributes too. A value that is not there is None, and `absent`
/// says why.
#[pyclass(frozen, subclass, mapping, module = "ntlens")]
#[derive(Clone, Debug)]
pub(crate) struct Row {
    answer: Arc<Answer>,
    index: usize,
}

impl Row {
    pub(crate) fn new(answer: Arc<Answer>, index: usize) -> Self {
        Self { answer, index }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.answer.table
    }

    fn cells(&self) -> &[Cell] {
        self.table().rows.get(self.index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The cell of a column.
    pub(crate) fn cell(&self, column: &str) -> Option<&Cell> {
        let index = self.table().columns.iter().position(|heading| heading.name == column)?;
        self.cells().get(index)
    }

    fn names(&self) -> Vec<&'static str> {
        self.table().columns.iter().map(|column| column.name).collect()
    }
}

#[pymethods]
impl Row {
    /// Why values are missing, by column: `{"command_line": "paged-out"}`. A column that is None and not in here has
    /// simply no value.
    #[getter]
    fn absent<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let absent = PyDict::new(py);
        for (column, reason) in ntlens::arrow::absent(self.table(), self.cells()) {
            absent.set_item(column, reason)?;
        }
        Ok(absent)
    }

    /// The columns.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.names())
    }

    /// The values, in the order of the columns.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.cells().iter().map(|cell| to_python(py, cell)).collect::<PyResult<Vec<_>>>()?)
    }

    /// Pairs of a column and its value.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let pairs = self.table().columns.iter().zip(self.cells());
        let pairs = pairs.map(|(column, cell)| (column.name, to_python(py, cell)?).into_pyobject(py));
        PyList::new(py, pairs.collect::<PyResult<Vec<Bound<'_, PyTuple>>>>()?)
    }

    /// The value of a column, or the default if there is no such column.
    #[pyo3(signature = (column, default = None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        column: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.cell(column) {
            Some(cell) => to_python(py, cell),
            None => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }

    /// The row as a plain dict.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let row = PyDict::new(py);
        for (column, cell) in self.table().columns.iter().zip(self.cells()) {
            row.set_item(column.name, to_python(py, cell)?)?;
        }
        Ok(row)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, column: &str) -> PyResult<Bound<'py, PyAny>> {
        let cell = self.cell(column).ok_or_else(|| PyKeyError::new_err(column.to_owned()))?;
        to_python(py, cell)
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let cell = self.cell(name).ok_or_else(|| {
            PyAttributeError::new_err(format!("the table {} has no column '{name}'", self.table().name))
        })?;
        to_python(py, cell)
    }

    fn __dir__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let names = py.get_type::<pyo3::PyAny>().call_method1("__dir__", (slf,))?;
        PySet::new(py, slf.get().names())?.call_method1("union", (names,))
    }

    /// As mappings are equal: rows and dicts with the same columns and values.
    fn __eq__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(other) = other.cast::<Self>() {
            let other = other.get();
            let values = |row: &Self| row.cells().iter().map(|cell| cell.value().cloned()).collect::<Vec<_>>();
            let same = self.names() == other.names() && values(self) == values(other);
            return Ok(PyBool::new(py, same).to_owned().into_any());
        }
        match other.cast::<PyDict>() {
            Ok(other) => Ok(PyBool::new(py, self.to_dict(py)?.eq(other)?).to_owned().into_any()),
            Err(_) => Ok(py.NotImplemented().into_bound(py)),
        }
    }

    /// Equal rows begin with the same value.
    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.cells().first().map_or(Ok(0), |cell| to_python(py, cell)?.hash())
    }

    fn __len__(&self) -> usize {
        self.table().columns.len()
    }

    fn __contains__(&self, column: &Bound<'_, PyAny>) -> bool {
        column.extract::<&str>().is_ok_and(|column| self.cell(column).is_some())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.keys(py)?.try_iter()
    }

    /// In one line, the columns that a terminal would show.
    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (row, kind) = (slf.get(), slf.get_type().name()?);
        let mut text = format!("<{kind}");
        if kind == "Row" {
            text += " of ";
            text += row.table().name;
        }
        for shown in &row.table().screen {
            if let Some(cell) = row.cell(shown.column).filter(|cell| cell.value().is_some()) {
                let value = to_python(slf.py(), cell)?;
                // Writing to a string does not fail. Escaped by Python's own repr, and once more for what it lets through.
                let _ = write!(text, " {}={}", shown.column, visible(&value.repr()?.to_string()));
            }
        }
        Ok(text + ">")
    }

    /// From top to bottom, every column.
    fn __str__(&self) -> String {
        let width = self.names().iter().map(|name| name.len()).max().unwrap_or_default();
        let mut lines = Vec::new();
        for (column, cell) in self.table().columns.iter().zip(self.cells()) {
            lines.push(format!("{:width$}  {}", column.name, cell_text(cell)).trim_end().to_owned());
        }
        lines.join("\n")
    }

    fn _repr_html_(&self) -> String {
        html::record(self.table(), self.cells())
    }
}
