//! `groups`: the SIDs in the tokens of processes, one by one.

use super::subject::{self, PID};
use super::tokens::sid_names;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::handle::Holder;
use crate::nt::sid::{Sid, SidAndAttributes, attribute_names};
use crate::nt::token::Token;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A SID in the primary token of a process.
#[derive(Debug)]
pub struct GroupRow {
    holder: Arc<Holder>,
    token: VirtAddr,
    list: &'static str,
    entry: SidAndAttributes,
    name: Option<String>,
}

/// The table.
pub const GROUPS: Asked<GroupRow> = Asked {
    table: TableDef {
        name: "groups",
        about: "the SIDs in each process's token: user, groups, restricting SIDs and capabilities",
        columns: &[
            column("pid", Kind::Uint, "process id", |g| g.holder.pid.into()),
            column("process", Kind::Text, "ImageFileName of the process", |g| g.holder.name.clone().into()),
            column("token", Kind::Address, "its primary token", |g| g.token.into()),
            column("list", Kind::Text, "user, group, restricting or capability", |g| g.list.into()),
            column("sid", Kind::Text, "the SID", |g| g.entry.sid.map(|sid| sid.to_string()).into()),
            column("name", Kind::Text, "its name, if it is a well-known one", |g| {
                g.entry.sid.map(|_| g.name.clone()).into()
            }),
            column("attributes", Kind::List, "how the token uses it", |g| {
                g.entry.attributes.map(attribute_names).into()
            }),
            column("attributes_raw", Kind::Uint, "the same as a number", |g| g.entry.attributes.into()),
        ],
        screen: &[
            screen("PID", "pid").key(),
            screen("Process", "process").key(),
            screen("List", "list"),
            screen("SID", "sid").key(),
            screen("Name", "name").main(),
            screen("Attributes", "attributes"),
        ],
        record: false,
    },
    parameters: &[PID],
    rows: |dump, arguments| {
        let kernel = dump.kernel()?;
        let mut found = kernel.processes();
        let mut rows = subject::of_tokens(kernel, arguments, &mut found, |holder, token, incomplete| {
            let mut rows = Vec::new();
            for (list, entries) in lists(token) {
                match entries {
                    Ok(entries) => rows.extend(entries.into_iter().enumerate().map(|(index, entry)| {
                        // The first of the groups is the user.
                        let list = if index == 0 && list == "group" { "user" } else { list };
                        GroupRow { holder: holder.clone(), token: token.address(), list, entry, name: None }
                    })),
                    Err(Absent::NoSuchField) => {}
                    Err(why) => incomplete.push(Incomplete::new("SIDs of a token", token.address(), why)),
                }
            }
            Ok(rows)
        })?;
        let sids: Vec<Sid> = rows.iter().filter_map(|row| row.entry.sid.ok()).collect();
        let names = sid_names(&found.processes, &sids);
        for row in &mut rows {
            row.name = row.entry.sid.ok().and_then(|sid| names.name(&sid));
        }
        Ok((rows, found.incomplete))
    },
    remarks: |_| Vec::new(),
};

type Entries = Result<Vec<SidAndAttributes>, Absent>;

/// The lists of a token.
fn lists(token: &Token) -> [(&'static str, Entries); 3] {
    [
        ("group", token.groups().map(<[_]>::to_vec)),
        ("restricting", token.restricted_sids()),
        ("capability", token.capabilities()),
    ]
}

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&GroupRow) -> Cell) -> Column<GroupRow> {
    Column::new(name, kind, about, get)
}
