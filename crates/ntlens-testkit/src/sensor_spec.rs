//! What shall watch a machine: trace sessions, providers of trace events, and functions that drivers have the kernel call.

/// A trace session.
///
/// ```
/// use ntlens_testkit::{LoggerSpec, Machine, ProcessSpec, ProviderSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// let defender = machine.process(ProcessSpec::named("MsMpEng.exe").protection(0x31));
/// machine.logger(LoggerSpec::named("DefenderApiLogger").slot(4).consumer(defender).flag("RealTime"));
/// let threat_intelligence = 0xf4e1_897c_bb5d_5668_f1d8_040f_4d8d_d344;
/// machine.provider(ProviderSpec::new(threat_intelligence).enabled(4, 0xff, u64::MAX, 0).process(defender));
/// let image = machine.build();
/// let logger = &image.truth().loggers[0];
/// assert_eq!((logger.slot, &logger.consumers), (4, &vec![defender]));
/// assert_eq!(image.truth().providers[0].guid, "f4e1897c-bb5d-5668-f1d8-040f4d8dd344");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggerSpec {
    pub(crate) name: String,
    pub(crate) slot: Option<u32>,
    pub(crate) log_file: Option<String>,
    pub(crate) mode: u32,
    pub(crate) flags: Vec<&'static str>,
    pub(crate) consumers: Vec<u64>,
    pub(crate) started_by: Option<u64>,
    pub(crate) container: Option<u64>,
}

impl LoggerSpec {
    /// A session of the host that keeps its events in memory.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            name,
            slot: None,
            log_file: None,
            mode: 0x400,
            flags: Vec::new(),
            consumers: Vec::new(),
            started_by: None,
            container: None,
        }
    }

    /// Its slot, which is its number; by default the next free one.
    #[must_use]
    pub const fn slot(mut self, slot: u32) -> Self {
        self.slot = Some(slot);
        self
    }

    /// The file that it writes.
    #[must_use]
    pub fn log_file(mut self, path: impl Into<String>) -> Self {
        self.log_file = Some(path.into());
        self.mode = 1;
        self
    }

    /// `LoggerMode`.
    #[must_use]
    pub const fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// One bit of `Flags` by its name; builds without it leave it out.
    #[must_use]
    pub fn flag(mut self, name: &'static str) -> Self {
        self.flags.push(name);
        self
    }

    /// A process that takes its events as they come.
    #[must_use]
    pub fn consumer(mut self, pid: u64) -> Self {
        self.consumers.push(pid);
        self.mode = 0x100;
        self
    }

    /// The process whose token started it.
    #[must_use]
    pub const fn started_by(mut self, pid: u64) -> Self {
        self.started_by = Some(pid);
        self
    }

    /// It belongs to the container that this process runs in, which is made for it. Builds before Windows 10 have none.
    #[must_use]
    pub const fn container_of(mut self, pid: u64) -> Self {
        self.container = Some(pid);
        self
    }
}

/// What a GUID of the table of providers stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// A class of events of an old kind.
    Trace,
    /// A provider.
    Notification,
    /// A group of providers.
    Group,
}

/// A provider of trace events; [`LoggerSpec`] has an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSpec {
    pub(crate) guid: u128,
    pub(crate) kind: ProviderKind,
    pub(crate) enabled: Vec<crate::truth::Enable>,
    pub(crate) processes: Vec<u64>,
    pub(crate) modules: Vec<Option<String>>,
    pub(crate) container: Option<u64>,
}

impl ProviderSpec {
    /// A provider of the host that nobody registered and no session enabled; the number is spelled as the text of the GUID.
    pub const fn new(guid: u128) -> Self {
        let kind = ProviderKind::Notification;
        Self { guid, kind, enabled: Vec::new(), processes: Vec::new(), modules: Vec::new(), container: None }
    }

    /// What the GUID stands for; by default a provider.
    #[must_use]
    pub const fn kind(mut self, kind: ProviderKind) -> Self {
        self.kind = kind;
        self
    }

    /// A session that enabled it, with level and keywords.
    #[must_use]
    pub fn enabled(mut self, logger_id: u16, level: u8, match_any: u64, match_all: u64) -> Self {
        self.enabled.push(crate::truth::Enable { logger_id, level, match_any, match_all, property: 0x41 });
        self
    }

    /// A process that registered it.
    #[must_use]
    pub fn process(mut self, pid: u64) -> Self {
        self.processes.push(pid);
        self
    }

    /// A kernel module that registered it with a function of its own; `None` for one in no module.
    #[must_use]
    pub fn module(mut self, name: Option<&str>) -> Self {
        self.modules.push(name.map(Into::into));
        self
    }

    /// It belongs to the container that this process runs in.
    #[must_use]
    pub const fn container_of(mut self, pid: u64) -> Self {
        self.container = Some(pid);
        self
    }
}

/// When a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackKind {
    /// For processes.
    Process,
    /// For threads.
    Thread,
    /// For images.
    Image,
    /// For the registry.
    Registry,
    /// For handles to objects of this type: before they are made, and after.
    Object(&'static str),
}

/// Functions that a driver has the kernel call.
///
/// ```
/// use ntlens_testkit::{CallbackKind, CallbackSpec, Machine, ModuleSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// machine.module(ModuleSpec::named("WdFilter.sys").size(0x8000));
/// machine
///     .callback(CallbackSpec::new(CallbackKind::Process, Some("WdFilter.sys")).slot(63))
///     .callback(CallbackSpec::new(CallbackKind::Registry, None).altitude("385100"));
/// let image = machine.build();
/// let [process, registry] = &image.truth().callbacks[..] else { panic!() };
/// assert_eq!((process.slot, process.module.as_deref()), (Some(63), Some("WdFilter.sys")));
/// assert_eq!((registry.altitude.as_deref(), registry.module.as_deref()), (Some("385100"), None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackSpec {
    pub(crate) kind: CallbackKind,
    pub(crate) module: Option<String>,
    pub(crate) slot: Option<u32>,
    pub(crate) altitude: String,
    pub(crate) context: u64,
    pub(crate) enabled: bool,
}

impl CallbackSpec {
    /// A function in this module; `None` for one in no module.
    pub fn new(kind: CallbackKind, module: Option<&str>) -> Self {
        let altitude = "328010".into();
        Self { kind, module: module.map(Into::into), slot: None, altitude, context: 0, enabled: true }
    }

    /// Its slot, of those for processes, threads and images; by default the next one.
    #[must_use]
    pub const fn slot(mut self, slot: u32) -> Self {
        self.slot = Some(slot);
        self
    }

    /// Its altitude, of those for the registry and for objects.
    #[must_use]
    pub fn altitude(mut self, altitude: impl Into<String>) -> Self {
        self.altitude = altitude.into();
        self
    }

    /// What is passed to it.
    #[must_use]
    pub const fn context(mut self, context: u64) -> Self {
        self.context = context;
        self
    }

    /// It is registered but switched off, of those for objects.
    #[must_use]
    pub const fn off(mut self) -> Self {
        self.enabled = false;
        self
    }
}
