//! The first bytes of a file: a 64-bit dump, or something else that has a name.

use super::header64::Header64;
use super::salvage::marks_of_header;
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::source::ByteSource;
use alloc::format;
use alloc::string::String;

/// Files that are no 64-bit kernel dump: first bytes, what they are, what to do.
const OTHERS: &[(&[u8], &str, &str)] = &[
    (b"MDMP", "a minidump of a user-mode process", "ntlens reads kernel dumps"),
    (b"USERDU64", "an old dump of a user-mode process", "ntlens reads kernel dumps"),
    (b"USERDUMP", "an old dump of a user-mode process", "ntlens reads kernel dumps"),
    (b"Raw_Dmp!", "an offline dump written by firmware", "convert it to a kernel dump with the vendor's tool first"),
    (
        b"Enc_Dmp!",
        "an encrypted offline dump written by firmware",
        "decrypt and convert it with the vendor's tool first",
    ),
    (b"hibr", "a hibernation file", "convert it to a dump first"),
    (b"HIBR", "a hibernation file", "convert it to a dump first"),
    (b"wake", "a hibernation file of a system that was resumed", "convert it to a dump first"),
    (b"RSTR", "a hibernation file of a system that is being resumed", "convert it to a dump first"),
    (b"EMiL", "a LiME memory image", "convert it to raw memory first"),
    (b"\x7fELF", "an ELF file", "if it is a core of a virtual machine, convert it to raw memory first"),
    (b"MSCF", "a cabinet archive", "expand the dump inside it first"),
    (b"PK\x03\x04", "a zip archive", "unpack the dump inside it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack the dump inside it first"),
    (b"\x1f\x8b", "a gzip file", "unpack the dump inside it first"),
    (b"\xfd7zXZ", "an xz file", "unpack the dump inside it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack the dump inside it first"),
];

/// The signature of `DUMP_HEADER64`.
const DUMP64: &[u8; 8] = b"PAGEDU64";

/// The signature of `DUMP_HEADER32`.
const DUMP32: &[u8; 8] = b"PAGEDUMP";

/// The header that follows a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// `DUMP_HEADER32`
    Bits32,
    /// `DUMP_HEADER64`
    Bits64,
}

/// Whether the file starts as a dump does, and if not, what it is.
/// A 64-bit dump whose signature is damaged is one still; that is told beside.
pub(super) fn check(source: &dyn ByteSource) -> Result<(Width, Option<Incomplete>), Error> {
    let unsupported = |what: String, advice| Err(Error::Unsupported { what, advice });
    if source.is_empty() {
        return unsupported("the file is empty".into(), "copy the dump again");
    }
    let mut start = [0; 8];
    let held = usize::try_from(source.len()).unwrap_or(8).min(8);
    let start = start.get_mut(..held).unwrap_or_default();
    source.read_at(0, start)?;
    if start == DUMP64 {
        return Ok((Width::Bits64, None));
    }
    if start == DUMP32 {
        return Ok((Width::Bits32, None));
    }
    if let Some((_, what, advice)) = OTHERS.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return unsupported((*what).into(), advice);
    }
    if let Some(damaged) = damaged(source, start) {
        return Ok((Width::Bits64, Some(damaged)));
    }
    let found = match start.iter().position(|byte| *byte != 0) {
        None => String::from("zero bytes"),
        Some(_) => format!("\"{}\"", start.escape_ascii()),
    };
    Err(Error::Malformed {
        structure: "DUMP_HEADER64",
        offset: 0,
        field: "Signature",
        found,
        expected: "\"PAGEDU64\" (this is no kernel dump of x64 Windows)".into(),
    })
}

/// What of the signature is wrong, if what follows can be nothing but the header of a 64-bit dump.
fn damaged(source: &dyn ByteSource, start: &[u8]) -> Option<Incomplete> {
    let (found, expected) = start.split_at_checked(4).zip(DUMP64.split_at_checked(4))?;
    let half = found.0 == expected.0 || found.1 == expected.1;
    if marks_of_header(&Header64::read(source).ok()?) < if half { 3 } else { 5 } {
        return None;
    }
    let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
    let (field, at, found, expected) = if found.0 == expected.0 {
        ("ValidDump", 4, found.1, expected.1)
    } else {
        ("Signature", 0, found.0, expected.0)
    };
    Some(Incomplete::contradiction("DUMP_HEADER64", field, at, text(found), text(expected)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn a_file_that_is_something_else_is_named() {
        for (bytes, text) in [
            (&b""[..], "empty"),
            (b"P", "Signature is \"P\""),
            (b"MDMP1234", "user-mode"),
            (b"\0\0\0\0\0\0\0\0\0", "zero bytes"),
            (b"hello world", "Signature is \"hello wo\""),
        ] {
            let error = check(&Vec::from(bytes)).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert_eq!(check(&Vec::from(&b"PAGEDU64 and more"[..])), Ok((Width::Bits64, None)));
        assert_eq!(check(&Vec::from(&b"PAGEDUMP and more"[..])), Ok((Width::Bits32, None)));
    }
}
