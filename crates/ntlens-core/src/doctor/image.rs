//! The kernel's image: its headers and the identity of its symbols.

use super::{Check, Exam, Severity};
use crate::absent::Absent;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;

pub(super) const CHECK: Check = Check { name: "kernel image", run };

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let Ok(base) = kernel.kernel_base() else { return };
    if kernel.kernel_headers().is_none() {
        let mut start = [0; 2];
        let read = kernel.space().read(base, &mut start).map_err(|hole| hole.why);
        let consequence = "exports of the kernel are not known; its size is assumed";
        match read {
            Ok(()) if &start != b"MZ" => {
                let found = alloc::format!("\"{}\"", start.escape_ascii());
                let wrong = Incomplete::wrong("IMAGE_DOS_HEADER", "e_magic", base, found, "\"MZ\"");
                exam.tell(wrong, Severity::Low, consequence);
            }
            Ok(()) => {
                let found = "no headers of an x64 image";
                let wrong = Incomplete::wrong("IMAGE_NT_HEADERS64", "Signature", base, found, "PE headers for x64");
                exam.tell(wrong, Severity::Low, consequence);
            }
            Err(why) => {
                let none = Incomplete::new("headers of the kernel's image", base, why);
                exam.tell(none, Severity::Info, consequence);
            }
        }
    }
    if kernel.kernel_id().is_none() {
        let none = Incomplete::new("identity of the kernel's symbols (RSDS)", base, Absent::AddressNotInDump);
        exam.tell(none, Severity::Medium, "the layout is that of the build, not of exactly this kernel");
    }
}
