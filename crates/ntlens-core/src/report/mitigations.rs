//! `mitigations`: what makes a fault in a process harder to use, by policy, and how a process differs from its siblings.

use super::subject::{self, PID};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::nt::mitigation::{Compared, Comparison, Decoder, Mitigations, Policy, compare};
use crate::nt::process::Process;
use crate::nt::token::Tokens;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A process and its mitigations.
#[derive(Debug)]
pub struct MitigationRow {
    process: Process,
    mitigations: Mitigations,
    comparison: Comparison,
}

impl MitigationRow {
    fn policy(&self, policy: Policy) -> Cell {
        self.mitigations.of(policy).map(<[String]>::to_vec).into()
    }

    /// A list that says something only where there are others to compare with.
    fn compared(&self, list: fn(&Comparison) -> &Vec<String>) -> Cell {
        if self.comparison.siblings == 0 {
            return Cell::Absent(Absent::NotApplicable);
        }
        list(&self.comparison).clone().into()
    }
}

/// The table.
pub const MITIGATIONS: Asked<MitigationRow> = Asked {
    table: TableDef {
        name: "mitigations",
        about: "what makes a fault in a process harder to use, by policy, and how it differs from processes of the same image",
        columns: COLUMNS,
        screen: &[
            screen("PID", "pid"),
            screen("Process", "process"),
            screen("Policies", "policies"),
            screen("Siblings", "siblings"),
            screen("Missing", "missing"),
            screen("Extra", "extra"),
        ],
        record: false,
    },
    parameters: &[PID, subject::all("Also processes that are not in the active list")],
    rows: |dump, arguments| {
        let kernel = dump.kernel()?;
        let found = kernel.processes();
        let of = subject::of(arguments, &found.processes)?;
        let decoder = Decoder::new(kernel);
        let mut tokens = Tokens::default();
        let mut decode = |process: &Process| {
            let token = process.token().and_then(|at| tokens.get(kernel, at.ok_or(Absent::NotApplicable)?));
            decoder.of(process, &token)
        };
        let decoded: Vec<Mitigations> = found.processes.iter().map(&mut decode).collect();
        let compared: Vec<_> =
            found.processes.iter().zip(&decoded).map(|(process, set)| compared(process, set)).collect();
        let rows = found.processes.into_iter().zip(decoded).zip(compare(&compared));
        let rows = rows.map(|((process, mitigations), comparison)| MitigationRow { process, mitigations, comparison });
        Ok((rows.filter(|row| of.includes(&row.process)).collect(), found.incomplete))
    },
    remarks: |rows| {
        let differ = rows.iter().filter(|row| !row.comparison.missing.is_empty()).count();
        if differ == 0 {
            return Vec::new();
        }
        Vec::from([format!("{differ} of {} processes lack what most of their siblings have", rows.len())])
    },
};

/// What makes processes siblings: the same image, by its path where that is known. One that has ended is compared with
/// others that have.
fn compared(process: &Process, mitigations: &Mitigations) -> Compared<(String, bool)> {
    let path = process.image_path().ok().flatten();
    let image = path.or_else(|| process.name().ok()).unwrap_or_default().to_lowercase();
    Compared {
        key: (image, matches!(process.exit_time(), Ok(Some(_)))),
        names: mitigations.names(),
        unknown: mitigations.unknown().map(Policy::name).collect(),
    }
}

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&MitigationRow) -> Cell,
) -> Column<MitigationRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<MitigationRow>] = &[
    column("pid", Kind::Uint, "process id", |r| r.process.pid().into()),
    column("process", Kind::Text, "ImageFileName", |r| r.process.name().into()),
    column("eprocess", Kind::Address, "address of the EPROCESS", |r| r.process.eprocess().into()),
    column("policies", Kind::List, "policies of which anything is set", |r| {
        r.mitigations.policies().map(Policy::name).collect::<Vec<_>>().into()
    }),
    column("dep", Kind::List, "bits of KEXECUTE_OPTIONS: whether data can run as code", |r| r.policy(Policy::Dep)),
    column("sehop", Kind::List, "validation of exception chains", |r| r.policy(Policy::Sehop)),
    column("aslr", Kind::List, "address space layout randomization", |r| r.policy(Policy::Aslr)),
    column("cfg", Kind::List, "control flow guard", |r| r.policy(Policy::Cfg)),
    column("xfg", Kind::List, "extended flow guard", |r| r.policy(Policy::Xfg)),
    column("cet", Kind::List, "shadow stacks (control-flow enforcement technology)", |r| r.policy(Policy::Cet)),
    column("pointer_authentication", Kind::List, "signed return addresses", |r| {
        r.policy(Policy::PointerAuthentication)
    }),
    column("dynamic_code", Kind::List, "no new code at run time (ACG)", |r| r.policy(Policy::DynamicCode)),
    column("signature", Kind::List, "how images must be signed, and stay as they were (CIG)", |r| {
        r.policy(Policy::Signature)
    }),
    column("image_load", Kind::List, "where images may come from", |r| r.policy(Policy::ImageLoad)),
    column("fonts", Kind::List, "which fonts may be loaded", |r| r.policy(Policy::Fonts)),
    column("extension_points", Kind::List, "no old ways to load code into it", |r| r.policy(Policy::ExtensionPoints)),
    column("win32k", Kind::List, "lockdown of win32k's system calls", |r| r.policy(Policy::Win32k)),
    column("child_process", Kind::List, "whether it may start processes, from its token's flags", |r| {
        r.policy(Policy::ChildProcess)
    }),
    column("strict_handles", Kind::List, "bits of HANDLE_TABLE: a handle that is not valid is an exception", |r| {
        r.policy(Policy::StrictHandles)
    }),
    column("payload", Kind::List, "export and import address filters, ROP checks", |r| r.policy(Policy::Payload)),
    column("side_channels", Kind::List, "against speculation and shared pages", |r| r.policy(Policy::SideChannels)),
    column("redirection_guard", Kind::List, "which junctions are followed", |r| r.policy(Policy::RedirectionGuard)),
    column("system_calls", Kind::List, "system calls that are refused", |r| r.policy(Policy::SystemCalls)),
    column("other", Kind::List, "further bits of the words of mitigations", |r| r.policy(Policy::Other)),
    column("siblings", Kind::Uint, "other processes of the same image, by its path where that is known", |r| {
        (r.comparison.siblings as u64).into()
    }),
    column("missing", Kind::List, "what most siblings have and it has not, as policy:Name", |r| {
        r.compared(|comparison| &comparison.missing)
    }),
    column("extra", Kind::List, "what it has and most siblings have not", |r| {
        r.compared(|comparison| &comparison.extra)
    }),
];
