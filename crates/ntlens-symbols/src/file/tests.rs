//! Files by their content, packed and not.

use super::*;
use alloc::string::ToString;
use std::format;
use std::io::Write;
use std::path::PathBuf;

/// A PDB by LLVM's linker, packed by xz.
const PDB: &[u8] = include_bytes!("../../tests/fixtures/lld.pdb.xz");

const ISF: &str = r#" {"metadata": {"format": "6.2.0", "windows": {"pdb":
    {"GUID": "1C00BC34AB8819474C4C44205044422E", "age": 1, "database": "a.pdb", "machine_type": 34404}}},
    "base_types": {}, "user_types": {}, "enums": {}, "symbols": {}}"#;

fn from_bytes(bytes: &[u8]) -> Result<SymbolTable, SymbolError> {
    read_bytes("x".as_ref(), bytes)
}

fn pdb() -> Vec<u8> {
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(PDB, false).read_to_end(&mut bytes).unwrap();
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn cabinet(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(cab::CompressionType::MsZip);
    for (name, _) in files {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    let mut contents = files.iter();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(contents.next().unwrap().1).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A file of its own name, gone at the end of the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("ntlens-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn each_packing_is_seen_through() {
    let (pdb, table) = (pdb(), ISF.as_bytes());
    let packed = [pdb.clone(), PDB.to_vec(), gzip(&pdb), cabinet(&[("a.pdb", &pdb), ("b.txt", b"second")])];
    for bytes in packed {
        assert_eq!(from_bytes(&bytes).unwrap().layouts.structures().count(), 3);
    }
    for bytes in [table.to_vec(), xz(table), gzip(table), cabinet(&[("a.json", table)])] {
        assert_eq!(from_bytes(&bytes).unwrap().pdb_name.as_deref(), Some("a.pdb"));
    }
}

#[test]
fn the_name_of_a_file_says_nothing() {
    let (pdb, table) = (pdb(), ISF.as_bytes());
    for (name, bytes, told) in [
        ("pdb.json", pdb.clone(), None),
        ("pdb.gz", PDB.to_vec(), None),
        ("pdb.cab", cabinet(&[("x", &pdb)]), None),
        ("isf.pdb", table.to_vec(), Some("a.pdb")),
        ("isf", xz(table), Some("a.pdb")),
    ] {
        let file = Temporary::new(name, &bytes);
        let identity = identify(&file.0).unwrap();
        let table = read(&file.0).unwrap();
        assert_eq!(identity.id.to_string(), "1C00BC34AB8819474C4C44205044422E1");
        assert_eq!((identity.id, identity.pdb_name.as_deref()), (table.id, told), "{name}");
        assert_eq!(table.pdb_name.as_deref(), told);
    }
}

#[test]
fn other_files_are_refused() {
    let nothing = SymbolError::NotSymbols { path: "x".into() };
    for bytes in
        [&b""[..], b"MZ", b"[]", b"not JSON", &gzip(b"text"), &gzip(&gzip(ISF.as_bytes())), &cabinet(&[("x", b"y")])]
    {
        assert_eq!(from_bytes(bytes).unwrap_err(), nothing);
    }
    let old = b"Microsoft C/C++ program database 2.00\r\n\x1aJG\0\0";
    assert_eq!(from_bytes(old).unwrap_err(), SymbolError::OldPdb { path: "x".into() });
    assert_eq!(from_bytes(&gzip(old)).unwrap_err(), SymbolError::OldPdb { path: "x".into() });
}

#[test]
fn damaged_packings_are_named() {
    let whole = ISF.as_bytes();
    for (packing, mut bytes) in [("xz", xz(whole)), ("gzip", gzip(whole)), ("cabinet", cabinet(&[("a", whole)]))] {
        bytes.truncate(bytes.len() - 20);
        let error = from_bytes(&bytes).unwrap_err();
        assert!(matches!(&error, SymbolError::Unpack { packing: named, .. } if *named == packing), "{error}");
        for length in 0..bytes.len() {
            let _ = from_bytes(&bytes[..length]);
        }
    }
    let mut empty = b"MSCF".to_vec();
    empty.resize(60, 0);
    assert!(matches!(from_bytes(&empty), Err(SymbolError::Unpack { packing: "cabinet", .. })));
}

#[test]
fn a_cabinet_whose_first_file_is_elsewhere_is_refused() {
    let mut bytes = cabinet(&[("a", ISF.as_bytes())]);
    let file = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
    bytes[file + 4..file + 8].copy_from_slice(&0x100_0000_u32.to_le_bytes());
    assert!(matches!(from_bytes(&bytes), Err(SymbolError::Unpack { packing: "cabinet", .. })));
}

/// A small file may not ask for more than a small file's worth.
#[test]
fn what_unpacks_without_end_is_cut_off() {
    let mut bomb = ISF.as_bytes()[..2].to_vec();
    bomb.resize(65 << 20, b' ');
    bomb.extend(ISF.as_bytes());
    for packed in [xz(&bomb), gzip(&bomb)] {
        assert!(packed.len() < 1 << 20);
        assert!(matches!(from_bytes(&packed), Err(SymbolError::TooLarge { limit, .. }) if limit == 64 << 20));
    }
    // A window of 4 GiB, which the decoder would reserve at once.
    let mut greedy = xz(ISF.as_bytes());
    let window = greedy[12..].iter().position(|byte| *byte == 0x21).unwrap() + 12 + 2;
    greedy[window] = 40;
    assert!(matches!(from_bytes(&greedy), Err(SymbolError::Unpack { packing: "xz", .. })));
}

#[test]
fn only_regular_files_are_opened() {
    let folder = std::env::temp_dir();
    assert_eq!(read(&folder).unwrap_err(), SymbolError::NotAFile { path: folder.clone() });
    assert!(matches!(read(&folder.join("ntlens-nothing")), Err(SymbolError::Io { .. })));
    if cfg!(unix) {
        assert_eq!(identify("/dev/zero".as_ref()), Err(SymbolError::NotAFile { path: "/dev/zero".into() }));
        let pipe = folder.join(format!("ntlens-{}-pipe", std::process::id()));
        if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            assert_eq!(read(&pipe).unwrap_err(), SymbolError::NotAFile { path: pipe.clone() });
            std::fs::remove_file(&pipe).unwrap();
        }
    }
}
