//! Filters: which rows of a table are meant.
//!
//! ```text
//! filter  = all { "or" all }
//! all     = one { "and" one }
//! one     = "not" one | "(" filter ")" | test
//! test    = COLUMN                                   of a yes-or-no column: it is yes
//!         | COLUMN ("=" | "!=") value                texts are compared without regard to case
//!         | COLUMN ("<" | "<=" | ">" | ">=") value   numbers, addresses, times
//!         | COLUMN ("~" | "!~") text                 with wildcards, "*" and "?"; of a list: one of its texts fits
//!         | COLUMN "has" value                       of a list: it is one of them
//!         | COLUMN "in" "(" value { "," value } ")"  it is one of these
//!         | COLUMN "is" ["not"] "null"               there is none, for whatever reason
//!         | "absent" "(" COLUMN ")"                  there should be one, and a reason says why it is missing
//! value   = number (1234, 0x4d2) | time (2024-03-02, 2024-03-02T10:11:12Z) | "yes" | "no" | text
//! text    = a word, or characters in quotes ("..." or '...'); the quote itself is doubled
//! ```
//!
//! `==`, `&&` and `||` are other ways to write `=`, `and` and `or`. The value is read by the kind of the column.
//!
//! A value that is simply not there (`null`, also where the question makes no sense) equals nothing, differs from
//! everything, and is neither before nor behind anything: never 0. A value that is missing for another reason, such as a page that is not in the
//! dump, could be anything: a test of it is neither true nor false, and what depends on it is undecided. Only rows for which
//! the filter is true are shown; those that are undecided are counted.

mod parser;
mod token;

use super::selection::SelectionError;
use super::{Cell, Heading, Kind, Screen, Value};
use crate::absent::Absent;
use crate::nt::time::FileTime;
use crate::pattern::Pattern;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

/// A filter over the columns of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    columns: Vec<Heading>,
    expression: Expression,
}

/// Parentheses and negations inside one another.
const MAX_DEPTH: usize = 64;

impl Filter {
    /// Reads a filter over the columns of a table; `screen` tells under which headings users know them.
    pub fn parse(table: &str, headings: &[Heading], screen: &[Screen], text: &str) -> Result<Self, SelectionError> {
        parser::parse(&super::selection::Names { table, headings, screen }, text)
    }

    /// The columns that it looks at, each once.
    pub fn columns(&self) -> &[Heading] {
        &self.columns
    }

    /// Whether a row fits, by its cells of [`Self::columns`] in their order; `None` if a value that is missing decides it.
    pub fn test(&self, cells: &[Cell]) -> Option<bool> {
        self.expression.test(cells)
    }
}

/// The filter in a form that is read as the same filter again.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.write(f, &self.columns, false)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    /// Of at least two.
    Or(Vec<Self>),
    /// Of at least two.
    And(Vec<Self>),
    Not(Box<Self>),
    Test(Test),
}

/// A question about one column: its place in the filter's list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    column: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Yes,
    Absent,
    Null { is: bool },
    Like { is: bool, pattern: Pattern },
    Compare(Comparison, Literal),
    Has(Literal),
    In(Vec<Literal>),
}

/// What is asked of the order of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Different,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    const ALL: [(&'static str, Self); 6] = [
        ("=", Self::Equal),
        ("!=", Self::Different),
        ("<", Self::Less),
        ("<=", Self::AtMost),
        (">", Self::More),
        (">=", Self::AtLeast),
    ];

    fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(_, comparison)| *comparison == self).map_or("", |(sign, _)| sign)
    }

    fn is_of_order(self) -> bool {
        !matches!(self, Self::Equal | Self::Different)
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Different => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// A value that the user wrote, of the kind of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Literal {
    Bool(bool),
    /// A number, a code, an address, a duration in units of 100 ns, or thousandths of certainty.
    Number(u64),
    Time(FileTime),
    Text(String),
}

impl Literal {
    /// How a value of the dump stands to this one.
    fn order(&self, value: &Value) -> Option<Ordering> {
        Some(match (value, self) {
            (Value::Bool(found), Self::Bool(wanted)) => found.cmp(wanted),
            (
                Value::Uint(found) | Value::Code(found) | Value::Address(found) | Value::Duration(found),
                Self::Number(wanted),
            ) => found.cmp(wanted),
            (Value::Confidence(found), Self::Number(wanted)) => u64::from(*found).cmp(wanted),
            (Value::Time(found), Self::Time(wanted)) => found.cmp(wanted),
            // Texts have no order here: only whether they are equal counts.
            (Value::Text(found), Self::Text(wanted)) if found.eq_ignore_ascii_case(wanted) => Ordering::Equal,
            (Value::Text(_), Self::Text(_)) => Ordering::Less,
            _ => return None,
        })
    }

    /// Whether it is one of several values.
    fn is_in(&self, value: &Value) -> bool {
        match (value, self) {
            (Value::List(found), Self::Text(wanted)) => found.iter().any(|text| text.eq_ignore_ascii_case(wanted)),
            (Value::Numbers(found) | Value::Addresses(found), Self::Number(wanted)) => found.contains(wanted),
            _ => false,
        }
    }
}

impl Expression {
    /// The logic of three values: what is not known is so unless the rest decides.
    fn test(&self, cells: &[Cell]) -> Option<bool> {
        match self {
            Self::Or(parts) => disjunction(parts.iter().map(|part| part.test(cells))),
            Self::And(parts) => disjunction(parts.iter().map(|part| part.test(cells).map(|is| !is))).map(|is| !is),
            Self::Not(part) => part.test(cells).map(|is| !is),
            Self::Test(test) => test.what.test(cells.get(test.column)?),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, columns: &[Heading], inside: bool) -> fmt::Result {
        let (parts, word) = match self {
            Self::Or(parts) => (parts, " or "),
            Self::And(parts) => (parts, " and "),
            Self::Not(part) => {
                f.write_str("not ")?;
                return part.write(f, columns, true);
            }
            Self::Test(test) => return test.write(f, columns),
        };
        f.write_str(if inside { "(" } else { "" })?;
        for (index, part) in parts.iter().enumerate() {
            f.write_str(if index > 0 { word } else { "" })?;
            part.write(f, columns, true)?;
        }
        f.write_str(if inside { ")" } else { "" })
    }
}

/// Whether one is true; not known if none is, but one could be.
fn disjunction(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for part in parts {
        match part {
            Some(true) => return Some(true),
            Some(false) => {}
            None => known = false,
        }
    }
    known.then_some(false)
}

impl What {
    fn test(&self, cell: &Cell) -> Option<bool> {
        let value = match (self, cell) {
            (Self::Null { is }, _) => return Some(cell.value().is_none() == *is),
            (Self::Absent, _) => return Some(cell.absent().is_some()),
            (_, Cell::Value(value)) => value,
            (_, Cell::Absent(why)) if *why != Absent::NotApplicable => return None,
            // There is none: it differs from everything.
            (Self::Compare(Comparison::Different, _) | Self::Like { is: false, .. }, _) => return Some(true),
            _ => return Some(false),
        };
        Some(match self {
            Self::Yes => *value == Value::Bool(true),
            Self::Like { is, pattern } => is_like(value, pattern) == *is,
            Self::Compare(comparison, literal) => literal.order(value).is_some_and(|order| comparison.holds(order)),
            Self::Has(literal) => literal.is_in(value),
            Self::In(literals) => literals.iter().any(|literal| literal.order(value) == Some(Ordering::Equal)),
            Self::Null { .. } | Self::Absent => false,
        })
    }
}

fn is_like(value: &Value, pattern: &Pattern) -> bool {
    match value {
        Value::Text(text) => pattern.matches(text),
        Value::List(texts) => texts.iter().any(|text| pattern.matches(text)),
        _ => false,
    }
}

impl Test {
    fn write(&self, f: &mut fmt::Formatter<'_>, columns: &[Heading]) -> fmt::Result {
        let Some(Heading { name, kind, .. }) = columns.get(self.column) else { return Err(fmt::Error) };
        match &self.what {
            What::Yes => f.write_str(name),
            What::Absent => write!(f, "absent({name})"),
            What::Null { is } => write!(f, "{name} is {}null", if *is { "" } else { "not " }),
            What::Like { is, pattern } => write!(f, "{name} {} {}", if *is { "~" } else { "!~" }, Quoted(pattern)),
            What::Compare(comparison, literal) => {
                write!(f, "{name} {} ", comparison.sign())?;
                literal.write(f, *kind)
            }
            What::Has(literal) => {
                write!(f, "{name} has ")?;
                literal.write(f, *kind)
            }
            What::In(literals) => {
                write!(f, "{name} in (")?;
                for (index, literal) in literals.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    literal.write(f, *kind)?;
                }
                f.write_str(")")
            }
        }
    }
}

impl Literal {
    fn write(&self, f: &mut fmt::Formatter<'_>, kind: Kind) -> fmt::Result {
        match (self, kind) {
            (Self::Bool(is), _) => f.write_str(if *is { "yes" } else { "no" }),
            (Self::Number(number), Kind::Code) => write!(f, "{number:#x}"),
            (Self::Number(number), Kind::Address | Kind::Addresses) => write!(f, "{number:#018x}"),
            (Self::Number(units), Kind::Duration) => {
                write!(f, "{}.{:07}", units / FileTime::PER_SECOND, units % FileTime::PER_SECOND)
            }
            (Self::Number(thousandths), Kind::Confidence) => {
                write!(f, "{}.{:03}", thousandths / 1000, thousandths % 1000)
            }
            (Self::Number(number), _) => write!(f, "{number}"),
            (Self::Time(time), _) => write!(f, "{time}"),
            (Self::Text(text), _) => write!(f, "{}", Quoted(text)),
        }
    }
}

/// A text in quotes, with those inside doubled.
struct Quoted<T>(T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", alloc::format!("{}", self.0).replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests;
