//! Where layouts come from, without knowing in which form.

use crate::error::Error;
use crate::layout::{Layouts, PdbId, Version};
use alloc::vec::Vec;

/// One kernel that a source has layouts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The kernel's version.
    pub version: Version,
    /// The identity of its symbols, if the source knows it.
    pub id: Option<PdbId>,
}

/// A collection of layouts.
pub trait LayoutSource: Send + Sync {
    /// The collection's name, as shown to the user: `embedded`, or a file's name.
    fn name(&self) -> &str;

    /// What it has.
    fn tables(&self) -> Vec<TableInfo>;

    /// The structures and symbols that the library reads, for some of the tables (indexes into [`Self::tables`]).
    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, Error>;
}
