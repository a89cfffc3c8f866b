//! PDB: the container's numbers, the streams' own, the records of types, and the symbols.

use super::kernel_pdb::build::{self, BLOCK, fields, image, pointer, record, structure, text, u16s, u32s};
use super::kernel_pdb::guid;
use super::{Class, Form::Pdb, Made, Sound, refused, true_or_refused};

pub(super) const CLASSES: &[Class] = &[
    Class { every: true, ..refused("msf: signature", Pdb, signature) },
    Class { every: true, ..true_or_refused("msf: header", Pdb, header) },
    Class { every: true, ..refused("msf: block map", Pdb, block_map) },
    true_or_refused("msf: directory", Pdb, directory),
    refused("msf: sizes of streams", Pdb, stream_sizes),
    true_or_refused("msf: blocks of streams", Pdb, stream_blocks),
    Class { every: true, ..refused("cut: at every boundary", Pdb, cuts) },
    Class { every: true, ..true_or_refused("identity: GUID, age", Pdb, identity) },
    Class { every: true, ..refused("debug stream: machine", Pdb, machine) },
    true_or_refused("debug stream: sizes, streams", Pdb, debug_header),
    Class { every: true, ..true_or_refused("types: header", Pdb, type_header) },
    true_or_refused("types: lengths of records", Pdb, record_lengths),
    true_or_refused("types: kinds of records", Pdb, record_kinds),
    Class { every: true, ..true_or_refused("types: numbers of types", Pdb, type_numbers) },
    Class { every: true, ..true_or_refused("types: loops", Pdb, loops) },
    Class { every: true, ..true_or_refused("types: sizes, offsets", Pdb, extremes) },
    Class { every: true, ..true_or_refused("types: wrong base types", Pdb, base_types) },
    true_or_refused("types: any bit", Pdb, bits),
    true_or_refused("symbols: records", Pdb, symbols),
    Class { every: true, ..true_or_refused("symbols: sections", Pdb, sections) },
];

const EXTREMES: [u32; 7] = [0, 1, 3, 0x1000, 0x7fff_ffff, 0x8000_0000, u32::MAX];

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn patched(bytes: &[u8], at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes
}

/// A number of four bytes, set to each of these.
fn numbers(bytes: &[u8], what: &str, at: usize, values: &[u32]) -> Vec<Made> {
    let held = u32_at(bytes, at);
    let values = values.iter().filter(|value| **value != held);
    values.map(|value| Made::new(format!("{what} = {value:#x}"), patched(bytes, at, &value.to_le_bytes()))).collect()
}

/// Where the streams of a file lie, by the format's own numbers.
struct Msf {
    /// File offsets of the blocks of the directory.
    directory: Vec<usize>,
    /// Of each stream: its bytes, and the place in the directory of its first block's number.
    streams: Vec<(usize, usize)>,
}

impl Msf {
    fn of(bytes: &[u8]) -> Self {
        let at = |block: u32| usize::try_from(block).unwrap() * BLOCK;
        let map = at(u32_at(bytes, 0x34));
        let blocks = usize::try_from(u32_at(bytes, 0x2c)).unwrap().div_ceil(BLOCK);
        let directory = (0..blocks).map(|index| at(u32_at(bytes, map + index * 4))).collect();
        let mut msf = Self { directory, streams: Vec::new() };
        let word = |place: usize| u32_at(bytes, msf.place(place));
        let count = usize::try_from(word(0)).unwrap();
        let mut next = 4 + count * 4;
        let stream = |index: usize| {
            let size = usize::try_from(word(4 + index * 4)).unwrap();
            let first = next;
            next += size.div_ceil(BLOCK) * 4;
            (size, first)
        };
        msf.streams = (0..count).map(stream).collect();
        msf
    }

    /// File offset of a place in the directory.
    fn place(&self, place: usize) -> usize {
        self.directory[place / BLOCK] + place % BLOCK
    }

    /// File offset of a place in a stream.
    fn at(&self, bytes: &[u8], stream: usize, place: usize) -> usize {
        let block = u32_at(bytes, self.place(self.streams[stream].1 + place / BLOCK * 4));
        usize::try_from(block).unwrap() * BLOCK + place % BLOCK
    }
}

fn signature(sound: &Sound) -> Vec<Made> {
    let flipped = |at: usize| Made::new(format!("byte {at}"), patched(&sound.pdb, at, &[sound.pdb[at] ^ 0x20]));
    let old = b"Microsoft C/C++ program database 2.00\r\n\x1aJG\0\0";
    (0..32).step_by(3).map(flipped).chain([Made::new("format 2.00", patched(&sound.pdb, 0, old))]).collect()
}

/// Block size, free block map, number of blocks, bytes of the directory, the number that nobody knows.
fn header(sound: &Sound) -> Vec<Made> {
    let of = |(name, at): (&str, usize)| {
        let held = u32_at(&sound.pdb, at);
        let near = [held - 1, held + 1, held / 2, held * 2, 511, 65537];
        numbers(&sound.pdb, name, at, &[&EXTREMES[..], &near].concat())
    };
    [("block size", 0x20), ("number of blocks", 0x28), ("bytes of the directory", 0x2c)]
        .into_iter()
        .flat_map(of)
        .collect()
}

fn block_map(sound: &Sound) -> Vec<Made> {
    let blocks = u32_at(&sound.pdb, 0x28);
    let map = usize::try_from(u32_at(&sound.pdb, 0x34)).unwrap() * BLOCK;
    let mut made = numbers(&sound.pdb, "block map", 0x34, &[0, blocks, 0x7fff_ffff, u32::MAX]);
    made.extend(numbers(&sound.pdb, "block of the directory", map, &[0, blocks, 0x7fff_ffff, u32::MAX]));
    made
}

fn directory(sound: &Sound) -> Vec<Made> {
    let at = Msf::of(&sound.pdb).place(0);
    numbers(&sound.pdb, "number of streams", at, &[0, 1, 2, 3, 6, 8, 0x1_0000, 0x7fff_ffff, u32::MAX])
}

fn stream_sizes(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let of = |stream: usize| {
        let size = u32::try_from(msf.streams[stream].0).unwrap();
        let name = format!("bytes of stream {stream}");
        // The debug stream may be none, and so may what it leads to.
        let least: &[u32] = if stream == 1 { &[0, 1, 3] } else { &[1, 3] };
        let values = [least, &[(size / 2) | 1, 0x7fff_fff0]].concat();
        numbers(&sound.pdb, &name, msf.place(4 + stream * 4), &values)
    };
    [1, 2, 3].into_iter().flat_map(of).collect()
}

fn stream_blocks(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let blocks = u32_at(&sound.pdb, 0x28);
    let of = |stream: usize| {
        let place = msf.place(msf.streams[stream].1);
        let others = (1..7).map(|other| u32_at(&sound.pdb, msf.place(msf.streams[other].1)));
        let values: Vec<u32> = others.chain([0, blocks - 1, blocks, u32::MAX]).collect();
        numbers(&sound.pdb, &format!("first block of stream {stream}"), place, &values)
    };
    [1, 2, 3, 5, 6].into_iter().flat_map(of).collect()
}

fn cuts(sound: &Sound) -> Vec<Made> {
    let whole = sound.pdb.len();
    let header = [0, 1, 31, 32, 55, 56];
    let blocks = (0..whole / BLOCK).step_by(whole / BLOCK / 24).flat_map(|block| {
        let at = block * BLOCK;
        [at.saturating_sub(1), at, at + 1]
    });
    let lengths = header.into_iter().chain(blocks).chain([whole - BLOCK, whole - 1]);
    lengths.map(|length| Made::new(format!("cut at {length:#x}"), &sound.pdb[..length])).collect()
}

fn identity(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let at = msf.at(&sound.pdb, 1, 12);
    let other = ntlens::layout::PdbId { guid: sound.id.guid ^ 1, age: sound.id.age };
    let mut made = vec![
        Made::new("another GUID", patched(&sound.pdb, at, &guid(other))),
        Made::new("GUID of zeros", patched(&sound.pdb, at, &[0; 16])),
    ];
    made.extend(numbers(&sound.pdb, "age", msf.at(&sound.pdb, 3, 8), &[sound.id.age + 1, u32::MAX]));
    made.extend(numbers(&sound.pdb, "version", msf.at(&sound.pdb, 1, 0), &[0, 19_990_903, u32::MAX]));
    made
}

fn machine(sound: &Sound) -> Vec<Made> {
    let at = Msf::of(&sound.pdb).at(&sound.pdb, 3, 58);
    let value = |(name, value): (&str, u16)| Made::new(name, patched(&sound.pdb, at, &value.to_le_bytes()));
    [("x86", 0x14c), ("ARM64", 0xaa64), ("ARM", 0x1c4), ("none that is known", 0xffff)].map(value).into()
}

/// Sizes of the parts behind the header, and the numbers of the streams that it leads to.
fn debug_header(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let sizes = (24..56).step_by(4).flat_map(|place| {
        numbers(&sound.pdb, &format!("size at {place}"), msf.at(&sound.pdb, 3, place), &EXTREMES[1..])
    });
    let streams = (0..6).map(|index| 64 + index * 2).chain([12, 16, 20]).flat_map(|place| {
        let at = msf.at(&sound.pdb, 3, place);
        let value = |value: u16| {
            Made::new(format!("stream at {place} = {value}"), patched(&sound.pdb, at, &value.to_le_bytes()))
        };
        [0, 1, 2, 3, 7, 0x7fff, 0xffff].map(value)
    });
    sizes.chain(streams).collect()
}

fn type_header(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let names = ["version", "size of the header", "first type", "last type", "bytes of records"];
    let of = |(index, name): (usize, &str)| numbers(&sound.pdb, name, msf.at(&sound.pdb, 2, index * 4), &EXTREMES);
    names.into_iter().enumerate().flat_map(of).collect()
}

/// Where each record of a type begins: at its length.
fn records(sound: &Sound) -> Vec<usize> {
    let msf = Msf::of(&sound.pdb);
    let u16_at = |place: usize| {
        let byte = |place: usize| sound.pdb[msf.at(&sound.pdb, 2, place)];
        usize::from(u16::from_le_bytes([byte(place), byte(place + 1)]))
    };
    let mut places = vec![56];
    while let Some(next) = places.last().map(|place| place + 2 + u16_at(*place)).filter(|next| *next < msf.streams[2].0)
    {
        places.push(next);
    }
    places
}

/// A number of two bytes in some records of types.
fn in_records(sound: &Sound, inside: usize, values: &[u16], what: &str) -> Vec<Made> {
    let (msf, all) = (Msf::of(&sound.pdb), records(sound));
    let mut made = Vec::new();
    for place in all.iter().step_by(all.len() / 12).map(|place| place + inside) {
        for value in values {
            let mut bytes = sound.pdb.clone();
            for (byte, place) in value.to_le_bytes().into_iter().zip(place..) {
                bytes[msf.at(&sound.pdb, 2, place)] = byte;
            }
            made.push(Made::new(format!("{what} at {place:#x} = {value:#x}"), bytes));
        }
    }
    made
}

fn record_lengths(sound: &Sound) -> Vec<Made> {
    in_records(sound, 0, &[0, 1, 2, 3, 0x7fff, 0xfffe, 0xffff], "length")
}

fn record_kinds(sound: &Sound) -> Vec<Made> {
    in_records(sound, 2, &[0, 0x1201, 0x1203, 0x1503, 0x1505, 0xffff], "kind")
}

/// Small files of the machine's GUID with some records of types.
fn small(sound: &Sound, what: &str, types: &[Vec<u8>]) -> Made {
    let bytes = image(sound.id.age, types, &[0x1000], &[]);
    let counting: Vec<u8> = (1..=16).collect();
    let at = bytes.windows(16).position(|window| window == counting).unwrap();
    Made::new(what, patched(&bytes, at, &guid(sound.id)))
}

fn type_numbers(sound: &Sound) -> Vec<Made> {
    let numbers = [0, 0xfff, 0x1000, 0x1001, 0x1002, 0x1003, 0x7fff_ffff, u32::MAX];
    let of = |number: u32| {
        [
            small(
                sound,
                &format!("field of type {number:#x}"),
                &[fields(&[("f", number, 0)]), structure("_A", 0x1000, 8, false)],
            ),
            small(sound, &format!("fields in {number:#x}"), &[pointer(0x1000), structure("_A", number, 8, false)]),
            small(
                sound,
                &format!("a pointer to {number:#x}"),
                &[pointer(number), fields(&[("f", 0x1000, 0)]), structure("_A", 0x1001, 8, false)],
            ),
        ]
    };
    numbers.into_iter().flat_map(of).collect()
}

fn loops(sound: &Sound) -> Vec<Made> {
    let array = |of: u32| record(0x1503, &[u32s(&[of, 0x23]), u16s(&[8]), text("")]);
    let continued = |list: u32| [u16s(&[0x1203]), record(0x1404, &[u16s(&[0]), u32s(&[list])])].concat();
    let holder = |ty: u32, list: u32| [fields(&[("f", ty, 0)]), structure("_A", list, 8, false)];
    let with = |first: Vec<Vec<u8>>, ty: u32| {
        let list = 0x1000 + u32::try_from(first.len()).unwrap();
        [first, holder(ty, list).to_vec()].concat()
    };
    let chain: Vec<Vec<u8>> = (0..5000).map(|index| pointer(0x1000 + index)).collect();
    vec![
        small(
            sound,
            "a structure that holds itself",
            &[fields(&[("f", 0x1001, 0)]), structure("_A", 0x1000, 8, false)],
        ),
        small(
            sound,
            "two structures in each other",
            &[
                fields(&[("f", 0x1003, 0)]),
                structure("_A", 0x1000, 8, false),
                fields(&[("f", 0x1001, 0)]),
                structure("_B", 0x1002, 8, false),
            ],
        ),
        small(
            sound,
            "announcements in a circle",
            &[
                structure("_A", 0x1001, 0, true),
                structure("_A", 0x1000, 0, true),
                fields(&[("f", 0x1000, 0)]),
                structure("_B", 0x1002, 8, false),
            ],
        ),
        small(
            sound,
            "a structure without a tag in itself",
            &[
                fields(&[("f", 0x1001, 0)]),
                structure("<unnamed-tag>", 0x1000, 8, false),
                fields(&[("g", 0x1001, 0)]),
                structure("_A", 0x1002, 8, false),
            ],
        ),
        small(sound, "an array of itself", &with(vec![array(0x1000)], 0x1000)),
        small(sound, "arrays of each other", &with(vec![array(0x1001), array(0x1000)], 0x1000)),
        small(sound, "a pointer to itself", &with(vec![pointer(0x1000)], 0x1000)),
        small(sound, "pointers in a chain", &with(chain, 0x1000)),
        small(sound, "a list of fields behind itself", &[continued(0x1000), structure("_A", 0x1000, 8, false)]),
        small(
            sound,
            "lists of fields in a circle",
            &[continued(0x1001), continued(0x1000), structure("_A", 0x1000, 8, false)],
        ),
    ]
}

/// `_EPROCESS` as it is not, with the machine's GUID.
fn extremes(sound: &Sound) -> Vec<Made> {
    let long = |offset: u32| {
        record(0x150d, &[u16s(&[3]), u32s(&[0x603]), u16s(&[0x8004]), u32s(&[offset]), text("UniqueProcessId")])
    };
    let list = |offset: u32| [u16s(&[0x1203]), long(offset)].concat();
    let sized = |what: &str, offset: u32, size: &[u8]| {
        let tag = record(0x1505, &[u16s(&[0, 0]), u32s(&[0x1000, 0, 0]), size.to_vec(), text("_EPROCESS")]);
        small(sound, what, &[list(offset), tag])
    };
    let four = |value: u32| [u16s(&[0x8004]), u32s(&[value])].concat();
    let offsets = [0_u32, 8, 0xa40, 0x7fff_ffff, u32::MAX - 7, u32::MAX];
    let mut made: Vec<Made> =
        offsets.into_iter().map(|offset| sized(&format!("an offset of {offset:#x}"), offset, &four(0xa40))).collect();
    made.extend([0_u32, 1, 0xffff, u32::MAX].map(|size| sized(&format!("a size of {size:#x}"), 0x440, &four(size))));
    made.push(sized("a negative size", 0x440, &[u16s(&[0x8003]), u32s(&[u32::MAX])].concat()));
    made.push(sized("a size of 64 bits", 0x440, &[u16s(&[0x800a]), vec![0xff; 8]].concat()));
    made.push(sized("a size of no known form", 0x440, &u16s(&[0x8fff])));
    let bits = |position: u8, length: u8| record(0x1205, &[u32s(&[0x22]), vec![length, position]]);
    for (position, length) in [(31, 2), (0, 0), (200, 1), (0, 255), (255, 255)] {
        let types = [bits(position, length), fields(&[("f", 0x1000, 0)]), structure("_A", 0x1001, 4, false)];
        made.push(small(sound, &format!("{length} bits from {position} on"), &types));
    }
    let array = record(0x1503, &[u32s(&[0x20, 0x23]), four(u32::MAX), text("")]);
    made.push(small(
        sound,
        "an array of 2^32 bytes",
        &[array, fields(&[("f", 0x1000, 0)]), structure("_A", 0x1001, 8, false)],
    ));
    made
}

/// The whole file with other types of what is read.
fn base_types(sound: &Sound) -> Vec<Made> {
    let change = |structure: &str, field: &str, name: &str| {
        let mut def = sound.layouts.structure(structure).unwrap().clone();
        let place = def.fields.iter_mut().find(|known| &*known.name == field).unwrap();
        place.ty = ntlens::layout::Type::Base(name.into());
        let bytes = super::kernel_pdb::write(&sound.layouts.with_structure(def), sound.id);
        Made::new(format!("{structure}.{field} is {name}"), bytes)
    };
    vec![
        change("_EPROCESS", "UniqueProcessId", "unsigned char"),
        change("_EPROCESS", "ActiveProcessLinks", "unsigned long"),
        change("_EPROCESS", "Token", "double"),
        change("_LIST_ENTRY", "Flink", "unsigned short"),
        change("_UNICODE_STRING", "Length", "char"),
    ]
}

fn bits(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let mut state = 7_u64;
    let fault = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(state >> 33).unwrap() % msf.streams[2].0;
        let at = msf.at(&sound.pdb, 2, place);
        Made::new(
            format!("bit {} at {place:#x}", state >> 29 & 7),
            patched(&sound.pdb, at, &[sound.pdb[at] ^ 1 << (state >> 29 & 7)]),
        )
    };
    (0..24).map(fault).collect()
}

/// Lengths, kinds, sections and offsets of the first public symbol.
fn symbols(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let half = |(name, place): (&'static str, usize)| {
        let value = move |value: u16| (name, place, value.to_le_bytes().to_vec());
        [0, 1, 2, 0x7fff, 0xffff].map(value)
    };
    let halves = [("length", 0), ("kind", 2), ("section", 12)].into_iter().flat_map(half);
    let words = EXTREMES.map(|value| ("offset", 8, value.to_le_bytes().to_vec()));
    let fault = |(name, place, value): (&str, usize, Vec<u8>)| {
        Made::new(format!("{name} = {value:x?}"), patched(&sound.pdb, msf.at(&sound.pdb, 5, place), &value))
    };
    halves.chain(words).map(fault).collect()
}

fn sections(sound: &Sound) -> Vec<Made> {
    let msf = Msf::of(&sound.pdb);
    let mut made = numbers(&sound.pdb, "address of a section", msf.at(&sound.pdb, 6, 12), &EXTREMES);
    made.extend(numbers(&sound.pdb, "bytes of sections", msf.place(4 + 6 * 4), &[0, 1, 39, 41]));
    made.push(Made::new(
        "no streams but three",
        build::pdb(&[Vec::new(), information(sound), build::type_stream(&[])]),
    ));
    made
}

fn information(sound: &Sound) -> Vec<u8> {
    [u32s(&[20_000_404, 0, sound.id.age]), guid(sound.id).to_vec(), u32s(&[0; 4])].concat()
}
