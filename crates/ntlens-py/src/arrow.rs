//! Tables through the Arrow PyCapsule interface: what takes them takes them without a copy.

use crate::opened::Answer;
use arrow_array::RecordBatchIterator;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_schema::ArrowError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

/// A fault of ours, or no memory left.
fn exception(error: &ArrowError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

/// The capsule of `__arrow_c_schema__`.
pub(crate) fn schema<'py>(py: Python<'py>, answer: &Answer) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(ntlens::arrow::schema(&answer.table)).map_err(|error| exception(&error))?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}

/// The capsule of `__arrow_c_stream__`. The rows are made into columns once, whoever asks for them how often.
pub(crate) fn stream<'py>(py: Python<'py>, answer: &Answer) -> PyResult<Bound<'py, PyCapsule>> {
    let batch = py.detach(|| answer.batch()).map_err(|error| exception(&error))?;
    let schema = batch.schema();
    let stream = FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}
