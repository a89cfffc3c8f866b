//! `sessions`: every session, and the processes in it.

use super::members::Members;
use super::value::{Code, Numbers};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::Field;
use crate::nt::census::Processes;
use crate::nt::process::Process;
use crate::nt::session::{Session, SessionSpaceFields};
use crate::nt::token::{Token, Tokens};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// A session, the processes in it, and who they run as.
#[derive(Debug)]
pub struct SessionRow {
    session: Session,
    pids: Result<Vec<u64>, Absent>,
    logon_ids: Vec<u64>,
    users: Vec<String>,
    /// Its processes whose tokens name another session.
    strangers: Vec<String>,
}

impl Deref for SessionRow {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// The table.
pub const SESSIONS: Asked<SessionRow> = Asked {
    table: TableDef {
        name: "sessions",
        about: "every session, the processes in it and the logons that they belong to",
        columns: COLUMNS,
        screen: &[
            screen("Session", "session_id"),
            screen("Space", "space"),
            screen("Created", "create_time"),
            screen("Silo", "silo"),
            screen("Stored", "reference_count"),
            screen("Processes", "process_count"),
            screen("PIDs", "processes"),
            screen("Users", "users"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let Processes { processes, sessions, mut incomplete, .. } = dump.sessions()?;
        if let Err(why) = kernel.fields().session.space.process_list {
            // Symbols of Windows 11 24H2 name another structure without defining it.
            let why = if why == Absent::NoSuchField { Absent::SymbolsNeeded } else { why };
            incomplete.push(Incomplete::new("what a session holds", "_MM_SESSION_SPACE", why));
        }
        let mut tokens = Tokens::default();
        let groups = Members::new(&processes, |process| process.session().ok());
        let mut rows: Vec<SessionRow> = sessions
            .iter()
            .map(|session| {
                let members = groups.of(session.address(), session.members());
                let pids = groups.pids(session.address(), session.members());
                let mut token = |process: &Process| tokens.get(kernel, process.token().ok()??).ok();
                let tokens: Vec<Option<Arc<Token>>> = members.iter().map(|process| token(process)).collect();
                SessionRow::new(session, pids, &members, &tokens)
            })
            .collect();
        rows.sort_by_key(|row| row.session_id().unwrap_or(u32::MAX));
        Ok((rows, incomplete))
    },
    remarks: |rows| rows.iter().flat_map(|row| row.strangers.iter().cloned()).collect(),
};

impl SessionRow {
    fn new(
        session: &Session,
        pids: Result<Vec<u64>, Absent>,
        members: &[&Process],
        tokens: &[Option<Arc<Token>>],
    ) -> Self {
        let (mut logon_ids, mut users, mut strangers) = (BTreeSet::new(), Vec::new(), Vec::new());
        for (process, token) in members.iter().zip(tokens) {
            let Some(token) = token else { continue };
            logon_ids.extend(token.logon_id());
            if let Ok(user) = token.user().map(|sid| sid.to_string())
                && !users.contains(&user)
            {
                users.push(user);
            }
            if let (Ok(own), Ok(told)) = (session.session_id(), token.session_id())
                && own != told
            {
                let pid = process.pid().map_or_else(|why| why.to_string(), |pid| pid.to_string());
                let name = process.name().unwrap_or_default();
                strangers.push(format!("process {pid} {name} is in session {own}, its token is of session {told}"));
            }
        }
        Self { session: session.clone(), pids, logon_ids: logon_ids.into_iter().collect(), users, strangers }
    }
}

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&SessionRow) -> Cell,
) -> Column<SessionRow> {
    Column::new(name, kind, about, get)
}

/// A pointer, null if it is.
fn pointer(row: &SessionRow, field: fn(&SessionSpaceFields) -> &Result<Field<VirtAddr>, Absent>) -> Cell {
    row.get(field).map(|at| Some(at).filter(|at| !at.is_null())).into()
}

const COLUMNS: &[Column<SessionRow>] = &[
    column("session_id", Kind::Uint, "SessionId", |s| s.session_id().into()),
    column("space", Kind::Address, "address of the MM_SESSION_SPACE", |s| s.address().into()),
    column("processes", Kind::Numbers, "ids of the processes in it", |s| s.pids.clone().map(Numbers).into()),
    column("process_count", Kind::Uint, "how many these are", |s| {
        s.pids.as_ref().map(|pids| pids.len() as u64).map_err(|why| *why).into()
    }),
    column("reference_count", Kind::Uint, "ReferenceCount: processes and others that keep it", |s| {
        s.get(|f| &f.reference_count).into()
    }),
    column("process_reference_to_session", Kind::Uint, "ProcessReferenceToSession", |s| {
        s.get(|f| &f.process_reference_to_session).into()
    }),
    column("resident_process_count", Kind::Uint, "ResidentProcessCount, which only Windows 7 counts", |s| {
        s.get(|f| &f.resident_process_count).into()
    }),
    column("attach_count", Kind::Uint, "AttachCount: threads of other processes that work in it", |s| {
        s.get(|f| &f.attach_count).into()
    }),
    column("create_time", Kind::Time, "when it was created", |s| s.create_time().into()),
    column("silo", Kind::Address, "ServerSilo: job of the container that it belongs to", |s| s.server_silo().into()),
    column("logon_ids", Kind::Numbers, "logon sessions of the tokens of its processes", |s| {
        Numbers(s.logon_ids.clone()).into()
    }),
    column("users", Kind::List, "SIDs of the users of these tokens", |s| s.users.clone().into()),
    column("sources", Kind::List, "how it was found: process, session-list", |s| s.sources().names().into()),
    column("session_object", Kind::Address, "the session in the namespace", |s| pointer(s, |f| &f.session_object)),
    column("committed_pages", Kind::Uint, "CommittedPages", |s| s.get(|f| &f.committed_pages).into()),
    column("locale_id", Kind::Code, "LocaleId", |s| s.get(|f| &f.locale_id).map(|id| Code(id.into())).into()),
    column("io_state", Kind::Text, "what the input and output system knows of it", |s| s.io_state().into()),
];
