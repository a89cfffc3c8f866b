//! Questions, and their answers as tables.
//!
//! A question is one file of this folder and one line of [`QUESTIONS`]: from there it exists in every output format, on the
//! command line and in every binding. A column is declared once, with its name, its kind and where its value comes from.

pub mod arguments;
pub mod callbacks;
pub mod coverage;
pub mod crash;
pub mod doctor;
pub mod handles;
pub mod holders;
pub mod inferred;
pub mod info;
pub mod loggers;
pub mod memory;
pub mod modules;
pub mod objects;
pub mod processes;
pub mod providers;
pub mod threads;
pub mod tokens;
pub mod translation;
pub mod unloaded;
pub mod value;

use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::opened::OpenDump;
use alloc::string::String;
use alloc::vec::Vec;
pub use arguments::{Argument, Arguments, Form, Parameter};
use core::fmt;
pub use value::{Cell, Kind, Value};

/// All questions that are answered with a table.
pub const QUESTIONS: &[&dyn Question] = &[
    &info::INFO,
    &processes::PROCESSES,
    &threads::THREADS,
    &tokens::TOKENS,
    &handles::HANDLES,
    &objects::OBJECTS,
    &holders::HOLDERS,
    &modules::MODULES,
    &unloaded::UNLOADED,
    &callbacks::CALLBACKS,
    &loggers::LOGGERS,
    &providers::PROVIDERS,
    &crash::CRASH,
    &coverage::COVERAGE,
    &inferred::INFERRED,
    &doctor::DOCTOR,
];

/// The question of a name.
pub fn question(name: &str) -> Option<&'static dyn Question> {
    QUESTIONS.iter().find(|question| question.name() == name).copied()
}

/// What can be asked of a dump.
pub trait Question: Sync {
    /// The table's name in the output contract.
    fn name(&self) -> &'static str;

    /// One sentence about the answer.
    fn about(&self) -> &'static str;

    /// The columns, in their order.
    fn columns(&self) -> Vec<Heading>;

    /// The columns that a terminal shows, with short headings.
    fn screen(&self) -> &'static [Screen];

    /// What narrows the question, all of it optional for the library.
    fn parameters(&self) -> &'static [Parameter];

    /// Answers a question that is narrowed by its parameters, with the columns that are wanted; `spread` fills the rows.
    fn ask_with(
        &self,
        dump: &OpenDump,
        arguments: &Arguments,
        wanted: Wanted,
        spread: &dyn Spread,
    ) -> Result<Table, Error>;

    /// Answers, with the columns that are wanted; `spread` fills the rows.
    fn ask_spread(&self, dump: &OpenDump, wanted: Wanted, spread: &dyn Spread) -> Result<Table, Error> {
        self.ask_with(dump, &Arguments::default(), wanted, spread)
    }

    /// Answers, with the columns that are wanted.
    fn ask(&self, dump: &OpenDump, wanted: Wanted) -> Result<Table, Error> {
        self.ask_spread(dump, wanted, &OneByOne)
    }
}

/// Fills the rows of a table. Each row is filled from the dump for itself, so where there are threads they can share them.
pub trait Spread: Sync {
    /// The rows `0..count` in their order.
    fn rows(&self, count: usize, row: &(dyn Fn(usize) -> Vec<Cell> + Sync)) -> Vec<Vec<Cell>>;
}

/// One row after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneByOne;

impl Spread for OneByOne {
    fn rows(&self, count: usize, row: &(dyn Fn(usize) -> Vec<Cell> + Sync)) -> Vec<Vec<Cell>> {
        (0..count).map(row).collect()
    }
}

/// Which columns of an answer are wanted. Finding a value can cost several reads of the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wanted {
    /// All of them.
    #[default]
    All,
    /// Those that a terminal shows.
    Screen,
}

/// A column's name and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// The name in the output contract.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: Kind,
    /// What the values mean, with their unit.
    pub about: &'static str,
}

/// A column as a terminal shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The short heading.
    pub heading: &'static str,
    /// The column.
    pub column: &'static str,
}

/// A column and where its value comes from.
pub struct Column<R> {
    heading: Heading,
    get: fn(&R) -> Cell,
}

impl<R> fmt::Debug for Column<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading.fmt(f)
    }
}

impl<R> Column<R> {
    /// Declares a column.
    pub const fn new(name: &'static str, kind: Kind, about: &'static str, get: fn(&R) -> Cell) -> Self {
        Self { heading: Heading { name, kind, about }, get }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Table {
    /// The table's name.
    pub name: &'static str,
    /// Its columns.
    pub columns: Vec<Heading>,
    /// The columns that a terminal shows.
    pub screen: &'static [Screen],
    /// Whether it has one row, which a terminal shows from top to bottom.
    pub record: bool,
    /// Its rows: as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// What the answer could not take into account.
    pub incomplete: Vec<Incomplete>,
    /// What a reader should not miss in the rows.
    pub remarks: Vec<String>,
}

/// Rows and what could not be read.
pub type Answer<R> = Result<(Vec<R>, Vec<Incomplete>), Error>;

/// A table as it is declared: everything but its rows, which are values of one type.
pub struct TableDef<R: 'static> {
    /// The table's name.
    pub name: &'static str,
    /// One sentence about it.
    pub about: &'static str,
    /// Its columns.
    pub columns: &'static [Column<R>],
    /// The columns that a terminal shows.
    pub screen: &'static [Screen],
    /// Whether it has one row, which a terminal shows from top to bottom.
    pub record: bool,
}

impl<R> TableDef<R> {
    /// The names and kinds of the columns.
    pub fn headings(&self) -> Vec<Heading> {
        self.columns.iter().map(|column| column.heading).collect()
    }

    /// Fills the table with all its columns.
    pub fn fill(&self, rows: &[R], incomplete: Vec<Incomplete>) -> Table
    where
        R: Sync,
    {
        self.fill_columns(rows, incomplete, Wanted::All, &OneByOne)
    }

    fn fill_columns(&self, rows: &[R], incomplete: Vec<Incomplete>, wanted: Wanted, spread: &dyn Spread) -> Table
    where
        R: Sync,
    {
        let on_screen = |name| self.screen.iter().any(|shown| shown.column == name);
        let is_wanted = |column: &&Column<R>| wanted == Wanted::All || on_screen(column.heading.name);
        let columns: Vec<&Column<R>> = self.columns.iter().filter(is_wanted).collect();
        let cells = |row: &R| columns.iter().map(|column| (column.get)(row)).collect();
        let rows = spread.rows(rows.len(), &|index| rows.get(index).map(cells).unwrap_or_default());
        let columns = columns.iter().map(|column| column.heading).collect();
        let Self { name, screen, record, .. } = *self;
        Table { name, columns, screen, record, rows, incomplete, remarks: Vec::new() }
    }
}

/// A question whose rows are values of one type, and which parameters may narrow.
pub struct Asked<R: 'static> {
    /// The table.
    pub table: TableDef<R>,
    /// What narrows it.
    pub parameters: &'static [Parameter],
    /// Finds the rows.
    pub rows: fn(&OpenDump, &Arguments) -> Answer<R>,
    /// What a reader should not miss in the rows.
    pub remarks: fn(&[R]) -> Vec<String>,
}

impl<R> fmt::Debug for TableDef<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableDef").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Asked<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

impl<R: Sync> Question for Asked<R> {
    fn name(&self) -> &'static str {
        self.table.name
    }

    fn about(&self) -> &'static str {
        self.table.about
    }

    fn columns(&self) -> Vec<Heading> {
        self.table.headings()
    }

    fn screen(&self) -> &'static [Screen] {
        self.table.screen
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.parameters
    }

    fn ask_with(
        &self,
        dump: &OpenDump,
        arguments: &Arguments,
        wanted: Wanted,
        spread: &dyn Spread,
    ) -> Result<Table, Error> {
        let (rows, missing) = (self.rows)(dump, arguments)?;
        // What was wrong when the dump was opened limits every answer.
        let mut incomplete = dump.incomplete().to_vec();
        incomplete.extend(missing);
        let remarks = (self.remarks)(&rows);
        Ok(Table { remarks, ..self.table.fill_columns(&rows, incomplete, wanted, spread) })
    }
}

/// Short for a column of a terminal.
pub const fn screen(heading: &'static str, column: &'static str) -> Screen {
    Screen { heading, column }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_column_has_its_own_name_and_every_screen_column_exists() {
        for question in QUESTIONS {
            let columns = question.columns();
            let names: BTreeSet<_> = columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), columns.len(), "{}", question.name());
            for shown in question.screen() {
                assert!(names.contains(shown.column), "{} shows {}", question.name(), shown.column);
            }
        }
    }
}
