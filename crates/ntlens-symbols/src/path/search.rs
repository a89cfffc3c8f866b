//! Goes through the places of a path.

use super::folder::{self, Hint};
use super::pointer::{self, POINTER};
use super::{Fetch, FileName, NameError, OddPart, Part, Place, SymbolPath, Wanted, store};
use crate::file::{self, Identity};
use crate::{SymbolError, SymbolTable};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use ntlens_core::layout::PdbId;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of one folder that are opened, at most: each may be a compressed table that must be unpacked to know it.
const MAX_IDENTIFIED: usize = 1000;

/// What a search found, and where it looked.
#[derive(Clone, Debug)]
pub struct Search {
    /// The symbols, if they are anywhere.
    pub found: Option<Found>,
    /// Each place in the order of the search, which ends where the symbols are.
    pub tried: Vec<Tried>,
}

/// Symbols that were found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The types and symbols.
    pub table: SymbolTable,
    /// The file.
    pub path: PathBuf,
    /// What led to it.
    pub how: How,
}

/// What led to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// It was given.
    Given,
    /// It is in a folder, under any name.
    Folder,
    /// It is in a store, under the name and index of the symbols.
    Store,
    /// A server was asked.
    Server(String),
}

/// A place and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// A file, a folder, a URL or the text of a part.
    pub place: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of looking in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The symbols are there.
    Found,
    /// There are none for this image.
    Nothing,
    /// There are symbols, but none for this image.
    Others {
        /// How many files were of other symbols.
        files: usize,
        /// Whether the folder has more files than were looked at.
        cut: bool,
    },
    /// Something should be there and cannot be used.
    Failed(SymbolError),
    /// It was not looked at.
    Skipped(Skipped),
}

/// Why a place was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Skipped {
    /// The dump's name for the file must not become a path.
    #[error("not looked up by name: {0}")]
    Name(#[from] NameError),
    /// There is no [`Fetch`].
    #[error("not asked: downloads are off")]
    DownloadsOff,
    /// A server without a folder for what it has.
    #[error("not asked: no folder is known for downloads")]
    NoCache,
    /// `srv*` or `cache*` without a folder, and there is no default.
    #[error("no default folder for downloads is known")]
    NoDefaultCache,
    /// The part is not understood.
    #[error("not understood: {0}")]
    Odd(#[from] OddPart),
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.outcome {
            Outcome::Found => write!(f, "{place}: found"),
            Outcome::Nothing => write!(f, "{place}: nothing"),
            Outcome::Others { files, cut } => {
                let rest = if *cut { ", and more that were not looked at" } else { "" };
                write!(f, "{place}: none of {files} symbol files is for this image{rest}")
            }
            // It names the place.
            Outcome::Failed(error) => error.fmt(f),
            Outcome::Skipped(why) => write!(f, "{place}: {why}"),
        }
    }
}

/// How files are read: by their content, but in tests of the search.
pub(super) trait Reader {
    fn identify(&self, path: &Path) -> Result<Identity, SymbolError>;
    fn read(&self, path: &Path) -> Result<SymbolTable, SymbolError>;
}

/// Files as they are.
pub(super) struct Content;

impl Reader for Content {
    fn identify(&self, path: &Path) -> Result<Identity, SymbolError> {
        file::identify(path)
    }

    fn read(&self, path: &Path) -> Result<SymbolTable, SymbolError> {
        file::read(path)
    }
}

/// Refuses what is no regular file: to open a pipe waits for a writer, to read a device may never end.
pub(super) fn regular(path: &Path) -> Result<(), SymbolError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(SymbolError::NotAFile { path: path.into() }),
        Err(error) => Err(SymbolError::Io { path: path.into(), message: error.to_string() }),
    }
}

pub(super) fn find(
    path: &SymbolPath,
    pdb_name: &str,
    id: PdbId,
    fetch: Option<&dyn Fetch>,
    reader: &dyn Reader,
) -> Search {
    let mut finder = Finder { id, name: FileName::new(pdb_name), fetch, reader, cache: None, tried: Vec::new() };
    let default = path.default_cache.as_deref();
    let found = path.parts.iter().find_map(|part| finder.part(part, default));
    Search { found, tried: finder.tried }
}

/// A search on its way.
struct Finder<'a> {
    id: PdbId,
    name: Result<FileName, NameError>,
    fetch: Option<&'a dyn Fetch>,
    reader: &'a dyn Reader,
    /// The folder of the last `cache*`.
    cache: Option<PathBuf>,
    tried: Vec<Tried>,
}

impl Finder<'_> {
    fn part(&mut self, part: &Part, default: Option<&Path>) -> Option<Found> {
        match part {
            Part::File(path) => self.file(path, How::Given),
            Part::Folder(path) => self.store(path).or_else(|| self.folder(path)),
            Part::Cache(place) => {
                self.cache = self.place(place, default);
                self.cache.clone().and_then(|folder| self.place_of_store(&folder))
            }
            Part::Stores(chain) => {
                let mut cache = self.cache.clone();
                for place in chain {
                    let found = if let Place::Server(url) = place {
                        self.server(url, cache.as_deref().or(default))
                    } else if let Some(folder) = self.place(place, default) {
                        cache = Some(folder.clone());
                        self.place_of_store(&folder)
                    } else {
                        None
                    };
                    if found.is_some() {
                        return found;
                    }
                }
                None
            }
            Part::Odd { text, why } => self.none(text, Outcome::Skipped(Skipped::Odd(*why))),
        }
    }

    /// Remembers what came of a place that has nothing.
    fn none<T>(&mut self, place: impl fmt::Display, outcome: Outcome) -> Option<T> {
        self.tried.push(Tried { place: place.to_string(), outcome });
        None
    }

    fn place(&mut self, place: &Place, default: Option<&Path>) -> Option<PathBuf> {
        match (place, default) {
            (Place::Folder(folder), _) => Some(folder.clone()),
            (Place::DefaultCache, Some(folder)) => Some(folder.into()),
            _ => self.none("the default cache", Outcome::Skipped(Skipped::NoDefaultCache)),
        }
    }

    /// A store that is nothing else: it is not searched for files with other names.
    fn place_of_store(&mut self, root: &Path) -> Option<Found> {
        let before = self.tried.len();
        let found = self.store(root);
        if self.tried.len() == before { self.none(root.display(), Outcome::Nothing) } else { found }
    }

    /// What a store has under the name and index.
    fn store(&mut self, root: &Path) -> Option<Found> {
        let name = match &self.name {
            Ok(name) => name.clone(),
            Err(why) => {
                let why = *why;
                return self.none(root.display(), Outcome::Skipped(Skipped::Name(why)));
            }
        };
        let candidates = store::candidates(root, &name, self.id);
        candidates.iter().find_map(|file| {
            let pointer = file.file_name().is_some_and(|file| file.eq_ignore_ascii_case(POINTER));
            if pointer && name.as_str() != POINTER { self.pointer(file) } else { self.file(file, How::Store) }
        })
    }

    fn pointer(&mut self, pointer: &Path) -> Option<Found> {
        let io = |error: std::io::Error| SymbolError::Io { path: pointer.into(), message: error.to_string() };
        let target = regular(pointer).and_then(|()| pointer::target(pointer).map_err(io));
        let target = target.and_then(|target| {
            target.map_err(|why| SymbolError::Pointer { place: pointer.display().to_string(), why })
        });
        match target {
            Ok(target) => self.file(&target, How::Store),
            Err(error) => self.none(pointer.display(), Outcome::Failed(error)),
        }
    }

    /// A file that should be it.
    fn file(&mut self, path: &Path, how: How) -> Option<Found> {
        let table = self.identify(path).and_then(|()| self.read(path));
        self.conclude(path, how, table)
    }

    /// Remembers what came of a file.
    fn conclude(&mut self, path: &Path, how: How, table: Result<SymbolTable, SymbolError>) -> Option<Found> {
        match table {
            Ok(table) => {
                self.tried.push(Tried { place: path.display().to_string(), outcome: Outcome::Found });
                Some(Found { table, path: path.into(), how })
            }
            Err(error) => self.none(path.display(), Outcome::Failed(error)),
        }
    }

    fn identify(&self, path: &Path) -> Result<(), SymbolError> {
        regular(path)?;
        self.check(path, self.reader.identify(path)?.id)
    }

    /// Reads a file, which may have changed since it was identified.
    fn read(&self, path: &Path) -> Result<SymbolTable, SymbolError> {
        let table = self.reader.read(path)?;
        self.check(path, table.id)?;
        Ok(table)
    }

    fn check(&self, path: &Path, found: PdbId) -> Result<(), SymbolError> {
        let place = || path.display().to_string();
        if found == self.id { Ok(()) } else { Err(SymbolError::Mismatch { place: place(), wanted: self.id, found }) }
    }

    /// A folder of files with any names.
    fn folder(&mut self, root: &Path) -> Option<Found> {
        let listing = folder::list(root, self.name.as_ref().ok(), self.id);
        let (mut others, mut opened, mut cut) = (0, 0, listing.cut);
        for (hint, path) in &listing.files {
            if opened == MAX_IDENTIFIED {
                cut = true;
                break;
            }
            match self.identify(path) {
                Ok(()) => {
                    let table = self.read(path);
                    return self.conclude(path, How::Folder, table);
                }
                Err(SymbolError::NotSymbols { .. }) => continue,
                Err(error) if *hint == Hint::Named => {
                    // Told already if the file is where a store has it.
                    let outcome = Outcome::Failed(error);
                    if !self.tried.iter().any(|tried| tried.outcome == outcome) {
                        self.none::<()>(path.display(), outcome);
                    }
                }
                Err(_) => {}
            }
            others += 1;
            opened += 1;
        }
        let outcome = if others == 0 && !cut { Outcome::Nothing } else { Outcome::Others { files: others, cut } };
        self.none(root.display(), outcome)
    }

    fn server(&mut self, server: &str, cache: Option<&Path>) -> Option<Found> {
        let outcome = match (&self.name, self.fetch, cache) {
            (Err(why), _, _) => Outcome::Skipped(Skipped::Name(*why)),
            (_, None, _) => Outcome::Skipped(Skipped::DownloadsOff),
            (_, _, None) => Outcome::Skipped(Skipped::NoCache),
            (Ok(name), Some(fetch), Some(cache)) => match fetch.fetch(&Wanted { server, name, id: self.id, cache }) {
                Ok(Some(path)) => return self.file(&path, How::Server(server.into())),
                Ok(None) => Outcome::Nothing,
                Err(error) => Outcome::Failed(error),
            },
        };
        self.none(server, outcome)
    }
}
