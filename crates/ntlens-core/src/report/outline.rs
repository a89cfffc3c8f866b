//! Rows that hang below one another, as a terminal shows them.
//!
//! A table whose rows do so has the columns `depth` and `orphan`, and brings its rows into an order in which each stands
//! behind the one that it hangs below.

use alloc::vec::Vec;

/// The column that tells how far below the top a row is.
pub(super) const DEPTH: &str = "depth";
/// The column that tells of rows that stand at the top only because the one above them is gone.
pub(super) const ORPHAN: &str = "orphan";
/// Both.
pub(super) const COLUMNS: [&str; 2] = [DEPTH, ORPHAN];
/// The column that is indented.
pub(super) const LABEL: &str = "name";

/// How the rows of a table hang together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The column that is indented.
    pub column: &'static str,
    /// One for each row.
    pub branches: Vec<Branch>,
}

/// The place of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// How far below the top it is.
    pub depth: u64,
    /// What it hung below is gone.
    pub orphan: bool,
    /// It does not fit the filter, but something below it does.
    pub context: bool,
}

/// The chosen rows and those above them, in the table's order; whether one is there only for those below it. `chosen` is
/// in that order, too.
pub(super) fn with_those_above(rows: usize, chosen: &[usize], depth: impl Fn(usize) -> u64) -> Vec<(usize, bool)> {
    let mut marks: Vec<Option<bool>> = alloc::vec![None; rows];
    let mut above: Vec<(u64, usize)> = Vec::new();
    let mut next = chosen.iter().peekable();
    for row in 0..rows {
        let depth = depth(row);
        while above.last().is_some_and(|(other, _)| *other >= depth) {
            above.pop();
        }
        if next.next_if_eq(&&row).is_some() {
            // Whatever is above a row that is marked is marked as well.
            for (_, row) in above.iter().rev() {
                match marks.get_mut(*row) {
                    Some(mark @ None) => *mark = Some(true),
                    _ => break,
                }
            }
            if let Some(mark) = marks.get_mut(row) {
                *mark = Some(false);
            }
        }
        above.push((depth, row));
    }
    marks.into_iter().enumerate().filter_map(|(row, mark)| Some((row, mark?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_stays() {
        let depths = [0, 1, 2, 2, 1, 0, 1];
        let above = |chosen: &[usize]| with_those_above(depths.len(), chosen, |row| depths[row]);
        assert_eq!(above(&[3]), [(0, true), (1, true), (3, false)]);
        assert_eq!(above(&[1, 2, 4]), [(0, true), (1, false), (2, false), (4, false)]);
        assert_eq!(above(&[0, 6]), [(0, false), (5, true), (6, false)]);
        assert_eq!(above(&[]), []);
        assert_eq!(above(&[0, 1, 2, 3, 4, 5, 6]).iter().filter(|(_, context)| *context).count(), 0);
    }
}
