//! Where the bytes of a dump come from: a path, an object with a buffer, an object with `seek` and `read`.

use crate::progress::{self, Interruptible};
use ntlens::source::{ByteSource, ReadError};
use ntlens::{BlockCache, FileSource};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView, PySlice};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Bits of the size of a block of a file object, which may be far away: 64 KiB.
const BLOCK_BITS: u8 = 16;
/// Bits of the number of blocks that are kept: 64 MiB together, if as much is read.
const SLOT_BITS: u8 = 10;
/// The same for an object with a buffer, whose bytes are near: pages, 8 MiB together.
const PAGE_BITS: u8 = 12;
const PAGES_BITS: u8 = 11;

/// A source that Python gave, and what to call it.
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) source: Arc<dyn ByteSource>,
}

/// Takes whatever holds a dump.
pub(crate) fn given(object: &Bound<'_, PyAny>) -> PyResult<Given> {
    let py = object.py();
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(shared("bytes".into(), Bytes(bytes.clone().into())));
    }
    // A path is a text or has `__fspath__`; an open file has neither.
    if let Ok(path) = object.extract::<PathBuf>() {
        let name = path.to_string_lossy().into_owned();
        let file = py.detach(|| FileSource::open(&path)).map_err(|error| crate::error::exception(py, error))?;
        return Ok(shared(name, file));
    }
    if let Ok(view) = PyMemoryView::from(object) {
        let view = view.call_method1(intern!(py, "cast"), ("B",))?;
        let buffer = Buffer { len: view.len()? as u64, view: view.unbind() };
        let name = object.get_type().name()?.to_string();
        return Ok(shared(name, BlockCache::new(buffer, PAGE_BITS, PAGES_BITS)));
    }
    if object.hasattr(intern!(py, "read"))? && object.hasattr(intern!(py, "seek"))? {
        let view = py.import(intern!(py, "ntlens._archive"))?.call_method1(intern!(py, "seekable"), (object,))?;
        let file = FileObject::new(&view)?;
        let name = object.getattr(intern!(py, "name")).and_then(|name| name.extract::<String>());
        let name = name.or_else(|_| Ok::<_, PyErr>(object.get_type().name()?.to_string()))?;
        return Ok(shared(name, BlockCache::new(file, BLOCK_BITS, SLOT_BITS)));
    }
    let kind = object.get_type().name()?.to_string();
    let hint = if object.hasattr(intern!(py, "open"))? { ": give what its open returns" } else { "" };
    Err(PyTypeError::new_err(format!("a dump is a path, bytes, or a binary file with seek and read, not {kind}{hint}")))
}

/// Bytes that are ours already.
pub(crate) fn owned(name: &str, bytes: Vec<u8>) -> Given {
    shared(name.into(), bytes)
}

fn shared(name: String, source: impl ByteSource + 'static) -> Given {
    Given { name, source: Arc::new(Interruptible(source)) }
}

/// A `bytes`, which nobody changes: read in place and without the interpreter.
struct Bytes(PyBackedBytes);

impl ByteSource for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let bytes: &[u8] = &self.0;
        bytes.read_at(offset, out)
    }
}

/// Another object with a buffer, such as a `memoryview` or an `mmap`. Its owner may write to it and close it, so each read
/// goes through Python.
struct Buffer {
    view: Py<PyAny>,
    len: u64,
}

impl Buffer {
    fn read(view: &Bound<'_, PyAny>, offset: u64, end: u64, out: &mut [u8]) -> PyResult<bool> {
        let range = PySlice::new(view.py(), isize::try_from(offset)?, isize::try_from(end)?, 1);
        let piece = view.get_item(range)?.call_method0(intern!(view.py(), "tobytes"))?.cast_into::<PyBytes>()?;
        let whole = piece.as_bytes().len() == out.len();
        if whole {
            out.copy_from_slice(piece.as_bytes());
        }
        Ok(whole)
    }
}

impl ByteSource for Buffer {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        Python::attach(|py| given_by(Self::read(self.view.bind(py), offset, end, out), offset, end))
    }
}

/// What came of a read through Python. An exception ends the work that needed the bytes, and is what its caller sees.
fn given_by(read: PyResult<bool>, offset: u64, end: u64) -> Result<(), ReadError> {
    match read {
        Ok(true) => Ok(()),
        Ok(false) => Err(ReadError::PastEnd { offset, end }),
        Err(error) => {
            let message = error.to_string();
            progress::fail(error);
            Err(ReadError::Failed { offset, message })
        }
    }
}

/// A file object. It has one position, so its reads take turns.
struct FileObject {
    file: Mutex<Py<PyAny>>,
    len: u64,
}

impl FileObject {
    fn new(file: &Bound<'_, PyAny>) -> PyResult<Self> {
        let len = file.call_method1(intern!(file.py(), "seek"), (0, 2))?.extract()?;
        Ok(Self { file: Mutex::new(file.clone().unbind()), len })
    }

    /// Reads until there is enough: a `read` may give less than it was asked for.
    fn read(file: &Bound<'_, PyAny>, offset: u64, out: &mut [u8]) -> PyResult<bool> {
        let py = file.py();
        file.call_method1(intern!(py, "seek"), (offset,))?;
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let piece = file.call_method1(intern!(py, "read"), (rest.len(),))?;
            let piece = piece.cast_into::<PyBytes>().map_err(|_| {
                PyTypeError::new_err("read() of the dump gave no bytes: the file must be opened in binary mode")
            })?;
            let bytes = piece.as_bytes();
            let (Some(rest), false) = (rest.get_mut(..bytes.len()), bytes.is_empty()) else { return Ok(false) };
            rest.copy_from_slice(bytes);
            done += bytes.len();
        }
        Ok(true)
    }
}

impl ByteSource for FileObject {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        // Taken before the interpreter: a thread that waits for the file must not hold up the one that reads it.
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        Python::attach(|py| given_by(Self::read(file.bind(py), offset, out), offset, end))
    }
}
