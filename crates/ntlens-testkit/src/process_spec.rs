//! What a process shall be like.

use crate::token::TokenSpec;

/// How a page is there.
///
/// ```
/// use ntlens_testkit::{Machine, PageState, ProcessSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.22000.1098").unwrap()).memory(32 << 20);
/// let paged = PageState::PageFile { file: 0, page: 0x1234 };
/// let pid = machine.process(ProcessSpec::named("idle.exe").peb_page(paged).image_path_page(PageState::Transition));
/// let image = machine.build();
/// let process = image.truth().process(pid).unwrap();
/// assert_eq!((process.peb_state, process.image_path_state), ("paged_out", "transition"));
/// let translation = image.truth().translations.iter().find(|known| Some(known.va) == process.peb).unwrap();
/// assert_eq!((translation.state, translation.pa), ("pagefile", None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PageState {
    /// Mapped.
    #[default]
    Resident,
    /// In memory, but its entry says it is on its way out.
    Transition,
    /// In a page file.
    PageFile {
        /// Number of the page file.
        file: u8,
        /// Page in that file.
        page: u32,
    },
    /// Never touched.
    DemandZero,
    /// Described by a prototype entry in paged pool, which maps it.
    Prototype,
    /// Not there at all.
    Unmapped,
}

impl PageState {
    /// The word of the truth schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resident => "resident",
            Self::Transition => "transition",
            Self::PageFile { .. } => "paged_out",
            Self::DemandZero => "demand_zero",
            Self::Prototype => "prototype",
            Self::Unmapped => "unmapped",
        }
    }
}

/// What a handle refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandleTarget {
    /// The process with this id.
    Process(u64),
    /// The first thread of the process with this id.
    Thread(u64),
    /// The token of the process with this id.
    Token(u64),
    /// A named object by its full path.
    Named(String),
    /// A file object of its own for a path that begins with the name of a `Device` that was added.
    File(String),
    /// A key body of its own for a key below `\REGISTRY`, by its full path.
    Key(String),
    /// A section without a name over a file as in [`HandleTarget::File`].
    Mapped(String),
    /// An object of this type without a name: the same one wherever the number is the same.
    Unnamed(&'static str, u32),
    /// The job with this number.
    Job(usize),
    /// The very object that another process' handle leads to, as `DuplicateHandle` gives it away. That process was added
    /// before, and the handle has a value that was chosen.
    Duplicate {
        /// The other process.
        pid: u64,
        /// Its handle.
        value: u64,
    },
}

/// One handle of a process.
///
/// ```
/// use ntlens_testkit::{HandleSpec, Machine, ProcessSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// machine.named_object("Section", "\\BaseNamedObjects\\Shared");
/// let key = "\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor";
/// let service = machine.process(ProcessSpec::named("service.exe").handle(HandleSpec::key(key, 0x2_001f).value(0x10)));
/// let client = ProcessSpec::named("client.exe")
///     .session(1)
///     .handle(HandleSpec::process(service, 0x1000).attributes(2))
///     .handle(HandleSpec::named("\\BaseNamedObjects\\Shared", 0x4))
///     .handle(HandleSpec::duplicate(service, 0x10, 0x2_0019));
/// let client = machine.process(client);
/// let image = machine.build();
/// let handles = &image.truth().process(client).unwrap().handles;
/// let found: Vec<_> = handles.iter().map(|handle| (handle.handle, handle.kind.as_str(), handle.access)).collect();
/// assert_eq!(found, [(4, "Process", 0x1000), (8, "Section", 0x4), (12, "Key", 0x2_0019)]);
/// assert_eq!(handles[2].name.as_deref(), Some(key));
/// assert_eq!(handles[2].object, image.truth().process(service).unwrap().handles[0].object);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandleSpec {
    /// What it refers to.
    pub target: HandleTarget,
    /// Granted rights.
    pub access: u32,
    /// 1 protected from closing, 2 inherited, 4 audited on close.
    pub attributes: u8,
    /// Its value; `None` for the next free one.
    pub value: Option<u64>,
}

impl HandleSpec {
    /// A handle with the next free value and no attributes.
    pub const fn new(target: HandleTarget, access: u32) -> Self {
        Self { target, access, attributes: 0, value: None }
    }

    /// A handle to the process with this id.
    pub const fn process(pid: u64, access: u32) -> Self {
        Self::new(HandleTarget::Process(pid), access)
    }

    /// A handle to the first thread of the process with this id.
    pub const fn thread(pid: u64, access: u32) -> Self {
        Self::new(HandleTarget::Thread(pid), access)
    }

    /// A handle to the token of the process with this id.
    pub const fn token(pid: u64, access: u32) -> Self {
        Self::new(HandleTarget::Token(pid), access)
    }

    /// A handle to a named object that is added, by its full path.
    pub fn named(path: impl Into<String>, access: u32) -> Self {
        Self::new(HandleTarget::Named(path.into()), access)
    }

    /// A handle to a file, as [`HandleTarget::File`].
    pub fn file(path: impl Into<String>, access: u32) -> Self {
        Self::new(HandleTarget::File(path.into()), access)
    }

    /// A handle to a registry key, by its full path below `\REGISTRY`.
    pub fn key(path: impl Into<String>, access: u32) -> Self {
        Self::new(HandleTarget::Key(path.into()), access)
    }

    /// A handle to a section without a name over a file, as [`HandleTarget::Mapped`].
    pub fn mapped(path: impl Into<String>, access: u32) -> Self {
        Self::new(HandleTarget::Mapped(path.into()), access)
    }

    /// A handle to an object without a name, as [`HandleTarget::Unnamed`].
    pub const fn unnamed(type_name: &'static str, number: u32, access: u32) -> Self {
        Self::new(HandleTarget::Unnamed(type_name, number), access)
    }

    /// A handle to the job with this number.
    pub const fn job(number: usize, access: u32) -> Self {
        Self::new(HandleTarget::Job(number), access)
    }

    /// A handle to what another process' handle leads to, as [`HandleTarget::Duplicate`].
    pub const fn duplicate(pid: u64, value: u64, access: u32) -> Self {
        Self::new(HandleTarget::Duplicate { pid, value }, access)
    }

    /// Its value, a multiple of 4; by default the next free one.
    #[must_use]
    pub const fn value(mut self, value: u64) -> Self {
        self.value = Some(value);
        self
    }

    /// 1 protected from closing, 2 inherited, 4 audited on close, and their sums.
    #[must_use]
    pub const fn attributes(mut self, bits: u8) -> Self {
        self.attributes = bits;
        self
    }
}

/// A process to be built. Fields that a build lacks are left out there.
///
/// ```
/// use ntlens_testkit::{Machine, ProcessSpec, RUNNING_AT, TokenSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// let lsass = ProcessSpec::named("lsass.exe").protection(0x41).signature(0x3c, 0xc).critical().threads(8);
/// let lsass = machine.process(lsass);
/// let user = TokenSpec::user(1001, 0x2000);
/// let tool = ProcessSpec::named("tool.exe").session(1).parent(lsass).token(user.clone()).wow64().cross_session();
/// let tool = machine.process(tool.command_line("tool.exe /quiet"));
/// let rootkit = machine.process(ProcessSpec::named("rootkit.exe").session(1).token(user.clone()).hidden());
/// let ended = machine.process(ProcessSpec::named("ended.exe").session(1).token(user).exited(RUNNING_AT));
///
/// let image = machine.build();
/// let truth = |pid| image.truth().process(pid).unwrap();
/// assert_eq!(truth(lsass).protection.unwrap().signer, "Lsa");
/// assert_eq!(truth(tool).cross_session_create, Some(true));
/// assert!(!truth(rootkit).in_active_list && truth(rootkit).in_cid_table);
/// assert!(truth(ended).in_active_list && !truth(ended).in_cid_table);
/// ```
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    pub(crate) name: String,
    pub(crate) image_path: Option<String>,
    pub(crate) command_line: Option<String>,
    pub(crate) pid: Option<u64>,
    pub(crate) parent: u64,
    pub(crate) session: Option<u32>,
    pub(crate) protection: u8,
    pub(crate) signature_level: u8,
    pub(crate) section_signature_level: u8,
    pub(crate) flags: u32,
    pub(crate) flags2: u32,
    pub(crate) flags3: u32,
    pub(crate) mitigations: [u32; 2],
    pub(crate) bits: Vec<&'static str>,
    pub(crate) token: TokenSpec,
    pub(crate) threads: u32,
    pub(crate) handles: Vec<HandleSpec>,
    pub(crate) handle_levels: u8,
    pub(crate) user_memory: bool,
    pub(crate) wow64: bool,
    pub(crate) peb_page: PageState,
    pub(crate) image_path_page: PageState,
    pub(crate) create_time: Option<u64>,
    pub(crate) exit_time: Option<u64>,
    pub(crate) hidden: bool,
    pub(crate) without_id: bool,
    pub(crate) job: Option<usize>,
}

impl ProcessSpec {
    /// A process of this name: of System's, in session 0, without protection, with one thread.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image_path: None,
            command_line: None,
            pid: None,
            parent: 4,
            session: Some(0),
            protection: 0,
            signature_level: 0,
            section_signature_level: 0,
            flags: 0,
            flags2: 0,
            flags3: 0,
            mitigations: [0; 2],
            bits: Vec::new(),
            token: TokenSpec::system(),
            threads: 1,
            handles: Vec::new(),
            handle_levels: 0,
            user_memory: true,
            wow64: false,
            peb_page: PageState::Resident,
            image_path_page: PageState::Resident,
            create_time: None,
            exit_time: None,
            hidden: false,
            without_id: false,
            job: None,
        }
    }

    /// The process id; a multiple of 4.
    #[must_use]
    pub const fn pid(mut self, pid: u64) -> Self {
        self.pid = Some(pid);
        self
    }

    /// The id of the process that started it.
    #[must_use]
    pub const fn parent(mut self, pid: u64) -> Self {
        self.parent = pid;
        self
    }

    /// The session.
    #[must_use]
    pub const fn session(mut self, session: u32) -> Self {
        self.session = Some(session);
        self
    }

    /// In no session, as System and smss.exe.
    #[must_use]
    pub const fn no_session(mut self) -> Self {
        self.session = None;
        self
    }

    /// The innermost job, by its number.
    #[must_use]
    pub const fn job(mut self, job: usize) -> Self {
        self.job = Some(job);
        self
    }

    /// Not in `PspCidTable`. Its threads are, so it should have none.
    #[must_use]
    pub const fn without_id(mut self) -> Self {
        self.without_id = true;
        self
    }

    /// The byte of `_PS_PROTECTION`. Windows 7 has only "protected", which types of 2 set.
    #[must_use]
    pub const fn protection(mut self, level: u8) -> Self {
        self.protection = level;
        self
    }

    /// `SignatureLevel` and `SectionSignatureLevel`.
    #[must_use]
    pub const fn signature(mut self, level: u8, section_level: u8) -> Self {
        self.signature_level = level;
        self.section_signature_level = section_level;
        self
    }

    /// Bits to set in `Flags`, beside those that every process has.
    #[must_use]
    pub const fn flags(mut self, bits: u32) -> Self {
        self.flags = bits;
        self
    }

    /// Bits to set in `Flags2`, beside those that every process has.
    #[must_use]
    pub const fn flags2(mut self, bits: u32) -> Self {
        self.flags2 = bits;
        self
    }

    /// The whole of `Flags3`.
    #[must_use]
    pub const fn flags3(mut self, word: u32) -> Self {
        self.flags3 = word;
        self
    }

    /// `MitigationFlags` and `MitigationFlags2`.
    #[must_use]
    pub const fn mitigations(mut self, first: u32, second: u32) -> Self {
        self.mitigations = [first, second];
        self
    }

    /// Sets one bit of `_EPROCESS` by its Windows name, wherever this build has it.
    #[must_use]
    pub fn bit(mut self, name: &'static str) -> Self {
        self.bits.push(name);
        self
    }

    /// Windows stops when it ends (`BreakOnTermination`).
    #[must_use]
    pub fn critical(self) -> Self {
        self.bit("BreakOnTermination")
    }

    /// A process with a half in the secure kernel, where this build notes that; the trustlet with the number 1.
    #[must_use]
    pub fn secure(self) -> Self {
        crate::process::SECURE.into_iter().fold(self, Self::bit).bit("TrustletIdentity")
    }

    /// A process of a subsystem other than Windows' (`SubsystemProcess`).
    #[must_use]
    pub fn subsystem(self) -> Self {
        self.bit("SubsystemProcess")
    }

    /// Started from another session (`CrossSessionCreate`).
    #[must_use]
    pub fn cross_session(self) -> Self {
        self.bit("CrossSessionCreate")
    }

    /// One of the kernel's own processes: nothing in user memory, and the bits `Minimal` and `SystemProcess`.
    #[must_use]
    pub fn minimal(self) -> Self {
        self.bit("Minimal").system()
    }

    /// Runs 32-bit code.
    #[must_use]
    pub const fn wow64(mut self) -> Self {
        self.wow64 = true;
        self
    }

    /// The path of its image; by default one under `\Windows\System32`.
    #[must_use]
    pub fn image_path(mut self, path: impl Into<String>) -> Self {
        self.image_path = Some(path.into());
        self
    }

    /// The command line; by default the quoted path.
    #[must_use]
    pub fn command_line(mut self, text: impl Into<String>) -> Self {
        self.command_line = Some(text.into());
        self
    }

    /// Who it runs as.
    #[must_use]
    pub fn token(mut self, token: TokenSpec) -> Self {
        self.token = token;
        self
    }

    /// How many threads it has.
    #[must_use]
    pub const fn threads(mut self, count: u32) -> Self {
        self.threads = count;
        self
    }

    /// Adds a handle.
    #[must_use]
    pub fn handle(mut self, handle: HandleSpec) -> Self {
        self.handles.push(handle);
        self
    }

    /// At least so many levels of pointers in its handle table: 0, 1 or 2.
    #[must_use]
    pub const fn handle_levels(mut self, levels: u8) -> Self {
        self.handle_levels = levels;
        self
    }

    /// How the page of its environment block is there.
    #[must_use]
    pub const fn peb_page(mut self, state: PageState) -> Self {
        self.peb_page = state;
        self
    }

    /// How the page with the path of its image is there.
    #[must_use]
    pub const fn image_path_page(mut self, state: PageState) -> Self {
        self.image_path_page = state;
        self
    }

    /// When it started.
    #[must_use]
    pub const fn created(mut self, time: u64) -> Self {
        self.create_time = Some(time);
        self
    }

    /// It ended then: no threads, no handles, not in `PspCidTable`, but still in the list.
    #[must_use]
    pub const fn exited(mut self, time: u64) -> Self {
        self.exit_time = Some(time);
        self
    }

    /// Taken out of `PsActiveProcessHead` by somebody who wants to hide it.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    fn system(mut self) -> Self {
        self.user_memory = false;
        self.session = None;
        self.bit("SystemProcess")
    }

    /// The System process.
    pub(crate) fn system_process() -> Self {
        let mut spec =
            Self::named("System").system().pid(4).parent(0).protection(0x72).signature(0x1e, 0x1c).threads(12);
        spec.image_path = Some(String::new());
        spec
    }
}
