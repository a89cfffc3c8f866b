//! Small PDBs, made from streams.

use std::vec;
use std::vec::Vec;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 512;

/// A PDB of these streams, from number 0 on. Free-block maps are left empty: readers have no use for them.
pub(crate) fn pdb(streams: &[Vec<u8>]) -> Vec<u8> {
    let mut blocks: Vec<Vec<u8>> = vec![Vec::new(); 3];
    let mut directory = u32s(&[count(streams.len())]);
    directory.extend(streams.iter().flat_map(|stream| u32s(&[count(stream.len())])));
    for stream in streams {
        directory.extend(place(&mut blocks, stream));
    }
    let list = place(&mut blocks, &directory);
    let list = place(&mut blocks, &list);
    let mut header = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0".to_vec();
    // No reader looks at the end of the file's first 4096 bytes, but some read them at once.
    let used = count(blocks.len().max(4096 / BLOCK));
    blocks.resize(used as usize, Vec::new());
    header.extend(u32s(&[count(BLOCK), 1, used, count(directory.len()), 0]));
    header.extend(list);
    blocks[0] = header;
    for block in &mut blocks {
        block.resize(BLOCK, 0);
    }
    blocks.concat()
}

/// Puts bytes into new blocks; the numbers of the blocks.
fn place(blocks: &mut Vec<Vec<u8>>, bytes: &[u8]) -> Vec<u8> {
    let first = count(blocks.len());
    blocks.extend(bytes.chunks(BLOCK).map(<[u8]>::to_vec));
    u32s(&(first..count(blocks.len())).collect::<Vec<_>>())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a small number")
}

pub(crate) fn u32s(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(crate) fn u16s(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A PDB of a GUID that counts up from 1 and of this age, with these type records, sections and public symbols.
pub(crate) fn image(age: u32, types: &[Vec<u8>], sections: &[u32], symbols: &[(&str, u16, u32)]) -> Vec<u8> {
    let section = |start: &u32| [vec![0; 12], u32s(&[*start]), vec![0; 24]].concat();
    let public = |(name, section, offset): &(&str, u16, u32)| {
        let body = [u16s(&[0x110e]), u32s(&[0, *offset]), u16s(&[*section]), name.as_bytes().to_vec(), vec![0]];
        sized(&body.concat())
    };
    // Of the debug stream's header: symbols are in stream 5; of the list at its end: sections are in stream 6.
    let mut debug = [u32s(&[u32::MAX, 19_990_903, age]), u16s(&[0xffff, 0, 0xffff, 0, 5, 0])].concat();
    debug.extend(u32s(&[0, 0, 0, 0, 0, 0, 12, 0]));
    debug.extend([u16s(&[0, 0x8664]), u32s(&[0]), u16s(&[0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 6])].concat());
    let information = [u32s(&[20_000_404, 0, age + 1]), (1..=16).collect(), u32s(&[0; 4])].concat();
    pdb(&[
        Vec::new(),
        information,
        type_stream(types),
        debug,
        Vec::new(),
        symbols.iter().flat_map(public).collect(),
        sections.iter().flat_map(section).collect(),
    ])
}

/// The type stream of some records, the first being number 0x1000.
pub(crate) fn type_stream(records: &[Vec<u8>]) -> Vec<u8> {
    let bytes: Vec<u8> = records.iter().flat_map(|record| sized(record)).collect();
    let end = 0x1000 + count(records.len());
    [u32s(&[20_040_203, 56, 0x1000, end, count(bytes.len())]), vec![0; 36], bytes].concat()
}

/// A record with its length before it, filled to a multiple of four.
fn sized(record: &[u8]) -> Vec<u8> {
    let record = filled(record.to_vec());
    [u16s(&[u16::try_from(record.len()).expect("a short record")]), record].concat()
}

/// Fills up so that a multiple of four is reached with the length: each byte says how many are left.
fn filled(mut record: Vec<u8>) -> Vec<u8> {
    let left: &[u8] = [&[0xf2, 0xf1][..], &[0xf1], &[], &[0xf3, 0xf2, 0xf1]][record.len() % 4];
    record.extend(left);
    record
}

/// A record: its kind, then its parts.
pub(crate) fn record(kind: u16, parts: &[Vec<u8>]) -> Vec<u8> {
    [u16s(&[kind]), parts.concat()].concat()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// A structure; `forward` if it is only announced.
pub(crate) fn structure(name: &str, fields: u32, size: u16, forward: bool) -> Vec<u8> {
    let properties = if forward { 0x80 } else { 0 };
    record(0x1505, &[u16s(&[0, properties]), u32s(&[fields, 0, 0]), u16s(&[size]), text(name)])
}

/// A list of fields of these types at these offsets.
pub(crate) fn fields(fields: &[(&str, u32, u16)]) -> Vec<u8> {
    let mut list = u16s(&[0x1203]);
    for (name, ty, offset) in fields {
        list.extend(record(0x150d, &[u16s(&[3]), u32s(&[*ty]), u16s(&[*offset]), text(name)]));
        list = filled(list);
    }
    list
}

/// A pointer of eight bytes.
pub(crate) fn pointer(to: u32) -> Vec<u8> {
    record(0x1002, &[u32s(&[to, 0x1000c])])
}

/// The sample that seeds and tests share: a list, a process with everything that layouts tell, and three symbols.
pub(crate) fn sample() -> Vec<u8> {
    let types = [
        structure("_LIST_ENTRY", 0, 0, true),
        pointer(0x1000),
        fields(&[("Flink", 0x1001, 0), ("Blink", 0x1001, 8)]),
        structure("_LIST_ENTRY", 0x1002, 16, false),
        // 1004: bits 3 to 7 of an unsigned long; 1005: three by two shorts; 1007: a pointer to a procedure.
        record(0x1205, &[u32s(&[0x22]), vec![5, 3]]),
        record(0x1503, &[u32s(&[0x11, 0x23]), u16s(&[6]), text("")]),
        record(0x1503, &[u32s(&[0x1005, 0x23]), u16s(&[12]), text("")]),
        record(0x1008, &[u32s(&[3]), u16s(&[0, 1]), u32s(&[0x1009])]),
        pointer(0x1007),
        record(0x1201, &[u32s(&[1, 0x22])]),
        // 100a: constants, one negative; 100b: their enumeration without a tag.
        record(
            0x1203,
            &[
                record(0x1502, &[u16s(&[3, 1]), text("Running")]),
                vec![0xf2, 0xf1],
                record(0x1502, &[u16s(&[3, 0x8000]), vec![0xff], text("Gone")]),
            ],
        ),
        record(0x1507, &[u16s(&[2, 0]), u32s(&[0x74, 0x100a]), text("<unnamed-tag>")]),
        fields(&[("Long", 0x1004, 0), ("State", 0x100b, 0)]),
        record(0x1506, &[u16s(&[2, 0]), u32s(&[0x100c]), u16s(&[4]), text("<unnamed-tag>")]),
        // 100e: volatile.
        record(0x1001, &[u32s(&[0x100d]), u16s(&[2])]),
        fields(&[("Time", 0x13, 40)]),
        [
            fields(&[("Links", 0x1000, 0), ("u", 0x100e, 16), ("Grid", 0x1006, 20), ("Routine", 0x1008, 32)]),
            record(0x1404, &[u16s(&[0]), u32s(&[0x100f])]),
        ]
        .concat(),
        structure("_PROCESS", 0x1010, 48, false),
    ];
    image(7, &types, &[0x1000, 0x5000], &[("PsList", 2, 0x20), ("_Start", 1, 0), ("Nowhere", 9, 0)])
}
