//! What images and their symbols are known by.

use core::fmt;
use core::str::FromStr;

/// What ties an image to its symbols: the GUID and age of its `CodeView` record (`RSDS`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PdbId {
    /// The GUID as its 128-bit number: the first group of its text form is the highest.
    pub guid: u128,
    /// How often the symbols were written.
    pub age: u32,
}

impl PdbId {
    /// Takes a GUID in the byte order of files: `u32`, `u16`, `u16` little endian, then eight bytes.
    pub fn from_file_order(guid: [u8; 16], age: u32) -> Self {
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = guid;
        let [d0, d1, d2, d3, d4, d5, d6, d7] = rest;
        let guid = u128::from_be_bytes([a3, a2, a1, a0, b1, b0, c1, c0, d0, d1, d2, d3, d4, d5, d6, d7]);
        Self { guid, age }
    }
}

impl fmt::Display for PdbId {
    /// 32 upper-case hex digits of the GUID, then the age in hex: the form of symbol stores.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}{:X}", self.guid, self.age)
    }
}

impl fmt::Debug for PdbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PdbId({self})")
    }
}

/// The version of a kernel image: `10.0.19041.1288`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// 6 or 10.
    pub major: u16,
    /// 0 to 3.
    pub minor: u16,
    /// The build, such as 19041.
    pub build: u32,
    /// The revision inside the build, raised by every update; `None` where it is not known.
    pub revision: Option<u32>,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)?;
        match self.revision {
            Some(revision) => write!(f, ".{revision}"),
            None => Ok(()),
        }
    }
}

/// A text that is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version looks like 10.0.19041.1288")]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut parts = text.split('.');
        let mut next = || parts.next().map(|part| part.parse::<u32>().map_err(|_| VersionError));
        let part = |value: Option<Result<u32, VersionError>>| value.ok_or(VersionError)?;
        let major = part(next())?.try_into().map_err(|_| VersionError)?;
        let minor = part(next())?.try_into().map_err(|_| VersionError)?;
        let build = part(next())?;
        let revision = next().transpose()?;
        if next().is_some() { Err(VersionError) } else { Ok(Self { major, minor, build, revision }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_guid_is_written_as_symbol_stores_do() {
        let bytes = [0x62, 0x98, 0xbf, 0xbf, 0x58, 0x63, 0xe8, 0x22, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(PdbId::from_file_order(bytes, 0x1a).to_string(), "BFBF9862635822E801020304050607081A");
    }

    #[test]
    fn versions_read_and_write() {
        for text in ["10.0.19041.1288", "6.1.7601", "10.0.22000.1"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        for text in ["", "10", "10.0", "10.0.x", "10.0.1.2.3", "70000.0.1"] {
            assert_eq!(text.parse::<Version>(), Err(VersionError), "{text}");
        }
    }
}
