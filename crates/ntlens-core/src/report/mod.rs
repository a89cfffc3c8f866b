//! Questions, and their answers as tables.
//!
//! A question is one file of this folder and one line of [`QUESTIONS`]: from there it exists in every output format, on the
//! command line and in every binding. A column is declared once, with its name, its kind and where its value comes from.

pub mod arguments;
pub mod callbacks;
pub mod collisions;
pub mod coverage;
pub mod cpus;
pub mod crash;
pub mod crossings;
pub mod dlls;
pub mod doctor;
pub mod filter;
pub mod gdt;
pub mod groups;
pub mod handle_types;
pub mod handles;
pub mod holders;
pub mod idt;
pub mod inferred;
pub mod info;
mod inside;
pub mod jobs;
pub mod loggers;
mod members;
pub mod memory;
pub mod mitigations;
pub mod modules;
pub mod objects;
pub mod outline;
pub mod page;
pub mod privileges;
pub mod processes;
pub mod providers;
pub mod security;
pub mod selection;
pub mod sessions;
pub mod silos;
pub mod ssdt;
pub mod subject;
mod text;
pub mod threads;
pub mod timeline;
pub mod tokens;
pub mod translation;
pub mod unloaded;
pub mod vads;
pub mod value;

use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::opened::OpenDump;
pub use crate::spread::{OneByOne, Spread};
use alloc::string::String;
use alloc::vec::Vec;
pub use arguments::{Argument, Arguments, Form, Parameter};
use core::fmt;
pub use outline::{Branch, Outline};
pub use selection::{Selection, SelectionError};
pub use text::Text;
pub use value::{Cell, Kind, Value};

/// All questions that are answered with a table.
pub const QUESTIONS: &[&dyn Question] = &[
    &info::INFO,
    &processes::PROCESSES,
    &mitigations::MITIGATIONS,
    &dlls::DLLS,
    &vads::VADS,
    &threads::THREADS,
    &tokens::TOKENS,
    &groups::GROUPS,
    &privileges::PRIVILEGES,
    &handles::HANDLES,
    &handle_types::HANDLE_TYPES,
    &objects::OBJECTS,
    &holders::HOLDERS,
    &crossings::CROSSINGS,
    &collisions::COLLISIONS,
    &sessions::SESSIONS,
    &jobs::JOBS,
    &silos::SILOS,
    &modules::MODULES,
    &unloaded::UNLOADED,
    &callbacks::CALLBACKS,
    &loggers::LOGGERS,
    &providers::PROVIDERS,
    &crash::CRASH,
    &cpus::CPUS,
    &idt::IDT,
    &gdt::GDT,
    &ssdt::SSDT,
    &security::SECURITY,
    &timeline::TIMELINE,
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

    /// The columns that a terminal shows, with short headings; also those for which only a wide one has room.
    fn screen(&self) -> &'static [Screen];

    /// What narrows the question, all of it optional for the library.
    fn parameters(&self) -> &'static [Parameter];

    /// Answers a question that is narrowed by its parameters with the rows and columns of a selection, which is one of this
    /// question; `spread` shares the filling of rows.
    fn ask_selected(
        &self,
        dump: &OpenDump,
        arguments: &Arguments,
        selection: &Selection,
        spread: &dyn Spread,
    ) -> Result<Table, Error>;

    /// All rows with the columns that are wanted: where every other selection begins.
    fn selection(&self, wanted: Wanted) -> Selection {
        Selection::new(self.name(), self.columns(), self.screen(), wanted)
    }

    /// Answers a question that is narrowed by its parameters, with the columns that are wanted; `spread` shares the filling of rows.
    fn ask_with(
        &self,
        dump: &OpenDump,
        arguments: &Arguments,
        wanted: Wanted,
        spread: &dyn Spread,
    ) -> Result<Table, Error> {
        self.ask_selected(dump, arguments, &self.selection(wanted), spread)
    }

    /// Answers, with the columns that are wanted; `spread` shares the filling of rows.
    fn ask_spread(&self, dump: &OpenDump, wanted: Wanted, spread: &dyn Spread) -> Result<Table, Error> {
        self.ask_with(dump, &Arguments::default(), wanted, spread)
    }

    /// Answers, with the columns that are wanted.
    fn ask(&self, dump: &OpenDump, wanted: Wanted) -> Result<Table, Error> {
        self.ask_spread(dump, wanted, &OneByOne)
    }
}

/// Which columns of an answer are wanted. Finding a value can cost several reads of the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wanted {
    /// All of them.
    #[default]
    All,
    /// Those that every terminal shows.
    Screen,
    /// Those that a wide terminal has room for.
    Wide,
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
    /// How soon it gives way to others.
    pub rank: Rank,
}

/// How soon a column gives way where a terminal is narrow, the last first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What the table is looked at for.
    Key,
    /// What one would miss.
    Main,
    /// What is good to have.
    More,
    /// Shown only where all others have room.
    Wide,
}

impl Screen {
    /// A column under a heading.
    pub const fn named(heading: &'static str, column: &'static str) -> Self {
        Self { heading, column, rank: Rank::More }
    }

    /// The table is looked at for this column.
    #[must_use]
    pub const fn key(self) -> Self {
        Self { rank: Rank::Key, ..self }
    }

    /// One would miss this column.
    #[must_use]
    pub const fn main(self) -> Self {
        Self { rank: Rank::Main, ..self }
    }

    /// Only a wide terminal shows this column.
    #[must_use]
    pub const fn wide(self) -> Self {
        Self { rank: Rank::Wide, ..self }
    }

    /// Whether only a wide terminal shows it.
    pub fn is_wide(self) -> bool {
        self.rank == Rank::Wide
    }
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
    pub screen: Vec<Screen>,
    /// Whether it has one row, which a terminal shows from top to bottom.
    pub record: bool,
    /// How its rows hang together, if that is shown.
    pub outline: Option<Outline>,
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
        let all = Selection::new(self.name, self.headings(), self.screen, Wanted::All);
        all.fill(self, rows, incomplete, &OneByOne)
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

    fn ask_selected(
        &self,
        dump: &OpenDump,
        arguments: &Arguments,
        selection: &Selection,
        spread: &dyn Spread,
    ) -> Result<Table, Error> {
        let (rows, missing) = (self.rows)(dump, arguments)?;
        // What was wrong when the dump was opened limits every answer.
        let mut incomplete = dump.incomplete().to_vec();
        incomplete.extend(missing);
        let mut table = selection.fill(&self.table, &rows, incomplete, spread);
        table.remarks.splice(..0, (self.remarks)(&rows));
        table.incomplete.extend(dump.changed());
        Ok(table)
    }
}

/// Short for a column of a terminal.
pub const fn screen(heading: &'static str, column: &'static str) -> Screen {
    Screen::named(heading, column)
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
