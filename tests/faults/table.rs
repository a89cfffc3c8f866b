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

    fn cell(&self, class: usize, kind: usize) -> String {
        self.0.get(&(class, kind)).map_or("-".into(), cell)
    }

    pub(crate) fn print(&self, names: &[&str]) -> String {
        // Writing to a string does not fail.
        let mut text = format!("{:32}", "class");
        for kind in Kind::ALL {
            let _ = write!(text, "{:>12}", kind.name());
        }
        for (class, name) in names.iter().enumerate() {
            let _ = write!(text, "\n{name:32}");
            for kind in 0..Kind::ALL.len() {
                let _ = write!(text, "{:>12}", self.cell(class, kind));
            }
        }
        text
    }
}

/// The word of a cell: the weakest of how its faults were met, and how many there were.
pub(crate) fn cell(counts: &BTreeMap<Met, u64>) -> String {
    let weakest = match counts.keys().next_back() {
        Some(Met::Partial) => "part",
        Some(Met::Named) => "named",
        _ => "ok",
    };
    format!("{weakest} {}", counts.values().sum::<u64>())
}
