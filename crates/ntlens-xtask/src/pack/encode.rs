//! The writing counterparts of the decoder's small parts; `ntlens_symbols::pack` tells the format.

use std::collections::BTreeMap;

/// No index: what stands before the first of a definition, and the type of an enumeration's constant.
pub(super) const NONE: usize = usize::MAX;

/// Bytes that grow.
#[derive(Clone, Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    /// An unsigned number: seven bits per byte, the lowest first.
    pub(super) fn number(&mut self, value: impl TryInto<u64>) {
        // Every number of the writer is a length, an index or a value below 2^64.
        let mut value = value.try_into().unwrap_or(u64::MAX);
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    /// A signed number, folded.
    pub(super) fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// Bytes with their length before them.
    pub(super) fn part(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

/// A list whose entries stand in the order of their first use, and the prediction of what follows what.
#[derive(Debug)]
pub(super) struct Indexes<T> {
    pub(super) list: Vec<T>,
    known: BTreeMap<T, usize>,
    unused: usize,
    followers: BTreeMap<usize, usize>,
}

impl<T> Default for Indexes<T> {
    fn default() -> Self {
        Self { list: Vec::new(), known: BTreeMap::new(), unused: 0, followers: BTreeMap::new() }
    }
}

impl<T: Clone + Ord> Indexes<T> {
    /// The entry's index; it is added if it is new.
    pub(super) fn intern(&mut self, entry: &T) -> usize {
        if let Some(index) = self.known.get(entry) {
            return *index;
        }
        self.list.push(entry.clone());
        self.known.insert(entry.clone(), self.list.len() - 1);
        self.list.len() - 1
    }

    pub(super) fn get(&self, entry: &T) -> Option<usize> {
        self.known.get(entry).copied()
    }

    /// Writes the entry's index.
    pub(super) fn write(&mut self, out: &mut Out, entry: &T, previous: usize) -> usize {
        let index = self.intern(entry);
        if index == self.unused {
            self.unused += 1;
            out.number(0_u8);
        } else if self.followers.get(&previous) == Some(&index) {
            out.number(1_u8);
        } else {
            out.number(index + 2);
        }
        if previous != NONE {
            self.followers.insert(previous, index);
        }
        index
    }
}

/// The prediction of offsets.
#[derive(Debug, Default)]
pub(super) struct Steps {
    by_type: BTreeMap<usize, i64>,
}

impl Steps {
    pub(super) fn write(&mut self, out: &mut Out, at: i64, previous: Option<i64>, ty: usize, same_word: bool) {
        match previous {
            None => out.signed(at),
            Some(previous) if same_word => out.signed(at.wrapping_sub(previous)),
            Some(previous) => {
                let step = at.wrapping_sub(previous);
                let expected = self.by_type.entry(ty).or_default();
                out.signed(step.wrapping_sub(*expected));
                *expected = step;
            }
        }
    }
}
