//! The file: its header, its description of the memory, and what of them the kernel contradicts.

use super::{Check, Exam, Severity};
use crate::address::VirtAddr;
use crate::dump::header64::offsets;
use crate::incomplete::{Incomplete, Place};
use crate::kdbg::Kdbg;
use crate::memory::VirtualMemory;
use crate::nt::builds;
use crate::nt::snapshot::Snapshot;
use alloc::string::ToString;

pub(super) const CHECK: Check = Check { name: "file", run };

fn run(exam: &mut Exam<'_>) {
    let opened = exam.dump.incomplete().to_vec();
    for incomplete in opened {
        let (severity, consequence) = weight(&incomplete);
        exam.tell(incomplete, severity, consequence);
    }
    let kernel = match exam.dump.kernel() {
        Ok(kernel) => kernel,
        Err(why) => {
            let (name, what) = ("Windows kernel", why.to_string());
            let none = Incomplete::new(what, name, crate::absent::Absent::Malformed);
            let none = none.of_field(name, "", "none that can be read", "a kernel whose layout is known");
            return exam.tell(none, Severity::High, "only the header, the coverage and physical memory can be told");
        }
    };
    build(exam, kernel);
    processors(exam, kernel);
}

/// How much depends on what was wrong when the dump was opened.
fn weight(incomplete: &Incomplete) -> (Severity, &'static str) {
    let Some(wrong) = &incomplete.wrong else {
        return (Severity::Low, "fields of structures that the layout does not know are missing in the answers");
    };
    match (&*wrong.structure, &*wrong.field) {
        ("file", "size") => (Severity::Medium, "frames behind the end of the file are missing; each answer says which"),
        ("file", "tail") => (Severity::Info, "nothing in the dump leads there: these bytes are not looked at"),
        ("DUMP_HEADER64", "SystemTime" | "SystemUpTime") => (Severity::Low, "times of the header are wrong or missing"),
        ("DUMP_HEADER64", "RequiredDumpSpace") => (Severity::Low, "nothing else depends on it"),
        ("TRIAGE_DUMP64" | "DUMP_UNLOADED_DRIVERS" | "DUMP_DRIVER_ENTRY64", _) => {
            (Severity::Medium, "what it leads to is missing, or was read as far as it can be what it should be")
        }
        ("DUMP_HEADER64", "DirectoryTableBase") => (Severity::Low, "page tables were found by what they are instead"),
        ("DUMP_HEADER64", "PsActiveProcessHead" | "PsLoadedModuleList" | "KdDebuggerDataBlock") => {
            (Severity::Low, "the kernel's own variables were used instead")
        }
        ("DUMP_HEADER64", "DumpType" | "MachineImageType" | "Signature" | "ValidDump") => {
            (Severity::Low, "the file was read by what follows the header")
        }
        (_, field) if field.starts_with("PhysicalMemoryBlock.Run[") || field.starts_with("Range[") => {
            (Severity::Medium, "frames of this run, or of those behind it, may be missing or be others")
        }
        _ => (Severity::Low, "the reading that contradicts least was used"),
    }
}

/// The build that the header gives, against the kernel's own text.
fn build(exam: &mut Exam<'_>, kernel: &Snapshot) {
    let Some(header) = exam.dump.dump().header.as_ref().and_then(|header| header.build) else { return };
    let lab = kernel.build_lab().ok();
    let Some((own, _)) = lab.as_deref().and_then(builds::parse_build_lab) else { return };
    if builds::kernel_build(header) != builds::kernel_build(own) {
        let wrong =
            Incomplete::wrong("DUMP_HEADER64", "MinorVersion", Place::File(offsets::MINOR_VERSION), header, own);
        exam.tell(wrong, Severity::Low, "the build that the kernel's own text names was used");
    }
}

/// Processors that are looked for.
const MAX_PROCESSORS: u64 = 2048;

/// The number of processors that the header gives, against the kernel's array of their blocks.
fn processors(exam: &mut Exam<'_>, kernel: &Snapshot) {
    let Some(header) = exam.dump.dump().header.as_ref().and_then(|header| header.processors) else { return };
    let array = kernel.kdbg().and_then(Kdbg::ki_processor_block);
    let Some(array) = array.filter(|_| kernel.triage().is_none()) else { return };
    let mut count = 0;
    for index in 0..MAX_PROCESSORS {
        match kernel.space().read_pointer(array.wrapping_add(index * 8)) {
            Ok(at) if is_block(kernel, at) => count += 1,
            Ok(_) => break,
            // What cannot be counted contradicts nothing.
            Err(_) => return,
        }
    }
    if count != u64::from(header) {
        let at = Place::File(offsets::NUMBER_PROCESSORS);
        let wrong = Incomplete::wrong("DUMP_HEADER64", "NumberProcessors", at, header, count);
        exam.tell(wrong, Severity::Low, "processors beyond the smaller number are missing in the answers");
    }
}

fn is_block(kernel: &Snapshot, at: VirtAddr) -> bool {
    at.is_kernel() && kernel.space().read_array::<8>(at).is_ok()
}
