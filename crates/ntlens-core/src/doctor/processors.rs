//! The blocks of the processors: each has the number of its place, and runs a thread.

use super::{Check, Exam, Severity, leads_nowhere};
use crate::incomplete::Incomplete;
use alloc::format;

pub(super) const CHECK: Check = Check { name: "processors", run };

const STRUCTURE: &str = "_KPRCB";

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    for (index, processor) in (0_u32..).zip(kernel.processors()) {
        let Ok(prcb) = processor.prcb() else { continue };
        if leads_nowhere(kernel.space(), prcb) {
            let wrong = Incomplete::wrong("KiProcessorBlock", format!("[{index}]"), prcb, prcb, "a block in memory");
            exam.tell(wrong, Severity::Medium, "registers and tables of this processor are missing");
            continue;
        }
        if let Some(number) = processor.number().ok().filter(|number| *number != index) {
            let place = kernel.place_of(STRUCTURE, prcb, "Number");
            let wrong = Incomplete::wrong(STRUCTURE, "Number", place, number, format!("{index}, its place"));
            exam.tell(wrong, Severity::Low, "tables of this processor are told under another number");
        }
        for (field, thread) in [
            ("CurrentThread", processor.current_thread().map(|thread| thread.ethread())),
            ("IdleThread", processor.idle_thread()),
        ] {
            if let Some(at) = thread.ok().filter(|at| leads_nowhere(kernel.space(), *at)) {
                let place = kernel.place_of(STRUCTURE, prcb, field);
                let wrong = Incomplete::wrong(STRUCTURE, field, place, at, "the address of a thread");
                exam.tell(wrong, Severity::Low, "what runs on this processor is not told");
            }
        }
    }
}
