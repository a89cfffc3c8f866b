//! A set of frames: a bitmap in pieces, of which only those with a frame exist.

use ntlens_core::address::Pfn;
use std::collections::BTreeMap;

/// Frames of one piece.
const PIECE: u64 = 1 << 15;
/// Words of one piece.
const WORDS: usize = 1 << 9;

/// Frames by their numbers, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameSet(BTreeMap<u64, Box<[u64; WORDS]>>);

impl FrameSet {
    fn place(pfn: Pfn) -> (u64, usize, u64) {
        let within = pfn.0 % PIECE;
        (pfn.0 / PIECE, usize::try_from(within / 64).unwrap_or(0), 1 << (within % 64))
    }

    /// Adds a frame; whether it is new.
    pub(super) fn insert(&mut self, pfn: Pfn) -> bool {
        let (piece, word, bit) = Self::place(pfn);
        let words = self.0.entry(piece).or_insert_with(|| Box::new([0; WORDS]));
        let Some(word) = words.get_mut(word) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Whether a frame is in it.
    pub(super) fn contains(&self, pfn: Pfn) -> bool {
        let (piece, word, bit) = Self::place(pfn);
        self.0.get(&piece).and_then(|words| words.get(word)).is_some_and(|word| word & bit != 0)
    }

    /// Keeps the frames that pass a test.
    pub(super) fn retain(&mut self, keep: impl Fn(Pfn) -> bool) {
        for (piece, words) in &mut self.0 {
            for (index, word) in (0_u64..).zip(words.iter_mut()) {
                for bit in 0..64 {
                    if *word >> bit & 1 == 1 && !keep(Pfn(piece * PIECE + index * 64 + bit)) {
                        *word &= !(1 << bit);
                    }
                }
            }
        }
    }

    /// The frames in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = Pfn> + '_ {
        self.0.iter().flat_map(|(piece, words)| {
            (0_u64..).zip(words.iter()).flat_map(move |(index, word)| {
                let set = (0..64).filter(move |bit| word >> bit & 1 == 1);
                set.map(move |bit| Pfn(piece * PIECE + index * 64 + bit))
            })
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.values().flat_map(|words| words.iter()).map(|word| u64::from(word.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_is_a_set() {
        let numbers = [0, 1, 63, 64, 0x7fff, 0x8000, 0x12_3456, (1 << 40) - 1, 64];
        let mut set = FrameSet::default();
        let new: Vec<bool> = numbers.iter().map(|number| set.insert(Pfn(*number))).collect();
        assert_eq!(new.iter().filter(|new| **new).count(), 8);
        let expected: BTreeSet<u64> = numbers.into();
        assert_eq!(set.iter().map(|pfn| pfn.0).collect::<Vec<_>>(), expected.iter().copied().collect::<Vec<_>>());
        assert_eq!(set.len(), 8);
        set.retain(|pfn| pfn.0 % 2 == 0);
        assert!(set.contains(Pfn(64)) && !set.contains(Pfn(63)) && !set.contains(Pfn(2)));
        assert_eq!(set.len(), 4);
    }
}
