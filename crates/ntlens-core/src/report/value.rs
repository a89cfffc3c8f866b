//! What one cell of a table holds.

use crate::absent::Absent;
use crate::address::{PhysAddr, VirtAddr};
use crate::nt::time::FileTime;
use crate::report::Text;
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

/// A value of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A number.
    Uint(u64),
    /// A number that people know in hexadecimal: a code, a mask.
    Code(u64),
    /// An address, virtual or physical.
    Address(u64),
    /// A moment.
    Time(FileTime),
    /// A span of time in units of 100 ns; shown in seconds.
    Duration(u64),
    /// How sure something is, in thousandths; shown from 0 to 1.
    Confidence(u16),
    /// Text, as exact as it could be decoded: it comes from the dump and is escaped where it is shown.
    Text(Text),
    /// Several texts.
    List(Vec<Text>),
    /// Several addresses or numbers shown like them.
    Addresses(Vec<u64>),
    /// Several numbers.
    Numbers(Vec<u64>),
}

/// The kind of values in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kinds are those of `Value`")]
#[non_exhaustive]
pub enum Kind {
    Bool,
    Uint,
    Code,
    Address,
    Time,
    Duration,
    Confidence,
    Text,
    List,
    Addresses,
    Numbers,
}

impl Value {
    /// The order of two values of one column; lists are ordered by their first difference.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (
                Self::Uint(left) | Self::Code(left) | Self::Address(left) | Self::Duration(left),
                Self::Uint(right) | Self::Code(right) | Self::Address(right) | Self::Duration(right),
            ) => left.cmp(right),
            (Self::Time(left), Self::Time(right)) => left.cmp(right),
            (Self::Confidence(left), Self::Confidence(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::List(left), Self::List(right)) => left.iter().map(Text::as_str).cmp(right.iter().map(Text::as_str)),
            (Self::Addresses(left), Self::Addresses(right)) => left.cmp(right),
            // A column holds values of one kind.
            _ => Ordering::Equal,
        }
    }
}

/// As plain text: numbers in decimal, addresses with 16 digits, spans of time in seconds, lists with spaces between.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Uint(value) | Self::Code(value) => value.fmt(f),
            Self::Address(value) => write!(f, "{value:#018x}"),
            Self::Time(value) => value.fmt(f),
            Self::Duration(units) => {
                write!(f, "{}.{:07}", units / FileTime::PER_SECOND, units % FileTime::PER_SECOND)
            }
            Self::Confidence(thousandths) => write!(f, "{}.{:03}", thousandths / 1000, thousandths % 1000),
            Self::Text(text) => f.write_str(text),
            Self::List(texts) => joined(f, texts.iter().map(Text::as_str)),
            Self::Numbers(values) => joined(f, values),
            Self::Addresses(values) => joined(f, values.iter().map(|value| format_args!("{value:#018x}").to_string())),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, all: impl IntoIterator<Item = impl fmt::Display>) -> fmt::Result {
    for (place, one) in all.into_iter().enumerate() {
        if place > 0 {
            f.write_str(" ")?;
        }
        one.fmt(f)?;
    }
    Ok(())
}

impl Kind {
    /// Whether a cell holds several values.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Numbers | Self::Addresses)
    }
}

/// A span of time in units of 100 ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub u64);

/// Several numbers, such as process ids.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Numbers(pub Vec<u64>);

/// How sure something is, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence(pub f32);

impl From<Confidence> for Cell {
    fn from(value: Confidence) -> Self {
        // A part of a thousand, rounded: the number is between 0 and 1.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
        let thousandths = (value.0.clamp(0.0, 1.0) * 1000.0 + 0.5) as u16;
        Self::Value(Value::Confidence(thousandths))
    }
}

/// A number that people know in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u64);

/// One cell: a value, nothing, or the reason why a value is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A value.
    Value(Value),
    /// There is simply none.
    Null,
    /// There should be one.
    Absent(Absent),
}

impl Cell {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Null | Self::Absent(_) => None,
        }
    }

    /// Why there is no value.
    pub fn absent(&self) -> Option<Absent> {
        match self {
            Self::Absent(why) => Some(*why),
            Self::Value(_) | Self::Null => None,
        }
    }
}

macro_rules! cells {
    ($($ty:ty => |$value:ident| $make:expr;)+) => {$(
        impl From<$ty> for Cell {
            fn from($value: $ty) -> Self {
                Self::Value($make)
            }
        }
    )+};
}

cells! {
    bool => |value| Value::Bool(value);
    u8 => |value| Value::Uint(value.into());
    u32 => |value| Value::Uint(value.into());
    u64 => |value| Value::Uint(value);
    VirtAddr => |value| Value::Address(value.0);
    PhysAddr => |value| Value::Address(value.0);
    FileTime => |value| Value::Time(value);
    Duration => |value| Value::Duration(value.0);
    Code => |value| Value::Code(value.0);
    String => |value| Value::Text(value.into());
    &str => |value| Value::Text(value.into());
    Arc<str> => |value| Value::Text(value.into());
    Text => |value| Value::Text(value);
    Vec<String> => |value| Value::List(value.into_iter().map(Text::from).collect());
    Vec<&'static str> => |value| Value::List(value.into_iter().map(Text::fixed).collect());
    Vec<Cow<'static, str>> => |value| Value::List(value.into_iter().map(Text::from).collect());
    Vec<Text> => |value| Value::List(value);
    Vec<u64> => |value| Value::Addresses(value);
    Numbers => |value| Value::Numbers(value.0);
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Cell>> From<Result<T, Absent>> for Cell {
    fn from(value: Result<T, Absent>) -> Self {
        value.map_or_else(Self::Absent, Into::into)
    }
}
