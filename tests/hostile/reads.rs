//! Reads that fail, and bytes that are flipped.

use super::*;

/// A source whose reads fail as a counter says.
struct Failing<F> {
    bytes: Arc<Vec<u8>>,
    reads: AtomicU64,
    fails: F,
}

impl<F: Fn(u64) -> bool + Send + Sync> ByteSource for Failing<F> {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        if (self.fails)(number) {
            return Err(ReadError::Failed { offset, message: "the disk is worn out".into() });
        }
        self.bytes.read_at(offset, out)
    }
}

fn with_failures(fails: impl Fn(u64) -> bool + Send + Sync + 'static) -> (Result<BTreeSet<u64>, CoreError>, u64) {
    let source = Arc::new(Failing { bytes: BITMAP.clone(), reads: AtomicU64::new(0), fails });
    let start = Instant::now();
    let opened = OpenDump::open("failing", source.clone(), &*LAYOUTS, Options::default());
    let found = opened.and_then(|dump| dump.processes());
    let found = found.map(|found| found.processes.iter().map(|process| process.eprocess().0).collect());
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    (found, source.reads.load(Ordering::Relaxed))
}

#[test]
fn many_reads_that_fail_leave_a_partial_answer_or_a_typed_error() {
    let known: BTreeSet<u64> = SMALL.truth().processes.iter().map(|process| process.eprocess).collect();
    let (found, reads) = with_failures(|_| false);
    assert_eq!(found.unwrap(), known);
    assert!(reads > 50, "{reads} reads");
    let mut partial = 0;
    let mut check = |place: String, found: Result<BTreeSet<u64>, CoreError>| match found {
        Ok(found) => {
            assert!(found.is_subset(&known), "{place}");
            partial += 1;
        }
        Err(CoreError::Read(_) | CoreError::NoKernel { .. } | CoreError::NoLayout { .. }) => {}
        Err(other) => panic!("{place}: {other}"),
    };
    // Each read alone is what `tests/read_failures.rs` is about; here it is every n-th.
    for n in [1, 2, 3, 5, 8, 16, 50, 100, 1000, reads - 1] {
        check(format!("every {n}. read"), with_failures(move |read| read % n == 0).0);
    }
    assert!(partial > 2, "{partial} answers");
}

/// File offsets of the frames that hold something.
static USED: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let frames = SMALL.memory().pages().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    frames.map(|(frame, _)| of_physical(frame * 0x1000)).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_end_in_an_answer_or_an_error(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..0x1000, 0_u8..8), 1..400),
        header in prop::collection::vec((0_u64..0x2000, 0_u8..8), 0..4),
    ) {
        let in_memory = flips.iter().map(|(frame, byte, bit)| (frame.get(&USED) + byte, bit));
        let in_header = header.iter().map(|(byte, bit)| (*byte + 8, bit));
        let mut source = Patched::of(&FULL);
        for (offset, bit) in in_memory.chain(in_header) {
            let byte = FULL[usize::try_from(offset).unwrap()] ^ 1 << bit;
            source = source.set(offset, &[byte]);
        }
        let start = Instant::now();
        if let Ok(dump) = source.open() {
            prop_assert!(ask_all(&dump) > 0);
        }
        prop_assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }

    #[test]
    fn flipped_bits_of_a_small_dump_end_in_an_answer_or_an_error(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..200),
    ) {
        let offsets: Vec<u64> = (8..TRIAGE.len()).collect();
        let mut source = Patched::of(&TRIAGE);
        for (offset, bit) in flips {
            let offset = *offset.get(&offsets);
            source = source.set(offset, &[TRIAGE[usize::try_from(offset).unwrap()] ^ 1 << bit]);
        }
        let start = Instant::now();
        if let Ok(dump) = source.open() {
            prop_assert!(ask_all(&dump) > 0);
        }
        prop_assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
}
