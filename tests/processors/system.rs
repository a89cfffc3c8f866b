//! Facts of the whole system.

use crate::common::{Tally, address, rows};
use crate::kit::{One, dump, kernel, open};
use crate::machines::{BUILDS, machine};
use crate::remarks;
use ntlens::OpenDump;
use ntlens::address::Rva;
use ntlens::layout::{Layouts, Type};
use ntlens::nt::snapshot::Options;
use ntlens_testkit::{Kind, Machine, Win32k};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What the machines of the testkit have in `KUSER_SHARED_DATA` and in the kernel's variables.
#[test]
fn facts_of_the_whole_system() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let (bytes, truth) = dump(&machine(build, Win32k::Kernel).build(), Kind::BitmapKernel { live: false });
        let place = format!("machine {build}");
        let dump = open(&place, bytes);
        let row = &rows(&dump, "security")[0];
        let ci = truth.modules.iter().find(|module| module.name == "CI.dll").unwrap().base;
        let callbacks: Json = (0..3).map(|index| address(ci + 0x1000 + index * 0x100)).collect();
        for (column, expected) in [
            ("build_lab", truth.build_lab.as_str().into()),
            ("build_lab_ex", truth.build_lab.as_str().into()),
            ("product_type", "workstation".into()),
            ("suites", json!(["terminal", "single-user-terminal"])),
            ("service_pack", u32::from(build == 7601).into()),
            ("nx_enabled", true.into()),
            ("nx_support_policy", "OptIn".into()),
            ("elevation", true.into()),
            ("safe_boot_mode", false.into()),
            ("active_console_id", 1.into()),
            ("kd_debugger_enabled_raw", 3.into()),
            ("processor_features", json!(["NX_ENABLED", "FASTFAIL_AVAILABLE"])),
            ("kva_shadow", (build >= 17763).into()),
            ("kva_shadow_evidence", "KiKvaShadow".into()),
        ] {
            tally.check(column, &place, &row[column], &expected);
        }
        // What Windows 8 and 10 brought.
        let modern: [(&str, u32, Json); 3] = [
            ("secure_boot", 9600, true.into()),
            ("seh_validation_policy", 9600, "Defer".into()),
            ("boot_id", 14393, 7.into()),
        ];
        for (column, since, expected) in modern {
            if build >= since {
                tally.check(column, &place, &row[column], &expected);
            } else {
                tally.check_absent(column, &place, row, &["no-such-field"]);
            }
        }
        let names = if build >= 9600 {
            json!(["DbgElevationEnabled", "DbgVirtEnabled", "DbgSecureBootEnabled"])
        } else {
            json!(["DbgElevationEnabled", "DbgVirtEnabled"])
        };
        tally.check("shared_data_flags", &place, &row["shared_data_flags"], &names);
        // The embedded layouts know few symbols.
        if build >= 9600 {
            tally.check("ci_callbacks", &place, &row["ci_callbacks"], &callbacks);
            tally.check("ci_callback_modules", &place, &row["ci_callback_modules"], &json!(["CI.dll"]));
        } else {
            tally.check_absent("ci_callbacks", &place, row, &["symbols-needed"]);
        }
        tally.check_absent("mi_flags", &place, row, &["symbols-needed", "no-such-field"]);
        tally.check_absent("build_qfe", &place, row, &["symbols-needed"]);
    }
    tally.finish("facts of the whole system");
}

/// The same layouts with more symbols, at places where the embedded ones have none.
fn with_symbols(layouts: &Layouts, names: &[&str]) -> Layouts {
    let last = layouts.symbols().map(|(_, rva)| rva.0).max().unwrap();
    let symbols = layouts.symbols().map(|(name, rva)| (name.into(), rva));
    let more = names.iter().zip(1..).map(|(name, place)| ((*name).into(), Rva(last + place * 0x40)));
    let structures = layouts.structures().map(|def| Arc::new(def.clone()));
    let enumerations = layouts.enumerations().map(|def| Arc::new(def.clone()));
    Layouts::new(layouts.version(), layouts.id(), structures, enumerations, symbols.chain(more))
}

/// Facts that only all symbols of the kernel tell.
#[test]
fn facts_that_symbols_tell() {
    let mut tally = Tally::default();
    let bit = |layouts: &Layouts, name: &str| match layouts.place("_MI_FLAGS", name).unwrap().ty {
        Type::Bits { position, .. } => 1_u32 << position,
        other => panic!("{other:?}"),
    };
    let names = ["MiFlags", "NtBuildQfe", "KiKernelCetEnabled", "KiUserCetAllowed"];
    let layouts = with_symbols(&ntlens_testkit::layouts(&kernel(22000)).unwrap(), &names);
    let mut machine = Machine::typical(layouts.clone(), 3, 32).memory(56 << 20);
    let flags = bit(&layouts, "FullHvci") | bit(&layouts, "KernelVerifierEnabled");
    machine
        .variable("MiFlags", flags.to_le_bytes())
        .variable("NtBuildQfe", 1098_u32.to_le_bytes())
        .variable("KiKernelCetEnabled", [1])
        .variable("HvlHypervisorConnected", [1])
        .variable("VslVsmEnabled", [1]);
    let (bytes, truth) = dump(&machine.build(), Kind::BitmapKernel { live: false });
    let opened = OpenDump::open("22000", Arc::new(bytes), &One(layouts.clone()), Options::default()).unwrap();
    let row = &rows(&opened, "security")[0];
    for (column, expected) in [
        ("mi_flags", json!(["KernelVerifierEnabled", "FullHvci"])),
        ("mi_flags_raw", flags.into()),
        ("build_qfe", 1098.into()),
        ("kernel_cet_enabled", true.into()),
        ("user_cet_allowed", false.into()),
        ("hypervisor_connected", true.into()),
        ("vsm_enabled", true.into()),
        ("alt_system_call_handlers", json!([])),
    ] {
        tally.check(column, "22000", &row[column], &expected);
    }
    // Who takes system calls over, and a callback into code integrity that leads nowhere known.
    let module = truth.modules[3].base + 0x1234;
    let nowhere = truth.no_module;
    let mut callbacks = vec![0x18, 0, 0, 0, 0, 0, 0, 0];
    callbacks.extend(module.to_le_bytes().into_iter().chain(nowhere.to_le_bytes()));
    machine.variable("PsAltSystemCallHandlers", [module.to_le_bytes(), nowhere.to_le_bytes()].concat());
    machine.variable("SeCiCallbacks", callbacks);
    let (bytes, again) = dump(&machine.build(), Kind::BitmapKernel { live: false });
    assert_eq!((again.modules[3].base, again.no_module), (truth.modules[3].base, nowhere), "the same machine");
    let opened = OpenDump::open("22000", Arc::new(bytes), &One(layouts), Options::default()).unwrap();
    let row = &rows(&opened, "security")[0];
    let name = truth.modules[3].name.as_str();
    for (column, expected) in [
        ("alt_system_call_handlers", json!([address(module), address(nowhere)])),
        ("alt_system_call_modules", json!([name, "none"])),
        ("ci_callbacks", json!([address(module), address(nowhere)])),
        ("ci_callback_modules", json!([name])),
    ] {
        tally.check(column, "22000", &row[column], &expected);
    }
    let at = address(nowhere);
    let at = at.as_str().unwrap();
    let expected = [
        format!("a callback into code integrity leads to {module:#018x}, in {name}, not CI.dll"),
        format!("a callback into code integrity leads to {at}, in no module, not CI.dll"),
        format!("system calls of some processes go to {at}, in no module"),
    ];
    assert_eq!(remarks(&opened, "security"), expected);

    let layouts = with_symbols(&ntlens_testkit::layouts(&kernel(7601)).unwrap(), &["g_CiCallbacks", "g_CiEnabled"]);
    let machine = Machine::typical(layouts.clone(), 3, 32).memory(56 << 20);
    let (bytes, truth) = dump(&machine.build(), Kind::BitmapKernel { live: false });
    let opened = OpenDump::open("7601", Arc::new(bytes), &One(layouts), Options::default()).unwrap();
    let row = &rows(&opened, "security")[0];
    let ci = truth.modules.iter().find(|module| module.name == "CI.dll").unwrap().base;
    let callbacks: Json = (0..3).map(|index| address(ci + 0x1000 + index * 0x100)).collect();
    tally.check("ci_callbacks", "7601", &row["ci_callbacks"], &callbacks);
    tally.check("ci_callback_modules", "7601", &row["ci_callback_modules"], &json!(["CI.dll"]));
    tally.check("ci_enabled", "7601", &row["ci_enabled"], &true.into());
    tally.finish("facts that symbols tell");
}
