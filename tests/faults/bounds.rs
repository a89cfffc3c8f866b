//! Bounds that hold for any input: memory and time of opening, and time for small files. That caps are told is in
//! `tests/caps.rs`.

use crate::classes::CLASSES;
use crate::measure::{guarded, measured};
use crate::patched::{LAYOUTS, Patched};
use crate::subject::SUBJECTS;
use crate::{ALONE, common};
use ntlens::nt::snapshot::Options;
use ntlens::report::{QUESTIONS, Wanted};
use ntlens::source::{ByteSource, ReadError};
use ntlens::{FileSource, OpenDump};
use ntlens_testkit::Kind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What opening may keep beside 16 bytes for each run of physical memory.
const AT_OPEN: usize = 32 << 20;
const FOR_EACH_RUN: usize = 16;
const SECOND: Duration = Duration::from_secs(1);
const MEBIBYTE: u64 = 1 << 20;
const HOLE: u64 = 64 << 30;

fn open(source: impl ByteSource + 'static) -> Result<OpenDump, ntlens::CoreError> {
    OpenDump::open("bounds", Arc::new(source), &*LAYOUTS, Options::default())
}

fn runs(dump: &OpenDump) -> usize {
    dump.dump().physical().map_or(0, |image| image.frames().runs().count())
}

/// Opens, and gives the memory that this took and how many runs there are.
fn opened(place: &str, source: impl ByteSource + 'static) -> (usize, Duration, usize, bool) {
    let (dump, cost) = guarded(place, move || measured(|| open(source))).unwrap();
    (cost.memory, cost.time, dump.as_ref().map_or(0, runs), dump.is_ok())
}

fn temporary(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bounds");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// A dump of which only the first bytes are there: behind them every byte is what its offset gives.
struct Pattern {
    head: Vec<u8>,
    len: u64,
    byte: fn(u64) -> u8,
}

impl ByteSource for Pattern {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        if end > self.len {
            return Err(ReadError::PastEnd { offset, end });
        }
        for (at, byte) in (offset..).zip(out) {
            let head = usize::try_from(at).ok().and_then(|at| self.head.get(at));
            *byte = head.copied().unwrap_or_else(|| (self.byte)(at));
        }
        Ok(())
    }
}

fn subject(kind: Kind) -> &'static crate::subject::Subject {
    SUBJECTS.iter().find(|subject| subject.kind == kind).unwrap()
}

/// The header of a bitmap dump with so many bits, all of what follows given by its offset.
fn bitmap(bits: u64, pages: u64, byte: fn(u64) -> u8) -> Pattern {
    let mut head = subject(Kind::BitmapFull { active: false }).bytes[..0x2038].to_vec();
    let first = (0x2038 + bits / 8).next_multiple_of(0x1000);
    for (at, value) in [(0x2020, first), (0x2028, pages), (0x2030, bits)] {
        head[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    Pattern { head, len: first + 0x10_0000, byte }
}

#[test]
fn opening_takes_little_memory_and_sixteen_bytes_for_each_run() {
    let _alone = ALONE.lock().unwrap();
    let mut most = 0;
    let mut check = |place: &str, source: Pattern| {
        let (memory, time, runs, is_open) = opened(place, source);
        most = most.max(memory);
        common::record(&format!("open: {place}: {} KiB, {runs} runs, {time:?}", memory >> 10));
        assert!(memory <= AT_OPEN + FOR_EACH_RUN * runs, "{place}: {memory} bytes for {runs} runs, opened: {is_open}");
        runs
    };
    // Nothing but the pattern's own time is in here: filling 256 MiB byte by byte is what takes long.
    let ones = check("64 Mi frames, all there", bitmap(1 << 26, 1 << 26, |_| 0xff));
    assert_eq!(ones, 1);
    let bits = 1 << 28;
    let blocks = check(
        "256 Mi frames in runs of 4096",
        bitmap(bits, bits / 2, |at| if (at - 0x2038) / 512 % 2 == 0 { 0xff } else { 0 }),
    );
    assert!(blocks > 1 << 14, "{blocks}");
    check("128 Mi frames, every second", bitmap(1 << 27, 1 << 26, |_| 0x55));
    // An RDMP header with as many ranges as are read, each of one page.
    let mut head = subject(Kind::RdmpKernel).bytes[..0x2030].to_vec();
    let first = 0x2030_u64 + (1 << 24);
    head[0x2018..0x2020].copy_from_slice(&first.to_le_bytes());
    head[0x2010..0x2018].copy_from_slice(&(first - 0x2020).to_le_bytes());
    let range = |at: u64| {
        let (entry, byte) = ((at - 0x2030) / 16, (at - 0x2030) % 16);
        match byte {
            0..=3 => (((entry + 1) * 2) >> (byte * 8)).to_le_bytes()[0],
            8 => 1,
            _ => 0,
        }
    };
    let ranges = check("2^20 ranges", Pattern { head: head.clone(), len: first + 0x1000, byte: range });
    assert!(ranges > 1 << 19, "{ranges}");
    // Not in order, and with other numbers of pages: what is tried then is not kept twice.
    let backwards = |at: u64| {
        let (entry, byte) = ((at - 0x2030) / 16, (at - 0x2030) % 16);
        match byte {
            0..=3 => (((1 << 21) - entry * 2) >> (byte * 8)).to_le_bytes()[0],
            8 => 1,
            _ => 0,
        }
    };
    head[0x2010..0x2018].copy_from_slice(&0x1000_u64.to_le_bytes());
    check("2^20 ranges backwards", Pattern { head, len: first + 0x1000, byte: backwards });
    for (at, subject) in SUBJECTS.iter().enumerate() {
        let source = Patched::of(&subject.bytes);
        let (memory, _, runs, _) = opened("a sound dump", source);
        assert!(memory <= AT_OPEN + FOR_EACH_RUN * runs, "{at}: {memory}");
    }
}

/// Every class's faults in files of at most 1 MiB, and files of one byte, of noise, and of page tables that are their own.
#[test]
fn a_file_of_one_mebibyte_ends_within_a_second() {
    let _alone = ALONE.lock().unwrap();
    let mut worst = (Duration::ZERO, String::new());
    let mut count = 0;
    let mut check = |place: String, source: Patched| {
        let work = move || {
            measured(|| {
                let dump = source.open()?;
                let answered = QUESTIONS.iter().filter(|question| question.ask(&dump, Wanted::All).is_ok()).count();
                Ok::<usize, ntlens::CoreError>(answered)
            })
        };
        let (_, cost) = guarded(&place, work).unwrap_or_else(|panic| panic!("{place}: {panic}"));
        count += 1;
        if cost.time > worst.0 {
            worst = (cost.time, place);
        }
    };
    for subject in SUBJECTS.iter() {
        check(format!("{:?}", subject.kind), Patched::of(&subject.bytes).cut(MEBIBYTE.min(subject.bytes.len())));
        for class in CLASSES.iter().filter(|class| (class.kinds)(subject.kind)) {
            for fault in (class.make)(subject).iter().step_by(7) {
                let cut = fault.make(&subject.bytes);
                let length = ByteSource::len(&cut).min(MEBIBYTE);
                check(format!("{:?} {}: {}", subject.kind, class.name, fault.what), cut.cut(length));
            }
        }
        // The header, and behind it page tables of which each entry leads to each of them.
        let mut state = 7_u64;
        for shape in 0..6_u64 {
            let bytes = subject.bytes.as_slice();
            let mut bytes = bytes[..usize::try_from(MEBIBYTE).unwrap().min(bytes.len())].to_vec();
            let from = usize::try_from(subject.first_page.max(0x3000)).unwrap().next_multiple_of(8).min(bytes.len());
            let first = subject.truth().kernel.system_dtb >> 12;
            for (index, word) in bytes[from..].chunks_exact_mut(8).enumerate() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let value = match shape {
                    0 => first << 12 | 0x63,
                    1 => (index as u64 % 0x100) << 12 | 0x63,
                    2 => (state >> 40 & 0xff) << 12 | 0x63,
                    3 => state,
                    4 => 0xffff_8000_0000_0000 | state >> 20,
                    _ => u64::MAX,
                };
                word.copy_from_slice(&value.to_le_bytes());
            }
            let bytes = Arc::new(bytes);
            check(format!("{:?} of shape {shape}", subject.kind), Patched::of(&bytes));
            // The same without a header: raw memory.
            let mut raw = bytes.to_vec();
            raw.resize(usize::try_from(MEBIBYTE).unwrap(), 0);
            raw[..8].fill(0xc3);
            check(format!("raw of shape {shape}"), Patched::of(&Arc::new(raw)));
        }
    }
    common::record(&format!("1 MiB: {count} files, at most {:?} ({})", worst.0, worst.1));
    assert!(worst.0 < SECOND, "{worst:?}");
}

#[test]
fn a_hole_of_64_gib_opens_or_is_refused_within_a_second() {
    let _alone = ALONE.lock().unwrap();
    for (place, head) in [
        ("nothing but a hole", Vec::new()),
        ("a header before a hole", subject(Kind::Full).bytes[..0x2000].to_vec()),
        ("a bitmap before a hole", subject(Kind::BitmapFull { active: false }).bytes[..0x8000].to_vec()),
        ("an RDMP header before a hole", subject(Kind::RdmpFull).bytes[..0x4000].to_vec()),
        ("a small dump before a hole", subject(Kind::Triage).bytes.to_vec()),
    ] {
        let path = temporary("hole");
        std::fs::write(&path, &head).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(HOLE).unwrap();
        let (memory, time, runs, _) = opened(place, FileSource::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        common::record(&format!("64 GiB: {place}: {time:?}, {} KiB", memory >> 10));
        assert!(time < SECOND, "{place}: {time:?}");
        assert!(memory <= AT_OPEN + FOR_EACH_RUN * runs, "{place}: {memory}");
    }
}
