//! Properties of every walker at once: whatever a structure holds, everything that is asked ends after a bounded number of
//! reads, is answered the same when it is asked again, and the same through a cache and by several threads. And of the small
//! codecs, whose values all have a name.

use super::*;
use ntlens::BlockCache;
use ntlens::nt::context::Context;
use ntlens::nt::integrity::Integrity;
use ntlens::nt::protection::Protection;
use ntlens::nt::signature_level::SignatureLevel;
use ntlens::nt::{access, privilege};
use ntlens::report::{Arguments, Cell, OneByOne};
use ntlens::{Incomplete, Threads};
use ntlens_testkit::layouts;

/// Reads of everything in the sound dump, so many times, are the most that a damaged one may take.
const MOST_READS: u64 = 20;

/// A machine with something for every walker.
static MACHINE: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = kit::watched(layouts(&kit::kernel(19041)).unwrap());
    machine.typical_jobs();
    machine.build()
});

static DUMP: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(dump(&MACHINE, Kind::Full).0));

/// File offsets of the machine's structures.
static STRUCTURES: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let truth = MACHINE.truth();
    let processes = truth.processes.iter().flat_map(|process| {
        let of_it = [process.eprocess, process.token.va].into_iter();
        let areas = process.vads.iter().take(3).map(|vad| vad.va);
        of_it
            .chain(process.threads.iter().map(|thread| thread.va))
            .chain(areas)
            .chain(process.handle_table.iter().map(|table| table.va))
    });
    let rest = [
        truth.modules.iter().map(|module| module.entry).collect::<Vec<_>>(),
        truth.jobs.iter().map(|job| job.va).collect(),
        truth.sessions.iter().map(|session| session.va).collect(),
        truth.object_types.iter().map(|known| known.va).collect(),
        truth.named_objects.iter().map(|object| object.object).collect(),
        truth.loggers.iter().map(|logger| logger.va).collect(),
        truth.callbacks.iter().map(|callback| callback.entry).collect(),
        truth.cpus.iter().flat_map(|cpu| [cpu.pcr, cpu.prcb, cpu.idt, cpu.gdt]).collect(),
        [
            "PsActiveProcessHead",
            "PspCidTable",
            "ObpRootDirectoryObject",
            "MmUnloadedDrivers",
            "EtwpDebuggerData",
            "KeServiceDescriptorTable",
        ]
        .map(|name| symbol(&MACHINE, name))
        .into(),
    ];
    let space = MACHINE.space(4).unwrap();
    let known = |va: &u64| space.translate(MACHINE.memory(), *va).is_some();
    processes.chain(rest.into_iter().flatten()).filter(known).map(|va| at_in(&MACHINE, va)).collect()
});

/// Their addresses, for pointers that lead to another structure.
static ADDRESSES: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let truth = MACHINE.truth();
    let of = |process: &ntlens_testkit::truth::Process| [process.eprocess, process.token.va];
    truth.processes.iter().flat_map(of).chain(truth.jobs.iter().map(|job| job.va)).collect()
});

/// A source that counts its reads.
struct Counted {
    source: Patched,
    reads: Arc<AtomicU64>,
}

impl ByteSource for Counted {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.source.read_at(offset, out)
    }
}

type Answer = Option<(Vec<Vec<Cell>>, Vec<Incomplete>)>;

fn open(source: impl ByteSource + 'static) -> Result<OpenDump, CoreError> {
    OpenDump::open("properties", Arc::new(source), &*LAYOUTS, Options::default())
}

fn ask_all(dump: &OpenDump, in_threads: bool) -> Vec<Answer> {
    let spread: &dyn ntlens::spread::Spread = if in_threads { &Threads } else { &OneByOne };
    let ask = |question: &&dyn ntlens::report::Question| {
        let table = question.ask_with(dump, &Arguments::default(), Wanted::All, spread).ok()?;
        Some((table.rows, table.incomplete))
    };
    QUESTIONS.iter().map(ask).collect()
}

/// What everything takes in the sound dump.
static SOUND_READS: LazyLock<u64> = LazyLock::new(|| counted(Patched::of(&DUMP)).1);

fn counted(source: Patched) -> (Option<Vec<Answer>>, u64) {
    let reads = Arc::new(AtomicU64::new(0));
    let dump = open(Counted { source, reads: reads.clone() }).ok();
    let answers = dump.map(|dump| ask_all(&dump, false));
    (answers, reads.load(Ordering::Relaxed))
}

#[derive(Clone, Debug)]
enum Word {
    Any(u64),
    Structure(prop::sample::Index),
    Small(u8),
    Kernel(u32),
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        any::<u64>().prop_map(Word::Any),
        any::<prop::sample::Index>().prop_map(Word::Structure),
        any::<u8>().prop_map(Word::Small),
        any::<u32>().prop_map(Word::Kernel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_walk_ends_and_is_the_same_each_time(
        words in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..0x90, word()), 1..24),
    ) {
        let mut source = Patched::of(&DUMP);
        for (structure, place, word) in &words {
            let value = match word {
                Word::Any(value) => *value,
                Word::Structure(which) => *which.get(&ADDRESSES),
                Word::Small(value) => (*value).into(),
                Word::Kernel(value) => 0xffff_8000_0000_0000 | u64::from(*value) << 8,
            };
            source = source.set(structure.get(&STRUCTURES) + place * 8, &value.to_le_bytes());
        }
        let (first, reads) = counted(source.clone());
        prop_assert!(reads <= *SOUND_READS * MOST_READS, "{reads} reads, {} of the sound dump", *SOUND_READS);
        // Again, from blocks that are kept, and shared among threads.
        let again = open(BlockCache::new(source, 10, 8)).ok().map(|dump| ask_all(&dump, true));
        prop_assert_eq!(first.is_some(), again.is_some());
        for (question, (one, other)) in QUESTIONS.iter().zip(first.iter().flatten().zip(again.iter().flatten())) {
            prop_assert!(one == other, "{} is answered differently", question.name());
        }
    }
}

/// Each value of a byte has a name of its own.
#[test]
fn every_level_of_protection_and_of_signatures_has_its_own_name() {
    let protections: BTreeSet<String> = (0..=u8::MAX).map(|level| Protection(level).to_string()).collect();
    assert_eq!(protections.len(), 256);
    let levels: BTreeSet<String> = (0..=u8::MAX).map(|level| SignatureLevel(level).name()).collect();
    assert!(levels.len() >= 16, "{levels:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_bit_has_one_name(mask: u64, kind in prop::sample::select(vec!["Process", "Key", "File", "Event", "no such type"])) {
        let privileges: BTreeSet<String> = privilege::names(mask).into_iter().collect();
        prop_assert_eq!(privileges.len(), usize::try_from(mask.count_ones()).unwrap());
        let access = u32::try_from(mask >> 39).unwrap();
        let rights: BTreeSet<_> = access::names(kind, access).into_iter().collect();
        prop_assert_eq!(rights.len(), usize::try_from((access & access::ACCESS_MASK).count_ones()).unwrap());
    }

    #[test]
    fn a_level_of_integrity_is_told_whole(rid: u32) {
        let text = Integrity(rid).to_string();
        let (name, above) = text.split_once("+0x").unwrap_or((&text, "0"));
        let levels = [("Untrusted", 0), ("Low", 0x1000), ("Medium", 0x2000), ("MediumPlus", 0x2100), ("High", 0x3000), ("System", 0x4000), ("ProtectedProcess", 0x5000)];
        let level = levels.iter().find(|(known, _)| *known == name).unwrap().1;
        prop_assert_eq!(level + u32::from_str_radix(above, 16).unwrap(), rid);
    }

    #[test]
    fn registers_are_where_they_were_put(mut bytes in prop::collection::vec(any::<u8>(), 0..0x600), rip: u64, rsp: u64) {
        prop_assert_eq!(Context::parse(&bytes), Context::parse(&bytes));
        bytes.resize(0x4d0, 0);
        // By `winnt.h`: ContextFlags, Rsp, Rip.
        for (at, value) in [(0x98, rsp), (0xf8, rip)] {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes[0x30..0x34].copy_from_slice(&0x10_001f_u32.to_le_bytes());
        let context = Context::parse(&bytes).unwrap();
        prop_assert_eq!((context.rip, context.rsp), (rip, rsp));
        prop_assert!(Context::parse(&bytes[..0x4cf]).is_err());
    }
}
