//! The table that is printed: classes by kinds.

use ntlens_testkit::Kind;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How a fault was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Met {
    /// Nothing had to be said, and nothing was lost.
    Ok,
    /// Named by place, structure, field, found and expected.
    Named,
    /// The rest of the answer stands, and says that something is missing.
    Partial,
}

pub(crate) const KINDS: [Kind; 11] = [
    Kind::Full,
    Kind::Summary,
    Kind::BitmapFull { active: false },
    Kind::BitmapFull { active: true },
    Kind::BitmapKernel { live: false },
    Kind::BitmapKernel { live: true },
    Kind::RdmpKernel,
    Kind::RdmpUser,
    Kind::RdmpFull,
    Kind::Raw,
    Kind::Triage,
];

pub(crate) const fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Full => "full",
        Kind::Summary => "kernel",
        Kind::BitmapFull { active: false } => "bitmap",
        Kind::BitmapFull { active: true } => "active",
        Kind::BitmapKernel { live: false } => "bm-kern",
        Kind::BitmapKernel { live: true } => "live",
        Kind::RdmpKernel => "rdmp-8",
        Kind::RdmpUser => "rdmp-9",
        Kind::RdmpFull => "rdmp-a",
        Kind::Raw => "raw",
        Kind::Triage => "triage",
    }
}

/// Counts of each cell.
#[derive(Debug, Default)]
pub(crate) struct Matrix(BTreeMap<(usize, usize), BTreeMap<Met, u64>>);

impl Matrix {
    pub(crate) fn add(&mut self, class: usize, kind: usize, met: Met) {
        *self.0.entry((class, kind)).or_default().entry(met).or_default() += 1;
    }

    pub(crate) fn total(&self, met: Met) -> u64 {
        self.0.values().filter_map(|cell| cell.get(&met)).sum()
    }

    /// The word of a cell: the weakest of how its faults were met, and how many there were.
    fn cell(&self, class: usize, kind: usize) -> String {
        let Some(cell) = self.0.get(&(class, kind)) else { return "-".into() };
        let weakest = match cell.keys().next_back() {
            Some(Met::Partial) => "part",
            Some(Met::Named) => "named",
            _ => "ok",
        };
        format!("{weakest} {}", cell.values().sum::<u64>())
    }

    pub(crate) fn print(&self, names: &[&str]) -> String {
        // Writing to a string does not fail.
        let mut text = format!("{:32}", "class");
        for kind in KINDS {
            let _ = write!(text, "{:>10}", heading(kind));
        }
        for (class, name) in names.iter().enumerate() {
            let _ = write!(text, "\n{name:32}");
            for kind in 0..KINDS.len() {
                let _ = write!(text, "{:>10}", self.cell(class, kind));
            }
        }
        text
    }
}
