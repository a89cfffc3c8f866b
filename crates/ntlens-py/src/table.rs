//! An answer as a table.

use crate::arrow;
use crate::cell::to_python;
use crate::html;
use crate::opened::{Answer, Opened, TOLD};
use crate::process::Process;
use crate::row::Row;
use ntlens::incomplete::Place;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::{Cell, Table as Rows};
use ntlens::text::visible;
use pyo3::exceptions::{PyImportError, PyIndexError, PyKeyError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PySlice};
use std::sync::Arc;

/// An answer: rows and columns, and what it could not take into account.
///
/// It is an Arrow stream (`__arrow_c_stream__`), which pyarrow, polars, pandas and DuckDB read without a copy; a
/// sequence of rows; and a mapping of columns to lists of values.
#[pyclass(frozen, module = "ntlens")]
#[derive(Debug)]
pub(crate) struct Table {
    answer: Arc<Answer>,
    /// What it was asked of; processes can be asked further.
    of: Option<Arc<Opened>>,
}

impl Table {
    pub(crate) fn new(answer: Arc<Answer>, of: Option<Arc<Opened>>) -> Self {
        Self { answer, of }
    }

    fn table(&self) -> &Rows {
        &self.answer.table
    }

    /// The same table with other rows.
    fn with(&self, rows: Vec<Vec<Cell>>) -> Self {
        let Rows { name, record, ref columns, ref screen, ref incomplete, ref remarks, .. } = *self.table();
        let (columns, screen) = (columns.clone(), screen.clone());
        let (incomplete, remarks) = (incomplete.clone(), remarks.clone());
        let table = Rows { name, columns, screen, record, outline: None, rows, incomplete, remarks };
        Self { answer: Answer::new(table), of: self.of.clone() }
    }

    fn row<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let row = Row::new(self.answer.clone(), index);
        match &self.of {
            Some(of) if self.table().name == Process::TABLE => Process::new(py, row, of.clone()).map(Bound::into_any),
            _ => Ok(Bound::new(py, row)?.into_any()),
        }
    }

    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let index = self.table().columns.iter().position(|column| column.name == name);
        let index = index.ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        let cells = self.table().rows.iter().filter_map(|row| row.get(index));
        let values = cells.map(|cell| to_python(py, cell)).collect::<PyResult<Vec<_>>>()?;
        Ok(PyList::new(py, values)?.into_any())
    }

    /// The text of a terminal: of a long table the first and the last rows.
    fn text(&self, width: Option<u16>) -> PyResult<String> {
        let table = self.table();
        let (first, last) = html::shown(table.rows.len());
        let (head, cut) = (first.len(), !last.is_empty());
        let rows = [first, last].into_iter().filter_map(|range| table.rows.get(range)).flatten().cloned().collect();
        let mut out = Vec::new();
        let failed = |error: ntlens::Error| PyRuntimeError::new_err(error.to_string());
        let terminal = Terminal { width, color: false };
        let part = self.with(rows);
        let hidden = render::write(&mut out, Format::Table, None, part.table(), terminal).map_err(failed)?;
        let text = String::from_utf8_lossy(&out);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if cut {
            // Behind the headings and the first rows, which take a line each.
            lines.insert((head + 1).min(lines.len()), " ...".into());
        }
        if !hidden.is_empty() {
            lines.push(format!("(no room for {})", hidden.join(", ")));
        }
        let (told, rest) = table.remarks.split_at(table.remarks.len().min(TOLD));
        lines.extend(told.iter().map(|remark| format!("note: {}", visible(remark))));
        if !rest.is_empty() {
            lines.push(format!("note: {} more in remarks", rest.len()));
        }
        lines.push(format!("[{}]", html::summary(table)));
        Ok(lines.join("\n"))
    }
}

/// Imports what a method needs and the package does not.
fn library<'py>(py: Python<'py>, name: &str, extra: &str) -> PyResult<Bound<'py, PyModule>> {
    py.import(name).map_err(|error| {
        if !error.is_instance_of::<PyImportError>(py) {
            return error;
        }
        let hint = PyImportError::new_err(format!("this needs {name}: pip install ntlens[{extra}]"));
        hint.set_cause(py, Some(error));
        hint
    })
}

#[pymethods]
impl Table {
    /// The table's name.
    #[getter]
    fn name(&self) -> &'static str {
        self.table().name
    }

    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<&'static str> {
        self.table().columns.iter().map(|column| column.name).collect()
    }

    /// What each column means, with its unit.
    #[getter]
    fn about<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let about = PyDict::new(py);
        for column in &self.table().columns {
            about.set_item(column.name, column.about)?;
        }
        Ok(about)
    }

    /// What the answer could not take into account: dicts of `what`, `where`, `reason` and `count`; of `file_offset` or
    /// `address`, if it has a place; of `structure`, `field`, `found` and `expected`, if a field is to blame.
    #[getter]
    fn incomplete<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        incomplete(py, &self.table().incomplete)
    }

    /// What a reader should not miss in the rows.
    #[getter]
    fn remarks(&self) -> Vec<String> {
        self.table().remarks.clone()
    }

    /// The rows as plain dicts. Times end at microseconds there; Arrow has all of their digits.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let row = |index| Row::new(self.answer.clone(), index).to_dict(py);
        PyList::new(py, (0..self.table().rows.len()).map(row).collect::<PyResult<Vec<_>>>()?)
    }

    /// A `pyarrow.Table`.
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        library(slf.py(), "pyarrow", "arrow")?.call_method1("table", (slf,))
    }

    /// A `pandas.DataFrame` with Arrow's own types: a whole number that is missing makes no float of the others.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let mapper = library(py, "pandas", "pandas")?.getattr("ArrowDtype")?;
        let options = PyDict::new(py);
        options.set_item("types_mapper", mapper)?;
        library(py, "pyarrow", "pandas")?.call_method1("table", (slf,))?.call_method("to_pandas", (), Some(&options))
    }

    /// A `polars.DataFrame`.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        library(slf.py(), "polars", "polars")?.call_method1("DataFrame", (slf,))
    }

    /// The Arrow schema, as a PyCapsule.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::schema(py, &self.answer)
    }

    /// The rows as an Arrow stream, as a PyCapsule. Types are those of the output contract, whatever is requested.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The protocol leaves it to the producer whether it converts.
        let _ = requested_schema;
        arrow::stream(py, &self.answer)
    }

    fn __len__(&self) -> usize {
        self.table().rows.len()
    }

    /// A row by its number, some rows by a slice, a column by its name.
    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(name) = key.extract::<&str>() {
            return self.column(py, name);
        }
        let rows = &self.table().rows;
        let count = isize::try_from(rows.len()).unwrap_or(isize::MAX);
        if let Ok(slice) = key.cast::<PySlice>() {
            let part = slice.indices(count)?;
            let places = (0..part.slicelength).map(|step| part.start + isize::try_from(step).unwrap_or(0) * part.step);
            let picked = places.filter_map(|place| rows.get(usize::try_from(place).ok()?).cloned());
            return Ok(Bound::new(py, self.with(picked.collect()))?.into_any());
        }
        let index = key.extract::<isize>()?;
        let place = usize::try_from(if index < 0 { index.saturating_add(count) } else { index }).ok();
        let place = place.filter(|place| *place < rows.len());
        self.row(py, place.ok_or_else(|| PyIndexError::new_err("the table has no such row"))?)
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Ok(Bound::new(slf.py(), TableRows { table: slf.clone().unbind(), next: 0.into() })?.into_any())
    }

    /// As a terminal shows it; of a long table the first and the last rows.
    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let columns = slf.py().import("shutil")?.call_method0("get_terminal_size")?.getattr("columns")?;
        slf.get().text(columns.extract().ok())
    }

    fn _repr_html_(&self) -> String {
        html::table(self.table())
    }
}

/// The rows of a table, one after the other.
#[pyclass(frozen, module = "ntlens")]
#[derive(Debug)]
struct TableRows {
    table: Py<Table>,
    next: std::sync::atomic::AtomicUsize,
}

#[pymethods]
impl TableRows {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let table = self.table.get();
        let index = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if index < table.table().rows.len() { table.row(py, index).map(Some) } else { Ok(None) }
    }
}

/// Things that are missing, as dicts with the members that they have in JSON.
pub(crate) fn incomplete<'py>(py: Python<'py>, missing: &[ntlens::Incomplete]) -> PyResult<Bound<'py, PyList>> {
    let dict = |missing: &ntlens::Incomplete| {
        let about = PyDict::new(py);
        about.set_item(intern!(py, "what"), &missing.what)?;
        about.set_item(intern!(py, "where"), missing.place.to_string())?;
        about.set_item(intern!(py, "reason"), missing.reason)?;
        about.set_item(intern!(py, "count"), missing.count)?;
        let (offset, at) = match missing.place {
            Place::File(offset) => (Some(offset), None),
            Place::Virtual(at) => (None, Some(at.0)),
            Place::Physical(at) => (None, Some(at.0)),
            _ => (None, None),
        };
        about.set_item(intern!(py, "file_offset"), offset)?;
        about.set_item(intern!(py, "address"), at)?;
        let wrong = missing.wrong.as_deref();
        about.set_item(intern!(py, "structure"), wrong.map(|wrong| &*wrong.structure))?;
        about.set_item(intern!(py, "field"), wrong.map(|wrong| &*wrong.field))?;
        about.set_item(intern!(py, "found"), wrong.map(|wrong| &wrong.found))?;
        about.set_item(intern!(py, "expected"), wrong.map(|wrong| &wrong.expected))?;
        Ok(about)
    };
    PyList::new(py, missing.iter().map(dict).collect::<PyResult<Vec<_>>>()?)
}
