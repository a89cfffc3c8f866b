//! Where to look for the symbols of an image: files that the user names, folders, symbol stores and servers.
//!
//! [`SymbolPath::parse`] reads what debuggers keep in `_NT_SYMBOL_PATH`, [`SymbolPath::push`] takes what a user typed, and
//! [`SymbolPath::find`] looks for the symbols of one image. The GUID and age inside a file decide, never its name.
//!
//! Nothing is written and nobody is asked: servers are asked by a [`Fetch`] that the caller brings.
//!
//! ```
//! use ntlens_symbols::path::{Part, Place, SymbolPath};
//!
//! let path = SymbolPath::parse(r"srv*C:\symbols*https://symbols.example;D:\mine");
//! let stores = vec![Place::Folder(r"C:\symbols".into()), Place::Server("https://symbols.example".into())];
//! assert_eq!(path.parts(), [Part::Stores(stores), Part::Folder(r"D:\mine".into())]);
//! ```

mod fetch;
mod folder;
mod name;
mod parse;
mod pointer;
mod search;
mod store;
#[cfg(test)]
mod tests;

pub use fetch::{Fetch, Wanted};
pub use name::{FileName, NameError};
pub use parse::OddPart;
pub use pointer::{POINTER, Pointer, PointerError};
pub use search::{Found, How, Outcome, Search, Skipped, Tried};

use crate::SymbolError;
use crate::file::{self, Identity};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ntlens_core::layout::PdbId;
use std::fs;
use std::path::{Path, PathBuf};

/// Microsoft's public symbol server.
pub const DEFAULT_SERVER: &str = "https://msdl.microsoft.com/download/symbols";

/// Places that may have symbols, in the order in which they are searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolPath {
    parts: Vec<Part>,
    default_cache: Option<PathBuf>,
}

/// A part of a symbol path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// One symbol file.
    File(PathBuf),
    /// A folder of symbol files, a symbol store, or both.
    Folder(PathBuf),
    /// `cache*FOLDER`: a store that takes what the servers of later parts have.
    Cache(Place),
    /// `srv*...`: stores one after the other; a server's symbols go into the folder before it.
    Stores(Vec<Place>),
    /// What is not understood.
    Odd {
        /// The part.
        text: String,
        /// What is wrong with it.
        why: OddPart,
    },
}

/// A store of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// The folder for downloads: see [`SymbolPath::set_default_cache`].
    DefaultCache,
    /// A server's URL, `http` or `https`.
    Server(String),
}

impl SymbolPath {
    /// An empty path.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the text form: parts with `;` between them, each a folder, `srv*FOLDER*URL`, `symsrv*symsrv.dll*...` or
    /// `cache*FOLDER`. What is not understood becomes [`Part::Odd`].
    pub fn parse(text: &str) -> Self {
        let mut path = Self::new();
        path.extend(text);
        path
    }

    /// Appends the parts of a text.
    pub fn extend(&mut self, text: &str) {
        self.parts.append(&mut parse::parts(text));
    }

    /// Appends what a user named: a file, a folder of such files or a symbol store, as the disk says; or, if there is no
    /// such file, the text form of a path. Something else is an error.
    pub fn push(&mut self, path: impl AsRef<Path>) -> Result<(), SymbolError> {
        let path = path.as_ref();
        let text = path.to_str().filter(|text| text.contains(['*', ';']));
        match (fs::metadata(path), text) {
            (Ok(metadata), _) if metadata.is_file() => self.parts.push(Part::File(path.into())),
            (Ok(metadata), _) if metadata.is_dir() => self.parts.push(Part::Folder(path.into())),
            (Ok(_), _) => return Err(SymbolError::NotAFile { path: path.into() }),
            (Err(_), Some(text)) => self.extend(text),
            (Err(error), None) => return Err(SymbolError::Io { path: path.into(), message: error.to_string() }),
        }
        Ok(())
    }

    /// Sets the folder that `srv*` and `cache*` mean where they name none.
    pub fn set_default_cache(&mut self, folder: impl Into<PathBuf>) {
        self.default_cache = Some(folder.into());
    }

    /// The parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The servers that may be asked, in order.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        let chains =
            self.parts.iter().filter_map(|part| if let Part::Stores(chain) = part { Some(chain) } else { None });
        chains.flatten().filter_map(|place| if let Place::Server(url) = place { Some(url.as_str()) } else { None })
    }

    /// The files that were given one by one, and which symbols they are of.
    pub fn given_files(&self) -> Vec<(&Path, Result<Identity, SymbolError>)> {
        let files = self.parts.iter().filter_map(|part| if let Part::File(path) = part { Some(path) } else { None });
        files.map(|path| (path.as_path(), search::regular(path).and_then(|()| file::identify(path)))).collect()
    }

    /// Looks for the symbols of an image. Without `fetch`, servers are not asked.
    ///
    /// The name is that of the image's `CodeView` record. It is not believed: if it is no plain file name, nothing is
    /// looked up by it.
    pub fn find(&self, pdb_name: &str, id: PdbId, fetch: Option<&dyn Fetch>) -> Search {
        search::find(self, pdb_name, id, fetch, &search::Content)
    }
}
