//! Where a symbol store keeps the symbols of an image.
//!
//! - `name/INDEX/name`, the index being GUID and age; `name/INDEX/nam_` is a cabinet of it, `name/INDEX/file.ptr` says
//!   where else it is;
//! - `na/name/INDEX/...` in stores of two tiers, which have a file `index2.txt`; a copy may lack it;
//! - `windows/name/GUID-AGE.json` with `.gz` or `.xz`, the tables of `volatility3`.
//!
//! Stores are made on systems that do not tell the case of letters; copies of them elsewhere are searched so too.

use super::FileName;
use super::name::{is_index, is_isf};
use super::pointer::POINTER;
use alloc::vec::Vec;
use ntlens_core::layout::PdbId;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The file that marks a store of two tiers.
pub(super) const TWO_TIERS: &str = "index2.txt";
/// More entries of one folder are not looked at. Large stores have some ten thousand names.
const MAX_ENTRIES: usize = 200_000;
/// Spellings of one name that are followed.
const MAX_SPELLINGS: usize = 16;

/// The files of a store, or of a folder that is laid out as one, that should be the symbols, best first.
pub(super) fn candidates(root: &Path, name: &FileName, id: PdbId) -> Vec<PathBuf> {
    let compressed = name.compressed();
    let roots = || core::iter::once(root.to_path_buf()).chain(named(root, name.tier()));
    let folders = roots().flat_map(|root| named(&root, name.as_str()));
    let indexes = folders.flat_map(|folder| matching(&folder, |entry| is_index(entry, id)));
    let stored = indexes.flat_map(|index| {
        [name.as_str(), compressed.as_str(), POINTER].into_iter().flat_map(move |file| named(&index, file))
    });
    let roots = core::iter::once(root.to_path_buf()).chain(named(root, "windows"));
    let folders = roots.flat_map(|root| named(&root, name.as_str()));
    let tables = folders.flat_map(|folder| matching(&folder, |entry| is_isf(entry, id)));
    // Where case does not count, one file was found by several spellings.
    let mut seen = BTreeSet::new();
    stored.chain(tables).filter(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone()))).collect()
}

/// Entries of a folder with this name: as it is written first, then in other cases.
fn named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = matching(folder, |entry| entry.eq_ignore_ascii_case(name));
    found.sort_by_key(|path| path.file_name().is_none_or(|entry| entry != name));
    found
}

fn matching(folder: &Path, matches: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MAX_ENTRIES).flatten();
    let found = entries.filter(|entry| entry.file_name().to_str().is_some_and(&matches));
    let mut found: Vec<_> = found.take(MAX_SPELLINGS).map(|entry| entry.path()).collect();
    found.sort();
    found
}
