//! The embedded pack against the symbol tables that it was made from, value by value.
//!
//! This reads the tables' JSON itself and shares no code with the pack's writer. Where the tables are not at hand it says
//! so and passes: set `NTLENS_SHARED` to the folder of shared facts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers as well")]

use lzma_rust2::XzReader;
use ntlens_core::layout::{Layouts, StructDef, StructKind, Type};
use ntlens_symbols::Pack;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much was compared.
#[derive(Debug, Default)]
struct Count {
    tables: usize,
    types: usize,
    fields: usize,
    bits: usize,
    constants: usize,
    symbols: usize,
}

struct Table<'j> {
    structs: &'j Map<String, Value>,
    enums: &'j Map<String, Value>,
    layouts: &'j Layouts,
}

#[test]
fn the_embedded_pack_says_what_the_symbol_tables_say() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("NTLENS_SHARED").map_or(beside, PathBuf::from).join("isf");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no symbol tables at {}", folder.display());
        return;
    };
    let pack = Pack::embedded().unwrap();
    // The pack keeps a choice of symbols, the same names for every kernel.
    let everything = pack.kernel_layouts_of(&(0..pack.tables().len()).collect::<Vec<_>>()).unwrap();
    let kept: BTreeSet<String> =
        everything.iter().flat_map(|layouts| layouts.symbols().map(|(name, _)| name.to_owned())).collect();
    let mut count = Count::default();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "xz") {
            continue;
        }
        let (file, mut text) = (std::fs::read(&path).unwrap(), Vec::new());
        XzReader::new(&*file, true).read_to_end(&mut text).unwrap();
        let root: Value = serde_json::from_slice(&text).unwrap();
        let pdb = &root["metadata"]["windows"]["pdb"];
        let id = format!("{}{:X}", pdb["GUID"].as_str().unwrap(), pdb["age"].as_u64().unwrap());
        let table = pack.tables().iter().position(|table| table.id.is_some_and(|known| known.to_string() == id));
        let layouts = pack.all_layouts(table.unwrap_or_else(|| panic!("no table {id}"))).unwrap();
        let structs = root["user_types"].as_object().unwrap();
        let enums = root["enums"].as_object().unwrap();
        compare(&Table { structs, enums, layouts: &layouts }, &root["symbols"], &kept, &mut count);
        count.tables += 1;
    }
    println!("compared {count:?}");
    assert!(count.tables > 0 && count.fields > 10_000 * count.tables, "{count:?}");
}

fn compare(table: &Table<'_>, symbols: &Value, kept: &BTreeSet<String>, count: &mut Count) {
    let mut named = 0;
    for (name, value) in table.structs.iter().filter(|(name, _)| !is_tagless(name)) {
        let def = table.layouts.structure(name).unwrap_or_else(|| panic!("{name} is missing"));
        table.compare_struct(name, value, def, count);
        named += 1;
    }
    assert_eq!(table.layouts.structures().count(), named);
    for (name, value) in table.enums {
        table.compare_enum(name, value, count);
    }
    assert_eq!(table.layouts.enumerations().count(), table.enums.len());
    let mut here = 0;
    for (name, value) in symbols.as_object().unwrap().iter().filter(|(name, _)| kept.contains(*name)) {
        assert_eq!(table.layouts.symbol(name).unwrap().0, value["address"].as_u64().unwrap(), "{name}");
        here += 1;
    }
    assert_eq!(table.layouts.symbols().count(), here);
    count.symbols += here;
}

impl Table<'_> {
    fn compare_struct(&self, path: &str, value: &Value, def: &StructDef, count: &mut Count) {
        let kind = match value["kind"].as_str().unwrap() {
            "struct" => StructKind::Struct,
            "union" => StructKind::Union,
            other => panic!("{path} is a {other}"),
        };
        assert_eq!(def.kind, kind, "{path}");
        assert_eq!(def.size.map(u64::from), value["size"].as_u64(), "{path}");
        let fields = value["fields"].as_object().unwrap();
        assert_eq!(def.fields.len(), fields.len(), "{path}");
        for field in &def.fields {
            let path = format!("{path}.{}", field.name);
            let told = fields.get(&*field.name).unwrap_or_else(|| panic!("{path} is not in the table"));
            assert_eq!(Some(u64::from(field.offset)), told["offset"].as_u64(), "{path}");
            self.compare_type(&path, &told["type"], &field.ty, count);
            count.fields += 1;
        }
        count.types += 1;
    }

    fn compare_type(&self, path: &str, told: &Value, ty: &Type, count: &mut Count) {
        let name = told["name"].as_str().unwrap_or("");
        match (told["kind"].as_str().unwrap(), ty) {
            ("function", Type::Function) => {}
            ("pointer", Type::Pointer(of)) => self.compare_type(path, &told["subtype"], of, count),
            ("array", Type::Array { count: len, of }) => {
                assert_eq!(Some(u64::from(*len)), told["count"].as_u64(), "{path}");
                self.compare_type(path, &told["subtype"], of, count);
            }
            ("bitfield", Type::Bits { position, length, of }) => {
                assert_eq!(Some(u64::from(*position)), told["bit_position"].as_u64(), "{path}");
                assert_eq!(Some(u64::from(*length)), told["bit_length"].as_u64(), "{path}");
                self.compare_type(path, &told["type"], of, count);
                count.bits += 1;
            }
            ("base", Type::Base(ours)) | ("struct" | "union", Type::Struct(ours)) => {
                assert_eq!(&**ours, name, "{path}");
            }
            ("struct" | "union", Type::Inline(def)) => {
                assert!(is_tagless(name) && def.name.is_empty(), "{path}: {name}");
                self.compare_struct(path, &self.structs[name], def, count);
            }
            ("enum", Type::Enum(ours)) => assert_eq!(**ours, self.enum_name(name), "{path}"),
            (kind, _) => panic!("{path} is a {kind}, not {ty:?}"),
        }
    }

    fn compare_enum(&self, name: &str, value: &Value, count: &mut Count) {
        let ours = self.enum_name(name);
        let def = self.layouts.enumeration(&ours).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(Some(&*def.base), value["base"].as_str(), "{name}");
        let constants = value["constants"].as_object().unwrap();
        assert_eq!(def.constants.len(), constants.len(), "{name}");
        for (constant, number) in &def.constants {
            assert_eq!(constants[&**constant].as_i64(), Some(*number), "{name}.{constant}");
        }
        count.constants += constants.len();
        count.types += 1;
    }

    /// The pack names an enumeration without a name after its first constant.
    fn enum_name(&self, name: &str) -> String {
        if !is_tagless(name) {
            return name.to_owned();
        }
        let constants = self.enums[name]["constants"].as_object().unwrap();
        let (first, _) = constants.iter().min_by_key(|(_, value)| value.as_i64()).unwrap();
        format!("<unnamed-enum-{first}>")
    }
}

fn is_tagless(name: &str) -> bool {
    name.starts_with("__unnamed_") || name.starts_with("__anonymous_")
}
