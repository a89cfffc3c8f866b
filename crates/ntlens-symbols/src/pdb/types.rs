//! The type stream of a PDB.

use super::records::{Cursor, Member, Record, Tag};
use crate::assemble::{Listed, MAX_TYPE_DEPTH, is_tagless, pointer};
use crate::base::{self, POINTER32};
use crate::error::Fault;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ntlens_core::layout::{EnumDef, FieldDef, Name, StructDef, Type};
use std::collections::HashMap;

/// Numbers below this are types of the C language and pointers to them.
const FIRST: u32 = 0x1000;

/// Lists of fields may be shared by types that are alike. A field takes 12 bytes or more: one for every four bytes of the
/// stream lets each list be used some times.
const BYTES_PER_FIELD: usize = 4;

/// Reads all structures and enumerations of the type stream.
pub(super) fn read(stream: &[u8]) -> Result<Listed, Fault> {
    let records = split(stream)?;
    let mut types = Types {
        definitions: HashMap::new(),
        names: HashMap::new(),
        members_left: stream.len() / BYTES_PER_FIELD,
        records,
    };
    for (index, record) in (FIRST..).zip(&types.records) {
        if let Some(tag) = record.tag().filter(|tag| !tag.forward) {
            types.definitions.insert(tag.unique.unwrap_or(tag.name), index);
        }
    }
    let mut listed = Listed::default();
    for place in 0..types.records.len() {
        let Some(record) = types.records.get(place).copied() else { break };
        let index = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(FIRST);
        match record {
            Record::Struct { tag, kind, size } if !tag.forward => {
                let fields = types.fields(index, tag.fields)?;
                let name = types.tag_name(index, &tag);
                listed.structs.push(StructDef { kind, name, size: size.try_into().ok(), fields });
            }
            Record::Enum { tag, base } if !tag.forward => {
                let constants = types.constants(index, tag.fields)?;
                let Type::Base(base) = types.ty(base, 0)? else {
                    return Err(malformed(index, "an integer type of the enumeration"));
                };
                listed.enums.push(EnumDef { name: types.tag_name(index, &tag), base, constants });
            }
            _ => {}
        }
    }
    Ok(listed)
}

fn malformed(index: u32, expected: &str) -> Fault {
    Fault::malformed(format!("type stream, type {index:#x}"), expected)
}

/// All records in order, the first being number [`FIRST`].
fn split(stream: &[u8]) -> Result<Vec<Record<'_>>, Fault> {
    if stream.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = records(stream).ok_or_else(|| Fault::malformed("type stream", "a header that fits the stream"))?;
    let mut cursor = Cursor(bytes);
    let mut records = Vec::new();
    while !cursor.0.is_empty() {
        let index = u32::try_from(records.len()).unwrap_or(u32::MAX).saturating_add(FIRST);
        let record = cursor.u16().and_then(|length| cursor.take(length.into())).and_then(Record::read);
        records.push(record.ok_or_else(|| malformed(index, "a whole record"))?);
    }
    Ok(records)
}

/// The bytes of the records, behind the header.
fn records(stream: &[u8]) -> Option<&[u8]> {
    let mut header = Cursor(stream);
    let (_version, header_size, first, _end, size) =
        (header.u32()?, header.u32()?, header.u32()?, header.u32()?, header.u32()?);
    let rest = stream.get(usize::try_from(header_size).ok()?..)?;
    rest.get(..usize::try_from(size).ok()?).filter(|_| first == FIRST)
}

impl<'s> Record<'s> {
    fn tag(&self) -> Option<&Tag<'s>> {
        match self {
            Self::Struct { tag, .. } | Self::Enum { tag, .. } => Some(tag),
            _ => None,
        }
    }
}

struct Types<'s> {
    records: Vec<Record<'s>>,
    /// Types that are not only announced, by their unique or else by their own name; of several the last.
    definitions: HashMap<&'s [u8], u32>,
    names: HashMap<&'s [u8], Name>,
    /// How many more fields and constants are believed.
    members_left: usize,
}

impl<'s> Types<'s> {
    /// A name, one allocation for all its uses.
    fn name(&mut self, bytes: &'s [u8]) -> Name {
        self.names.entry(bytes).or_insert_with(|| String::from_utf8_lossy(bytes).into()).clone()
    }

    /// The record of a number from [`FIRST`] on.
    fn record(&self, index: u32) -> Result<Record<'s>, Fault> {
        let place = index.checked_sub(FIRST).and_then(|place| usize::try_from(place).ok());
        let record = place.and_then(|place| self.records.get(place));
        record.copied().ok_or_else(|| malformed(index, "a type of this number"))
    }

    /// The number of the definition that an announcement stands for; a definition's own number.
    fn definition(&self, index: u32, tag: &Tag<'s>) -> Option<u32> {
        if !tag.forward {
            return Some(index);
        }
        self.definitions.get(tag.unique.unwrap_or(tag.name)).copied()
    }

    /// A type's name; one that was made up is made up anew, by the number of the type, since it may be that of many.
    fn tag_name(&mut self, index: u32, tag: &Tag<'s>) -> Name {
        let name = self.name(tag.name);
        if is_tagless(&name) {
            let index = self.definition(index, tag).unwrap_or(index);
            return format!("__unnamed_{index:x}").into();
        }
        name
    }

    /// Calls with each entry of a list and of those that continue it.
    fn members(
        &mut self,
        owner: u32,
        list: u32,
        mut take: impl FnMut(&mut Self, Member<'s>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut next = Some(list).filter(|list| *list != 0);
        while let Some(list) = next.take() {
            let Record::FieldList(members) = self.record(list)? else {
                return Err(malformed(owner, "a list of fields"));
            };
            self.count_members(owner)?;
            for member in members {
                self.count_members(owner)?;
                match member.ok_or_else(|| malformed(list, "a field of a known kind"))? {
                    Member::Continued(list) => next = Some(list),
                    member => take(self, member)?,
                }
            }
        }
        Ok(())
    }

    /// Lists that are used again and again, or continue themselves, come to an end.
    fn count_members(&mut self, owner: u32) -> Result<(), Fault> {
        let left = self.members_left.checked_sub(1);
        self.members_left = left.ok_or_else(|| malformed(owner, "fewer fields in a stream of this size"))?;
        Ok(())
    }

    fn fields(&mut self, owner: u32, list: u32) -> Result<Vec<FieldDef>, Fault> {
        let mut fields = Vec::new();
        self.members(owner, list, |types, member| {
            if let Member::Field { ty, offset, name } = member {
                let offset = offset.try_into().map_err(|_| malformed(owner, "offsets of 32 bits"))?;
                fields.push(FieldDef { name: types.name(name), offset, ty: types.ty(ty, 0)? });
            }
            Ok(())
        })?;
        Ok(fields)
    }

    fn constants(&mut self, owner: u32, list: u32) -> Result<Vec<(Name, i64)>, Fault> {
        let mut constants = Vec::new();
        self.members(owner, list, |types, member| {
            if let Member::Constant { value, name } = member {
                // One above the signed range keeps its 64 bits.
                let value = i64::try_from(value).or_else(|_| u64::try_from(value).map(u64::cast_signed));
                let value = value.map_err(|_| malformed(owner, "constants of 64 bits"))?;
                constants.push((types.name(name), value));
            }
            Ok(())
        })?;
        Ok(constants)
    }

    /// A type by its number.
    fn ty(&mut self, index: u32, depth: usize) -> Result<Type, Fault> {
        if index < FIRST {
            return Ok(self.simple(index));
        }
        if depth > MAX_TYPE_DEPTH {
            return Err(malformed(index, "a type of less depth"));
        }
        Ok(match self.record(index)? {
            Record::Struct { tag, .. } => Type::Struct(self.tag_name(index, &tag)),
            Record::Enum { tag, .. } => Type::Enum(self.tag_name(index, &tag)),
            Record::Same { of } => self.ty(of, depth + 1)?,
            Record::Procedure => Type::Function,
            Record::Bits { of, length, position } => {
                Type::Bits { position, length, of: Box::new(self.ty(of, depth + 1)?) }
            }
            Record::Array { of, size } => match self.count(of, size)? {
                Some(count) => Type::Array { count, of: Box::new(self.ty(of, depth + 1)?) },
                None => Type::Unknown,
            },
            Record::Pointer { to, attributes } => match pointer_size(attributes) {
                Some(8) => pointer(self.ty(to, depth + 1)?),
                Some(4) => Type::Base(self.name(POINTER32.as_bytes())),
                _ => Type::Unknown,
            },
            Record::FieldList(_) | Record::Other => Type::Unknown,
        })
    }

    /// A type that has no record: the low byte says which, the next whether it is pointed at.
    fn simple(&mut self, index: u32) -> Type {
        let base = base::by_code((index & 0xff) as u8);
        let base = base.map_or(Type::Unknown, |base| Type::Base(self.name(base.name.as_bytes())));
        match index >> 8 {
            0 => base,
            // The type of `nullptr`.
            1 if index == 0x103 => pointer(base),
            4 => Type::Base(self.name(POINTER32.as_bytes())),
            6 => pointer(base),
            _ => Type::Unknown,
        }
    }

    /// How many elements of a type make an array of so many bytes; `None` if the element's size is not known.
    fn count(&self, of: u32, size: u64) -> Result<Option<u32>, Fault> {
        let Some(element) = self.size(of)? else { return Ok(None) };
        let count = size.checked_div(element).unwrap_or(0);
        count.try_into().map(Some).map_err(|_| malformed(of, "arrays of less than 2^32 elements"))
    }

    /// Bytes that a type takes, if it is known.
    fn size(&self, mut index: u32) -> Result<Option<u64>, Fault> {
        for _ in 0..=MAX_TYPE_DEPTH {
            if index < FIRST {
                return Ok(match index >> 8 {
                    0 => base::by_code((index & 0xff) as u8).map(|base| base.size.into()),
                    4 => Some(4),
                    6 => Some(8),
                    _ => None,
                });
            }
            let record = self.record(index)?;
            if let Some(tag) = record.tag().filter(|tag| tag.forward) {
                let Some(definition) = self.definition(index, tag) else { return Ok(None) };
                index = definition;
                continue;
            }
            index = match record {
                Record::Struct { size, .. } | Record::Array { size, .. } => return Ok(Some(size)),
                Record::Pointer { attributes, .. } => return Ok(pointer_size(attributes)),
                Record::Enum { base: of, .. } | Record::Same { of } | Record::Bits { of, .. } => of,
                Record::Procedure | Record::FieldList(_) | Record::Other => return Ok(None),
            };
        }
        Err(malformed(index, "a type of less depth"))
    }
}

/// Bytes of a pointer; `None` for pointers to members, which are offsets or more.
fn pointer_size(attributes: u32) -> Option<u64> {
    let (kind, mode, size) = (attributes & 0x1f, attributes >> 5 & 7, attributes >> 13 & 0x3f);
    match (mode, size, kind) {
        (2 | 3, ..) => None,
        (_, 0, 0xa) => Some(4),
        (_, 0, 0xc) => Some(8),
        (_, size, _) => Some(size.into()),
    }
}
