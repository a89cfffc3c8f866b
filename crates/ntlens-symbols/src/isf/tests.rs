//! Tables made here.

use super::*;
use crate::SymbolError;
use crate::file::Identity;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ntlens_core::address::Rva;
use ntlens_core::layout::{PdbId, StructKind, Type};
use proptest::prelude::*;
use serde_json::{Value, json};

fn sample() -> Value {
    json!({
        "metadata": {"format": "6.1.0", "windows": {
            "pdb": {"GUID": "AB", "age": 1, "database": "ntkrnlmp.pdb", "machine_type": 34404},
            "pe": {"major": 10, "minor": 0, "revision": 22000, "build": 318}}},
        "base_types": {"unsigned long": {"size": 4, "signed": false, "kind": "int", "endian": "little"}},
        "user_types": {
            "_A": {"kind": "struct", "size": 16, "fields": {
                "u": {"offset": 8, "type": {"kind": "union", "name": "__unnamed_1a"}},
                "Low": {"offset": 0, "type": {"kind": "bitfield", "bit_position": 0, "bit_length": 3,
                    "type": {"kind": "base", "name": "unsigned long"}}},
                "Near": {"offset": 4, "type": {"kind": "pointer", "base": "pointer32",
                    "subtype": {"kind": "base", "name": "void"}}},
                "All": {"offset": 0, "type": {"kind": "base", "name": "unsigned long"}}}},
            "__unnamed_1a": {"kind": "union", "size": 8, "fields": {
                "Routine": {"offset": 0, "type": {"kind": "pointer", "subtype": {"kind": "function"}}},
                "State": {"offset": 0, "type": {"kind": "enum", "name": "__unnamed_2b"}},
                "Two": {"offset": 0, "type": {"kind": "array", "count": 2,
                    "subtype": {"kind": "base", "name": "unsigned long"}}},
                "Next": {"offset": 0, "type": {"kind": "pointer", "subtype": {"kind": "struct", "name": "_A"}}}}}
        },
        "enums": {
            "_E": {"base": "int", "size": 4, "constants": {"Z": 0, "A": 1, "Wide": 4_294_967_295_u32}},
            "__unnamed_2b": {"base": "unsigned long long", "size": 8, "constants": {"Top": u64::MAX, "None": 0}}},
        "symbols": {
            "PsProcessType": {"address": 64},
            "Start": {"address": 128, "linkage_name": "_Start"},
            "_Other": {"address": 256}}
    })
}

fn open(table: &Value) -> Result<crate::SymbolTable, SymbolError> {
    read("a.json".as_ref(), table.to_string().as_bytes())
}

#[test]
fn a_table_is_read() {
    let table = open(&sample()).unwrap();
    assert_eq!((table.id, table.pdb_name.as_deref()), (PdbId { guid: 0xab, age: 1 }, Some("ntkrnlmp.pdb")));
    let layouts = &table.layouts;
    assert_eq!(layouts.version().unwrap().to_string(), "10.0.22000.318");
    let def = layouts.structure("_A").unwrap();
    let names: Vec<_> = def.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["All", "Low", "Near", "u"]);
    assert_eq!(def.fields[2].ty, Type::Base("pointer32".into()));
    let Type::Inline(inner) = &def.fields[3].ty else { panic!() };
    assert_eq!((&*inner.name, inner.kind, inner.fields.len()), ("", StructKind::Union, 4));
    assert_eq!(layouts.structures().count(), 1);
    let constants = &layouts.enumeration("_E").unwrap().constants;
    assert_eq!(constants[..], [("Wide".into(), -1), ("Z".into(), 0), ("A".into(), 1)]);
    let symbols: Vec<_> = layouts.symbols().collect();
    assert_eq!(symbols, [("PsProcessType", Rva(64)), ("_Other", Rva(256)), ("_Start", Rva(128))]);
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let table = open(&sample()).unwrap();
    let mut written = Vec::new();
    write(&mut written, &table.layouts, table.id, "ntkrnlmp.pdb").unwrap();
    let again = read("b.json".as_ref(), &written).unwrap();
    assert_eq!((again.id, &again.pdb_name), (table.id, &table.pdb_name));
    let (one, two) = (&table.layouts, &again.layouts);
    assert_eq!(one.version(), two.version());
    assert!(one.structures().eq(two.structures()) && one.enumerations().eq(two.enumerations()));
    assert!(one.symbols().eq(two.symbols()));
    let value: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(value["symbols"]["Start"], json!({"address": 128, "linkage_name": "_Start"}));
    assert_eq!(value["base_types"]["pointer"]["size"], 8);
    assert_eq!(value["user_types"]["__unnamed_1000"]["kind"], "union");
    assert_eq!(value["enums"]["<unnamed-enum-Top>"]["size"], 8);
}

#[test]
fn of_two_members_with_one_name_the_last_counts() {
    let table = sample().to_string().replace("\"Low\":", "\"All\":").replace("\"A\":1,", "\"A\":1,\"Z\":7,");
    let layouts = read("a.json".as_ref(), table.as_bytes()).unwrap().layouts;
    let fields = &layouts.structure("_A").unwrap().fields;
    let names: Vec<_> = fields.iter().map(|field| (&*field.name, field.offset)).collect();
    assert_eq!(names, [("All", 0), ("Near", 4), ("u", 8)]);
    assert_eq!(fields[0].ty, Type::Base("unsigned long".into()));
    let constants: Vec<_> = layouts.enumeration("_E").unwrap().constants.iter().map(|(name, _)| &**name).collect();
    assert_eq!(constants.iter().filter(|name| **name == "Z").count(), 1, "{constants:?}");
}

#[test]
fn a_name_that_is_taken_is_not_shortened() {
    let mut table = sample();
    table["symbols"] = json!({"_A": {"address": 1}, "A": {"address": 2}, "f": {"address": 3, "linkage_name": "@f@8"}});
    let table = open(&table).unwrap();
    let mut written = Vec::new();
    write(&mut written, &table.layouts, table.id, "a.pdb").unwrap();
    assert!(read("b.json".as_ref(), &written).unwrap().layouts.symbols().eq(table.layouts.symbols()));
}

/// As `PdbReader.name_strip` of volatility3 does.
#[test]
fn names_are_shortened_as_volatility3_does() {
    for (name, plain) in [
        ("_Start", "Start"),
        ("@Fast@8", "Fast"),
        ("_Std@12", "Std"),
        ("\x7fCI_NULL_THUNK_DATA", "CI_NULL_THUNK_DATA"),
        ("__imp_A", "_imp_A"),
        ("?f@@YAXXZ", "?f@@YAXXZ"),
        ("_a@b", "_a@b"),
        ("_?a@1", "_?a@1"),
        ("plain", "plain"),
        ("_", ""),
    ] {
        assert_eq!(plain_name(name), plain, "{name}");
    }
}

#[test]
fn only_what_is_needed_is_read_to_identify() {
    let text = sample().to_string();
    // The metadata comes first here; the rest may be anything.
    let cut = &text[..text.find("\"base_types\"").unwrap() + 20];
    let expected = Identity { id: PdbId { guid: 0xab, age: 1 }, pdb_name: Some("ntkrnlmp.pdb".to_string()) };
    for text in [cut, &text] {
        assert_eq!(identify("a.json".as_ref(), text.as_bytes()), Ok(expected.clone()));
    }
    let error = identify("a.json".as_ref(), &b"{\"symbols\": {}}"[..]).unwrap_err();
    assert!(error.to_string().contains("metadata"), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    let changed = |path: &str, value: Value| {
        let mut table = sample();
        *table.pointer_mut(path).unwrap() = value;
        open(&table).unwrap_err().to_string()
    };
    for (path, value, expected) in [
        ("/metadata/windows/pdb/GUID", json!("+B"), "metadata: expected a GUID"),
        ("/metadata/windows/pdb/GUID", json!("0".repeat(33)), "metadata: expected a GUID"),
        ("/metadata/format", json!("4.0.0"), "metadata: expected format 6"),
        ("/metadata/windows", Value::Null, "metadata: expected a Windows image"),
        ("/user_types/_A/kind", json!("trait"), "unknown variant `trait`"),
        ("/user_types/_A/fields/u/type", json!({"kind": "union"}), "_A.u: expected the name of a type"),
        ("/user_types/_A/fields/u/type", json!({"kind": "pointer"}), "_A.u: expected what a pointer points at"),
        ("/user_types/_A/fields/u/offset", json!(-1), "JSON: expected a table of ISF 6"),
        ("/symbols/Start/address", json!(1_u64 << 32), "symbol _Start: expected an address inside an image"),
        ("/enums/_E/constants/Z", json!(1e30), "JSON: expected a table of ISF 6"),
        ("/symbols", json!([]), "JSON: expected a table of ISF 6"),
    ] {
        let error = changed(path, value);
        assert!(error.starts_with("a.json: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn nesting_has_an_end() {
    let pointers = |depth: usize| {
        let mut table = sample().to_string();
        let open = "{\"kind\":\"pointer\",\"subtype\":".repeat(depth);
        let deep = [&open, "{\"kind\":\"function\"}", &"}".repeat(depth)].concat();
        table = table.replace("{\"kind\":\"union\",\"name\":\"__unnamed_1a\"}", &deep);
        read("a.json".as_ref(), table.as_bytes()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(pointers(32), Ok(()));
    assert!(pointers(33).unwrap_err().contains("_A.u: expected a type of less depth"));
    // More than the JSON reader itself takes.
    assert!(pointers(100_000).unwrap_err().contains("recursion limit"));
}

#[test]
fn a_size_that_is_not_known_cannot_be_written() {
    let mut layouts = open(&sample()).unwrap().layouts;
    let mut def = layouts.structure("_A").unwrap().clone();
    let fields = core::mem::take(&mut def.fields);
    def.size = None;
    layouts = ntlens_core::layout::Layouts::new(None, None, [def.clone().into()], [], []);
    let id = PdbId { guid: 1, age: 1 };
    let error = write(Vec::new(), &layouts, id, "a.pdb").unwrap_err();
    assert!(matches!(error, WriteError::NoSize { structure } if structure == "_A"));
    (def.fields, def.size) = (fields, Some(16));
    def.fields[0].ty = Type::Base("quux".into());
    layouts = ntlens_core::layout::Layouts::new(None, None, [def.into()], [], []);
    assert!(matches!(write(Vec::new(), &layouts, id, "a.pdb"), Err(WriteError::UnknownBase { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_table_is_read_or_refused(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let mut bytes = sample().to_string().into_bytes();
        let length = bytes.len();
        for (place, value) in changes {
            bytes[place % length] = value;
        }
        let _ = read("a.json".as_ref(), &bytes);
        let _ = identify("a.json".as_ref(), &bytes[..]);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]\":,a-z0-9]{0,60}") {
        let text: String = text;
        let _ = read("a.json".as_ref(), text.as_bytes());
    }
}
