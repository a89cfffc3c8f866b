//! From layouts to ISF 6.2.0.

use super::plain_name;
use crate::base::{self, POINTER32};
use crate::sound::X64;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use ntlens_core::layout::{EnumDef, Layouts, PdbId, StructDef, StructKind, Type, Version};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The version of the schema, one that volatility3 has had since 2021.
const FORMAT: &str = "6.2.0";

/// Why layouts could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// ISF has no way to say that the size of a structure is not known.
    #[error("the size of {structure} is not known, and ISF needs it")]
    NoSize {
        /// The structure.
        structure: String,
    },
    /// A base type of which neither ISF nor C tells the size.
    #[error("{name} is no type of the C language")]
    UnknownBase {
        /// Its name.
        name: String,
    },
    /// The table could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes layouts as an ISF table that volatility3 reads in the place of its own. `pdb` is the file name of the PDB that
/// the image names, such as `ntkrnlmp.pdb`.
///
/// The same layouts always make the same bytes. A type that the layouts do not tell is written as `void`.
pub fn write(out: impl Write, layouts: &Layouts, id: PdbId, pdb: &str) -> Result<(), WriteError> {
    let mut types = Types { layouts, bases: BTreeMap::new(), tagless: BTreeMap::new(), inline: Map::new() };
    // What volatility3 builds its own types of.
    types.base("pointer")?;
    types.base("void")?;
    let mut user_types = Map::new();
    for def in layouts.structures() {
        user_types.insert(def.name.to_string(), types.structure(def)?);
    }
    user_types.append(&mut types.inline);
    let mut enums = Map::new();
    for def in layouts.enumerations() {
        enums.insert(def.name.to_string(), types.enumeration(def)?);
    }
    let table = json!({
        "base_types": types.bases,
        "enums": enums,
        "metadata": metadata(layouts.version(), id, pdb),
        "symbols": symbols(layouts),
        "user_types": user_types,
    });
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer(&mut out, &table).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

fn metadata(version: Option<Version>, id: PdbId, pdb: &str) -> Value {
    let guid = format!("{:032X}", id.guid);
    let mut windows = json!({"pdb": {"GUID": guid, "age": id.age, "database": pdb, "machine_type": X64}});
    if let (Some(version), Some(windows)) = (version, windows.as_object_mut()) {
        let mut pe = json!({"major": version.major, "minor": version.minor, "revision": version.build});
        if let (Some(revision), Some(pe)) = (version.revision, pe.as_object_mut()) {
            pe.insert("build".into(), revision.into());
        }
        windows.insert("pe".into(), pe);
    }
    let producer = json!({"name": "ntlens", "version": env!("CARGO_PKG_VERSION")});
    json!({"format": FORMAT, "producer": producer, "windows": windows})
}

fn symbols(layouts: &Layouts) -> Map<String, Value> {
    let mut symbols = Map::new();
    for (name, rva) in layouts.symbols() {
        let plain = plain_name(name);
        // Where the plain name is another symbol's, this one keeps its own.
        if plain == name || plain.is_empty() || layouts.symbol(plain).is_ok() || symbols.contains_key(plain) {
            symbols.insert(name.to_owned(), json!({"address": rva.0}));
        } else {
            symbols.insert(plain.to_owned(), json!({"address": rva.0, "linkage_name": name}));
        }
    }
    symbols
}

struct Types<'l> {
    layouts: &'l Layouts,
    bases: BTreeMap<&'static str, Value>,
    /// Names made up for structures without one.
    tagless: BTreeMap<&'l StructDef, String>,
    inline: Map<String, Value>,
}

impl<'l> Types<'l> {
    fn structure(&mut self, def: &'l StructDef) -> Result<Value, WriteError> {
        let size = def.size.ok_or_else(|| WriteError::NoSize { structure: def.name.to_string() })?;
        let mut fields = Map::new();
        for field in &def.fields {
            fields.insert(field.name.to_string(), json!({"offset": field.offset, "type": self.ty(&field.ty)?}));
        }
        Ok(json!({"fields": fields, "kind": word(def.kind), "size": size}))
    }

    fn ty(&mut self, ty: &'l Type) -> Result<Value, WriteError> {
        Ok(match ty {
            Type::Base(name) if &**name == POINTER32 => {
                self.base(POINTER32)?;
                json!({"base": POINTER32, "kind": "pointer", "subtype": {"kind": "base", "name": "void"}})
            }
            Type::Base(name) => {
                self.base(name)?;
                json!({"kind": "base", "name": &**name})
            }
            Type::Pointer(of) => json!({"kind": "pointer", "subtype": self.ty(of)?}),
            Type::Array { count, of } => json!({"count": count, "kind": "array", "subtype": self.ty(of)?}),
            Type::Bits { position, length, of } => {
                json!({"bit_length": length, "bit_position": position, "kind": "bitfield", "type": self.ty(of)?})
            }
            Type::Function => json!({"kind": "function"}),
            Type::Struct(name) => {
                let kind = self.layouts.structure(name).map_or(StructKind::Struct, |def| def.kind);
                json!({"kind": word(kind), "name": &**name})
            }
            Type::Enum(name) => json!({"kind": "enum", "name": &**name}),
            Type::Inline(def) => json!({"kind": word(def.kind), "name": self.tagless(def)?}),
            _ => json!({"kind": "base", "name": "void"}),
        })
    }

    /// The name of a structure without one; equal structures share it.
    fn tagless(&mut self, def: &'l StructDef) -> Result<String, WriteError> {
        if let Some(name) = self.tagless.get(def) {
            return Ok(name.clone());
        }
        let value = self.structure(def)?;
        // Numbers of types in a PDB start here.
        let name = format!("__unnamed_{:x}", 0x1000 + self.tagless.len());
        self.tagless.insert(def, name.clone());
        self.inline.insert(name.clone(), value);
        Ok(name)
    }

    fn enumeration(&mut self, def: &EnumDef) -> Result<Value, WriteError> {
        let size = self.base(&def.base)?;
        let constants: Map<_, _> =
            def.constants.iter().map(|(name, value)| (name.to_string(), Value::from(*value))).collect();
        Ok(json!({"base": &*def.base, "constants": constants, "size": size}))
    }

    /// Adds a base type to those that the table explains, and gives its size.
    fn base(&mut self, name: &str) -> Result<u32, WriteError> {
        if name == "pointer" {
            self.bases.insert("pointer", json!({"endian": "little", "kind": "int", "signed": false, "size": 8}));
            return Ok(8);
        }
        let base = base::by_name(name).ok_or_else(|| WriteError::UnknownBase { name: name.to_owned() })?;
        let (kind, signed, size) = (base.kind.name(), base.signed, base.size);
        self.bases
            .entry(base.name)
            .or_insert_with(|| json!({"endian": "little", "kind": kind, "signed": signed, "size": size}));
        Ok(size)
    }
}

fn word(kind: StructKind) -> &'static str {
    match kind {
        StructKind::Struct => "struct",
        StructKind::Union => "union",
        StructKind::Class => "class",
    }
}
