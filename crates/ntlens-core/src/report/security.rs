//! `security`: what protects the whole system, as far as the kernel keeps it.
//!
//! Where a fact comes from stands in the column's description: a variable of the kernel by its name, or a field of
//! `KUSER_SHARED_DATA`.

use super::info::{product, suites};
use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::owner::Owners;
use crate::nt::security::{CiCallbacks, KvaShadow, Security};
use crate::nt::shared_data::SharedData;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The facts, and those that cost more than one read.
#[derive(Debug)]
pub struct SecurityRow {
    facts: Security,
    kva_shadow: Result<KvaShadow, Absent>,
    ci_callbacks: Result<CiCallbacks, Absent>,
    build_lab: Result<String, Absent>,
    /// Each with the module that owns it.
    alt_handlers: Result<Vec<(VirtAddr, Option<String>)>, Absent>,
    /// Whether an address outside of all modules means anything.
    modules_known: bool,
}

/// The table, of one row.
pub const SECURITY: Asked<SecurityRow> = Asked {
    table: TableDef {
        name: "security",
        about: "what protects the whole system: code integrity, hypervisor, KVA shadow, patch level, debugger",
        columns: COLUMNS,
        screen: &[
            screen("Build", "build_lab"),
            screen("Fixes", "build_qfe"),
            screen("Service pack", "service_pack"),
            screen("Product", "product_type"),
            screen("Secure Boot", "secure_boot"),
            screen("Safe mode", "safe_boot_mode"),
            screen("Debugger enabled", "kd_debugger_enabled"),
            screen("Debugger absent", "kd_debugger_not_present"),
            screen("Global flag", "global_flag"),
            screen("CI callbacks", "ci_callback_modules"),
            screen("CI enabled", "ci_enabled"),
            screen("CI options", "ci_options"),
            screen("Hypervisor", "hypervisor_connected"),
            screen("VBS", "vsm_enabled"),
            screen("Memory manager", "mi_flags"),
            screen("KVA shadow", "kva_shadow"),
            screen("by", "kva_shadow_evidence"),
            screen("NX", "nx_enabled"),
            screen("NX policy", "nx_support_policy"),
            screen("SEH validation", "seh_validation_policy"),
            screen("Kernel CET", "kernel_cet_enabled"),
            screen("UAC", "elevation"),
            screen("Shared flags", "shared_data_flags"),
            screen("Console session", "active_console_id"),
        ],
        record: true,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let facts = Security::of(kernel);
        let owners = Owners::of(kernel);
        let owned = |at: VirtAddr| (at, owners.module(at).map(|name| String::from(&**name)));
        let row = SecurityRow {
            kva_shadow: facts.kva_shadow(),
            ci_callbacks: facts.ci_callbacks(&owners),
            alt_handlers: facts.alt_system_call_handlers().map(|found| found.into_iter().map(owned).collect()),
            modules_known: owners.know_modules(),
            build_lab: kernel.build_lab(),
            facts,
        };
        Ok((Vec::from([row]), owners.missing().to_vec()))
    },
    remarks,
};

/// Routines that are in no module, or in another than they should be.
fn remarks(rows: &[SecurityRow]) -> Vec<String> {
    let callbacks = rows.iter().filter_map(|row| row.ci_callbacks.as_ref().ok()).flat_map(|found| &found.elsewhere);
    let callbacks = callbacks.map(|(at, module)| {
        let module = module.as_deref().unwrap_or("no module");
        format!("a callback into code integrity leads to {at}, in {module}, not CI.dll")
    });
    let handlers =
        rows.iter().filter(|row| row.modules_known).filter_map(|row| row.alt_handlers.as_ref().ok()).flatten();
    let handlers = handlers.filter(|(_, module)| module.is_none());
    let handlers = handlers.map(|(at, _)| format!("system calls of some processes go to {at}, in no module"));
    let options = rows.iter().filter(|row| row.facts.ci_options() == Ok(0));
    let options =
        options.map(|_| "g_CiOptions is 0: drivers load without signatures, unless a hypervisor checks code".into());
    options.chain(callbacks).chain(handlers).collect()
}

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&SecurityRow) -> Cell,
) -> Column<SecurityRow> {
    Column::new(name, kind, about, get)
}

fn of_shadow<T: Into<Cell>>(row: &SecurityRow, get: impl FnOnce(&KvaShadow) -> T) -> Cell {
    row.kva_shadow.as_ref().map(get).map_err(|why| *why).into()
}

fn of_callbacks<T: Into<Cell>>(row: &SecurityRow, get: impl FnOnce(&CiCallbacks) -> T) -> Cell {
    row.ci_callbacks.as_ref().map(get).map_err(|why| *why).into()
}

fn code(value: Result<u32, Absent>) -> Cell {
    value.map(|value| Code(value.into())).into()
}

fn shared<T: Into<Cell>>(row: &SecurityRow, get: impl FnOnce(&SharedData) -> Result<T, Absent>) -> Cell {
    get(&row.facts.shared).into()
}

const COLUMNS: &[Column<SecurityRow>] = &[
    column("build_lab", Kind::Text, "NtBuildLab", |s| s.build_lab.clone().into()),
    column("build_lab_ex", Kind::Text, "NtBuildLabEx", |s| s.facts.build_lab_ex().into()),
    column("build_qfe", Kind::Uint, "NtBuildQfe: number of the latest fixes", |s| s.facts.build_qfe().into()),
    column("csd_version", Kind::Code, "CmNtCSDVersion", |s| code(s.facts.csd_version())),
    column(
        "service_pack",
        Kind::Uint,
        "number of the service pack, in bits 8 to 15 of CmNtCSDVersion; 0 for none",
        |s| s.facts.csd_version().map(|version| version >> 8 & 0xff).into(),
    ),
    column("csd_version_string", Kind::Text, "CmCSDVersionString", |s| s.facts.csd_version_string().into()),
    column("product_type", Kind::Text, "NtProductType of KUSER_SHARED_DATA", |s| {
        shared(s, |d| d.product_type().map(product))
    }),
    column("suites", Kind::List, "SuiteMask of KUSER_SHARED_DATA: VER_SUITE names", |s| {
        shared(s, |d| d.suite_mask().map(suites))
    }),
    column("boot_id", Kind::Uint, "BootId of KUSER_SHARED_DATA: how often the system was started", |s| {
        shared(s, SharedData::boot_id)
    }),
    column("secure_boot", Kind::Bool, "DbgSecureBootEnabled of KUSER_SHARED_DATA", |s| {
        shared(s, SharedData::secure_boot)
    }),
    column("safe_boot_mode", Kind::Bool, "SafeBootMode of KUSER_SHARED_DATA", |s| {
        shared(s, SharedData::safe_boot_mode)
    }),
    column("init_safe_boot_mode", Kind::Uint, "InitSafeBootMode: 1 minimal, 2 network, 3 directory services", |s| {
        s.facts.init_safe_boot_mode().into()
    }),
    column("kd_debugger_enabled", Kind::Bool, "KdDebuggerEnabled: the kernel can be debugged", |s| {
        s.facts.kd_debugger_enabled().into()
    }),
    column("kd_debugger_not_present", Kind::Bool, "KdDebuggerNotPresent: no debugger is attached to it", |s| {
        s.facts.kd_debugger_not_present().into()
    }),
    column("kd_debugger_enabled_raw", Kind::Code, "KdDebuggerEnabled of KUSER_SHARED_DATA", |s| {
        code(s.facts.shared.kd_debugger_enabled().map(u32::from))
    }),
    column("global_flag", Kind::Code, "NtGlobalFlag", |s| code(s.facts.global_flag())),
    column("ci_enabled", Kind::Bool, "g_CiEnabled of Windows 7: code integrity is on", |s| s.facts.ci_enabled().into()),
    column("ci_options", Kind::Code, "g_CiOptions of CI.dll, by symbols of CI.dll: 0 lets any driver load", |s| {
        code(s.facts.ci_options())
    }),
    column("ci_symbols", Kind::Text, "where the symbols of CI.dll came from", |s| s.facts.ci_symbols().into()),
    column("ci_callbacks", Kind::Addresses, "routines behind SeCiCallbacks (Windows 7: g_CiCallbacks)", |s| {
        of_callbacks(s, |callbacks| callbacks.routines.iter().map(|at| at.0).collect::<Vec<_>>())
    }),
    column("ci_callback_modules", Kind::List, "the modules that own these routines", |s| {
        of_callbacks(s, |callbacks| callbacks.modules.clone())
    }),
    column("hypervisor_connected", Kind::Bool, "HvlHypervisorConnected: the kernel knows its hypervisor", |s| {
        s.facts.hypervisor_connected().into()
    }),
    column("vsm_enabled", Kind::Bool, "VslVsmEnabled: virtualization-based security", |s| s.facts.vsm_enabled().into()),
    column("virtualization_flags", Kind::Code, "VirtualizationFlags of KUSER_SHARED_DATA", |s| {
        code(s.facts.shared.virtualization_flags().map(u32::from))
    }),
    column(
        "mi_flags",
        Kind::List,
        "MiFlags: what is set in _MI_FLAGS, guarantees of code by a hypervisor among it",
        |s| s.facts.mi_flag_names().into(),
    ),
    column("mi_flags_raw", Kind::Uint, "MiFlags", |s| s.facts.mi_flags().into()),
    column("kva_shadow", Kind::Bool, "user mode runs on page tables of its own", |s| of_shadow(s, |shadow| shadow.on)),
    column("kva_shadow_evidence", Kind::Text, "what says so: KiKvaShadow or UserDirectoryTableBase", |s| {
        of_shadow(s, |shadow| shadow.evidence)
    }),
    column("ki_kva_shadow_mode", Kind::Uint, "KiKvaShadowMode", |s| s.facts.ki_kva_shadow_mode().into()),
    column("ki_kva_leakage", Kind::Uint, "KiKvaLeakage", |s| s.facts.ki_kva_leakage().into()),
    column("nx_enabled", Kind::Bool, "PF_NX_ENABLED of KUSER_SHARED_DATA: pages without the right to run code", |s| {
        shared(s, SharedData::nx_enabled)
    }),
    column(
        "nx_support_policy",
        Kind::Text,
        "NXSupportPolicy of KUSER_SHARED_DATA: which processes get such pages",
        |s| shared(s, SharedData::nx_support_policy),
    ),
    column("seh_validation_policy", Kind::Text, "SEHValidationPolicy of KUSER_SHARED_DATA", |s| {
        shared(s, SharedData::seh_validation_policy)
    }),
    column("kernel_cet_enabled", Kind::Bool, "KiKernelCetEnabled: the kernel has shadow stacks", |s| {
        s.facts.kernel_cet_enabled().into()
    }),
    column("user_cet_allowed", Kind::Bool, "KiUserCetAllowed: programs may have shadow stacks", |s| {
        s.facts.user_cet_allowed().into()
    }),
    column("elevation", Kind::Bool, "DbgElevationEnabled of KUSER_SHARED_DATA: user account control", |s| {
        shared(s, SharedData::elevation)
    }),
    column("shared_data_flags", Kind::List, "SharedDataFlags of KUSER_SHARED_DATA", |s| {
        shared(s, SharedData::flag_names)
    }),
    column("shared_data_flags_raw", Kind::Uint, "SharedDataFlags of KUSER_SHARED_DATA", |s| {
        shared(s, SharedData::flags)
    }),
    column("processor_features", Kind::List, "ProcessorFeatures of KUSER_SHARED_DATA, by the names of PF_*", |s| {
        shared(s, SharedData::processor_features)
    }),
    column("alt_system_call_handlers", Kind::Addresses, "PsAltSystemCallHandlers: other ways of system calls", |s| {
        s.alt_handlers
            .as_ref()
            .map(|found| found.iter().map(|(at, _)| at.0).collect::<Vec<_>>())
            .map_err(|why| *why)
            .into()
    }),
    column(
        "alt_system_call_modules",
        Kind::List,
        "the modules that own these handlers; none where no module does",
        |s| {
            let name = |(_, module): &(VirtAddr, Option<String>)| module.clone().unwrap_or_else(|| "none".into());
            s.alt_handlers.as_ref().map(|found| found.iter().map(name).collect::<Vec<_>>()).map_err(|why| *why).into()
        },
    ),
    column(
        "system_call",
        Kind::Uint,
        "SystemCall of KUSER_SHARED_DATA: not zero for another way of system calls",
        |s| shared(s, SharedData::system_call),
    ),
    column("qpc_bypass_enabled", Kind::Code, "QpcBypassEnabled of KUSER_SHARED_DATA", |s| {
        code(s.facts.shared.qpc_bypass_enabled().map(u32::from))
    }),
    column("active_console_id", Kind::Uint, "ActiveConsoleId of KUSER_SHARED_DATA: session on the console", |s| {
        shared(s, SharedData::active_console_id)
    }),
];
