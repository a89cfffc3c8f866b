//! Dumps cut short.

use super::*;

/// Lengths around every structure's end, and a sample in between.
fn cuts(bytes: &[u8], borders: &[u64]) -> BTreeSet<u64> {
    let length = bytes.len() as u64;
    let general = [8, 0x2000, length];
    let around = borders.iter().chain(&general).flat_map(|border| [border - 1, *border, border + 1]);
    let sample = (1..12).map(|part| length / 12 * part + part);
    around.chain(sample).filter(|cut| *cut <= length).collect()
}

#[test]
fn a_dump_cut_short_opens_with_what_is_left() {
    let build = SMALL.truth().build;
    for (kind, bytes) in [(Kind::Full, &FULL), (KERNEL, &BITMAP), (Kind::Summary, &SUMMARY), (Kind::RdmpFull, &RDMP)] {
        let facts = dump(&SMALL, kind).1.dump.unwrap();
        let first = facts.first_page_offset.unwrap();
        for cut in cuts(bytes, &[0x2028, 0x2038, first, first + 0x1000, facts.file_size - 0x1000]) {
            let place = format!("{kind:?} cut at {cut:#x}");
            let opened = match survives(&place, Patched::of(bytes).cut(cut)) {
                Ok(opened) => opened,
                Err(error) => {
                    // Without its whole description there is no dump.
                    assert!(cut < first, "{place}: {error}");
                    continue;
                }
            };
            assert!(cut >= 0x2000, "{place} has no header");
            let info = &rows(&opened, "info")[0];
            assert_eq!(info["windows_build"], build, "{place}");
            assert_eq!(info["file_complete"], cut == facts.file_size, "{place}");
            if cut >= first {
                assert_eq!(info["physical_pages_present"], (cut - first) / 0x1000, "{place}");
                assert_eq!(info["physical_pages_described"], facts.pages_in_dump, "{place}");
            } else {
                // No frame is there, or even known where the bits are cut, and that is said.
                assert!(matches!(info["physical_pages_present"].as_u64(), None | Some(0)), "{place}");
                assert!(!complaints(&opened, "info").is_empty(), "{place}");
            }
            if cut == facts.file_size {
                assert_eq!(eprocesses(&opened), all_eprocesses());
            }
        }
    }
}

#[test]
fn a_bitmap_cut_short_leaves_the_header() {
    for (kind, bytes) in [(KERNEL, &BITMAP), (Kind::Summary, &SUMMARY)] {
        let first = dump(&SMALL, kind).1.dump.unwrap().first_page_offset.unwrap();
        for cut in [0x2039, 0x2080] {
            let place = format!("{kind:?} cut at {cut:#x}");
            let opened = survives(&place, Patched::of(bytes).cut(cut)).unwrap();
            assert_eq!(rows(&opened, "info")[0]["windows_build"], SMALL.truth().build, "{place}");
            let told = ntlens::report::doctor::diagnose(&opened).faults;
            let told = told.iter().filter_map(|fault| fault.incomplete.wrong.as_deref());
            let size = told.into_iter().find(|wrong| wrong.structure == "file" && wrong.field == "size").unwrap();
            assert_eq!(size.found, format!("{cut:#x}"), "{place}");
            assert!(size.expected.contains(&format!("{first:#x}")), "{place}: {}", size.expected);
        }
    }
}

#[test]
fn a_file_that_ends_before_a_signature_is_too_short_and_has_no_other() {
    for (name, bytes) in [("bitmap", &BITMAP), ("rdmp", &RDMP), ("small", &TRIAGE)] {
        for cut in 0x2000..0x2009 {
            let error = survives(name, Patched::of(bytes).cut(cut)).err().unwrap().to_string();
            let held = format!("size is {:#x} bytes", cut - 0x2000);
            assert!(error.contains(&held), "{name} cut at {cut:#x}: {error}");
        }
    }
}

#[test]
fn the_size_that_a_small_dump_should_have_is_told() {
    let size = u32::from_le_bytes(TRIAGE[0x2004..0x2008].try_into().unwrap());
    let opened = Patched::of(&TRIAGE).cut(u64::from(size) - 8).open().unwrap();
    let told = opened.incomplete().iter().filter_map(|told| told.wrong.as_deref()).find(|wrong| wrong.field == "size");
    assert_eq!(told.unwrap().expected, format!("{size:#x}"));
}

#[test]
fn what_follows_a_dump_is_told_unless_it_may() {
    let noise: Vec<u8> = (0..1_u64 << 20).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 7).to_le_bytes()[0] | 1).collect();
    let blob = [&b"DumpBlob"[..], &noise].concat();
    for (name, bytes) in
        [("full", &FULL), ("bitmap", &BITMAP), ("summary", &SUMMARY), ("rdmp", &RDMP), ("small", &TRIAGE)]
    {
        let told = |more: &[u8]| {
            let opened = Patched::of(&Arc::new([&bytes[..], more].concat())).open().unwrap();
            let faults = ntlens::report::doctor::diagnose(&opened).faults;
            let wrong = faults.iter().filter_map(|fault| fault.incomplete.wrong.as_deref());
            wrong.filter(|wrong| wrong.structure == "file" && wrong.field == "tail").count()
        };
        assert_eq!([told(&noise), told(&blob), told(&vec![0; 1 << 20]), told(&[])], [1, 0, 0, 0], "{name}");
    }
}

#[test]
fn what_lies_before_a_cut_is_found() {
    // Frames are taken from the lowest on: the last third of memory is free.
    let opened = survives("a third cut off", Patched::of(&FULL).cut(FULL.len() / 10 * 9)).unwrap();
    assert_eq!(eprocesses(&opened), all_eprocesses());
    assert_eq!(rows(&opened, "modules").len(), SMALL.truth().modules.len());
    // Taken from the highest down, everything hangs on the frames at the end.
    let mut machine = bare(19041).memory(24 << 20).placement(Placement::Descending);
    machine.process(ProcessSpec::named("a.exe"));
    let bytes = Arc::new(dump(&machine.build(), Kind::Full).0);
    let opened = Patched::of(&bytes).cut(bytes.len() / 2).open().unwrap();
    assert!(matches!(opened.kernel(), Err(CoreError::NoKernel { .. })));
    assert_eq!(rows(&opened, "info")[0]["file_complete"], false);
}

#[test]
fn a_small_dump_cut_short_opens_with_what_is_left() {
    let truth = SMALL.truth();
    let u32_at = |at: usize| u64::from(u32::from_le_bytes(TRIAGE[at..at + 4].try_into().unwrap()));
    let borders: Vec<u64> =
        [0x201c, 0x2020, 0x2024, 0x2028, 0x2070, 0x2030, 0x2038, 0x2078, 0x2008].map(u32_at).to_vec();
    let drivers = u32_at(0x2030);
    for cut in cuts(&TRIAGE, &[&borders[..], &[0x2080, 0x20d0, drivers + 0x90]].concat()) {
        let place = format!("triage cut at {cut:#x}");
        let opened = match survives(&place, Patched::of(&TRIAGE).cut(cut)) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(cut < 0x2080, "{place}: {error}");
                continue;
            }
        };
        assert_eq!(rows(&opened, "info")[0]["file_complete"], cut >= u32_at(0x2004), "{place}");
        // Modules are listed as far as their entries are in the file.
        let held = usize::try_from(cut.saturating_sub(drivers) / 0x90).unwrap().min(truth.modules.len());
        if opened.kernel().is_ok() {
            let found = rows(&opened, "modules");
            assert_eq!(found.len(), held, "{place}");
            for (row, module) in found.iter().zip(&truth.modules) {
                assert_eq!(row["base"], address(module.base), "{place}");
            }
        }
    }
}
