//! Headers and heads that are wrong: the fault is told by its field, and everything that it does not touch is found.

use super::*;
use ntlens_testkit::DumpOptions;

/// A field of the file that is overwritten.
struct Fault {
    at: u64,
    bytes: Vec<u8>,
    /// The field that the answer must name.
    field: &'static str,
}

fn fault(at: u64, bytes: &[u8], field: &'static str) -> Fault {
    Fault { at, bytes: bytes.to_vec(), field }
}

fn words(at: u64, values: &[u64], field: &'static str) -> Vec<Fault> {
    values.iter().map(|value| fault(at, &value.to_le_bytes(), field)).collect()
}

fn halves(at: u64, values: &[u32], field: &'static str) -> Vec<Fault> {
    values.iter().map(|value| fault(at, &value.to_le_bytes(), field)).collect()
}

/// The kinds that hold physical memory.
const KINDS: [Kind; 8] = [
    Kind::Full,
    Kind::Summary,
    Kind::BitmapFull { active: false },
    Kind::BitmapFull { active: true },
    Kind::BitmapKernel { live: true },
    Kind::RdmpKernel,
    Kind::RdmpUser,
    Kind::RdmpFull,
];

fn type_of(kind: Kind) -> u32 {
    match kind {
        Kind::Full => 1,
        Kind::Summary => 2,
        Kind::BitmapFull { .. } => 5,
        Kind::BitmapKernel { .. } => 6,
        Kind::RdmpKernel => 8,
        Kind::RdmpUser => 9,
        Kind::RdmpFull => 10,
        other => panic!("{other:?}"),
    }
}

/// Faults of fields that every header has. Offsets are those of `DUMP_HEADER64`.
fn of_header(kind: Kind) -> Vec<Fault> {
    let mut faults = vec![
        fault(0, b"PAGX", "DUMP_HEADER64.Signature"),
        fault(4, b"\0\0\0\0", "DUMP_HEADER64.ValidDump"),
        fault(0, &[0; 8], "DUMP_HEADER64.Signature"),
    ];
    let dtb = [0, 0x3000, 0x1_0000_0000_0000, u64::MAX];
    faults.extend(words(0x10, &dtb, "DUMP_HEADER64.DirectoryTableBase"));
    let pointers = [0, 0x1000, SMALL.truth().kernel.base, 0xffff_8000_dead_0000, u64::MAX];
    faults.extend(words(0x20, &pointers, "DUMP_HEADER64.PsLoadedModuleList"));
    faults.extend(words(0x28, &pointers, "DUMP_HEADER64.PsActiveProcessHead"));
    faults.extend(words(0x80, &pointers, "DUMP_HEADER64.KdDebuggerDataBlock"));
    faults.extend(halves(0x30, &[0, 0x14c, 0xaa64, u32::MAX], "DUMP_HEADER64.MachineImageType"));
    let types: Vec<u32> = (0..12).chain([u32::MAX]).filter(|value| *value != type_of(kind)).collect();
    // Of one format several types are in use.
    let same = |value: &u32| match type_of(kind) {
        5 | 6 => (5..=7).contains(value),
        8..=10 => (8..=10).contains(value),
        _ => false,
    };
    let types: Vec<u32> = types.into_iter().filter(|value| !same(value)).collect();
    faults.extend(halves(0xf98, &types, "DUMP_HEADER64.DumpType"));
    faults
}

/// Faults of the fields that describe the memory of a kind.
fn of_kind(kind: Kind, bytes: &[u8]) -> Vec<Fault> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let around = |value: u64| [0, value + 0x1000, value + 1, 1 << 40, u64::MAX];
    match kind {
        Kind::Full => {
            let runs = half(0x88);
            let number = "DUMP_HEADER64.PhysicalMemoryBlock.NumberOfRuns";
            let mut faults = halves(0x88, &[0, 1, runs - 1, runs + 1, 42, 43, u32::MAX], number);
            let pages = word(0x90);
            let field = "DUMP_HEADER64.PhysicalMemoryBlock.NumberOfPages";
            faults.extend(words(0x90, &[0, pages - 1, pages + 1, 1 << 40, u64::MAX], field));
            for (run, field) in
                [(0, "DUMP_HEADER64.PhysicalMemoryBlock.Run[0]"), (1, "DUMP_HEADER64.PhysicalMemoryBlock.Run[1]")]
            {
                let at = 0xa0 + run * 16;
                let count = word(at);
                let wrong = [count - 1, count + 1, 1 << 41, u64::MAX]
                    .map(|count| fault(at as u64, &count.to_le_bytes(), field));
                faults.extend(wrong);
            }
            faults
        }
        Kind::Summary => {
            let narrow = |value: u32| [0, value + 0x1000, value + 1, u32::MAX];
            let mut faults = halves(0x200c, &narrow(half(0x200c)), "SUMMARY_DUMP.HeaderSize");
            faults.extend(halves(0x2010, &[0, 8, u32::MAX], "SUMMARY_DUMP.BitmapSize"));
            faults.extend(halves(0x2014, &[0, half(0x2014) + 1, u32::MAX], "SUMMARY_DUMP.Pages"));
            faults.push(fault(0x2000, b"????", "SUMMARY_DUMP.Signature"));
            faults.push(fault(0x2004, b"????", "SUMMARY_DUMP.ValidDump"));
            faults
        }
        Kind::BitmapFull { .. } | Kind::BitmapKernel { .. } => {
            let mut faults = words(0x2020, &around(word(0x2020)), "BITMAP_DUMP.FirstPage");
            faults.extend(words(0x2028, &around(word(0x2028)), "BITMAP_DUMP.TotalPresentPages"));
            faults.extend(words(0x2030, &[0, 8, 1 << 32, 1 << 40, u64::MAX], "BITMAP_DUMP.BitmapSize"));
            faults.push(fault(0x2000, b"????", "BITMAP_DUMP.Signature"));
            faults.push(fault(0x2004, b"????", "BITMAP_DUMP.ValidDump"));
            faults
        }
        _ => {
            let mut faults = words(0x2018, &around(word(0x2018)), "RDMP_HEADER64.FirstPageOffset");
            let size = word(0x2010);
            faults.extend(words(0x2010, &[0, size + 0x10, 1 << 40, u64::MAX], "RDMP_HEADER64.MetadataSize"));
            if kind == Kind::RdmpFull {
                let pages = word(0x2028);
                faults.extend(words(0x2028, &[pages + 1, 1 << 40], "RDMP_HEADER64.TotalNumberOfPages"));
            }
            let count = word(0x2038);
            for wrong in [count - 1, count + 1, 1 << 41, u64::MAX] {
                faults.push(fault(0x2038, &wrong.to_le_bytes(), "RDMP_HEADER64.Range[0]"));
            }
            faults.push(fault(0x2000, b"????", "RDMP_HEADER64.Marker"));
            faults.push(fault(0x2004, b"????", "RDMP_HEADER64.Signature"));
            faults.push(fault(0x2008, b"????", "RDMP_HEADER64.ValidDump"));
            faults
        }
    }
}

/// What an answer with a fault must say and hold; what is wrong with it.
fn judge(dump: &OpenDump, fault: &Fault) -> Option<String> {
    let document = document(dump, "info");
    let is_it = |missing: &&Json| {
        let (structure, field) = (missing["structure"].as_str(), missing["field"].as_str());
        structure.zip(field).map(|(structure, field)| format!("{structure}.{field}")).as_deref() == Some(fault.field)
    };
    let told = document["incomplete"].as_array().unwrap();
    let Some(missing) = told.iter().find(is_it) else { return Some(format!("says {}", document["incomplete"])) };
    if !missing["found"].is_string() || !missing["expected"].is_string() || missing["file_offset"].is_null() {
        return Some(format!("says only {missing}"));
    }
    // A run's count lies behind its base.
    let offset = hex_of(&missing["file_offset"]);
    if !(fault.at.saturating_sub(8)..=fault.at).contains(&offset) {
        return Some(format!("names offset {offset:#x}"));
    }
    if let Err(why) = dump.kernel() {
        return Some(format!("finds no kernel: {why}"));
    }
    let lost: Vec<_> = all_eprocesses().difference(&eprocesses(dump)).cloned().collect();
    if !lost.is_empty() {
        return Some(format!("loses the processes {lost:?}"));
    }
    let modules = rows(dump, "modules").len();
    (modules != SMALL.truth().modules.len()).then(|| format!("lists {modules} modules"))
}

fn hex_of(value: &Json) -> u64 {
    common::hex(value).unwrap()
}

#[test]
fn a_wrong_field_of_any_kind_is_named_and_costs_nothing() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for kind in KINDS {
        let bytes = Arc::new(dump(&SMALL, DumpOptions::new(kind)).0);
        for fault in of_header(kind).into_iter().chain(of_kind(kind, &bytes)) {
            cases += 1;
            let place = format!("{kind:?} {:#x} = {:x?}", fault.at, fault.bytes);
            let found = match survives(&place, Patched::of(&bytes).set(fault.at, &fault.bytes)) {
                Ok(opened) => judge(&opened, &fault),
                Err(error) => Some(format!("does not open: {error}")),
            };
            wrong.extend(found.map(|found| format!("{place} ({}): {found}", fault.field)));
        }
    }
    common::record(&format!("salvage: {cases} wrong fields, {} not recognised or at a cost", wrong.len()));
    assert!(cases > 400, "{cases}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn faults_that_come_together_are_told_together() {
    let length = FULL.len() / 10 * 9;
    let several = Patched::of(&FULL)
        .set(0, b"????")
        .set(0x10, &[0; 8])
        .set(0x28, &[0x41; 8])
        .set(0x80, &[0; 8])
        .set(0xf98, &5_u32.to_le_bytes())
        .cut(length);
    let opened = survives("several", several).unwrap();
    assert_eq!(eprocesses(&opened), all_eprocesses());
    let said = complaints(&opened, "info");
    for field in ["Signature", "DirectoryTableBase", "PsActiveProcessHead", "KdDebuggerDataBlock", "DumpType", "size"] {
        assert!(said.contains(&format!("\"field\":\"{field}\"")), "{field}: {said}");
    }
}

#[test]
fn extracting_from_page_tables_that_lead_to_themselves_ends() {
    use ntlens::extract::{Extract, Of};
    let process = &SMALL.truth().processes[2];
    let root = process.dtb & 0x000f_ffff_ffff_f000;
    let everywhere = (root | 0x67).to_le_bytes().repeat(0x200);
    let large = (0_u64..0x200).flat_map(|index| (index << 30 | 0xe7).to_le_bytes()).collect::<Vec<u8>>();
    let table = SMALL.memory().read_u64(root) & 0x000f_ffff_ffff_f000;
    assert_ne!(table, 0);
    for (place, source, keeps) in [
        ("the root in every slot", Patched::of(&FULL).set(of_physical(root), &everywhere[..0x800]), true),
        ("the root in every slot of a table", Patched::of(&FULL).set(of_physical(table), &everywhere), true),
        // All memory is that process's own then.
        ("512 pages of 1 GiB", Patched::of(&FULL).set(of_physical(table), &large), false),
        ("garbage", Patched::of(&FULL).set(of_physical(table), &[0xa5; 0x1000]), true),
    ] {
        let opened = source.open().unwrap();
        for of in [Of::Process(process.pid), Of::Process(SMALL.truth().processes[1].pid), Of::Kernel] {
            let start = Instant::now();
            let extract = Extract::new(&opened, &*LAYOUTS, Options::default(), of).unwrap();
            let mut bytes = Vec::new();
            extract.write(&mut bytes).unwrap();
            assert!(start.elapsed() < PATIENCE, "{place}: {:?}", start.elapsed());
            if keeps || of == Of::Process(process.pid) {
                assert_eq!(eprocesses(&kit::open(place, bytes)), all_eprocesses(), "{place} {of:?}");
            }
        }
    }
}

/// The small machine, with some of its memory overwritten.
fn small_with(at: u64, bytes: &[u8]) -> Image {
    let mut image = SMALL.clone();
    image.write_kernel(at, bytes);
    image
}

#[test]
fn a_wiped_head_is_named_and_costs_nothing() {
    for kind in KINDS {
        for (name, table) in [("PsActiveProcessHead", "processes"), ("PsLoadedModuleList", "modules")] {
            let head = symbol(&SMALL, name);
            for wiped in [[0; 16], [0xff; 16], [0x41; 16]] {
                let place = format!("{kind:?} {name} is {:#x}", wiped[0]);
                let bytes = Arc::new(dump(&small_with(head, &wiped), DumpOptions::new(kind)).0);
                let opened = survives(&place, Patched::of(&bytes)).unwrap();
                assert_eq!(eprocesses(&opened), all_eprocesses(), "{place}");
                let names: Vec<Json> = rows(&opened, "modules").iter().map(|row| row["name"].clone()).collect();
                let expected: Vec<Json> =
                    SMALL.truth().modules.iter().map(|module| module.name.as_str().into()).collect();
                assert_eq!(names, expected, "{place}");
                let told = document(&opened, table)["incomplete"].clone();
                for field in ["Flink", "Blink"] {
                    let is_head = |missing: &&Json| {
                        missing["address"] == address(head + if field == "Blink" { 8 } else { 0 })
                            || missing["address"] == address(head)
                    };
                    let of_head = told.as_array().unwrap().iter().filter(is_head);
                    let named = of_head.filter(|missing| missing["field"] == field && missing["structure"] == name);
                    assert_eq!(named.count(), 1, "{place} {field}: {told}");
                }
            }
        }
    }
}

#[test]
fn a_small_dump_of_another_type_is_one_still() {
    for other in [1_u32, 2, 3, 5, 6, 9, 77] {
        let opened = survives("triage", Patched::of(&TRIAGE).set(0xf98, &other.to_le_bytes())).unwrap();
        assert_eq!(rows(&opened, "info")[0]["dump_kind"], "triage", "{other}");
        let said = complaints(&opened, "info");
        assert!(said.contains("DumpType"), "{other}: {said}");
        assert_eq!(rows(&opened, "modules").len(), SMALL.truth().modules.len(), "{other}");
    }
}

#[test]
fn a_bit_that_is_wrong_is_told_and_what_lies_behind_it_is_found() {
    // The lowest frame is described no more: every frame behind it lies one page further than its bits say.
    let bytes = Arc::new(dump(&SMALL, Kind::BitmapFull { active: false }).0);
    let first = bytes[0x2038..].iter().position(|byte| *byte != 0).unwrap();
    let cleared = bytes[0x2038 + first] & (bytes[0x2038 + first] - 1);
    let opened = survives("a bit", Patched::of(&bytes).set(0x2038 + first as u64, &[cleared])).unwrap();
    assert_eq!(eprocesses(&opened), all_eprocesses());
    let said = complaints(&opened, "info");
    assert!(said.contains("TotalPresentPages") && said.contains("FirstPage"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_description_of_memory_is_read_without_harm(
        kind in 0..KINDS.len(),
        patches in prop::collection::vec((0_u64..0x90, any::<u64>(), 0_u8..3), 1..6),
    ) {
        static BYTES: LazyLock<Vec<Arc<Vec<u8>>>> =
            LazyLock::new(|| KINDS.iter().map(|kind| Arc::new(dump(&SMALL, DumpOptions::new(*kind)).0)).collect());
        let mut source = Patched::of(&BYTES[kind]);
        for (offset, value, scale) in patches {
            // In the run list, or in the header of the kind; small and large numbers.
            let at = if offset < 0x48 { 0x88 + offset / 4 * 4 } else { 0x2000 + (offset - 0x48) / 4 * 4 };
            source = source.set(at, &(value >> (scale * 28)).to_le_bytes());
        }
        let start = Instant::now();
        if let Ok(dump) = source.open() {
            prop_assert!(ask_all(&dump) > 0);
            let of = ntlens::extract::Of::Process(4);
            let extract = ntlens::extract::Extract::new(&dump, &*LAYOUTS, Options::default(), of);
            let written = extract.map(|extract| extract.write(&mut std::io::sink()));
            prop_assert!(written.is_err() || dump.kernel().is_ok());
        }
        prop_assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
}
