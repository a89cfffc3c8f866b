//! The blocks of types: definitions as lists of numbers, not yet as types of `ntlens_core`.

use super::coder::{Indexes, NONE, Steps};
use super::{Cursor, PackError};
use alloc::vec::Vec;

/// No true pack holds more fields; the limit keeps a small hostile one from growing without end.
pub(super) const MAX_FIELDS: usize = 1 << 19;
/// Pointers, arrays and bits around one type.
const MAX_WRAPPERS: usize = 8;

/// A field of a structure or a constant of an enumeration.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawField {
    pub(super) name: u32,
    /// Index of the type, [`NONE`] for a constant.
    pub(super) ty: u32,
    /// Offset or value; of an inserted field from the field before the inserted ones.
    pub(super) at: i64,
}

/// What a definition defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawKind {
    Struct,
    Union,
    Class,
    /// With the name of the base type.
    Enum(u32),
}

/// A definition as it is told: the edits that make its fields from those of another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawDefinition<'a> {
    pub(super) kind: RawKind,
    /// Size + 1, 0 if it is not known.
    size: i64,
    /// Index of the base.
    pub(super) base: Option<usize>,
    edits: Cursor<'a>,
    /// Index of the first of the inserted fields.
    first_inserted: usize,
}

/// What to do for some fields; see the module's description of the format.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// Copies fields of the base after a change of the shift.
    Copy(usize, i64),
    /// Leaves fields of the base out.
    Skip(usize),
    /// Takes the next inserted fields.
    Insert(usize),
}

impl<'a> RawDefinition<'a> {
    pub(super) fn size(&self) -> Result<Option<u32>, PackError> {
        u32::try_from(self.size).map(|size| size.checked_sub(1)).map_err(|_| PackError::Invalid("size"))
    }

    pub(super) fn edits(&self) -> Edits<'a> {
        Edits(self.edits)
    }
}

/// The edits of one definition.
pub(super) struct Edits<'a>(Cursor<'a>);

impl Edits<'_> {
    /// The next edit, `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Edit>, PackError> {
        let edit = self.0.number()?;
        let count = usize::try_from(edit >> 2).ok().filter(|count| *count <= MAX_FIELDS);
        let count = count.ok_or(PackError::TooLarge("structures"))?;
        Ok(match edit & 3 {
            _ if edit == 0 => None,
            0 => Some(Edit::Copy(count, 0)),
            1 => Some(Edit::Copy(count, self.0.signed()?)),
            2 => Some(Edit::Skip(count)),
            _ => Some(Edit::Insert(count)),
        })
    }
}

/// One step of a type's expression.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Pointer,
    Array(u32),
    Bits(u8, u8),
    Unknown,
    Base(u32),
    Struct(u32),
    Enum(u32),
    Inline(u32),
    Function,
}

/// All definitions of one name.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) name: u32,
    first: usize,
    versions: usize,
    /// Runs of sets; see the module's description of the format.
    runs: Cursor<'a>,
}

/// The content of the blocks of types read so far.
#[derive(Debug, Default)]
pub(super) struct Definitions<'a> {
    pub(super) names: Vec<&'a str>,
    nodes: Vec<Node>,
    /// Where each type's nodes start and end.
    types: Vec<(usize, usize)>,
    /// The lowest bit of each type that is bits.
    positions: Vec<Option<u8>>,
    list: Vec<RawDefinition<'a>>,
    inserted: Vec<RawField>,
    /// Per block: the set of each table, and the groups.
    blocks: Vec<(Vec<u32>, Vec<Group<'a>>)>,
    name_codes: Indexes,
    type_codes: Indexes,
    steps: Steps,
}

/// The columns of a block that are read side by side.
struct Columns<'a> {
    heads: Cursor<'a>,
    edits: Cursor<'a>,
    names: Cursor<'a>,
    types: Cursor<'a>,
    offsets: Cursor<'a>,
}

impl<'a> Definitions<'a> {
    /// Reads one more block.
    pub(super) fn add_block(&mut self, bytes: &'a [u8], tables: usize) -> Result<(), PackError> {
        let mut from = Cursor::new(bytes);
        let mut sets = Vec::with_capacity(tables);
        for _ in 0..tables {
            sets.push(from.small("set")?);
        }
        self.read_names(&mut from)?;
        self.read_types(&mut from)?;
        let mut groups = self.read_groups(&mut from, &sets)?;
        let unnamed = from.small::<usize>("count")?;
        let mut columns = Columns {
            heads: from.part()?,
            edits: from.part()?,
            names: from.part()?,
            types: from.part()?,
            offsets: from.part()?,
        };
        // Every inserted field takes at least a byte of this column.
        self.inserted.reserve(columns.names.len());
        for _ in 0..unnamed {
            self.read_definition(&mut columns)?;
        }
        for group in &mut groups {
            group.first = self.list.len();
            for _ in 0..group.versions {
                self.read_definition(&mut columns)?;
            }
        }
        self.blocks.push((sets, groups));
        Ok(())
    }

    fn read_names(&mut self, from: &mut Cursor<'a>) -> Result<(), PackError> {
        let count = from.count()?;
        let mut lengths = from.part()?;
        let mut text = from.text()?;
        self.names.reserve(count);
        for _ in 0..count {
            let (name, rest) = text.split_at_checked(lengths.small("length")?).ok_or(PackError::Invalid("name"))?;
            self.names.push(name);
            text = rest;
        }
        self.name_codes.grow(self.names.len());
        Ok(())
    }

    fn read_types(&mut self, from: &mut Cursor<'a>) -> Result<(), PackError> {
        let count = from.count()?;
        let mut from = from.part()?;
        self.types.reserve(count);
        self.positions.reserve(count);
        self.nodes.reserve(from.len());
        for _ in 0..count {
            let start = self.nodes.len();
            loop {
                let node = match from.number()? {
                    0 => Node::Unknown,
                    1 => Node::Pointer,
                    2 => Node::Array(from.small("array")?),
                    3 => Node::Bits(from.small("bit position")?, from.small("bit length")?),
                    4 => Node::Base(self.name_codes.next(&mut from, NONE)?),
                    5 => Node::Struct(self.name_codes.next(&mut from, NONE)?),
                    6 => Node::Enum(self.name_codes.next(&mut from, NONE)?),
                    7 => Node::Inline(from.small("unnamed type")?),
                    8 => Node::Function,
                    _ => return Err(PackError::Invalid("type")),
                };
                self.nodes.push(node);
                if !matches!(node, Node::Pointer | Node::Array(_) | Node::Bits(..)) {
                    break;
                }
                if self.nodes.len() - start > MAX_WRAPPERS {
                    return Err(PackError::TooLarge("types"));
                }
            }
            self.types.push((start, self.nodes.len()));
            self.positions.push(match self.nodes.get(start) {
                Some(Node::Bits(position, _)) => Some(*position),
                _ => None,
            });
        }
        self.type_codes.grow(self.types.len());
        self.steps.grow(self.types.len());
        Ok(())
    }

    fn read_groups(&mut self, from: &mut Cursor<'a>, sets: &[u32]) -> Result<Vec<Group<'a>>, PackError> {
        let end = sets.iter().max().map_or(0, |last| u64::from(*last) + 1);
        let count = from.count()?;
        let mut from = from.part()?;
        let mut groups = Vec::with_capacity(count.min(MAX_FIELDS));
        for _ in 0..count {
            let name = self.name_codes.next(&mut from, NONE)?;
            let versions = from.small("count")?;
            let runs = from;
            let mut at = 0;
            while at < end {
                let len = from.number()?;
                from.number()?;
                at = if len == 0 { end } else { at.saturating_add(len) };
            }
            groups.push(Group { name, first: 0, versions, runs });
        }
        Ok(groups)
    }

    fn read_definition(&mut self, columns: &mut Columns<'a>) -> Result<(), PackError> {
        let base = match columns.heads.small::<usize>("base")? {
            0 => None,
            back => Some(self.list.len().checked_sub(back).ok_or(PackError::Invalid("base"))?),
        };
        let kind = match columns.heads.number()? {
            0 => RawKind::Struct,
            1 => RawKind::Union,
            2 => RawKind::Class,
            3 => RawKind::Enum(self.name_codes.next(&mut columns.heads, NONE)?),
            _ => return Err(PackError::Invalid("kind")),
        };
        let is_enum = matches!(kind, RawKind::Enum(_));
        let size = if is_enum {
            0
        } else {
            let base = base.and_then(|base| self.list.get(base));
            columns.heads.signed()?.wrapping_add(base.map_or(0, |base| base.size))
        };
        let first_inserted = self.inserted.len();
        let edits = columns.edits;
        let mut left = Edits(edits);
        while let Some(edit) = left.next()? {
            if let Edit::Insert(count) = edit {
                self.read_inserted(columns, count, is_enum)?;
            }
        }
        columns.edits = left.0;
        self.list.push(RawDefinition { kind, size, base, edits, first_inserted });
        Ok(())
    }

    fn read_inserted(&mut self, columns: &mut Columns<'_>, count: usize, is_enum: bool) -> Result<(), PackError> {
        let (mut last_name, mut last_type, mut last_bits) = (NONE, NONE, false);
        let mut last_at = None;
        for _ in 0..count {
            let name = self.name_codes.next(&mut columns.names, last_name)?;
            let ty = if is_enum { NONE } else { self.type_codes.next(&mut columns.types, last_type)? };
            let position = self.positions.get(ty as usize).copied().flatten();
            let same_word = last_bits && position.is_some_and(|position| position > 0);
            let at = self.steps.next(&mut columns.offsets, last_at, last_type, same_word)?;
            self.inserted.push(RawField { name, ty, at });
            (last_name, last_type, last_bits, last_at) = (name, ty, position.is_some(), Some(at));
        }
        Ok(())
    }

    /// The expression of a type: wrappers, then what they wrap.
    pub(super) fn nodes_of(&self, ty: u32) -> Option<&[Node]> {
        let (start, end) = *self.types.get(ty as usize)?;
        self.nodes.get(start..end)
    }

    /// A definition by its index.
    pub(super) fn get(&self, index: usize) -> Option<&RawDefinition<'a>> {
        self.list.get(index)
    }

    /// The fields that a definition inserts, and all after them.
    pub(super) fn inserted_from(&self, definition: &RawDefinition<'_>) -> &[RawField] {
        self.inserted.get(definition.first_inserted..).unwrap_or(&[])
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Calls `with` the name and the definition's index of each type that a table has.
    pub(super) fn of_table(
        &self,
        table: usize,
        mut with: impl FnMut(u32, usize) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        for (sets, groups) in &self.blocks {
            let set = sets.get(table).copied().ok_or(PackError::NoSuchTable(table))?;
            for group in groups {
                if let Some(version) = group.version_in(set)? {
                    with(group.name, group.first + version)?;
                }
            }
        }
        Ok(())
    }
}

impl Group<'_> {
    /// Which version a set of types has.
    fn version_in(&self, set: u32) -> Result<Option<usize>, PackError> {
        let (mut runs, mut at, mut next) = (self.runs, 0_u64, 0_u64);
        loop {
            let len = runs.number()?;
            let version = match runs.number()? {
                0 => None,
                1 => {
                    next += 1;
                    Some(next - 1)
                }
                code => Some(code - 2),
            };
            at = at.saturating_add(len);
            if len == 0 || at > u64::from(set) {
                let Some(version) = version else { return Ok(None) };
                let version = usize::try_from(version).ok().filter(|version| *version < self.versions);
                return version.map(Some).ok_or(PackError::Invalid("version"));
            }
        }
    }
}
