//! The embedded layouts as a source of layouts.

use crate::error::Error;
use ntlens_core::layout::Layouts;
use ntlens_core::layout::source::{LayoutSource, TableInfo};
use ntlens_symbols::Pack;

/// The layouts that are part of the library.
#[derive(Debug)]
pub struct Embedded(Pack<'static>);

impl Embedded {
    /// Reads the index of the embedded layouts.
    pub fn new() -> Result<Self, Error> {
        Ok(Self(Pack::embedded()?))
    }

    /// The pack itself.
    pub fn pack(&self) -> &Pack<'static> {
        &self.0
    }
}

impl LayoutSource for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn tables(&self) -> Vec<TableInfo> {
        self.0.tables().iter().map(|table| TableInfo { version: table.version, id: table.id }).collect()
    }

    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, ntlens_core::Error> {
        self.0.kernel_layouts_of(tables).map_err(|error| ntlens_core::Error::LayoutSource {
            source_name: self.name().into(),
            message: error.to_string(),
        })
    }
}
