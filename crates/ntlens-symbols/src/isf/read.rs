//! From ISF to layouts.

use crate::assemble::{Listed, MAX_TYPE_DEPTH, pointer};
use crate::base::POINTER32;
use crate::error::Fault;
use crate::file::Identity;
use crate::sound::{self, X64};
use crate::{SymbolError, SymbolTable};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use ntlens_core::address::Rva;
use ntlens_core::layout::{EnumDef, FieldDef, Layouts, Name, PdbId, StructDef, StructKind, Type, Version};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// Reads an ISF table. `name` is for errors.
pub fn read(name: &Path, json: &[u8]) -> Result<SymbolTable, SymbolError> {
    table(json).map_err(|fault| fault.in_file(name))
}

/// Reads an ISF table up to the place that tells which image it belongs to. `name` is for errors.
pub fn identify(name: &Path, json: impl Read) -> Result<Identity, SymbolError> {
    identity(json).map_err(|fault| fault.in_file(name))
}

fn table(json: &[u8]) -> Result<SymbolTable, Fault> {
    let file: File<'_> = serde_json::from_slice(json).map_err(|error| not_isf(&error))?;
    let windows = file.metadata.windows()?;
    let id = windows.pdb.id()?;
    let mut names = Names::default();
    let mut listed = Listed::default();
    for (name, value) in file.user_types.0 {
        listed.structs.push(names.structure(&name, value)?);
    }
    for (name, value) in file.enums.0 {
        let value = EnumDef {
            name: names.name(&name),
            base: names.name(&value.base),
            constants: names.constants(&name, value.constants)?,
        };
        listed.enums.push(value);
    }
    let (structs, enums) = listed.assemble()?;
    let symbols = file.symbols.0.into_iter().map(|(key, symbol)| {
        let name = symbol.linkage_name.unwrap_or(key);
        match u32::try_from(symbol.address) {
            Ok(rva) => Ok((Name::from(name), Rva(rva.into()))),
            Err(_) => Err(Fault::malformed(format!("symbol {name}"), "an address inside an image")),
        }
    });
    let symbols = symbols.collect::<Result<Vec<_>, _>>()?;
    let version = windows.pe.as_ref().and_then(Pe::version);
    let layouts = Layouts::new(version, Some(id), structs, enums, symbols);
    sound::check(&layouts)?;
    Ok(SymbolTable { id, pdb_name: Some(windows.pdb.database.clone().into_owned()), layouts })
}

fn identity(json: impl Read) -> Result<Identity, Fault> {
    let mut found = None;
    let mut json = serde_json::Deserializer::from_reader(json);
    // What is behind the metadata is not read: the visitor ends there by failing.
    let end = UpToMetadata(&mut found).deserialize(&mut json).err();
    match (found, end) {
        (Some(metadata), _) => {
            let pdb = &metadata.windows()?.pdb;
            Ok(Identity { id: pdb.id()?, pdb_name: Some(pdb.database.clone().into_owned()) })
        }
        (None, Some(error)) if error.is_io() => Err(std::io::Error::from(error).into()),
        (None, Some(error)) => Err(not_isf(&error)),
        (None, None) => Err(Fault::malformed("JSON", "\"metadata\" in it")),
    }
}

fn not_isf(error: &serde_json::Error) -> Fault {
    Fault::malformed("JSON", format!("a table of ISF 6 ({error})"))
}

/// The file as it is written; keys that are not here are passed over.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    user_types: Entries<'a, UserType<'a>>,
    #[serde(borrow)]
    enums: Entries<'a, Enumeration<'a>>,
    #[serde(borrow)]
    symbols: Entries<'a, Symbol<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
    #[serde(borrow)]
    windows: Option<Windows<'a>>,
}

#[derive(Deserialize)]
struct Windows<'a> {
    #[serde(borrow)]
    pdb: Pdb<'a>,
    pe: Option<Pe>,
}

#[derive(Deserialize)]
struct Pdb<'a> {
    #[serde(rename = "GUID", borrow)]
    guid: Cow<'a, str>,
    age: u32,
    #[serde(borrow)]
    database: Cow<'a, str>,
    /// As in the headers of images.
    machine_type: Option<u16>,
}

/// The version of the image; `revision` is the build and `build` the revision.
#[derive(Deserialize)]
struct Pe {
    major: u64,
    minor: u64,
    revision: u64,
    build: Option<u64>,
}

#[derive(Deserialize)]
struct UserType<'a> {
    kind: StructWord,
    size: u32,
    #[serde(borrow)]
    fields: Entries<'a, Field<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum StructWord {
    Struct,
    Union,
    Class,
}

#[derive(Deserialize)]
struct Field<'a> {
    offset: u32,
    #[serde(rename = "type", borrow)]
    ty: TypeDescriptor<'a>,
}

#[derive(Deserialize)]
struct TypeDescriptor<'a> {
    kind: TypeWord,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    base: Option<Cow<'a, str>>,
    count: Option<u32>,
    bit_position: Option<u8>,
    bit_length: Option<u8>,
    #[serde(borrow)]
    subtype: Option<Box<TypeDescriptor<'a>>>,
    #[serde(rename = "type", borrow)]
    bits_of: Option<Box<TypeDescriptor<'a>>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TypeWord {
    Base,
    Pointer,
    Array,
    Bitfield,
    Function,
    Enum,
    Struct,
    Union,
    Class,
}

#[derive(Deserialize)]
struct Enumeration<'a> {
    #[serde(borrow)]
    base: Cow<'a, str>,
    #[serde(borrow)]
    constants: Entries<'a, i128>,
}

#[derive(Deserialize)]
struct Symbol<'a> {
    address: u64,
    #[serde(borrow)]
    linkage_name: Option<Cow<'a, str>>,
}

/// A JSON object in the order of the file.
struct Entries<'a, T>(Vec<(Cow<'a, str>, T)>);

impl<T> Entries<'_, T> {
    /// Of several members with one name the last counts, as for other readers of JSON.
    fn last_of_each_name(mut self) -> Self {
        let distinct = self.0.iter().map(|(name, _)| name).collect::<HashSet<_>>().len();
        if distinct < self.0.len() {
            let mut seen = HashSet::new();
            self.0.reverse();
            self.0.retain(|(name, _)| seen.insert(name.clone()));
            self.0.reverse();
        }
        self
    }
}

/// A key, without a copy where the file has no escapes in it.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Entries<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'a, T>(PhantomData<Entries<'a, T>>);

        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for Object<'a, T> {
            type Value = Entries<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// Looks for the metadata, keeps it and gives up.
struct UpToMetadata<'f>(&'f mut Option<Metadata<'static>>);

impl<'de> DeserializeSeed<'de> for UpToMetadata<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for UpToMetadata<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "metadata" {
                *self.0 = Some(map.next_value::<OwnMetadata>()?.0);
                return Err(A::Error::custom("this is enough"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Metadata that borrows nothing.
struct OwnMetadata(Metadata<'static>);

impl<'de> Deserialize<'de> for OwnMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Metadata { format, windows } = Metadata::deserialize(deserializer)?;
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let windows = windows.map(|Windows { pdb, pe }| {
            let pdb =
                Pdb { guid: own(pdb.guid), age: pdb.age, database: own(pdb.database), machine_type: pdb.machine_type };
            Windows { pdb, pe }
        });
        Ok(Self(Metadata { format: own(format), windows }))
    }
}

impl<'a> Metadata<'a> {
    fn windows(&self) -> Result<&Windows<'a>, Fault> {
        if !self.format.starts_with("6.") {
            return Err(Fault::malformed("metadata", format!("format 6, not {}", self.format)));
        }
        let windows = self.windows.as_ref().ok_or_else(|| Fault::malformed("metadata", "a Windows image"))?;
        match windows.pdb.machine_type {
            None | Some(0 | X64) => Ok(windows),
            Some(other) => Err(Fault::malformed("metadata", format!("the machine {X64:#x} (x64), not {other:#x}"))),
        }
    }
}

impl Pdb<'_> {
    fn id(&self) -> Result<PdbId, Fault> {
        let bad = || Fault::malformed("metadata", format!("a GUID, not {:?}", self.guid));
        if self.guid.len() > 32 || !self.guid.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let guid = u128::from_str_radix(&self.guid, 16).map_err(|_| bad())?;
        Ok(PdbId { guid, age: self.age })
    }
}

impl Pe {
    fn version(&self) -> Option<Version> {
        Some(Version {
            major: self.major.try_into().ok()?,
            minor: self.minor.try_into().ok()?,
            build: self.revision.try_into().ok()?,
            revision: self.build.map(TryInto::try_into).transpose().ok()?,
        })
    }
}

/// Names, one allocation for all uses of each.
#[derive(Default)]
struct Names(HashSet<Name>);

impl Names {
    fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.0.get(text) {
            return name.clone();
        }
        let name = Name::from(text);
        self.0.insert(name.clone());
        name
    }

    fn structure(&mut self, name: &str, value: UserType<'_>) -> Result<StructDef, Fault> {
        let kind = match value.kind {
            StructWord::Struct => StructKind::Struct,
            StructWord::Union => StructKind::Union,
            StructWord::Class => StructKind::Class,
        };
        let fields = value.fields.last_of_each_name().0.into_iter().map(|(field, value)| {
            let ty = self.ty(value.ty, 0).map_err(|expected| Fault::malformed(format!("{name}.{field}"), expected))?;
            Ok(FieldDef { name: self.name(&field), offset: value.offset, ty })
        });
        let fields = fields.collect::<Result<_, Fault>>()?;
        Ok(StructDef { kind, name: self.name(name), size: Some(value.size), fields })
    }

    /// A type, or what is missing in it.
    fn ty(&mut self, value: TypeDescriptor<'_>, depth: usize) -> Result<Type, &'static str> {
        if depth > MAX_TYPE_DEPTH {
            return Err("a type of less depth");
        }
        let name = |names: &mut Self| value.name.as_ref().map(|name| names.name(name)).ok_or("the name of a type");
        let inner = |names: &mut Self, inner: Option<Box<TypeDescriptor<'_>>>, missing| {
            names.ty(*inner.ok_or(missing)?, depth + 1)
        };
        Ok(match value.kind {
            TypeWord::Base => Type::Base(name(self)?),
            TypeWord::Struct | TypeWord::Union | TypeWord::Class => Type::Struct(name(self)?),
            TypeWord::Enum => Type::Enum(name(self)?),
            TypeWord::Function => Type::Function,
            TypeWord::Pointer => match value.base.as_deref() {
                Some(POINTER32) => Type::Base(self.name(POINTER32)),
                _ => pointer(inner(self, value.subtype, "what a pointer points at")?),
            },
            TypeWord::Array => Type::Array {
                count: value.count.ok_or("the length of an array")?,
                of: Box::new(inner(self, value.subtype, "the elements of an array")?),
            },
            TypeWord::Bitfield => Type::Bits {
                position: value.bit_position.ok_or("the position of bits")?,
                length: value.bit_length.ok_or("the number of bits")?,
                of: Box::new(inner(self, value.bits_of, "the integer that bits are of")?),
            },
        })
    }

    fn constants(&mut self, owner: &str, constants: Entries<'_, i128>) -> Result<Vec<(Name, i64)>, Fault> {
        let constants = constants.last_of_each_name().0.into_iter().map(|(name, value)| {
            // One above the signed range keeps its 64 bits.
            let bits = i64::try_from(value).or_else(|_| u64::try_from(value).map(u64::cast_signed));
            let bits = bits.map_err(|_| Fault::malformed(format!("{owner}.{name}"), "a number of 64 bits"))?;
            Ok((self.name(&name), bits))
        });
        constants.collect()
    }
}
