//! The machine that faults are made in, its dumps of every kind, and what is true of it.

use crate::kit::{bare, dump};
use crate::place::Frames;
use ntlens_testkit::truth::Truth;
use ntlens_testkit::{
    CallbackKind, CallbackSpec, HandleSpec, HandleTarget, Image, JobSpec, Kind, LoggerSpec, ProcessSpec, ProviderSpec,
    TokenSpec,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

const EVENT: &str = "\\BaseNamedObjects\\Vendor.Ready";
const FILE: &str = "\\Device\\HarddiskVolume3\\Windows\\file.dat";
const KEY: &str = "\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor";

/// A small machine with something of everything.
pub(crate) static MACHINE: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = bare(19041).memory(32 << 20).processors(1);
    machine
        .named_object("Event", EVENT)
        .named_object("Mutant", "\\Sessions\\1\\BaseNamedObjects\\Vendor.Lock")
        .named_object("Device", "\\Device\\HarddiskVolume3");
    machine.process(ProcessSpec::named("smss.exe").no_session());
    let job = machine.job(JobSpec::of_session(1).path("\\Sessions\\1\\BaseNamedObjects\\Job"));
    let inner = machine.job(JobSpec::of_session(1).inside(job));
    let log = machine.process(ProcessSpec::named("svchost.exe").session(0).threads(3));
    for (name, session, job) in
        [("one.exe", 0, None), ("two.exe", 1, Some(job)), ("three.exe", 1, Some(inner)), ("four.exe", 1, Some(inner))]
    {
        let targets = [
            HandleTarget::Named(EVENT.into()),
            HandleTarget::File(FILE.into()),
            HandleTarget::Key(KEY.into()),
            HandleTarget::Unnamed("Event", 1),
            HandleTarget::Process(4),
            HandleTarget::Thread(4),
            HandleTarget::Token(4),
        ];
        let levels = u8::from(session == 0);
        let spec = ProcessSpec::named(name).session(session).threads(3).handle_levels(levels);
        let spec = spec.token(TokenSpec::user(1001, 0x2000)).command_line(format!("C:\\{name} /run"));
        let handles = targets.into_iter().map(|target| HandleSpec::new(target, 0x1f_ffff));
        let spec = handles.fold(spec, ProcessSpec::handle);
        machine.process(job.into_iter().fold(spec, ProcessSpec::job));
    }
    machine.typical_modules(8);
    machine
        .logger(LoggerSpec::named("Circular Kernel Context Logger").flag("KernelTrace"))
        .logger(LoggerSpec::named("Eventlog-Security").consumer(log).flag("RealTime"))
        .logger(LoggerSpec::named("Tracing").log_file("C:\\trace.etl"))
        .provider(ProviderSpec::new(0x1234_5678 << 96).enabled(3, 4, u64::MAX, 0).process(log))
        .provider(ProviderSpec::new(0x1234_5679 << 96).enabled(4, 4, 1, 0).process(log))
        .callback(CallbackSpec::new(CallbackKind::Process, Some("hal.dll")).context(6))
        .callback(CallbackSpec::new(CallbackKind::Thread, Some("hal.dll")))
        .callback(CallbackSpec::new(CallbackKind::Registry, Some("hal.dll")).altitude("360000"))
        .callback(CallbackSpec::new(CallbackKind::Registry, Some("hal.dll")).altitude("40000"))
        .callback(CallbackSpec::new(CallbackKind::Object("Process"), Some("hal.dll")))
        .callback(CallbackSpec::new(CallbackKind::Object("Process"), Some("hal.dll")).altitude("40000"));
    machine.build()
});

/// The machine's dump of one kind.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) image: &'static Image,
    /// File offset of the first frame, and the size of the whole file.
    pub(crate) first_page: u64,
    frames: Frames,
}

/// One dump of each kind.
pub(crate) static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    let subject = |kind| {
        let (bytes, truth) = dump(&MACHINE, kind);
        let frames = Frames::of(kind, &bytes);
        let first_page = truth.dump.unwrap().first_page_offset.unwrap_or(0);
        Subject { kind, bytes: Arc::new(bytes), image: &MACHINE, first_page, frames }
    };
    Kind::ALL.into_iter().map(subject).collect()
});

impl Subject {
    pub(crate) fn truth(&self) -> &'static Truth {
        self.image.truth()
    }

    /// Whether it holds user memory.
    pub(crate) fn has_user_memory(&self) -> bool {
        !matches!(self.kind, Kind::Summary | Kind::BitmapKernel { .. } | Kind::RdmpKernel | Kind::Triage)
    }

    /// File offset of a kernel address.
    pub(crate) fn at(&self, address: u64) -> Option<u64> {
        self.at_of(4, address)
    }

    /// File offset of an address of a process.
    pub(crate) fn at_of(&self, pid: u64, address: u64) -> Option<u64> {
        let space = self.image.space(pid)?;
        self.frames.offset(space.translate(self.image.memory(), address)?.physical)
    }

    /// File offset of a physical address.
    pub(crate) fn of_physical(&self, physical: u64) -> Option<u64> {
        self.frames.offset(physical)
    }

    pub(crate) fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    pub(crate) fn u64_at(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }
}

/// A table whose rows are held against the truth.
pub(crate) struct Listed {
    pub(crate) table: &'static str,
    /// The columns that tell a row from others.
    pub(crate) key: &'static [&'static str],
    /// Further columns that must be right.
    pub(crate) rest: &'static [&'static str],
    /// The same of the truth: key and rest of each row.
    rows: fn(&Truth) -> Vec<(String, String)>,
    /// The table has further rows that the truth does not tell.
    pub(crate) more: bool,
    /// It lies in user memory.
    user: bool,
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

pub(crate) const LISTED: [Listed; 14] = [
    Listed {
        table: "processes",
        key: &["eprocess"],
        rest: &["pid", "name", "token"],
        rows: |truth| {
            let row = |p: &ntlens_testkit::truth::Process| {
                (hex(p.eprocess), format!("{} {} {}", p.pid, p.image_name, hex(p.token.va)))
            };
            truth.processes.iter().map(row).collect()
        },
        more: false,
        user: false,
    },
    Listed {
        table: "threads",
        key: &["ethread"],
        rest: &["tid"],
        rows: |truth| {
            let threads = truth.processes.iter().flat_map(|process| &process.threads);
            threads.map(|thread| (hex(thread.va), thread.tid.to_string())).collect()
        },
        more: false,
        user: false,
    },
    Listed {
        table: "modules",
        key: &["base"],
        rest: &["name", "size"],
        rows: |truth| {
            truth.modules.iter().map(|module| (hex(module.base), format!("{} {}", module.name, module.size))).collect()
        },
        more: false,
        user: false,
    },
    Listed {
        table: "unloaded",
        key: &["start"],
        rest: &["name"],
        rows: |truth| truth.unloaded_drivers.iter().map(|driver| (hex(driver.start), driver.name.clone())).collect(),
        more: false,
        user: false,
    },
    Listed {
        table: "tokens",
        key: &["token"],
        rest: &["user_sid", "integrity_rid", "privileges_enabled_raw"],
        rows: |truth| {
            let row = |p: &ntlens_testkit::truth::Process| {
                let token = &p.token;
                let rest = format!("{} {} {}", token.user, token.integrity_rid, token.privileges_enabled);
                (hex(token.va), rest)
            };
            truth.processes.iter().map(row).collect()
        },
        more: false,
        user: false,
    },
    Listed {
        table: "handles",
        key: &["pid", "handle"],
        rest: &["object", "type"],
        rows: |truth| {
            let of = |p: &ntlens_testkit::truth::Process| -> Vec<_> {
                let row = |h: &ntlens_testkit::truth::Handle| {
                    (format!("{} {}", p.pid, h.handle), format!("{} {}", hex(h.object), h.kind))
                };
                p.handles.iter().map(row).collect()
            };
            truth.processes.iter().flat_map(of).collect()
        },
        more: false,
        user: false,
    },
    Listed {
        table: "objects",
        key: &["object"],
        rest: &["path"],
        rows: |truth| truth.named_objects.iter().map(|object| (hex(object.object), object.path.clone())).collect(),
        more: true,
        user: false,
    },
    Listed {
        table: "jobs",
        key: &["job"],
        rest: &["processes"],
        rows: |truth| truth.jobs.iter().map(|job| (hex(job.va), numbers(&job.processes))).collect(),
        more: false,
        user: false,
    },
    Listed {
        table: "sessions",
        key: &["session_id"],
        rest: &["processes"],
        rows: |truth| {
            truth.sessions.iter().map(|session| (session.session_id.to_string(), numbers(&session.pids))).collect()
        },
        more: false,
        user: false,
    },
    Listed {
        table: "loggers",
        key: &["logger"],
        rest: &["name"],
        rows: |truth| truth.loggers.iter().map(|logger| (hex(logger.va), logger.name.clone())).collect(),
        more: false,
        user: false,
    },
    Listed {
        table: "providers",
        key: &["guid"],
        rest: &[],
        rows: |truth| truth.providers.iter().map(|provider| (provider.guid.clone(), String::new())).collect(),
        more: false,
        user: false,
    },
    Listed {
        table: "callbacks",
        key: &["entry"],
        rest: &["address"],
        rows: |truth| {
            let row = |callback: &ntlens_testkit::truth::Callback| (hex(callback.entry), hex(callback.function));
            truth.callbacks.iter().map(row).collect()
        },
        more: true,
        user: false,
    },
    Listed {
        table: "vads",
        key: &["pid", "vad"],
        rest: &["start", "end"],
        rows: |truth| {
            let of = |p: &ntlens_testkit::truth::Process| -> Vec<_> {
                let row = |vad: &ntlens_testkit::truth::Vad| {
                    (format!("{} {}", p.pid, hex(vad.va)), format!("{} {}", hex(vad.start), hex(vad.end)))
                };
                p.vads.iter().map(row).collect()
            };
            truth.processes.iter().flat_map(of).collect()
        },
        more: false,
        user: false,
    },
    Listed {
        table: "dlls",
        key: &["pid", "base"],
        rest: &["name", "size"],
        rows: |truth| {
            let of = |p: &ntlens_testkit::truth::Process| -> Vec<_> {
                let row = |dll: &ntlens_testkit::truth::Dll| {
                    (format!("{} {}", p.pid, hex(dll.base)), format!("{} {}", dll.name, dll.size))
                };
                p.dlls.iter().map(row).collect()
            };
            truth.processes.iter().flat_map(of).collect()
        },
        more: false,
        user: true,
    },
];

fn numbers(values: &[u64]) -> String {
    let sorted: BTreeSet<&u64> = values.iter().collect();
    sorted.into_iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// What must be listed: by table, rest of the row by its key.
pub(crate) type Rows = BTreeMap<&'static str, BTreeSet<(String, String)>>;

impl Subject {
    /// Every row that the truth tells of this dump; of a small dump, which has few of them and cuts names, those that a sound
    /// one gives.
    pub(crate) fn expected(&self, sound: &Rows) -> Rows {
        let of = |listed: &Listed| {
            let told: BTreeSet<_> = (listed.rows)(self.truth()).into_iter().collect();
            let held = match self.kind {
                Kind::Triage => {
                    let keys: BTreeSet<&String> = told.iter().map(|(key, _)| key).collect();
                    sound[listed.table].iter().filter(|(key, _)| keys.contains(key)).cloned().collect()
                }
                _ if listed.user && !self.has_user_memory() => BTreeSet::new(),
                _ => told,
            };
            (listed.table, held)
        };
        LISTED.iter().map(of).collect()
    }
}
