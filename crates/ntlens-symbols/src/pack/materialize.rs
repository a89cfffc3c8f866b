//! Makes the types of `ntlens_core` from the lists of numbers, each once.

use super::coder::filled;
use super::definitions::{Definitions, Node, RawField, RawKind};
use super::expand::Expanded;
use super::{Name, PackError};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use ntlens_core::layout::{EnumDef, FieldDef, StructDef, StructKind, Type};

/// Unnamed structures inside one another.
const MAX_NESTING: usize = 16;

#[derive(Clone, Debug)]
enum Made {
    /// Begun: who meets this stands inside itself.
    Begun,
    Struct(Arc<StructDef>),
    Enum(Arc<EnumDef>),
}

/// What has been made so far.
#[derive(Debug)]
pub(super) struct Materializer<'d, 'a> {
    from: &'d Definitions<'a>,
    names: Vec<Option<Name>>,
    made: Vec<Option<Made>>,
    expanded: Expanded,
    nesting: usize,
}

/// The types of one table.
type Types = (Vec<Arc<StructDef>>, Vec<Arc<EnumDef>>);

impl<'d, 'a> Materializer<'d, 'a> {
    pub(super) fn new(from: &'d Definitions<'a>) -> Self {
        Self {
            from,
            names: filled(None, from.names.len()),
            made: filled(None, from.len()),
            expanded: Expanded::new(from),
            nesting: 0,
        }
    }

    /// All types of one table.
    pub(super) fn types_of(&mut self, table: usize) -> Result<Types, PackError> {
        let (mut structs, mut enums) = (Vec::new(), Vec::new());
        self.from.of_table(table, |name, index| {
            let name = self.name(name)?;
            match self.definition(name, index)? {
                Made::Struct(def) => structs.push(def),
                Made::Enum(def) => enums.push(def),
                Made::Begun => {}
            }
            Ok(())
        })?;
        Ok((structs, enums))
    }

    fn definition(&mut self, name: Name, index: usize) -> Result<Made, PackError> {
        let slot = self.made.get_mut(index).ok_or(PackError::Invalid("definition"))?;
        match slot {
            Some(Made::Begun) => return Err(PackError::Invalid("nested type")),
            Some(made) => return Ok(made.clone()),
            None => *slot = Some(Made::Begun),
        }
        let raw = *self.from.get(index).ok_or(PackError::Invalid("definition"))?;
        let fields = self.expanded.expand(self.from, index)?;
        let made = match raw.kind {
            RawKind::Enum(base) => Made::Enum(Arc::new(self.enumeration(name, base, fields)?)),
            RawKind::Struct => Made::Struct(Arc::new(self.structure(StructKind::Struct, name, raw.size()?, fields)?)),
            RawKind::Union => Made::Struct(Arc::new(self.structure(StructKind::Union, name, raw.size()?, fields)?)),
            RawKind::Class => Made::Struct(Arc::new(self.structure(StructKind::Class, name, raw.size()?, fields)?)),
        };
        if let Some(slot) = self.made.get_mut(index) {
            *slot = Some(made.clone());
        }
        Ok(made)
    }

    fn enumeration(&mut self, name: Name, base: u32, fields: Range<usize>) -> Result<EnumDef, PackError> {
        let mut constants = Vec::with_capacity(fields.len());
        for at in fields {
            let field = self.field(at)?;
            constants.push((self.name(field.name)?, field.at));
        }
        Ok(EnumDef { name, base: self.name(base)?, constants })
    }

    fn structure(
        &mut self,
        kind: StructKind,
        name: Name,
        size: Option<u32>,
        raw: Range<usize>,
    ) -> Result<StructDef, PackError> {
        let mut fields = Vec::with_capacity(raw.len());
        for at in raw {
            let field = self.field(at)?;
            let offset = u32::try_from(field.at).map_err(|_| PackError::Invalid("offset"))?;
            fields.push(FieldDef { name: self.name(field.name)?, offset, ty: self.ty(field.ty)? });
        }
        Ok(StructDef { kind, name, size, fields })
    }

    fn field(&self, at: usize) -> Result<RawField, PackError> {
        self.expanded.get(at).ok_or(PackError::Invalid("field"))
    }

    fn ty(&mut self, index: u32) -> Result<Type, PackError> {
        let from = self.from;
        let (last, wrappers) =
            from.nodes_of(index).and_then(<[_]>::split_last).ok_or(PackError::Invalid("type of a field"))?;
        let mut ty = match *last {
            Node::Base(name) => Type::Base(self.name(name)?),
            Node::Struct(name) => Type::Struct(self.name(name)?),
            Node::Enum(name) => Type::Enum(self.name(name)?),
            Node::Inline(index) => Type::Inline(self.unnamed(index)?),
            Node::Function => Type::Function,
            _ => Type::Unknown,
        };
        for wrapper in wrappers.iter().rev() {
            let of = Box::new(ty);
            ty = match *wrapper {
                Node::Array(count) => Type::Array { count, of },
                Node::Bits(position, length) => Type::Bits { position, length, of },
                _ => Type::Pointer(of),
            };
        }
        Ok(ty)
    }

    /// A type without a name. How deep they nest is limited, and each is made once.
    fn unnamed(&mut self, index: u32) -> Result<Arc<StructDef>, PackError> {
        if self.nesting == MAX_NESTING {
            return Err(PackError::TooLarge("nested types"));
        }
        self.nesting += 1;
        let made = self.definition(Name::default(), index as usize);
        self.nesting -= 1;
        match made? {
            Made::Struct(made) => Ok(made),
            _ => Err(PackError::Invalid("unnamed type")),
        }
    }

    fn name(&mut self, index: u32) -> Result<Name, PackError> {
        let slot = self.names.get_mut(index as usize).ok_or(PackError::Invalid("name"))?;
        let text = self.from.names.get(index as usize).ok_or(PackError::Invalid("name"))?;
        Ok(slot.get_or_insert_with(|| Name::from(*text)).clone())
    }
}
