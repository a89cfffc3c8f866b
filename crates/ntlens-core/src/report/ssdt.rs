//! `ssdt`: the routines of system calls.

use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::owner::Owners;
use crate::nt::service_table::{self, Service, Table};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A service and whose routine it has.
#[derive(Debug)]
pub struct ServiceRow {
    service: Service,
    module: Result<Option<String>, Absent>,
    symbol: Result<Option<String>, Absent>,
    /// Whether that module is the one of the table.
    at_home: bool,
    /// Where the table should be, if that is known.
    expected_table: Option<VirtAddr>,
    /// Another entry of the table, or of another copy of it, has the same number.
    differs: bool,
}

/// The table.
pub const SSDT: Asked<ServiceRow> = Asked {
    table: TableDef {
        name: "ssdt",
        about: "the routines of system calls, and whose they are",
        columns: COLUMNS,
        screen: &[
            screen("Table", "table"),
            screen("Index", "index"),
            screen("Address", "address"),
            screen("Module", "module"),
            screen("Symbol", "symbol"),
            screen("Stack args", "stack_args"),
            screen("Session", "session_id"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let owners = Owners::of(kernel);
        let found = service_table::services(kernel);
        let mut seen = BTreeSet::new();
        let row = |service: Service| {
            let module = owners.name(service.address);
            // The services of win32k are spread over several images since Windows 10.
            let at_home = match service.table {
                Table::Nt => owners.is_kernel(service.address),
                Table::Win32k => matches!(&module, Ok(Some(name)) if name.to_ascii_lowercase().starts_with("win32k")),
            };
            ServiceRow {
                at_home: at_home || !owners.know_modules(),
                expected_table: found.expected_nt.filter(|_| service.table == Table::Nt),
                differs: !seen.insert(service.index),
                symbol: owners.nearest_symbol(service.address, "Nt"),
                module,
                service,
            }
        };
        let rows = found.services.into_iter().map(row).collect();
        Ok((rows, [owners.missing(), &found.incomplete].concat()))
    },
    remarks,
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&ServiceRow) -> Cell,
) -> Column<ServiceRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<ServiceRow>] = &[
    column("table", Kind::Text, "nt or win32k", |s| s.service.table.name().into()),
    column("index", Kind::Uint, "number of the service, as a system call gives it: from 0x1000 on for win32k", |s| {
        s.service.index.into()
    }),
    column("address", Kind::Address, "its routine", |s| s.service.address.into()),
    column("module", Kind::Text, "module that owns the routine", |s| s.module.clone().into()),
    column("symbol", Kind::Text, "symbol of the kernel that the routine belongs to", |s| s.symbol.clone().into()),
    column("stack_args", Kind::Uint, "arguments that lie on the stack", |s| s.service.stack_args.into()),
    column("table_address", Kind::Address, "where the table is", |s| s.service.table_at.into()),
    column("session_id", Kind::Uint, "session whose copy of the table was read; none for memory that all share", |s| {
        s.service.session_id.into()
    }),
];

/// So many services are told one by one.
const SHOWN: usize = 8;

/// Services that lead out of their module, tables at other places, and copies that differ.
fn remarks(rows: &[ServiceRow]) -> Vec<String> {
    let mut remarks = Vec::new();
    for table in [Table::Nt, Table::Win32k] {
        let of_table = || rows.iter().filter(|row| row.service.table == table);
        let away: Vec<_> = of_table().filter(|row| !row.at_home).collect();
        if !away.is_empty() {
            let verb = if away.len() == 1 { "leads" } else { "lead" };
            remarks.push(list(&format!("{} of {} {verb} out of its module", count(away.len()), table.name()), &away));
        }
        let differing: Vec<_> = of_table().filter(|row| row.differs).collect();
        if !differing.is_empty() {
            let verb = if differing.len() == 1 { "differs" } else { "differ" };
            let what = format!("{} of {} {verb} between copies of the table", count(differing.len()), table.name());
            remarks.push(list(&what, &differing));
        }
        let elsewhere: BTreeSet<_> = of_table()
            .filter_map(|row| Some((row.service.table_at, row.expected_table?)))
            .filter(|(at, expected)| at != expected)
            .collect();
        remarks.extend(elsewhere.iter().map(|(at, expected)| {
            format!("a description of services leads to a table at {at}; KiServiceTable is at {expected}")
        }));
    }
    remarks
}

fn count(number: usize) -> String {
    format!("{number} service{}", if number == 1 { "" } else { "s" })
}

fn list(what: &str, rows: &[&ServiceRow]) -> String {
    let each = rows.iter().take(SHOWN).map(|row| {
        let module = row.module.as_ref().ok().and_then(Option::as_deref).unwrap_or("no module");
        format!("{} ({} in {module})", row.service.index, row.service.address)
    });
    let more = if rows.len() > SHOWN { ", ..." } else { "" };
    format!("{what}: {}{more}", each.collect::<Vec<_>>().join(", "))
}
