//! The kernels of `kernels-192.json.xz`: definitions stored once, tables that refer to them.

use super::kernel::{Definition, Kernel};
use super::read::{self, Failure, json, list, number, text};
use ntlens_core::layout::{EnumDef, FieldDef, Name, PdbId, StructDef, StructKind, Type};
use ntlens_symbols::Source;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Reads all tables of the file.
pub(super) fn read(path: &Path) -> Result<Vec<Kernel>, Failure> {
    let root = json(path)?;
    let origin = read::origin(path);
    let mut unnamed_enums = BTreeMap::new();
    let definitions = list(&root, "definitions")?
        .iter()
        .map(|value| definition(value, &mut unnamed_enums).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    list(&root, "tables")?.iter().map(|table| kernel(table, &definitions, &unnamed_enums, &origin)).collect()
}

fn kernel(
    table: &Value,
    all: &[Arc<Definition>],
    unnamed_enums: &BTreeMap<String, Arc<Definition>>,
    origin: &str,
) -> Result<Kernel, Failure> {
    let guid = text(table, "guid")?;
    let guid = u128::from_str_radix(guid, 16).map_err(|_| Failure::new(format!("bad GUID {guid}")))?;
    let mut definitions = BTreeMap::new();
    for index in list(table, "definitions")? {
        let definition = index.as_u64().and_then(|index| all.get(usize::try_from(index).ok()?));
        let definition = definition.ok_or_else(|| Failure::new("a table names a definition that is not there"))?;
        definitions.insert(definition.name().to_owned(), definition.clone());
        if let Definition::Struct(def) = &**definition {
            add_enums(def, unnamed_enums, &mut definitions);
        }
    }
    Ok(Kernel {
        version: text(table, "version")?.parse().map_err(|_| Failure::new("bad version"))?,
        id: Some(PdbId { guid, age: number(table, "age")? }),
        source: Source::Isf,
        definitions,
        symbols: read::addresses(read::object(table, "symbols")?, Value::as_u64)?,
        origin: origin.to_owned(),
    })
}

/// Adds the enumerations without a name that a structure uses: they got one when they were read.
fn add_enums(
    def: &StructDef,
    unnamed: &BTreeMap<String, Arc<Definition>>,
    into: &mut BTreeMap<String, Arc<Definition>>,
) {
    for field in &def.fields {
        match &field.ty {
            Type::Enum(name) => {
                if let Some(def) = unnamed.get(&**name) {
                    into.insert(name.to_string(), def.clone());
                }
            }
            Type::Inline(def) => add_enums(def, unnamed, into),
            _ => {}
        }
    }
}

fn definition(value: &Value, enums: &mut BTreeMap<String, Arc<Definition>>) -> Result<Definition, Failure> {
    let kind = match text(value, "kind")? {
        "enum" => return enumeration(value, text(value, "name")?).map(Definition::Enum),
        "struct" => StructKind::Struct,
        "union" => StructKind::Union,
        "class" => StructKind::Class,
        other => return Err(Failure::new(format!("unknown kind {other}"))),
    };
    let mut fields = Vec::new();
    for field in list(value, "fields")? {
        let Some([name, offset, ty]) = field.as_array().map(Vec::as_slice) else {
            return Err(Failure::new("a field is not [name, offset, type]"));
        };
        fields.push(FieldDef {
            name: name.as_str().ok_or_else(|| Failure::new("a field has no name"))?.into(),
            offset: read::to_u32(offset)?,
            ty: parse_type(ty, enums)?,
        });
    }
    let name = Name::from(text(value, "name")?);
    Ok(Definition::Struct(StructDef { kind, name, size: Some(number(value, "size")?), fields }))
}

fn enumeration(value: &Value, name: &str) -> Result<EnumDef, Failure> {
    let mut constants = Vec::new();
    for constant in list(value, "constants")? {
        let pair = constant.as_array().map(Vec::as_slice);
        let Some((name, value)) = pair.and_then(|pair| match pair {
            [name, value] => Some((name.as_str()?, value.as_i64()?)),
            _ => None,
        }) else {
            return Err(Failure::new("a constant is not [name, value]"));
        };
        constants.push((name.into(), value));
    }
    Ok(EnumDef { name: name.into(), base: text(value, "base")?.into(), constants })
}

fn parse_type(value: &Value, enums: &mut BTreeMap<String, Arc<Definition>>) -> Result<Type, Failure> {
    if let Some(base) = value.as_str() {
        return Ok(Type::Base(base.into()));
    }
    let bad = || Failure::new(format!("unknown type {value}"));
    let parts = value.as_array().map(Vec::as_slice).ok_or_else(bad)?;
    let (tag, rest) = parts.split_first().ok_or_else(bad)?;
    Ok(match (tag.as_str().ok_or_else(bad)?, rest) {
        ("*", [of]) => Type::Pointer(Box::new(parse_type(of, enums)?)),
        ("[]", [count, of]) => Type::Array { count: read::to_u32(count)?, of: Box::new(parse_type(of, enums)?) },
        ("bits", [position, length, of]) => Type::Bits {
            position: read::to_u8(position)?,
            length: read::to_u8(length)?,
            of: Box::new(parse_type(of, enums)?),
        },
        ("fn", []) => Type::Function,
        ("struct" | "union" | "class", [name]) => Type::Struct(name.as_str().ok_or_else(bad)?.into()),
        ("enum", [name]) => Type::Enum(name.as_str().ok_or_else(bad)?.into()),
        ("inline", [inner]) if inner.get("kind").and_then(Value::as_str) == Some("enum") => {
            let first = inner.pointer("/constants/0/0").and_then(Value::as_str).ok_or_else(bad)?;
            // As Microsoft's compiler names it.
            let name = format!("<unnamed-enum-{first}>");
            enums.insert(name.clone(), Arc::new(Definition::Enum(enumeration(inner, &name)?)));
            Type::Enum(name.into())
        }
        ("inline", [inner]) => match definition(inner, enums)? {
            Definition::Struct(def) => Type::Inline(Arc::new(def)),
            Definition::Enum(_) => return Err(bad()),
        },
        _ => return Err(bad()),
    })
}
