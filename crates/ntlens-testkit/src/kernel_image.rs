//! The kernel's image: headers, exports, the record that names its symbols, and plain variables.

use crate::assembly::Assembly;
use crate::pe::{DATA, Image, READ, TEXT};
use crate::physical::PAGE;
use ntlens_core::layout::Layouts;

/// Names that real kernels export, as far as the symbols have them.
const EXPORTS: &[&str] = &[
    "CcCopyRead",
    "CmRegisterCallback",
    "ExAllocatePoolWithTag",
    "ExDesktopObjectType",
    "ExEventObjectType",
    "ExFreePoolWithTag",
    "ExSemaphoreObjectType",
    "ExWindowStationObjectType",
    "FsRtlIsNameInExpression",
    "IoCreateDevice",
    "IoDeviceObjectType",
    "IoDriverObjectType",
    "IoFileObjectType",
    "IofCallDriver",
    "KdDebuggerEnabled",
    "KdDebuggerNotPresent",
    "KeBugCheck",
    "KeBugCheckEx",
    "KeNumberProcessors",
    "KeServiceDescriptorTable",
    "KeTickCount",
    "MmGetPhysicalAddress",
    "MmHighestUserAddress",
    "MmSectionObjectType",
    "MmSystemRangeStart",
    "MmUserProbeAddress",
    "NtBuildGUID",
    "NtBuildLab",
    "NtBuildNumber",
    "NtClose",
    "NtCreateFile",
    "NtGlobalFlag",
    "ObReferenceObjectByHandle",
    "ObfDereferenceObject",
    "PsGetCurrentProcessId",
    "PsGetProcessId",
    "PsInitialSystemProcess",
    "PsJobType",
    "PsLoadedModuleList",
    "PsLoadedModuleResource",
    "PsLookupProcessByProcessId",
    "PsProcessType",
    "PsThreadType",
    "RtlInitUnicodeString",
    "SeExports",
    "SeTokenObjectType",
    "ZwClose",
    "ZwCreateFile",
];

/// Where the data section is taken to start: at the lowest of these.
const DATA_MARKS: &[&str] =
    &["KdDebuggerDataBlock", "PsLoadedModuleList", "PsActiveProcessHead", "NtBuildNumber", "KdVersionBlock"];

/// Room for the directories behind the last symbol.
const DIRECTORIES: u64 = 0x4000;

/// Bytes of the image.
pub(crate) fn size(layouts: &Layouts) -> u64 {
    end_of_symbols(layouts) + DIRECTORIES
}

fn end_of_symbols(layouts: &Layouts) -> u64 {
    let last = layouts.symbols().map(|(_, rva)| rva.0).max().unwrap_or(0x40_0000);
    last.next_multiple_of(PAGE) + PAGE
}

/// Sections with the names that readers look for (`POOLCODE` tells the kernel from other images), at made-up borders.
fn sections(data: u32, directories: u32, end: u32) -> Vec<(&'static str, u32, u32, u32)> {
    const CODE: [&str; 5] = [".text", "PAGE", "PAGELK", "POOLCODE", "INIT"];
    let share = ((data - 0x1000) / CODE.len() as u32) & !0xfff;
    let mut start = 0x1000;
    let mut sections = Vec::new();
    for name in CODE {
        let next = if name == "INIT" { data } else { start + share };
        sections.push((name, start, next, TEXT));
        start = next;
    }
    let middle = data + (((directories - data) / 2) & !0xfff);
    sections.push((".data", data, middle, DATA));
    sections.push(("CACHEALI", middle, directories, DATA));
    sections.push((".edata", directories, end, READ));
    sections
}

impl Assembly<'_> {
    /// Time stamp and check sum are those of no real kernel.
    pub(crate) fn kernel_image(&mut self) {
        let base = self.plan.kernel;
        let layouts = self.guest.layouts.clone();
        let directories = end_of_symbols(&layouts) as u32;
        let rva = |name: &str| layouts.symbol(name).ok().map(|rva| rva.0 as u32);
        let data = DATA_MARKS.iter().filter_map(|name| rva(name)).min().unwrap_or(directories) & !0xfff;
        let exports = EXPORTS.iter().filter_map(|name| Some((*name, rva(name)?))).collect();
        let version = layouts.version();
        let timestamp = 0x5c00_0000 + self.rng.below(0x600_0000) as u32;
        let image = Image {
            name: "ntoskrnl.exe",
            size: size(&layouts) as u32,
            timestamp,
            checksum: 0x9e_c678,
            preferred_base: base,
            dll: false,
            version: version.map_or((10, 0), |version| (version.major, version.minor)),
            pdb: Some((self.machine.pdb, "ntkrnlmp.pdb")),
            sections: sections(data, directories, size(&layouts) as u32),
            exports,
            directories,
        };
        let (head, body) = image.write();
        self.guest.write(base, &head);
        self.guest.write(base + u64::from(directories), &body);
        self.truth.kernel.timestamp = timestamp;

        let build = self.build;
        if let Some(at) = self.symbol("NtBuildNumber") {
            self.guest.write_u32(at, 0xf000_0000 | build);
        }
        let lab = self.truth.build_lab.clone();
        for name in ["NtBuildLab", "NtBuildLabEx"] {
            if let Some(at) = self.symbol(name) {
                self.guest.write(at, lab.as_bytes());
                self.guest.write(at + lab.len() as u64, &[0]);
            }
        }
        self.set_symbol("PsNtosImageBase", base);
        self.set_symbol("MmHighestUserAddress", 0x7fff_fffe_ffff);
        self.set_symbol("MmUserProbeAddress", 0x7fff_ffff_0000);
        self.set_symbol("MmSystemRangeStart", 0xffff_8000_0000_0000);
        for name in ["CmNtCSDVersion", "KeTimeIncrement"] {
            let value = match name {
                "KeTimeIncrement" => 156_250,
                _ if build == 7601 => 0x100,
                _ => 0,
            };
            if let Some(at) = self.symbol(name) {
                self.guest.write_u32(at, value);
            }
        }
    }
}
