//! `processes`: every process, and how it is protected.

use super::jobs::kind_name;
use super::tokens::sid_names;
use super::value::Code;
use super::{Asked, Cell, Column, Form, Kind, Parameter, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::family::Family;
use crate::nt::job::{Job, Jobs};
use crate::nt::object_name::Name;
use crate::nt::privilege;
use crate::nt::process::{FlagWord, Process, Sources};
use crate::nt::sid::Sid;
use crate::nt::silo::SiloKind;
use crate::nt::token::{Elevation, Token, Tokens};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// A process and its primary token.
#[derive(Debug)]
pub struct ProcessRow {
    process: Process,
    token: Result<Arc<Token>, Absent>,
    user_name: Option<String>,
    job_name: Name,
    job_chain: Result<Vec<u64>, Absent>,
    silo: Result<Option<Silo>, Absent>,
    server_silo: Result<Option<VirtAddr>, Absent>,
    descent: Descent,
}

/// The innermost silo that a process is in.
#[derive(Debug)]
struct Silo {
    job: VirtAddr,
    kind: Result<Option<SiloKind>, Absent>,
    id: Result<u32, Absent>,
}

/// Who started a process.
#[derive(Debug)]
struct Descent {
    parent: Result<Option<VirtAddr>, Absent>,
    orphan: Result<bool, Absent>,
    depth: Result<u64, Absent>,
}

impl Deref for ProcessRow {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl ProcessRow {
    fn new(
        process: Process,
        token: Result<Arc<Token>, Absent>,
        user_name: Option<String>,
        jobs: &Jobs,
        names: &BTreeMap<VirtAddr, Name>,
        descent: Descent,
    ) -> Self {
        let name = |job: Option<VirtAddr>| job.map_or(Ok(None), |job| names.get(&job).cloned().unwrap_or(Ok(None)));
        let chain = jobs.chain_of(&process);
        let silo = |job: &Job| Silo { job: job.address(), kind: job.silo_kind(), id: job.job_id() };
        Self {
            job_name: process.job().and_then(name),
            // A chain of which the end is not known would look like a shorter one. One that loops or leads nowhere is told
            // as far as it goes: where it breaks is said beside the answer.
            job_chain: chain.and_then(|chain| {
                let jobs = chain.jobs.iter().map(|job| job.address().0).collect();
                match chain.cut {
                    None | Some(Absent::Malformed) => Ok(jobs),
                    Some(why) => Err(why),
                }
            }),
            silo: jobs.silo_of(&process).map(|found| found.map(silo)),
            server_silo: jobs.server_silo_of(&process),
            descent,
            process,
            token,
            user_name,
        }
    }

    /// Something of the silo that it is in, null for one in no silo.
    fn of_silo<T: Into<Cell>>(&self, get: impl FnOnce(&Silo) -> Result<T, Absent>) -> Cell {
        let silo = self.silo.as_ref().map_err(|why| *why);
        silo.and_then(|silo| silo.as_ref().map(get).transpose()).into()
    }

    /// Something of its token.
    fn of_token<T: Into<Cell>>(&self, get: impl FnOnce(&Token) -> Result<T, Absent>) -> Cell {
        self.token.as_ref().map_err(|why| *why).and_then(|token| get(token)).into()
    }
}

/// The parameter that brings processes into the order of their descent.
pub const TREE: &str = "tree";

/// The table.
pub const PROCESSES: Asked<ProcessRow> = Asked {
    table: TableDef {
        name: "processes",
        about: "every process found by any source, and how it is protected",
        columns: COLUMNS,
        screen: &[
            screen("PID", "pid").key(),
            screen("PPID", "ppid").key(),
            screen("Name", "name").key(),
            screen("Session", "session_id").main(),
            screen("Protection", "protection").key(),
            screen("Signature", "signature_level_name"),
            screen("Integrity", "integrity").main(),
            screen("Sys", "system_process").key(),
            screen("Sub", "subsystem_process").key(),
            screen("Crit", "critical").main(),
            screen("XSess", "cross_session_create"),
            screen("Job", "job"),
            screen("Silo", "silo_id"),
            screen("AppC", "app_container"),
            screen("Exit", "exit_time"),
            screen("User", "user_name").wide(),
            screen("Path", "image_path").wide(),
            screen("Command line", "command_line").wide(),
        ],
        record: false,
    },
    parameters: &[Parameter {
        name: TREE,
        form: Form::Flag,
        needed: false,
        about: "Each process below the one that started it; with --where also those above the ones that fit",
    }],
    rows: |dump, arguments| {
        let kernel = dump.kernel()?;
        let mut found = kernel.processes();
        for fault in found.processes.iter().filter_map(Process::image_path_fault) {
            fault.add_to(&mut found.incomplete);
        }
        let mut tokens = Tokens::default();
        // A process that is gone has no token left.
        let token = |process: &Process| tokens.get(kernel, process.token()?.ok_or(Absent::NotApplicable)?);
        let tokens: Vec<_> = found.processes.iter().map(token).collect();
        let user = |token: &Result<Arc<Token>, Absent>| token.as_ref().ok().and_then(|token| token.user().ok());
        let users: Vec<Option<Sid>> = tokens.iter().map(user).collect();
        let names = sid_names(&found.processes, &users.iter().flatten().copied().collect::<Vec<_>>());
        let job_names = found.jobs.names(kernel);
        let family = Family::of(&found.processes, found.unseen);
        let of_list: Vec<usize> = (0..found.processes.len()).collect();
        let order = if arguments.flag(TREE) { family.order() } else { &of_list };
        let addresses: Vec<VirtAddr> = found.processes.iter().map(Process::eprocess).collect();
        let mut processes: Vec<Option<Process>> = found.processes.into_iter().map(Some).collect();
        let rows = order.iter().filter_map(|index| {
            let process = processes.get_mut(*index)?.take()?;
            let user_name = users.get(*index)?.and_then(|user| names.name(&user));
            // A triage dump has one process, and tells of no other.
            let alone = kernel.triage().map(|_| Absent::AddressNotInDump);
            let parent = alone.map_or_else(|| family.parent(*index), Err);
            let orphan = parent.and_then(|parent| Ok(parent.is_none() && process.ppid()? != 0));
            let parent = parent.map(|parent| parent.and_then(|parent| addresses.get(parent)).copied());
            let depth = alone.map_or_else(|| family.depth(*index), Err);
            let descent = Descent { parent, orphan, depth };
            let token = tokens.get(*index)?.clone();
            Some(ProcessRow::new(process, token, user_name, &found.jobs, &job_names, descent))
        });
        let rows = rows.collect();
        found.incomplete.extend(found.jobs.contradictions);
        Ok((rows, found.incomplete))
    },
    remarks,
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&ProcessRow) -> Cell,
) -> Column<ProcessRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<ProcessRow>] = &[
    column("eprocess", Kind::Address, "address of the EPROCESS", |p| p.eprocess().into()),
    column("pid", Kind::Uint, "process id", |p| p.pid().into()),
    column("ppid", Kind::Uint, "process id of the parent, which may be gone", |p| p.ppid().into()),
    column(
        "parent",
        Kind::Address,
        "EPROCESS of the process with the id ppid that is not younger; null if there is none",
        |p| p.descent.parent.into(),
    ),
    column("orphan", Kind::Bool, "ppid is of a process that is gone, whoever has the id now", |p| {
        p.descent.orphan.into()
    }),
    column("depth", Kind::Uint, "how many processes are above it, from parent to parent", |p| p.descent.depth.into()),
    column("name", Kind::Text, "ImageFileName as stored, at most 15 bytes", |p| p.name().into()),
    column("image_path", Kind::Text, "SeAuditProcessCreationInfo as stored", |p| p.image_path().into()),
    column("command_line", Kind::Text, "command line, from the PEB", |p| p.command_line().into()),
    column("create_time", Kind::Time, "when it was created", |p| p.create_time().into()),
    column("exit_time", Kind::Time, "when it ended", |p| p.exit_time().into()),
    column("dtb", Kind::Address, "root of its page tables (physical)", |p| p.dtb().into()),
    column("user_dtb", Kind::Address, "root of its user page tables with KVA shadow (physical)", |p| {
        p.user_dtb().into()
    }),
    column("peb", Kind::Address, "process environment block", |p| p.peb().into()),
    column("wow64", Kind::Bool, "a 32-bit process", |p| p.wow64().into()),
    column("peb32", Kind::Address, "environment block that a 32-bit program sees", |p| p.peb32().into()),
    column("active_threads", Kind::Uint, "threads that have not ended", |p| p.active_threads().into()),
    column("handle_count", Kind::Uint, "handles in use", |p| p.handle_count().into()),
    column("sources", Kind::List, "the views of the kernel in which it was found", |p| p.sources().names().into()),
    column("protection", Kind::Text, "protected-process type and signer", |p| protection(p).into()),
    column("protection_level", Kind::Uint, "PS_PROTECTION as one byte", |p| p.protection().map(|v| v.0).into()),
    column("protection_type", Kind::Text, "None, ProtectedLight or Protected", |p| {
        p.protection().map(|v| v.kind().to_string()).into()
    }),
    column("protection_signer", Kind::Text, "signer of the protection", |p| {
        p.protection().map(|v| v.signer().to_string()).into()
    }),
    column("protection_audit", Kind::Bool, "the protection is only audited", |p| {
        p.protection().map(super::super::nt::protection::Protection::audit).into()
    }),
    column("signature_level", Kind::Uint, "signature level of the image, both nibbles", |p| {
        p.signature_level().map(|v| v.0).into()
    }),
    column("signature_level_name", Kind::Text, "the same in words", |p| {
        p.signature_level().map(super::super::nt::signature_level::SignatureLevel::name).into()
    }),
    column("section_signature_level", Kind::Uint, "signature level that images loaded later must have", |p| {
        p.section_signature_level().map(|v| v.0).into()
    }),
    column("section_signature_level_name", Kind::Text, "the same in words", |p| {
        p.section_signature_level().map(super::super::nt::signature_level::SignatureLevel::name).into()
    }),
    column("critical", Kind::Bool, "BreakOnTermination: the system stops if it ends", |p| p.critical().into()),
    column("system_process", Kind::Bool, "Flags3.SystemProcess", |p| p.system_process().into()),
    column("subsystem_process", Kind::Bool, "Flags3.SubsystemProcess", |p| p.subsystem_process().into()),
    column("cross_session_create", Kind::Bool, "created for another session", |p| p.cross_session_create().into()),
    column("minimal", Kind::Bool, "started with an empty address space", |p| p.minimal().into()),
    column("pico", Kind::Bool, "has a pico provider", |p| p.pico().into()),
    column("pico_context", Kind::Address, "what the pico provider keeps for it", |p| p.pico_context().into()),
    column("secure", Kind::Bool, "a trustlet: has a half in the secure kernel", |p| p.secure().into()),
    column("trustlet_id", Kind::Uint, "TrustletIdentity, for a trustlet", |p| p.trustlet_id().into()),
    column(
        "scheduling_group",
        Kind::Address,
        "KPROCESS.SchedulingGroup: what limits its share of the processors",
        |p| p.scheduling_group().into(),
    ),
    column("frozen", Kind::Bool, "KPROCESS.FreezeCount is not 0", |p| p.frozen().into()),
    column("being_debugged", Kind::Bool, "DebugPort is not 0", |p| p.being_debugged().into()),
    column("exiting", Kind::Bool, "ProcessExiting", |p| p.exiting().into()),
    column("deleted", Kind::Bool, "ProcessDelete", |p| p.deleted().into()),
    column("flags", Kind::List, "what is set in Flags", |p| names(p, FlagWord::Flags)),
    column("flags2", Kind::List, "what is set in Flags2", |p| names(p, FlagWord::Flags2)),
    column("flags3", Kind::List, "what is set in Flags3", |p| names(p, FlagWord::Flags3)),
    column("flags_raw", Kind::Uint, "Flags", |p| raw(p, FlagWord::Flags).into()),
    column("flags2_raw", Kind::Uint, "Flags2", |p| raw(p, FlagWord::Flags2).into()),
    column("flags3_raw", Kind::Uint, "Flags3", |p| raw(p, FlagWord::Flags3).into()),
    column("integrity", Kind::Text, "integrity level", |p| {
        p.of_token(|t| t.integrity().map(|level| level.map(|level| level.to_string())))
    }),
    column("integrity_rid", Kind::Uint, "integrity level as a number", |p| {
        p.of_token(|t| t.integrity().map(|level| level.map(|level| level.0)))
    }),
    column("session_id", Kind::Uint, "number of its session, from EPROCESS.Session", |p| p.session_id().into()),
    column("job", Kind::Address, "innermost job", |p| p.job().into()),
    column("job_name", Kind::Text, "full name of that job, if it has one", |p| {
        p.job_name.as_ref().map(Option::as_deref).map_err(|why| *why).into()
    }),
    column("job_chain", Kind::Addresses, "the jobs that it is in, from the innermost to the outermost", |p| {
        p.job_chain.clone().into()
    }),
    column("silo", Kind::Address, "job of the innermost silo that it is in", |p| p.of_silo(|silo| Ok(silo.job))),
    column("silo_kind", Kind::Text, "none, silo (of an application) or server-silo (a container)", |p| {
        let kind = |silo: &Silo| silo.kind.map(kind_name);
        p.silo.as_ref().map_err(|why| *why).and_then(|silo| silo.as_ref().map_or(Ok(kind_name(None)), kind)).into()
    }),
    column("silo_id", Kind::Uint, "JobId of the silo", |p| p.of_silo(|silo| silo.id)),
    column("server_silo", Kind::Address, "job of the container that it runs in, around other silos too", |p| {
        p.server_silo.into()
    }),
    column("token", Kind::Address, "primary token", |p| p.token().into()),
    column("user_sid", Kind::Text, "the token's user", |p| p.of_token(|t| t.user().map(|sid| sid.to_string()))),
    column("user_name", Kind::Text, "the user's name, if it is a well-known one", |p| {
        p.of_token(|t| t.user().map(|_| p.user_name.clone()))
    }),
    column("token_session_id", Kind::Uint, "TOKEN.SessionId, which need not be session_id", |p| {
        p.of_token(Token::session_id)
    }),
    column("logon_id", Kind::Code, "number of the logon session", |p| p.of_token(|t| t.logon_id().map(Code))),
    column("elevation", Kind::Text, "Default, Full or Limited: how the logon was split", |p| {
        p.of_token(|t| t.elevation().map(Elevation::name))
    }),
    column("app_container", Kind::Bool, "runs in an AppContainer", |p| p.of_token(Token::app_container)),
    column("package_sid", Kind::Text, "SID of the app package", |p| p.of_token(|t| sid(t.package_sid()))),
    column("capabilities", Kind::Uint, "how many capabilities the package has", |p| {
        p.of_token(Token::capability_count)
    }),
    column("privileges_enabled", Kind::List, "privileges that are on", |p| {
        p.of_token(|t| t.privileges().map(|held| privilege::names(held.enabled)))
    }),
    column("restricted", Kind::Bool, "restricting SIDs must be allowed, too", |p| p.of_token(Token::restricted)),
    column("trust_label", Kind::Text, "SID of the trust label", |p| p.of_token(|t| sid(t.trust_label()))),
    column("mitigations", Kind::List, "what is set in MitigationFlags, 2 and 3", mitigations),
    column("mitigation_flags_raw", Kind::Uint, "MitigationFlags", |p| raw(p, FlagWord::MitigationFlags).into()),
    column("mitigation_flags2_raw", Kind::Uint, "MitigationFlags2", |p| raw(p, FlagWord::MitigationFlags2).into()),
    column("mitigation_flags3_raw", Kind::Uint, "MitigationFlags3", |p| raw(p, FlagWord::MitigationFlags3).into()),
];

/// Processes that are hidden from the list everybody walks, and bits that contradict each other.
fn remarks(processes: &[ProcessRow]) -> Vec<String> {
    let mut remarks = Vec::new();
    let in_list = |process: &&ProcessRow| process.sources().contains(Sources::ACTIVE_LIST);
    // A triage dump has no list to be in.
    if processes.iter().any(|process| in_list(&process)) {
        for hidden in processes.iter().filter(|process| !in_list(process)) {
            let pid = hidden.pid().map_or_else(|why| why.to_string(), |pid| pid.to_string());
            let name = hidden.name().unwrap_or_default();
            let sources = hidden.sources().names().join(", ");
            remarks.push(format!("process {pid} {name} is not in the active list, but in: {sources}"));
        }
    }
    let count = |bit: fn(&Process) -> Result<bool, Absent>| processes.iter().filter(|p| bit(p) == Ok(true)).count();
    let (system, subsystem) = (count(Process::system_process), count(Process::subsystem_process));
    let known = processes.iter().any(|process| process.system_process().is_ok());
    if known && system == 0 && subsystem > 0 {
        let all = processes.len();
        remarks.push(format!(
            "none of {all} processes has the SystemProcess bit, while {subsystem} have SubsystemProcess"
        ));
    }
    remarks
}

/// The text of a SID that may be none.
fn sid(sid: Result<Option<Sid>, Absent>) -> Result<Option<String>, Absent> {
    sid.map(|sid| sid.map(|sid| sid.to_string()))
}

/// A process in one text: its id and its name.
pub(super) fn pid_and_name(process: &Process) -> String {
    let id = process.pid().map_or_else(|why| why.to_string(), |pid| pid.to_string());
    let name = process.name().unwrap_or_else(|why| why.to_string());
    format!("{id} {name}")
}

/// The protection in words; Windows 7 has one bit for it.
pub(super) fn protection(process: &Process) -> Result<String, Absent> {
    match process.protection() {
        Err(Absent::NoSuchField) => {
            process.is_protected_vista().map(|is| if is { "Protected" } else { "None" }.to_string())
        }
        other => other.map(|protection| protection.to_string()),
    }
}

fn raw(process: &Process, word: FlagWord) -> Result<u32, Absent> {
    process.flags(word).map(|(value, _)| value)
}

fn names(process: &Process, word: FlagWord) -> Cell {
    process.flags(word).map(|(_, names)| names).into()
}

/// The words that the build has, together.
fn mitigations(process: &ProcessRow) -> Cell {
    let words = [FlagWord::MitigationFlags, FlagWord::MitigationFlags2, FlagWord::MitigationFlags3];
    let first = process.flags(FlagWord::MitigationFlags);
    if let Err(why) = first {
        Cell::Absent(why)
    } else {
        let names = words.into_iter().filter_map(|word| process.flags(word).ok()).flat_map(|(_, names)| names);
        names.collect::<Vec<_>>().into()
    }
}
