//! A pack as a source of layouts.

use super::Pack;
use alloc::string::ToString;
use alloc::vec::Vec;
use ntlens_core::Error;
use ntlens_core::layout::Layouts;
use ntlens_core::layout::source::{LayoutSource, TableInfo};

impl LayoutSource for Pack<'_> {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn tables(&self) -> Vec<TableInfo> {
        let table = |table: &super::TableInfo| TableInfo { version: table.version, id: table.id };
        Self::tables(self).iter().map(table).collect()
    }

    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, Error> {
        self.kernel_layouts_of(tables)
            .map_err(|error| Error::LayoutSource { source_name: self.name().into(), message: error.to_string() })
    }
}
