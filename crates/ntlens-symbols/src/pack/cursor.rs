//! Numbers and slices from bytes that may be anything.

use super::PackError;

/// What is left of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], PackError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(PackError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A fixed number of bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PackError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(PackError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned number: seven bits per byte, the lowest first; the top bit says that more follow.
    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, PackError> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(byte.into())
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, PackError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(PackError::Invalid("number"))
    }

    /// A signed number, folded so that small ones of either sign are short: 0, -1, 1, -2, ...
    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64, PackError> {
        let folded = self.number()?;
        Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
    }

    /// A number that must fit the type wanted.
    #[inline]
    pub(super) fn small<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, PackError> {
        self.number()?.try_into().map_err(|_| PackError::Invalid(what))
    }

    /// How many things follow, each of at least one byte: never more than there are bytes, so room for that many may be
    /// asked for.
    pub(super) fn count(&mut self) -> Result<usize, PackError> {
        let count = self.small("count")?;
        if count > self.rest.len() { Err(PackError::Truncated) } else { Ok(count) }
    }

    /// A part with its length before it.
    pub(super) fn part(&mut self) -> Result<Cursor<'a>, PackError> {
        let len = self.small("length")?;
        self.take(len).map(Cursor::new)
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self) -> Result<&'a str, PackError> {
        let len = self.small("length")?;
        core::str::from_utf8(self.take(len)?).map_err(|_| PackError::Invalid("text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_they_should() {
        assert_eq!(Cursor::new(&[0x7f]).number(), Ok(0x7f));
        assert_eq!(Cursor::new(&[0x80, 1]).number(), Ok(0x80));
        assert_eq!(Cursor::new(&[0x80, 0x80, 1]).number(), Ok(0x4000));
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(Cursor::new(&largest).number(), Ok(u64::MAX));
        assert_eq!(Cursor::new(&[0xff; 10]).number(), Err(PackError::Invalid("number")));
        assert_eq!(Cursor::new(&[0xff]).number(), Err(PackError::Truncated));
        assert_eq!(Cursor::new(&[]).number(), Err(PackError::Truncated));
    }

    #[test]
    fn signed_numbers_fold() {
        for (byte, value) in [(0, 0), (1, -1), (2, 1), (3, -2)] {
            assert_eq!(Cursor::new(&[byte]).signed(), Ok(value));
        }
    }

    #[test]
    fn a_count_never_exceeds_the_bytes() {
        assert_eq!(Cursor::new(&[2, 0, 0]).count(), Ok(2));
        assert_eq!(Cursor::new(&[3, 0, 0]).count(), Err(PackError::Truncated));
    }
}
