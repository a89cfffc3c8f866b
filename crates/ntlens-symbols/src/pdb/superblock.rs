//! The first bytes of a PDB: what they say must fit the file before anything is read, or reserved, by it.

use crate::error::Fault;
use alloc::format;

/// How a PDB of format 7.00 starts.
pub(crate) const MAGIC: &[u8; 32] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";

/// How a PDB of format 2.00 starts.
pub(crate) const OLD_MAGIC: &[u8] = b"Microsoft C/C++ program database 2.00\r\n\x1aJG";

/// Bytes that [`check`] needs.
pub(super) const SIZE: usize = 56;

const PLACE: &str = "superblock";

/// Checks the superblock against the file's length.
pub(super) fn check(header: &[u8; SIZE], length: u64) -> Result<(), Fault> {
    if header.starts_with(OLD_MAGIC) {
        return Err(Fault::OldPdb);
    }
    let Some(numbers) = header.strip_prefix(MAGIC) else { return Err(Fault::NotSymbols) };
    let mut numbers =
        numbers.chunks_exact(4).map(|bytes| bytes.iter().rfold(0, |value, byte| value << 8 | u64::from(*byte)));
    let mut next = || numbers.next().unwrap_or_default();
    let (block_size, _free_block_map, blocks, directory) = (next(), next(), next(), next());
    if !block_size.is_power_of_two() || !(512..=65536).contains(&block_size) {
        return Err(Fault::malformed(PLACE, format!("a block size from 512 to 65536, not {block_size}")));
    }
    // Both are below 2^32.
    let bytes = blocks * block_size;
    if bytes > length {
        return Err(Fault::malformed(PLACE, format!("a file of {bytes} bytes or more, not of {length}")));
    }
    if directory > bytes {
        return Err(Fault::malformed(
            PLACE,
            format!("a stream directory of at most {bytes} bytes, not of {directory}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn outcome(numbers: [u32; 6], length: u64) -> Result<(), alloc::string::String> {
        let mut header = [0; SIZE];
        header[..32].copy_from_slice(MAGIC);
        for (number, bytes) in numbers.iter().zip(header[32..].chunks_exact_mut(4)) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        check(&header, length).map_err(|fault| fault.in_file("a.pdb".as_ref()).to_string())
    }

    #[test]
    fn what_it_says_must_fit_the_file() {
        assert_eq!(outcome([4096, 1, 10, 40, 0, 3], 40960), Ok(()));
        for (numbers, length, expected) in [
            ([4095, 1, 10, 40, 0, 3], 40960, "block size"),
            ([256, 1, 10, 40, 0, 3], 40960, "block size"),
            ([0x20000, 1, 0, 0, 0, 3], 40960, "block size"),
            ([4096, 1, 11, 40, 0, 3], 40960, "a file of 45056 bytes or more, not of 40960"),
            ([4096, 1, u32::MAX, 40, 0, 3], 40960, "a file of"),
            ([4096, 1, 10, 0xffff_fff0, 0, 3], 40960, "directory"),
        ] {
            let error = outcome(numbers, length).unwrap_err();
            assert!(error.starts_with("a.pdb: superblock: expected ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn other_formats_are_told_apart() {
        let mut old = [0; SIZE];
        old[..OLD_MAGIC.len()].copy_from_slice(OLD_MAGIC);
        assert!(matches!(check(&old, 100), Err(Fault::OldPdb)));
        assert!(matches!(check(&[0; SIZE], 100), Err(Fault::NotSymbols)));
    }
}
