//! Small files of layouts made of numbers: a pack, a table in ISF, and packed forms of it.

use crate::dump_files::Image;

/// A pack of two tables: a structure with one more field in the second, an enumeration, an unnamed union, symbols. Its
/// blocks are stored, not compressed, so that a changed byte reaches the decoder.
pub(crate) fn pack() -> Vec<u8> {
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
pub(crate) fn number(value: usize) -> Vec<u8> {
    let low = u8::try_from(value & 0x7f).expect("seven bits");
    if value < 0x80 { vec![low] } else { [vec![low | 0x80], number(value >> 7)].concat() }
}

/// A part: its length, then its bytes.
pub(crate) fn part(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len()), bytes].concat()
}

/// A table that has every kind of type.
pub(crate) const ISF: &str = r#"{"metadata":{"format":"6.2.0","producer":{"name":"x"},"windows":{"pdb":{"GUID":"AB","age":1,
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
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a small table");
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    let divide = |rest: u32, _| rest >> 1 ^ if rest & 1 == 1 { 0xedb8_8320 } else { 0 };
    let sum = !bytes.iter().fold(u32::MAX, |rest, byte| (0..8).fold(rest ^ u32::from(*byte), divide));
    let end = [sum.to_le_bytes(), u32::from(length).to_le_bytes()].concat();
    [&head[..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes, &end].concat()
}

/// A cabinet with one folder, one file and one block, without compression and sums.
pub(crate) fn cabinet(bytes: &[u8]) -> Vec<u8> {
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
