//! `file.ptr`: a file of a symbol store that says where the symbols are.

use alloc::string::String;
use alloc::vec::Vec;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The file's name.
pub const POINTER: &str = "file.ptr";
/// A longer one is no path.
const MAX_BYTES: u64 = 4096;
/// As much of a message as is shown.
const MAX_MESSAGE: usize = 200;

/// What is in a `file.ptr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// `PATH:`, or a path alone.
    Path(String),
    /// `MSG:`, a text for people.
    Message(String),
}

/// Why a `file.ptr` is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// It is empty, long or no text.
    #[error("is no text of one line")]
    NotText,
    /// It says why there is no file.
    #[error("says: {0}")]
    Message(String),
    /// A URL, a relative path, a path of another system or a device.
    #[error("leads to {0:?}, which is no full path here")]
    NotAPath(String),
    /// It came from a server, which must not choose what is opened here.
    #[error("leads to {0:?}: a server's path is not followed")]
    FromServer(String),
}

impl Pointer {
    /// Reads the bytes of a `file.ptr`.
    pub fn parse(bytes: &[u8]) -> Result<Self, PointerError> {
        let text = core::str::from_utf8(bytes).map_err(|_| PointerError::NotText)?;
        let text = text.trim_start_matches('\u{feff}').trim_matches(['\r', '\n', ' ', '\0']);
        if text.is_empty() || bytes.len() as u64 > MAX_BYTES || text.chars().any(char::is_control) {
            return Err(PointerError::NotText);
        }
        let after = |prefix: &str| {
            let (head, tail) = text.split_at_checked(prefix.len())?;
            head.eq_ignore_ascii_case(prefix).then(|| tail.trim())
        };
        Ok(match (after("MSG:"), after("PATH:")) {
            (Some(message), _) => Self::Message(message.chars().take(MAX_MESSAGE).collect()),
            (None, path) => Self::Path(path.unwrap_or(text).into()),
        })
    }

    /// The file that a pointer of a folder's store leads to.
    fn local(self) -> Result<PathBuf, PointerError> {
        let path = match self {
            Self::Path(path) => path,
            Self::Message(text) => return Err(PointerError::Message(text)),
        };
        // `\\.\` and `\\?\` name devices. Elsewhere than on Windows a path with a drive or a share is relative.
        let device = path.starts_with(r"\\.\") || path.starts_with(r"\\?\") || path.contains("://");
        let full = Path::new(&path).is_absolute() && !device;
        if full { Ok(path.into()) } else { Err(PointerError::NotAPath(path)) }
    }
}

/// The file that a `file.ptr` on a disk leads to.
pub(super) fn target(pointer: &Path) -> io::Result<Result<PathBuf, PointerError>> {
    let mut bytes = Vec::new();
    File::open(pointer)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(Pointer::parse(&bytes).and_then(Pointer::local))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn both_kinds_are_read() {
        let path = |text: &str| Ok(Pointer::Path(text.into()));
        assert_eq!(Pointer::parse(b"PATH:\\\\server\\share\\x.pdb"), path("\\\\server\\share\\x.pdb"));
        assert_eq!(Pointer::parse(b"path: /a/x.pdb\r\n"), path("/a/x.pdb"));
        assert_eq!(Pointer::parse("\u{feff}/a/x.pdb\0".as_bytes()), path("/a/x.pdb"));
        assert_eq!(Pointer::parse(b"MSG: not here"), Ok(Pointer::Message("not here".into())));
    }

    #[test]
    fn odd_contents_are_refused() {
        for bytes in [&b""[..], b" \n", b"\xff\xfe", b"PATH:a\nPATH:b", b"PATH:/a\x1b[31m", &vec![b'a'; 5000]] {
            assert_eq!(Pointer::parse(bytes), Err(PointerError::NotText), "{bytes:?}");
        }
        for text in ["https://host/x.pdb", "file:///etc/passwd", "x.pdb", "../x.pdb", r"\\.\C:", r"\\?\GLOBALROOT\x"] {
            let refused = Pointer::parse(text.as_bytes()).and_then(Pointer::local);
            assert_eq!(refused, Err(PointerError::NotAPath(text.to_string())), "{text}");
        }
    }
}
