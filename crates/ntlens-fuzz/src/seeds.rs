//! The seeds of all targets. Every one is made here from numbers; none is a part of a real dump.

/// What the unit tests of the PDB reader use.
#[path = "../../ntlens-symbols/src/pdb/tests/build.rs"]
#[allow(dead_code, clippy::cast_possible_truncation)]
mod pdb;

use crate::dump_files::{self, Image, PAGE};
use crate::kernels::{BUILDS, KERNELS};
use crate::machine;
use crate::table_file::{ISF, cabinet, gzip, pack};
use crate::words::{Write, place};
use ntlens_core::layout::Layouts;
use ntlens_core::report::QUESTIONS;

/// An input that a target starts from.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target.
    pub target: &'static str,
    /// The seed's name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// All seeds of all targets.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes| seeds.push(Seed { target, name: name.into(), bytes });
    for ((name, bytes), choice) in dump_files::all().into_iter().zip(0..) {
        add("dump_header", name, header_numbers(choice, &bytes));
        add("open", name, bytes);
    }
    add("isf", "table", ISF.into());
    add("pack", "small", pack());
    add("pdb", "image", pdb::sample());
    add("pdb", "linked.xz", include_bytes!("../../ntlens-symbols/tests/fixtures/lld.pdb.xz").to_vec());
    add("pdb", "table.gz", gzip(ISF.as_bytes()));
    add("pdb", "table.cab", cabinet(ISF.as_bytes()));
    add("translate", "four_levels", page_tables(4));
    add("translate", "five_levels", page_tables(4 | 16));
    for ((build, layouts), choice) in BUILDS.iter().zip(KERNELS.iter()).zip(0..) {
        for levels in 0..3 {
            add("handle_table", &format!("{build}_{levels}"), handle_table(choice, *build, layouts, levels));
        }
    }
    add("object_directory", "chains", object_directory());
    add("sid", "system", vec![1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]);
    add("sid", "list", sid_list());
    add("token", "nothing", vec![0]);
    for choice in 0..machine::COUNT {
        add("token", &format!("dump_{choice}"), token_words(choice));
        for target in ["processes", "doctor", "extract"] {
            add(target, &format!("dump_{choice}"), damage(choice));
        }
    }
    add("unicode_string", "name", unicode_string());
    add("kdbg", "block", kdbg());
    for (question, kind, name, text) in FILTERS {
        let place = QUESTIONS.iter().position(|known| known.name() == question).expect("a question");
        let choice = u8::try_from(place + kind * QUESTIONS.len()).expect("few questions");
        add("filter", name, [&[choice][..], text.as_bytes()].concat());
    }
    seeds
}

/// A question, whether it is a filter (0), columns (1) or an order (2), a name, and the text.
const FILTERS: [(&str, usize, &str, &str); 7] = [
    ("processes", 0, "text", "name ~ \"s*\" and not (session in (0, 1) or protection != None)"),
    ("processes", 0, "null", "session is null or exit_time is not null and absent(token)"),
    ("processes", 0, "time", "create_time < 2021-01-02T03:04:05Z or critical"),
    ("handles", 0, "access", "granted_access >= 0x1f0003 and attributes has \"inherit\""),
    ("cpus", 0, "address", "idt_base > 0xfffff80000000000 and number = 0"),
    ("processes", 2, "order", "-pid, name"),
    ("processes", 1, "columns", "+ppid, all"),
];

/// The numbers of the headers that every reader looks at, written over themselves.
fn header_numbers(choice: u8, file: &[u8]) -> Vec<u8> {
    let mut bytes = vec![choice];
    let mut number = |at: u16| {
        if let Some(word) = file.get(usize::from(at)..usize::from(at) + 8) {
            bytes.extend((at | 1 << 14).to_le_bytes());
            bytes.extend(word);
        }
    };
    [0x10, 0x20, 0x30, 0x38, 0x88, 0x90, 0xf98, 0x2000, 0x2008].into_iter().for_each(&mut number);
    (0x2010..0x2080).step_by(8).for_each(number);
    bytes
}

/// A table of so many levels, with entries as the build encodes them.
fn handle_table(choice: u8, build: u32, layouts: &Layouts, levels: u8) -> Vec<u8> {
    let field = |name| layouts.place("_HANDLE_TABLE", name).expect("every build has it").offset;
    let word = |name| place(0, u16::try_from(field(name) / 8).expect("a small structure"));
    let object = 0xffff_8a80_0004_5670_u64;
    let entry = if build == 7601 { object | 1 } else { (object >> 4) << 20 | 0xffff };
    let step = if build == 7601 { 0x1000 } else { 0x1000 << 16 };
    let end = u64::from(field("NextHandleNeedingPool") % 8) * 8;
    let mut bytes = vec![choice];
    bytes.extend(Write::Raw(0x10_0000 << end).bytes(word("NextHandleNeedingPool")));
    // The top is page 1; each page of pointers leads to the next page and to the one after that.
    bytes.extend(Write::Pointer(place(1, 0), levels).bytes(word("TableCode")));
    for page in 1..=u16::from(levels) {
        bytes.extend(Write::Pointer(place(page + 1, 0), 0).bytes(place(page, 0)));
        bytes.extend(Write::Pointer(place(page + 4, 0), 0).bytes(place(page, 1)));
    }
    for page in [1 + u16::from(levels), 4 + u16::from(levels)] {
        for (index, number) in (2..8).zip(0_u64..) {
            bytes.extend(Write::Raw(entry + number * step).bytes(place(page, index * 2)));
            bytes.extend(Write::Raw(0x1f_ffff >> number).bytes(place(page, index * 2 + 1)));
        }
    }
    bytes.extend(Write::Series(40, entry, 0).bytes(place(7, 20)));
    bytes.extend(Write::Missing.bytes(place(6, 0)));
    bytes
}

/// Chains of one entry and of two, one that comes back to itself, and one into a page that is missing.
fn object_directory() -> Vec<u8> {
    let entry = |number: u16| place(1, number * 4);
    let link = |from, to| Write::Pointer(to, 0).bytes(from);
    let object = |number: u16| Write::Pointer(place(8, number * 8), 0).bytes(entry(number) + 1);
    let parts = [
        vec![5],
        link(0, entry(0)),
        link(3, entry(1)),
        link(entry(1), entry(2)),
        link(9, entry(3)),
        link(entry(3), entry(3)),
        link(36, place(2, 5)),
        Write::Missing.bytes(place(2, 0)),
        object(0),
        object(1),
        object(2),
        object(3),
    ];
    parts.concat()
}

/// Three entries: a SID behind the list, one on another page, and none.
fn sid_list() -> Vec<u8> {
    let system = u64::from_le_bytes([1, 1, 0, 0, 0, 0, 0, 5]);
    let parts = [
        vec![3, 0],
        Write::Pointer(place(0, 6), 0).bytes(0),
        Write::Raw(7).bytes(1),
        Write::Pointer(place(3, 1), 0).bytes(2),
        Write::Raw(0xc000_0007).bytes(3),
        Write::Raw(system).bytes(place(0, 6)),
        Write::Raw(18).bytes(place(0, 7)),
        Write::Raw(system | 0x200).bytes(place(3, 1)),
        Write::Raw(544 << 32 | 32).bytes(place(3, 2)),
        Write::Missing.bytes(place(9, 0)),
    ];
    parts.concat()
}

/// Counts, pointers and numbers that are written over a token.
fn token_words(choice: u8) -> Vec<u8> {
    let words = [(0x78, 1_u64), (0x7c, 0x1_0000), (0x98, 1 << 63 | 0x100), (0xd0, 16), (0x480, 0xffff), (0xa8, 2)];
    let write = |(at, value): (u16, u64)| [at.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat();
    [vec![choice], words.into_iter().flat_map(write).collect()].concat()
}

/// One change of each kind.
fn damage(choice: u8) -> Vec<u8> {
    let mut bytes = vec![choice];
    let mut change = |kind: u8, place: u16, within: u16, rest: &[u8]| {
        bytes.push(kind);
        bytes.extend(place.to_le_bytes());
        bytes.extend(within.to_le_bytes());
        bytes.extend(rest);
    };
    change(0, 3, 0x440, &0xffff_8000_dead_0000_u64.to_le_bytes());
    change(1, 5, 0x450, &7_u32.to_le_bytes());
    change(2, 9, 0x448, &[7, 0, 0]);
    change(3, 11, 0x570, &[13, 0, 0x70, 5]);
    change(4, 17, 0, &[19, 0]);
    change(5, 0, 0, &[&0x2020_u16.to_le_bytes()[..], &9_u32.to_le_bytes()].concat());
    change(7, 23, 8, &[0x90]);
    change(8, 29, 0, &[]);
    change(6, 0, 0, &0xff00_u16.to_le_bytes());
    bytes
}

/// A name with a half of a pair, an escape and an override.
fn unicode_string() -> Vec<u8> {
    let text: Vec<u8> =
        "lsass\u{1b}[31m\u{202e}exe".encode_utf16().chain([0xd800]).flat_map(u16::to_le_bytes).collect();
    let length = u16::try_from(text.len()).expect("a short text");
    [&[5][..], &length.to_le_bytes(), &(16_u64 << 1).to_le_bytes(), &text].concat()
}

/// Numbers of an encoding, and a block in which each word is another.
fn kdbg() -> Vec<u8> {
    const SIZE: u32 = 0x368;
    let words = (0..u64::from(SIZE / 8)).map(|index| 0xffff_f800_0000_0000 + index * 0x1001);
    let block = Image(words.flat_map(u64::to_le_bytes).collect()).bytes(0x10, b"KDBG").u32(0x14, SIZE).0;
    let encoding = [0x1234_5678_9abc_def0_u64, 0x0fed_cba9_8765_4321, 0xffff_f800_1234_5678];
    encoding.into_iter().flat_map(u64::to_le_bytes).chain(block).collect()
}

/// Four tables of entries of every kind, behind the numbers that the target `translate` expects.
fn page_tables(how: u8) -> Vec<u8> {
    const BASE: u64 = 0xffff_8000_0000_0000;
    const MEMORY: usize = 41;
    let five = how & 16 != 0;
    let entry = |frame: usize, index: usize| MEMORY + frame * PAGE + index * 8;
    let base = if five { 0xff00_0000_0000_0000 + (256 << 39) } else { BASE };
    Image(vec![how ^ 4])
        .u64(1, 0x2000_0000_0000)
        .u64(9, if five { 0x6000 } else { 0x1000 })
        .u64(17, base + 0xffa)
        .u64(25, base + 0x3010)
        .u64(33, base + 0x20_0ff8)
        .u64(entry(1, 256), 0x2003)
        .u64(entry(1, 257), 0x1003)
        .u64(entry(2, 0), 0x3003)
        .u64(entry(2, 1), 0x83)
        .u64(entry(3, 0), 0x4003)
        .u64(entry(3, 1), 0x1083)
        .u64(entry(4, 0), 0x7f00_0000_0000_7003)
        .u64(entry(4, 1), 0x2000_0000_8800)
        .u64(entry(4, 2), 0x8000_0000_0000_9003)
        .u64(entry(4, 3), (base + 0x8000) << 16 | 0x400)
        .u64(entry(4, 4), 0x42_0000_1080)
        .u64(entry(4, 5), 0x80)
        .u64(entry(4, 8), 0x5003)
        .u64(entry(5, 0), 0xa003)
        .u64(entry(6, 256), 0x1003)
        .page(entry(7, 0))
        .page(entry(15, 0))
        .0
}
