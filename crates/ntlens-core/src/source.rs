//! Where the bytes of a dump come from.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A read that did not give all its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source ends before the last wanted byte.
    #[error("the file ends before offset {end:#x}")]
    PastEnd {
        /// First offset of the read.
        offset: u64,
        /// Offset behind the last wanted byte.
        end: u64,
    },
    /// The source gave an error.
    #[error("reading at file offset {offset:#x} failed: {message}")]
    Failed {
        /// First offset of the read.
        offset: u64,
        /// What the source said.
        message: String,
    },
}

/// Random access to the bytes of a dump. Reads take `&self` and carry their position, so one source serves many threads.
pub trait ByteSource: Send + Sync {
    /// Bytes there are, as found when the source was opened.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `out` from `offset` on, or gives an error; what `out` then holds is not to be used.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError>;

    /// Whether the bytes are known to be others than when the source was opened: what was read before and after may not
    /// belong together. Answers ask once, at their end.
    fn has_changed(&self) -> bool {
        false
    }

    /// `len` bytes from `offset` on. The length is checked against the source's before anything is allocated.
    fn read_vec(&self, offset: u64, len: u64) -> Result<Vec<u8>, ReadError> {
        let end = offset.saturating_add(len);
        let fits = usize::try_from(len).ok().filter(|_| end <= self.len());
        let mut bytes = alloc::vec![0; fits.ok_or(ReadError::PastEnd { offset, end })?];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }
}

impl ByteSource for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        let bytes = range.and_then(|(start, end)| self.get(start..end)).ok_or(ReadError::PastEnd { offset, end })?;
        out.copy_from_slice(bytes);
        Ok(())
    }
}

impl ByteSource for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.as_slice().read_at(offset, out)
    }
}

macro_rules! forward {
    ($($pointer:ident)+) => {$(
        impl<S: ByteSource + ?Sized> ByteSource for $pointer<S> {
            fn len(&self) -> u64 {
                (**self).len()
            }

            fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
                (**self).read_at(offset, out)
            }

            fn has_changed(&self) -> bool {
                (**self).has_changed()
            }
        }
    )+};
}

forward!(Arc Box);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_past_the_end_is_an_error() {
        let bytes = alloc::vec![1_u8, 2, 3];
        assert_eq!(bytes.read_vec(1, 2).unwrap(), [2, 3]);
        for (offset, len) in [(0, 4), (3, 1), (u64::MAX, 1), (0, u64::MAX)] {
            assert!(matches!(bytes.read_vec(offset, len), Err(ReadError::PastEnd { .. })), "{offset} {len}");
        }
    }
}
