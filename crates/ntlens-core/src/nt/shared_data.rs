//! `KUSER_SHARED_DATA`: the page that the kernel maps at one fixed address in every version of Windows.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::{Bits, Field, Flags};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Where the kernel maps the page. The address is part of the system's binary interface.
pub const KUSER_SHARED_DATA: VirtAddr = VirtAddr(0xffff_f780_0000_0000);

/// Offsets that are part of the system's binary interface (public header `ntddk.h`).
const NT_BUILD_NUMBER: u64 = 0x260;
const NT_MAJOR_VERSION: u64 = 0x26c;
const NT_MINOR_VERSION: u64 = 0x270;

/// The version of Windows as user mode sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedVersion {
    /// `NtMajorVersion`
    pub major: u32,
    /// `NtMinorVersion`
    pub minor: u32,
    /// `NtBuildNumber`, kept there since Windows 10.
    pub build: Option<u32>,
}

/// Reads the version, if the page is there and holds a version that Windows for x64 can have.
pub fn version<M: VirtualMemory + ?Sized>(memory: &M) -> Option<SharedVersion> {
    let read = |offset| memory.read_u32(KUSER_SHARED_DATA.wrapping_add(offset)).ok();
    let (major, minor) = (read(NT_MAJOR_VERSION)?, read(NT_MINOR_VERSION)?);
    let plausible = match major {
        5 | 6 => minor <= 3,
        10 => minor == 0,
        _ => false,
    };
    let build = read(NT_BUILD_NUMBER).map(|build| build & 0xffff).filter(|build| major == 10 && *build >= 10240);
    plausible.then_some(SharedVersion { major, minor, build })
}

crate::fields! {
    /// Fields of `_KUSER_SHARED_DATA` (public header `ntddk.h`).
    pub struct SharedDataFields of "_KUSER_SHARED_DATA" {
        /// Bits about the system, by their Windows names.
        shared_data_flags: Flags = "SharedDataFlags",
        /// Secure Boot is on.
        secure_boot: Bits = "DbgSecureBootEnabled",
        /// User account control is on.
        elevation: Bits = "DbgElevationEnabled",
        /// `NT_PRODUCT_TYPE`
        nt_product_type: Field<u32> = "NtProductType",
        /// `VER_SUITE_*`
        suite_mask: Field<u32> = "SuiteMask",
        /// Bits about the kernel's debugger.
        kd_debugger_enabled: Field<u8> = "KdDebuggerEnabled",
        /// Which processes get memory without the right to run code, since Windows 8.
        nx_support_policy: Bits = "NXSupportPolicy",
        /// The same in Windows 7.
        nx_support_policy_byte: Field<u8> = "NXSupportPolicy",
        /// Which processes have their exception handlers checked.
        seh_validation_policy: Bits = "SEHValidationPolicy",
        /// The session on the console.
        active_console_id: Field<u32> = "ActiveConsoleId",
        /// Started in safe mode.
        safe_boot_mode: Field<u8> = "SafeBootMode",
        /// Bits of virtual machines.
        virtualization_flags: Field<u8> = "VirtualizationFlags",
        /// Not zero where system calls are made in another way.
        system_call: Field<u32> = "SystemCall",
        /// How user mode reads the performance counter by itself.
        qpc_bypass_enabled: Field<u8> = "QpcBypassEnabled",
        /// One byte for each of `PF_*`.
        processor_features: Field<[u8; 64]> = "ProcessorFeatures",
        /// How often the system was started.
        boot_id: Field<u32> = "BootId",
    }
}

/// `NX_SUPPORT_POLICY_*` of `ntddk.h`.
const NX_POLICIES: [&str; 4] = ["AlwaysOff", "AlwaysOn", "OptIn", "OptOut"];
/// `SEH_VALIDATION_POLICY_*` of `ntddk.h`.
const SEH_POLICIES: [&str; 4] = ["On", "Off", "Telemetry", "Defer"];

/// `PF_*` of `winnt.h`: places of `ProcessorFeatures`.
const PROCESSOR_FEATURES: &[(usize, &str)] = &[
    (0, "FLOATING_POINT_PRECISION_ERRATA"),
    (1, "FLOATING_POINT_EMULATED"),
    (2, "COMPARE_EXCHANGE_DOUBLE"),
    (3, "MMX_INSTRUCTIONS_AVAILABLE"),
    (6, "XMMI_INSTRUCTIONS_AVAILABLE"),
    (7, "3DNOW_INSTRUCTIONS_AVAILABLE"),
    (8, "RDTSC_INSTRUCTION_AVAILABLE"),
    (9, "PAE_ENABLED"),
    (10, "XMMI64_INSTRUCTIONS_AVAILABLE"),
    (11, "SSE_DAZ_MODE_AVAILABLE"),
    (NX_ENABLED, "NX_ENABLED"),
    (13, "SSE3_INSTRUCTIONS_AVAILABLE"),
    (14, "COMPARE_EXCHANGE128"),
    (15, "COMPARE64_EXCHANGE128"),
    (16, "CHANNELS_ENABLED"),
    (17, "XSAVE_ENABLED"),
    (20, "SECOND_LEVEL_ADDRESS_TRANSLATION"),
    (21, "VIRT_FIRMWARE_ENABLED"),
    (22, "RDWRFSGSBASE_AVAILABLE"),
    (23, "FASTFAIL_AVAILABLE"),
    (28, "RDRAND_INSTRUCTION_AVAILABLE"),
    (32, "RDTSCP_INSTRUCTION_AVAILABLE"),
    (33, "RDPID_INSTRUCTION_AVAILABLE"),
    (36, "SSSE3_INSTRUCTIONS_AVAILABLE"),
    (37, "SSE4_1_INSTRUCTIONS_AVAILABLE"),
    (38, "SSE4_2_INSTRUCTIONS_AVAILABLE"),
    (39, "AVX_INSTRUCTIONS_AVAILABLE"),
    (40, "AVX2_INSTRUCTIONS_AVAILABLE"),
    (41, "AVX512F_INSTRUCTIONS_AVAILABLE"),
    (42, "ERMS_AVAILABLE"),
];

/// `PF_NX_ENABLED`
const NX_ENABLED: usize = 12;

/// The page, read once.
#[derive(Clone, Debug)]
pub struct SharedData {
    fields: SharedDataFields,
    view: StructView,
}

impl SharedData {
    /// Reads the page as a layout places its fields.
    pub(crate) fn read<M: VirtualMemory + ?Sized>(memory: &M, fields: &SharedDataFields) -> Self {
        let view = StructView::read(memory, KUSER_SHARED_DATA, fields.extent);
        Self { fields: fields.clone(), view }
    }

    /// `SharedDataFlags`: the integer.
    pub fn flags(&self) -> Result<u32, Absent> {
        self.view.flags(&self.fields.shared_data_flags)
    }

    /// `SharedDataFlags`: the names of what is set.
    pub fn flag_names(&self) -> Result<Vec<String>, Absent> {
        let names = self.fields.shared_data_flags.as_ref().map_err(|why| *why)?;
        Ok(names.names(self.flags()?))
    }

    /// Secure Boot was on when the system started (`DbgSecureBootEnabled`).
    pub fn secure_boot(&self) -> Result<bool, Absent> {
        self.view.bit(&self.fields.secure_boot)
    }

    /// User account control is on (`DbgElevationEnabled`).
    pub fn elevation(&self) -> Result<bool, Absent> {
        self.view.bit(&self.fields.elevation)
    }

    /// `NtProductType`: 1 workstation, 2 domain controller, 3 server.
    pub fn product_type(&self) -> Result<u32, Absent> {
        self.view.get(&self.fields.nt_product_type)
    }

    /// `SuiteMask`: bits of `VER_SUITE_*`.
    pub fn suite_mask(&self) -> Result<u32, Absent> {
        self.view.get(&self.fields.suite_mask)
    }

    /// `KdDebuggerEnabled` as stored.
    pub fn kd_debugger_enabled(&self) -> Result<u8, Absent> {
        self.view.get(&self.fields.kd_debugger_enabled)
    }

    /// Which processes get memory without the right to run code (`NXSupportPolicy`).
    pub fn nx_support_policy(&self) -> Result<String, Absent> {
        let bits = self.view.bits(&self.fields.nx_support_policy);
        let policy = bits.or_else(|_| self.view.get(&self.fields.nx_support_policy_byte).map(u64::from))?;
        Ok(policy_name(policy, &NX_POLICIES))
    }

    /// Which processes have their exception handlers checked (`SEHValidationPolicy`).
    pub fn seh_validation_policy(&self) -> Result<String, Absent> {
        self.view.bits(&self.fields.seh_validation_policy).map(|policy| policy_name(policy, &SEH_POLICIES))
    }

    /// The session on the console; `None` if there is none.
    pub fn active_console_id(&self) -> Result<Option<u32>, Absent> {
        // `WTSGetActiveConsoleSessionId` gives -1 where no session is attached.
        self.view.get(&self.fields.active_console_id).map(|id| (id != u32::MAX).then_some(id))
    }

    /// The system was started in safe mode.
    pub fn safe_boot_mode(&self) -> Result<bool, Absent> {
        self.view.get(&self.fields.safe_boot_mode).map(|mode| mode != 0)
    }

    /// `VirtualizationFlags` as stored.
    pub fn virtualization_flags(&self) -> Result<u8, Absent> {
        self.view.get(&self.fields.virtualization_flags)
    }

    /// `SystemCall`: not zero where the system sees system calls in another way than by `SYSCALL`.
    pub fn system_call(&self) -> Result<u32, Absent> {
        self.view.get(&self.fields.system_call)
    }

    /// `QpcBypassEnabled` as stored.
    pub fn qpc_bypass_enabled(&self) -> Result<u8, Absent> {
        self.view.get(&self.fields.qpc_bypass_enabled)
    }

    /// How often the system was started.
    pub fn boot_id(&self) -> Result<u32, Absent> {
        self.view.get(&self.fields.boot_id)
    }

    /// What the kernel says of its processors (`ProcessorFeatures`): the names of `PF_*` without that prefix.
    pub fn processor_features(&self) -> Result<Vec<String>, Absent> {
        let features = self.view.get(&self.fields.processor_features)?;
        let name = |place: usize| match PROCESSOR_FEATURES.iter().find(|(known, _)| *known == place) {
            Some((_, name)) => String::from(*name),
            None => format!("bit_{place}"),
        };
        Ok(features.iter().enumerate().filter(|(_, on)| **on != 0).map(|(place, _)| name(place)).collect())
    }

    /// The kernel uses pages without the right to run code (`PF_NX_ENABLED`).
    pub fn nx_enabled(&self) -> Result<bool, Absent> {
        let features = self.view.get(&self.fields.processor_features)?;
        Ok(features.get(NX_ENABLED).is_some_and(|on| *on != 0))
    }
}

fn policy_name(policy: u64, names: &[&str]) -> String {
    let known = usize::try_from(policy).ok().and_then(|policy| names.get(policy));
    known.map_or_else(|| format!("Unknown({policy})"), |name| String::from(*name))
}
