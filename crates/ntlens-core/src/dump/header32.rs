//! `DUMP_HEADER32`: the first 0x1000 bytes of a dump of a 32-bit kernel. Its memory is not read, but what the header says
//! can be told. Offsets are those of the public SDK header `mindumpdef.h`.

use super::header64::{Attributes, ExceptionRecord, Header64, text};
use super::read_head;
use crate::address::VirtAddr;
use crate::error::Error;
use crate::source::ByteSource;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};

/// Bytes of the header.
const SIZE: u64 = 0x1000;
/// The paint of unused fields, as in the 64-bit header.
const PAINT: u32 = u32::from_le_bytes(*b"PAGE");

/// Reads the header into the form of the 64-bit one. The lists, the runs and the registers of a 32-bit kernel are left out:
/// nothing could be made of them.
pub(super) fn read(source: &dyn ByteSource) -> Result<Header64, Error> {
    let bytes = read_head(source, "DUMP_HEADER32", 0, SIZE)?;
    let raw = |at: usize| bytes.get(at..at + 4).map_or(PAINT, LittleEndian::read_u32);
    let u32_at = |at: usize| Some(raw(at)).filter(|value| *value != PAINT);
    let u64_at = |at: usize| {
        let (low, high) = (u32_at(at), u32_at(at + 4));
        low.or(high).map(|_| u64::from(raw(at + 4)) << 32 | u64::from(raw(at)))
    };
    let address = |at: usize| u32_at(at).filter(|value| *value != 0).map(|value| VirtAddr(value.into()));
    let exception = u32_at(0x7d0).map(|code| ExceptionRecord {
        code,
        flags: raw(0x7d4),
        address: VirtAddr(raw(0x7dc).into()),
        parameters: Vec::new(),
    });
    Ok(Header64 {
        major_version: raw(0x8),
        build: u32_at(0xc),
        directory_table_base: u32_at(0x10).map(u64::from),
        pfn_database: address(0x14),
        ps_loaded_module_list: address(0x18),
        ps_active_process_head: address(0x1c),
        machine: raw(0x20),
        processors: u32_at(0x24),
        bugcheck_code: u32_at(0x28),
        bugcheck_parameters: [0x2c, 0x30, 0x34, 0x38].map(|at| u32_at(at).map(u64::from)),
        kd_debugger_data_block: address(0x60),
        physical_memory_block: None,
        context: Vec::new(),
        exception,
        dump_type: raw(0xf88),
        required_dump_space: u64_at(0xfa0),
        system_time: u64_at(0xfc0),
        system_up_time: u64_at(0xfb8),
        comment: text(bytes.get(0x820..0x8a0).unwrap_or_default()),
        mini_dump_fields: u32_at(0xf8c),
        product_type: u32_at(0xf94),
        suite_mask: u32_at(0xf98),
        attributes: u32_at(0x8a0).map(Attributes::from_bits_retain),
        boot_id: u32_at(0x8a4),
    })
}

#[cfg(test)]
mod tests {
    use crate::dump::{Content, Dump, DumpKind};
    use crate::error::Error;
    use alloc::sync::Arc;

    #[test]
    fn a_dump_of_a_32_bit_kernel_tells_what_it_is() {
        let mut bytes = b"PAGE".repeat(0x400);
        let mut set = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        set(4, u32::from_le_bytes(*b"DUMP"));
        set(0xc, 7601);
        set(0x20, 0x14c);
        set(0x28, 0xd1);
        set(0xf88, 2);
        let dump = Dump::open(Arc::new(bytes)).unwrap();
        let header = dump.header.as_ref().unwrap();
        assert_eq!((dump.kind, header.build, header.bugcheck_code), (DumpKind::Kernel, Some(7601), Some(0xd1)));
        assert_eq!((header.processors, header.system_time), (None, None));
        assert!(matches!(dump.content, Content::Nothing(Error::Unsupported { .. })));
    }
}
