//! Finding out the layout of a kernel that no symbols are known of, from the dump itself.
//!
//! Nothing is guessed: a field is used only if what lies at its offset, in nearly all objects, is what no other field
//! holds, and if no second offset does as well. What the layouts of other builds say is no evidence, so they are not
//! asked. The kernel's own declarations in KDBG count once the objects confirm them. What a damaged list, a few exited
//! processes or missing pages can spoil is decided by votes; the rest is strict.

mod body;
mod cid;
mod found;
mod ids;
mod modules;
mod name;
mod peb;
mod population;
mod processors;
mod protection;
mod threads;
mod times;
mod token;
pub(crate) mod triage;
mod votes;

use crate::kdbg::Kdbg;
use crate::layout::Layouts;
use crate::memory::PagedSpace;
use crate::nt::image::ImageHeaders;
use alloc::string::String;
use alloc::vec::Vec;
use found::{At, Found};
use population::Population;
use threads::Threads;

/// One field whose place was established from the dump.
#[derive(Clone, Debug, PartialEq)]
pub struct InferredField {
    /// The structure, by Windows' name: `_EPROCESS`.
    pub structure: &'static str,
    /// The field's path in the structure: `Pcb.DirectoryTableBase`.
    pub field: &'static str,
    /// Bytes from the structure's start.
    pub offset: u32,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
    /// What it rests on, for a person.
    pub evidence: String,
}

/// What is known of a kernel before its layout is.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// An address space of the kernel.
    pub space: &'a PagedSpace,
    /// Base of the kernel's image.
    pub base: crate::address::VirtAddr,
    /// The image's headers.
    pub headers: Option<&'a ImageHeaders>,
    /// The block for debuggers.
    pub kdbg: Option<&'a Kdbg>,
    /// Head of the list of active processes, as the dump's header gives it.
    pub ps_active_process_head: Option<crate::address::VirtAddr>,
    /// Head of the list of loaded modules, as the dump's header gives it.
    pub ps_loaded_module_list: Option<crate::address::VirtAddr>,
    /// When the system stopped, in 100 ns since 1601, as the dump's header gives it.
    pub system_time: Option<u64>,
    /// The kernel's build.
    pub build: Option<u32>,
}

/// What was found out.
#[derive(Clone, Debug)]
pub struct Inferred {
    /// The layout that the fields make. It knows some fields of some structures.
    pub layouts: Layouts,
    /// The fields one by one.
    pub fields: Vec<InferredField>,
}

/// Finds out what can be established; `None` if not even the processes can be told apart.
pub fn infer(evidence: &Evidence<'_>) -> Option<Inferred> {
    let mut found = Found::default();
    let population = Population::find(evidence, &mut found)?;
    let mut threads = Threads::collect(evidence, &population);
    // Later subjects build on earlier ones: parents are older than their children, protected processes have names.
    ids::find(evidence, &population, &threads, &mut found);
    times::find(evidence, &population, &mut found);
    ids::find_parents(evidence, &population, &mut found);
    name::find(evidence, &population, &mut found);
    token::find(evidence, &population, &mut found);
    threads.find(evidence, &population, &mut found);
    peb::find(evidence, &population, &threads, &mut found);
    protection::find(&population, &mut found);
    processors::find(evidence, &mut found);
    modules::find(evidence, &mut found);
    for (field, offset) in [("Length", 0), ("MaximumLength", 2), ("Buffer", 8)] {
        found.add_sure(At::new("_UNICODE_STRING", field, offset), 1.0, "public interface".into());
    }
    let size = |get: fn(&Kdbg) -> Option<u64>| evidence.kdbg.and_then(get);
    let sizes = [
        ("_EPROCESS", size(Kdbg::size_eprocess)),
        ("_ETHREAD", size(Kdbg::size_ethread)),
        ("_KPRCB", size(Kdbg::size_prcb)),
    ];
    Some(found.finish(&sizes))
}
