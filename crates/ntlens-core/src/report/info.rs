//! `info`: what the dump is.

use super::value::{Code, Duration};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::PhysAddr;
use crate::dump::{Attributes, Header64};
use crate::nt::bugcheck;
use crate::nt::snapshot::Snapshot;
use crate::nt::time::FileTime;
use crate::opened::OpenDump;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The table, of one row.
pub const INFO: Asked<OpenDump> = Asked {
    table: TableDef {
        name: "info",
        about: "what the dump is, from its header and its kernel",
        columns: COLUMNS,
        screen: &[
            screen("File", "file"),
            screen("Size", "file_size"),
            screen("Kind", "dump_kind"),
            screen("Type", "dump_type"),
            screen("Active", "active"),
            screen("Build", "windows_build"),
            screen("Lab", "build_lab"),
            screen("Version", "os_version"),
            screen("Machine", "machine"),
            screen("Processors", "processors"),
            screen("DTB", "dtb"),
            screen("System DTB", "system_dtb"),
            screen("Kernel base", "kernel_base"),
            screen("Kernel GUID", "kernel_guid_age"),
            screen("Bug check", "bugcheck_code"),
            screen("Bug check name", "bugcheck_name"),
            screen("Parameters", "bugcheck_parameters"),
            screen("Time", "crash_time"),
            screen("Uptime (s)", "uptime"),
            screen("Started", "boot_time"),
            screen("Product", "product_type"),
            screen("Suites", "suites"),
            screen("Pages described", "physical_pages_described"),
            screen("Pages present", "physical_pages_present"),
            screen("Complete", "file_complete"),
            screen("Comment", "comment"),
            screen("Layout", "layout_origin"),
            screen("Layout source", "layout_source"),
        ],
        record: true,
    },
    parameters: &[],
    rows: |dump, _| Ok((Vec::from([dump.clone()]), Vec::new())),
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&OpenDump) -> Cell) -> Column<OpenDump> {
    Column::new(name, kind, about, get)
}

/// A field of the header; raw memory has none.
fn header<T: Into<Cell>>(dump: &OpenDump, get: impl FnOnce(&Header64) -> Option<T>) -> Cell {
    match &dump.dump().header {
        Some(header) => get(header).into(),
        None => Cell::Absent(Absent::NotApplicable),
    }
}

/// A fact of the kernel; without a kernel, why there is none is told once, as a remark.
fn kernel<T: Into<Cell>>(dump: &OpenDump, get: impl FnOnce(&Snapshot) -> T) -> Cell {
    dump.kernel().map_or(Cell::Null, |kernel| get(kernel).into())
}

const COLUMNS: &[Column<OpenDump>] = &[
    column("file", Kind::Text, "the file's name", |d| d.name().into()),
    column("file_size", Kind::Uint, "bytes of the file", |d| d.dump().source.len().into()),
    column("dump_kind", Kind::Text, "kind of dump", |d| d.dump().kind.name().into()),
    column("dump_type", Kind::Uint, "kind of dump as the header's number", |d| header(d, |h| Some(h.dump_type))),
    column("active", Kind::Bool, "the system left out pages that it judged irrelevant", |d| {
        header(d, |h| Some(h.attributes.unwrap_or_default().contains(Attributes::FILTER_DUMP_FILE)))
    }),
    column("windows_build", Kind::Uint, "build that the header gives", |d| header(d, |h| h.build)),
    column("build_lab", Kind::Text, "NtBuildLab", |d| kernel(d, Snapshot::build_lab)),
    column("os_version", Kind::Text, "version of the kernel, as far as it is known", |d| kernel(d, os_version)),
    column("machine", Kind::Text, "processor architecture", |d| header(d, |h| Some(machine(h.machine)))),
    column("processors", Kind::Uint, "how many processors", |d| header(d, |h| h.processors)),
    column("dtb", Kind::Address, "root of page tables that the header gives", |d| {
        header(d, |h| h.directory_table_base.map(PhysAddr))
    }),
    column("system_dtb", Kind::Address, "root of System's page tables", |d| kernel(d, Snapshot::system_dtb)),
    column("kernel_base", Kind::Address, "where the kernel is loaded", |d| kernel(d, Snapshot::kernel_base)),
    column("kernel_guid_age", Kind::Text, "identity of the kernel's symbols", |d| {
        kernel(d, |kernel| kernel.kernel_id().map(|id| id.to_string()).ok_or(Absent::AddressNotInDump))
    }),
    column("bugcheck_code", Kind::Code, "bug check code", |d| {
        header(d, |h| h.bugcheck_code.map(|code| Code(code.into())))
    }),
    column("bugcheck_name", Kind::Text, "the code's name", |d| header(d, |h| h.bugcheck_code.and_then(bugcheck::name))),
    column("bugcheck_parameters", Kind::Addresses, "the four parameters", |d| {
        header(d, |h| h.bugcheck_parameters.into_iter().collect::<Option<Vec<u64>>>())
    }),
    column("crash_time", Kind::Time, "when the dump was written", |d| {
        header(d, |h| h.system_time.and_then(FileTime::from_windows))
    }),
    column("uptime", Kind::Duration, "seconds that the system had run", |d| {
        header(d, |h| h.system_up_time.map(Duration))
    }),
    column("boot_time", Kind::Time, "when the system started, by its uptime", |d| {
        header(d, |h| {
            let (now, up_time) = (h.system_time.filter(|now| *now != 0)?, h.system_up_time?);
            now.checked_sub(up_time).and_then(FileTime::from_windows)
        })
    }),
    column("product_type", Kind::Text, "workstation, domain-controller or server", |d| {
        header(d, |h| h.product_type.map(product))
    }),
    column("suites", Kind::List, "VER_SUITE names", |d| header(d, |h| h.suite_mask.map(suites))),
    column("physical_pages_described", Kind::Uint, "frames that the dump describes", |d| {
        d.dump().pages_described().into()
    }),
    column("physical_pages_present", Kind::Uint, "frames of them that are in the file", |d| {
        d.dump().pages_present().into()
    }),
    column("file_complete", Kind::Bool, "whether the file holds all that it describes", |d| {
        d.dump().is_complete().into()
    }),
    column("comment", Kind::Text, "the writer's remark", |d| header(d, |h| h.comment.clone())),
    column("layout_origin", Kind::Text, "how well the layout fits: exact, build, inferred or forced", |d| {
        kernel(d, |kernel| kernel.selected().origin.name())
    }),
    column("layout_source", Kind::Text, "where the layout comes from", |d| {
        kernel(d, |kernel| kernel.selected().source.clone())
    }),
    column("layout_versions", Kind::List, "the kernels whose layouts are used", |d| {
        kernel(d, |kernel| kernel.selected().versions.iter().map(ToString::to_string).collect::<Vec<_>>())
    }),
];

fn os_version(kernel: &Snapshot) -> Option<String> {
    kernel.version().map(|version| version.to_string())
}

fn machine(machine: u32) -> String {
    match machine {
        0x8664 => "x64".into(),
        0xaa64 => "ARM64".into(),
        0x14c => "x86".into(),
        other => format!("unknown ({other:#x})"),
    }
}

pub(super) fn product(product: u32) -> String {
    match product {
        1 => "workstation".into(),
        2 => "domain-controller".into(),
        3 => "server".into(),
        other => format!("unknown ({other})"),
    }
}

/// `VER_SUITE_*` of winnt.h.
const SUITES: &[(u32, &str)] = &[
    (0x1, "small-business"),
    (0x2, "enterprise"),
    (0x4, "back-office"),
    (0x8, "communications"),
    (0x10, "terminal"),
    (0x20, "small-business-restricted"),
    (0x40, "embedded"),
    (0x80, "datacenter"),
    (0x100, "single-user-terminal"),
    (0x200, "personal"),
    (0x400, "blade"),
    (0x800, "embedded-restricted"),
    (0x1000, "security-appliance"),
    (0x2000, "storage-server"),
    (0x4000, "compute-server"),
    (0x8000, "home-server"),
];

pub(super) fn suites(mask: u32) -> Vec<String> {
    let known = SUITES.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| String::from(*name));
    let unknown = (16..32).filter(|bit| mask >> bit & 1 == 1).map(|bit| format!("bit_{bit}"));
    known.chain(unknown).collect()
}
