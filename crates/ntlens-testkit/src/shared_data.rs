//! `KUSER_SHARED_DATA`: one page that the kernel writes and every process reads.

use crate::assembly::{Assembly, BOOT_TIME, UP_TIME};
use crate::guest::utf16;
use crate::paging::{KERNEL, NO_EXECUTE};
use crate::plan::SHARED_DATA;

const STRUCTURE: &str = "_KUSER_SHARED_DATA";

impl Assembly<'_> {
    pub(crate) fn shared_data(&mut self) {
        self.guest.map_new(self.guest.kernel, SHARED_DATA, 1, KERNEL | NO_EXECUTE);
        let version = self.guest.layouts.version();
        let (major, minor) = version.map_or((10, 0), |version| (version.major, version.minor));
        let frames = self.guest.memory.frame_count();
        let build = u64::from(self.build);
        let processors = u64::from(self.machine.processors);
        self.guest
            .at(SHARED_DATA, STRUCTURE)
            .bytes("InterruptTime", &system_time(UP_TIME))
            .bytes("SystemTime", &system_time(BOOT_TIME + UP_TIME))
            .bytes("TickCount", &system_time(UP_TIME / 156_250))
            .set("TickCountMultiplier", 0x0fa0_0000)
            .bytes("NtSystemRoot", &utf16("C:\\Windows\0"))
            .set("NtBuildNumber", build)
            .set("NtProductType", 1)
            .set("ProductTypeIsValid", 1)
            .set("NtMajorVersion", u64::from(major))
            .set("NtMinorVersion", u64::from(minor))
            .set("ImageNumberLow", 0x8664)
            .set("ImageNumberHigh", 0x8664)
            .set("SuiteMask", 0x110)
            .set("NXSupportPolicy", 2)
            .set("SEHValidationPolicy", 3)
            .set("DbgElevationEnabled", 1)
            .set("DbgVirtEnabled", 1)
            .set("DbgSecureBootEnabled", 1)
            .set("KdDebuggerEnabled", 3)
            .set("BootId", 7)
            .bytes("ProcessorFeatures", &processor_features())
            .set("ActiveConsoleId", 1)
            .set("NumberOfPhysicalPages", frames)
            .set("ActiveProcessorCount", processors)
            .set("Cookie", 0x1234_5678);
        // Layouts that leave this public structure out still get what readers look for most.
        if self.guest.offset(STRUCTURE, "NtMajorVersion").is_none() {
            self.guest.write(SHARED_DATA + 0x8, &system_time(UP_TIME));
            self.guest.write(SHARED_DATA + 0x14, &system_time(BOOT_TIME + UP_TIME));
            self.guest.write(SHARED_DATA + 0x30, &utf16("C:\\Windows\0"));
            if self.build >= 10240 {
                self.guest.write_u32(SHARED_DATA + 0x260, self.build);
            }
            self.guest.write_u32(SHARED_DATA + 0x264, 1);
            self.guest.write_u32(SHARED_DATA + 0x26c, u32::from(major));
            self.guest.write_u32(SHARED_DATA + 0x270, u32::from(minor));
        }
    }
}

/// `ProcessorFeatures` with `PF_NX_ENABLED` (12) and `PF_FASTFAIL_AVAILABLE` (23).
fn processor_features() -> [u8; 64] {
    let mut features = [0; 64];
    features[12] = 1;
    features[23] = 1;
    features
}

/// A `_KSYSTEM_TIME`: the low half, and the high half twice.
fn system_time(value: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    bytes[8..].copy_from_slice(&value.to_le_bytes()[4..]);
    bytes
}
