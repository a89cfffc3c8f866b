//! A set of frames: a bitmap in words, of which only those with a frame exist. However far apart frames are, each takes
//! little more than 16 bytes.

use ntlens_core::address::Pfn;
use std::collections::BTreeMap;

/// Frames of one word.
const WORD: u64 = 64;

/// Frames by their numbers, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameSet(BTreeMap<u64, u64>);

impl FrameSet {
    fn place(pfn: Pfn) -> (u64, u64) {
        (pfn.0 / WORD, 1 << (pfn.0 % WORD))
    }

    /// Adds a frame; whether it is new.
    pub(super) fn insert(&mut self, pfn: Pfn) -> bool {
        let (word, bit) = Self::place(pfn);
        let word = self.0.entry(word).or_default();
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Whether a frame is in it.
    pub(super) fn contains(&self, pfn: Pfn) -> bool {
        let (word, bit) = Self::place(pfn);
        self.0.get(&word).is_some_and(|word| word & bit != 0)
    }

    /// Keeps the frames that pass a test.
    pub(super) fn retain(&mut self, keep: impl Fn(Pfn) -> bool) {
        self.0.retain(|index, word| {
            for bit in 0..WORD {
                if *word >> bit & 1 == 1 && !keep(Pfn(index * WORD + bit)) {
                    *word &= !(1 << bit);
                }
            }
            *word != 0
        });
    }

    /// The frames in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = Pfn> + '_ {
        self.0.iter().flat_map(|(index, word)| {
            let set = (0..WORD).filter(move |bit| word >> bit & 1 == 1);
            set.map(move |bit| Pfn(index * WORD + bit))
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.values().map(|word| u64::from(word.count_ones())).sum()
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
