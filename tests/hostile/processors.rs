//! Tables of processors and of services that are broken, or made to deceive.

use super::*;

const REGISTERS: &str = "ProcessorState.SpecialRegisters";

fn register(name: &str) -> u64 {
    SMALL.truth().cpus[0].prcb + offset(&SMALL, "_KPRCB", &format!("{REGISTERS}.{name}"))
}

/// An address of the kernel that nothing is mapped at.
const NOWHERE: u64 = 0xffff_f123_4567_8000;

/// The rows of a table, and whether the answer complains of more than it does without damage.
fn answer(place: &str, source: Patched, table: &str) -> (Vec<Json>, String) {
    let opened = survives(place, source).unwrap();
    (rows(&opened, table), complaints(&opened, table))
}

#[test]
fn an_interrupt_table_may_be_anywhere_and_of_any_size() {
    let base = at(register("Idtr.Base"));
    for (wrong, expected) in
        [(0, 256), (0x1000, 0), (NOWHERE, 0), (u64::MAX, 0), (0x4141_4141_4141_4141, 0), (u64::MAX - 0x7ff, 0)]
    {
        let place = format!("IDTR leads to {wrong:#x}");
        let patched = Patched::of(&FULL).set(base, &u64::to_le_bytes(wrong));
        let (found, complaint) = answer(&place, patched, "idt");
        // Where the register was not saved, the KPCR tells.
        assert_eq!(found.len(), expected, "{place}");
        assert_eq!(complaint.is_empty(), expected > 0, "{place}: {complaint}");
    }
    for (limit, expected) in [(0_u16, 0), (14, 0), (15, 1), (0x7ff, 128), (0xfff, 256), (0xffff, 256)] {
        let patched = Patched::of(&FULL).set(at(register("Idtr.Limit")), &limit.to_le_bytes());
        let (found, _) = answer("limit of the interrupt table", patched, "idt");
        assert_eq!(found.len(), expected, "{limit:#x}");
    }
    // Entries of all kinds.
    let table = at(SMALL.truth().cpus[0].idt);
    for byte in [0, 0x41, 0xff] {
        let (found, _) = answer("entries", Patched::of(&FULL).set(table, &[byte; 0x1000]), "idt");
        assert_eq!(found.len(), 256);
    }
}

#[test]
fn a_descriptor_table_may_be_anywhere_and_of_any_size() {
    let base = at(register("Gdtr.Base"));
    for wrong in [0, 0x1000, NOWHERE, u64::MAX, u64::MAX - 0x3ff] {
        let place = format!("GDTR leads to {wrong:#x}");
        let (found, complaint) = answer(&place, Patched::of(&FULL).set(base, &u64::to_le_bytes(wrong)), "gdt");
        assert_eq!((found.len(), complaint.is_empty()), (0, false), "{place}");
    }
    for (limit, expected) in [(0_u16, 0), (0x17, 1), (0x57, 7)] {
        let patched = Patched::of(&FULL).set(at(register("Gdtr.Limit")), &limit.to_le_bytes());
        assert_eq!(answer("limit of the descriptor table", patched, "gdt").0.len(), expected, "{limit:#x}");
    }
    // As large as its register allows: the descriptors that are there, and a complaint about the rest.
    let patched = Patched::of(&FULL).set(at(register("Gdtr.Limit")), &[0xff; 2]);
    let (found, complaint) = answer("limit of the descriptor table", patched, "gdt");
    assert!(found.len() >= 7 && !complaint.is_empty(), "{}: {complaint}", found.len());
    // A task state segment that is nowhere.
    let tss = at(SMALL.truth().cpus[0].gdt + 0x48);
    let (found, _) = answer("tss", Patched::of(&FULL).set(tss, &u32::MAX.to_le_bytes()), "gdt");
    assert!(found.iter().any(|row| row["kind"] == "tss-busy" && row["rsp0"].is_null()));
}

#[test]
fn interrupt_objects_may_be_anything() {
    let array = SMALL.truth().cpus[0].prcb + offset(&SMALL, "_KPRCB", "InterruptObject");
    let slot = at(array + 0x50 * 8);
    let row = |source| {
        let (found, complaint) = answer("interrupt objects", source, "idt");
        (found[0x50].clone(), complaint)
    };
    for (wrong, reason) in [
        (0x1000, "malformed"),
        (SMALL.truth().kernel.base, "malformed"),
        (NOWHERE, "not-present"),
        (u64::MAX, "not-present"),
    ] {
        let (row, _) = row(Patched::of(&FULL).set(slot, &u64::to_le_bytes(wrong)));
        assert_eq!(row["absent"]["interrupt_objects"], reason, "{wrong:#x}");
        assert_eq!(row["module"], "ntoskrnl.exe");
    }
    // Two objects in memory that was something else, linked in wrong ways.
    let objects = [SMALL.truth().kernel.base + 0x2_0000, SMALL.truth().kernel.base + 0x2_1000];
    let links = offset(&SMALL, "_KINTERRUPT", "InterruptListEntry");
    let linked = |pairs: [[u64; 2]; 2]| {
        let mut source = Patched::of(&FULL).set(slot, &objects[0].to_le_bytes());
        for (object, [flink, blink]) in objects.iter().zip(pairs) {
            source = source
                .set(at(*object), &22_u16.to_le_bytes())
                .set(at(object + links), &flink.to_le_bytes())
                .set(at(object + links + 8), &blink.to_le_bytes());
        }
        source
    };
    let [a, b] = objects.map(|object| object + links);
    // Routines at address 0 are in no module, and are told.
    let opened = survives("routines", linked([[b, b], [a, a]])).unwrap();
    let expected = format!(
        "processor 0: 2 service routines lie in no module: vector 80 ({0}), vector 80 ({0})",
        "0x0000000000000000"
    );
    assert_eq!(question("idt").unwrap().ask(&opened, Wanted::All).unwrap().remarks, [expected]);
    for (pairs, expected, complains) in [
        ([[b, b], [a, a]], 2, false),
        ([[0, 0], [0, 0]], 1, false),
        ([[a, a], [b, b]], 1, false),
        // The second leads only to itself: nothing of its own says that it belongs to the first.
        ([[b, b], [b, b]], 1, true),
        // The second leads nowhere, but back to the first.
        ([[b, b], [NOWHERE, a]], 2, true),
        ([[NOWHERE, NOWHERE], [0, 0]], 1, true),
        ([[0x1000, 0x1000], [0, 0]], 1, true),
    ] {
        let (row, complaint) = row(linked(pairs));
        let found = row["interrupt_objects"].as_array().unwrap().len();
        assert_eq!((found, !complaint.is_empty()), (expected, complains), "{pairs:x?}: {complaint}");
    }
}

#[test]
fn a_table_of_services_may_claim_anything() {
    let plain = symbol(&SMALL, "KeServiceDescriptorTable");
    let shadow = symbol(&SMALL, "KeServiceDescriptorTableShadow");
    let services = SMALL.truth().services.len();
    let both =
        |field: u64, bytes: &[u8]| Patched::of(&FULL).set(at(plain + field), bytes).set(at(shadow + field), bytes);
    for (place, source, expected, complains) in [
        ("2^32 - 1 services", both(16, &[0xff; 4]), 0, true),
        ("4097 services", both(16, &0x1001_u32.to_le_bytes()), 0, true),
        ("no services", both(16, &[0; 4]), 0, false),
        ("a table at 0", both(0, &[0; 8]), 0, true),
        ("a table of user memory", both(0, &0x1_0000_u64.to_le_bytes()), 0, true),
        ("a table that is nowhere", both(0, &NOWHERE.to_le_bytes()), 0, true),
        // The table of threads without a window is still right.
        ("one of two", Patched::of(&FULL).set(at(shadow + 16), &[0xff; 4]), services, true),
        // Two tables of one kind: what differs is told beside the other.
        (
            "win32k nowhere",
            Patched::of(&FULL).set(at(shadow + 32), &NOWHERE.to_le_bytes()).set(at(shadow + 48), &[100, 0, 0, 0]),
            services,
            true,
        ),
        (
            "win32k of 2^32 - 1 services",
            Patched::of(&FULL).set(at(shadow + 32), &NOWHERE.to_le_bytes()).set(at(shadow + 48), &[0xff; 4]),
            services,
            true,
        ),
    ] {
        let (found, complaint) = answer(place, source, "ssdt");
        assert_eq!((found.len(), !complaint.is_empty()), (expected, complains), "{place}: {complaint}");
    }
    // The kernel's table taken for that of win32k, as one who redirects it may do: other numbers, and all told.
    let table = symbol(&SMALL, "KiServiceTable");
    let source = Patched::of(&FULL).set(at(shadow + 32), &table.to_le_bytes()).set(at(shadow + 48), &[10, 0, 0, 0]);
    let (found, _) = answer("win32k is the kernel's", source, "ssdt");
    assert_eq!(found.len(), services + 10);
    // Entries of all kinds lead somewhere.
    let source = Patched::of(&FULL).set(at(table), &[0x80, 0xff, 0xff, 0x7f].repeat(services));
    assert_eq!(answer("far entries", source, "ssdt").0.len(), services);
}
