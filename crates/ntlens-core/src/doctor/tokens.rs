//! The primary token of each process.

use super::{Check, Exam, Severity, leads_nowhere};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::object_type::ObjectTypes;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::token::Token;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

pub(super) const CHECK: Check = Check { name: "tokens", run };

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let types = exam.types.clone();
    let mut seen = BTreeSet::new();
    for process in exam.processes() {
        match process.token() {
            Ok(Some(token)) if seen.insert(token) => {
                let found = check(kernel, types.as_deref(), &process, token);
                exam.tell_all(
                    found,
                    Severity::Medium,
                    "user, groups, privileges or integrity of its processes are missing",
                );
            }
            Err(why) => exam.tell_gap(Incomplete::new("token of a process", process.eprocess(), why)),
            Ok(_) => {}
        }
    }
}

fn check(kernel: &Snapshot, types: Option<&ObjectTypes>, process: &Process, at: VirtAddr) -> Vec<Incomplete> {
    let memory = kernel.space();
    let mut found = Vec::new();
    let pointer =
        kernel.fields().process.eprocess.token.map(|field| process.eprocess().wrapping_add(field.offset.into()));
    if leads_nowhere(memory, at) {
        let wrong = Incomplete::wrong("_EPROCESS", "Token", pointer.unwrap_or(at), at, "the address of a token");
        found.push(wrong);
        return found;
    }
    let header = kernel.fields().object.of_body(memory, at);
    let stored = header.as_ref().map_err(|why| *why).and_then(|header| Ok((header.address(), header.type_index()?)));
    if let (Some(types), Ok((header, stored))) = (types, stored)
        && types.cookie().is_ok()
    {
        let of = types.of(header, stored);
        if of.as_ref().map_or(true, |of| &*of.name != "Token") {
            let name = of.map_or("no type".into(), |of| of.name.clone());
            let target = format!("{at}, an object of {name}");
            found.push(Incomplete::wrong("_EPROCESS", "Token", pointer.unwrap_or(at), target, "an object of Token"));
            return found;
        }
    }
    let token = Token::read(kernel, at);
    let place = |field: &str| kernel.place_of("_TOKEN", at, field);
    let mut malformed = |result: Result<(), Absent>, field: &'static str, shown: &str, expected: &str| {
        if result.is_err_and(Absent::is_nowhere) {
            found.push(Incomplete::wrong("_TOKEN", field, place(field), shown, expected));
        }
    };
    let user = token.user().map(|_| ());
    malformed(user, "UserAndGroups", "no list of SIDs", "a list of at least one SID");
    let label = token.integrity().map(|_| ());
    malformed(label, "IntegrityLevelIndex", "the number of no label", "that of a label");
    let kind = token.token_type().map(|_| ());
    malformed(kind, "TokenType", "neither 1 nor 2", "1 (primary) or 2 (impersonation)");
    if let Ok(privileges) = token.privileges() {
        let extra = privileges.enabled & !privileges.present;
        if extra != 0 {
            const FIELD: &str = "Privileges.Enabled";
            let enabled = format!("{:#x}", privileges.enabled);
            let expected = format!("bits of Privileges.Present, {:#x}", privileges.present);
            found.push(Incomplete::wrong("_TOKEN", FIELD, place(FIELD), enabled, expected));
        }
    }
    found
}
