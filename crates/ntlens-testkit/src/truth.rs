//! What is true of a written machine, in the words of the truth schema "oracle-forge/1".

use serde::{Serialize, Serializer};

/// Everything that a reader of the dump may be asked.
#[derive(Clone, Debug, Default, Serialize)]
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
    /// Loaded modules in load order.
    pub modules: Vec<Module>,
    /// Unloaded drivers, oldest first.
    pub unloaded_drivers: Vec<UnloadedDriver>,
    /// Object types.
    pub object_types: Vec<ObjectType>,
    /// Sessions.
    pub sessions: Vec<Session>,
    /// Every process, whether or not a list shows it.
    pub processes: Vec<Process>,
    /// Named objects.
    pub named_objects: Vec<NamedObject>,
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
#[derive(Clone, Debug, Default, Serialize)]
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
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PhysicalRun {
    /// The first frame.
    pub base_pfn: u64,
    /// How many.
    pub count: u64,
}

/// Values of the dump's header.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Header {
    /// `MajorVersion`.
    pub major: u32,
    /// `MinorVersion`.
    pub minor: u32,
    /// `DirectoryTableBase`.
    #[serde(serialize_with = "hex")]
    pub dtb: u64,
    /// `PfnDataBase`.
    #[serde(serialize_with = "hex")]
    pub pfn_database: u64,
    /// `PsLoadedModuleList`.
    #[serde(serialize_with = "hex")]
    pub ps_loaded_module_list: u64,
    /// `PsActiveProcessHead`.
    #[serde(serialize_with = "hex")]
    pub ps_active_process_head: u64,
    /// `NumberProcessors`.
    pub processors: u32,
    /// `BugCheckCode`.
    #[serde(serialize_with = "hex")]
    pub bugcheck_code: u64,
    /// The four parameters.
    #[serde(serialize_with = "hex_list")]
    pub bugcheck_parameters: Vec<u64>,
    /// `KdDebuggerDataBlock`.
    #[serde(serialize_with = "hex")]
    pub kd_debugger_data_block: u64,
    /// `Rip` of the context record.
    #[serde(serialize_with = "hex")]
    pub context_rip: u64,
    /// `SystemTime`.
    pub system_time: u64,
    /// `SystemUpTime`.
    pub system_uptime: u64,
    /// `Attributes`; `None` where the header has none.
    #[serde(serialize_with = "hex_option")]
    pub attributes: Option<u64>,
    /// `Comment`.
    pub comment: String,
}

/// The kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Kernel {
    /// Base address.
    #[serde(serialize_with = "hex")]
    pub base: u64,
    /// Bytes of its image.
    pub size: u64,
    /// Time stamp of its image.
    pub timestamp: u32,
    /// `DirectoryTableBase` of System.
    #[serde(serialize_with = "hex")]
    pub system_dtb: u64,
    /// `MmPteBase`.
    #[serde(serialize_with = "hex")]
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
    pub invalid_pte_mask: u64,
    /// Process id of the current process.
    pub current_process: u64,
    /// `_ETHREAD` of the current thread.
    #[serde(serialize_with = "hex")]
    pub current_thread: u64,
    /// Addresses of symbols that were given content.
    #[serde(serialize_with = "hex_map")]
    pub symbols: std::collections::BTreeMap<String, u64>,
    /// When Windows started.
    pub boot_time: u64,
}

/// The debugger data block.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Kdbg {
    /// Its address.
    #[serde(serialize_with = "hex")]
    pub va: u64,
    /// Whether memory holds it encoded.
    pub encoded: bool,
}

/// One processor.
#[derive(Clone, Debug, Serialize)]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// `_KPCR`.
    #[serde(serialize_with = "hex")]
    pub pcr: u64,
    /// `_KPRCB`.
    #[serde(serialize_with = "hex")]
    pub prcb: u64,
    /// The thread it runs.
    #[serde(serialize_with = "hex")]
    pub current_thread: u64,
    /// `Cr3`.
    #[serde(serialize_with = "hex")]
    pub cr3: u64,
    /// `Cr4`.
    #[serde(serialize_with = "hex")]
    pub cr4: u64,
    /// Base of the interrupt table.
    #[serde(serialize_with = "hex")]
    pub idt: u64,
    /// Base of the descriptor table.
    #[serde(serialize_with = "hex")]
    pub gdt: u64,
}

/// A loaded module.
#[derive(Clone, Debug, Serialize)]
pub struct Module {
    /// `BaseDllName`.
    pub name: String,
    /// `FullDllName`.
    pub path: String,
    /// `DllBase`.
    #[serde(serialize_with = "hex")]
    pub base: u64,
    /// `SizeOfImage`.
    pub size: u64,
    /// The list entry.
    #[serde(serialize_with = "hex")]
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
#[derive(Clone, Debug, Serialize)]
pub struct UnloadedDriver {
    /// Its name.
    pub name: String,
    /// Where it was.
    #[serde(serialize_with = "hex")]
    pub start: u64,
    /// Where it ended.
    #[serde(serialize_with = "hex")]
    pub end: u64,
    /// When it went.
    pub time: u64,
}

/// A type of objects.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectType {
    /// Its index.
    pub index: u8,
    /// Its name.
    pub name: String,
    /// The type object.
    #[serde(serialize_with = "hex")]
    pub va: u64,
}

/// A session.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// Its number.
    pub session_id: u32,
    /// `_MM_SESSION_SPACE`.
    #[serde(serialize_with = "hex")]
    pub va: u64,
    /// Its processes.
    pub pids: Vec<u64>,
}

/// `_PS_PROTECTION`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Protection {
    /// The whole byte.
    #[serde(serialize_with = "hex")]
    pub level: u64,
    /// Bits 0 to 2.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Bit 3.
    pub audit: u8,
    /// Bits 4 to 7.
    pub signer: &'static str,
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct Process {
    /// `UniqueProcessId`.
    pub pid: u64,
    /// `InheritedFromUniqueProcessId`.
    pub ppid: u64,
    /// `_EPROCESS`.
    #[serde(serialize_with = "hex")]
    pub eprocess: u64,
    /// `_OBJECT_HEADER`.
    #[serde(serialize_with = "hex")]
    pub object_header: u64,
    /// `ImageFileName`: up to 14 bytes.
    pub image_name: String,
    /// The name before it was cut.
    pub full_name: String,
    /// The path in `SeAuditProcessCreationInfo`.
    pub image_path: Option<String>,
    /// Whether that path can be read.
    pub image_path_state: &'static str,
    /// `CreateTime`.
    pub create_time: u64,
    /// `ExitTime`, if it ended.
    pub exit_time: Option<u64>,
    /// `DirectoryTableBase`.
    #[serde(serialize_with = "hex")]
    pub dtb: u64,
    /// `None` on builds without the field.
    pub protection: Option<Protection>,
    /// Vista-style protection, on builds that have only this.
    pub protected_win7: Option<bool>,
    /// `SignatureLevel`.
    #[serde(serialize_with = "hex_option")]
    pub signature_level: Option<u64>,
    /// `SectionSignatureLevel`.
    #[serde(serialize_with = "hex_option")]
    pub section_signature_level: Option<u64>,
    /// The three flag words and the mitigation words.
    pub flags: Flags,
    /// `BreakOnTermination`.
    pub critical: bool,
    /// `SystemProcess`; `None` on builds without the bit.
    pub system_process: Option<bool>,
    /// `SubsystemProcess`; `None` on builds without the bit.
    pub subsystem_process: Option<bool>,
    /// `Minimal`; `None` on builds without the bit.
    pub minimal: Option<bool>,
    /// `CrossSessionCreate`; `None` on builds without the bit.
    pub cross_session_create: Option<bool>,
    /// Whether it runs 32-bit code.
    pub wow64: bool,
    /// The 32-bit environment block.
    #[serde(serialize_with = "hex_option")]
    pub peb32: Option<u64>,
    /// The session, if it is in one.
    pub session_id: Option<u32>,
    /// Its token.
    pub token: Token,
    /// Its threads.
    pub threads: Vec<Thread>,
    /// Its handle table.
    pub handle_table: Option<HandleTable>,
    /// Its handles.
    pub handles: Vec<Handle>,
    /// The environment block.
    #[serde(serialize_with = "hex_option")]
    pub peb: Option<u64>,
    /// What the page of the environment block is: `resident` and so on.
    pub peb_state: &'static str,
    /// The command line.
    pub command_line: Option<String>,
    /// The current directory.
    pub current_directory: Option<String>,
    /// Where its image lies.
    #[serde(serialize_with = "hex_option")]
    pub image_base: Option<u64>,
    /// Loaded images, in load order.
    pub dlls: Vec<Dll>,
    /// Ranges of its user memory, ascending.
    pub vads: Vec<Vad>,
    /// Whether `PsActiveProcessHead` shows it.
    pub in_active_list: bool,
    /// Whether `PspCidTable` shows it.
    pub in_cid_table: bool,
}

/// Flag words of a process; `None` where the build has no such word.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Flags {
    /// `Flags`.
    pub flags: Option<Word>,
    /// `Flags2`.
    pub flags2: Option<Word>,
    /// `Flags3`.
    pub flags3: Option<Word>,
    /// `MitigationFlags`.
    pub mitigation_flags: Option<Word>,
    /// `MitigationFlags2`.
    pub mitigation_flags2: Option<Word>,
}

/// A flag word.
#[derive(Clone, Debug, Serialize)]
pub struct Word {
    /// Its value.
    #[serde(serialize_with = "hex")]
    pub value: u64,
}

/// A token.
#[derive(Clone, Debug, Serialize)]
pub struct Token {
    /// `_TOKEN`.
    #[serde(serialize_with = "hex")]
    pub va: u64,
    /// The session it names.
    pub session_id: u32,
    /// `TokenFlags`.
    #[serde(serialize_with = "hex_u32")]
    pub token_flags: u32,
    /// The logon session.
    #[serde(serialize_with = "hex")]
    pub auth_id: u64,
    /// The user.
    pub user: String,
    /// User and groups.
    pub sids: Vec<Sid>,
    /// Which of them is the integrity level.
    pub integrity_index: u32,
    /// The integrity level.
    pub integrity_sid: String,
    /// Its last part.
    pub integrity_rid: u32,
    /// Privileges it has.
    #[serde(serialize_with = "hex")]
    pub privileges_present: u64,
    /// Those switched on.
    #[serde(serialize_with = "hex")]
    pub privileges_enabled: u64,
    /// Those on from the start.
    #[serde(serialize_with = "hex")]
    pub privileges_default: u64,
}

/// A SID in a token.
#[derive(Clone, Debug, Serialize)]
pub struct Sid {
    /// Its text.
    pub sid: String,
    /// Group attributes.
    #[serde(serialize_with = "hex_u32")]
    pub attributes: u32,
}

/// A thread.
#[derive(Clone, Debug, Serialize)]
pub struct Thread {
    /// `Cid.UniqueThread`.
    pub tid: u64,
    /// `_ETHREAD`.
    #[serde(serialize_with = "hex")]
    pub va: u64,
    /// `CreateTime`.
    pub create_time: u64,
    /// `StartAddress`.
    #[serde(serialize_with = "hex")]
    pub start: u64,
    /// `StackBase`.
    #[serde(serialize_with = "hex")]
    pub stack_base: u64,
    /// `StackLimit`.
    #[serde(serialize_with = "hex")]
    pub stack_limit: u64,
    /// `Teb`.
    #[serde(serialize_with = "hex_option")]
    pub teb: Option<u64>,
}

/// A handle table.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HandleTable {
    /// `_HANDLE_TABLE`.
    #[serde(serialize_with = "hex")]
    pub va: u64,
    /// Levels of pointers above the entries.
    pub level: u8,
    /// How many handles.
    pub count: usize,
}

/// A handle.
#[derive(Clone, Debug, Serialize)]
pub struct Handle {
    /// Its value.
    pub handle: u64,
    /// The object's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object.
    #[serde(serialize_with = "hex")]
    pub object: u64,
    /// Granted rights.
    #[serde(serialize_with = "hex_u32")]
    pub access: u32,
    /// The object's name.
    pub name: Option<String>,
}

/// A loaded image of a process.
#[derive(Clone, Debug, Serialize)]
pub struct Dll {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Where it lies.
    #[serde(serialize_with = "hex")]
    pub base: u64,
    /// Its size.
    pub size: u64,
}

/// A range of user memory.
#[derive(Clone, Debug, Serialize)]
pub struct Vad {
    /// Its first byte.
    #[serde(serialize_with = "hex")]
    pub start: u64,
    /// Its last byte.
    #[serde(serialize_with = "hex")]
    pub end: u64,
    /// Always `private`.
    pub kind: &'static str,
    /// The five bits of its protection.
    pub protection: u8,
    /// `_MMVAD_SHORT`.
    #[serde(serialize_with = "hex")]
    pub va: u64,
}

/// A named object.
#[derive(Clone, Debug, Serialize)]
pub struct NamedObject {
    /// Its full name.
    pub path: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object.
    #[serde(serialize_with = "hex")]
    pub object: u64,
    /// The session whose namespace it is in: 0 for `\BaseNamedObjects`.
    pub namespace_session: Option<u32>,
}

/// Where a virtual address leads.
#[derive(Clone, Debug, Serialize)]
pub struct Translation {
    /// The root of the address space.
    #[serde(serialize_with = "hex")]
    pub dtb: u64,
    /// The virtual address.
    #[serde(serialize_with = "hex")]
    pub va: u64,
    /// The physical address.
    #[serde(serialize_with = "hex_option")]
    pub pa: Option<u64>,
    /// Bytes of the page.
    pub page_size: u64,
    /// `present`, `transition`, `pagefile`, `demand_zero`, `prototype`, `unmapped`, `noncanonical`.
    pub state: &'static str,
    /// 16 bytes at the physical address rounded down to 16.
    pub bytes16: Option<String>,
}

/// `PspCidTable`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct CidTable {
    /// The table.
    #[serde(serialize_with = "hex")]
    pub va: u64,
    /// Levels of pointers above the entries.
    pub level: u8,
    /// How many processes it shows.
    pub processes: usize,
    /// How many threads it shows.
    pub threads: usize,
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
