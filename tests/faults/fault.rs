//! What a class of faults is, and one fault.

use crate::patched::Patched;
use crate::subject::Subject;
use ntlens_testkit::Kind;
use std::ops::Range;
use std::sync::Arc;

/// Who must notice a fault, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// `doctor` names place, structure, field, what was found and what was expected.
    Name,
    /// An answer says that something is missing or cannot be, or one cell why it is empty.
    Tell,
    /// The field may hold this, as far as anybody can tell from the dump: nothing is said, and nothing else changes.
    Nothing,
}

/// Whether the dump must open, and its kernel be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// Every row of every table that the fault itself does not touch.
    Everything,
    /// The dump opens; what is left depends on where things lie in it.
    WhatIsLeft,
    /// Perhaps nothing: an error is an answer.
    Perhaps,
}

/// Tells whether a kind of dump is one of some.
pub(crate) type Kinds = fn(Kind) -> bool;

/// A class of faults.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// What it breaks.
    pub(crate) breaks: &'static str,
    /// The kinds of dumps that it is made in; in those that do not hold what it breaks, it makes nothing.
    pub(crate) kinds: Kinds,
    pub(crate) must: Must,
    pub(crate) keeps: Keeps,
    /// Every one of its faults is made each time: the fields of the file itself.
    pub(crate) every: bool,
    /// All faults of the class in a dump, in the order in which they are made.
    pub(crate) make: fn(&Subject) -> Vec<Fault>,
}

/// One fault.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    patches: Vec<(u64, Vec<u8>)>,
    cut: Option<u64>,
    /// Places in the file at which the fault may be named.
    pub(crate) places: Vec<Range<u64>>,
    /// The field that has to be named, if it has to be a certain one.
    pub(crate) field: Option<&'static str>,
    /// Rows that it may cost or change, as table and key; an empty key is all of the table.
    pub(crate) touches: Vec<(&'static str, String)>,
}

impl Fault {
    /// Bytes at a place of the file.
    pub(crate) fn at(what: impl Into<String>, offset: u64, bytes: &[u8]) -> Self {
        let what = what.into();
        let fault = Self { what, patches: Vec::new(), cut: None, places: Vec::new(), field: None, touches: Vec::new() };
        fault.and(offset, bytes)
    }

    /// The end of the file is missing.
    pub(crate) fn cut(what: impl Into<String>, length: u64) -> Self {
        let fault = Self::at(what, length, &[]);
        // What is missing can be told anywhere.
        let places = std::iter::once(0..u64::MAX).collect();
        Self { patches: Vec::new(), cut: Some(length), places, ..fault }
    }

    /// Further bytes.
    pub(crate) fn and(mut self, offset: u64, bytes: &[u8]) -> Self {
        self.patches.push((offset, bytes.to_vec()));
        // Of a list's entry or of a run, the first field is named.
        self.places.push(offset.saturating_sub(8)..offset + bytes.len().max(1) as u64);
        self
    }

    pub(crate) fn field(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    /// It may be named somewhere else, too: where what is broken is found by another way.
    pub(crate) fn or_at(mut self, offset: Option<u64>) -> Self {
        self.places.extend(offset.map(|at| at.saturating_sub(8)..at + 16));
        self
    }

    /// It may be named anywhere in a structure of this size.
    pub(crate) fn or_near(mut self, offset: Option<u64>, size: u64) -> Self {
        self.places.extend(offset.map(|at| at..at + size));
        self
    }

    /// Whether the file holds those bytes anyway.
    pub(crate) fn changes_nothing(&self, bytes: &[u8]) -> bool {
        let at = |offset: u64| usize::try_from(offset).unwrap();
        self.cut.is_none()
            && self.patches.iter().all(|(offset, patch)| bytes[at(*offset)..][..patch.len()] == patch[..])
    }

    /// It may cost or change this row, or all rows of a process.
    pub(crate) fn touches(mut self, table: &'static str, key: impl Into<String>) -> Self {
        self.touches.push((table, key.into()));
        self
    }

    pub(crate) fn make(&self, bytes: &Arc<Vec<u8>>) -> Patched {
        let patched = self.patches.iter().fold(Patched::of(bytes), |patched, (at, bytes)| patched.set(*at, bytes));
        match self.cut {
            Some(length) => patched.cut(length),
            None => patched,
        }
    }
}
