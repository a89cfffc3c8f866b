//! Symbol tables in volatility3's ISF: one kernel a file, compressed or not.

use super::input_vergilius::sort;
use super::kernel::{Definition, Kernel};
use super::read::{self, Failure, json, number, object, text};
use ntlens_core::layout::{EnumDef, FieldDef, Name, PdbId, StructDef, StructKind, Type, Version};
use ntlens_symbols::Source;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Types without a name inside one another.
const MAX_NESTING: usize = 16;

/// What the file itself does not tell, or tells too much of.
pub(super) struct Context<'c> {
    /// Versions of kernels that other inputs know.
    pub(super) versions: &'c BTreeMap<PdbId, Version>,
    /// The symbols worth keeping; all of them if there is no choice to follow.
    pub(super) symbols: &'c BTreeSet<String>,
}

/// Reads one file. `version` overrides what the file or other inputs say.
pub(super) fn read(path: &Path, version: Option<Version>, context: &Context<'_>) -> Result<Kernel, Failure> {
    let root = json(path)?;
    kernel(&root, read::origin(path), version, context).map_err(|error| error.in_file(path))
}

pub(super) fn kernel(
    root: &Value,
    origin: String,
    version: Option<Version>,
    context: &Context<'_>,
) -> Result<Kernel, Failure> {
    let windows = root.pointer("/metadata/windows").ok_or_else(|| Failure::new("no metadata of a Windows kernel"))?;
    let pdb = windows.get("pdb").ok_or_else(|| Failure::new("no \"pdb\""))?;
    let guid = text(pdb, "GUID")?;
    let guid = u128::from_str_radix(guid, 16).map_err(|_| Failure::new(format!("bad GUID {guid}")))?;
    let id = PdbId { guid, age: number(pdb, "age")? };
    let version = version.or_else(|| context.versions.get(&id).copied()).or_else(|| image_version(windows));
    let version = version.ok_or_else(|| {
        Failure::new("the file does not tell the kernel's version: add it, as in --isf FILE=10.0.19041.1288")
    })?;

    let types = Types { structs: object(root, "user_types")?, enums: object(root, "enums")? };
    let mut definitions = BTreeMap::new();
    for (name, value) in types.structs {
        if !is_tagless(name) {
            let def = types.structure(name, value, 0)?;
            definitions.insert(name.clone(), Arc::new(Definition::Struct(def)));
        }
    }
    for (name, value) in object(root, "enums")? {
        let def = enumeration(name, value)?;
        definitions.insert(def.name.to_string(), Arc::new(Definition::Enum(def)));
    }
    let symbols = read::addresses(object(root, "symbols")?, |symbol| symbol.get("address").and_then(Value::as_u64))?;
    let wanted = |name: &String| context.symbols.is_empty() || context.symbols.contains(name);
    let symbols = symbols.into_iter().filter(|(name, _)| wanted(name)).collect();
    Ok(Kernel { version, id: Some(id), source: Source::Isf, definitions, symbols, origin })
}

/// The version of the image, which newer tables have.
fn image_version(windows: &Value) -> Option<Version> {
    let pe = windows.get("pe")?;
    let part = |name: &str| pe.get(name).and_then(Value::as_u64);
    Some(Version {
        major: part("major")?.try_into().ok()?,
        minor: part("minor")?.try_into().ok()?,
        build: part("revision")?.try_into().ok()?,
        revision: Some(part("build")?.try_into().ok()?),
    })
}

/// Whether a name was made up for a type without one; the number in it is different in every table.
fn is_tagless(name: &str) -> bool {
    name.starts_with("__unnamed_") || name.starts_with("__anonymous_")
}

struct Types<'j> {
    structs: &'j Map<String, Value>,
    enums: &'j Map<String, Value>,
}

impl Types<'_> {
    fn structure(&self, name: &str, value: &Value, nesting: usize) -> Result<StructDef, Failure> {
        if nesting > MAX_NESTING {
            return Err(Failure::new(format!("{name} nests too deep")));
        }
        let kind = match text(value, "kind")? {
            "struct" => StructKind::Struct,
            "union" => StructKind::Union,
            "class" => StructKind::Class,
            other => return Err(Failure::new(format!("{name} is of unknown kind {other}"))),
        };
        let mut fields = Vec::new();
        for (field, place) in object(value, "fields")? {
            let ty = place.get("type").ok_or_else(|| Failure::new(format!("{name}.{field} has no type")))?;
            let ty = self.ty(ty, nesting)?;
            fields.push(FieldDef { name: field.as_str().into(), offset: number(place, "offset")?, ty });
        }
        sort(&mut fields);
        let name = if is_tagless(name) { Name::default() } else { name.into() };
        Ok(StructDef { kind, name, size: Some(number(value, "size")?), fields })
    }

    fn ty(&self, value: &Value, nesting: usize) -> Result<Type, Failure> {
        let inner = |key: &str| {
            let inner = value.get(key).ok_or_else(|| Failure::new(format!("a type has no \"{key}\"")))?;
            self.ty(inner, nesting).map(Box::new)
        };
        let part = |key: &str| read::to_u8(value.get(key).unwrap_or(&Value::Null));
        Ok(match text(value, "kind")? {
            "base" => Type::Base(text(value, "name")?.into()),
            "pointer" => Type::Pointer(inner("subtype")?),
            "array" => Type::Array { count: number(value, "count")?, of: inner("subtype")? },
            "bitfield" => {
                Type::Bits { position: part("bit_position")?, length: part("bit_length")?, of: inner("type")? }
            }
            "function" => Type::Function,
            "enum" => {
                let name = text(value, "name")?;
                match self.enums.get(name).filter(|_| is_tagless(name)) {
                    Some(def) => Type::Enum(enumeration(name, def)?.name),
                    None => Type::Enum(name.into()),
                }
            }
            "struct" | "union" | "class" => {
                let name = text(value, "name")?;
                match self.structs.get(name).filter(|_| is_tagless(name)) {
                    Some(def) => Type::Inline(Arc::new(self.structure(name, def, nesting + 1)?)),
                    None => Type::Struct(name.into()),
                }
            }
            other => return Err(Failure::new(format!("a type is of unknown kind {other}"))),
        })
    }
}

fn enumeration(name: &str, value: &Value) -> Result<EnumDef, Failure> {
    let mut constants = Vec::new();
    for (constant, number) in object(value, "constants")? {
        let number = number.as_i64().ok_or_else(|| Failure::new(format!("{name}.{constant} is no number")))?;
        constants.push((Name::from(constant.as_str()), number));
    }
    // The file lists them by name; the order of the values is nearer to the source.
    constants.sort_by_key(|(_, number)| *number);
    // A name made up for one without is replaced by what Microsoft's compiler makes up: it is the same in every build.
    let name = match constants.first() {
        Some((first, _)) if is_tagless(name) => format!("<unnamed-enum-{first}>").into(),
        _ => name.into(),
    };
    Ok(EnumDef { name, base: text(value, "base")?.into(), constants })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(metadata: &Value, bits: u8) -> Value {
        json!({
            "metadata": {"windows": metadata},
            "base_types": {},
            "user_types": {
                "_A": {"kind": "struct", "size": 16, "fields": {
                    "u": {"offset": 8, "type": {"kind": "union", "name": "__unnamed_1a"}},
                    "Low": {"offset": 0, "type": {"kind": "bitfield", "bit_position": 0, "bit_length": bits,
                        "type": {"kind": "base", "name": "unsigned long"}}},
                    "All": {"offset": 0, "type": {"kind": "base", "name": "unsigned long"}}}},
                "__unnamed_1a": {"kind": "union", "size": 8, "fields": {
                    "Next": {"offset": 0, "type": {"kind": "pointer", "subtype": {"kind": "struct", "name": "_A"}}}}}
            },
            "enums": {"_E": {"base": "int", "size": 4, "constants": {"Z": 0, "A": 1}}},
            "symbols": {"PsProcessType": {"address": 64}, "Other": {"address": 128}}
        })
    }

    #[test]
    fn a_table_becomes_a_kernel() {
        let id = PdbId { guid: 0xab, age: 1 };
        let version: Version = "10.0.19041.1288".parse().unwrap();
        let versions = BTreeMap::from([(id, version)]);
        let symbols = BTreeSet::from(["PsProcessType".to_owned()]);
        let root = table(&json!({"pdb": {"GUID": "AB", "age": 1}}), 3);
        let context = Context { versions: &versions, symbols: &symbols };
        let kernel = kernel(&root, "a.json".into(), None, &context).unwrap();
        assert_eq!((kernel.version, kernel.id), (version, Some(id)));
        assert_eq!(kernel.symbols, BTreeMap::from([("PsProcessType".to_owned(), 64)]));
        let Definition::Struct(def) = &*kernel.definitions["_A"] else { panic!() };
        let names: Vec<_> = def.fields.iter().map(|field| &*field.name).collect();
        assert_eq!(names, ["All", "Low", "u"]);
        let Type::Inline(inner) = &def.fields[2].ty else { panic!() };
        assert_eq!((&*inner.name, inner.kind), ("", StructKind::Union));
        let Definition::Enum(def) = &*kernel.definitions["_E"] else { panic!() };
        assert_eq!(def.constants, [("Z".into(), 0), ("A".into(), 1)]);
        assert_eq!(kernel.definitions.len(), 2);
    }

    #[test]
    fn the_version_must_come_from_somewhere() {
        let (versions, symbols) = (BTreeMap::new(), BTreeSet::new());
        let context = Context { versions: &versions, symbols: &symbols };
        let bare = table(&json!({"pdb": {"GUID": "AB", "age": 1}}), 3);
        let error = kernel(&bare, String::new(), None, &context).unwrap_err();
        assert!(error.to_string().contains("--isf FILE="), "{error}");
        let pe = json!({"major": 10, "minor": 0, "revision": 22000, "build": 318});
        let told = table(&json!({"pdb": {"GUID": "AB", "age": 1}, "pe": pe}), 3);
        let told = kernel(&told, String::new(), None, &context).unwrap();
        assert_eq!(told.version.to_string(), "10.0.22000.318");
    }

    #[test]
    fn a_difference_is_named() {
        let (versions, symbols) = (BTreeMap::new(), BTreeSet::new());
        let context = Context { versions: &versions, symbols: &symbols };
        let read = |origin: &str, bits| {
            let root = table(&json!({"pdb": {"GUID": "AB", "age": 1}}), bits);
            kernel(&root, origin.into(), "10.0.1".parse().ok(), &context).unwrap()
        };
        let (one, same, other) = (read("one", 3), read("same", 3), read("other", 4));
        assert_eq!(one.difference(&same), None);
        let difference = one.difference(&other).unwrap();
        assert!(difference.starts_with("_A.Low"), "{difference}");
    }
}
