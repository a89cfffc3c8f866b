//! `processes`: every process, and how it is protected.

use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::nt::process::{FlagWord, Process, Sources};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The table.
pub const PROCESSES: Asked<Process> = Asked {
    table: TableDef {
        name: "processes",
        about: "every process found by any source, and how it is protected",
        columns: COLUMNS,
        screen: &[
            screen("PID", "pid"),
            screen("PPID", "ppid"),
            screen("Name", "name"),
            screen("Session", "session_id"),
            screen("Protection", "protection"),
            screen("Signature", "signature_level_name"),
            screen("Sys", "system_process"),
            screen("Sub", "subsystem_process"),
            screen("Crit", "critical"),
            screen("XSess", "cross_session_create"),
            screen("Job", "job"),
            screen("Exit", "exit_time"),
        ],
        record: false,
    },
    rows: |dump| {
        let found = dump.processes()?;
        Ok((found.processes, found.incomplete))
    },
    remarks,
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&Process) -> Cell) -> Column<Process> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<Process>] = &[
    column("eprocess", Kind::Address, "address of the EPROCESS", |p| p.eprocess().into()),
    column("pid", Kind::Uint, "process id", |p| p.pid().into()),
    column("ppid", Kind::Uint, "process id of the parent, which may be gone", |p| p.ppid().into()),
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
    column("session_id", Kind::Uint, "number of its session, from EPROCESS.Session", |p| p.session_id().into()),
    column("job", Kind::Address, "innermost job", |p| p.job().into()),
    column("token", Kind::Address, "primary token", |p| p.token().into()),
    column("mitigations", Kind::List, "what is set in MitigationFlags, 2 and 3", mitigations),
    column("mitigation_flags_raw", Kind::Uint, "MitigationFlags", |p| raw(p, FlagWord::MitigationFlags).into()),
    column("mitigation_flags2_raw", Kind::Uint, "MitigationFlags2", |p| raw(p, FlagWord::MitigationFlags2).into()),
    column("mitigation_flags3_raw", Kind::Uint, "MitigationFlags3", |p| raw(p, FlagWord::MitigationFlags3).into()),
];

/// Processes that are hidden from the list everybody walks, and bits that contradict each other.
fn remarks(processes: &[Process]) -> Vec<String> {
    let mut remarks = Vec::new();
    let in_list = |process: &&Process| process.sources().contains(Sources::ACTIVE_LIST);
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
        remarks.push(format!("no process has the SystemProcess bit, while {subsystem} have SubsystemProcess"));
    }
    remarks
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
fn mitigations(process: &Process) -> Cell {
    let words = [FlagWord::MitigationFlags, FlagWord::MitigationFlags2, FlagWord::MitigationFlags3];
    let first = process.flags(FlagWord::MitigationFlags);
    if let Err(why) = first {
        Cell::Absent(why)
    } else {
        let names = words.into_iter().filter_map(|word| process.flags(word).ok()).flat_map(|(_, names)| names);
        names.collect::<Vec<_>>().into()
    }
}
