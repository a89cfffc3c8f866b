//! `KDDEBUGGER_DATA64`, the block that the kernel keeps for debuggers.
//!
//! Its layout is a public interface (`wdbgexts.h`) and the same for all builds, newer fields being appended: every field
//! is bounded by the block's own `Size`. The offsets used here were checked against symbols on real dumps.

use crate::absent::Absent;
use crate::address::VirtAddr;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};

/// Offset of the tag, which comes after a list entry.
pub const TAG_OFFSET: usize = 0x10;
/// The tag.
pub const TAG: &[u8; 4] = b"KDBG";
/// Offset of the size, behind the tag.
pub const SIZE_OFFSET: usize = 0x14;
/// Offset of the base of the kernel's image.
pub const KERN_BASE: usize = 0x18;
/// The header that every block has: list entry, tag, size.
pub const HEADER_SIZE: usize = 0x18;
/// No block is larger.
pub const MAX_SIZE: u32 = 0x1000;

/// The block, with the fields that the library uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kdbg {
    bytes: Vec<u8>,
}

/// The three values that an encoded block needs to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The value of `KiWaitNever`.
    pub wait_never: u64,
    /// The value of `KiWaitAlways`.
    pub wait_always: u64,
    /// The address of `KdpDataBlockEncoded`.
    pub encoded_flag: VirtAddr,
}

impl Encoding {
    /// Decodes one number of the block. (The kernel hides timer DPCs in the same way.)
    pub fn decode(&self, value: u64) -> u64 {
        let rotation = u32::try_from(self.wait_never & 0xff).unwrap_or(0);
        let value = (value ^ self.wait_never).rotate_left(rotation);
        (value ^ self.encoded_flag.0).swap_bytes() ^ self.wait_always
    }

    /// Decodes whole numbers of 8 bytes one after the other.
    pub fn decode_all(&self, bytes: &[u8]) -> Vec<u8> {
        let (words, _) = bytes.as_chunks::<8>();
        words.iter().flat_map(|word| self.decode(u64::from_le_bytes(*word)).to_le_bytes()).collect()
    }
}

impl Kdbg {
    /// The size that the first bytes of a block give, if the tag is there and the size can be.
    pub fn size_in(header: &[u8]) -> Result<usize, Absent> {
        let tag = header.get(TAG_OFFSET..SIZE_OFFSET).ok_or(Absent::Malformed)?;
        let size = header.get(SIZE_OFFSET..HEADER_SIZE).map(LittleEndian::read_u32).ok_or(Absent::Malformed)?;
        let fits = tag == TAG && size.is_multiple_of(8) && (0x20..=MAX_SIZE).contains(&size);
        if fits { usize::try_from(size).map_err(|_| Absent::Malformed) } else { Err(Absent::Malformed) }
    }

    /// Takes the bytes of a block, as many as its size says.
    pub fn parse(bytes: &[u8]) -> Result<Self, Absent> {
        let size = Self::size_in(bytes)?;
        let bytes = bytes.get(..size).ok_or(Absent::Malformed)?;
        Ok(Self { bytes: bytes.into() })
    }

    /// Decodes an encoded block. Only the part from the tag on is encoded in a meaningful way; the list entry before it
    /// is decoded along with it.
    pub fn decode(bytes: &[u8], encoding: &Encoding) -> Result<Self, Absent> {
        Self::parse(&encoding.decode_all(bytes))
    }

    /// Decodes an encoded block without the three values, from numbers that it must hold: how one number is encoded
    /// differs from how another is by the numbers' difference, rotated. At least two numbers at multiples of 8 must be
    /// known. `None` if no rotation explains all of them, or what comes out is no block.
    pub fn decode_by_known(bytes: &[u8], known: &[(usize, u64)]) -> Option<Self> {
        let coded = |offset: usize| bytes.get(offset..offset.checked_add(8)?).map(LittleEndian::read_u64);
        let ((first, plain), others) = known.split_first()?;
        let reference = coded(*first)?;
        if others.is_empty() || known.iter().any(|(offset, _)| !offset.is_multiple_of(8)) {
            return None;
        }
        let decode = |value: u64, rotation: u32| (value ^ reference).rotate_left(rotation).swap_bytes() ^ plain;
        let mut found = None;
        for rotation in 0..u64::BITS {
            let fits = |(offset, plain): &(usize, u64)| coded(*offset).map(|v| decode(v, rotation)) == Some(*plain);
            if !others.iter().all(fits) {
                continue;
            }
            let (words, _) = bytes.as_chunks::<8>();
            let decoded: Vec<u8> =
                words.iter().flat_map(|word| decode(u64::from_le_bytes(*word), rotation).to_le_bytes()).collect();
            // Numbers that are equal fit any rotation, but only one makes a block of the rest.
            if let Ok(block) = Self::parse(&decoded) {
                if found.is_some() {
                    return None;
                }
                found = Some(block);
            }
        }
        found
    }

    fn u64(&self, offset: usize) -> Option<u64> {
        self.bytes.get(offset..offset.checked_add(8)?).map(LittleEndian::read_u64)
    }

    fn address(&self, offset: usize) -> Option<VirtAddr> {
        self.u64(offset).filter(|value| *value != 0).map(VirtAddr)
    }

    fn u16(&self, offset: usize) -> Option<u64> {
        let value = self.bytes.get(offset..offset.checked_add(2)?).map(LittleEndian::read_u16)?;
        (value != 0).then_some(value.into())
    }

    fn u32(&self, offset: usize) -> Option<u64> {
        let value = self.bytes.get(offset..offset.checked_add(4)?).map(LittleEndian::read_u32)?;
        (value != 0).then_some(value.into())
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $kind:ident($result:ty) at $offset:literal;)+) => {
        impl Kdbg {$(
            $(#[$doc])*
            ///
            /// `None` if it is zero or the block ends before it.
            pub fn $name(&self) -> Option<$result> {
                self.$kind($offset)
            }
        )+}
    };
}

fields! {
    /// Base of the kernel image.
    kern_base: address(VirtAddr) at 0x18;
    /// Head of the list of loaded modules.
    ps_loaded_module_list: address(VirtAddr) at 0x48;
    /// Head of the list of active processes.
    ps_active_process_head: address(VirtAddr) at 0x50;
    /// Address of the variable that points to the table of process and thread ids.
    psp_cid_table: address(VirtAddr) at 0x58;
    /// Address of the variable that points to the root object directory.
    obp_root_directory_object: address(VirtAddr) at 0x98;
    /// Address of the variable that points to the object type named `Type`.
    obp_type_object_type: address(VirtAddr) at 0xa0;
    /// Address of the variable that points to the PFN database.
    mm_pfn_database: address(VirtAddr) at 0xc0;
    /// Address of the text that names the build.
    nt_build_lab: address(VirtAddr) at 0x208;
    /// Address of the array of pointers to processor control blocks.
    ki_processor_block: address(VirtAddr) at 0x218;
    /// Address of the variable that points to the unloaded modules.
    mm_unloaded_drivers: address(VirtAddr) at 0x220;
    /// Address of the number of the next slot of the unloaded modules.
    mm_last_unloaded_driver: address(VirtAddr) at 0x228;
    /// Address of the number of the service pack.
    cm_nt_csd_version: address(VirtAddr) at 0x268;
    /// Address of the variable that points to the description of physical memory.
    mm_physical_memory_block: address(VirtAddr) at 0x270;
    /// Offset of `_KTHREAD.Teb`.
    offset_kthread_teb: u16(u64) at 0x29a;
    /// Offset of `_KTHREAD.KernelStack`.
    offset_kthread_kernel_stack: u16(u64) at 0x29c;
    /// Offset of `_KTHREAD.InitialStack`.
    offset_kthread_initial_stack: u16(u64) at 0x29e;
    /// Offset of `_KTHREAD.ApcState.Process`.
    offset_kthread_apc_process: u16(u64) at 0x2a0;
    /// Bytes of `_EPROCESS`.
    size_eprocess: u16(u64) at 0x2a8;
    /// Offset of `_EPROCESS.Peb`.
    offset_eprocess_peb: u16(u64) at 0x2aa;
    /// Offset of `_EPROCESS.InheritedFromUniqueProcessId`.
    offset_eprocess_parent_cid: u16(u64) at 0x2ac;
    /// Offset of `_EPROCESS.Pcb.DirectoryTableBase`.
    offset_eprocess_directory_table_base: u16(u64) at 0x2ae;
    /// Bytes of `_KPRCB`.
    size_prcb: u16(u64) at 0x2b0;
    /// Offset of `_KPRCB.CurrentThread`.
    offset_prcb_current_thread: u16(u64) at 0x2b4;
    /// Offset of `_KPRCB.MHz`.
    offset_prcb_mhz: u16(u64) at 0x2b6;
    /// Offset of `_KPRCB.VendorString`.
    offset_prcb_vendor_string: u16(u64) at 0x2ba;
    /// Offset of `_KPRCB.Number`.
    offset_prcb_number: u16(u64) at 0x2be;
    /// Bytes of `_ETHREAD`.
    size_ethread: u16(u64) at 0x2c0;
    /// Offset of `_KPRCB.ProcessorState.SpecialRegisters`.
    offset_prcb_special_registers: u16(u64) at 0x2f2;
    /// What the kernel keeps for debuggers about event tracing.
    etwp_debugger_data: address(VirtAddr) at 0x330;
    /// Offset of `_KPRCB.Context`.
    offset_prcb_context: u16(u64) at 0x338;
    /// Offset of `_KTHREAD.StackLimit`.
    offset_kthread_stack_limit: u32(u64) at 0x340;
    /// Offset of `_KTHREAD.StackBase`.
    offset_kthread_stack_base: u32(u64) at 0x344;
    /// Offset of `_KPRCB.IdleThread`.
    offset_prcb_idle_thread: u16(u64) at 0x350;
    /// Base of the self map of page tables.
    pte_base: address(VirtAddr) at 0x360;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn block(size: u32) -> Vec<u8> {
        let mut bytes = vec![0x11; size as usize];
        bytes[TAG_OFFSET..SIZE_OFFSET].copy_from_slice(TAG);
        bytes[SIZE_OFFSET..HEADER_SIZE].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    #[test]
    fn fields_end_with_the_block() {
        let kdbg = Kdbg::parse(&block(0x360)).unwrap();
        assert_eq!(kdbg.kern_base(), Some(VirtAddr(0x1111_1111_1111_1111)));
        assert_eq!(kdbg.pte_base(), None);
        assert!(Kdbg::parse(&block(0x368)).unwrap().pte_base().is_some());
        assert_eq!(Kdbg::parse(&block(0x360)[..0x300]), Err(Absent::Malformed));
    }

    proptest! {
        #[test]
        fn an_encoded_block_decodes_by_what_it_must_hold(never: u64, always: u64, flag: u64, heads: [u64; 3]) {
            let encode = |value: u64| {
                let value = (value ^ always).swap_bytes() ^ flag;
                value.rotate_right((never & 0xff) as u32) ^ never
            };
            let mut plain = block(0x380);
            let known = [(0x18, heads[0]), (0x48, heads[1]), (0x50, heads[2])];
            for (offset, value) in known {
                plain[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
            }
            let (words, _) = plain.as_chunks::<8>();
            let encoded: Vec<u8> = words.iter().flat_map(|word| encode(u64::from_le_bytes(*word)).to_le_bytes()).collect();
            prop_assert_eq!(Kdbg::decode_by_known(&encoded, &known), Kdbg::parse(&plain).ok());
            let wrong = [(0x18, heads[0]), (0x48, heads[1]), (0x50, heads[2] ^ 1)];
            prop_assert_eq!(Kdbg::decode_by_known(&encoded, &wrong), None);
            prop_assert_eq!(Kdbg::decode_by_known(&encoded, &known[..1]), None);
        }

        #[test]
        fn an_encoded_block_decodes(never: u64, always: u64, flag: u64) {
            let encoding = Encoding { wait_never: never, wait_always: always, encoded_flag: VirtAddr(flag) };
            let encode = |value: u64| {
                let value = (value ^ always).swap_bytes() ^ flag;
                value.rotate_right((never & 0xff) as u32) ^ never
            };
            let plain = block(0x380);
            let (words, _) = plain.as_chunks::<8>();
            let encoded: Vec<u8> = words.iter().flat_map(|word| encode(u64::from_le_bytes(*word)).to_le_bytes()).collect();
            prop_assert_eq!(Kdbg::decode(&encoded, &encoding), Kdbg::parse(&plain));
        }

        #[test]
        fn any_bytes_parse_or_not(bytes in prop::collection::vec(any::<u8>(), 0..0x400)) {
            let _ = Kdbg::parse(&bytes);
        }
    }
}
