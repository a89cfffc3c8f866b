//! `privileges`: what the tokens of processes allow, one by one.

use super::subject::{self, PID};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::address::VirtAddr;
use crate::nt::handle::Holder;
use crate::nt::privilege::{self, Privileges};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A privilege in the primary token of a process.
#[derive(Debug)]
pub struct PrivilegeRow {
    holder: Arc<Holder>,
    token: VirtAddr,
    held: Privileges,
    number: u32,
}

impl PrivilegeRow {
    fn is_in(&self, mask: u64) -> bool {
        mask >> self.number & 1 != 0
    }
}

/// The table.
pub const PRIVILEGES: Asked<PrivilegeRow> = Asked {
    table: TableDef {
        name: "privileges",
        about: "the privileges of each process's token, and whether they are on",
        columns: &[
            column("pid", Kind::Uint, "process id", |p| p.holder.pid.into()),
            column("process", Kind::Text, "ImageFileName of the process", |p| p.holder.name.clone().into()),
            column("token", Kind::Address, "its primary token", |p| p.token.into()),
            column("privilege", Kind::Text, "the privilege's name", |p| {
                privilege::names(1 << p.number).into_iter().next().into()
            }),
            column("number", Kind::Uint, "the privilege's number, which is its bit in the masks", |p| p.number.into()),
            column("present", Kind::Bool, "the token has it", |p| p.is_in(p.held.present).into()),
            column("enabled", Kind::Bool, "it is on", |p| p.is_in(p.held.enabled).into()),
            column("enabled_by_default", Kind::Bool, "it was on at first", |p| {
                p.is_in(p.held.enabled_by_default).into()
            }),
        ],
        screen: &[
            screen("PID", "pid").key(),
            screen("Process", "process").key(),
            screen("Privilege", "privilege").key(),
            screen("Enabled", "enabled").key(),
            screen("Default", "enabled_by_default"),
        ],
        record: false,
    },
    parameters: &[PID],
    rows: |dump, arguments| {
        let kernel = dump.kernel()?;
        let mut found = kernel.processes();
        let rows = subject::of_tokens(kernel, arguments, &mut found, |holder, token, _| {
            let (token, held) = (token.address(), token.privileges()?);
            let any = held.present | held.enabled | held.enabled_by_default;
            let numbers = (0..u64::BITS).filter(|number| any >> number & 1 != 0);
            Ok(numbers.map(|number| PrivilegeRow { holder: holder.clone(), token, held, number }).collect())
        })?;
        Ok((rows, found.incomplete))
    },
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&PrivilegeRow) -> Cell,
) -> Column<PrivilegeRow> {
    Column::new(name, kind, about, get)
}
