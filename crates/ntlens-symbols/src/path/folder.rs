//! Folders of symbol files with any names.

use super::FileName;
use super::name::{is_any_index, is_index, is_isf, is_isf_of_others};
use alloc::vec;
use alloc::vec::Vec;
use ntlens_core::layout::PdbId;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How deep files may lie: `windows/ntkrnlmp.pdb/GUID-AGE.json` of `volatility3` has three levels.
const MAX_DEPTH: usize = 3;
/// How much of a folder is looked at. Somebody may name the root of a disk.
const MAX_ENTRIES: usize = 20_000;
/// Extensions of files that may be symbols.
const EXTENSIONS: &[&str] = &["pdb", "pd_", "json", "xz", "gz", "cab"];

/// How much a file's name says about what is in it. The content decides; this is the order in which files are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    /// It is named for the GUID or the image: if it is of other symbols, the user should know.
    Named,
    /// Its extension is that of symbol files.
    Extension,
    /// Nothing.
    None,
    /// It is named for another GUID.
    Other,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Regular files, best hints first.
    pub(super) files: Vec<(Hint, PathBuf)>,
    /// Whether there is more than was looked at.
    pub(super) cut: bool,
}

/// Lists the files of a folder and of the folders in it.
pub(super) fn list(root: &Path, name: Option<&FileName>, id: PdbId) -> Listing {
    let mut listing = Listing::default();
    let mut left = MAX_ENTRIES;
    let mut level = vec![root.to_path_buf()];
    // Links may lead in circles.
    let mut seen = BTreeSet::new();
    for _ in 0..MAX_DEPTH {
        let mut below = Vec::new();
        for folder in level {
            if !folder.canonicalize().is_ok_and(|folder| seen.insert(folder)) {
                continue;
            }
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if left == 0 {
                    listing.cut = true;
                    break;
                }
                left -= 1;
                let path = entry.path();
                // Follows links, and opens nothing: a pipe would wait for a writer.
                let Ok(metadata) = fs::metadata(&path) else { continue };
                let file_name = entry.file_name();
                let file_name = file_name.to_string_lossy();
                if metadata.is_file() {
                    listing.files.push((hint(&file_name, name, id), path));
                } else if metadata.is_dir() && (!is_any_index(&file_name) || is_index(&file_name, id)) {
                    // The folders of a store that are named for other symbols are not opened: there are thousands.
                    below.push(path);
                }
            }
        }
        below.sort();
        level = below;
    }
    listing.files.sort();
    listing
}

fn hint(file: &str, name: Option<&FileName>, id: PdbId) -> Hint {
    let named =
        |name: &FileName| file.eq_ignore_ascii_case(name.as_str()) || file.eq_ignore_ascii_case(&name.compressed());
    let extension = |(_, extension): (&str, &str)| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known));
    if is_isf(file, id) || name.is_some_and(named) {
        Hint::Named
    } else if is_isf_of_others(file, id) {
        Hint::Other
    } else if file.rsplit_once('.').is_some_and(extension) {
        Hint::Extension
    } else {
        Hint::None
    }
}
