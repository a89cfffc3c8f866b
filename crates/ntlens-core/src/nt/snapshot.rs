//! The kernel of one dump, ready to be asked.

use crate::absent::Absent;
use crate::address::{PhysAddr, VirtAddr};
use crate::dump::header64::offsets;
use crate::dump::{Content, Dump, Triage};
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::kdbg::{Encoding, Kdbg};
use crate::layout::source::{ImageSymbols, LayoutSource};
use crate::layout::view::StructView;
use crate::layout::{Layouts, PdbId, Version};
use crate::memory::{PagedSpace, VirtualMemory};
use crate::nt::census::{self, Processes};
use crate::nt::context::Context;
use crate::nt::crash::{self, Crash};
use crate::nt::fields::Fields;
use crate::nt::fit::Fit;
use crate::nt::image::ImageHeaders;
use crate::nt::infer::{self, Evidence, Inferred};
use crate::nt::list::{self, Links};
use crate::nt::locate::{self, Kernel};
use crate::nt::module::{self, Modules};
use crate::nt::object_manager::ObjectManager;
use crate::nt::other_image::{self, OtherImage};
use crate::nt::processor::{self, Processor};
use crate::nt::select::{KernelMarks, Origin, Selected, describe, select};
use crate::nt::space::Space;
use crate::nt::unloaded::{self, Unloaded};
use crate::nt::{builds, pte_rules, shared_data};
use crate::spread::{OneByOne, Spread};
use crate::text;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use once_cell::race::OnceBox;

/// The kernel of one dump with its layout: what every question is asked of. Cheap to clone, and shared between threads.
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<Inner>,
    others: Arc<[OtherImage]>,
    spread: &'static dyn Spread,
}

struct Inner {
    dump: Dump,
    space: Space,
    kernel_base: Result<VirtAddr, Absent>,
    headers: Option<ImageHeaders>,
    symbols: Option<ImageSymbols>,
    kdbg: Option<Kdbg>,
    kdbg_at: Option<VirtAddr>,
    build: Option<u32>,
    selected: Selected,
    fields: Fields,
    heads: Heads,
    incomplete: Vec<Incomplete>,
    object_manager: OnceBox<ObjectManager>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("dump", &self.inner.dump)
            .field("kernel", &self.inner.symbols)
            .finish_non_exhaustive()
    }
}

/// Addresses of the kernel's variables from which everything is reached.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Head of the list of active processes.
    pub ps_active_process_head: Result<VirtAddr, Absent>,
    /// Head of the list of loaded modules.
    pub ps_loaded_module_list: Result<VirtAddr, Absent>,
    /// The variable that points to the table of process and thread ids.
    pub psp_cid_table: Result<VirtAddr, Absent>,
    /// The variable that points to the ring of unloaded modules.
    pub mm_unloaded_drivers: Result<VirtAddr, Absent>,
    /// The number of the ring's next slot.
    pub mm_last_unloaded_driver: Result<VirtAddr, Absent>,
}

/// What the caller knows better than the dump.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Root of the page tables to start from, instead of the header's.
    pub dtb: Option<PhysAddr>,
}

impl Snapshot {
    /// Finds the kernel in a dump and chooses its layout.
    pub fn open(dump: Dump, source: &dyn LayoutSource, options: Options) -> Result<Self, Error> {
        match &dump.content {
            Content::Nothing(why) => Err(why.clone()),
            Content::Triage(triage) => {
                let triage = triage.clone();
                open_triage(dump, &triage, source)
            }
            Content::Physical(_) => {
                let kernel = locate::locate(&dump, options.dtb)?;
                let snapshot = open_physical(&dump, &kernel, source)?;
                let others = other_image::find(&snapshot, source).into();
                Ok(Self { others, ..snapshot })
            }
        }
    }

    fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), others: Arc::new([]), spread: &OneByOne }
    }

    /// Who does long work that falls into pieces.
    #[must_use]
    pub fn with_spread(self, spread: &'static dyn Spread) -> Self {
        Self { spread, ..self }
    }

    /// Who does long work that falls into pieces.
    pub fn spread(&self) -> &'static dyn Spread {
        self.spread
    }

    /// The dump.
    pub fn dump(&self) -> &Dump {
        &self.inner.dump
    }

    /// The content of a triage dump.
    pub fn triage(&self) -> Option<&Triage> {
        match &self.inner.dump.content {
            Content::Triage(triage) => Some(triage),
            _ => None,
        }
    }

    /// The kernel's address space.
    pub fn space(&self) -> &Space {
        &self.inner.space
    }

    /// Base of the kernel image.
    pub fn kernel_base(&self) -> Result<VirtAddr, Absent> {
        self.inner.kernel_base
    }

    /// The kernel image's headers, if they are in the dump.
    pub fn kernel_headers(&self) -> Option<&ImageHeaders> {
        self.inner.headers.as_ref()
    }

    /// The identity of the kernel's symbols.
    pub fn kernel_id(&self) -> Option<PdbId> {
        self.inner.symbols.as_ref().map(|symbols| symbols.id)
    }

    /// What the kernel's image says of its symbols.
    pub fn kernel_symbols(&self) -> Option<&ImageSymbols> {
        self.inner.symbols.as_ref()
    }

    /// The block for debuggers.
    pub fn kdbg(&self) -> Option<&Kdbg> {
        self.inner.kdbg.as_ref()
    }

    /// Where the block for debuggers lies; of a triage dump, where its copy was taken from.
    pub fn kdbg_address(&self) -> Option<VirtAddr> {
        self.inner.kdbg_at
    }

    /// The build of the kernel.
    pub fn build(&self) -> Option<u32> {
        self.inner.build
    }

    /// The layout in use and where it came from.
    pub fn selected(&self) -> &Selected {
        &self.inner.selected
    }

    /// The layout in use.
    pub fn layouts(&self) -> &Layouts {
        &self.inner.selected.layouts
    }

    /// The fields that the library reads, as the layout places them.
    pub fn fields(&self) -> &Fields {
        &self.inner.fields
    }

    /// Where the kernel's lists and tables begin.
    pub fn heads(&self) -> &Heads {
        &self.inner.heads
    }

    /// What was missing or contradictory when the dump was opened.
    pub fn incomplete(&self) -> &[Incomplete] {
        &self.inner.incomplete
    }

    /// The text that names the build (`NtBuildLab`).
    pub fn build_lab(&self) -> Result<String, Absent> {
        build_lab(&self.inner.space, self.inner.kdbg.as_ref())
    }

    /// The kernel's version as exactly as it is known: with the revision only if symbols or the text of the build tell it.
    pub fn version(&self) -> Option<Version> {
        let selected = self.selected();
        let exact = selected.versions.first().filter(|_| selected.origin == Origin::Exact);
        let revision = || builds::parse_build_lab(&self.build_lab().ok()?)?.1;
        exact.copied().or_else(|| Some(Version { revision: revision(), ..builds::version(self.inner.build?) }))
    }

    /// The root of System's page tables.
    pub fn system_dtb(&self) -> Result<PhysAddr, Absent> {
        system_dtb(&self.inner)
    }

    /// The processes.
    pub fn processes(&self) -> Processes {
        census::processes(self)
    }

    /// The types of objects, the root of the namespace and the silos, found once.
    pub fn object_manager(&self) -> &ObjectManager {
        self.object_manager_with(|| self.processes())
    }

    /// The same, for who has the processes already.
    pub(crate) fn object_manager_with<C: Borrow<Processes>>(&self, census: impl FnOnce() -> C) -> &ObjectManager {
        self.inner.object_manager.get_or_init(|| Box::new(ObjectManager::find(self, census().borrow())))
    }

    /// Where a field of a structure lies, to tell of it; the structure itself if the layout does not know the field.
    pub(crate) fn place_of(&self, structure: &str, at: VirtAddr, field: &str) -> VirtAddr {
        self.layouts().place(structure, field).map_or(at, |place| at.wrapping_add(place.offset.into()))
    }

    /// The address of a symbol; only exact symbols know any.
    pub fn symbol(&self, name: &str) -> Result<VirtAddr, Absent> {
        symbol(self.layouts(), self.inner.kernel_base?, name)
    }

    /// An image other than the kernel, if the user has symbols of it.
    pub(crate) fn other_image(&self, name: &str) -> Result<&OtherImage, Absent> {
        self.others.iter().find(|image| image.name == name).ok_or(Absent::SymbolsNeeded)
    }

    /// The processors; of a triage dump the crashing one.
    pub fn processors(&self) -> Vec<Processor> {
        processor::processors(self)
    }

    /// The crashing processor, thread and process, and their registers.
    pub fn crash(&self) -> Crash {
        crash::crash(self)
    }

    /// The loaded modules.
    pub fn modules(&self) -> Modules {
        module::modules(self)
    }

    /// The unloaded modules, the oldest first, and what of them could not be read.
    pub fn unloaded(&self) -> (Vec<Unloaded>, Vec<Incomplete>) {
        unloaded::unloaded(self)
    }
}

/// The address of a symbol in the image at a base.
pub(super) fn symbol(layouts: &Layouts, base: VirtAddr, name: &str) -> Result<VirtAddr, Absent> {
    layouts.symbol(name).map(|rva| base.wrapping_add(rva.0))
}

fn build_lab<M: VirtualMemory>(memory: &M, kdbg: Option<&Kdbg>) -> Result<String, Absent> {
    let at = kdbg.and_then(Kdbg::nt_build_lab).ok_or(Absent::SymbolsNeeded)?;
    let mut lab = [0; 64];
    let held = match memory.read(at, &mut lab) {
        Ok(()) => lab.len(),
        Err(hole) if hole.done > 0 => hole.done,
        // The text may be shorter than what is read, and the block that holds it too.
        Err(hole) if hole.why.is_lost() => return Err(hole.why),
        Err(hole) => memory.read_array::<1>(at).map(|_| 1).map_err(|_| hole.why)?,
    };
    let lab = text::ascii_until_nul(lab.get(..held).unwrap_or_default());
    if lab.starts_with(|first: char| first.is_ascii_digit()) { Ok(lab) } else { Err(Absent::Malformed) }
}

fn sizes(kdbg: Option<&Kdbg>) -> Vec<(&'static str, u64)> {
    let size = |name, value: Option<u64>| value.map(|value| (name, value));
    let known = [
        size("_EPROCESS", kdbg.and_then(Kdbg::size_eprocess)),
        size("_ETHREAD", kdbg.and_then(Kdbg::size_ethread)),
        size("_KPRCB", kdbg.and_then(Kdbg::size_prcb)),
    ];
    known.into_iter().flatten().collect()
}

fn open_triage(dump: Dump, triage: &Triage, source: &dyn LayoutSource) -> Result<Snapshot, Error> {
    let space = Space::Blocks(triage.space.clone());
    let kdbg = triage.kdbg.clone();
    let lab = build_lab(&space, kdbg.as_ref()).ok();
    let (lab_build, revision) = lab.as_deref().and_then(builds::parse_build_lab).unzip();
    let copies =
        [("_EPROCESS", triage.sizes.eprocess), ("_ETHREAD", triage.sizes.ethread), ("_KPRCB", triage.sizes.kprcb)];
    let copies: Vec<_> = copies.into_iter().filter_map(|(name, size)| Some((name, size?))).collect();
    let marks = KernelMarks {
        symbols: None,
        build: lab_build.or(dump.header.as_ref().and_then(|header| header.build)),
        revision: revision.flatten(),
        sizes: if copies.is_empty() { sizes(kdbg.as_ref()) } else { copies },
        of_copies: true,
    };
    let context = dump.header.as_ref().and_then(|header| Context::parse(&header.context).ok());
    let found = infer::triage::infer(triage, dump.header_dtb(), context.map(|context| context.rsp));
    let mut incomplete = dump.incomplete.clone();
    let selected = match select(source, &marks) {
        Ok(selected) if selected.origin == Origin::Build => {
            let fit = Fit::new(&selected.revisions, &marks, found.as_ref());
            let (layouts, told) = (fit.layouts(), fit.told());
            incomplete.extend(fit.incomplete);
            Selected { layouts, inferred: told, ..selected }
        }
        Err(why @ Error::NoLayout { .. }) => found.map(Selected::inferred).ok_or(why)?,
        chosen => chosen?,
    };
    let fields = Fields::resolve(&selected.layouts);
    let kernel_base = kdbg.as_ref().and_then(Kdbg::kern_base).ok_or(Absent::AddressNotInDump);
    let missing = Err(Absent::AddressNotInDump);
    let heads = Heads {
        ps_active_process_head: missing,
        ps_loaded_module_list: missing,
        psp_cid_table: missing,
        mm_unloaded_drivers: missing,
        mm_last_unloaded_driver: missing,
    };
    let build = marks.build;
    let kdbg_at = dump.header.as_ref().and_then(|header| header.kd_debugger_data_block).filter(|_| kdbg.is_some());
    let inner = Inner {
        dump,
        space,
        kernel_base,
        headers: None,
        symbols: None,
        kdbg,
        kdbg_at,
        build,
        selected,
        fields,
        heads,
        incomplete,
        object_manager: OnceBox::new(),
    };
    check_triage(&inner, triage, &marks)?;
    Ok(Snapshot::new(inner))
}

/// The copies of the process and of its thread must tell the same process id, and the process the same root of page tables
/// as the header.
fn check_triage(inner: &Inner, triage: &Triage, marks: &KernelMarks) -> Result<(), Error> {
    let Ok(process) = triage.process else { return Ok(()) };
    let fields = &inner.fields.process.eprocess;
    let view = StructView::read(&inner.space, process, fields.extent);
    let object_type = view.get(&fields.object_type);
    let dtb = view.get(&fields.directory_table_base).map(PhysAddr::from_cr3);
    let pid = view.get(&fields.unique_process_id);
    let mut wrong = Vec::new();
    if object_type.is_ok_and(|kind| kind != 3) {
        wrong.push("the type of the process object is not 3");
    }
    if dtb.is_ok_and(|dtb| Some(dtb) != inner.dump.header_dtb()) {
        wrong.push("the page tables of the process are not those of the header");
    }
    if pid.is_ok_and(|pid| pid % 4 != 0 || pid > MAX_PID) {
        wrong.push("the process id is no multiple of 4");
    }
    if pid_of_thread(inner, triage, process).is_ok_and(|other| pid.is_ok_and(|pid| pid != other)) {
        wrong.push("the process id is not that of the thread");
    }
    // One contradiction can be the dump's own; more are the layout's.
    if wrong.len() < 2 { Ok(()) } else { Err(Error::NoLayout { kernel: describe(marks), reason: wrong.join(", ") }) }
}

/// The process id that the crashing thread tells, unless it was attached to another process than its own.
fn pid_of_thread(inner: &Inner, triage: &Triage, process: VirtAddr) -> Result<u64, Absent> {
    let fields = &inner.fields.thread;
    let view = StructView::read(&inner.space, triage.thread?, fields.extent);
    if view.get(&fields.process)? == process { view.get(&fields.unique_process) } else { Err(Absent::NotApplicable) }
}

/// Ids are handles of a table of at most 2^26 entries.
const MAX_PID: u64 = 1 << 28;

fn open_physical(dump: &Dump, kernel: &Kernel, source: &dyn LayoutSource) -> Result<Snapshot, Error> {
    let lab = build_lab(&kernel.space, kernel.kdbg.as_ref()).ok();
    let (lab_build, revision) = lab.as_deref().and_then(builds::parse_build_lab).unzip();
    let header_build = dump.header.as_ref().and_then(|header| header.build);
    let build =
        lab_build.or_else(|| shared_data::version(&kernel.space).and_then(|found| found.build)).or(header_build);
    let sizes = sizes(kernel.kdbg.as_ref());
    let symbols = kernel.symbols.clone();
    let marks = KernelMarks { symbols, build, revision: revision.flatten(), sizes, of_copies: false };
    let chosen = select(source, &marks).and_then(|selected| {
        let snapshot = assemble(dump, kernel, &marks, selected)?;
        if snapshot.selected().origin == Origin::Build { refit(snapshot, kernel, &marks) } else { Ok(snapshot) }
    });
    chosen.or_else(|why| {
        let no_layout = matches!(why, Error::NoLayout { .. });
        let selected = if no_layout { inferred(dump, kernel, build) } else { None };
        selected.map_or(Err(why), |found| assemble(dump, kernel, &marks, Selected::inferred(found)))
    })
}

/// The same kernel without those definitions of other revisions that do not fit it.
fn refit(snapshot: Snapshot, kernel: &Kernel, marks: &KernelMarks) -> Result<Snapshot, Error> {
    let found = inferred(snapshot.dump(), kernel, marks.build);
    let dump = snapshot.dump().clone();
    let selected = snapshot.selected().clone();
    let again = |fit: &Fit<'_>| {
        let mut dump = dump.clone();
        dump.incomplete.extend(fit.incomplete.iter().cloned());
        assemble(&dump, kernel, marks, Selected { layouts: fit.layouts(), inferred: fit.told(), ..selected.clone() })
    };
    let mut fit = Fit::new(&selected.revisions, marks, found.as_ref());
    let snapshot = if fit.changes() { again(&fit)? } else { snapshot };
    if fit.judge(&snapshot) { again(&fit) } else { Ok(snapshot) }
}

/// The layout that the dump itself tells.
fn inferred(dump: &Dump, kernel: &Kernel, build: Option<u32>) -> Option<Inferred> {
    let header = dump.header.as_ref();
    let evidence = Evidence {
        space: &kernel.space,
        base: kernel.base,
        headers: kernel.headers.as_ref(),
        kdbg: kernel.kdbg.as_ref(),
        ps_active_process_head: header.and_then(|header| header.ps_active_process_head),
        ps_loaded_module_list: header.and_then(|header| header.ps_loaded_module_list),
        system_time: header.and_then(|header| header.system_time),
        build,
    };
    infer::infer(&evidence)
}

/// The kernel with a layout, if the layout fits it.
fn assemble(dump: &Dump, kernel: &Kernel, marks: &KernelMarks, selected: Selected) -> Result<Snapshot, Error> {
    let Kernel { space, base, headers, kdbg, kdbg_at, mut incomplete, .. } = kernel.clone();
    let build = marks.build;
    let layouts = &selected.layouts;
    let decoded = if kdbg.is_none() { decode_kdbg(&space, base, layouts, kdbg_at) } else { None };
    let wrong_kdbg = kdbg_at.filter(|at| kdbg.is_none() && decoded.as_ref().is_none_or(|(found, _)| found != at));
    if let Some(wrong) = wrong_kdbg {
        let expected = decoded.as_ref().map_or("the address of a KDBG block".into(), |(at, _)| format!("{at}"));
        incomplete.push(locate::wrong_kdbg(Some(wrong), expected));
    }
    let (kdbg, kdbg_at) = match kdbg {
        Some(kdbg) => (Some(kdbg), kdbg_at),
        None => decoded.map_or((None, None), |(at, kdbg)| (Some(kdbg), Some(at))),
    };
    let rules = pte_rules::of(&space, base, layouts, build);
    let space = space.with_rules(rules);
    let fields = Fields::resolve(layouts);
    let mut all = dump.incomplete.clone();
    all.extend(incomplete);
    let heads = heads(dump, &space, base, layouts, kdbg.as_ref(), &mut all);
    let mut inner = Inner {
        dump: dump.clone(),
        space: Space::Paged(space.clone()),
        kernel_base: Ok(base),
        headers,
        symbols: marks.symbols.clone(),
        kdbg,
        kdbg_at,
        build,
        selected,
        fields,
        heads,
        incomplete: all,
        object_manager: OnceBox::new(),
    };
    if inner.heads.ps_active_process_head.is_err() {
        inner.heads.ps_active_process_head = head_behind_system(&inner);
    }
    match check(&inner, marks) {
        Ok(contradiction) => inner.incomplete.extend(contradiction),
        // Who insists on symbols gets what they tell, and is told.
        Err(why) if inner.selected.origin == Origin::Forced => {
            inner.incomplete.push(Incomplete::new(format!("{why}"), "layout", Absent::SymbolsNeeded));
        }
        Err(why) => return Err(why),
    }
    // System outlives every process: its page tables are whole when those of the crashing one may not be.
    let system = system_dtb(&inner).map(|dtb| space.with_root(dtb.0));
    let space = system.ok().filter(PagedSpace::has_self_map).unwrap_or(space);
    inner.space = Space::Paged(space.keeping_pages());
    Ok(Snapshot::new(inner))
}

/// Finds and reads a block that the kernel keeps encoded, with the help of exact symbols.
fn decode_kdbg(
    space: &PagedSpace,
    base: VirtAddr,
    layouts: &Layouts,
    header: Option<VirtAddr>,
) -> Option<(VirtAddr, Kdbg)> {
    let symbol = |name| symbol(layouts, base, name).ok();
    let value = |name| symbol(name).and_then(|at| space.read_u64(at).ok());
    let encoding = Encoding {
        wait_never: value("KiWaitNever")?,
        wait_always: value("KiWaitAlways")?,
        encoded_flag: symbol("KdpDataBlockEncoded")?,
    };
    [header, symbol("KdDebuggerDataBlock")].into_iter().flatten().find_map(|at| {
        let plain = locate::read_kdbg(space, at);
        let found = plain.or_else(|| {
            let head = space.read_array::<{ crate::kdbg::HEADER_SIZE }>(at).ok()?;
            let mut bytes = alloc::vec![0; Kdbg::size_in(&encoding.decode_all(&head)).ok()?];
            space.read(at, &mut bytes).ok()?;
            Kdbg::decode(&bytes, &encoding).ok()
        });
        found.map(|kdbg| (at, kdbg))
    })
}

fn heads(
    dump: &Dump,
    space: &PagedSpace,
    base: VirtAddr,
    layouts: &Layouts,
    kdbg: Option<&Kdbg>,
    incomplete: &mut Vec<Incomplete>,
) -> Heads {
    let header = dump.header.as_ref();
    let symbol = |name| symbol(layouts, base, name).ok();
    let exported = |name| ImageHeaders::read(space, base).and_then(|headers| headers.export(space, name)).ok();
    let mut list = |name: &'static str, offset, in_header: Option<VirtAddr>, others: [Option<VirtAddr>; 3]| {
        let is_head = |at: &VirtAddr| list::is_linked(space, *at);
        if let Some(at) = in_header.filter(is_head) {
            return Ok(at);
        }
        let found = others.into_iter().flatten().find(is_head);
        // A head whose own links were wiped is still where several witnesses say it is.
        let witnesses: Vec<VirtAddr> = in_header.into_iter().chain(others.into_iter().flatten()).collect();
        let agreed = |at: &&VirtAddr| witnesses.iter().filter(|other| other == at).count() > 1;
        let readable = |at: &&VirtAddr| Links::read(space, **at).is_ok();
        let found = found.or_else(|| witnesses.iter().filter(readable).find(agreed).copied());
        if header.is_some() && in_header != found {
            let wrong = in_header.map_or_else(|| locate::NOT_FILLED_IN.into(), |wrong| format!("{wrong}"));
            let expected = found.map_or("the head of a list".into(), |found| format!("{found}"));
            incomplete.push(Incomplete::contradiction("DUMP_HEADER64", name, offset, wrong, expected));
        }
        found.ok_or(Absent::SymbolsNeeded)
    };
    let ps_active_process_head = list(
        "PsActiveProcessHead",
        offsets::PS_ACTIVE_PROCESS_HEAD,
        header.and_then(|header| header.ps_active_process_head),
        [kdbg.and_then(Kdbg::ps_active_process_head), symbol("PsActiveProcessHead"), None],
    );
    let ps_loaded_module_list = list(
        "PsLoadedModuleList",
        offsets::PS_LOADED_MODULE_LIST,
        header.and_then(|header| header.ps_loaded_module_list),
        [kdbg.and_then(Kdbg::ps_loaded_module_list), symbol("PsLoadedModuleList"), exported("PsLoadedModuleList")],
    );
    let variable = |known: Option<VirtAddr>, name| known.or_else(|| symbol(name)).ok_or(Absent::SymbolsNeeded);
    Heads {
        ps_active_process_head,
        ps_loaded_module_list,
        psp_cid_table: variable(kdbg.and_then(Kdbg::psp_cid_table), "PspCidTable"),
        mm_unloaded_drivers: variable(kdbg.and_then(Kdbg::mm_unloaded_drivers), "MmUnloadedDrivers"),
        mm_last_unloaded_driver: variable(kdbg.and_then(Kdbg::mm_last_unloaded_driver), "MmLastUnloadedDriver"),
    }
}

/// Where `PsInitialSystemProcess` points: the kernel exports that name, so it is found without symbols.
fn initial_system_process(inner: &Inner) -> Result<VirtAddr, Absent> {
    let base = inner.kernel_base?;
    let symbol = symbol(&inner.selected.layouts, base, "PsInitialSystemProcess");
    let exported = || {
        let headers = inner.headers.ok_or(Absent::SymbolsNeeded)?;
        headers.export(&inner.space, "PsInitialSystemProcess")
    };
    inner.space.read_pointer(symbol.or_else(|_| exported())?)
}

/// The root of System's page tables.
fn system_dtb(inner: &Inner) -> Result<PhysAddr, Absent> {
    let field = inner.fields.process.eprocess.directory_table_base?;
    let value = inner.space.read_u64(system_process(inner)?.wrapping_add(field.offset.into()))?;
    Ok(PhysAddr::from_cr3(value))
}

/// System's `EPROCESS`: the first of the active list, or where `PsInitialSystemProcess` points.
fn system_process(inner: &Inner) -> Result<VirtAddr, Absent> {
    let links = inner.fields.process.eprocess.active_process_links?;
    let first = inner.heads.ps_active_process_head.and_then(|head| inner.space.read_pointer(head));
    let first = first.map(|first| first.wrapping_sub(links.offset.into()));
    let looks_right = |at: VirtAddr| contradictions(inner, at).is_some_and(|wrong| wrong.len() < 2);
    match first {
        Ok(first) if looks_right(first) => Ok(first),
        other => initial_system_process(inner).ok().filter(|at| looks_right(*at)).map_or(other, Ok),
    }
}

/// The head of the active list as System's neighbour inside the kernel image.
fn head_behind_system(inner: &Inner) -> Result<VirtAddr, Absent> {
    let links = inner.fields.process.eprocess.active_process_links?;
    let system = initial_system_process(inner)?.wrapping_add(links.offset.into());
    let head = Links::read(&inner.space, system)?.blink;
    let inside = inner.headers.is_none_or(|headers| headers.contains(head));
    if inside && list::is_linked(&inner.space, head) { Ok(head) } else { Err(Absent::SymbolsNeeded) }
}

/// What at an address speaks against its being System. A field that is not in the dump says nothing; `None` if no field
/// is there.
fn contradictions(inner: &Inner, at: VirtAddr) -> Option<Vec<String>> {
    let fields = &inner.fields.process.eprocess;
    let view = StructView::read(&inner.space, at, fields.extent);
    let mut wrong = Vec::new();
    let mut known = false;
    let mut expect = |what: &str, found: Option<String>, expected: &str| {
        known |= found.is_some();
        if let Some(found) = found.filter(|found| found != expected) {
            wrong.push(format!("{what} is {found:?}, expected {expected}"));
        }
    };
    let number = |value: Result<u64, Absent>| value.ok().map(|value| format!("{value}"));
    expect("object type", number(view.get(&fields.object_type).map(u64::from)), "3");
    expect("pid", number(view.get(&fields.unique_process_id)), "4");
    let name = view.get(&fields.image_file_name).ok().map(|name| text::ascii_until_nul(&name));
    expect("name", name, "System");
    let root = view.get(&fields.directory_table_base).ok();
    let is_root = root.zip(inner.space.paged()).map(|(root, space)| space.with_root(root).has_self_map());
    expect("whether its page tables point back at themselves", is_root.map(|is| format!("{is}")), "true");
    known.then_some(wrong)
}

/// Refuses a layout under which the first process is not System; what little else speaks against it.
fn check(inner: &Inner, marks: &KernelMarks) -> Result<Option<Incomplete>, Error> {
    let candidates = [
        initial_system_process(inner),
        inner.fields.process.eprocess.active_process_links.and_then(|links| {
            let first = inner.space.read_pointer(inner.heads.ps_active_process_head?)?;
            Ok(first.wrapping_sub(links.offset.into()))
        }),
    ];
    let wrong = candidates.into_iter().flatten().filter_map(|at| Some((at, contradictions(inner, at)?)));
    let Some((at, mut best)) = wrong.min_by_key(|(_, wrong)| wrong.len()) else { return Ok(None) };
    // Other revisions may differ; symbols of exactly this kernel may not.
    if inner.selected.origin == Origin::Exact {
        if !inner.selected.layouts.structures().all(|def| marks.agree(def)) {
            best.push("KDBG gives other sizes of structures".into());
        }
        let build = inner.selected.layouts.version().map(|version| version.build);
        if build.zip(marks.build.map(builds::kernel_build)).is_some_and(|(layout, kernel)| layout != kernel) {
            best.push("the kernel gives another build".into());
        }
    }
    let layout = inner.selected.origin.name();
    let reason =
        format!("with the {layout} layout the process that should be System contradicts it: {}", best.join("; "));
    // One contradiction can be damage; more are the layout's.
    match best.len() {
        0 => Ok(None),
        1 => Ok(Some(Incomplete::new(reason, at, Absent::Malformed))),
        _ => Err(Error::NoLayout { kernel: describe(marks), reason }),
    }
}

/// How a chosen layout is shown.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
