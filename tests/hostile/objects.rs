//! Handle tables, names, links and sections that are broken or made to harm.

use super::*;
use ntlens::report::{Arguments, OneByOne};
use ntlens_testkit::{HandleSpec, HandleTarget, TokenSpec};

const EVENT: &str = "\\BaseNamedObjects\\Vendor.Ready";
const FOREIGN: &str = "\\Sessions\\1\\BaseNamedObjects\\Vendor.Ready";
const FILE: &str = "\\Device\\HarddiskVolume3\\Windows\\file.dat";
const KEY: &str = "\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor";

/// Two processes that hold one object of each kind.
fn machine() -> Image {
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    machine
        .named_object("Event", EVENT)
        .named_object("Event", FOREIGN)
        .named_object("Device", "\\Device\\HarddiskVolume3");
    machine.named_object("SymbolicLink", "\\GLOBAL??\\C:");
    for (session, level) in [(0, 0x4000), (1, 0x1000)] {
        let targets = [
            HandleTarget::Named(EVENT.into()),
            HandleTarget::Named(FOREIGN.into()),
            HandleTarget::File(FILE.into()),
            HandleTarget::Key(KEY.into()),
            HandleTarget::Mapped(FILE.into()),
            HandleTarget::Unnamed("Event", 1),
            HandleTarget::Process(4),
            HandleTarget::Thread(4),
            HandleTarget::Token(4),
        ];
        let spec = ProcessSpec::named("holder.exe").session(session).token(TokenSpec::user(1001, level));
        let handles = targets.into_iter().map(|target| HandleSpec::new(target, 0x1f_ffff));
        machine.process(handles.fold(spec, ProcessSpec::handle));
    }
    machine.build()
}

const ASKED: [&str; 4] = ["handles", "objects", "crossings", "collisions"];

/// Asks everything about objects: this ends soon, whatever is broken. How many rows each answer has.
fn ask(place: &str, source: Patched) -> Vec<usize> {
    let start = Instant::now();
    let opened = source.open().unwrap_or_else(|error| panic!("{place}: {error}"));
    let count = |name: &&str| {
        let answer = question(name)?.ask_with(&opened, &Arguments::default(), Wanted::All, &OneByOne);
        Some(answer.unwrap_or_else(|error| panic!("{place}: {name}: {error}")).rows.len())
    };
    let counts = ASKED.iter().filter_map(count).collect();
    assert!(start.elapsed() < PATIENCE, "{place} took {:?}", start.elapsed());
    counts
}

/// Every word of an object, of what stands before it, and of what it points to, in turn: no address at all, the object
/// itself, the next object, an address of nowhere, the largest number.
#[test]
fn any_word_of_an_object_may_lie() {
    let image = machine();
    let bytes = Arc::new(dump(&image, Kind::Full).0);
    let whole = ask("whole", Patched::of(&bytes));
    let truth = image.truth();
    let holder = truth.processes.iter().find(|process| process.handles.len() > 8).unwrap();
    let mut objects: Vec<u64> = holder.handles.iter().map(|handle| handle.object).collect();
    objects.extend(truth.named_objects.iter().map(|object| object.object));
    let pointed_to: Vec<u64> = objects
        .iter()
        .flat_map(|object| (0..0x70).step_by(8).map(move |offset| object - 0x50 + offset))
        .filter_map(|at| image.read(at, 8).map(|word| u64::from_le_bytes(word.try_into().unwrap())))
        .map(|word| word & !0xf)
        .filter(|word| word >> 47 == 0x1_ffff && image.read(*word, 0x40).is_some())
        .collect();
    let pointed_to: BTreeSet<u64> = pointed_to.into_iter().collect();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut tried = 0;
    for (number, object) in objects.iter().chain(&pointed_to).enumerate() {
        for offset in (0..0x90_u64).step_by(8) {
            // One of five lies for each word, another each time.
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(number as u64 | 1);
            let next = objects[(number + 1) % objects.len()];
            let word = object - 0x50 + offset;
            let lies = [0, *object, next, 0xffff_8000_dead_0000, u64::MAX];
            let lie = lies[usize::try_from(random >> 60).unwrap() % lies.len()];
            if image.read(word, 8).is_none() || word / 0x1000 != (word + 7) / 0x1000 {
                continue;
            }
            let place = format!("{lie:#x} at {word:#x}");
            let found = ask(&place, Patched::of(&bytes).set(of_virtual(&image, word), &lie.to_le_bytes()));
            // One object more or less can change each answer by what hangs on it, and makes no answer out of nothing.
            assert!(found[0] <= whole[0] + 512 && found[1] <= whole[1] + 64, "{place}: {found:?} of {whole:?}");
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

/// Where a virtual address of the kernel lies in a complete dump.
fn of_virtual(image: &Image, at: u64) -> u64 {
    of_physical_in(image, image.space(4).unwrap().translate(image.memory(), at).unwrap().physical)
}
