//! Text of several lines that shows itself as it is.

use crate::html;
use pyo3::prelude::*;

/// What `dt` prints: lines of text, shown as they are by `print`, at a prompt and in a notebook.
#[pyclass(frozen, module = "ntlens", str)]
#[derive(Debug)]
pub(crate) struct Listing(pub(crate) String);

impl std::fmt::Display for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.trim_end_matches('\n'))
    }
}

#[pymethods]
impl Listing {
    /// The lines.
    #[getter]
    fn lines(&self) -> Vec<&str> {
        self.0.lines().collect()
    }

    fn __repr__(&self) -> String {
        self.to_string()
    }

    fn _repr_html_(&self) -> String {
        format!("<pre>{}</pre>", html::escaped(&self.0))
    }
}
