//! Tells a list of fields as edits of another one.

use ntlens_core::layout::{Name, Type};
use std::collections::BTreeMap;

/// A field of a structure or a constant of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Name,
    /// `None` for a constant.
    pub(super) ty: Option<Type>,
    pub(super) at: i64,
}

/// One edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Copies fields of the base, their offsets shifted.
    Copy { count: usize, shift: i64 },
    /// Leaves fields of the base out.
    Skip { count: usize },
    /// Inserts new fields.
    Insert { count: usize },
}

/// How to make `new` from `base`.
pub(super) fn edits(base: &[Field], new: &[Field]) -> Vec<Edit> {
    let mut places: BTreeMap<(&Name, &Option<Type>), Vec<usize>> = BTreeMap::new();
    for (place, field) in base.iter().enumerate().rev() {
        places.entry((&field.name, &field.ty)).or_default().push(place);
    }
    let found: Vec<Option<usize>> =
        new.iter().map(|field| places.get_mut(&(&field.name, &field.ty)).and_then(Vec::pop)).collect();
    let kept = longest_rise(&found);
    let mut edits = Vec::new();
    let mut at = 0;
    for ((field, place), kept) in new.iter().zip(&found).zip(kept) {
        let Some((place, old)) = place.filter(|_| kept).and_then(|place| Some((place, base.get(place)?))) else {
            match edits.last_mut() {
                Some(Edit::Insert { count }) => *count += 1,
                _ => edits.push(Edit::Insert { count: 1 }),
            }
            continue;
        };
        if place > at {
            edits.push(Edit::Skip { count: place - at });
        }
        let new_shift = field.at.wrapping_sub(old.at);
        match edits.last_mut() {
            Some(Edit::Copy { count, shift }) if *shift == new_shift => *count += 1,
            _ => edits.push(Edit::Copy { count: 1, shift: new_shift }),
        }
        at = place + 1;
    }
    edits
}

/// Marks the longest subsequence that only rises.
fn longest_rise(values: &[Option<usize>]) -> Vec<bool> {
    // tails: for each length, the index of the smallest last value of a rise that long.
    let mut tails: Vec<(usize, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; values.len()];
    for (index, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let length = tails.partition_point(|(tail, _)| *tail < value);
        if let Some(slot) = before.get_mut(index) {
            *slot = length.checked_sub(1).and_then(|shorter| tails.get(shorter)).map(|(_, index)| *index);
        }
        match tails.get_mut(length) {
            Some(tail) => *tail = (value, index),
            None => tails.push((value, index)),
        }
    }
    let mut marks = vec![false; values.len()];
    let mut next = tails.last().map(|(_, index)| *index);
    while let Some(index) = next {
        if let Some(mark) = marks.get_mut(index) {
            *mark = true;
        }
        next = before.get(index).copied().flatten();
    }
    marks
}

/// About how many bytes the edits take, to choose between bases.
pub(super) fn cost(edits: &[Edit]) -> usize {
    edits
        .iter()
        .map(|edit| match edit {
            Edit::Copy { .. } => 3,
            Edit::Skip { .. } => 2,
            Edit::Insert { count } => 2 + 4 * count,
        })
        .sum()
}
