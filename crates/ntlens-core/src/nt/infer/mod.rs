//! Finding out the layout of a kernel that no symbols are known of, from the dump itself.

use crate::kdbg::Kdbg;
use crate::layout::Layouts;
use crate::layout::source::LayoutSource;
use crate::memory::PagedSpace;
use crate::nt::image::ImageHeaders;
use alloc::string::String;
use alloc::vec::Vec;

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

/// Finds out what can be established; `None` if not even the processes can be told apart. `known` has the layouts of other
/// builds, which may tell what to look for but prove nothing.
pub fn infer(_evidence: &Evidence<'_>, _known: &dyn LayoutSource) -> Option<Inferred> {
    None
}
