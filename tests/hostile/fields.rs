//! Fields of the file that hold what they should not.

use super::*;

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
