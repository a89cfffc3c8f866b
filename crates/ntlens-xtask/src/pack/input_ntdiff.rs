//! The structures of `26100-structures.json`: places written for people, such as `"0x338 [15]"` and `"bits 1..16"`.

use super::kernel::{Definition, Kernel};
use super::offsets_only::Known;
use super::read::{self, Failure, json};
use ntlens_core::layout::{FieldDef, StructDef, Type, Version};
use ntlens_symbols::Source;
use ntlens_symbols::sort_fields;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Reads the file's one kernel.
pub(super) fn read(path: &Path, known: &Known<'_>) -> Result<Kernel, Failure> {
    let root = json(path)?;
    let root = root.as_object().ok_or_else(|| Failure::new("not an object").in_file(path))?;
    let build = root.get("build").and_then(|build| build.as_str()?.split(' ').next()?.parse().ok());
    let build = build.ok_or_else(|| Failure::new("no build").in_file(path))?;
    let version = Version { major: 10, minor: 0, build, revision: None };
    let mut structs: BTreeMap<&str, StructDef> = BTreeMap::new();
    let mut flags = Vec::new();
    for (key, value) in root {
        let Some(members) = value.as_object() else { continue };
        if let Some(parent) = key.strip_suffix(" bits") {
            flags.push((parent, members));
            continue;
        }
        for (member, text) in members {
            if member.contains("_or_") {
                // Two names for one place: the source does not tell which is right.
                continue;
            }
            let text = text.as_str().ok_or_else(|| Failure::new(format!("{key}.{member} is no text")).in_file(path))?;
            // The sizes of several structures may stand together, with their fields in brackets.
            let (structure, is_size) =
                if key.starts_with('_') { (&**key, member == "size") } else { (&**member, true) };
            let def = structs.entry(structure).or_insert_with(|| StructDef {
                kind: known.kind(structure, version),
                name: structure.into(),
                size: None,
                fields: Vec::new(),
            });
            if is_size {
                def.size = hex(text.split(' ').next().unwrap_or(""));
                def.fields.extend(fields_in_brackets(structure, text, known));
            } else {
                let fields = field(structure, member, text, known)
                    .ok_or_else(|| Failure::new(format!("{key}.{member}: \"{text}\"")).in_file(path))?;
                def.fields.extend(fields);
            }
        }
    }
    for (parent, members) in flags {
        let bad = || Failure::new(format!("no field for \"{parent} bits\"")).in_file(path);
        let (structure, word) = parent.split_once('.').ok_or_else(bad)?;
        let def = structs.get_mut(structure).ok_or_else(bad)?;
        let offset = def.fields.iter().find(|field| &*field.name == word).ok_or_else(bad)?.offset;
        for (name, bit) in members {
            def.fields.push(bit_field(structure, name, offset, read::to_u8(bit)?, 1, known));
        }
    }
    let definitions = structs.into_iter().map(|(name, mut def)| {
        sort_fields(&mut def.fields);
        (name.to_owned(), Arc::new(Definition::Struct(def)))
    });
    Ok(Kernel {
        version,
        id: None,
        source: Source::Ntdiff,
        definitions: definitions.collect(),
        symbols: BTreeMap::new(),
        origin: read::origin(path),
    })
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn bit_field(structure: &str, name: &str, offset: u32, position: u8, length: u8, known: &Known<'_>) -> FieldDef {
    FieldDef { name: name.into(), offset, ty: known.bits(structure, name, position, length) }
}

/// `"0x20 (Directory 0x0, Name 0x8)"` after a size. A remark that tells no places has no fields.
fn fields_in_brackets(structure: &str, text: &str, known: &Known<'_>) -> Vec<FieldDef> {
    let inside = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or("");
    inside
        .split(", ")
        .filter_map(|part| {
            let (name, offset) = part.split_once(' ')?;
            let ty = known.ty(structure, name).cloned().unwrap_or(Type::Unknown);
            Some(FieldDef { name: name.into(), offset: hex(offset)?, ty })
        })
        .collect()
}

/// The field that a text describes, and any that it mentions.
fn field(structure: &str, name: &str, text: &str, known: &Known<'_>) -> Option<Vec<FieldDef>> {
    let (offset, remark) = match text.split_once(' ') {
        Some((first, rest)) if first.starts_with("0x") => (hex(first)?, rest),
        None => (hex(text)?, ""),
        // Bits of a structure that is one word.
        Some(_) => (0, text),
    };
    if let Some(bits) = remark.strip_prefix("bits ") {
        let (first, last) = bits.split_once("..")?;
        let (first, last): (u8, u8) = (first.parse().ok()?, last.parse().ok()?);
        return Some(vec![bit_field(structure, name, offset, first, last.checked_sub(first)?.checked_add(1)?, known)]);
    }
    if let Some(bit) = remark.strip_prefix("bit ") {
        return Some(vec![bit_field(structure, name, offset, bit.parse().ok()?, 1, known)]);
    }
    let mut ty = known.ty(structure, name).cloned().unwrap_or(Type::Unknown);
    let mut mentioned = Vec::new();
    if let Some(count) = remark.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let count = count.parse().ok()?;
        let of = match ty {
            Type::Array { of, .. } => of,
            _ => Box::new(Type::Unknown),
        };
        ty = Type::Array { count, of };
    } else if let Some(inside) = remark.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        if let Some(pointee) = inside.strip_suffix('*') {
            ty = Type::Pointer(Box::new(Type::Struct(pointee.into())));
        } else {
            let (bit_name, bit) = inside.split_once("=bit ")?;
            mentioned.push(bit_field(structure, bit_name, offset, bit.parse().ok()?, 1, known));
        }
    } else if !remark.is_empty() {
        return None;
    }
    mentioned.insert(0, FieldDef { name: name.into(), offset, ty });
    Some(mentioned)
}
