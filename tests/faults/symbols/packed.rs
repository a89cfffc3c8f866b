//! Packed files of symbols: xz, gzip and cabinets that are cut, damaged, nested, or that unpack without end.

use super::{Class, Form::Packed, Made, Sound, refused, true_or_refused};
use std::io::Write;

pub(super) const CLASSES: &[Class] = &[
    refused("packed: cut", Packed, cuts),
    true_or_refused("packed: any bit", Packed, bits),
    Class { every: true, ..refused("packed: bombs", Packed, bombs) },
    Class { every: true, ..refused("packed: of unknown kinds", Packed, unknown) },
    Class { every: true, ..refused("packed: twice, or nothing", Packed, nested) },
    Class { every: true, ..refused("packed: wants much memory", Packed, greedy) },
];

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn cabinet(bytes: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file("ntkrnlmp.pdb");
    let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// How a file is packed: a name, and what does it.
type Kind = (&'static str, fn(&[u8]) -> Vec<u8>);

const KINDS: [Kind; 3] = [("xz", xz), ("gzip", gzip), ("cabinet", cabinet)];

fn cuts(sound: &Sound) -> Vec<Made> {
    let of = |(name, pack): Kind| {
        let packed = pack(&sound.isf);
        let lengths = [2, 6, 12, 20, 36, 60].into_iter().chain((1..8).map(|step| packed.len() / 8 * step));
        let cut = |length: usize| Made::new(format!("{name} cut at {length:#x}"), &packed[..length]);
        lengths.chain([packed.len() - 1]).map(cut).collect::<Vec<_>>()
    };
    KINDS.into_iter().flat_map(of).collect()
}

fn bits(sound: &Sound) -> Vec<Made> {
    let of = |(name, pack): Kind| {
        let packed = pack(&sound.isf);
        let places = (0..80).step_by(3).chain((1..8).map(|step| packed.len() / 8 * step)).chain([packed.len() - 5]);
        let flip = |at: usize| {
            let mut bytes = packed.clone();
            bytes[at] ^= 0x10;
            Made::new(format!("{name}, a bit at {at:#x}"), bytes)
        };
        places.map(flip).collect::<Vec<_>>()
    };
    KINDS.into_iter().flat_map(of).collect()
}

/// A table behind more blanks than a file of its size may have, and nothing but zeros.
fn bombs(sound: &Sound) -> Vec<Made> {
    let mut blanks = b"{".to_vec();
    blanks.resize(65 << 20, b' ');
    blanks.extend(&sound.isf[1..]);
    let mut zeros = sound.pdb[..4096].to_vec();
    zeros.resize(65 << 20, 0);
    KINDS[..2]
        .iter()
        .flat_map(|(name, pack)| [(name, pack, "a table", &blanks), (name, pack, "a PDB", &zeros)])
        .map(|(name, pack, what, bytes)| Made::new(format!("{name}: {what} of 65 MiB"), pack(bytes)))
        .collect()
}

fn unknown(sound: &Sound) -> Vec<Made> {
    let behind = |name: &str, magic: &[u8]| Made::new(name, [magic, &sound.isf].concat());
    vec![
        behind("zstd", b"\x28\xb5\x2f\xfd\x04\0"),
        behind("bzip2", b"BZh9"),
        behind("zip", b"PK\x03\x04"),
        behind("7z", b"7z\xbc\xaf\x27\x1c"),
        behind("lzma", b"\x5d\0\0\x80\0"),
        behind("lz4", b"\x04\x22\x4d\x18"),
    ]
}

fn nested(sound: &Sound) -> Vec<Made> {
    let of = |(name, pack): Kind| {
        vec![
            Made::new(format!("{name} in {name}"), pack(&pack(&sound.isf))),
            Made::new(format!("{name} of nothing"), pack(b"")),
        ]
    };
    KINDS.into_iter().flat_map(of).collect()
}

/// A window of 4 GiB, which a decoder would reserve at once.
fn greedy(sound: &Sound) -> Vec<Made> {
    let mut bytes = xz(&sound.isf);
    let window = bytes[12..].iter().position(|byte| *byte == 0x21).unwrap() + 12 + 2;
    bytes[window] = 40;
    vec![Made::new("xz with a window of 4 GiB", bytes)]
}
