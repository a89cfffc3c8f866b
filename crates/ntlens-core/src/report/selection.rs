//! What of an answer is wanted: which columns, which rows, in which order.

use super::filter::Filter;
use super::outline::{self, Branch, Outline};
use super::{Cell, Column, Heading, Screen, Spread, Table, TableDef, Value, Wanted};
use crate::incomplete::Incomplete;
use crate::spread;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// A filter, a column or an order that a table does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// A filter that cannot be read.
    #[error("position {position} of the filter: {message}")]
    Filter {
        /// Which character, counted from 1.
        position: usize,
        /// The column that it is about.
        column: Option<String>,
        /// What was expected and what was found.
        message: String,
    },
    /// A name that no column has.
    #[error("no column of {table} is named {name:?}{}", suggestion(*.nearest))]
    NoColumn {
        /// The table.
        table: String,
        /// The name.
        name: String,
        /// The name that is most like it.
        nearest: Option<&'static str>,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; {name} is the most like it"))
}

/// The columns of a table, to be found by their names.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) table: &'a str,
    pub(super) headings: &'a [Heading],
    pub(super) screen: &'a [Screen],
}

/// Names that differ in more are not alike, however long they are.
const MAX_DISTANCE: usize = 3;
/// No column has a longer name.
const MAX_NAME: usize = 64;

impl Names<'_> {
    pub(super) fn find(&self, name: &str) -> Option<Heading> {
        self.headings.iter().find(|heading| heading.name.eq_ignore_ascii_case(name)).copied()
    }

    pub(super) fn unknown(&self, name: &str) -> SelectionError {
        SelectionError::NoColumn { table: self.table.into(), name: name.into(), nearest: self.nearest(name) }
    }

    fn get(&self, name: &str) -> Result<Heading, SelectionError> {
        self.find(name).ok_or_else(|| self.unknown(name))
    }

    /// The column that a user could have meant: by what stands above it on the screen, by its beginning, or by few letters
    /// that differ.
    fn nearest(&self, name: &str) -> Option<&'static str> {
        if name.is_empty() || name.len() > MAX_NAME {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let heading = self.screen.iter().find(|shown| shown.heading.eq_ignore_ascii_case(&name));
        let begins = || self.headings.iter().map(|heading| heading.name).find(|other| other.starts_with(&name));
        let alike = || {
            // Names of very different lengths are not alike, whatever is in them.
            let near = |heading: &&Heading| heading.name.len().abs_diff(name.len()) <= MAX_DISTANCE;
            let all = self.headings.iter().filter(near).map(|heading| (distance(&name, heading.name), heading.name));
            let (distance, nearest) = all.min_by_key(|(distance, _)| *distance)?;
            (distance <= MAX_DISTANCE.min(name.len() * 2 / 3)).then_some(nearest)
        };
        heading.map(|shown| shown.column).or_else(begins).or_else(alike)
    }
}

/// How many bytes must be added, taken away or replaced to make one name from another.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, one) in left.bytes().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(index + 1);
        for (pair, other) in row.windows(2).zip(right.bytes()) {
            let (&[diagonal, above], Some(&before)) = (pair, next.last()) else { continue };
            next.push((diagonal + usize::from(one != other)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Fewer rows are filled before a thread has started.
const FEW: usize = 32;

/// Rows that are filled one by one.
fn filled(
    spread: &dyn Spread,
    count: usize,
    columns: usize,
    fill: &(dyn Fn(usize, &mut Vec<Cell>) + Sync),
) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    rows.resize_with(count, Vec::new);
    spread::change(spread, &mut rows, FEW, |index, cells: &mut Vec<Cell>| {
        cells.reserve_exact(columns);
        fill(index, cells);
    });
    rows
}

/// A column by which rows are ordered.
#[derive(Clone, Copy, Debug)]
struct Key {
    column: Heading,
    descending: bool,
}

/// What of a table is wanted. It is made by [`Question::selection`](super::Question::selection) and is for that question.
#[derive(Clone, Debug)]
pub struct Selection {
    table: &'static str,
    headings: Vec<Heading>,
    /// All that the table offers to a terminal.
    offered: &'static [Screen],
    columns: Vec<Heading>,
    screen: Vec<Screen>,
    filter: Option<Filter>,
    keys: Vec<Key>,
    limit: Option<usize>,
    outline: bool,
}

impl Selection {
    /// All rows of a table, with these columns.
    pub(super) fn new(table: &'static str, headings: Vec<Heading>, offered: &'static [Screen], wanted: Wanted) -> Self {
        let is_shown = |shown: &&Screen| wanted != Wanted::Screen || !shown.is_wide();
        let screen: Vec<Screen> = offered.iter().filter(is_shown).copied().collect();
        let on_screen = |heading: &&Heading| screen.iter().any(|shown| shown.column == heading.name);
        let columns = headings.iter().filter(|heading| wanted == Wanted::All || on_screen(heading)).copied().collect();
        let (filter, keys, limit, outline) = (None, Vec::new(), None, false);
        Self { table, headings, offered, columns, screen, filter, keys, limit, outline }
    }

    fn names(&self) -> Names<'_> {
        Names { table: self.table, headings: &self.headings, screen: self.offered }
    }

    /// Only these columns, in this order: names with commas between them. `all` stands for all; if the first has a `+` in
    /// front, they follow those that a terminal shows.
    pub fn columns(mut self, names: &str) -> Result<Self, SelectionError> {
        let mut columns: Vec<Heading> = Vec::new();
        if names.trim_start().starts_with('+') {
            let usual = self.offered.iter().filter(|shown| !shown.is_wide());
            columns.extend(usual.filter_map(|shown| self.names().find(shown.column)));
        }
        for name in names.split(',') {
            let name = name.trim();
            let name = name.strip_prefix('+').unwrap_or(name);
            if name.eq_ignore_ascii_case("all") && self.names().find(name).is_none() {
                columns.extend(&self.headings);
            } else {
                columns.push(self.names().get(name)?);
            }
        }
        self.columns.clear();
        for column in columns {
            if !self.columns.contains(&column) {
                self.columns.push(column);
            }
        }
        let shown = |column: &Heading| {
            let known = self.offered.iter().find(|shown| shown.column == column.name);
            Screen::named(known.map_or(column.name, |shown| shown.heading), column.name)
        };
        self.screen = self.columns.iter().map(shown).collect();
        Ok(self)
    }

    /// Only rows for which a [`Filter`] is true.
    pub fn filter(mut self, text: &str) -> Result<Self, SelectionError> {
        self.filter = Some(Filter::parse(self.table, &self.headings, self.offered, text)?);
        Ok(self)
    }

    /// Rows in the order of these columns: names with commas between them, those with a `-` in front from the last to the
    /// first. What has no value comes last in any case.
    pub fn sort(mut self, names: &str) -> Result<Self, SelectionError> {
        let key = |name: &str| {
            let name = name.trim();
            let (descending, name) = name.strip_prefix('-').map_or((false, name), |name| (true, name));
            Ok(Key { column: self.names().get(name)?, descending })
        };
        self.keys = names.split(',').map(key).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// At most so many rows.
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Shows how rows hang together, if the question tells their depth: those above the chosen ones stay, too.
    #[must_use]
    pub fn outline(mut self) -> Self {
        self.outline = self.names().find(outline::DEPTH).is_some();
        self
    }

    /// Columns whose cells choose and order rows.
    fn deciding(&self) -> Vec<Heading> {
        let filter = self.filter.iter().flat_map(Filter::columns).copied();
        let mut columns: Vec<Heading> = filter.collect();
        let outline = outline::COLUMNS.iter().filter(|_| self.outline).filter_map(|name| self.names().find(name));
        for column in self.keys.iter().map(|key| key.column).chain(outline) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
    }

    /// Whether a row fits by its deciding cells, of which those of the filter are the first.
    fn fits(&self, cells: &[Cell]) -> Option<bool> {
        self.filter.as_ref().map_or(Some(true), |filter| filter.test(cells))
    }

    /// Fills a table with the chosen rows and columns.
    pub(super) fn fill<R: Sync>(
        &self,
        table: &TableDef<R>,
        rows: &[R],
        mut incomplete: Vec<Incomplete>,
        spread: &dyn Spread,
    ) -> Table {
        let of = |heading: &Heading| table.columns.iter().find(|column| column.heading.name == heading.name);
        let deciding = self.deciding();
        let deciders: Vec<&Column<R>> = deciding.iter().filter_map(of).collect();
        let decide = |index: usize, cells: &mut Vec<Cell>| {
            let Some(row) = rows.get(index) else { return };
            cells.extend(deciders.iter().map(|column| (column.get)(row)));
            // Rows that do not fit leave nothing, unless those below them may need them.
            if self.fits(cells) == Some(false) && !self.outline {
                cells.clear();
            }
        };
        let count = if deciders.is_empty() { 0 } else { rows.len() };
        let cells = filled(spread, count, deciders.len(), &decide);
        let mut chosen: Vec<usize> = if deciders.is_empty() {
            (0..rows.len()).collect()
        } else {
            let fits = |(index, cells): (usize, &Vec<Cell>)| {
                (!cells.is_empty() && self.fits(cells) == Some(true)).then_some(index)
            };
            cells.iter().enumerate().filter_map(fits).collect()
        };
        incomplete.extend(self.undecided(&cells));
        let cell = |row: usize, column: &str| {
            let place = deciding.iter().position(|decider| decider.name == column)?;
            cells.get(row)?.get(place)
        };
        // An outline has its own order.
        if !self.keys.is_empty() && !self.outline {
            chosen.sort_by(|left, right| self.order(|column| (cell(*left, column), cell(*right, column))));
        }
        let mut remarks = Vec::new();
        if let Some(limit) = self.limit.filter(|limit| *limit < chosen.len()) {
            remarks.push(format!("the first {limit} of {} rows", chosen.len()));
            chosen.truncate(limit);
        }
        let outline = self.outline.then(|| {
            let number = |row| match cell(row, outline::DEPTH).and_then(Cell::value) {
                Some(Value::Uint(depth)) => *depth,
                _ => 0,
            };
            let orphan = |row| cell(row, outline::ORPHAN).and_then(Cell::value) == Some(&Value::Bool(true));
            let with_context = outline::with_those_above(rows.len(), &chosen, number);
            chosen = with_context.iter().map(|(row, _)| *row).collect();
            let branch = |(row, context): (usize, bool)| Branch { depth: number(row), orphan: orphan(row), context };
            Outline { column: outline::LABEL, branches: with_context.into_iter().map(branch).collect() }
        });
        let wanted: Vec<&Column<R>> = self.columns.iter().filter_map(of).collect();
        let fill = |place: usize, cells: &mut Vec<Cell>| {
            let Some((index, row)) = chosen.get(place).and_then(|index| Some((*index, rows.get(*index)?))) else {
                return;
            };
            let known = |column: &&Column<R>| cell(index, column.heading.name).cloned();
            cells.extend(wanted.iter().map(|column| known(column).unwrap_or_else(|| (column.get)(row))));
        };
        let rows = filled(spread, chosen.len(), wanted.len(), &fill);
        let TableDef { name, record, .. } = *table;
        let (columns, screen) = (wanted.iter().map(|column| column.heading).collect(), self.screen.clone());
        Table { name, columns, screen, record, outline, rows, incomplete, remarks }
    }

    /// The rows of which nobody knows whether they fit, by what is missing.
    fn undecided(&self, cells: &[Vec<Cell>]) -> Vec<Incomplete> {
        let Some(filter) = &self.filter else { return Vec::new() };
        let mut counts: BTreeMap<(&str, &str), (Incomplete, u64)> = BTreeMap::new();
        for row in cells.iter().filter(|row| !row.is_empty() && self.fits(row).is_none()) {
            let missing =
                filter.columns().iter().zip(row).find_map(|(column, cell)| Some((column.name, cell.absent()?)));
            let Some((column, why)) = missing else { continue };
            let what = "rows of which the filter cannot tell whether they fit";
            let new = || (Incomplete::new(what, format!("column {column}"), why), 0);
            counts.entry((column, why.reason())).or_insert_with(new).1 += 1;
        }
        counts.into_values().map(|(missing, count)| missing.times(count)).collect()
    }

    /// How two rows stand to each other.
    fn order<'c>(&self, cells: impl Fn(&str) -> (Option<&'c Cell>, Option<&'c Cell>)) -> Ordering {
        let by = |key: &Key| {
            let (left, right) = cells(key.column.name);
            match (left.and_then(Cell::value), right.and_then(Cell::value)) {
                (Some(left), Some(right)) => {
                    let order = left.order(right);
                    if key.descending { order.reverse() } else { order }
                }
                (left, right) => left.is_none().cmp(&right.is_none()),
            }
        };
        self.keys.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}
