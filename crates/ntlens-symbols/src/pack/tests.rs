//! The embedded pack says what is known of kernels; any other bytes are refused or bounded.

use super::*;
use alloc::string::ToString;
use ntlens_core::layout::{StructDef, Type};
use proptest::prelude::*;

fn table(pack: &Pack<'_>, version: &str) -> usize {
    pack.tables().iter().position(|table| table.version.to_string() == version).unwrap()
}

#[test]
fn the_embedded_pack_has_every_kernel() {
    let pack = Pack::embedded().unwrap();
    let count = |source| pack.tables().iter().filter(|table| table.source == source).count();
    assert_eq!((count(Source::Isf), count(Source::Vergilius), count(Source::Ntdiff)), (192, 18, 1));
    assert!(pack.tables().is_sorted_by_key(|table| table.version));
    assert!(pack.tables().iter().all(|table| table.id.is_some() == (table.source == Source::Isf)));
    assert!(EMBEDDED.len() <= 256 << 10);
    assert!(pack.notice().contains("Copyright 2023 JPCERT Coordination"));
    assert!(pack.notice().contains("Apache License 2.0"));
}

#[test]
fn flags_of_18362_lie_where_they_are_known_to_be() {
    let pack = Pack::embedded().unwrap();
    let layouts = pack.kernel_layouts(table(&pack, "10.0.18362.592")).unwrap();
    for (name, bit) in [("SystemProcess", 12), ("SubsystemProcess", 6)] {
        let place = layouts.place("_EPROCESS", name).unwrap();
        assert_eq!(place.offset, 0x6fc, "{name}");
        let word = Type::Base("unsigned long".into());
        assert_eq!(place.ty, Type::Bits { position: bit, length: 1, of: word.into() }, "{name}");
    }
    assert_eq!(layouts.id().unwrap().to_string(), "F3A4F64B6F639A058AD6F33155ACA4F61");
    assert!(layouts.symbol("PsInitialSystemProcess").is_ok());
}

#[test]
fn hot_layouts_are_a_part_of_all_layouts() {
    let pack = Pack::embedded().unwrap();
    for version in ["6.1.7601.24540", "10.0.18362.592", "10.0.22631.2428", "10.0.26100"] {
        let table = table(&pack, version);
        let (hot, all) = (pack.kernel_layouts(table).unwrap(), pack.all_layouts(table).unwrap());
        assert!(hot.structures().all(|def| all.structure(&def.name) == Some(def)), "{version}");
        assert!(hot.enumerations().all(|def| all.enumeration(&def.name) == Some(def)), "{version}");
        assert!(hot.symbols().eq(all.symbols()), "{version}");
        assert!(hot.structure("_EPROCESS").is_some());
    }
}

#[test]
fn kernels_loaded_together_share_definitions() {
    let pack = Pack::embedded().unwrap();
    let tables = ["10.0.19041.329", "10.0.22000.318"].map(|version| table(&pack, version));
    let both = pack.kernel_layouts_of(&tables).unwrap();
    let [first, second] = &both[..] else { panic!() };
    let list_entry = |layouts: &Layouts| core::ptr::from_ref::<StructDef>(layouts.structure("_LIST_ENTRY").unwrap());
    assert_eq!(list_entry(first), list_entry(second));
    for (layouts, table) in both.iter().zip(tables) {
        let alone = pack.kernel_layouts(table).unwrap();
        assert!(alone.structures().eq(layouts.structures()));
        assert_eq!(alone.version(), layouts.version());
    }
}

#[test]
fn layouts_without_types_borrow_those_that_never_change() {
    let pack = Pack::embedded().unwrap();
    let vergilius = pack.kernel_layouts(table(&pack, "10.0.22631.2428")).unwrap();
    let links = vergilius.place("_EPROCESS", "ActiveProcessLinks").unwrap();
    assert_eq!((links.offset, links.ty), (0x448, Type::Struct("_LIST_ENTRY".into())));
    assert_eq!(vergilius.size_of("_EPROCESS"), Ok(0xb80));
    let newest = pack.kernel_layouts(table(&pack, "10.0.26100")).unwrap();
    let session = newest.place("_EPROCESS", "Session").unwrap();
    let pointee = Type::Struct("_PSP_SESSION_SPACE".into());
    assert_eq!((session.offset, session.ty), (0x2e8, Type::Pointer(pointee.into())));
    assert_eq!(newest.place("_EPROCESS", "SystemProcess").unwrap().offset, 0x5fc);
    let bits = newest.place("_HANDLE_TABLE_ENTRY", "ObjectPointerBits").unwrap().ty;
    assert!(matches!(bits, Type::Bits { position: 20, length: 44, .. }));
    let jobs = newest.place("_EJOB", "Silo").unwrap();
    assert!(matches!(jobs.ty, Type::Bits { position: 30, length: 1, .. }) && jobs.offset == 0x610);
    assert_eq!(newest.size_of("_OBJECT_TYPE"), Ok(0xe0));
    assert_eq!(newest.place("_OBJECT_HEADER_NAME_INFO", "Name").unwrap().offset, 8);
}

#[test]
fn bytes_that_are_no_pack_are_refused() {
    assert_eq!(Pack::parse(b"").unwrap_err(), PackError::NotAPack);
    assert_eq!(Pack::parse(b"NTLPACK0").unwrap_err(), PackError::NotAPack);
    assert_eq!(Pack::parse(MAGIC).unwrap_err(), PackError::Truncated);
    let cut = &EMBEDDED[..EMBEDDED.len() - 1];
    assert_eq!(Pack::parse(cut).unwrap_err(), PackError::Truncated);
    let pack = Pack::embedded().unwrap();
    let none = pack.tables().len();
    assert_eq!(pack.kernel_layouts(none).unwrap_err(), PackError::NoSuchTable(none));
    assert_eq!(pack.all_layouts(usize::MAX).unwrap_err(), PackError::NoSuchTable(usize::MAX));
}

#[test]
fn a_block_that_promises_too_much_is_refused() {
    // No notice, no tables, and a block of 4 MiB and a byte.
    for packing in 0..3 {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([0, 0, packing, 0x81, 0x80, 0x80, 2, 0]);
        assert_eq!(Pack::parse(&bytes).unwrap_err(), PackError::TooLarge("blocks"));
    }
    let unknown = [&MAGIC[..], &[0, 0, 3, 0, 0]].concat();
    assert_eq!(Pack::parse(&unknown).unwrap_err(), PackError::Invalid("packing"));
}

#[test]
fn a_block_must_unpack_to_what_it_promises() {
    // The bytes 1, 2, 3 in each packing.
    let packings = [
        (Packing::Stored, &[1, 2, 3][..]),
        (Packing::Deflate, &[1, 3, 0, 0xfc, 0xff, 1, 2, 3]),
        (Packing::Lz4, &[0x30, 1, 2, 3]),
    ];
    for (packing, packed) in packings {
        assert_eq!(Block { packing, raw_len: 3, packed }.unpack().unwrap(), [1, 2, 3], "{packing:?}");
        for raw_len in [0, 2, 4, 1000] {
            let wrong = Block { packing, raw_len, packed }.unpack();
            assert_eq!(wrong.unwrap_err(), PackError::Compression, "{packing:?} {raw_len}");
        }
    }
}

/// Whatever the content, decoding ends and does not panic.
fn decode_blocks(hot: &[u8], symbols: &[u8], tables: usize) {
    let mut definitions = Definitions::default();
    if definitions.add_block(hot, tables).is_ok() {
        let mut materializer = Materializer::new(&definitions);
        for table in 0..tables {
            let _ = materializer.types_of(table);
        }
    }
    for table in 0..tables {
        let _ = symbols::of_table(symbols, tables, table);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Pack::parse(&bytes);
        let mut with_magic = MAGIC.to_vec();
        with_magic.extend(&bytes);
        if let Ok(pack) = Pack::parse(&with_magic) {
            let all: Vec<usize> = (0..pack.tables().len()).collect();
            let _ = pack.kernel_layouts_of(&all);
        }
    }

    #[test]
    fn any_blocks_are_read_without_panic(
        hot in prop::collection::vec(0_u8..12, 0..400),
        symbols in prop::collection::vec(0_u8..12, 0..400),
        tables in 0_usize..4,
    ) {
        decode_blocks(&hot, &symbols, tables);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_in_the_file_do_no_harm(flips in prop::collection::vec((0..EMBEDDED.len(), 0_u8..8), 1..4)) {
        let mut bytes = EMBEDDED.to_vec();
        for (at, bit) in flips {
            bytes[at] ^= 1 << bit;
        }
        if let Ok(pack) = Pack::parse(&bytes) {
            let _ = pack.kernel_layouts_of(&[0, 100, 210]);
            let _ = pack.all_layouts(150);
        }
    }

    /// Compression hides most flips; these are behind it.
    #[test]
    fn flipped_bits_in_the_blocks_do_no_harm(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4)) {
        let pack = Pack::embedded().unwrap();
        let (mut hot, mut symbols) = (pack.hot.unpack().unwrap(), pack.symbols.unpack().unwrap());
        for (at, bit) in flips {
            let at_hot = at.index(hot.len());
            hot[at_hot] ^= 1 << bit;
            let at_symbols = at.index(symbols.len());
            symbols[at_symbols] ^= 1 << bit;
        }
        let mut definitions = Definitions::default();
        if definitions.add_block(&hot, pack.tables().len()).is_ok() {
            let mut materializer = Materializer::new(&definitions);
            for table in [0, 77, 150, 210] {
                let _ = materializer.types_of(table);
            }
        }
        for table in [0, 77, 150] {
            let _ = symbols::of_table(&symbols, pack.tables().len(), table);
        }
    }
}

/// A field that is read as more bytes than it has would be absent: none of any embedded kernel is, but the whole page number
/// of a memory area, which only Windows 7 has.
#[test]
fn no_field_is_narrower_than_what_is_read_of_it() {
    let pack = Pack::embedded().unwrap();
    let all = pack.kernel_layouts_of(&(0..pack.tables().len()).collect::<Vec<_>>()).unwrap();
    for (layouts, table) in all.iter().zip(pack.tables()) {
        let fields = alloc::format!("{:#?}", ntlens_core::nt::fields::Fields::resolve(layouts));
        let lines: Vec<&str> = fields.lines().map(str::trim).collect();
        let narrow = lines.windows(2).filter(|lines| lines[1] == "Malformed,").map(|lines| lines[0]);
        let narrow: Vec<_> = narrow.filter(|line| !["first: Err(", "last: Err("].contains(line)).collect();
        assert!(narrow.is_empty(), "{}: {narrow:?}", table.version);
    }
}
