//! A dump with some bytes overwritten, without a copy of the rest.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use ntlens::nt::snapshot::Options;
use ntlens::source::{ByteSource, ReadError};
use ntlens::symbols::Pack;
use ntlens::{CoreError, OpenDump};
use std::sync::{Arc, LazyLock};

pub(crate) static LAYOUTS: LazyLock<Pack<'static>> = LazyLock::new(|| Pack::embedded().unwrap());

/// A dump with some bytes overwritten and perhaps its end cut off.
#[derive(Clone)]
pub(crate) struct Patched {
    bytes: Arc<Vec<u8>>,
    patches: Vec<(u64, Vec<u8>)>,
    length: u64,
}

impl Patched {
    pub(crate) fn of(bytes: &Arc<Vec<u8>>) -> Self {
        Self { bytes: bytes.clone(), patches: Vec::new(), length: bytes.len() }
    }

    pub(crate) fn set(mut self, offset: u64, bytes: &[u8]) -> Self {
        self.patches.push((offset, bytes.to_vec()));
        self
    }

    pub(crate) fn cut(self, length: u64) -> Self {
        Self { length, ..self }
    }

    pub(crate) fn open(self) -> Result<OpenDump, CoreError> {
        OpenDump::open("hostile", Arc::new(self), &*LAYOUTS, Options::default())
    }
}

impl ByteSource for Patched {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        if end > self.length {
            return Err(ReadError::PastEnd { offset, end });
        }
        self.bytes.read_at(offset, out)?;
        for (at, bytes) in &self.patches {
            let (from, to) = (offset.max(*at), end.min(at + bytes.len() as u64));
            let index = |value: u64| usize::try_from(value).unwrap();
            if from < to {
                out[index(from - offset)..index(to - offset)].copy_from_slice(&bytes[index(from - at)..index(to - at)]);
            }
        }
        Ok(())
    }
}
