//! `_EPROCESS`: processes, their lists, their address spaces and their entries in `PspCidTable`.

use crate::assembly::{Assembly, BOOT_TIME, UP_TIME};
use crate::frames::FrameUse;
use crate::guest::unicode_string;
use crate::handle_table::Entry;
use crate::object::BODY;
use crate::paging::Space;
use crate::physical::PAGE;
use crate::pool::PoolKind;
use crate::process_spec::{PageState, ProcessSpec};
use crate::truth;

/// A process that was written.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) eprocess: u64,
    pub(crate) space: Space,
    pub(crate) dtb: u64,
    /// What user code runs with, if that is something else.
    pub(crate) shadow: Option<Space>,
}

const EPROCESS: &str = "_EPROCESS";
/// What marks a trustlet, by build.
pub(crate) const SECURE: [&str; 2] = ["Pcb.SecureState.Flags.SecureProcess", "Pcb.SecurePid"];

impl Assembly<'_> {
    /// Writes all processes, in the order in which they were added, and the idle process.
    pub(crate) fn processes(&mut self) {
        let kernel = self.guest.kernel;
        for name in ["PsActiveProcessHead", "KiProcessListHead", "HandleTableListHead"] {
            if let Some(head) = self.symbol(name) {
                self.guest.empty_list(kernel, head);
            }
        }
        self.idle_process();
        let machine = self.machine;
        self.next_tid = machine.processes.iter().filter_map(|spec| spec.pid).max().unwrap_or(0) + 8;
        for (index, spec) in machine.processes.iter().enumerate() {
            let built = self.process(spec, index as u64);
            self.built.push(built);
        }
        let system = self.built[0].eprocess;
        self.set_symbol("PsInitialSystemProcess", system);
        for (spec, index) in machine.processes.iter().zip(0..).filter(|(spec, _)| spec.hidden) {
            let links = self.guest.offset(EPROCESS, "ActiveProcessLinks").unwrap();
            let entry = self.built[index].eprocess + links;
            self.guest.unlink(entry);
            assert!(spec.pid != Some(4), "System cannot be hidden");
        }
    }

    fn process(&mut self, spec: &ProcessSpec, index: u64) -> Built {
        let pid = spec.pid.unwrap();
        let alive = spec.exit_time.is_none();
        let space = self.space(pid);
        let pcid = if self.machine.pcid { index % 0x7f0 + 2 } else { 0 };
        let dtb = (space.root * PAGE) | if pid == 4 && pcid != 0 { 2 } else { pcid };
        let shadow = (self.machine.kva_shadow && spec.user_memory).then(|| self.space(pid));
        let user_dtb = shadow.map_or(0, |shadow| (shadow.root * PAGE) | if pcid == 0 { 0 } else { pcid | 0x800 });
        let size = self.guest.size_of(EPROCESS, 0xb80);
        let eprocess = self.object(PoolKind::NonPaged, "Process", size, *b"Proc", None);
        let create_time = spec.create_time.unwrap_or(BOOT_TIME + index * 27_000_000 + self.rng.below(9_000_000));
        let token = self.token(&spec.token, spec.session.unwrap_or(0));
        let path = spec.image_path.clone().unwrap_or_else(|| default_path(spec));
        let user = (spec.user_memory && alive).then(|| self.user_memory(spec, space, &path, create_time));
        let peb = user.as_ref().map(|user| user.peb);

        self.guest
            .at(eprocess, EPROCESS)
            .set("Pcb.Header.Type", 3)
            .set("Pcb.Header.Size", u64::from(u8::try_from(size / 4).unwrap_or(0xb8)))
            .set("Pcb.Header.SignalState", u64::from(!alive))
            .ring("Pcb.Header.WaitListHead")
            .ring("Pcb.ProfileListHead")
            .ring("Pcb.ThreadListHead")
            .ring("Pcb.ReadyListHead")
            .set("Pcb.DirectoryTableBase", dtb)
            .set("Pcb.UserDirectoryTableBase", user_dtb)
            .set("Pcb.AddressPolicy", u64::from(shadow.is_none()))
            .set("Pcb.BasePriority", 8)
            .set("Pcb.QuantumReset", 6)
            .ring("ThreadListHead")
            .ring("SessionProcessLinks")
            .ring("JobLinks")
            .ring("MmProcessLinks")
            .set("UniqueProcessId", pid)
            .set("InheritedFromUniqueProcessId", spec.parent)
            .set("CreateTime", create_time)
            .set("ExitTime", spec.exit_time.unwrap_or(0))
            .set("ExitStatus", if alive { 0x103 } else { 0 })
            .set("Token", token.va | 0xf)
            .set("PriorityClass", 2)
            .set("HighestUserAddress", 0x7fff_ffff_0000)
            .set("VirtualSize", 0x0200_0000 + index * 0x3000)
            .set("SignatureLevel", u64::from(spec.signature_level))
            .set("SectionSignatureLevel", u64::from(spec.section_signature_level))
            .set("Protection", u64::from(spec.protection))
            .set("SequenceNumber", index + 1)
            .bytes("ImageFileName", &image_file_name(&spec.name))
            .set("Flags", u64::from(spec.flags))
            .set("Flags2", u64::from(spec.flags2))
            .set("Flags3", u64::from(spec.flags3))
            .set("MitigationFlags", u64::from(spec.mitigations[0]))
            .set("MitigationFlags2", u64::from(spec.mitigations[1]))
            .set("CreateReported", 1)
            .set("AddressSpaceInitialized", 2)
            .set("HasAddressSpace", 1)
            .set("ImageNotifyDone", 1)
            .set("ProcessInserted", 1)
            .set("DefaultIoPriority", 2)
            .set("NewProcessReported", 1)
            .set("DefaultPagePriority", 5);
        let modern = self.guest.offset(EPROCESS, "Protection").is_some();
        let mut bits = spec.bits.clone();
        if !modern && spec.protection & 7 == 2 {
            bits.push("ProtectedProcess");
        }
        if spec.session.is_some() {
            bits.push("ProcessInSession");
        }
        if !alive {
            bits.extend(["ProcessExiting", "ProcessDelete", "ExitProcessReported"]);
        }
        for bit in &bits {
            self.guest.at(eprocess, EPROCESS).put(bit, 1);
        }
        let peb32 = user.as_ref().and_then(|user| user.loader32.as_ref()).map(|loader| loader.peb);
        if let Some(user) = &user {
            self.guest
                .at(eprocess, EPROCESS)
                .set("Peb", user.peb)
                .set("SectionBaseAddress", user.image_base)
                .set("SectionObject", self.plan.paged + 0x10_0000);
        }
        if let Some(peb32) = peb32 {
            self.wow64(eprocess, peb32);
        }
        self.image_path(eprocess, &path, spec.image_path_page);
        self.link(eprocess, pid, alive && !spec.without_id);
        let threads = if alive { spec.threads } else { 0 };
        let vads = if alive { self.vads(eprocess, user.as_ref(), threads) } else { Vec::new() };
        let threads = (0..threads)
            .map(|number| self.thread(eprocess, pid, number, space, user.as_ref(), create_time))
            .collect::<Vec<_>>();
        self.guest
            .at(eprocess, EPROCESS)
            .set("ActiveThreads", threads.len() as u64)
            .set("ActiveThreadsHighWatermark", threads.len() as u64);

        let read = |assembly: &Self, name: &str, bytes: usize| {
            let offset = assembly.guest.offset(EPROCESS, name)?;
            let mut word = [0; 8];
            assembly.guest.read_in(assembly.guest.kernel, eprocess + offset, &mut word[..bytes]);
            Some(u64::from_le_bytes(word))
        };
        let word = |name: &str| read(self, name, 4).map(|value| truth::Word { value });
        let bit = |name: &str| self.guest.offset(EPROCESS, name).map(|_| bits.contains(&name));
        let signature = |level: u8| modern.then_some(u64::from(level));
        self.truth.processes.push(truth::Process {
            pid,
            ppid: spec.parent,
            eprocess,
            object_header: eprocess - BODY,
            image_name: String::from_utf8_lossy(spec.name.as_bytes().get(..14).unwrap_or(spec.name.as_bytes())).into(),
            full_name: spec.name.clone(),
            image_path: (!path.is_empty()).then(|| path.clone()),
            image_path_state: spec.image_path_page.name(),
            create_time,
            exit_time: spec.exit_time,
            dtb,
            user_dtb,
            protection: modern.then(|| truth::Protection::from_level(spec.protection)),
            protected_win7: (!modern).then(|| bits.contains(&"ProtectedProcess")),
            signature_level: signature(spec.signature_level),
            section_signature_level: signature(spec.section_signature_level),
            flags: truth::Flags {
                flags: word("Flags"),
                flags2: word("Flags2"),
                flags3: word("Flags3"),
                mitigation_flags: word("MitigationFlags"),
                mitigation_flags2: word("MitigationFlags2"),
            },
            critical: bits.contains(&"BreakOnTermination"),
            system_process: bit("SystemProcess"),
            subsystem_process: bit("SubsystemProcess"),
            minimal: bit("Minimal"),
            cross_session_create: bit("CrossSessionCreate"),
            wow64: peb32.is_some(),
            peb32,
            secure: SECURE.iter().find_map(|path| bit(path)),
            session_id: spec.session,
            token,
            threads,
            handle_table: None,
            handles: Vec::new(),
            peb,
            peb_state: spec.peb_page.name(),
            command_line: user.as_ref().map(|user| user.command_line.clone()),
            current_directory: user.as_ref().map(|user| user.current_directory.clone()),
            image_base: user.as_ref().map(|user| user.image_base),
            dlls32: user.as_ref().and_then(|user| user.loader32.clone()).map(|loader| loader.dlls).unwrap_or_default(),
            dlls: user.map(|user| user.dlls).unwrap_or_default(),
            vads,
            in_active_list: !spec.hidden,
            in_cid_table: alive && !spec.without_id,
            job: None,
            server_silo_job: None,
        });
        Built { eprocess, space, dtb, shadow }
    }

    fn space(&mut self, pid: u64) -> Space {
        if pid == 4 {
            return self.guest.kernel;
        }
        let root = self.guest.frames.allocate(&self.guest.memory, FrameUse::Kernel);
        Space::new(&mut self.guest.memory, root, self.machine.levels, self.plan.self_map)
    }

    /// Links a process where the kernel keeps all of them.
    fn link(&mut self, eprocess: u64, pid: u64, has_id: bool) {
        let kernel = self.guest.kernel;
        for (head, links) in
            [("PsActiveProcessHead", "ActiveProcessLinks"), ("KiProcessListHead", "Pcb.ProcessListEntry")]
        {
            if let (Some(head), Some(links)) = (self.symbol(head), self.guest.offset(EPROCESS, links)) {
                self.guest.append(kernel, head, eprocess + links);
            }
        }
        if has_id {
            self.cid.insert(pid, Entry { target: eprocess, access: 0, attributes: 0 });
        }
    }

    /// The path that the kernel noted for audits, on a page of its own when it shall not be resident.
    fn image_path(&mut self, eprocess: u64, path: &str, state: PageState) {
        let units = crate::guest::utf16(path);
        let bytes = 0x10 + units.len() as u64 + 2;
        let at = match state {
            PageState::Resident => self.guest.alloc(PoolKind::Paged, bytes, *b"SeAu"),
            _ => self.guest.pages(bytes),
        };
        let text = if units.is_empty() { [0; 16] } else { unicode_string(at + 0x10, units.len() as u16) };
        self.guest.write(at, &text);
        self.guest.write(at + 0x10, &units);
        self.guest.at(eprocess, EPROCESS).put("SeAuditProcessCreationInfo.ImageFileName", at);
        self.set_page_state(self.guest.kernel, at, state);
    }

    fn wow64(&mut self, eprocess: u64, peb32: u64) {
        if self.guest.layouts.place(EPROCESS, "WoW64Process").is_ok() {
            let size = self.guest.size_of("_EWOW64PROCESS", 0x10);
            let at = self.guest.alloc(PoolKind::NonPaged, size, *b"Wow6");
            self.guest.at(at, "_EWOW64PROCESS").set("Peb", peb32).set("Machine", 0x14c).set("NtdllType", 1);
            self.guest.at(eprocess, EPROCESS).set("WoW64Process", at).put("Machine", 0x14c);
        } else {
            self.guest.at(eprocess, EPROCESS).put("Wow64Process", peb32);
        }
    }

    /// The idle process lies inside the kernel's image.
    fn idle_process(&mut self) {
        let Some(eprocess) = self.symbol("KiInitialProcess") else { return };
        self.set_symbol("PsIdleProcess", eprocess);
        let dtb = self.guest.kernel.root * PAGE;
        self.guest
            .at(eprocess, EPROCESS)
            .set("Pcb.Header.Type", 3)
            .ring("Pcb.Header.WaitListHead")
            .ring("Pcb.ThreadListHead")
            .ring("ThreadListHead")
            .ring("ActiveProcessLinks")
            .set("Pcb.DirectoryTableBase", dtb)
            .bytes("ImageFileName", b"Idle");
    }
}

impl truth::Protection {
    fn from_level(level: u8) -> Self {
        const KINDS: [&str; 4] = ["None", "ProtectedLight", "Protected", "Max"];
        const SIGNERS: [&str; 9] =
            ["None", "Authenticode", "CodeGen", "Antimalware", "Lsa", "Windows", "WinTcb", "WinSystem", "App"];
        Self {
            level: level.into(),
            kind: KINDS.get(usize::from(level & 7)).copied().unwrap_or("Unknown"),
            audit: level >> 3 & 1,
            signer: SIGNERS.get(usize::from(level >> 4)).copied().unwrap_or("Unknown"),
        }
    }
}

/// At most 14 bytes of the name, and a NUL.
fn image_file_name(name: &str) -> [u8; 15] {
    let mut bytes = [0; 15];
    let length = name.len().min(14);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    bytes
}

fn default_path(spec: &ProcessSpec) -> String {
    if !spec.user_memory {
        return spec.name.clone();
    }
    format!("\\Device\\HarddiskVolume3\\Windows\\System32\\{}", spec.name)
}

/// A time while the machine was running, for tests that end a process.
pub const RUNNING_AT: u64 = BOOT_TIME + UP_TIME / 2;
