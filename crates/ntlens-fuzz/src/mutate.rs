//! A mutator that always does the same: for tests, which must fail again when they failed once.

/// Numbers from a seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of a name.
    pub fn of(name: &str) -> Self {
        Self(
            name.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
        )
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    /// A number below a bound; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next_u64() >> 1).unwrap_or(0) % bound.max(1)
    }
}

/// Numbers that break things.
const EXTREMES: [u64; 12] = [
    0,
    1,
    7,
    0xff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
    0xffff_8000_0000_0000,
    0x8000_0000_0000,
];

/// An input with one to eight changes; `other` is another one, from which pieces are taken.
pub fn mutated(numbers: &mut Numbers, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(9) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
            2 => {
                let value = u8::try_from(numbers.below(256)).unwrap_or(0);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = value);
            }
            3 | 4 => {
                // In whole numbers, of four bytes or eight, which most often lie at multiples of four.
                let value = EXTREMES[numbers.below(EXTREMES.len())];
                let (at, size) = (at & !3, if numbers.below(2) == 0 { 4 } else { 8 });
                for (place, byte) in bytes.iter_mut().skip(at).take(size).zip(value.to_le_bytes()) {
                    *place = byte;
                }
            }
            5 => bytes.truncate(at),
            6 | 7 => {
                let from = numbers.below(other.len() + 1);
                let piece = &other[from..other.len().min(from + numbers.below(64))];
                let end = bytes.len().min(at + if numbers.below(2) == 0 { piece.len() } else { 0 });
                bytes.splice(at..end, piece.iter().copied());
            }
            _ => {
                let fresh: Vec<u8> = (0..=numbers.below(12)).flat_map(|_| numbers.next_u64().to_le_bytes()).collect();
                bytes.splice(at..at, fresh);
            }
        }
    }
    bytes
}
