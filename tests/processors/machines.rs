//! Machines of the testkit, of every build.

use crate::common::{Tally, address, document, rows};
use crate::kit::{One, bare, dump, kernel, offset, open, symbol, typical};
use crate::remarks;
use ntlens::OpenDump;
use ntlens::layout::{FieldDef, Type};
use ntlens::nt::snapshot::Options;
use ntlens_testkit::{Kind, Machine, Truth, Win32k, truth};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The builds whose machines are written.
pub(crate) const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

/// A machine of every build, with interrupts of devices, hooks, and win32k where all see it or sessions only.
pub(crate) fn machine(build: u32, place: Win32k) -> Machine {
    let shadowed = build >= 17763;
    let machine = typical(build, u64::from(build), 36).processors(3).win32k(place);
    let mut machine = if shadowed { machine.kva_shadow() } else { machine };
    machine
        .interrupt(0x51, "storport.sys", false)
        .interrupt(0x51, "ndis.sys", false)
        .interrupt(0x62, "usbxhci.sys", true)
        .hook_vector(1, 14)
        .hook_vector(1, 0x2e)
        .hook_service(77)
        .hook_service(4096 + 5);
    machine
}

fn check_cpus(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth) {
    let found = rows(dump, "cpus");
    tally.check("row_count", place, &found.len().into(), &truth.cpus.len().into());
    for (row, cpu) in found.iter().zip(&truth.cpus) {
        let place = format!("{place} processor {}", cpu.number);
        for (column, expected) in [
            ("number", cpu.number.into()),
            ("pcr", address(cpu.pcr)),
            ("prcb", address(cpu.prcb)),
            ("current_thread", address(cpu.current_thread)),
            ("tss", address(cpu.tss)),
            ("rsp0", address(cpu.stacks[0])),
            ("idt_base", address(cpu.idt)),
            ("gdt_base", address(cpu.gdt)),
        ] {
            // Which segment the task register names was not saved either.
            if cpu.saved || !["tss", "rsp0"].contains(&column) {
                tally.check(column, &place, &row[column], &expected);
            }
        }
        let saved = [
            ("cr0", address(0x8005_0033)),
            ("cr3", address(cpu.cr3)),
            ("cr4", address(cpu.cr4)),
            ("lstar", address(cpu.lstar)),
            ("gs_base", address(cpu.pcr)),
            ("star", address(0x0023_0010_0000_0000)),
            ("sfmask", address(0x4700)),
            ("gdt_limit", 0x57.into()),
            ("tr", 0x40.into()),
        ];
        for (column, expected) in saved {
            if cpu.saved {
                tally.check(column, &place, &row[column], &expected);
            } else {
                tally.check_absent(column, &place, row, &["not-in-dump"]);
            }
        }
        tally.check("nx", &place, &row["nx"], &true.into());
    }
}

fn check_handlers(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth) {
    let found = rows(dump, "idt");
    tally.check("row_count", place, &found.len().into(), &(truth.cpus.len() * 256).into());
    let expected = truth.cpus.iter().flat_map(|cpu| cpu.handlers.iter().map(move |handler| (cpu.number, handler)));
    for (row, ((processor, handler), vector)) in found.iter().zip(expected.zip((0..256_u32).cycle())) {
        let place = format!("{place} processor {processor} vector {vector}");
        let of_vector =
            |interrupt: &&truth::Interrupt| (interrupt.processor, u32::from(interrupt.vector)) == (processor, vector);
        let objects: Vec<&truth::Interrupt> = truth.interrupts.iter().filter(of_vector).collect();
        let list = |get: &dyn Fn(&truth::Interrupt) -> Json| objects.iter().map(|object| get(object)).collect::<Json>();
        let in_object = objects
            .first()
            .is_some_and(|object| handler.address > object.object && handler.address < object.object + 0x200);
        let module = if handler.hooked || in_object { Json::Null } else { "ntoskrnl.exe".into() };
        for (column, expected) in [
            ("processor", processor.into()),
            ("vector", vector.into()),
            ("address", address(handler.address)),
            ("dpl", handler.dpl.into()),
            ("ist", handler.ist.into()),
            ("module", module),
            ("interrupt_objects", list(&|object| address(object.object))),
            ("service_routines", list(&|object| address(object.routine))),
            ("service_modules", list(&|object| object.module.as_str().into())),
        ] {
            tally.check(column, &place, &row[column], &expected);
        }
    }
}

fn check_services(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, session: Option<u32>) {
    let document = document(dump, "ssdt");
    tally.check("incomplete", place, &document["incomplete"], &json!([]));
    let found = document["rows"].as_array().unwrap();
    tally.check("row_count", place, &found.len().into(), &truth.services.len().into());
    for (row, service) in found.iter().zip(&truth.services) {
        let place = format!("{place} service {}", service.index);
        let of_nt = service.index < 4096;
        for (column, expected) in [
            ("table", if of_nt { "nt" } else { "win32k" }.into()),
            ("index", service.index.into()),
            ("address", address(service.address)),
            ("stack_args", service.stack_args.into()),
            ("module", if service.hooked { Json::Null } else { service.module.into() }),
            ("session_id", session.filter(|_| !of_nt).map_or(Json::Null, Json::from)),
        ] {
            tally.check(column, &place, &row[column], &expected);
        }
    }
}

#[test]
fn machines_of_every_build() {
    let mut tally = Tally::default();
    for (build, place) in BUILDS.into_iter().zip([Win32k::Kernel, Win32k::Session].into_iter().cycle()) {
        let image = machine(build, place).build();
        let (bytes, truth) = dump(&image, Kind::BitmapKernel { live: false });
        let name = format!("machine {build}");
        let dump = open(&name, bytes);
        check_cpus(&mut tally, &name, &dump, &truth);
        check_handlers(&mut tally, &name, &dump, &truth);
        // The lowest session tells the table; the others have the same.
        let session = (place == Win32k::Session).then(|| truth.sessions.iter().map(|session| session.session_id).min());
        check_services(&mut tally, &name, &dump, &truth, session.flatten());
        let shadowed = build >= 17763;
        for row in rows(&dump, "cpus") {
            tally.check("kva_shadow", &name, &row["kva_shadow"], &shadowed.into());
        }
        let hook = |vector: u64| address(truth.no_module + vector).as_str().unwrap().to_owned();
        let expected =
            [format!("processor 1: 2 handlers lie in no module: vector 14 ({}), vector 46 ({})", hook(14), hook(0x2e))];
        assert_eq!(remarks(&dump, "idt"), expected, "{name}");
        let hooked: Vec<_> = truth.services.iter().filter(|service| service.hooked).collect();
        let told = |table: &str, service: &truth::Service| {
            let at = address(service.address);
            let at = at.as_str().unwrap();
            format!("1 service of {table} leads out of its module: {} ({at} in no module)", service.index)
        };
        assert_eq!(remarks(&dump, "ssdt"), [told("nt", hooked[0]), told("win32k", hooked[1])], "{name}");
        assert_eq!(remarks(&dump, "cpus"), Vec::<String>::new(), "{name}");
    }
    tally.finish("processors and services of machines");
}

/// Registers of a processor that was not stopped are zero, which is not what it had in them.
#[test]
fn a_processor_that_was_not_stopped_has_no_registers() {
    let mut tally = Tally::default();
    for build in [7601, 19041, 22000] {
        let mut machine = bare(build).processors(2);
        machine.unsaved_registers(1);
        let (bytes, truth) = dump(&machine.build(), Kind::BitmapKernel { live: true });
        let name = format!("machine {build}");
        let dump = open(&name, bytes);
        check_cpus(&mut tally, &name, &dump, &truth);
        // Where its tables are is told by the KPCR.
        check_handlers(&mut tally, &name, &dump, &truth);
        assert_eq!(remarks(&dump, "cpus"), ["the control registers of 1 of 2 processors were not saved"]);
        assert_eq!(remarks(&dump, "idt"), Vec::<String>::new());
    }
    tally.finish("registers that were not saved");
}

/// Kernels of Windows 7 before KVA shadow lead a vector into code inside of its interrupt object.
#[test]
fn a_handler_inside_of_an_interrupt_object_has_an_owner() {
    let layouts = ntlens_testkit::layouts(&kernel(7601)).unwrap();
    let mut object = layouts.structure("_KINTERRUPT").unwrap().clone();
    let code = FieldDef { name: "DispatchCode".into(), offset: 0x90, ty: Type::Unknown };
    object.fields.push(code);
    object.size = Some(0xa0);
    let layouts = layouts.with_structure(object);
    let mut machine = Machine::typical(layouts.clone(), 5, 34).memory(56 << 20).processors(2);
    machine.interrupt(0x51, "storport.sys", false).interrupt(0x51, "ndis.sys", false).hook_vector(0, 0x60);
    let (bytes, truth) = dump(&machine.build(), Kind::BitmapKernel { live: false });
    let dump = OpenDump::open("dispatch code", Arc::new(bytes), &One(layouts), Options::default()).unwrap();
    let mut tally = Tally::default();
    check_handlers(&mut tally, "dispatch code", &dump, &truth);
    tally.finish("handlers inside of interrupt objects");
    // Only the one that is in no object is told.
    let at = address(truth.no_module + 0x60);
    let expected = format!("processor 0: 1 handler lies in no module: vector 96 ({})", at.as_str().unwrap());
    assert_eq!(remarks(&dump, "idt"), [expected]);
}

/// Registers that Windows does not have so are told.
#[test]
fn registers_that_contradict_windows() {
    let image = bare(19041).processors(2).memory(24 << 20).build();
    let truth = image.truth();
    let (mut bytes, _) = dump(&image, Kind::Raw);
    let at = |va: u64| {
        let space = image.space(4).unwrap();
        usize::try_from(space.translate(image.memory(), va).unwrap().physical).unwrap()
    };
    let mut set = |va: u64, value: u64| bytes[at(va)..at(va) + 8].copy_from_slice(&value.to_le_bytes());
    let cpu = &truth.cpus[1];
    let register = |name: &str| cpu.prcb + offset(&image, "_KPRCB", &format!("ProcessorState.SpecialRegisters.{name}"));
    let entry = truth.no_module + 0x123;
    set(register("Cr0"), 0x8004_0033);
    set(register("Cr4"), cpu.cr4 & !(1 << 20));
    set(register("MsrLStar"), entry);
    set(cpu.pcr + offset(&image, "_KPCR", "IdtBase"), cpu.idt + 0x1000);
    let dump = open("contradictions", bytes);
    let text = |value: u64| format!("{value:#018x}");
    let expected = [
        "processor 1 has CR0.WP off: the kernel can write to pages that are not writable".to_owned(),
        format!("processor 1: LSTAR leads to {}, in no module", text(entry)),
        format!("processor 1: IDTR leads to {}, KPCR.IdtBase to {}", text(cpu.idt), text(cpu.idt + 0x1000)),
        "CR4 differs between processors: processor 0: SMEP SMAP UMIP FSGSBASE; processor 1: SMAP UMIP FSGSBASE"
            .to_owned(),
    ];
    assert_eq!(remarks(&dump, "cpus"), expected);
    // Who took the entry over does not say whether user mode has page tables of its own; the variable does.
    let found = rows(&dump, "cpus");
    assert_eq!([&found[0]["kva_shadow_evidence"], &found[1]["kva_shadow_evidence"]], ["MsrLStar", "KiKvaShadow"]);
    assert_eq!(found[1]["kva_shadow"], false);
}

/// A gate into the kernel in the table of segments, and another copy of the services for threads with a window.
#[test]
fn gates_and_copies_are_told() {
    let image = bare(19041).memory(24 << 20).build();
    let truth = image.truth();
    let (mut bytes, _) = dump(&image, Kind::Raw);
    let space = image.space(4).unwrap();
    let at = |va: u64| usize::try_from(space.translate(image.memory(), va).unwrap().physical).unwrap();
    let gdt = truth.cpus[0].gdt;
    let target = 0xffff_f800_1234_5678_u64;
    for (va, value) in [(gdt, 0x1234_ec00_0010_5678), (gdt + 8, target >> 32)] {
        bytes[at(va)..at(va) + 8].copy_from_slice(&u64::to_le_bytes(value));
    }
    // The copy of the table lies elsewhere in the image, and one of its services leads elsewhere.
    let (table, copy) = (symbol(&image, "KiServiceTable"), truth.kernel.base + 0x2_0000);
    for service in &truth.services {
        let address = service.address + if service.index == 9 { 0x40 } else { 0 };
        let distance = u32::try_from(address.wrapping_sub(copy) << 4 & 0xffff_ffff).unwrap();
        let entry = distance | u32::from(service.stack_args);
        let place = at(copy + u64::from(service.index) * 4);
        bytes[place..place + 4].copy_from_slice(&entry.to_le_bytes());
    }
    let shadow = at(symbol(&image, "KeServiceDescriptorTableShadow"));
    bytes[shadow..shadow + 8].copy_from_slice(&copy.to_le_bytes());
    let dump = open("gates and copies", bytes);
    let text = |value: u64| format!("{value:#018x}");
    assert_eq!(remarks(&dump, "gdt"), [format!("processor 0: selector 0x0 is a call gate to {}", text(target))]);
    let moved = truth.services[9].address + 0x40;
    let expected = [
        format!("1 service of nt differs between copies of the table: 9 ({} in ntoskrnl.exe)", text(moved)),
        format!("a description of services leads to a table at {}; KiServiceTable is at {}", text(copy), text(table)),
    ];
    assert_eq!(remarks(&dump, "ssdt"), expected);
}
