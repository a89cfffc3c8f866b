//! `KDDEBUGGER_DATA64`: the block that tells debuggers where everything is.

use crate::assembly::Assembly;
use crate::physical::PAGE;

/// Addresses of symbols: offset in the block, name.
const ADDRESSES: &[(usize, &str)] = &[
    (0x20, "RtlpBreakWithStatusInstruction"),
    (0x38, "KiCallUserMode"),
    (0x40, "KeUserCallbackDispatcher"),
    (0x48, "PsLoadedModuleList"),
    (0x50, "PsActiveProcessHead"),
    (0x58, "PspCidTable"),
    (0x60, "ExpSystemResourcesList"),
    (0x78, "KeTimeIncrement"),
    (0x80, "KeBugCheckCallbackListHead"),
    (0x88, "KiBugCheckData"),
    (0x90, "IopErrorLogListHead"),
    (0x98, "ObpRootDirectoryObject"),
    (0xa0, "ObpTypeObjectType"),
    (0xc0, "MmPfnDatabase"),
    (0x140, "MmSizeOfPagedPoolInBytes"),
    (0x1b8, "PoolTrackTable"),
    (0x1c8, "MmHighestUserAddress"),
    (0x1d0, "MmSystemRangeStart"),
    (0x1d8, "MmUserProbeAddress"),
    (0x208, "NtBuildLab"),
    (0x218, "KiProcessorBlock"),
    (0x220, "MmUnloadedDrivers"),
    (0x228, "MmLastUnloadedDriver"),
    (0x230, "MmTriageActionTaken"),
    (0x238, "MmSpecialPoolTag"),
    (0x240, "KernelVerifier"),
    (0x248, "MmVerifierData"),
    (0x268, "CmNtCSDVersion"),
    (0x270, "MmPhysicalMemoryBlock"),
    (0x308, "IopNumTriageDumpDataBlocks"),
    (0x310, "IopTriageDumpDataBlocks"),
    (0x330, "EtwpDebuggerData"),
];

/// Offsets of fields, 16 bits each: offset in the block, structure, path.
const OFFSETS: &[(usize, &str, &str)] = &[
    (0x298, "_KTHREAD", "NextProcessor"),
    (0x29a, "_KTHREAD", "Teb"),
    (0x29c, "_KTHREAD", "KernelStack"),
    (0x29e, "_KTHREAD", "InitialStack"),
    (0x2a0, "_KTHREAD", "ApcState.Process"),
    (0x2a2, "_KTHREAD", "State"),
    (0x2aa, "_EPROCESS", "Peb"),
    (0x2ac, "_EPROCESS", "InheritedFromUniqueProcessId"),
    (0x2ae, "_EPROCESS", "Pcb.DirectoryTableBase"),
    (0x2b2, "_KPRCB", "DpcRoutineActive"),
    (0x2b4, "_KPRCB", "CurrentThread"),
    (0x2b6, "_KPRCB", "MHz"),
    (0x2b8, "_KPRCB", "CpuType"),
    (0x2ba, "_KPRCB", "VendorString"),
    (0x2bc, "_KPRCB", "ProcessorState.ContextFrame"),
    (0x2be, "_KPRCB", "Number"),
    (0x2e2, "_KPCR", "Self"),
    (0x2e4, "_KPCR", "CurrentPrcb"),
    (0x2e6, "_KPCR", "Prcb"),
    (0x2f2, "_KPRCB", "ProcessorState.SpecialRegisters"),
    (0x338, "_KPRCB", "Context"),
    (0x350, "_KPRCB", "IdleThread"),
    (0x35c, "_KTHREAD", "WaitReason"),
];

/// Sizes of structures, 16 bits each.
const SIZES: &[(usize, &str)] = &[(0x2a8, "_EPROCESS"), (0x2b0, "_KPRCB"), (0x2c0, "_ETHREAD"), (0x2e0, "_KPCR")];

/// Selectors and the like.
const VALUES: &[(usize, u16)] = &[
    (0x36, 1),
    (0x2f4, 0x10),
    (0x2f6, 0x18),
    (0x2fa, 0x33),
    (0x2fc, 0x2b),
    (0x302, 0x40),
    (0x304, 0x23),
    (0x306, 0x53),
    (0x358, 0x50),
];

impl Assembly<'_> {
    /// Writes the block, encoded if the machine wants that, and the version block beside it.
    pub(crate) fn kdbg(&mut self) {
        let va = self.symbol("KdDebuggerDataBlock").expect("symbols have KdDebuggerDataBlock");
        let list = self.symbol("KdpDebuggerDataListHead").unwrap_or(va);
        let mut block = vec![0; self.kdbg_size()];
        put(&mut block, 0, &list.to_le_bytes());
        put(&mut block, 8, &list.to_le_bytes());
        put(&mut block, 0x10, b"KDBG");
        let size = block.len() as u32;
        put(&mut block, 0x14, &size.to_le_bytes());
        put(&mut block, 0x18, &self.plan.kernel.to_le_bytes());
        put(&mut block, 0x138, &PAGE.to_le_bytes());
        for (offset, name) in ADDRESSES {
            if let Some(address) = self.symbol(name) {
                put(&mut block, *offset, &address.to_le_bytes());
            }
        }
        for (offset, structure, path) in OFFSETS {
            if let Some(value) = self.guest.offset(structure, path) {
                put(&mut block, *offset, &(value as u16).to_le_bytes());
            }
        }
        for (offset, structure) in SIZES {
            put(&mut block, *offset, &(self.guest.size_of(structure, 0) as u16).to_le_bytes());
        }
        for (offset, value) in VALUES {
            put(&mut block, *offset, &value.to_le_bytes());
        }
        for (offset, path) in [(0x340, "StackLimit"), (0x344, "StackBase"), (0x348, "QueueListEntry")] {
            let value = self.guest.offset("_KTHREAD", path).unwrap_or(0) as u32;
            put(&mut block, offset, &value.to_le_bytes());
        }
        let irps = self.guest.offset("_ETHREAD", "IrpList").unwrap_or(0) as u32;
        put(&mut block, 0x34c, &irps.to_le_bytes());
        put(&mut block, 0x360, &self.guest.kernel.pte_base().to_le_bytes());
        self.kdbg.clone_from(&block);

        self.set_symbol("KdpDebuggerDataListHead", va);
        if let Some(head) = self.symbol("KdpDebuggerDataListHead") {
            self.guest.write_u64(head + 8, va);
        }
        let (never, always) = (self.rng.next(), self.rng.next());
        self.set_symbol("KiWaitNever", never);
        self.set_symbol("KiWaitAlways", always);
        let flag = self.symbol("KdpDataBlockEncoded").filter(|_| self.machine.encoded_kdbg);
        if let Some(flag) = flag {
            for word in block.chunks_exact_mut(8) {
                let plain = u64::from_le_bytes(word.try_into().unwrap());
                word.copy_from_slice(&encode(plain, never, always, flag).to_le_bytes());
            }
            self.guest.write(flag, &[1]);
        }
        self.guest.write(va, &block);
        self.truth.kernel.kdbg = crate::truth::Kdbg { va, encoded: flag.is_some() };
        self.version_block(list);
    }

    fn kdbg_size(&self) -> usize {
        match self.build {
            0..9200 => 0x340,
            9200..14393 => 0x360,
            _ => 0x380,
        }
    }

    fn version_block(&mut self, list: u64) {
        let Some(at) = self.symbol("KdVersionBlock") else { return };
        let modules = self.symbol("PsLoadedModuleList").unwrap_or(0);
        let (build, kernel) = (u64::from(self.build), self.plan.kernel);
        self.guest
            .at(at, "_DBGKD_GET_VERSION64")
            .set("MajorVersion", 0xf)
            .set("MinorVersion", build)
            .set("ProtocolVersion", 6)
            .set("KdSecondaryVersion", 2)
            .set("Flags", 0x47)
            .set("MachineType", 0x8664)
            .set("MaxPacketType", 12)
            .set("MaxStateChange", 3)
            .set("MaxManipulate", 0x2e)
            .set("KernBase", kernel)
            .set("PsLoadedModuleList", modules)
            .set("DebuggerDataList", list);
    }
}

/// The inverse of what a debugger does to read the block.
const fn encode(plain: u64, never: u64, always: u64, flag: u64) -> u64 {
    ((plain ^ always).swap_bytes() ^ flag).rotate_right((never & 0xff) as u32) ^ never
}

/// Newer fields do not fit into the block of older kernels.
fn put(block: &mut [u8], offset: usize, bytes: &[u8]) {
    if let Some(place) = block.get_mut(offset..offset + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn decoding_as_debuggers_do_gives_the_block_back() {
        let (never, always, flag) = (0x1234_5678_9abc_def7, 0x0f1e_2d3c_4b5a_6978, 0xffff_f801_2345_6789);
        let coded = super::encode(0x4742_444b_0000_0380, never, always, flag);
        let mut plain = coded ^ never;
        plain = plain.rotate_left((never & 0xff) as u32) ^ flag;
        assert_eq!(plain.swap_bytes() ^ always, 0x4742_444b_0000_0380);
    }
}
