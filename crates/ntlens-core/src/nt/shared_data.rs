//! `KUSER_SHARED_DATA`: the page that the kernel maps at one fixed address in every version of Windows.

use crate::address::VirtAddr;
use crate::memory::VirtualMemory;

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
