//! Values of cells as Python objects.

use ntlens::render::real;
use ntlens::report::{Cell, Text, Value};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDelta, PyTzInfo};

/// The value, or None: whole numbers for addresses too, UTC for times, seconds for spans of time.
pub(crate) fn to_python<'py>(py: Python<'py>, cell: &Cell) -> PyResult<Bound<'py, PyAny>> {
    let Some(value) = cell.value() else { return Ok(py.None().into_bound(py)) };
    match value {
        Value::Bool(value) => value.into_bound_py_any(py),
        Value::Uint(value) | Value::Code(value) | Value::Address(value) => value.into_bound_py_any(py),
        Value::Time(time) => match time.unix_nanoseconds() {
            Some(nanoseconds) => moment(py, nanoseconds),
            None => Ok(py.None().into_bound(py)),
        },
        Value::Text(text) => text.as_str().into_bound_py_any(py),
        Value::List(texts) => texts.iter().map(Text::as_str).collect::<Vec<_>>().into_bound_py_any(py),
        Value::Numbers(values) | Value::Addresses(values) => values.into_bound_py_any(py),
        other => real(other).into_bound_py_any(py),
    }
}

/// A `datetime`, which ends at microseconds.
fn moment(py: Python<'_>, nanoseconds: i64) -> PyResult<Bound<'_, PyAny>> {
    const DAY: i64 = 86_400_000_000;
    let microseconds = nanoseconds.div_euclid(1000);
    let (days, rest) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
    let small = |value: i64| i32::try_from(value).unwrap_or_default();
    let since = PyDelta::new(py, small(days), small(rest / 1_000_000), small(rest % 1_000_000), false)?;
    let utc = PyTzInfo::utc(py)?.to_owned();
    PyDateTime::new(py, 1970, 1, 1, 0, 0, 0, 0, Some(&utc))?.add(since)
}
