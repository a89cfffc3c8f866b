//! Extracts of dumps whose page tables claim too much: bounded in time and memory, in proportion, and with a word about what
//! was left out.

use crate::classes::CLASSES;
use crate::measure::{Cost, guarded, measured};
use crate::patched::{LAYOUTS, Patched};
use crate::subject::{SUBJECTS, Subject};
use crate::{ALONE, MOST_MEMORY, MOST_TIME, chosen, common, seeds};
use ntlens::dump::Dump;
use ntlens::extract::{Extract, Of};
use ntlens::nt::snapshot::Options;
use ntlens::{Error, Incomplete, OpenDump};
use ntlens_testkit::Kind;
use std::sync::Arc;

const PAGE: u64 = 0x1000;
/// Where a header has the number of its runs, and the runs.
const NUMBER_OF_RUNS: usize = 0x88;
const RUNS: usize = 0x98;
/// An entry of a page table that leads on, and one of a large page.
const TABLE: u64 = 0x67;
const LARGE: u64 = 0xe7;
const GIB: u64 = 1 << 30;
const TWO_MIB: u64 = 2 << 20;

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// A complete dump that is changed by hand: its runs, and frames of zeros to make page tables of.
struct Changed {
    subject: &'static Subject,
    bytes: Vec<u8>,
    runs: Vec<(u64, u64)>,
    free: Vec<u64>,
}

impl Changed {
    fn new() -> Self {
        let subject = SUBJECTS.iter().find(|subject| subject.kind == Kind::Full).unwrap();
        let bytes = subject.bytes.to_vec();
        let count = usize::from(bytes[NUMBER_OF_RUNS]);
        let run = |index| (word(&bytes, RUNS + 16 * index), word(&bytes, RUNS + 16 * index + 8));
        let runs: Vec<_> = (0..count).map(run).collect();
        let frames = runs.iter().flat_map(|(first, count)| *first..first + count);
        let is_blank = |frame: &u64| {
            let at = usize::try_from(subject.of_physical(frame * PAGE).unwrap()).unwrap();
            bytes[at..at + 0x1000].iter().all(|byte| *byte == 0)
        };
        // The last frame is the one that is given another number.
        let mut free: Vec<u64> = frames.filter(is_blank).collect();
        free.retain(|frame| *frame + 1 != runs.last().unwrap().0 + runs.last().unwrap().1);
        Self { subject, bytes, runs, free }
    }

    fn set(&mut self, physical: u64, value: u64) {
        let at = usize::try_from(self.subject.of_physical(physical).unwrap()).unwrap();
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// The last frame of the file is said to be another one.
    fn last_frame_is(&mut self, frame: u64) {
        self.runs.last_mut().unwrap().1 -= 1;
        self.runs.push((frame, 1));
    }

    /// The last run is said to be very long.
    fn last_run_has(&mut self, frames: u64) {
        self.runs.last_mut().unwrap().1 = frames;
    }

    /// Free places in the root of the page tables of a process, in the user half, or of the kernel's, in the other half.
    fn places(&self, of: Of) -> Vec<u64> {
        let (root, half) = match of {
            Of::Process(_) => (self.subject.truth().named("two.exe").unwrap().dtb & !0xfff, 0..256),
            Of::Kernel => (self.subject.truth().kernel.system_dtb & !0xfff, 256..512),
        };
        let is_free =
            |at: &u64| word(&self.bytes, usize::try_from(self.subject.of_physical(*at).unwrap()).unwrap()) == 0;
        half.map(|index| root + index * 8).filter(is_free).collect()
    }

    /// Tables full of large pages, each page `step` bytes behind the one before it.
    fn large_pages(&mut self, of: Of, size: u64, step: u64) {
        let (places, free) = (self.places(of), self.free.clone());
        // Pages of 1 GiB are in tables below the root, those of 2 MiB one level further down.
        let places = if size == GIB {
            places
        } else {
            self.set(places[0], free[0] * PAGE + TABLE);
            (0..512).map(|index| free[0] * PAGE + index * 8).collect()
        };
        for (index, (place, table)) in places.iter().zip(&free[1..]).enumerate() {
            self.set(*place, table * PAGE + TABLE);
            for entry in 0..512 {
                let at = ((index as u64 * 512 + entry) * step) & 0x000f_ffff_ffff_f000;
                self.set(table * PAGE + entry * 8, at | LARGE);
            }
        }
    }

    /// A page of 4 KiB that is the frame with this number.
    fn small_page(&mut self, of: Of, frame: u64) {
        let mut at = self.places(of)[0];
        for index in 0..3 {
            self.set(at, self.free[index] * PAGE + TABLE);
            at = self.free[index] * PAGE;
        }
        self.set(at, frame * PAGE + TABLE);
    }

    fn finish(mut self) -> Patched {
        let count = u32::try_from(self.runs.len()).unwrap();
        self.bytes[NUMBER_OF_RUNS..NUMBER_OF_RUNS + 4].copy_from_slice(&count.to_le_bytes());
        let total = self.runs.iter().map(|(_, count)| count).sum::<u64>();
        self.bytes[0x90..0x98].copy_from_slice(&total.to_le_bytes());
        for (index, (first, count)) in self.runs.iter().enumerate() {
            let at = RUNS + 16 * index;
            self.bytes[at..at + 8].copy_from_slice(&first.to_le_bytes());
            self.bytes[at + 8..at + 16].copy_from_slice(&count.to_le_bytes());
        }
        Patched::of(&Arc::new(self.bytes))
    }
}

/// What became of an extract.
struct Made {
    bytes: Vec<u8>,
    pages: u64,
    incomplete: Vec<Incomplete>,
}

fn make(dump: &OpenDump, of: Of) -> Result<Made, Error> {
    let extract = Extract::new(dump, &*LAYOUTS, Options::default(), of)?;
    let mut bytes = Vec::new();
    extract.write(&mut bytes)?;
    assert_eq!(bytes.len() as u64, extract.size());
    Ok(Made { bytes, pages: extract.pages(), incomplete: extract.incomplete().to_vec() })
}

/// Opens and extracts within the bounds of any case.
fn bounded(place: &str, source: Patched, of: Of) -> (Result<Made, Error>, Cost) {
    let (made, cost) = guarded(place, move || {
        let dump = source.open();
        measured(|| make(&dump.map_err(Error::from)?, of))
    })
    .unwrap_or_else(|panic| panic!("{place}: {panic}"));
    assert!(cost.time <= MOST_TIME && cost.memory <= MOST_MEMORY, "{place}: {cost:?}");
    if let Ok(made) = &made {
        let small = Dump::open(Arc::new(made.bytes.clone())).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!((small.incomplete.as_slice(), small.pages_present()), (&[][..], Some(made.pages)), "{place}");
    }
    (made, cost)
}

fn pid() -> u64 {
    SUBJECTS[0].truth().named("two.exe").unwrap().pid
}

fn both() -> [Of; 2] {
    [Of::Kernel, Of::Process(pid())]
}

#[test]
fn large_pages_cost_what_the_file_holds_and_not_what_they_claim() {
    let _alone = ALONE.lock().unwrap();
    for half in both() {
        for (what, size, step, frames) in [
            ("pages of 1 GiB below the last frame that there can be", GIB, GIB, None),
            ("pages of 1 GiB in a run that is not there", GIB, GIB, Some(1 << 37)),
            ("pages of 2 MiB in a run that is not there", TWO_MIB, TWO_MIB, Some(1 << 37)),
            ("pages of 2 MiB, far apart, in a run that is not there", TWO_MIB, 128 << 20, Some(1 << 37)),
        ] {
            for of in both() {
                let mut changed = Changed::new();
                assert!(changed.free.len() > 200, "{} free frames", changed.free.len());
                match frames {
                    None => changed.last_frame_is((1 << 40) - 2),
                    Some(frames) => changed.last_run_has(frames),
                }
                changed.large_pages(half, size, step);
                let place = format!("{of:?} with {what} in the tables of {half:?}");
                let (made, cost) = bounded(&place, changed.finish(), of);
                let made = made.unwrap_or_else(|error| panic!("{place}: {error}"));
                common::record(&format!("extract: {place}: {} pages, {cost:?}", made.pages));
                // Frames that are described and not there are told.
                assert!(frames.is_none() || !made.incomplete.is_empty(), "{place}");
            }
        }
    }
}

#[test]
fn a_frame_far_out_is_left_out_and_said() {
    let _alone = ALONE.lock().unwrap();
    for of in both() {
        let sound = make(&Patched::of(&Changed::new().subject.bytes).open().unwrap(), of).unwrap();
        assert_eq!(sound.incomplete, []);
        for frame in [1 << 25, (1 << 31) - 1, (1 << 40) - 2] {
            let mut changed = Changed::new();
            changed.last_frame_is(frame);
            changed.small_page(of, frame);
            let place = format!("{of:?} with frame {frame:#x}");
            let (made, _) = bounded(&place, changed.finish(), of);
            let made = made.unwrap_or_else(|error| panic!("{place}: {error}"));
            let told: Vec<_> = made.incomplete.iter().filter(|one| one.what.contains("out of proportion")).collect();
            assert!(matches!(&told[..], [one] if one.count == 1), "{place}: {:?}", made.incomplete);
            // At most three tables more, and without the page that they lead to, which the kernel maps elsewhere too.
            assert!(
                (sound.pages - 1..sound.pages + 4).contains(&made.pages),
                "{place}: {} {}",
                made.pages,
                sound.pages
            );
            assert!(made.bytes.len() <= sound.bytes.len() + (1 << 20) + 0x4000, "{place}: {}", made.bytes.len());
        }
    }
}

/// Faults of the file's description, of page tables, of lists and cuts, in all kinds: an extract in bounds, or an error.
#[test]
fn extracts_of_damaged_dumps_are_bounded_and_say_what_is_cut() {
    let _alone = ALONE.lock().unwrap();
    let (mut cases, mut extracts, mut cut, mut worst) = (0, 0, 0, Cost::default());
    for (kind, subject) in SUBJECTS.iter().enumerate().filter(|(_, subject)| subject.kind != Kind::Triage) {
        let sound = both().map(|of| make(&Patched::of(&subject.bytes).open().unwrap(), of).unwrap().pages);
        let some = ["page tables", "cut", "runs", "bitmap", "rdmp", "totals"];
        let classes = CLASSES.iter().filter(|class| some.iter().any(|start| class.name.starts_with(start)));
        for class in classes.filter(|class| (class.kinds)(subject.kind)) {
            for fault in chosen((class.make)(subject), kind, seeds()) {
                let of = both()[cases % 2];
                cases += 1;
                let place = format!("extract {of:?} with {} in {}: {}", class.name, subject.kind, fault.what);
                let (made, cost) = bounded(&place, fault.make(&subject.bytes), of);
                worst = Cost { time: worst.time.max(cost.time), memory: worst.memory.max(cost.memory) };
                let Ok(made) = made else { continue };
                extracts += 1;
                if class.name.starts_with("cut") {
                    let fewer = made.pages < sound[(cases - 1) % 2];
                    assert!(!fewer || !made.incomplete.is_empty(), "{place}: {} pages without a word", made.pages);
                    cut += usize::from(fewer);
                }
            }
        }
    }
    common::record(&format!(
        "extracts of damaged dumps: {extracts} of {cases}, {cut} with fewer pages; at most {:?} and {} KiB each",
        worst.time,
        worst.memory >> 10
    ));
    assert!(extracts > 20 && cut > 0, "{extracts} {cut}");
}
