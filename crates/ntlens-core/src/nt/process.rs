//! Processes: `EPROCESS`.

use crate::absent::Absent;
use crate::address::{PhysAddr, VirtAddr};
use crate::incomplete::Incomplete;
use crate::layout::field::{Bits, Embedded, Field, Flags};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::list::Links;
use crate::nt::protection::Protection;
use crate::nt::signature_level::SignatureLevel;
use crate::nt::snapshot::Snapshot;
use crate::nt::space::Space;
use crate::nt::time::FileTime;
use crate::text;
use alloc::string::String;
use alloc::vec::Vec;
use bitflags::bitflags;

crate::fields! {
    /// Fields of `_EPROCESS`.
    pub struct EprocessFields of "_EPROCESS" {
        /// `ProcessObject` (3) of the enumeration `_KOBJECTS`.
        object_type: Field<u8> = "Pcb.Header.Type" | "Pcb.Header" | "Pcb",
        /// Links of the active list.
        active_process_links: Field<Embedded> = "ActiveProcessLinks",
        /// Links of the session's list.
        session_process_links: Field<Embedded> = "SessionProcessLinks",
        /// Head of the list of its threads.
        thread_list_head: Field<Embedded> = "ThreadListHead",
        /// Process id.
        unique_process_id: Field<u64> = "UniqueProcessId",
        /// Process id of the parent.
        inherited_from: Field<u64> = "InheritedFromUniqueProcessId",
        /// File name of the image, at most fifteen bytes.
        image_file_name: Field<[u8; 15]> = "ImageFileName",
        /// Path of the image as it was for the security audit.
        audit_name: Field<VirtAddr> = "SeAuditProcessCreationInfo.ImageFileName" | "SeAuditProcessCreationInfo",
        /// When it was created.
        create_time: Field<u64> = "CreateTime",
        /// When it ended.
        exit_time: Field<u64> = "ExitTime",
        /// Root of its page tables.
        directory_table_base: Field<u64> = "Pcb.DirectoryTableBase",
        /// Root of the page tables that user mode runs on, with KVA shadow.
        user_directory_table_base: Field<u64> = "Pcb.UserDirectoryTableBase",
        /// How often it was frozen.
        freeze_count: Field<u32> = "Pcb.FreezeCount",
        /// What gives its threads their share of the processors, since Windows 8.
        scheduling_group: Field<VirtAddr> = "Pcb.SchedulingGroup",
        /// Process environment block, in user memory.
        peb: Field<VirtAddr> = "Peb",
        /// State of 32-bit emulation: in kernel memory since Windows 10, before that the 32-bit environment block itself.
        wow64: Field<VirtAddr> = "WoW64Process" | "Wow64Process",
        /// Threads that have not ended.
        active_threads: Field<u32> = "ActiveThreads",
        /// Table of handles.
        object_table: Field<VirtAddr> = "ObjectTable",
        /// The session.
        session: Field<VirtAddr> = "Session",
        /// Primary token, a fast reference.
        token: Field<VirtAddr> = "Token",
        /// Innermost job.
        job: Field<VirtAddr> = "Job",
        /// Job of the container it runs in.
        server_silo: Field<VirtAddr> = "ServerSilo",
        /// Links of the innermost job's list.
        job_links: Field<Embedded> = "JobLinks",
        /// Port of a debugger.
        debug_port: Field<VirtAddr> = "DebugPort",
        /// `PS_PROTECTION`
        protection: Field<u8> = "Protection",
        /// Windows 7's one bit of protection.
        protected_process: Bits = "ProtectedProcess",
        /// Signature level of the image.
        signature_level: Field<u8> = "SignatureLevel",
        /// Signature level that images loaded later must have.
        section_signature_level: Field<u8> = "SectionSignatureLevel",
        /// The system stops if the process ends.
        break_on_termination: Bits = "BreakOnTermination",
        /// The process belongs to the system.
        system_process: Bits = "SystemProcess",
        /// The process belongs to a subsystem.
        subsystem_process: Bits = "SubsystemProcess",
        /// The process was created for another session.
        cross_session_create: Bits = "CrossSessionCreate",
        /// The process started with an empty address space.
        minimal: Bits = "Minimal",
        /// The process has a pico provider.
        pico: Bits = "PicoCreated",
        /// What a pico provider keeps for the process.
        pico_context: Field<VirtAddr> = "PicoContext",
        /// The process has a half in the secure kernel.
        secure_process: Bits = "Pcb.SecureState.Flags.SecureProcess",
        /// The same in earlier builds: the id of that half.
        secure_pid: Field<u64> = "Pcb.SecurePid",
        /// Number of the trustlet, in builds that note it here.
        trustlet_identity: Field<u64> = "TrustletIdentity",
        /// The process is ending.
        process_exiting: Bits = "ProcessExiting",
        /// The process is being deleted.
        process_delete: Bits = "ProcessDelete",
        /// First word of flags.
        flags: Flags = "Flags",
        /// Second word of flags.
        flags2: Flags = "Flags2",
        /// Third word of flags.
        flags3: Flags = "Flags3",
        /// Whether code may run from data pages, and how exceptions are dispatched.
        execute_options: Flags = "Pcb.Flags",
        /// First word of mitigations.
        mitigation_flags: Flags = "MitigationFlags",
        /// Second word of mitigations.
        mitigation_flags2: Flags = "MitigationFlags2",
        /// Third word of mitigations.
        mitigation_flags3: Flags = "MitigationFlags3",
    }
}

crate::fields! {
    /// Fields of `_PEB`.
    pub struct PebFields of "_PEB" {
        /// Parameters the process was started with.
        process_parameters: Field<VirtAddr> = "ProcessParameters",
    }
}

crate::fields! {
    /// Fields of `_RTL_USER_PROCESS_PARAMETERS`.
    pub struct ParameterFields of "_RTL_USER_PROCESS_PARAMETERS" {
        /// The command line.
        command_line: Field<Embedded> = "CommandLine",
    }
}

crate::fields! {
    /// Fields of `_EWOW64PROCESS`.
    pub struct Wow64Fields of "_EWOW64PROCESS" {
        /// The 32-bit environment block.
        peb: Field<VirtAddr> = "Peb",
    }
}

/// The sets of fields that describe a process.
#[derive(Clone, Debug)]
pub struct ProcessFields {
    pub(crate) eprocess: EprocessFields,
    peb: PebFields,
    parameters: ParameterFields,
    wow64: Wow64Fields,
}

impl ProcessFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &crate::layout::Layouts) -> Self {
        Self {
            eprocess: EprocessFields::resolve(layouts),
            peb: PebFields::resolve(layouts),
            parameters: ParameterFields::resolve(layouts),
            wow64: Wow64Fields::resolve(layouts),
        }
    }
}

/// `ProcessObject` of `_KOBJECTS`.
pub(crate) const PROCESS_OBJECT: u8 = 3;

bitflags! {
    /// The views in which a process was found.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Sources: u16 {
        /// The list of active processes.
        const ACTIVE_LIST = 1 << 0;
        /// The table of process and thread ids.
        const CID_TABLE = 1 << 1;
        /// The list of a session's processes.
        const SESSION_LIST = 1 << 2;
        /// The crashing thread runs in it.
        const CRASH_CONTEXT = 1 << 3;
        /// The list of a job's processes.
        const JOB_LIST = 1 << 4;
    }
}

impl Sources {
    /// The names in the output contract.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (Self::ACTIVE_LIST, "active-list"),
            (Self::CID_TABLE, "cid-table"),
            (Self::SESSION_LIST, "session-list"),
            (Self::JOB_LIST, "job-list"),
            (Self::CRASH_CONTEXT, "crash-context"),
        ];
        all.into_iter().filter(|(source, _)| self.contains(*source)).map(|(_, name)| name).collect()
    }
}

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    snapshot: Snapshot,
    view: StructView,
    sources: Sources,
}

impl Process {
    fn at(snapshot: &Snapshot, eprocess: VirtAddr) -> Self {
        let extent = snapshot.fields().process.eprocess.extent;
        let view = StructView::read(snapshot.space(), eprocess, extent);
        Self { snapshot: snapshot.clone(), view, sources: Sources::default() }
    }

    /// Reads an address as a process; an error if what lies there is none.
    pub(crate) fn probe(snapshot: &Snapshot, eprocess: VirtAddr) -> Result<Self, Absent> {
        if !eprocess.is_kernel() {
            return Err(Absent::Malformed);
        }
        let process = Self::at(snapshot, eprocess);
        if process.view.get(&process.fields().object_type)? == PROCESS_OBJECT {
            Ok(process)
        } else {
            Err(Absent::Malformed)
        }
    }

    fn fields(&self) -> &EprocessFields {
        &self.snapshot.fields().process.eprocess
    }

    fn get<T: crate::layout::field::Scalar>(
        &self,
        field: impl Fn(&EprocessFields) -> &Result<Field<T>, Absent>,
    ) -> Result<T, Absent> {
        self.view.get(field(self.fields()))
    }

    fn bit(&self, field: impl Fn(&EprocessFields) -> &Result<Bits, Absent>) -> Result<bool, Absent> {
        self.view.bit(field(self.fields()))
    }

    /// Address of the `EPROCESS`.
    pub fn eprocess(&self) -> VirtAddr {
        self.view.at
    }

    /// Process id (`UniqueProcessId`).
    pub fn pid(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.unique_process_id)
    }

    /// Process id of the process it inherited from. That process may be gone, and its id used again.
    pub fn ppid(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.inherited_from)
    }

    /// `ImageFileName` as stored: at most fifteen bytes.
    pub fn name(&self) -> Result<String, Absent> {
        self.get(|fields| &fields.image_file_name).map(|name| text::ascii_until_nul(&name))
    }

    /// `SeAuditProcessCreationInfo.ImageFileName` as stored, a path or a bare name; `None` if empty.
    pub fn image_path(&self) -> Result<Option<String>, Absent> {
        let name = self.get(|fields| &fields.audit_name)?;
        if name.is_null() {
            return Ok(None);
        }
        // OBJECT_NAME_INFORMATION begins with the string and holds nothing else.
        self.snapshot.fields().unicode_string.read(self.snapshot.space(), name)
    }

    /// What of the string of that path cannot be.
    pub(crate) fn image_path_fault(&self) -> Option<Incomplete> {
        let name = self.get(|fields| &fields.audit_name).ok().filter(|name| !name.is_null())?;
        self.snapshot.fields().unicode_string.fault(self.snapshot.space(), name)
    }

    /// The command line, through the PEB in the process's own memory; `None` for a process without one.
    pub fn command_line(&self) -> Result<Option<String>, Absent> {
        let Some(peb) = self.peb()? else { return Ok(None) };
        let memory = self.space()?;
        let fields = &self.snapshot.fields().process;
        let peb = StructView::read(&memory, peb, fields.peb.extent);
        let parameters = peb.get(&fields.peb.process_parameters)?;
        if parameters.is_null() {
            return Ok(None);
        }
        let at = parameters.wrapping_add(fields.parameters.command_line?.offset.into());
        self.snapshot.fields().unicode_string.read(&memory, at)
    }

    /// When it was created.
    pub fn create_time(&self) -> Result<Option<FileTime>, Absent> {
        self.get(|fields| &fields.create_time).map(FileTime::from_windows)
    }

    /// When it ended; `None` while it runs.
    pub fn exit_time(&self) -> Result<Option<FileTime>, Absent> {
        self.get(|fields| &fields.exit_time).map(FileTime::from_windows)
    }

    /// `DirectoryTableBase` without its flags.
    pub fn dtb(&self) -> Result<PhysAddr, Absent> {
        self.get(|fields| &fields.directory_table_base).map(PhysAddr::from_cr3)
    }

    /// `UserDirectoryTableBase` without its flags; `None` for a process that is not shadowed (0 or 1 is stored).
    pub fn user_dtb(&self) -> Result<Option<PhysAddr>, Absent> {
        let value = self.get(|fields| &fields.user_directory_table_base)?;
        Ok((value > 1).then_some(PhysAddr::from_cr3(value)))
    }

    /// The process environment block, in user memory; `None` for a process without one.
    pub fn peb(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.peb).map(|peb| Some(peb).filter(|peb| !peb.is_null()))
    }

    /// Whether it is a 32-bit process.
    pub fn wow64(&self) -> Result<bool, Absent> {
        self.get(|fields| &fields.wow64).map(|state| !state.is_null())
    }

    /// The environment block that a 32-bit program sees, in user memory; `None` for a 64-bit process.
    pub fn peb32(&self) -> Result<Option<VirtAddr>, Absent> {
        let state = self.get(|fields| &fields.wow64)?;
        if state.is_null() {
            return Ok(None);
        }
        if !state.is_kernel() {
            return Ok(Some(state));
        }
        let fields = &self.snapshot.fields().process.wow64;
        let peb = StructView::read(self.snapshot.space(), state, fields.extent).get(&fields.peb)?;
        Ok(Some(peb).filter(|peb| !peb.is_null()))
    }

    /// Threads that have not ended.
    pub fn active_threads(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.active_threads)
    }

    /// Its table of handles; not applicable once the table is gone.
    pub(crate) fn object_table(&self) -> Result<VirtAddr, Absent> {
        let table = self.get(|fields| &fields.object_table)?;
        if table.is_null() { Err(Absent::NotApplicable) } else { Ok(table) }
    }

    /// The field that leads to the table of handles, as structure, field and place.
    pub(crate) fn object_table_field(&self) -> (&'static str, &'static str, VirtAddr) {
        let offset = self.snapshot.fields().process.eprocess.object_table.map_or(0, |field| field.offset);
        ("_EPROCESS", "ObjectTable", self.eprocess().wrapping_add(offset.into()))
    }

    /// Handles in use, as the table counts them; not applicable once the table is gone.
    pub fn handle_count(&self) -> Result<u32, Absent> {
        self.snapshot.fields().handle_tables.count(self.snapshot.space(), self.object_table()?)
    }

    /// The views in which it was found.
    pub fn sources(&self) -> Sources {
        self.sources
    }

    /// Notes a view in which it was found.
    pub(crate) fn add_source(&mut self, source: Sources) {
        self.sources |= source;
    }

    /// `PS_PROTECTION`. Windows 7 has none: see [`Self::is_protected_vista`].
    pub fn protection(&self) -> Result<Protection, Absent> {
        self.get(|fields| &fields.protection).map(Protection)
    }

    /// Windows 7's one bit of protection (`Flags2.ProtectedProcess`).
    pub fn is_protected_vista(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.protected_process)
    }

    /// How the image is signed.
    pub fn signature_level(&self) -> Result<SignatureLevel, Absent> {
        self.get(|fields| &fields.signature_level).map(SignatureLevel)
    }

    /// How images loaded later must be signed.
    pub fn section_signature_level(&self) -> Result<SignatureLevel, Absent> {
        self.get(|fields| &fields.section_signature_level).map(SignatureLevel)
    }

    /// The system stops if it ends (`BreakOnTermination`).
    pub fn critical(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.break_on_termination)
    }

    /// `Flags3.SystemProcess`, since build 17763.
    pub fn system_process(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.system_process)
    }

    /// `Flags3.SubsystemProcess`, since build 14393.
    pub fn subsystem_process(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.subsystem_process)
    }

    /// It was created for another session than its creator's (`CrossSessionCreate`).
    pub fn cross_session_create(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.cross_session_create)
    }

    /// It started with an empty address space (`Flags3.Minimal`).
    pub fn minimal(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.minimal)
    }

    /// It has a pico provider, such as that of WSL 1 (`Flags2.PicoCreated`).
    pub fn pico(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.pico)
    }

    /// What a pico provider keeps for it; `None` for a process without one.
    pub fn pico_context(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.pico_context).map(|context| Some(context).filter(|context| !context.is_null()))
    }

    /// It has a half in the secure kernel, whose memory this kernel cannot read: it is a trustlet. Since build 17763
    /// `SecureState` says so, before that an id of that half.
    pub fn secure(&self) -> Result<bool, Absent> {
        match self.bit(|fields| &fields.secure_process) {
            Err(Absent::NoSuchField) => self.get(|fields| &fields.secure_pid).map(|pid| pid != 0),
            other => other,
        }
    }

    /// `TrustletIdentity`: which trustlet it is; `None` for a process that is none.
    pub fn trustlet_id(&self) -> Result<Option<u64>, Absent> {
        let id = self.get(|fields| &fields.trustlet_identity)?;
        Ok(if self.secure()? { Some(id) } else { None })
    }

    /// What gives its threads their share of the processors; `None` if nothing limits it.
    pub fn scheduling_group(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.scheduling_group).map(|group| Some(group).filter(|group| !group.is_null()))
    }

    /// All its threads are frozen (`KPROCESS.FreezeCount` is not 0).
    pub fn frozen(&self) -> Result<bool, Absent> {
        self.get(|fields| &fields.freeze_count).map(|count| count != 0)
    }

    /// A debugger is attached (`DebugPort`).
    pub fn being_debugged(&self) -> Result<bool, Absent> {
        self.get(|fields| &fields.debug_port).map(|port| !port.is_null())
    }

    /// It is ending (`ProcessExiting`).
    pub fn exiting(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.process_exiting)
    }

    /// It is being deleted (`ProcessDelete`).
    pub fn deleted(&self) -> Result<bool, Absent> {
        self.bit(|fields| &fields.process_delete)
    }

    /// A word of flags as an integer and the names of what is set.
    pub fn flags(&self, word: FlagWord) -> Result<(u32, Vec<String>), Absent> {
        let fields = self.fields();
        let field = match word {
            FlagWord::Flags => &fields.flags,
            FlagWord::Flags2 => &fields.flags2,
            FlagWord::Flags3 => &fields.flags3,
            FlagWord::MitigationFlags => &fields.mitigation_flags,
            FlagWord::MitigationFlags2 => &fields.mitigation_flags2,
            FlagWord::MitigationFlags3 => &fields.mitigation_flags3,
        };
        let value = self.view.flags(field)?;
        Ok((value, field.as_ref().map(|field| field.names(value)).unwrap_or_default()))
    }

    /// An integer of the `EPROCESS` that flags lie in.
    pub(crate) fn word(&self, field: &Result<Flags, Absent>) -> Result<u64, Absent> {
        self.view.word(field)
    }

    /// Its session's structure, null outside of any.
    pub(crate) fn session(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.session)
    }

    /// Number of its session. Not applicable for a process outside of any session, and for one that left its session
    /// when it ended.
    pub fn session_id(&self) -> Result<u32, Absent> {
        let session = self.session()?;
        if session.is_null() {
            return Err(Absent::NotApplicable);
        }
        // Symbols of Windows 11 24H2 name the structure without defining it.
        let field = self.snapshot.fields().session.space.session_id.map_err(|_| Absent::SymbolsNeeded)?;
        self.snapshot.space().read_u32(session.wrapping_add(field.offset.into()))
    }

    /// The primary token.
    pub fn token(&self) -> Result<Option<VirtAddr>, Absent> {
        let token = self.get(|fields| &fields.token)?.without_fast_ref();
        Ok(Some(token).filter(|token| !token.is_null()))
    }

    /// The innermost job; `None` for a process in no job.
    pub fn job(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.job).map(|job| Some(job).filter(|job| !job.is_null()))
    }

    /// `EPROCESS.ServerSilo`, since build 17763: the job of the container that it runs in; `None` for a process of the host.
    pub fn server_silo(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.server_silo).map(|job| Some(job).filter(|job| !job.is_null()))
    }

    /// Where its links in its job's list are.
    pub(crate) fn job_links(&self) -> Result<VirtAddr, Absent> {
        self.view.address_of(&self.fields().job_links)
    }

    /// Its address space.
    pub fn space(&self) -> Result<Space, Absent> {
        match self.snapshot.space() {
            Space::Paged(_) => {
                let dtb = self.dtb()?;
                // A process that is swapped out or gone has no page tables.
                if dtb.0 == 0 { Err(Absent::NotApplicable) } else { Ok(self.snapshot.space().of_process(dtb.0)) }
            }
            blocks @ Space::Blocks(_) => Ok(blocks.clone()),
        }
    }

    /// Where the head of the list of its threads is.
    pub(crate) fn thread_list_head(&self) -> Result<VirtAddr, Absent> {
        self.view.address_of(&self.fields().thread_list_head)
    }

    /// Its links in the active list.
    pub(crate) fn links(&self) -> Result<Links, Absent> {
        Links::read(self.snapshot.space(), self.view.address_of(&self.fields().active_process_links)?)
    }
}

/// The words of flags of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Windows' own")]
pub enum FlagWord {
    Flags,
    Flags2,
    Flags3,
    MitigationFlags,
    MitigationFlags2,
    MitigationFlags3,
}
