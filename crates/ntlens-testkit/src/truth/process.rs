//! What is true of processes and what they own.

use super::{Hex, hex, hex_option, hex_u32};
use schemars::JsonSchema;
use serde::Serialize;

/// `_PS_PROTECTION`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Protection {
    /// The whole byte.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
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
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Process {
    /// `UniqueProcessId`.
    pub pid: u64,
    /// `InheritedFromUniqueProcessId`.
    pub ppid: u64,
    /// `_EPROCESS`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub eprocess: u64,
    /// `_OBJECT_HEADER`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
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
    #[schemars(with = "Hex")]
    pub dtb: u64,
    /// `UserDirectoryTableBase`; zero without a shadow.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub user_dtb: u64,
    /// `None` on builds without the field.
    pub protection: Option<Protection>,
    /// Vista-style protection, on builds that have only this.
    pub protected_win7: Option<bool>,
    /// `SignatureLevel`.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub signature_level: Option<u64>,
    /// `SectionSignatureLevel`.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
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
    #[schemars(with = "Option<Hex>")]
    pub peb32: Option<u64>,
    /// Whether it is a trustlet; `None` on builds without the mark.
    pub secure: Option<bool>,
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
    #[schemars(with = "Option<Hex>")]
    pub peb: Option<u64>,
    /// What the page of the environment block is: `resident` and so on.
    pub peb_state: &'static str,
    /// The command line.
    pub command_line: Option<String>,
    /// The current directory.
    pub current_directory: Option<String>,
    /// Where its image lies.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub image_base: Option<u64>,
    /// Loaded images, in load order.
    pub dlls: Vec<Dll>,
    /// Images that a 32-bit program's own loader knows, in load order.
    pub dlls32: Vec<Dll>,
    /// Ranges of its user memory, ascending.
    pub vads: Vec<Vad>,
    /// Whether `PsActiveProcessHead` shows it.
    pub in_active_list: bool,
    /// Whether `PspCidTable` shows it.
    pub in_cid_table: bool,
    /// The innermost job.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub job: Option<u64>,
    /// The job of the container that it runs in.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub server_silo_job: Option<u64>,
}

/// Flag words of a process; `None` where the build has no such word.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Word {
    /// Its value.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub value: u64,
}

/// A token.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Token {
    /// `_TOKEN`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// The session it names.
    pub session_id: u32,
    /// `TokenFlags`.
    #[serde(serialize_with = "hex_u32")]
    #[schemars(with = "Hex")]
    pub token_flags: u32,
    /// The logon session.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
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
    #[schemars(with = "Hex")]
    pub privileges_present: u64,
    /// Those switched on.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub privileges_enabled: u64,
    /// Those on from the start.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub privileges_default: u64,
}

/// A SID in a token.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Sid {
    /// Its text.
    pub sid: String,
    /// Group attributes.
    #[serde(serialize_with = "hex_u32")]
    #[schemars(with = "Hex")]
    pub attributes: u32,
}

/// A thread.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Thread {
    /// `Cid.UniqueThread`.
    pub tid: u64,
    /// `_ETHREAD`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// `CreateTime`.
    pub create_time: u64,
    /// `StartAddress`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub start: u64,
    /// `StackBase`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub stack_base: u64,
    /// `StackLimit`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub stack_limit: u64,
    /// `Teb`.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub teb: Option<u64>,
}

/// A handle table.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct HandleTable {
    /// `_HANDLE_TABLE`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// Levels of pointers above the entries.
    pub level: u8,
    /// How many handles.
    pub count: usize,
}

/// A handle.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Handle {
    /// Its value.
    pub handle: u64,
    /// The object's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub object: u64,
    /// Granted rights.
    #[serde(serialize_with = "hex_u32")]
    #[schemars(with = "Hex")]
    pub access: u32,
    /// The object's name.
    pub name: Option<String>,
}

/// A loaded image of a process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Dll {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Where it lies.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub base: u64,
    /// Its size.
    pub size: u64,
    /// Its entry point.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub entry: u64,
    /// Flags of the loader.
    #[serde(serialize_with = "hex_u32")]
    #[schemars(with = "Hex")]
    pub flags: u32,
    /// When it was loaded; `None` for the 32-bit loader.
    pub load_time: Option<u64>,
    /// How often; `u32::MAX` for one that stays.
    pub load_count: Option<u32>,
    /// `_LDR_DLL_LOAD_REASON`, as far as the build notes it.
    pub load_reason: Option<u32>,
}

/// A range of user memory.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Vad {
    /// Its first byte.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub start: u64,
    /// Its last byte.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub end: u64,
    /// `private`, `mapped` or `image`.
    pub kind: &'static str,
    /// The five bits of its protection.
    pub protection: u8,
    /// Pages that are charged.
    pub commit: u64,
    /// The mapped file, by its path on the volume.
    pub file: Option<String>,
    /// `_MMVAD_SHORT`, or `_MMVAD` for what is mapped.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
}
