//! Indexes that mostly need no number: the next one never seen before, or what followed last time.

use super::{Cursor, PackError};
use alloc::vec;
use alloc::vec::Vec;

/// No index: what stands before the first of a definition, and the type of an enumeration's constant.
pub(super) const NONE: u32 = u32::MAX;

/// Reads indexes into a list whose entries stand in the order of their first use. Code 0 is the next unused entry,
/// code 1 what followed the previous index the last time, code n + 2 entry n.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    unused: u32,
    followers: Vec<u32>,
}

impl Indexes {
    /// Makes room for a list that has become `len` long.
    pub(super) fn grow(&mut self, len: usize) {
        self.followers.resize(len, NONE);
    }

    /// The next index; `previous` is what stands before it.
    #[inline]
    pub(super) fn next(&mut self, from: &mut Cursor<'_>, previous: u32) -> Result<u32, PackError> {
        let slot = self.followers.get(previous as usize).copied();
        let index = match from.number()? {
            0 => {
                let index = self.unused;
                self.unused = index.checked_add(1).ok_or(PackError::Invalid("index"))?;
                index
            }
            1 => slot.unwrap_or(NONE),
            code => u32::try_from(code - 2).map_err(|_| PackError::Invalid("index"))?,
        };
        if index as usize >= self.followers.len() {
            return Err(PackError::Invalid("index"));
        }
        if let Some(slot) = self.followers.get_mut(previous as usize) {
            *slot = index;
        }
        Ok(index)
    }
}

/// Reads the offsets of fields that are inserted together, from the field before them. The first is told as it is; each
/// other one is the previous plus a step. The step is told as the difference from the one after a field of the same type
/// the last time; between bits (the later not at position 0) as it is, for they mostly share a word.
#[derive(Debug, Default)]
pub(super) struct Steps {
    by_type: Vec<i64>,
    /// The step between constants of an enumeration: their fields have no type.
    constants: i64,
}

impl Steps {
    pub(super) fn grow(&mut self, len: usize) {
        self.by_type.resize(len, 0);
    }

    /// The next offset; `previous` is the one before it, and `ty` that field's type.
    #[inline]
    pub(super) fn next(
        &mut self,
        from: &mut Cursor<'_>,
        previous: Option<i64>,
        ty: u32,
        same_word: bool,
    ) -> Result<i64, PackError> {
        let told = from.signed()?;
        let Some(previous) = previous else { return Ok(told) };
        if same_word {
            return Ok(previous.wrapping_add(told));
        }
        let expected = self.by_type.get_mut(ty as usize).unwrap_or(&mut self.constants);
        *expected = expected.wrapping_add(told);
        Ok(previous.wrapping_add(*expected))
    }
}

/// A list of room for `count` things of type `T`.
pub(super) fn filled<T: Clone>(value: T, count: usize) -> Vec<T> {
    vec![value; count]
}
