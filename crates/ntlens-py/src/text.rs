//! Text from dumps for what Python draws by itself.

use pyo3::prelude::*;

/// A text as every output of the library shows it: characters that steer a terminal, break a line or change the direction
/// of writing as `\u{..}`.
#[pyfunction]
pub(crate) fn visible(text: &str) -> String {
    ntlens::text::visible(text)
}
