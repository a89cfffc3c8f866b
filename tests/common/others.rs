//! Layouts of every kernel but the one at hand.
#![allow(clippy::unwrap_used)]

use ntlens::CoreError;
use ntlens::layout::source::{LayoutSource, TableInfo};
use ntlens::layout::{Layouts, PdbId};
use ntlens::symbols::Pack;

/// The embedded layouts without one kernel's, and with every other one changed.
pub(crate) struct Others<F> {
    pack: Pack<'static>,
    hidden: Option<PdbId>,
    change: F,
}

impl<F: Fn(Layouts) -> Layouts + Send + Sync> LayoutSource for Others<F> {
    fn name(&self) -> &'static str {
        "other revisions"
    }

    fn tables(&self) -> Vec<TableInfo> {
        let tables = LayoutSource::tables(&self.pack).into_iter();
        tables
            .map(|table| if table.id == self.hidden { TableInfo { id: None, version: NOWHERE } } else { table })
            .collect()
    }

    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, CoreError> {
        Ok(self.pack.load(tables)?.into_iter().map(&self.change).collect())
    }
}

const NOWHERE: ntlens::layout::Version = ntlens::layout::Version { major: 0, minor: 0, build: 0, revision: None };

pub(crate) fn others<F: Fn(Layouts) -> Layouts + Send + Sync>(hidden: Option<PdbId>, change: F) -> Others<F> {
    Others { pack: Pack::embedded().unwrap(), hidden, change }
}
