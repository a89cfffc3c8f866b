//! The builder: what the machine shall be like.

use crate::assembly::Assembly;
use crate::frames::Placement;
use crate::image::Image;
use crate::job::JobSpec;
use crate::physical::PAGE;
use crate::process_spec::{HandleSpec, ProcessSpec};
use crate::sensor_spec::{CallbackSpec, LoggerSpec, ProviderSpec};
use ntlens_core::layout::{Layouts, PdbId};

/// A loaded module.
///
/// ```
/// use ntlens_testkit::{Machine, ModuleSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// machine.module(ModuleSpec::named("good.sys").size(0x8000)).module(ModuleSpec::named("bad.sys").hidden());
/// let image = machine.build();
/// let modules: Vec<_> = image.truth().modules.iter().map(|module| (module.name.as_str(), module.hidden)).collect();
/// assert_eq!(modules, [("ntoskrnl.exe", false), ("good.sys", false), ("bad.sys", true)]);
/// ```
#[derive(Clone, Debug)]
pub struct ModuleSpec {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) paged_out: bool,
    pub(crate) hidden: bool,
    pub(crate) symbols: Option<(PdbId, String)>,
    pub(crate) variables: Vec<(u32, Vec<u8>)>,
}

impl ModuleSpec {
    /// A module with one page present: its header.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), size: 0, paged_out: false, hidden: false, symbols: None, variables: Vec::new() }
    }

    /// What its image says of its symbols: their identity and the name of their file.
    #[must_use]
    pub fn symbols(mut self, id: PdbId, pdb: impl Into<String>) -> Self {
        self.symbols = Some((id, pdb.into()));
        self
    }

    /// Bytes of its image, on one page behind its header.
    #[must_use]
    pub fn variable(mut self, rva: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.variables.push((rva, bytes.into()));
        self
    }

    /// Bytes of its image; by default some number.
    #[must_use]
    pub const fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// Its header lies in the page file.
    #[must_use]
    pub const fn paged_out(mut self) -> Self {
        self.paged_out = true;
        self
    }

    /// Taken out of `PsLoadedModuleList`; its memory stays.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}

/// Where the memory of `win32k.sys` is mapped.
///
/// ```
/// use ntlens_testkit::{Machine, ProcessSpec, Win32k, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(40 << 20).win32k(Win32k::Session);
/// machine.process(ProcessSpec::named("csrss.exe").session(1));
/// let image = machine.hook_service(0x1003).build();
/// let hooked: Vec<_> = image.truth().services.iter().filter(|service| service.hooked).collect();
/// assert_eq!((hooked[0].index, hooked[0].module), (0x1003, "win32k.sys"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Win32k {
    /// In the memory that all processes share.
    Kernel,
    /// In the memory of each session: only processes that are in one see it.
    Session,
}

/// A device's interrupt, connected on every processor.
#[derive(Clone, Debug)]
pub(crate) struct InterruptSpec {
    pub(crate) vector: u8,
    pub(crate) module: String,
    pub(crate) message: bool,
}

/// A machine to be built. The same calls give the same bytes.
///
/// What the whole machine is like is said first, and passed on; what is added to it is added in place, and gives the id or
/// number by which other calls name it.
///
/// ```
/// use ntlens_testkit::{Kind, Machine, Placement, ProcessSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.20348.1129").unwrap())
///     .seed(3)
///     .memory(48 << 20)
///     .processors(1)
///     .five_level_paging()
///     .encoded_kdbg()
///     .placement(Placement::Scattered);
/// let parent = machine.process(ProcessSpec::named("services.exe"));
/// let child = machine.process(ProcessSpec::named("svchost.exe").parent(parent));
/// machine.named_object("Mutant", "\\BaseNamedObjects\\OneInstance").unloaded("dump_storport.sys");
/// let truth = machine.current_process(child).build().truth().clone();
/// assert_eq!((truth.kernel.paging_levels, truth.kernel.current_process), (5, child));
/// ```
///
/// # Panics
/// Every method that builds or writes panics when the wishes contradict each other or memory runs out: the caller is a
/// test.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) layouts: Layouts,
    pub(crate) pdb: PdbId,
    pub(crate) seed: u64,
    pub(crate) frames: u64,
    pub(crate) placement: Placement,
    pub(crate) processors: u32,
    pub(crate) levels: u8,
    pub(crate) pcid: bool,
    pub(crate) encoded_kdbg: bool,
    pub(crate) kva_shadow: bool,
    pub(crate) win32k: Option<Win32k>,
    pub(crate) interrupts: Vec<InterruptSpec>,
    pub(crate) hooked_vectors: Vec<(u32, u8)>,
    pub(crate) hooked_services: Vec<u32>,
    pub(crate) unsaved: Vec<u32>,
    pub(crate) variables: Vec<(String, Vec<u8>)>,
    pub(crate) invalid_pte_mask: Option<u64>,
    pub(crate) current: u64,
    pub(crate) processes: Vec<ProcessSpec>,
    pub(crate) modules: Vec<ModuleSpec>,
    pub(crate) unloaded: Vec<String>,
    pub(crate) named_objects: Vec<(String, String)>,
    pub(crate) loggers: Vec<LoggerSpec>,
    pub(crate) providers: Vec<ProviderSpec>,
    pub(crate) callbacks: Vec<CallbackSpec>,
    pub(crate) debugger_data: bool,
    pub(crate) jobs: Vec<JobSpec>,
    /// Roots and files of registry hives.
    pub(crate) hives: Vec<(String, String)>,
    next_pid: u64,
}

impl Machine {
    /// A machine with this kernel, 64 MiB, two processors, and the System process.
    pub fn new(layouts: Layouts) -> Self {
        let pdb = layouts.id().unwrap_or(PdbId { guid: 0x6e74_6c65_6e73_2d74_6573_746b_6974_0001, age: 1 });
        Self {
            layouts,
            pdb,
            seed: 1,
            frames: 0x4000,
            placement: Placement::Ascending,
            processors: 2,
            levels: 4,
            pcid: false,
            encoded_kdbg: false,
            kva_shadow: false,
            win32k: None,
            interrupts: Vec::new(),
            hooked_vectors: Vec::new(),
            hooked_services: Vec::new(),
            unsaved: Vec::new(),
            variables: Vec::new(),
            invalid_pte_mask: None,
            current: 4,
            processes: vec![ProcessSpec::system_process()],
            modules: Vec::new(),
            unloaded: Vec::new(),
            named_objects: Vec::new(),
            loggers: Vec::new(),
            providers: Vec::new(),
            callbacks: Vec::new(),
            debugger_data: false,
            jobs: Vec::new(),
            hives: Vec::new(),
            next_pid: 88,
        }
    }

    /// Where everything random comes from.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Bytes of RAM, at least 16 MiB; machines under 64 MiB have nothing above 4 GiB.
    #[must_use]
    pub const fn memory(mut self, bytes: u64) -> Self {
        self.frames = bytes / PAGE;
        self
    }

    /// Where frames are taken from.
    #[must_use]
    pub const fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// How many processors there are.
    #[must_use]
    pub const fn processors(mut self, count: u32) -> Self {
        self.processors = count;
        self
    }

    /// Page tables of five levels (LA57).
    #[must_use]
    pub const fn five_level_paging(mut self) -> Self {
        self.levels = 5;
        self
    }

    /// `DirectoryTableBase` values carry process-context identifiers in their low bits.
    #[must_use]
    pub const fn pcid(mut self) -> Self {
        self.pcid = true;
        self
    }

    /// The debugger data block is encoded, as on a machine that was never debugged.
    #[must_use]
    pub const fn encoded_kdbg(mut self) -> Self {
        self.encoded_kdbg = true;
        self
    }

    /// User code runs with page tables of its own, which show little of the kernel (`UserDirectoryTableBase`).
    #[must_use]
    pub const fn kva_shadow(mut self) -> Self {
        self.kva_shadow = true;
        self
    }

    /// Loads `win32k.sys` with its table of services. Without it, nobody has a window.
    #[must_use]
    pub const fn win32k(mut self, place: Win32k) -> Self {
        self.win32k = Some(place);
        self
    }

    /// Connects a vector with a routine of a module; connecting it again shares the vector. Interrupts that are messages
    /// reach their driver by another routine.
    pub fn interrupt(&mut self, vector: u8, module: impl Into<String>, message: bool) -> &mut Self {
        self.interrupts.push(InterruptSpec { vector, module: module.into(), message });
        self
    }

    /// One vector of one processor leads to memory that belongs to no module.
    pub fn hook_vector(&mut self, processor: u32, vector: u8) -> &mut Self {
        self.hooked_vectors.push((processor, vector));
        self
    }

    /// A service of the kernel (or of win32k, from 0x1000 on) leads to memory that belongs to no module.
    pub fn hook_service(&mut self, index: u32) -> &mut Self {
        self.hooked_services.push(index);
        self
    }

    /// Gives a variable of the kernel a content, by its symbol.
    pub fn variable(&mut self, symbol: impl Into<String>, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.variables.push((symbol.into(), bytes.into()));
        self
    }

    /// A processor that was not stopped: its special registers were not saved.
    pub fn unsaved_registers(&mut self, processor: u32) -> &mut Self {
        self.unsaved.push(processor);
        self
    }

    /// The mask that not-present entries are exclusive-ored with; by default bit 45.
    #[must_use]
    pub const fn invalid_pte_mask(mut self, mask: u64) -> Self {
        self.invalid_pte_mask = Some(mask);
        self
    }

    /// The process that processor 0 was working for; by default System.
    #[must_use]
    pub const fn current_process(mut self, pid: u64) -> Self {
        self.current = pid;
        self
    }

    /// Adds a process; its id.
    pub fn process(&mut self, mut spec: ProcessSpec) -> u64 {
        let pid = spec.pid.unwrap_or_else(|| {
            self.next_pid += 4 * (1 + self.next_pid / 4 % 7);
            self.next_pid
        });
        assert!(pid.is_multiple_of(4), "process ids are multiples of 4");
        assert!(self.processes.iter().all(|other| other.pid != Some(pid)), "two processes with id {pid}");
        self.next_pid = self.next_pid.max(pid);
        spec.pid = Some(pid);
        self.processes.push(spec);
        pid
    }

    /// Gives a handle to a process that was added.
    pub fn handle(&mut self, pid: u64, handle: HandleSpec) -> &mut Self {
        self.spec(pid).handles.push(handle);
        self
    }

    /// Takes a process out of the list of active processes.
    pub fn hide(&mut self, pid: u64) -> &mut Self {
        self.spec(pid).hidden = true;
        self
    }

    /// Ends a process at that time.
    pub fn exited(&mut self, pid: u64, time: u64) -> &mut Self {
        self.spec(pid).exit_time = Some(time);
        self
    }

    /// A process that was added, to change it.
    pub fn spec(&mut self, pid: u64) -> &mut ProcessSpec {
        self.processes.iter_mut().find(|spec| spec.pid == Some(pid)).expect("a process with this id was added")
    }

    /// Adds a module after the kernel.
    pub fn module(&mut self, spec: ModuleSpec) -> &mut Self {
        self.modules.push(spec);
        self
    }

    /// Adds a driver that is gone.
    pub fn unloaded(&mut self, name: impl Into<String>) -> &mut Self {
        self.unloaded.push(name.into());
        self
    }

    /// Adds a named object (`Event`, `Mutant`, `Section`, ...) by its full path, with the directories above it.
    pub fn named_object(&mut self, type_name: impl Into<String>, path: impl Into<String>) -> &mut Self {
        self.named_objects.push((type_name.into(), path.into()));
        self
    }

    /// Adds a trace session.
    pub fn logger(&mut self, spec: LoggerSpec) -> &mut Self {
        self.loggers.push(spec);
        self
    }

    /// Adds a provider of trace events; builds before Windows 10 have none unless symbols name `EtwpGuidHashTable`.
    pub fn provider(&mut self, spec: ProviderSpec) -> &mut Self {
        self.providers.push(spec);
        self
    }

    /// The kernel tells debuggers where its trace sessions are.
    #[must_use]
    pub const fn debugger_data(mut self) -> Self {
        self.debugger_data = true;
        self
    }

    /// Adds functions that a driver has the kernel call.
    pub fn callback(&mut self, spec: CallbackSpec) -> &mut Self {
        self.callbacks.push(spec);
        self
    }

    /// Adds a job; its number, by which processes and other jobs name it.
    pub fn job(&mut self, spec: JobSpec) -> usize {
        assert!(spec.parent.is_none_or(|parent| parent < self.jobs.len()), "the job around it comes first");
        self.jobs.push(spec);
        self.jobs.len() - 1
    }

    /// Writes the machine's memory.
    pub fn build(&self) -> Image {
        Assembly::new(self).finish()
    }
}
