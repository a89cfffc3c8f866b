//! `tokens`: each token that a process or an impersonating thread uses, once.

use super::subject::{self, PID};
use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::integrity;
use crate::nt::privilege::{self, Privileges};
use crate::nt::process::Process;
use crate::nt::sid::{Sid, SidAndAttributes, attribute_names};
use crate::nt::thread_census;
use crate::nt::token::{Elevation, Token, Tokens, flag_names};
use crate::nt::well_known_sid::SidNames;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// A token, and who uses it.
#[derive(Debug)]
pub struct TokenRow {
    token: Arc<Token>,
    used_by: Vec<String>,
    impersonated_by: Vec<String>,
    names: Arc<SidNames>,
}

impl Deref for TokenRow {
    type Target = Token;

    fn deref(&self) -> &Token {
        &self.token
    }
}

/// The table.
pub const TOKENS: Asked<TokenRow> = Asked {
    table: TableDef {
        name: "tokens",
        about: "the tokens of processes and of threads that act for somebody else, each once",
        columns: COLUMNS,
        screen: &[
            screen("PIDs", "used_by").key(),
            screen("Threads", "impersonated_by").main(),
            screen("User", "user_sid").key(),
            screen("Name", "user_name").main(),
            screen("Integrity", "integrity").key(),
            screen("Session", "token_session_id").main(),
            screen("Logon", "logon_id"),
            screen("Elevation", "elevation"),
            screen("Level", "impersonation_level"),
            screen("AppC", "app_container"),
            screen("Restr", "restricted"),
            screen("Source", "source_name"),
            screen("Privileges on", "privileges_enabled").wide(),
        ],
        record: false,
    },
    parameters: &[PID],
    rows: |dump, arguments| {
        let kernel = dump.kernel()?;
        let found = kernel.processes();
        let chosen = subject::chosen(arguments, &found.processes)?;
        let mut incomplete = found.incomplete;
        let mut tokens = Tokens::default();
        let mut users = Users::default();
        for process in &*chosen {
            let pid = id(process.pid());
            match process.token().and_then(|at| at.map(|at| tokens.get(kernel, at)).transpose()) {
                Ok(Some(token)) => users.add(token, User::Process(pid)),
                Ok(None) => {}
                Err(why) => incomplete.push(Incomplete::new("token of a process", process.eprocess(), why)),
            }
        }
        let threads = thread_census::threads(kernel, &chosen);
        incomplete.extend(threads.incomplete);
        for found in &threads.threads {
            let thread = &found.thread;
            let acting =
                thread.impersonation().and_then(|how| how.map(|how| tokens.get(kernel, how.token)).transpose());
            match acting {
                Ok(Some(token)) => {
                    let name = format!("{}.{}", id(thread.pid()), id(thread.tid()));
                    users.add(token, User::Thread(name));
                }
                Ok(None) => {}
                Err(why) => incomplete.push(Incomplete::new("token of a thread", thread.ethread(), why)),
            }
        }
        let sids = |token: &Arc<Token>| -> Vec<Sid> {
            token.groups().unwrap_or_default().iter().filter_map(|group| group.sid.ok()).collect()
        };
        let all: Vec<Sid> = users.rows.iter().flat_map(|row| sids(&row.token)).collect();
        let names = Arc::new(sid_names(&found.processes, &all));
        let with_names = |row: TokenRow| TokenRow { names: names.clone(), ..row };
        Ok((users.rows.into_iter().map(with_names).collect(), incomplete))
    },
    remarks: |rows| {
        let contradicts = |row: &&TokenRow| row.privileges().is_ok_and(|mask| mask.enabled & !mask.present != 0);
        let text = |row: &TokenRow| {
            let users: Vec<&str> = row.used_by.iter().chain(&row.impersonated_by).map(String::as_str).collect();
            format!("the token of {} has privileges enabled that it does not have", users.join(", "))
        };
        rows.iter().filter(contradicts).map(text).collect()
    },
};

/// Who uses a token.
enum User {
    Process(String),
    Thread(String),
}

/// Rows in the order in which their tokens were first met.
#[derive(Default)]
struct Users {
    rows: Vec<TokenRow>,
    place: BTreeMap<VirtAddr, usize>,
    names: Arc<SidNames>,
}

impl Users {
    fn add(&mut self, token: Arc<Token>, user: User) {
        let next = self.rows.len();
        let place = *self.place.entry(token.address()).or_insert(next);
        if place == next {
            let names = self.names.clone();
            self.rows.push(TokenRow { token, used_by: Vec::new(), impersonated_by: Vec::new(), names });
        }
        if let Some(row) = self.rows.get_mut(place) {
            match user {
                User::Process(id) => row.used_by.push(id),
                User::Thread(id) => row.impersonated_by.push(id),
            }
        }
    }
}

/// An id as text; what is missing says why.
fn id(id: Result<u64, Absent>) -> String {
    id.map_or_else(|why| why.reason().into(), |id| id.to_string())
}

/// Names for these SIDs. Command lines are read only if one of them is of a service that Windows itself does not have.
pub(super) fn sid_names(processes: &[Process], sids: &[Sid]) -> SidNames {
    let mut names = SidNames::default();
    if sids.iter().any(|sid| names.is_unknown_service(sid)) {
        for line in processes.iter().filter_map(|process| process.command_line().ok().flatten()) {
            names.add_services_of(&line);
        }
    }
    names
}

/// Texts of a list of SIDs; one that is missing is a question mark and the reason.
fn sids(list: &[SidAndAttributes]) -> Vec<String> {
    list.iter().map(|entry| entry.sid.map_or_else(missing, |sid| sid.to_string())).collect()
}

fn missing(why: Absent) -> String {
    format!("?{}", why.reason())
}

fn attributes(list: &[SidAndAttributes]) -> Vec<String> {
    list.iter().map(|entry| entry.attributes.map_or_else(missing, |bits| attribute_names(bits).join("|"))).collect()
}

fn privileges(row: &TokenRow, mask: fn(&Privileges) -> u64) -> Cell {
    row.privileges().map(|held| privilege::names(mask(&held))).into()
}

fn privileges_raw(row: &TokenRow, mask: fn(&Privileges) -> u64) -> Cell {
    row.privileges().map(|held| mask(&held)).into()
}

/// A SID that may be none.
fn sid(sid: Result<Option<Sid>, Absent>) -> Cell {
    sid.map(|sid| sid.map(|sid| sid.to_string())).into()
}

fn luid(id: Result<Option<u64>, Absent>) -> Cell {
    id.map(|id| id.map(Code)).into()
}

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&TokenRow) -> Cell) -> Column<TokenRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<TokenRow>] = &[
    column("token", Kind::Address, "address of the TOKEN", |t| t.address().into()),
    column("used_by", Kind::List, "ids of the processes whose primary token it is", |t| t.used_by.clone().into()),
    column("impersonated_by", Kind::List, "threads that act with it, as PID.TID", |t| t.impersonated_by.clone().into()),
    column("type", Kind::Text, "Primary or Impersonation", |t| t.token_type().into()),
    column("impersonation_level", Kind::Text, "how far a thread may act with it", |t| t.impersonation_level().into()),
    column("user_sid", Kind::Text, "the user", |t| t.user().map(|sid| sid.to_string()).into()),
    column("user_name", Kind::Text, "the user's name, if it is a well-known one", |t| {
        t.user().map(|sid| t.names.name(&sid)).into()
    }),
    column("integrity", Kind::Text, "integrity level", |t| {
        t.integrity().map(|level| level.map(|l| l.to_string())).into()
    }),
    column("integrity_rid", Kind::Uint, "integrity level as a number", |t| {
        t.integrity().map(|level| level.map(|level| level.0)).into()
    }),
    column("mandatory_policy", Kind::List, "what the integrity level restricts", |t| {
        t.mandatory_policy().map(integrity::policy_names).into()
    }),
    column("mandatory_policy_raw", Kind::Uint, "MandatoryPolicy", |t| t.mandatory_policy().into()),
    column("token_session_id", Kind::Uint, "TOKEN.SessionId", |t| t.session_id().into()),
    column("logon_id", Kind::Code, "AuthenticationId: number of the logon session", |t| t.logon_id().map(Code).into()),
    column("linked_logon_id", Kind::Code, "logon session with the other half of a split logon", |t| {
        luid(t.linked_logon_id())
    }),
    column("originating_logon_id", Kind::Code, "logon session that asked for this one", |t| {
        luid(t.originating_logon_id())
    }),
    column("token_id", Kind::Code, "TokenId", |t| t.token_id().map(Code).into()),
    column("parent_token_id", Kind::Code, "TokenId of the token that it was filtered from", |t| {
        luid(t.parent_token_id())
    }),
    column("elevation", Kind::Text, "Default, Full or Limited: how the logon was split", |t| {
        t.elevation().map(Elevation::name).into()
    }),
    column("groups", Kind::List, "SIDs of the user and the groups", |t| t.groups().map(sids).into()),
    column("group_names", Kind::List, "the well-known names of these, empty where there is none", |t| {
        let name = |entry: &SidAndAttributes| entry.sid.ok().and_then(|sid| t.names.name(&sid)).unwrap_or_default();
        t.groups().map(|groups| groups.iter().map(name).collect::<Vec<String>>()).into()
    }),
    column("group_attributes", Kind::List, "the attributes of these, joined with |", |t| {
        t.groups().map(attributes).into()
    }),
    column("primary_group", Kind::Text, "SID of the group that new objects get", |t| sid(t.primary_group())),
    column("restricted", Kind::Bool, "restricting SIDs must be allowed, too", |t| t.restricted().into()),
    column("restricted_sids", Kind::List, "these SIDs", |t| t.restricted_sids().map(|list| sids(&list)).into()),
    column("privileges_present", Kind::List, "privileges it has", |t| privileges(t, |held| held.present)),
    column("privileges_enabled", Kind::List, "those that are on", |t| privileges(t, |held| held.enabled)),
    column("privileges_default", Kind::List, "those that were on at first", |t| {
        privileges(t, |held| held.enabled_by_default)
    }),
    column("privileges_present_raw", Kind::Uint, "Privileges.Present", |t| privileges_raw(t, |held| held.present)),
    column("privileges_enabled_raw", Kind::Uint, "Privileges.Enabled", |t| privileges_raw(t, |held| held.enabled)),
    column("privileges_default_raw", Kind::Uint, "Privileges.EnabledByDefault", |t| {
        privileges_raw(t, |held| held.enabled_by_default)
    }),
    column("app_container", Kind::Bool, "of an AppContainer", |t| t.app_container().into()),
    column("package_sid", Kind::Text, "SID of the app package", |t| sid(t.package_sid())),
    column("lowbox_number", Kind::Uint, "the package's number in its session", |t| t.lowbox_number().into()),
    column("capabilities", Kind::Uint, "how many capabilities the package has", |t| t.capability_count().into()),
    column("capability_sids", Kind::List, "SIDs of these", |t| t.capabilities().map(|list| sids(&list)).into()),
    column("trust_label", Kind::Text, "SID of the trust label", |t| sid(t.trust_label())),
    column("flags", Kind::List, "what is set in TokenFlags", |t| t.flags().map(flag_names).into()),
    column("flags_raw", Kind::Uint, "TokenFlags", |t| t.flags().into()),
    column("source_name", Kind::Text, "who made it", |t| t.source_name().into()),
];
