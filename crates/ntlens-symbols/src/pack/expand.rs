//! The fields of a definition, made by its edits from those of its base.

use super::PackError;
use super::coder::filled;
use super::definitions::{Definitions, Edit, MAX_FIELDS, RawField};
use alloc::vec::Vec;
use core::ops::Range;

/// Fields of the definitions that were asked for, and of their bases.
#[derive(Debug)]
pub(super) struct Expanded {
    fields: Vec<RawField>,
    of: Vec<Option<Range<usize>>>,
}

impl Expanded {
    pub(super) fn new(definitions: &Definitions<'_>) -> Self {
        Self { fields: Vec::new(), of: filled(None, definitions.len()) }
    }

    /// Where the fields of a definition are; to be given to [`Self::get`].
    pub(super) fn expand(&mut self, definitions: &Definitions<'_>, index: usize) -> Result<Range<usize>, PackError> {
        // Down to a definition that is there or has no base: a base is always earlier, so this ends.
        let mut open = Vec::new();
        let mut next = Some(index);
        let mut base = 0..0;
        while let Some(index) = next {
            if let Some(Some(known)) = self.of.get(index) {
                base = known.clone();
                break;
            }
            open.push(index);
            next = definitions.get(index).ok_or(PackError::Invalid("definition"))?.base;
        }
        while let Some(index) = open.pop() {
            base = self.apply(definitions, index, base)?;
            if let Some(slot) = self.of.get_mut(index) {
                *slot = Some(base.clone());
            }
        }
        Ok(base)
    }

    fn apply(
        &mut self,
        definitions: &Definitions<'_>,
        index: usize,
        mut base: Range<usize>,
    ) -> Result<Range<usize>, PackError> {
        let definition = definitions.get(index).ok_or(PackError::Invalid("definition"))?;
        let mut inserted = definitions.inserted_from(definition);
        let mut edits = definition.edits();
        let start = self.fields.len();
        let mut shift = 0_i64;
        while let Some(edit) = edits.next()? {
            match edit {
                Edit::Copy(count, change) => {
                    shift = shift.wrapping_add(change);
                    let copied = self.fields.len();
                    self.check_room(count)?;
                    self.fields.extend_from_within(advance(&mut base, count)?);
                    if shift != 0 {
                        for field in self.fields.get_mut(copied..).unwrap_or_default() {
                            field.at = field.at.wrapping_add(shift);
                        }
                    }
                }
                Edit::Skip(count) => {
                    advance(&mut base, count)?;
                }
                Edit::Insert(count) => {
                    self.check_room(count)?;
                    let before = self.fields.get(start..).and_then(<[_]>::last).map_or(0, |field| field.at);
                    let (these, rest) = inserted.split_at_checked(count).ok_or(PackError::Invalid("edit"))?;
                    inserted = rest;
                    self.fields
                        .extend(these.iter().map(|field| RawField { at: before.wrapping_add(field.at), ..*field }));
                }
            }
        }
        Ok(start..self.fields.len())
    }

    fn check_room(&self, count: usize) -> Result<(), PackError> {
        if count > MAX_FIELDS.saturating_sub(self.fields.len()) {
            return Err(PackError::TooLarge("structures"));
        }
        Ok(())
    }

    pub(super) fn get(&self, at: usize) -> Option<RawField> {
        self.fields.get(at).copied()
    }
}

/// Takes the next `count` of a range.
fn advance(range: &mut Range<usize>, count: usize) -> Result<Range<usize>, PackError> {
    let end = range.start.saturating_add(count);
    if end > range.end {
        return Err(PackError::Invalid("edit"));
    }
    let taken = range.start..end;
    range.start = end;
    Ok(taken)
}
