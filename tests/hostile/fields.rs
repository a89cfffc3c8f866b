//! Fields of the file that hold what they should not.

use super::*;

const WORDS: [u64; 5] = [0, 1, 1 << 40, 1 << 63, u64::MAX];

/// Sets every one of these fields to every value that a field should not have.
fn break_fields(name: &str, bytes: &Arc<Vec<u8>>, narrow: &[u64], wide: &[u64]) {
    let mut opened = 0;
    for at in narrow {
        for value in [0, 1, u32::MAX, 1 << 31] {
            let place = format!("{name} {at:#x} = {value:#x}");
            opened += u32::from(survives(&place, Patched::of(bytes).set(*at, &value.to_le_bytes())).is_ok());
        }
    }
    for at in wide {
        for value in WORDS {
            let place = format!("{name} {at:#x} = {value:#x}");
            opened += u32::from(survives(&place, Patched::of(bytes).set(*at, &value.to_le_bytes())).is_ok());
        }
    }
    // Most fields are not needed to read a dump.
    assert!(opened > 0, "{name}: nothing opened");
}

#[test]
fn every_field_of_the_header_may_hold_anything() {
    const NARROW: [u64; 12] = [0x8, 0xc, 0x30, 0x34, 0x38, 0xf00, 0xf18, 0xf98, 0x1038, 0x1040, 0x1044, 0x1050];
    const WIDE: [u64; 8] = [0x18, 0x40, 0x3e0, 0x440, 0xf10, 0xfa0, 0xfa8, 0x1030];
    break_fields("header", &BITMAP, &NARROW, &WIDE);
}

#[test]
fn every_way_to_the_kernel_may_hold_anything() {
    break_fields("header", &BITMAP, &[], &[0x10, 0x20, 0x28, 0x80]);
}

#[test]
fn every_field_of_the_run_list_may_hold_anything() {
    break_fields("runs", &FULL, &[0x88], &[0x90, 0x98, 0xa0, 0xa8, 0xb0, 0xb8, 0xc0]);
}

#[test]
fn every_field_of_a_bitmap_header_may_hold_anything() {
    break_fields("bitmap", &BITMAP, &[0x2000, 0x2004, 0x2008], &[0x2020, 0x2028, 0x2030, 0x2038, 0x2078]);
    break_fields("summary", &SUMMARY, &[0x2000, 0x200c, 0x2010, 0x2014, 0x2018, 0x2028], &[]);
}

#[test]
fn every_field_of_an_rdmp_header_may_hold_anything() {
    let wide = [0x2008, 0x2010, 0x2018, 0x2028, 0x2030, 0x2038, 0x2040, 0x2048];
    break_fields("RDMP", &RDMP, &[0x2000, 0x2004, 0x2020], &wide);
}

#[test]
fn every_field_of_a_triage_header_may_hold_anything() {
    let narrow: Vec<u64> = (0x2004..0x2080).step_by(4).collect();
    let bytes = &TRIAGE;
    let u32_at = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    // The first entries of the tables that it points at, and the fields of KDBG that lead on.
    let (drivers, blocks, kdbg) = (u32_at(0x2030), u32_at(0x2078), u32_at(0x2070));
    let entries = [drivers, drivers + 0x48, blocks + 8, blocks + 12, kdbg + 0x14, kdbg + 0x2a0, kdbg + 0x2b4];
    break_fields("triage", bytes, &[&narrow[..], &entries].concat(), &[0x2048, 0x20d0, blocks, kdbg + 0x218]);
}

#[test]
fn claims_that_no_file_can_keep_are_told() {
    let max = u64::MAX.to_le_bytes();
    for (place, source, says) in [
        ("2^40 pages", Patched::of(&FULL).set(0x90, &(1_u64 << 40).to_le_bytes()), "NumberOfPages"),
        ("a run of 2^40 pages", Patched::of(&FULL).set(0xb0, &(1_u64 << 40).to_le_bytes()), "Run"),
        ("a run at the end of numbers", Patched::of(&FULL).set(0xa8, &max), "Run"),
        ("2^32 - 1 runs", Patched::of(&FULL).set(0x88, &[0xff; 4]), "NumberOfRuns"),
        ("overlapping runs", Patched::of(&FULL).set(0xa8, &2_u64.to_le_bytes()), "claimed by more than one run"),
        ("2^40 pages in a bitmap", Patched::of(&BITMAP).set(0x2028, &(1_u64 << 40).to_le_bytes()), "TotalPresentPages"),
        ("2^40 pages in ranges", Patched::of(&RDMP).set(0x2028, &(1_u64 << 40).to_le_bytes()), "TotalNumberOfPages"),
        ("2^32 - 1 drivers", Patched::of(&TRIAGE).set(0x2034, &[0xff; 4]), "drivers"),
        ("2^32 - 1 blocks", Patched::of(&TRIAGE).set(0x207c, &[0xff; 4]), "data blocks"),
        ("2^64 - 1 unloaded", Patched::of(&TRIAGE).set(0x20d0, &max), "unloaded modules"),
        ("a size of 4 GiB", Patched::of(&TRIAGE).set(0x2004, &[0xff; 4]), "SizeOfDump"),
    ] {
        let opened = survives(place, source).unwrap_or_else(|error| panic!("{place}: {error}"));
        let said = complaints(&opened, "info");
        assert!(said.contains(says), "{place}: {said}");
    }
    // Where no other field tells what is right there is no dump.
    for (place, source, structure) in [
        (
            "a bitmap of 2^40 bits and pages",
            Patched::of(&BITMAP).set(0x2028, &[0xff; 8]).set(0x2030, &(1_u64 << 40).to_le_bytes()),
            "BITMAP_DUMP",
        ),
        ("a bitmap of no bits and pages", Patched::of(&BITMAP).set(0x2028, &[0; 16]), "BITMAP_DUMP"),
        (
            "pages and metadata inside the RDMP header",
            Patched::of(&RDMP).set(0x2010, &0_u64.to_le_bytes()).set(0x2018, &0x2010_u64.to_le_bytes()),
            "RDMP_HEADER64",
        ),
    ] {
        match survives(place, source) {
            Err(CoreError::Malformed { structure: found, .. }) => assert_eq!(found, structure, "{place}"),
            Err(CoreError::Read(ReadError::PastEnd { .. })) if place.contains("2^40") => {}
            other => panic!("{place}: {:?}", other.map(|_| "opened")),
        }
    }
    // Ranges without an end: the list goes on through all pages of the file.
    let endless = Patched::of(&RDMP).set(0x2018, &(RDMP.len() & !0xfff).to_le_bytes());
    let _ = survives("endless ranges", endless);
}

/// An RDMP dump in a sparse file of 16 GiB whose ranges never end: what is read and kept must not grow with that.
struct Endless {
    head: Arc<Vec<u8>>,
    read: AtomicU64,
}

impl ByteSource for Endless {
    fn len(&self) -> u64 {
        1 << 34
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.read.fetch_add(out.len() as u64, Ordering::Relaxed);
        for (at, byte) in (offset..).zip(out) {
            let head = usize::try_from(at).ok().and_then(|at| self.head.get(..0x2030)?.get(at));
            // Behind the header every range is of frame 1 and one page.
            *byte = head.copied().unwrap_or(u8::from(at % 8 == 0));
        }
        Ok(())
    }
}

#[test]
fn a_list_of_ranges_without_an_end_is_read_up_to_a_bound() {
    let mut head = RDMP.to_vec();
    head[0x2018..0x2020].copy_from_slice(&(1_u64 << 33).to_le_bytes());
    head[0x2010..0x2018].copy_from_slice(&((1_u64 << 33) - 0x2020).to_le_bytes());
    let source = Arc::new(Endless { head: Arc::new(head), read: AtomicU64::new(0) });
    let start = Instant::now();
    let opened = ntlens::dump::Dump::open(source.clone()).unwrap();
    assert!(start.elapsed() < PATIENCE);
    assert!(source.read.load(Ordering::Relaxed) < 32 << 20);
    assert!(opened.incomplete.iter().any(|missing| missing.what == "RDMP ranges" && missing.count > 1 << 28));
}
