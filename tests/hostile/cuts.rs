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
            assert_eq!(info["physical_pages_present"], cut.saturating_sub(first) / 0x1000, "{place}");
            assert_eq!(info["file_complete"], cut == facts.file_size, "{place}");
            if cut >= first {
                assert_eq!(info["physical_pages_described"], facts.pages_in_dump, "{place}");
            }
            if cut == facts.file_size {
                assert_eq!(eprocesses(&opened), all_eprocesses());
            }
        }
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
