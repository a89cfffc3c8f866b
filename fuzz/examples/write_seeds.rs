//! Writes the seeds of all fuzz targets: `cargo run --example write_seeds -- seeds`.
//!
//! Every seed is made here from numbers; none is a part of a real dump.

/// What the unit tests of the PDB reader use.
#[path = "../../crates/ntlens-symbols/src/pdb/tests/build.rs"]
#[allow(dead_code, clippy::cast_possible_truncation)]
mod pdb;

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let target = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: write_seeds FOLDER"))?;
    let target = Path::new(&target);
    for (name, bytes) in [
        ("isf/table", ISF.into()),
        ("open/full", full_dump()),
        ("open/bitmap", bitmap_dump()),
        ("open/summary", summary_dump()),
        ("open/rdmp", rdmp_dump()),
        ("open/triage", triage_dump()),
        ("open/header", header(3)),
        ("pack/small", pack()),
        ("pdb/image", pdb::sample()),
        ("pdb/linked.xz", include_bytes!("../../crates/ntlens-symbols/tests/fixtures/lld.pdb.xz").to_vec()),
        ("pdb/table.gz", gzip(ISF.as_bytes())),
        ("pdb/table.cab", cabinet(ISF.as_bytes())),
        ("translate/four_levels", page_tables(4)),
        ("translate/five_levels", page_tables(4 | 16)),
    ] {
        let path = target.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(target))?;
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

/// Writes numbers and text at offsets, growing as needed.
struct Image(Vec<u8>);

impl Image {
    fn bytes(mut self, at: usize, bytes: &[u8]) -> Self {
        if self.0.len() < at + bytes.len() {
            self.0.resize(at + bytes.len(), 0);
        }
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn u32(self, at: usize, value: u32) -> Self {
        self.bytes(at, &value.to_le_bytes())
    }

    fn u64(self, at: usize, value: u64) -> Self {
        self.bytes(at, &value.to_le_bytes())
    }

    fn page(self, at: usize) -> Self {
        self.bytes(at, &[0x5a; PAGE])
    }
}

const PAGE: usize = 0x1000;
const HEADER: usize = 0x2000;
const KERNEL: u64 = 0xffff_f800_0000_0000;

/// A header that is paint but for what every reader looks at; the page tables would start in frame 1.
fn header(dump_type: u32) -> Vec<u8> {
    Image(b"PAGE".repeat(HEADER / 4))
        .bytes(4, b"DU64")
        .u32(0x8, 15)
        .u32(0xc, 19041)
        .u64(0x10, 0x1000)
        .u64(0x20, KERNEL + 0x100)
        .u64(0x28, KERNEL + 0x200)
        .u32(0x30, 0x8664)
        .u32(0x34, 1)
        .u32(0x38, 0xe2)
        .u64(0x80, KERNEL + 0x300)
        .u32(0xf98, dump_type)
        .0
}

/// Two runs; the second page holds a root table with the entry that points back at it.
fn full_dump() -> Vec<u8> {
    Image(header(1))
        .u32(0x88, 2)
        .u64(0x90, 3)
        .u64(0x98, 1)
        .u64(0xa0, 1)
        .u64(0xa8, 4)
        .u64(0xb0, 2)
        .page(HEADER)
        .u64(HEADER + 0xf68, 0x1003)
        .u64(HEADER + 0xf80, 0x4003)
        .page(HEADER + PAGE)
        .u64(HEADER + PAGE, 0x83)
        .page(HEADER + 2 * PAGE)
        .0
}

/// Eleven bits, of which three are set, so that the last byte is a partial one.
fn bitmap_dump() -> Vec<u8> {
    Image(header(6))
        .bytes(HEADER, b"SDMPDUMP")
        .u64(HEADER + 0x20, 0x3000)
        .u64(HEADER + 0x28, 3)
        .u64(HEADER + 0x30, 11)
        .bytes(HEADER + 0x38, &[0b1000_0010, 0b100])
        .page(0x3000)
        .page(0x4000)
        .page(0x5000)
        .0
}

fn summary_dump() -> Vec<u8> {
    Image(header(2))
        .bytes(HEADER, b"SDMPDUMP")
        .u32(HEADER + 0xc, 0x3000)
        .u32(HEADER + 0x10, 16)
        .u32(HEADER + 0x14, 2)
        .bytes(HEADER + 0x28, &[0b11, 0])
        .page(0x3000)
        .page(0x4000)
        .0
}

fn rdmp_dump() -> Vec<u8> {
    Image(header(10))
        .bytes(HEADER, b"\x40\0\0\0RDMP")
        .u64(HEADER + 0x10, 0xfe0)
        .u64(HEADER + 0x18, 0x3000)
        .u32(HEADER + 0x20, 2)
        .u64(HEADER + 0x28, 2)
        .u64(HEADER + 0x30, 1)
        .u64(HEADER + 0x38, 1)
        .u64(HEADER + 0x40, 9)
        .u64(HEADER + 0x48, 1)
        .page(0x3000)
        .page(0x4000)
        .0
}

/// One of everything: copies of three structures, a block for debuggers, a driver, an unloaded module, two blocks.
fn triage_dump() -> Vec<u8> {
    let (kprcb, process, thread, stack) = (0x2100_u32, 0x2180_u32, 0x2200_u32, 0x2280_u32);
    let (debugger, driver, name, unloaded, blocks) = (0x2300_u32, 0x2700_u32, 0x2790_u32, 0x27b0_u32, 0x27f0_u32);
    let at = |offset: u32| offset as usize;
    Image(header(4))
        .u32(HEADER + 0x4, 0x2900)
        .u32(HEADER + 0x18, unloaded)
        .u32(HEADER + 0x1c, kprcb)
        .u32(HEADER + 0x20, process)
        .u32(HEADER + 0x24, thread)
        .u32(HEADER + 0x28, stack)
        .u32(HEADER + 0x2c, 0x40)
        .u32(HEADER + 0x30, driver)
        .u32(HEADER + 0x34, 1)
        .u32(HEADER + 0x38, name)
        .u32(HEADER + 0x3c, 0x20)
        .u64(HEADER + 0x48, KERNEL + 0x7000)
        .u64(HEADER + 0x60, KERNEL + 0x8000)
        .u32(HEADER + 0x68, 0x2840)
        .u32(HEADER + 0x6c, 0x40)
        .u32(HEADER + 0x70, debugger)
        .u32(HEADER + 0x74, 0x360)
        .u32(HEADER + 0x78, blocks)
        .u32(HEADER + 0x7c, 2)
        .u64(at(kprcb) + 8, KERNEL + 0x5000)
        .u64(at(thread) + 0x20, KERNEL + 0x6000)
        .bytes(at(debugger) + 0x10, b"KDBG")
        .u32(at(debugger) + 0x14, 0x360)
        .u64(at(debugger) + 0x18, KERNEL)
        .u64(at(debugger) + 0x218, KERNEL + 0x9000)
        .u32(at(debugger) + 0x2a0, 0x20)
        .u32(at(debugger) + 0x2b4, 0x8)
        .u32(at(debugger) + 0x2bc, 0x24 << 16)
        .u32(at(driver), name)
        .u64(at(driver) + 0x38, KERNEL)
        .u32(at(driver) + 0x48, 0x1000)
        .u32(at(name), 6)
        .bytes(at(name) + 4, b"n\0t\0o\0s\0k\0r\0")
        .u64(at(unloaded), 1)
        .u32(at(unloaded) + 8, 0x0008_0006)
        .bytes(at(unloaded) + 0x18, b"a\0b\0c\0")
        .u64(at(unloaded) + 0x30, KERNEL + 0x2000)
        .u64(at(unloaded) + 0x38, KERNEL + 0x3000)
        .u64(at(blocks), KERNEL + 0x9000)
        .u32(at(blocks) + 8, 0x2840)
        .u32(at(blocks) + 0xc, 0x40)
        .u64(at(blocks) + 0x10, KERNEL + 0x9040)
        .u32(at(blocks) + 0x18, 0x2880)
        .u32(at(blocks) + 0x1c, 0x80)
        .u64(0x2840, KERNEL + 0xa000)
        .u32(0x28fc, 0x5a5a_5a5a)
        .0
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

/// A pack of two tables: a structure with one more field in the second, an enumeration, an unnamed union, symbols. Its
/// blocks are stored, not compressed, so that a changed byte reaches the decoder.
fn pack() -> Vec<u8> {
    let names = ["unsigned char", "_A", "_E", "ONE", "TWO", "Low", "High", "First", "u", "Flag", "Link"];
    let mut hot = vec![0, 1, 11];
    hot.extend(part(&names.map(|name| u8::try_from(name.len()).expect("short"))));
    hot.extend(part(names.concat().as_bytes()));
    // Types: a byte, bits of a byte, a pointer to _A, the unnamed union, an array.
    hot.push(5);
    hot.extend(part(&[4, 0, 3, 1, 2, 4, 2, 1, 5, 0, 7, 0, 2, 3, 4, 2]));
    // Groups: _A has a version for each set, _E one for both.
    hot.push(2);
    hot.extend(part(&[3, 2, 1, 1, 0, 1, 0, 1, 0, 1]));
    hot.push(1);
    // Heads: the union, two versions of _A, the enumeration.
    hot.extend(part(&[0, 1, 4, 0, 0, 34, 1, 0, 16, 0, 3, 2]));
    hot.extend(part(&[11, 0, 15, 0, 12, 7, 0, 11, 0]));
    hot.extend(part(&[7, 8, 9, 10, 11, 12, 5, 6]));
    hot.extend(part(&[2, 6, 2, 5, 3, 4]));
    hot.extend(part(&[0, 2, 0, 16, 0, 16, 2, 2]));
    let mut cold = vec![0, 0, 0];
    cold.extend([part(&[]), part(&[])].concat());
    cold.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let symbols = [2, 1, b'a', 1, b'b', 11, 1, 2, 0, 16, 1, 32, 0, 0, 2, 0].to_vec();
    let mut pack = b"NTLPACK1".to_vec();
    pack.extend(part(b"made by write_seeds"));
    pack.push(2);
    for revision in [1, 2] {
        pack.extend([&[0, 10, 0], &number(19041)[..], &[revision + 1, 2]].concat());
        pack.extend([revision; 16]);
    }
    for block in [hot, symbols, cold] {
        pack.push(0);
        pack.extend(number(block.len()));
        pack.extend(part(&block));
    }
    pack
}

/// A number as packs write it: seven bits per byte, the lowest first.
fn number(value: usize) -> Vec<u8> {
    let low = u8::try_from(value & 0x7f).expect("seven bits");
    if value < 0x80 { vec![low] } else { [vec![low | 0x80], number(value >> 7)].concat() }
}

/// A part: its length, then its bytes.
fn part(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len()), bytes].concat()
}

/// A table that has every kind of type.
const ISF: &str = r#"{"metadata":{"format":"6.2.0","producer":{"name":"x"},"windows":{"pdb":{"GUID":"AB","age":1,
"database":"a.pdb","machine_type":34404},"pe":{"major":10,"minor":0,"revision":19041,"build":1}}},
"base_types":{"int":{"size":4,"signed":true,"kind":"int","endian":"little"}},
"user_types":{"_A":{"kind":"struct","size":16,"fields":{
"u":{"offset":8,"type":{"kind":"union","name":"__unnamed_1a"}},
"b":{"offset":0,"type":{"kind":"bitfield","bit_position":3,"bit_length":2,"type":{"kind":"base","name":"unsigned long"}}},
"p":{"offset":4,"type":{"kind":"pointer","base":"pointer32","subtype":{"kind":"function"}}},
"e":{"offset":4,"type":{"kind":"enum","name":"__unnamed_2b"}}}},
"__unnamed_1a":{"kind":"union","size":8,"fields":{
"n":{"offset":0,"type":{"kind":"pointer","subtype":{"kind":"struct","name":"_A"}}},
"a":{"offset":0,"type":{"kind":"array","count":2,"subtype":{"kind":"base","name":"int"}}}}}},
"enums":{"__unnamed_2b":{"base":"int","size":4,"constants":{"Z":0,"A":-1}}},
"symbols":{"PsList":{"address":64},"Start":{"address":128,"linkage_name":"_Start"}}}"#;

/// Stored, not deflated: the sum at the end is all that changes to the table must match.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a small table");
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    let divide = |rest: u32, _| rest >> 1 ^ if rest & 1 == 1 { 0xedb8_8320 } else { 0 };
    let sum = !bytes.iter().fold(u32::MAX, |rest, byte| (0..8).fold(rest ^ u32::from(*byte), divide));
    let end = [sum.to_le_bytes(), u32::from(length).to_le_bytes()].concat();
    [&head[..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes, &end].concat()
}

/// A cabinet with one folder, one file and one block, without compression and sums.
fn cabinet(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a small table");
    let all = u32::from(length) + 74;
    Image(b"MSCF".to_vec())
        .u32(8, all)
        .u32(16, 44)
        .bytes(24, &[3, 1, 1, 0, 1, 0])
        .bytes(36, &[66, 0, 0, 0, 1, 0, 0, 0])
        .u32(44, length.into())
        .bytes(52, &[0; 8])
        .bytes(60, b"a.pdb\0")
        .u32(66, 0)
        .bytes(70, &length.to_le_bytes())
        .bytes(72, &length.to_le_bytes())
        .bytes(74, bytes)
        .0
}
