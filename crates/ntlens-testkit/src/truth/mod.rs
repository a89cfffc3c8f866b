//! What is true of a written machine, and its form as JSON.
//!
//! [`schema`] gives the JSON Schema of it, which also lies in the package as `truth.schema.json`. Addresses, masks and
//! rights are text such as `"0xffffc48ec001e080"`, because readers in other languages cannot hold them as numbers; counts,
//! ids, sizes and times are numbers. Times are those of Windows: units of 100 ns since 1601, UTC. `null` means that this build has no such
//! field, or that it does not apply.
//!
//! ```
//! use ntlens_testkit::{Machine, layouts};
//!
//! let image = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20).build();
//! let truth = image.truth().to_json();
//! assert_eq!(truth["schema"], ntlens_testkit::truth::SCHEMA);
//! assert_eq!(truth["processes"][0]["image_name"], "System");
//! assert_eq!(truth["processes"][0]["protection"]["signer"], "WinSystem");
//! ```

mod crossing;
mod process;
mod sensor;

use crate::job::CpuPolicy;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

pub use crossing::*;
pub use process::*;
pub use sensor::*;

/// The name of this form of the truth. Members are added under the same name; what changes otherwise gets another number.
pub const SCHEMA: &str = "ntlens-testkit/1";

/// The JSON Schema of a [`Truth`].
///
/// ```
/// let schema = ntlens_testkit::truth::schema();
/// assert_eq!(schema["title"], "Truth");
/// assert!(schema["properties"]["processes"]["description"].as_str().unwrap().contains("Every process"));
/// ```
pub fn schema() -> serde_json::Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.into_root_schema_for::<Truth>().to_value()
}

/// Everything that a reader of the dump may be asked.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Truth {
    /// The schema of this description.
    pub schema: String,
    /// The kernel's version, such as 10.0.19041.1288.
    pub nt_version: String,
    /// The build.
    pub build: u32,
    /// `NtBuildLab`.
    pub build_lab: String,
    /// Facts of the kernel itself.
    pub kernel: Kernel,
    /// The processors.
    pub cpus: Vec<Cpu>,
    /// The services.
    pub services: Vec<Service>,
    /// Interrupts of devices, object by object.
    pub interrupts: Vec<Interrupt>,
    /// Memory of the kernel that belongs to no module, where hooks lead.
    pub no_module: u64,
    /// Loaded modules in load order.
    pub modules: Vec<Module>,
    /// Unloaded drivers, oldest first.
    pub unloaded_drivers: Vec<UnloadedDriver>,
    /// Object types.
    pub object_types: Vec<ObjectType>,
    /// Sessions.
    pub sessions: Vec<Session>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Registry hives, in the order of the kernel's list.
    pub hives: Vec<Hive>,
    /// Every process, whether or not a list shows it.
    pub processes: Vec<Process>,
    /// Named objects.
    pub named_objects: Vec<NamedObject>,
    /// Handles to objects of another session's namespace.
    pub cross_session: Vec<CrossSession>,
    /// Handles to named objects of another container, or across the host's border.
    pub cross_silo: Vec<CrossSilo>,
    /// Write access to sections of processes that are trusted more.
    pub cross_integrity: Vec<CrossIntegrity>,
    /// Trace sessions.
    pub loggers: Vec<Logger>,
    /// Providers of trace events.
    pub providers: Vec<Provider>,
    /// Functions that drivers have the kernel call.
    pub callbacks: Vec<Callback>,
    /// Translations of virtual addresses.
    pub translations: Vec<Translation>,
    /// `PspCidTable`.
    pub cid_table: CidTable,
    /// The dump file, after one was written.
    pub dump: Option<Dump>,
}

impl Truth {
    /// The description as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("plain data becomes JSON")
    }

    /// The process with this id; the newest if several had it.
    pub fn process(&self, pid: u64) -> Option<&Process> {
        self.processes.iter().rev().find(|process| process.pid == pid)
    }

    /// The first process of this name.
    pub fn named(&self, image_name: &str) -> Option<&Process> {
        self.processes.iter().find(|process| process.full_name == image_name)
    }
}

/// The dump file.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Dump {
    /// Bytes of the file.
    pub file_size: u64,
    /// `DumpType` of the header.
    pub dump_type: u32,
    /// Offset of the first page, where there are pages.
    pub first_page_offset: Option<u64>,
    /// How many pages the file stores.
    pub pages_in_dump: u64,
    /// Whether user memory is in the file.
    pub user_pages_included: bool,
    /// The machine's RAM.
    pub physical_runs: Vec<PhysicalRun>,
    /// Values of the header.
    pub header: Header,
}

/// Frames that follow each other.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct PhysicalRun {
    /// The first frame.
    pub base_pfn: u64,
    /// How many.
    pub count: u64,
}

/// Values of the dump's header.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Header {
    /// `MajorVersion`.
    pub major: u32,
    /// `MinorVersion`.
    pub minor: u32,
    /// `DirectoryTableBase`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub dtb: u64,
    /// `PfnDataBase`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub pfn_database: u64,
    /// `PsLoadedModuleList`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub ps_loaded_module_list: u64,
    /// `PsActiveProcessHead`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub ps_active_process_head: u64,
    /// `NumberProcessors`.
    pub processors: u32,
    /// `BugCheckCode`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub bugcheck_code: u64,
    /// The four parameters.
    #[serde(serialize_with = "hex_list")]
    #[schemars(with = "Vec<Hex>")]
    pub bugcheck_parameters: Vec<u64>,
    /// `KdDebuggerDataBlock`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub kd_debugger_data_block: u64,
    /// `Rip` of the context record.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub context_rip: u64,
    /// `SystemTime`.
    pub system_time: u64,
    /// `SystemUpTime`.
    pub system_uptime: u64,
    /// `Attributes`; `None` where the header has none.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub attributes: Option<u64>,
    /// `Comment`.
    pub comment: String,
}

/// The kernel.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Kernel {
    /// Base address.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub base: u64,
    /// Bytes of its image.
    pub size: u64,
    /// Time stamp of its image.
    pub timestamp: u32,
    /// `DirectoryTableBase` of System.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub system_dtb: u64,
    /// `MmPteBase`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub pte_base: u64,
    /// The slot of the top table that maps the tables.
    pub self_map_index: u64,
    /// Four or five.
    pub paging_levels: u8,
    /// `ObHeaderCookie`, from Windows 10 on.
    pub ob_header_cookie: Option<u8>,
    /// The debugger data block.
    pub kdbg: Kdbg,
    /// The mask that not-present entries are exclusive-ored with.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub invalid_pte_mask: u64,
    /// Process id of the current process.
    pub current_process: u64,
    /// `_ETHREAD` of the current thread.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub current_thread: u64,
    /// Addresses of symbols that were given content.
    #[serde(serialize_with = "hex_map")]
    #[schemars(with = "std::collections::BTreeMap<String, Hex>")]
    pub symbols: std::collections::BTreeMap<String, u64>,
    /// When Windows started.
    pub boot_time: u64,
}

/// The debugger data block.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Kdbg {
    /// Its address.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// Whether memory holds it encoded.
    pub encoded: bool,
}

/// One processor.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// `_KPCR`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub pcr: u64,
    /// `_KPRCB`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub prcb: u64,
    /// The thread it runs.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub current_thread: u64,
    /// `Cr3`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub cr3: u64,
    /// `Cr4`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub cr4: u64,
    /// Base of the interrupt table.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub idt: u64,
    /// Base of the descriptor table.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub gdt: u64,
    /// The task state segment.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub tss: u64,
    /// Its stacks: `Rsp0`, then `Ist` 1 to 4.
    #[serde(serialize_with = "hex_list")]
    #[schemars(with = "Vec<Hex>")]
    pub stacks: Vec<u64>,
    /// `MsrLStar`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub lstar: u64,
    /// Whether its special registers were saved.
    pub saved: bool,
    /// The handlers of the 256 vectors.
    pub handlers: Vec<Handler>,
}

/// The handler of a vector.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Handler {
    /// Where it is.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub address: u64,
    /// `IstIndex`.
    pub ist: u8,
    /// `Dpl`.
    pub dpl: u8,
    /// Whether it leads to no module.
    pub hooked: bool,
}

/// A device's interrupt on one processor.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Interrupt {
    /// The processor.
    pub processor: u32,
    /// The vector.
    pub vector: u8,
    /// `_KINTERRUPT`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub object: u64,
    /// The routine of the driver.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub routine: u64,
    /// The driver.
    pub module: String,
}

/// A service of the system.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Service {
    /// Its number.
    pub index: u32,
    /// Its routine.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub address: u64,
    /// Arguments on the stack.
    pub stack_args: u8,
    /// The module of its table.
    pub module: &'static str,
    /// Whether it leads to no module.
    pub hooked: bool,
}

/// A loaded module.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Module {
    /// `BaseDllName`.
    pub name: String,
    /// `FullDllName`.
    pub path: String,
    /// `DllBase`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub base: u64,
    /// `SizeOfImage`.
    pub size: u64,
    /// The list entry.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub entry: u64,
    /// Time stamp of the image.
    pub timestamp: u32,
    /// Check sum of the image.
    pub checksum: u32,
    /// `present` or `paged_out`.
    pub header: &'static str,
    /// Whether it was taken out of `PsLoadedModuleList`.
    pub hidden: bool,
}

/// A driver that was unloaded.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UnloadedDriver {
    /// Its name.
    pub name: String,
    /// Where it was.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub start: u64,
    /// Where it ended.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub end: u64,
    /// When it went.
    pub time: u64,
}

/// A type of objects.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ObjectType {
    /// Its index.
    pub index: u8,
    /// Its name.
    pub name: String,
    /// The type object.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
}

/// A session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Session {
    /// Its number.
    pub session_id: u32,
    /// `_MM_SESSION_SPACE`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// Its processes.
    pub pids: Vec<u64>,
}

/// A job.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Job {
    /// The job.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// Its number; `None` on builds that give none.
    pub job_id: Option<u64>,
    /// Its session.
    pub session_id: u32,
    /// Its full name.
    pub name: Option<String>,
    /// The job around it.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub parent: Option<u64>,
    /// The jobs directly inside it.
    #[serde(serialize_with = "hex_list")]
    #[schemars(with = "Vec<Hex>")]
    pub children: Vec<u64>,
    /// Ids of the processes directly in it.
    pub processes: Vec<u64>,
    /// `LimitFlags`
    pub limit_flags: u32,
    /// `UIRestrictionsClass`
    pub ui_restrictions: u32,
    /// It is a silo.
    pub silo: bool,
    /// It is a container.
    pub server_silo: bool,
    /// The number of the silo.
    pub container_id: Option<String>,
    /// `_ESERVERSILO_GLOBALS` of a container.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub silo_globals: Option<u64>,
    /// Path of a container's root directory.
    pub root_directory: Option<String>,
    /// It is in the kernel's list.
    pub listed: bool,
    /// The scheduling group of its processes: its own, or that of the job around it.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub scheduling_group: Option<u64>,
    /// The policy of that group.
    pub cpu_policy: Option<CpuPolicy>,
}

/// A registry hive.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Hive {
    /// `_CMHIVE`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// The key that is its root.
    pub root: String,
    /// Its file.
    pub file: String,
}

/// A named object.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NamedObject {
    /// Its full name.
    pub path: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub object: u64,
    /// The session whose namespace it is in: 0 for `\BaseNamedObjects`, that of a container for the container's own.
    pub namespace_session: Option<u32>,
}

/// Where a virtual address leads.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Translation {
    /// The root of the address space.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub dtb: u64,
    /// The virtual address.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// The physical address.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub pa: Option<u64>,
    /// Bytes of the page.
    pub page_size: u64,
    /// `present`, `transition`, `pagefile`, `demand_zero`, `prototype`, `unmapped`, `noncanonical`.
    pub state: &'static str,
    /// Whether the dump holds the frame; `None` where there is none, or no dump was written.
    pub in_dump: Option<bool>,
    /// 16 bytes at the physical address rounded down to 16.
    pub bytes16: Option<String>,
}

/// `PspCidTable`.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct CidTable {
    /// The table.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// Levels of pointers above the entries.
    pub level: u8,
    /// How many processes it shows.
    pub processes: usize,
    /// How many threads it shows.
    pub threads: usize,
}

/// What [`hex`] writes.
struct Hex;

impl JsonSchema for Hex {
    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An address, a mask or rights: at most 64 bits in hexadecimal.",
            "type": "string",
            "pattern": "^0x[0-9a-f]{1,16}$",
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn hex<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:#x}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn hex_u32<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    hex(&u64::from(*value), serializer)
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn hex_option<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|value| format!("{value:#x}")).serialize(serializer)
}

fn hex_list<S: Serializer>(values: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| format!("{value:#x}")))
}

fn hex_map<S: Serializer>(values: &std::collections::BTreeMap<String, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().map(|(name, value)| (name, format!("{value:#x}"))))
}
