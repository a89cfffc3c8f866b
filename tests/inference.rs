//! Layouts that are found out from the dump itself: where symbols are known, nothing that is found out contradicts them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::panic)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{document, dump_file, files, shared};
use kit::{dump, typical};
use ntlens::layout::source::{LayoutSource, TableInfo};
use ntlens::layout::{Layouts, Type};
use ntlens::nt::infer::InferredField;
use ntlens::nt::select::Origin;
use ntlens::nt::snapshot::Options;
use ntlens::source::ByteSource;
use ntlens::symbols::Pack;
use ntlens::{CoreError, FileSource, OpenDump};
use ntlens_testkit::{DumpOptions, Image, Kind, Machine, ProcessSpec, Run, layouts, versions};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// The embedded layouts without those of some builds.
struct Hidden {
    pack: Pack<'static>,
    kept: Vec<usize>,
}

impl Hidden {
    fn new(hidden: impl Fn(u32) -> bool) -> Self {
        let pack = Pack::embedded().expect("the embedded layouts");
        let tables = LayoutSource::tables(&pack);
        let kept = (0..tables.len()).filter(|index| !hidden(tables[*index].version.build)).collect();
        Self { pack, kept }
    }
}

impl LayoutSource for Hidden {
    fn name(&self) -> &'static str {
        "some"
    }

    fn tables(&self) -> Vec<TableInfo> {
        let all = LayoutSource::tables(&self.pack);
        self.kept.iter().map(|index| all[*index]).collect()
    }

    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, CoreError> {
        let indexes: Vec<usize> = tables.iter().map(|index| self.kept[*index]).collect();
        self.pack.load(&indexes)
    }
}

/// Opens a dump without the layouts of some builds.
fn open_without(place: &str, source: Arc<dyn ByteSource>, hidden: impl Fn(u32) -> bool) -> OpenDump {
    OpenDump::open(place, source, &Hidden::new(hidden), Options::default())
        .unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// What became of each field, by the build: letters of a table.
#[derive(Default)]
struct Outcome {
    fields: BTreeMap<(&'static str, String), BTreeMap<String, char>>,
    cells: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

/// Fields whose absence shows in the table.
const WANTED: &[(&str, &str)] = &[
    ("_EPROCESS", "Pcb.Header.Type"),
    ("_EPROCESS", "Pcb.DirectoryTableBase"),
    ("_EPROCESS", "ActiveProcessLinks"),
    ("_EPROCESS", "UniqueProcessId"),
    ("_EPROCESS", "InheritedFromUniqueProcessId"),
    ("_EPROCESS", "ImageFileName"),
    ("_EPROCESS", "CreateTime"),
    ("_EPROCESS", "ExitTime"),
    ("_EPROCESS", "Token"),
    ("_EPROCESS", "Peb"),
    ("_EPROCESS", "Protection"),
    ("_EPROCESS", "SignatureLevel"),
    ("_EPROCESS", "SectionSignatureLevel"),
    ("_EPROCESS", "SeAuditProcessCreationInfo"),
    ("_PEB", "ProcessParameters"),
    ("_RTL_USER_PROCESS_PARAMETERS", "CommandLine"),
    ("_HANDLE_TABLE", "TableCode"),
    ("_ETHREAD", "Cid.UniqueProcess"),
    ("_ETHREAD", "Cid.UniqueThread"),
    ("_ETHREAD", "Tcb.Process"),
    ("_ETHREAD", "Tcb.ApcState.Process"),
    ("_ETHREAD", "Tcb.StackBase"),
    ("_ETHREAD", "Tcb.StackLimit"),
    ("_ETHREAD", "Tcb.KernelStack"),
    ("_ETHREAD", "Tcb.Teb"),
    ("_KPRCB", "CurrentThread"),
    ("_KPRCB", "IdleThread"),
    ("_KPRCB", "Number"),
    ("_KPRCB", "MHz"),
    ("_KPRCB", "VendorString"),
    ("_KPRCB", "Context"),
    ("_KPRCB", "ProcessorState.SpecialRegisters.Cr3"),
    ("_KLDR_DATA_TABLE_ENTRY", "DllBase"),
    ("_KLDR_DATA_TABLE_ENTRY", "EntryPoint"),
    ("_KLDR_DATA_TABLE_ENTRY", "SizeOfImage"),
    ("_KLDR_DATA_TABLE_ENTRY", "FullDllName"),
    ("_KLDR_DATA_TABLE_ENTRY", "BaseDllName"),
    ("_KLDR_DATA_TABLE_ENTRY", "CheckSum"),
    ("_KLDR_DATA_TABLE_ENTRY", "TimeDateStamp"),
];

impl Outcome {
    /// Holds what was found out against the layouts of symbols.
    fn fields(&mut self, place: &str, exact: &Layouts, inferred: &[InferredField], layouts: &Layouts) {
        for (structure, field) in WANTED {
            self.mark(place, structure, field, '.');
        }
        for found in inferred {
            let InferredField { structure, field, offset, confidence, evidence } = found;
            assert!((0.8..=1.0).contains(confidence) && !evidence.is_empty(), "{found:?}");
            let resolved = layouts.place(structure, field).expect("a field that was found is in the layout");
            assert_eq!(resolved.offset, *offset, "{found:?}");
            let expected = exact.place(structure, field);
            // Symbols of Windows before 10 have the entries of modules under the name that user mode has for them.
            let other_name = || exact.place("_LDR_DATA_TABLE_ENTRY", field);
            let modules = *structure == "_KLDR_DATA_TABLE_ENTRY";
            let right = match expected.clone().or_else(|why| if modules { other_name() } else { Err(why) }) {
                Ok(expected) => {
                    let bits = |ty: &Type| match ty {
                        Type::Bits { position, length, .. } => Some((*position, *length)),
                        _ => None,
                    };
                    expected.offset == *offset && bits(&expected.ty) == bits(&resolved.ty)
                }
                // Symbols of some builds lack types that the kernel has.
                Err(_) => modules && *field == "TimeDateStamp" && *offset == 0x9c,
            };
            self.mark(place, structure, field, if right { '+' } else { 'X' });
            if !right {
                self.wrong
                    .push(format!("{place}: {structure}.{field} at {offset:#x}, expected {expected:x?}: {evidence}"));
            }
        }
    }

    fn mark(&mut self, place: &str, structure: &'static str, field: &str, mark: char) {
        self.fields.entry((structure, field.into())).or_default().insert(place.into(), mark);
    }

    /// Holds every cell of an answer against that under the layouts of symbols: the same, or absent.
    fn answers(&mut self, place: &str, table: &str, key: &[&str], exact: &OpenDump, inferred: &OpenDump) {
        let (exact, inferred) = (document(exact, table), document(inferred, table));
        let rows = exact["rows"].as_array().unwrap();
        let same_key = |row: &Json, other: &Json| key.iter().all(|key| row[*key] == other[*key]);
        for row in inferred["rows"].as_array().unwrap() {
            let place = format!("{place} {table} {}", key.iter().map(|key| row[*key].to_string()).collect::<String>());
            let Some(expected) = rows.iter().find(|expected| same_key(row, expected)) else {
                self.wrong.push(format!("{place}: a row too many: {row}"));
                continue;
            };
            for (column, value) in row.as_object().unwrap() {
                let wanted = &expected[column];
                let told = &row["absent"][column];
                let subset = column == "sources"
                    && value.as_array().unwrap().iter().all(|name| wanted.as_array().unwrap().contains(name));
                if column == "absent" || value == wanted && told == &expected["absent"][column] {
                    *self.cells.entry("equal").or_default() += 1;
                } else if value.is_null() && !told.is_null() {
                    *self.cells.entry("absent").or_default() += 1;
                } else if column.starts_with("layout_") || value == wanted || subset || column == "context_source" {
                    *self.cells.entry("less").or_default() += 1;
                } else if wanted.is_null() && table == "modules" && ["checksum", "timestamp"].contains(&column.as_str())
                {
                    // Symbols of some builds do not name what the entry has all the same.
                    *self.cells.entry("more").or_default() += 1;
                } else {
                    self.wrong.push(format!("{place}: {column} is {value}, expected {wanted}"));
                }
            }
        }
        let missing = rows.len() - inferred["rows"].as_array().unwrap().len().min(rows.len());
        *self.cells.entry("rows missing").or_default() += missing;
    }

    /// Opens a dump with and without the layouts of some builds, and compares everything.
    fn compare(&mut self, place: &str, exact: &OpenDump, hidden: &OpenDump) {
        let known = exact.kernel().unwrap_or_else(|error| panic!("{place}: {error}"));
        let kernel = match hidden.kernel() {
            Ok(kernel) => kernel,
            Err(error) => {
                eprintln!("{place}: {error}");
                for (structure, field) in WANTED {
                    self.mark(place, structure, field, ' ');
                }
                return;
            }
        };
        assert_eq!(kernel.selected().origin, Origin::Inferred, "{place}");
        self.fields(place, known.layouts(), &kernel.selected().inferred, kernel.layouts());
        self.answers(place, "processes", &["eprocess"], exact, hidden);
        self.answers(place, "modules", &["base"], exact, hidden);
        self.answers(place, "crash", &[], exact, hidden);
    }

    fn mark_of(&self, place: &str, structure: &'static str, field: &str) -> char {
        self.fields[&(structure, field.into())][place]
    }

    fn right(&self, structure: &'static str, field: &str) -> usize {
        self.fields[&(structure, field.into())].values().filter(|mark| **mark == '+').count()
    }

    fn print(&self) {
        let places: BTreeSet<&String> = self.fields.values().flat_map(BTreeMap::keys).collect();
        let mut table = String::from("+ right, . absent, X wrong:\n");
        for (index, place) in places.iter().enumerate() {
            writeln!(table, "{:46} {}{place}", "", "| ".repeat(index)).unwrap();
        }
        for ((structure, field), marks) in &self.fields {
            let line: Vec<String> = places.iter().map(|place| marks.get(*place).unwrap_or(&' ').to_string()).collect();
            writeln!(table, "{:46} {}", format!("{structure}.{field}"), line.join(" ")).unwrap();
        }
        common::record(&format!("{table}cells: {:?}", self.cells));
    }

    fn finish(self) {
        self.print();
        assert!(
            self.wrong.is_empty(),
            "{} wrong:\n{}",
            self.wrong.len(),
            self.wrong[..self.wrong.len().min(40)].join("\n")
        );
    }
}

#[test]
fn nothing_that_the_shared_dumps_tell_contradicts_symbols() {
    let Some(shared) = shared() else { return };
    let mut outcome = Outcome::default();
    for packed in files(&shared.join("dumps"), ".dmp.xz") {
        let place = packed.file_name().unwrap().to_string_lossy().replace(".dmp.xz", "");
        let path = dump_file(&packed);
        let exact = ntlens::open(&path).unwrap();
        let build = exact.kernel().unwrap().selected().layouts.version().unwrap().build;
        let start = std::time::Instant::now();
        let hidden = open_without(&place, Arc::new(FileSource::open(&path).unwrap()), |known| known == build);
        eprintln!("{place}: {:?}", start.elapsed());
        outcome.compare(&place, &exact, &hidden);
    }
    // What every dump must tell, the damaged one included; Windows 7 has no protection of this kind.
    let all = outcome.fields.values().next().unwrap().len();
    for field in [
        "ActiveProcessLinks",
        "UniqueProcessId",
        "InheritedFromUniqueProcessId",
        "ImageFileName",
        "CreateTime",
        "ExitTime",
        "Pcb.DirectoryTableBase",
        "Token",
        "Peb",
    ] {
        assert_eq!(outcome.right("_EPROCESS", field), all, "{field}");
    }
    assert_eq!(outcome.right("_EPROCESS", "Protection"), all - 1);
    outcome.finish();
}

#[test]
fn nothing_that_the_real_dumps_tell_contradicts_symbols() {
    let Some(shared) = shared() else { return };
    let mut outcome = Outcome::default();
    for (index, packed) in files(&shared.join("real"), ".dmp.xz").iter().enumerate() {
        let path = dump_file(packed);
        let Ok(exact) = ntlens::open(&path) else { continue };
        let Ok(kernel) = exact.kernel() else { continue };
        let build = kernel.build().unwrap();
        let known = ntlens::nt::builds::kernel_build(build);
        let place = format!("real {index}, build {build}");
        let hidden = open_without(&place, Arc::new(FileSource::open(&path).unwrap()), |build| build == known);
        outcome.compare(&place, &exact, &hidden);
    }
    // Of these kernels only other revisions are known, and the one field on which they are wrong is the processor's maker:
    // where KDBG says that it is, it is.
    outcome.wrong.retain(|wrong| !(wrong.contains("build 9600") && wrong.contains("_KPRCB.VendorString at 0x5958")));
    outcome.finish();
}

const FULL: Kind = Kind::BitmapFull { active: false };
const KERNEL: Kind = Kind::BitmapKernel { live: false };

/// Writes a machine, and compares what is told of it with and without the layouts of its build.
fn compare_image(outcome: &mut Outcome, place: &str, image: &Image, options: impl Into<DumpOptions>) {
    let (bytes, _) = dump(image, options);
    let build = image.layouts().version().unwrap().build;
    let exact = kit::open(place, bytes.clone());
    let hidden = open_without(place, Arc::new(bytes), |known| known == build);
    outcome.compare(place, &exact, &hidden);
}

#[test]
fn every_kind_of_dump_of_every_build() {
    let mut outcome = Outcome::default();
    for build in [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000] {
        let image = typical(build, u64::from(build), 40).build();
        let live = Kind::BitmapKernel { live: true };
        for kind in [FULL, KERNEL, Kind::RdmpUser, Kind::Raw, Kind::Full, live, Kind::Triage] {
            compare_image(&mut outcome, &format!("{build} {kind:?}"), &image, kind);
        }
    }
    outcome.finish();
}

#[test]
fn every_build_that_is_embedded() {
    let mut outcome = Outcome::default();
    let mut builds = BTreeSet::new();
    for version in versions() {
        if builds.insert(version.build) {
            let machine = Machine::typical(layouts(&version.to_string()).unwrap(), 3, 33).memory(56 << 20);
            compare_image(&mut outcome, &version.to_string(), &machine.build(), FULL);
        }
    }
    assert!(builds.len() > 8, "{builds:?}");
    outcome.finish();
}

/// Offsets of `_EPROCESS` that hold nothing in any process of a machine: room for decoys.
fn room(image: &Image) -> Vec<u64> {
    let size = u64::from(image.layouts().size_of("_EPROCESS").unwrap());
    let processes: Vec<Vec<u8>> =
        image.truth().processes.iter().map(|process| image.read(process.eprocess, size as usize).unwrap()).collect();
    let empty =
        |at: &u64| processes.iter().all(|bytes| bytes[*at as usize..*at as usize + 16].iter().all(|byte| *byte == 0));
    // A field that is zero everywhere would be overwritten: what the comparison reads stays as it is.
    let used: BTreeSet<u64> = WANTED
        .iter()
        .filter(|(structure, _)| *structure == "_EPROCESS")
        .filter_map(|(structure, field)| Some(u64::from(image.layouts().place(structure, field).ok()?.offset) & !7))
        .collect();
    (0x100..size - 16).step_by(8).filter(empty).filter(|at| !used.contains(at) && !used.contains(&(at + 8))).collect()
}

/// Writes a value into every process, at one offset.
fn plant(image: &mut Image, at: u64, value: impl Fn(usize, &ntlens_testkit::truth::Process) -> u64) {
    let processes = image.truth().processes.clone();
    for (index, process) in processes.iter().enumerate() {
        image.write_kernel(process.eprocess + at, &value(index, process).to_le_bytes());
    }
}

fn place_of(image: &Image, field: &str) -> u64 {
    image.layouts().place("_EPROCESS", field).unwrap().offset.into()
}

#[test]
fn a_second_field_like_the_first_makes_both_absent() {
    let mut outcome = Outcome::default();
    for (build, seed) in [(7601, 1), (9600, 2), (14393, 3), (19041, 4), (22000, 5)] {
        for (field, step) in [("UniqueProcessId", 0), ("CreateTime", 7), ("Token", 0)] {
            let mut image = typical(build, seed, 36).build();
            let (at, from) = (room(&image)[usize::try_from(seed).unwrap()], place_of(&image, field));
            let values: Vec<u64> = image
                .truth()
                .processes
                .iter()
                .map(|process| kit::read_u64(&image, process.eprocess + from) + step)
                .collect();
            plant(&mut image, at, |index, _| values[index]);
            let place = format!("{build} with a second {field}");
            compare_image(&mut outcome, &place, &image, FULL);
            assert_eq!(outcome.mark_of(&place, "_EPROCESS", field), '.', "{place}");
        }
        // Numbers that look like ids but lead nowhere change nothing: the table of ids tells.
        let mut image = typical(build, seed, 36).build();
        let at = room(&image)[usize::try_from(seed).unwrap()];
        plant(&mut image, at, |index, process| if process.pid == 4 { 4 } else { 0x4000 + 4 * index as u64 });
        let place = format!("{build} with other numbers");
        compare_image(&mut outcome, &place, &image, FULL);
        assert_eq!(outcome.mark_of(&place, "_EPROCESS", "UniqueProcessId"), '+', "{place}");
        // A second name.
        let mut image = typical(build, seed, 36).build();
        let at = room(&image)[usize::try_from(seed).unwrap()];
        plant(&mut image, at, |index, process| {
            let name = if process.pid == 4 { *b"System\0\0" } else { *b"decoy\0\0\0" };
            u64::from_le_bytes(name) + if process.pid == 4 { 0 } else { (index as u64 % 7) << 32 }
        });
        compare_image(&mut outcome, &format!("{build} with a second name"), &image, FULL);
    }
    outcome.finish();
}

#[test]
fn what_is_missing_or_wiped_makes_fields_absent() {
    let mut outcome = Outcome::default();
    for build in [7601, 14393, 20348] {
        let whole = typical(build, 9, 36).build();
        let wiped = |what: &str, change: &dyn Fn(&mut Image)| {
            let mut image = whole.clone();
            change(&mut image);
            (format!("{build} {what}"), image)
        };
        let wipe = |field: &'static str, bytes: usize| {
            move |image: &mut Image| {
                let at = place_of(image, field);
                for process in image.truth().processes.clone() {
                    image.write_kernel(process.eprocess + at, &vec![0; bytes]);
                }
            }
        };
        let machines = [
            wiped("without names", &wipe("ImageFileName", 15)),
            wiped("without ids", &wipe("UniqueProcessId", 8)),
            wiped("without times", &wipe("CreateTime", 8)),
            wiped("without tokens", &wipe("Token", 8)),
            wiped("without page tables", &wipe("Pcb.DirectoryTableBase", 8)),
            wiped("without types", &wipe("Pcb.Header.Type", 1)),
            wiped("without KDBG", &|image| {
                let at = image.truth().kernel.kdbg.va;
                image.write_kernel(at, &[0; 0x340]);
            }),
            wiped("with a KDBG of zeros behind its head", &|image| {
                let at = image.truth().kernel.kdbg.va;
                image.write_kernel(at + 0x60, &[0; 0x2e0]);
            }),
            wiped("with other offsets in KDBG", &|image| {
                let at = image.truth().kernel.kdbg.va;
                image.write_kernel(at + 0x298, &[0x44; 0x60]);
            }),
            wiped("without a table of ids", &|image| {
                let at = kit::symbol(image, "PspCidTable");
                image.write_kernel(at, &[0; 8]);
            }),
        ];
        for (place, image) in machines {
            compare_image(&mut outcome, &place, &image, FULL);
        }
        for count in 0..4 {
            let mut machine = kit::bare(build);
            for index in 0..count {
                machine.process(ProcessSpec::named(["smss.exe", "csrss.exe", "one.exe"][index]));
            }
            compare_image(&mut outcome, &format!("{build} {} processes", count + 1), &machine.build(), FULL);
        }
    }
    outcome.finish();
}

#[test]
fn the_encoded_block_and_shadows_and_deep_tables_take_nothing_but_certainty() {
    let mut outcome = Outcome::default();
    for (name, machine) in [
        ("encoded KDBG", typical(9600, 1, 40).encoded_kdbg()),
        ("encoded KDBG 10", typical(19041, 1, 40).encoded_kdbg()),
        ("LA57", typical(20348, 1, 40).five_level_paging()),
        ("LA57 with process-context ids", typical(22000, 2, 40).five_level_paging().pcid()),
        ("KVA shadow", typical(17763, 3, 40).kva_shadow()),
        ("KVA shadow with process-context ids", typical(18362, 3, 40).kva_shadow().pcid()),
    ] {
        let image = machine.build();
        for kind in [FULL, KERNEL, Kind::Raw] {
            compare_image(&mut outcome, &format!("{name} {kind:?}"), &image, kind);
        }
    }
    outcome.finish();
}

#[test]
fn a_future_windows_is_as_well_known_as_a_forgotten_one() {
    let mut outcome = Outcome::default();
    let (bytes, _) = dump(&typical(22000, 6, 40).build(), FULL);
    let exact = kit::open("22000", bytes.clone());
    for (place, first) in [("nothing since 22000", 22000), ("nothing since 17763", 17763), ("nothing", 0)] {
        let hidden = open_without(place, Arc::new(bytes.clone()), |build| build >= first);
        outcome.compare(place, &exact, &hidden);
        assert_eq!(outcome.mark_of(place, "_EPROCESS", "UniqueProcessId"), '+');
    }
    outcome.finish();
}

#[derive(Clone, Debug)]
enum Damage {
    /// Other bytes in a process.
    Process { which: prop::sample::Index, at: prop::sample::Index, bytes: Vec<u8> },
    /// A link of the list of processes that leads elsewhere.
    Link { which: prop::sample::Index, back: bool, to: u64 },
    /// Frames that are not in the dump.
    Frames { first: u64, count: u64 },
    /// A field of every process, once more where nothing is.
    Copy { field: &'static str, to: prop::sample::Index },
    /// Other bytes in the block for debuggers.
    Kdbg { at: u64, bytes: Vec<u8> },
}

fn damage() -> impl Strategy<Value = Damage> {
    use prop::sample::Index;
    let bytes = |most: usize| prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 1..most);
    let field = prop::sample::select(vec!["UniqueProcessId", "CreateTime", "Token", "Peb", "ImageFileName"]);
    prop_oneof![
        4 => (any::<Index>(), any::<Index>(), bytes(0x200))
            .prop_map(|(which, at, bytes)| Damage::Process { which, at, bytes }),
        2 => (any::<Index>(), any::<bool>(), any::<u64>()).prop_map(|(which, back, to)| Damage::Link { which, back, to }),
        2 => (0_u64..0x3000, 1_u64..0x80).prop_map(|(first, count)| Damage::Frames { first, count }),
        1 => (field, any::<Index>()).prop_map(|(field, to)| Damage::Copy { field, to }),
        1 => (0x60_u64..0x330, bytes(0x10)).prop_map(|(at, bytes)| Damage::Kdbg { at, bytes }),
    ]
}

/// Does the damage; frames that are left out are in the options.
fn inflict(image: &mut Image, damage: &[Damage], kind: Kind) -> DumpOptions {
    let mut options = DumpOptions::new(kind);
    let processes = image.truth().processes.clone();
    let size = image.layouts().size_of("_EPROCESS").unwrap() as usize;
    let kdbg = image.truth().kernel.kdbg.va;
    for damage in damage {
        match damage {
            Damage::Process { which, at, bytes } => {
                let at = at.index(size - bytes.len()) as u64;
                image.write_kernel(processes[which.index(processes.len())].eprocess + at, bytes);
            }
            Damage::Link { which, back, to } => {
                let links = processes[which.index(processes.len())].eprocess + place_of(image, "ActiveProcessLinks");
                image.write_kernel(links + 8 * u64::from(*back), &to.to_le_bytes());
            }
            Damage::Frames { first, count } => options = options.without(Run { first: *first, count: *count }),
            Damage::Copy { field, to } => {
                let (room, from) = (room(image), place_of(image, field));
                if room.is_empty() {
                    continue;
                }
                let at = room[to.index(room.len())];
                for process in &processes {
                    let bytes = image.read(process.eprocess + from, 15).unwrap();
                    image.write_kernel(process.eprocess + at, &bytes);
                }
            }
            Damage::Kdbg { at, bytes } => image.write_kernel(kdbg + at, bytes),
        }
    }
    options
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn damage_makes_fields_absent_and_never_wrong(
        build in prop::sample::select(vec![7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000]),
        seed: u64,
        processes in 32_usize..60,
        kind in prop::sample::select(vec![FULL, KERNEL, Kind::RdmpUser]),
        damage in prop::collection::vec(damage(), 0..12),
    ) {
        let mut image = typical(build, seed, processes).build();
        let options = inflict(&mut image, &damage, kind);
        let (bytes, _) = dump(&image, options);
        let open = |source: &dyn LayoutSource| OpenDump::open("damaged", Arc::new(bytes.clone()), source, Options::default());
        let exact = open(&Pack::embedded().unwrap()).unwrap();
        let hidden = open(&Hidden::new(|known| known == build)).unwrap();
        // Where even symbols do not help, nothing can be compared.
        if exact.kernel().is_ok() {
            let mut outcome = Outcome::default();
            outcome.compare("damaged", &exact, &hidden);
            prop_assert!(outcome.wrong.is_empty(), "{}", outcome.wrong.join("\n"));
        }
    }

    #[test]
    fn any_bytes_in_a_file_are_endured(
        seed: u64,
        stains in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 16]>()), 1..200),
    ) {
        let (mut bytes, _) = dump(&typical(19041, seed % 4, 32).build(), KERNEL);
        for (at, stain) in &stains {
            let at = at.index(bytes.len() - stain.len());
            bytes[at..at + stain.len()].copy_from_slice(stain);
        }
        if let Ok(dump) = OpenDump::open("stained", Arc::new(bytes), &Hidden::new(|_| true), Options::default()) {
            let _ = dump.kernel().map(|kernel| kernel.processes().processes.len());
        }
    }
}
