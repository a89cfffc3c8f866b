//! What stands between a symbol path and the network. This crate has no code that asks a server.

use super::FileName;
use super::store::TWO_TIERS;
use crate::SymbolError;
use alloc::string::ToString;
use ntlens_core::layout::PdbId;
use std::path::{Path, PathBuf};

/// Symbols to ask a server for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The root of the server's store, `http` or `https`, without a slash at its end.
    pub server: &'a str,
    /// The file's name. It came from a dump and was checked.
    pub name: &'a FileName,
    /// Which symbols.
    pub id: PdbId,
    /// The folder of the cache, a symbol store, that takes what is found. It may not exist yet.
    pub cache: &'a Path,
}

impl Wanted<'_> {
    /// The folder of the cache that they belong in. A cache of two tiers stays one.
    pub fn folder(&self) -> PathBuf {
        let mut folder = self.cache.to_path_buf();
        if folder.join(TWO_TIERS).is_file() {
            folder.push(self.name.tier());
        }
        folder.join(self.name.as_str()).join(self.id.to_string())
    }
}

/// Asks servers for symbols.
pub trait Fetch {
    /// Brings the symbols into the cache and says which file there they are; `None` if the server has none.
    ///
    /// A file of other symbols must not be left in the cache.
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<PathBuf>, SymbolError>;
}
