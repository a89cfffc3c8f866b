//! Symbols against each other: every type, field, constant and symbol of a PDB and of the embedded layouts must be what the
//! ISF table of the same GUID says, and the table's own text is compared, not what the library reads from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;

use common::{files, json, shared};
use ntlens::layout::{Layouts, StructDef, StructKind, Type};
use ntlens::symbols::{Pack, SymbolTable, file, isf};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How much was found equal.
#[derive(Debug, Default)]
struct Count {
    files: usize,
    structures: usize,
    fields: usize,
    bits: usize,
    enumerations: usize,
    constants: usize,
    symbols: usize,
}

/// The PDBs of the shared folder, each with the ISF table of its GUID.
fn pairs(shared: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut pairs = Vec::new();
    for folder in files(&shared.join("pdb"), "") {
        if folder.is_dir() {
            let pdb = folder.join("ntkrnlmp.pdb.xz");
            let id = file::identify(&pdb).unwrap().id;
            let table = shared.join(format!("isf/{:032X}-{}.json.xz", id.guid, id.age));
            assert!(table.exists(), "{} is of no table", pdb.display());
            pairs.push((pdb, table));
        }
    }
    assert!(!pairs.is_empty(), "no PDBs in {}", shared.display());
    pairs
}

#[test]
fn pdbs_say_what_the_tables_of_their_guid_say() {
    let Some(shared) = shared() else { return };
    let mut count = Count::default();
    for (pdb, table) in pairs(&shared) {
        let read = file::read(&pdb).unwrap();
        assert_eq!(file::identify(&pdb).unwrap().id, read.id);
        let root = json(&table);
        let told = Told { structs: object(&root["user_types"]), enums: object(&root["enums"]), layouts: &read.layouts };
        told.compare(&root["symbols"], |_| true, &mut count);
        count.files += 1;
    }
    common::record(&format!("PDB against ISF: {count:?}, all equal"));
}

#[test]
fn the_embedded_layouts_say_what_the_tables_say() {
    let Some(shared) = shared() else { return };
    let pack = Pack::embedded().unwrap();
    // The pack keeps a choice of symbols, the same names for every kernel.
    let everything = pack.kernel_layouts_of(&(0..pack.tables().len()).collect::<Vec<_>>()).unwrap();
    let names = everything.iter().flat_map(|layouts| layouts.symbols().map(|(name, _)| name.to_owned()));
    let kept: BTreeSet<String> = names.collect();
    let mut count = Count::default();
    for table in files(&shared.join("isf"), ".json.xz") {
        let root = json(&table);
        let pdb = &root["metadata"]["windows"]["pdb"];
        let id = format!("{}{:X}", pdb["GUID"].as_str().unwrap(), pdb["age"].as_u64().unwrap());
        let known = pack.tables().iter().position(|table| table.id.is_some_and(|known| known.to_string() == id));
        let layouts = pack.all_layouts(known.unwrap_or_else(|| panic!("no table {id}"))).unwrap();
        let told = Told { structs: object(&root["user_types"]), enums: object(&root["enums"]), layouts: &layouts };
        told.compare(&root["symbols"], |name| kept.contains(name), &mut count);
        count.files += 1;
    }
    common::record(&format!("embedded layouts against ISF: {count:?}, all equal"));
    assert!(count.files > 0 && count.fields > 10_000 * count.files, "{count:?}");
}

#[test]
fn both_readers_give_the_same_layouts() {
    let Some(shared) = shared() else { return };
    for (pdb, table) in pairs(&shared) {
        let (of_pdb, of_isf) = (file::read(&pdb).unwrap(), file::read(&table).unwrap());
        assert_same(&of_pdb, &of_isf);
        let identity = file::identify(&table).unwrap();
        assert_eq!((identity.id, identity.pdb_name.as_deref()), (of_pdb.id, Some("ntkrnlmp.pdb")));
    }
}

/// A table that was read and written is read as the same again.
/// What is embedded was made of such files: none of them may be refused as one that says otherwise.
#[test]
fn files_of_embedded_kernels_agree_with_what_is_embedded() {
    let Some(shared) = shared() else { return };
    let pack = Pack::embedded().unwrap();
    let pdbs = pairs(&shared).into_iter().map(|(pdb, _)| pdb);
    let mut compared = 0;
    for path in files(&shared.join("isf"), ".json.xz").into_iter().chain(pdbs) {
        let table = file::read(&path).unwrap();
        let Some(index) = pack.tables().iter().position(|known| known.id == Some(table.id)) else { continue };
        let known = pack.kernel_layouts(index).unwrap();
        assert!(known.structures().count() > 50);
        assert_eq!(table.layouts.contradiction(&known), None, "{}", path.display());
        compared += 1;
    }
    eprintln!("{compared} files agree with the embedded layouts");
    assert!(compared > 20, "{compared}");
}

#[test]
fn tables_come_back_as_they_were_written() {
    let Some(shared) = shared() else { return };
    for table in files(&shared.join("isf"), ".json.xz") {
        let read = file::read(&table).unwrap();
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        isf::write(&mut once, &read.layouts, read.id, "ntkrnlmp.pdb").unwrap();
        let again = file::read_bytes(Path::new("again"), &once).unwrap();
        assert_same(&read, &again);
        isf::write(&mut twice, &again.layouts, again.id, "ntkrnlmp.pdb").unwrap();
        assert!(once == twice, "{}: not the same bytes", table.display());
        // What volatility3 looks up by name is as in its own table.
        let (theirs, ours): (Json, Json) = (json(&table), serde_json::from_slice(&once).unwrap());
        assert!(theirs["symbols"] == ours["symbols"], "{}: other symbols", table.display());
        for (name, base) in object(&theirs["base_types"]) {
            assert_eq!(Some(base), ours["base_types"].get(name).or(Some(base)), "{name}");
        }
        for kind in ["user_types", "enums"] {
            for (name, value) in object(&theirs[kind]).iter().filter(|(name, _)| !is_tagless(name)) {
                assert_eq!(value["size"], ours[kind][name]["size"], "{name}");
            }
        }
    }
}

fn assert_same(one: &SymbolTable, two: &SymbolTable) {
    assert_eq!(one.id, two.id);
    let (one, two) = (&one.layouts, &two.layouts);
    assert_eq!(one.structures().count(), two.structures().count());
    for (one, two) in one.structures().zip(two.structures()) {
        assert_eq!(one, two);
    }
    assert!(one.enumerations().eq(two.enumerations()));
    assert!(one.symbols().eq(two.symbols()));
}

fn object(value: &Json) -> &Map<String, Json> {
    value.as_object().expect("an object")
}

fn is_tagless(name: &str) -> bool {
    name.starts_with("__unnamed_") || name.starts_with("__anonymous_")
}

/// What a table tells, beside what it is compared with.
struct Told<'j> {
    structs: &'j Map<String, Json>,
    enums: &'j Map<String, Json>,
    layouts: &'j Layouts,
}

impl Told<'_> {
    /// `kept` tells which of the table's symbols there should be.
    fn compare(&self, symbols: &Json, kept: impl Fn(&str) -> bool, count: &mut Count) {
        let named: Vec<_> = self.structs.iter().filter(|(name, _)| !is_tagless(name)).collect();
        assert_eq!(self.layouts.structures().count(), named.len());
        for (name, value) in named {
            let def = self.layouts.structure(name).unwrap_or_else(|| panic!("{name} is missing"));
            self.compare_struct(name, value, def, count);
        }
        assert_eq!(self.layouts.enumerations().count(), self.enums.len());
        for (name, value) in self.enums {
            let def = self.layouts.enumeration(&self.enum_name(name)).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(Some(&*def.base), value["base"].as_str(), "{name}");
            let constants = object(&value["constants"]);
            assert_eq!(def.constants.len(), constants.len(), "{name}");
            for (constant, number) in &def.constants {
                assert_eq!(constants[&**constant].as_i64(), Some(*number), "{name}.{constant}");
            }
            count.enumerations += 1;
            count.constants += constants.len();
        }
        let name = |key: &str, symbol: &Json| symbol["linkage_name"].as_str().unwrap_or(key).to_owned();
        let symbols = object(symbols).iter().map(|(key, symbol)| (name(key, symbol), symbol));
        let symbols: Vec<_> = symbols.filter(|(name, _)| kept(name)).collect();
        assert_eq!(self.layouts.symbols().count(), symbols.len());
        for (name, symbol) in &symbols {
            assert_eq!(self.layouts.symbol(name).ok().map(|rva| rva.0), symbol["address"].as_u64(), "{name}");
        }
        count.symbols += symbols.len();
    }

    fn compare_struct(&self, path: &str, value: &Json, def: &StructDef, count: &mut Count) {
        let kind = match value["kind"].as_str() {
            Some("struct") => StructKind::Struct,
            Some("union") => StructKind::Union,
            other => panic!("{path} is {other:?}"),
        };
        assert_eq!((def.kind, def.size.map(u64::from)), (kind, value["size"].as_u64()), "{path}");
        let fields = object(&value["fields"]);
        assert_eq!(def.fields.len(), fields.len(), "{path}");
        for field in &def.fields {
            let path = format!("{path}.{}", field.name);
            let told = fields.get(&*field.name).unwrap_or_else(|| panic!("{path} is not in the table"));
            assert_eq!(Some(u64::from(field.offset)), told["offset"].as_u64(), "{path}");
            self.compare_type(&path, &told["type"], &field.ty, count);
        }
        count.structures += 1;
        count.fields += fields.len();
    }

    fn compare_type(&self, path: &str, told: &Json, ty: &Type, count: &mut Count) {
        let name = told["name"].as_str().unwrap_or_default();
        let number = |key: &str| told[key].as_u64();
        match (told["kind"].as_str().unwrap_or_default(), ty) {
            ("function", Type::Function) => {}
            ("pointer", Type::Pointer(of)) => self.compare_type(path, &told["subtype"], of, count),
            ("array", Type::Array { count: elements, of }) => {
                assert_eq!(Some(u64::from(*elements)), number("count"), "{path}");
                self.compare_type(path, &told["subtype"], of, count);
            }
            ("bitfield", Type::Bits { position, length, of }) => {
                let told_bits = (number("bit_position"), number("bit_length"));
                assert_eq!((Some(u64::from(*position)), Some(u64::from(*length))), told_bits, "{path}");
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

    /// An enumeration without a name is named after its first constant.
    fn enum_name(&self, name: &str) -> String {
        if !is_tagless(name) {
            return name.to_owned();
        }
        let constants = object(&self.enums[name]["constants"]);
        let (first, _) = constants.iter().min_by_key(|(name, value)| (value.as_i64(), *name)).expect("a constant");
        format!("<unnamed-enum-{first}>")
    }
}
