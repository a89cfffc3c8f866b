//! PDBs made here, and one that LLVM's linker made.

#[allow(clippy::cast_possible_truncation, clippy::missing_panics_doc, reason = "a tool of tests")]
mod build;

use super::*;
use crate::file;
use alloc::string::{String, ToString};
use build::{fields, image, pdb, pointer, record, structure, text, type_stream, u16s, u32s};
use ntlens_core::layout::{StructKind, Type};
use proptest::prelude::*;
use std::io::Cursor as Bytes;

fn open(bytes: &[u8]) -> Result<SymbolTable, SymbolError> {
    read("a.pdb".as_ref(), Bytes::new(bytes))
}

fn base(name: &str) -> Type {
    Type::Base(name.into())
}

/// The layouts of some type records.
fn layouts(types: &[Vec<u8>]) -> Layouts {
    open(&image(1, types, &[], &[])).unwrap().layouts
}

/// What is wrong with some type records.
fn error(types: &[Vec<u8>]) -> String {
    open(&image(1, types, &[], &[])).unwrap_err().to_string()
}

#[test]
fn the_sample_is_read() {
    let table = open(&build::sample()).unwrap();
    assert_eq!(table.id.to_string(), "0403020106050807090A0B0C0D0E0F107");
    let layouts = &table.layouts;
    let process = layouts.structure("_PROCESS").unwrap();
    assert_eq!((process.kind, process.size), (StructKind::Struct, Some(48)));
    let names: Vec<_> = process.fields.iter().map(|field| (&*field.name, field.offset)).collect();
    assert_eq!(names, [("Links", 0), ("u", 16), ("Grid", 20), ("Routine", 32), ("Time", 40)]);
    let ty = |path| layouts.place("_PROCESS", path).unwrap().ty;
    assert_eq!(ty("Links.Flink"), Type::Pointer(Box::new(Type::Struct("_LIST_ENTRY".into()))));
    assert_eq!(ty("u.Long"), Type::Bits { position: 3, length: 5, of: Box::new(base("unsigned long")) });
    let row = Type::Array { count: 3, of: Box::new(base("short")) };
    assert_eq!(ty("Grid"), Type::Array { count: 2, of: Box::new(row) });
    assert_eq!(ty("Routine"), Type::Pointer(Box::new(Type::Function)));
    assert_eq!(ty("u.State"), Type::Enum("<unnamed-enum-Gone>".into()));
    let state = layouts.enumeration("<unnamed-enum-Gone>").unwrap();
    assert_eq!(state.constants, [("Gone".into(), -1), ("Running".into(), 1)]);
    let symbols: Vec<_> = layouts.symbols().collect();
    assert_eq!(symbols, [("PsList", Rva(0x5020)), ("_Start", Rva(0x1000))]);
}

#[test]
fn the_age_is_that_of_the_debug_stream() {
    let identified = |bytes: &[u8]| identify("a.pdb".as_ref(), Bytes::new(bytes)).unwrap().age;
    assert_eq!(identified(&image(7, &[], &[], &[])), 7);
    // Written by something that leaves it out.
    assert_eq!(identified(&image(0, &[], &[], &[])), 1);
    let information = [u32s(&[20_000_404, 0, 3]), vec![1; 16], u32s(&[0; 4])].concat();
    let without_debug_stream = pdb(&[Vec::new(), information, type_stream(&[])]);
    assert_eq!(identified(&without_debug_stream), 3);
    assert_eq!(open(&without_debug_stream).unwrap().layouts.symbols().count(), 0);
}

/// What `llvm-pdbutil dump --types --publics` says of it, and the image's own RSDS record.
#[test]
fn what_llvms_linker_writes_is_read() {
    let packed = include_bytes!("../../../tests/fixtures/lld.pdb.xz");
    let table = file::read_bytes("lld.pdb.xz".as_ref(), packed).unwrap();
    assert_eq!(table.id.to_string(), "1C00BC34AB8819474C4C44205044422E1");
    let layouts = &table.layouts;
    let sizes: Vec<_> = layouts.structures().map(|def| (&*def.name, def.size, def.fields.len())).collect();
    assert_eq!(
        sizes,
        [("types::Process", Some(48), 5), ("types::Value", Some(12), 3), ("types::_LIST_ENTRY", Some(16), 2)]
    );
    let place = |path| layouts.place("types::Process", path).unwrap();
    assert_eq!((place("Time").offset, place("Time").ty), (40, base("long long")));
    assert_eq!((place("Routine").offset, place("Routine").ty), (32, Type::Pointer(Box::new(Type::Function))));
    assert_eq!((place("State").offset, place("State").ty), (16, Type::Enum("types::State".into())));
    let Type::Array { count: 2, of } = place("Value.Wide").ty else { panic!("{:?}", place("Value.Wide")) };
    assert_eq!(*of, Type::Array { count: 3, of: Box::new(base("unsigned short")) });
    // The linker wrote 4294967295; the type behind it is an `int`.
    let state = layouts.enumeration("types::State").unwrap();
    assert_eq!((&*state.base, &state.constants[0]), ("int", &("Ready".into(), -1)));
    let symbols: Vec<_> = layouts.symbols().map(|(name, rva)| (name, rva.0)).collect();
    assert_eq!(symbols, [("PsList", 0x3000), ("__imp_PsList", 0x3030), ("entry", 0x1000), ("routine", 0x1020)]);
}

#[test]
fn announcements_stand_for_definitions() {
    let types = [
        structure("_A", 0, 0, true),
        structure("_Gone", 0, 0, true),
        // Arrays of what comes later, and of what never comes.
        record(0x1503, &[u32s(&[0x1000, 0x23]), u16s(&[24]), text("")]),
        record(0x1503, &[u32s(&[0x1001, 0x23]), u16s(&[24]), text("")]),
        fields(&[("Known", 0x1002, 0), ("Unknown", 0x1003, 24)]),
        structure("_B", 0x1004, 48, false),
        structure("_A", 0, 8, false),
    ];
    let layouts = layouts(&types);
    let ty = |name| layouts.place("_B", name).unwrap().ty;
    assert_eq!(ty("Known"), Type::Array { count: 3, of: Box::new(Type::Struct("_A".into())) });
    assert_eq!(ty("Unknown"), Type::Unknown);
    assert_eq!(layouts.structures().count(), 2);
}

#[test]
fn what_takes_no_room_is_passed_over() {
    let list = record(
        0x1203,
        &[
            record(0x1400, &[u16s(&[3]), u32s(&[0x1000]), u16s(&[0])]),
            record(0x1401, &[u16s(&[3]), u32s(&[0x1000, 0x1000]), u16s(&[0, 0x8002, 40000])]),
            record(0x1409, &[u16s(&[0]), u32s(&[0x1000])]),
            record(0x1511, &[u16s(&[3]), u32s(&[0x1000]), text("Method")]),
            record(0x1511, &[u16s(&[4 << 2]), u32s(&[0x1000, 8]), text("Virtual")]),
            record(0x150f, &[u16s(&[2]), u32s(&[0x1000]), text("Overloaded")]),
            record(0x150e, &[u16s(&[3]), u32s(&[0x13]), text("Static")]),
            record(0x1510, &[u16s(&[0]), u32s(&[0x13]), text("Nested")]),
            record(0x150d, &[u16s(&[3]), u32s(&[0x13]), u16s(&[0x8004]), u32s(&[8]), text("Far")]),
        ],
    );
    let layouts = layouts(&[record(0x000a, &[u16s(&[0xffff])]), list, structure("_A", 0x1001, 16, false)]);
    let fields = &layouts.structure("_A").unwrap().fields;
    assert_eq!((fields.len(), &*fields[0].name, fields[0].offset), (1, "Far", 8));
}

#[test]
fn pointers_that_are_none_of_eight_bytes() {
    let types = [
        record(0x1002, &[u32s(&[0x13, 0x800a])]),
        record(0x1002, &[u32s(&[0x13, 0x1_004c, 0x1000])]),
        record(0x1002, &[u32s(&[0x13, 0x2c])]),
        fields(&[
            ("Near", 0x1000, 0),
            ("Member", 0x1001, 8),
            ("Reference", 0x1002, 16),
            ("Simple", 0x403, 24),
            ("Null", 0x103, 32),
        ]),
        structure("_A", 0x1003, 40, false),
    ];
    let layouts = layouts(&types);
    let types: Vec<_> = layouts.structure("_A").unwrap().fields.iter().map(|field| field.ty.clone()).collect();
    let long = Type::Pointer(Box::new(base("long long")));
    let null = Type::Pointer(Box::new(base("void")));
    assert_eq!(types, [base("pointer32"), Type::Unknown, long, base("pointer32"), null]);
}

#[test]
fn cycles_come_to_an_end() {
    let field = |ty| fields(&[("f", ty, 0)]);
    // An array of itself, a qualifier of itself, a pointer to itself.
    let array = record(0x1503, &[u32s(&[0x1000, 0x23]), u16s(&[8]), text("")]);
    for (types, expected) in [
        (array, "of less depth"),
        (record(0x1001, &[u32s(&[0x1000]), u16s(&[0])]), "of less depth"),
        (pointer(0x1000), "of less depth"),
    ] {
        let error = error(&[types, field(0x1000), structure("_A", 0x1001, 8, false)]);
        assert!(error.starts_with("a.pdb: type stream, type 0x1000: ") && error.contains(expected), "{error}");
    }
    // A list of fields that continues itself.
    let list = [u16s(&[0x1203]), record(0x1404, &[u16s(&[0]), u32s(&[0x1000])])].concat();
    assert!(error(&[list, structure("_A", 0x1000, 8, false)]).contains("fewer fields"));
    // A structure without a tag that holds itself by value.
    let own =
        [field(0x1001), structure("<unnamed-tag>", 0x1000, 8, false), field(0x1001), structure("_A", 0x1002, 8, false)];
    let Type::Inline(inner) = &layouts(&own).place("_A", "f").unwrap().ty else { panic!() };
    assert_eq!(inner.fields[0].ty, Type::Unknown);
}

#[test]
fn records_that_others_trust_are_not() {
    // Arguments without end, as a type and as a field.
    let arguments = record(0x1201, &[u32s(&[u32::MAX])]);
    let list = [u16s(&[0x1203]), arguments.clone()].concat();
    assert!(open(&image(1, &[arguments], &[], &[])).is_ok());
    assert!(error(&[list, structure("_A", 0x1000, 8, false)]).contains("a field of a known kind"));
    // Lists of fields inside one another.
    let nested = [u16s(&[0x1203]), u16s(&[0x1203; 8000])].concat();
    assert!(error(&[nested, structure("_A", 0x1000, 8, false)]).contains("a field of a known kind"));
    // Numbers of unknown form, where the crate stops the program.
    assert!(
        error(&[record(0x1505, &[u16s(&[0, 0]), u32s(&[0, 0, 0]), u16s(&[0x8fff]), text("_A")])])
            .contains("a whole record")
    );
}

#[test]
fn one_list_for_many_structures_is_refused() {
    let many: Vec<_> = (0..100).map(|number| (format!("f{number}"), 0x13, number)).collect();
    let many: Vec<_> = many.iter().map(|(name, ty, offset)| (&**name, *ty, *offset)).collect();
    let mut types = vec![fields(&many)];
    types.extend((0..100).map(|number| structure(&format!("_{number}"), 0x1000, 8, false)));
    assert!(error(&types).contains("fewer fields"));
}

#[test]
fn parts_that_do_not_fit_are_named() {
    for (place, expected) in [(20, "a type of this number"), (0, "a list of fields")] {
        let fields = if place == 0 { 0x1000 } else { 0x1000 + place };
        let error = error(&[structure("_A", fields, 8, false)]);
        assert!(error.contains(expected), "{error}");
    }
    let mut cut = build::sample();
    cut.truncate(build::BLOCK * 9);
    assert!(open(&cut).unwrap_err().to_string().contains("superblock"));
    assert!(matches!(open(b"MZ"), Err(SymbolError::Malformed { .. })));
    assert!(matches!(open(&[0; 100]), Err(SymbolError::NotSymbols { .. })));
}

/// A directory may list one block for ever: 4 bytes of it stand for 512.
#[test]
fn a_stream_is_not_longer_than_its_file() {
    let mut bytes = build::sample();
    let directory = bytes.len() - 2 * build::BLOCK;
    assert_eq!(bytes[directory..directory + 4], [7, 0, 0, 0], "the directory starts with its number of streams");
    bytes[directory + 12..directory + 16].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes());
    let error = open(&bytes).unwrap_err();
    assert!(matches!(&error, SymbolError::Malformed { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_pdb_is_read_or_refused(changes in prop::collection::vec((0_usize..8192, any::<u8>()), 1..8)) {
        let mut bytes = build::sample();
        let length = bytes.len();
        for (place, value) in changes {
            bytes[place % length] = value;
        }
        let _ = open(&bytes);
    }

    #[test]
    fn any_type_records_are_read_or_refused(records in prop::collection::vec(any_record(), 0..40)) {
        let _ = open(&image(1, &records, &[0x1000], &[]));
    }

    #[test]
    fn any_bytes_are_no_reason_to_stop(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = open(&[superblock::MAGIC, &bytes[..]].concat());
    }
}

/// A record of a kind that is known, with any contents; numbers of types are often near.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![
        0x1001, 0x1002, 0x1203, 0x1205, 0x1503, 0x1504, 0x1505, 0x1506, 0x1507, 0x1516, 0x1608, 0x1609, 0x160a,
    ]);
    let part = prop_oneof![
        (0x1000_u32..0x1028).prop_map(|index| u32s(&[index])),
        any::<u32>().prop_map(|number| u32s(&[number])),
        (0_u16..16).prop_map(|number| u16s(&[number])),
        Just(text("<unnamed-tag>")),
        (0_u32..64)
            .prop_map(|offset| record(0x150d, &[u16s(&[3]), u32s(&[0x1000 + offset % 40]), u16s(&[8]), text("f")])),
        (0x1000_u32..0x1028).prop_map(|index| record(0x1404, &[u16s(&[0]), u32s(&[index])])),
    ];
    (kind, prop::collection::vec(part, 0..12)).prop_map(|(kind, parts)| record(kind, &parts))
}
