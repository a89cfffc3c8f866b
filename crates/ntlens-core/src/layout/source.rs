//! Where layouts come from, without knowing in which form.

use crate::error::Error;
use crate::layout::{Layouts, PdbId, Version};
use alloc::string::String;
use alloc::vec::Vec;

/// One kernel that a source has layouts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The kernel's version.
    pub version: Version,
    /// The identity of its symbols, if the source knows it.
    pub id: Option<PdbId>,
}

/// The symbols of an image as the image itself names them in its `CodeView` record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSymbols {
    /// File name of the PDB, such as `ntkrnlmp.pdb`. It comes from the dump and may be anything.
    pub pdb_name: String,
    /// GUID and age.
    pub id: PdbId,
}

/// Layouts of one image, and where they came from.
#[derive(Clone, Debug)]
pub struct Given {
    /// The layouts.
    pub layouts: Layouts,
    /// Where they came from, as shown to the user: `embedded`, or a file's name.
    pub source: String,
}

/// A collection of layouts.
pub trait LayoutSource: Send + Sync {
    /// The collection's name, as shown to the user: `embedded`, or a file's name.
    fn name(&self) -> &str;

    /// What it has.
    fn tables(&self) -> Vec<TableInfo>;

    /// The structures and symbols that the library reads, for some of the tables (indexes into [`Self::tables`]).
    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, Error>;

    /// The layouts of exactly this kernel, if the source has them. What the kernel says of its symbols is `None` if it
    /// cannot be read. An error is for what the user should decide: symbols that were meant for this kernel and are not.
    fn exact(&self, kernel: Option<&ImageSymbols>) -> Result<Option<Given>, Error> {
        let Some(kernel) = kernel else { return Ok(None) };
        let Some(index) = self.tables().iter().position(|table| table.id == Some(kernel.id)) else { return Ok(None) };
        let layouts = self.load(&[index])?.pop();
        Ok(layouts.map(|layouts| Given { layouts, source: self.name().into() }))
    }

    /// The layouts that the user insists on, whatever kernel they are of.
    fn forced(&self) -> Result<Option<Given>, Error> {
        Ok(None)
    }

    /// The symbols of another image than the kernel. `image` reads what that image says of them, or `None` if it cannot
    /// be read: a source that has symbols of kernels only need not ask.
    fn of_other(&self, _image: &dyn Fn() -> Option<ImageSymbols>) -> Option<Given> {
        None
    }
}
