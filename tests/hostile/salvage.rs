//! Headers and heads that are wrong: the fault is told by its field, and everything that it does not touch is found.

use super::*;
use ntlens_testkit::DumpOptions;

/// The kinds with a header that hold physical memory.
static KINDS: LazyLock<Vec<Kind>> =
    LazyLock::new(|| Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Triage | Kind::Raw)).collect());

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
    for kind in KINDS.iter().copied() {
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
