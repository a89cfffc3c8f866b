//! The list of loaded modules, and what its entries say.

use super::{Check, Exam, Severity};
use crate::absent::Absent;
use crate::address::{PAGE_SIZE, VirtAddr};
use crate::incomplete::{Incomplete, Place};
use crate::nt::module::Module;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const CHECK: Check = Check { name: "modules", run };

const STRUCTURE: &str = "_KLDR_DATA_TABLE_ENTRY";

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.kernel else { return };
    let modules = kernel.modules();
    let consequence = "the list was put together from its other links; modules between broken links may be missing";
    let is_string = |one: &Incomplete| one.wrong.as_deref().is_some_and(|wrong| wrong.structure == "_UNICODE_STRING");
    let (strings, of_list) = modules.incomplete.into_iter().partition(is_string);
    exam.tell_all(of_list, Severity::Medium, consequence);
    exam.tell_all(strings, Severity::Low, "the name or path of this module is missing, or another");
    let fields = &kernel.fields().module.entry;
    let place = |module: &Module, offset: Result<u32, Absent>| -> Place {
        let at = module.list_entry.and_then(|at| Ok(at.wrapping_add(offset?.into())));
        at.map_or_else(|_| module.base.map_or(STRUCTURE.into(), Place::from), Place::from)
    };
    let mut ranges: Vec<(VirtAddr, u64, &Module)> = Vec::new();
    for module in &modules.modules {
        let (Ok(base), Ok(size)) = (module.base, module.size) else { continue };
        if !base.0.is_multiple_of(PAGE_SIZE) {
            let at = place(module, fields.base.map(|field| field.offset));
            let found = format!("{base} of {}", name(module));
            let wrong = Incomplete::wrong(STRUCTURE, "DllBase", at, found, "the start of a page");
            exam.tell(wrong, Severity::Low, "addresses in this module have no owner");
        }
        ranges.push((base, size, module));
    }
    ranges.sort_by_key(|(base, ..)| *base);
    for pair in ranges.windows(2) {
        let [(base, size, module), (next, _, other)] = pair else { continue };
        if base.0.saturating_add(*size) > next.0 {
            let at = place(module, fields.size.map(|field| field.offset));
            let found = format!("{size:#x} for {}", name(module));
            let expected = format!("at most {:#x}, where {} begins", next.0 - base.0, name(other));
            let wrong = Incomplete::wrong(STRUCTURE, "SizeOfImage", at, found, expected);
            exam.tell(wrong, Severity::Low, "addresses in both modules are told as of one of them");
        }
    }
}

fn name(module: &Module) -> String {
    module.name.clone().ok().flatten().unwrap_or_else(|| "a module without a name".into())
}
