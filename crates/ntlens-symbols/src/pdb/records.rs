//! Type records of `CodeView`, one by one, from bytes that may be anything.
//!
//! The `pdb` crate decodes them too, but trusts counts that it meets in nested records (a list of arguments inside a list
//! of fields makes it ask for gigabytes) and stops the program at numbers of unknown form in debug builds.

use ntlens_core::layout::StructKind;

/// What is left of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'s>(pub(super) &'s [u8]);

impl<'s> Cursor<'s> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'s [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number of variable size: 15 bits, or the form first and then the number.
    fn number(&mut self) -> Option<i128> {
        Some(match self.u16()? {
            small @ 0..0x8000 => small.into(),
            0x8000 => self.array().map(i8::from_le_bytes)?.into(),
            0x8001 => self.array().map(i16::from_le_bytes)?.into(),
            0x8002 => self.u16()?.into(),
            0x8003 => self.array().map(i32::from_le_bytes)?.into(),
            0x8004 => self.u32()?.into(),
            0x8009 => self.array().map(i64::from_le_bytes)?.into(),
            0x800a => self.array().map(u64::from_le_bytes)?.into(),
            _ => return None,
        })
    }

    /// A number that cannot be negative.
    fn size(&mut self) -> Option<u64> {
        self.number()?.try_into().ok()
    }

    /// Bytes up to a zero.
    fn text(&mut self) -> Option<&'s [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }
}

/// A structure, union or class, or an enumeration: what both say of themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'s> {
    /// The name is known here and the rest elsewhere.
    pub(super) forward: bool,
    /// The list of the fields or constants; 0 for none.
    pub(super) fields: u32,
    pub(super) name: &'s [u8],
    /// The name that only this type has in all its program, if it was written.
    pub(super) unique: Option<&'s [u8]>,
}

impl<'s> Tag<'s> {
    fn read(properties: u32, fields: u32, cursor: &mut Cursor<'s>) -> Option<Self> {
        let name = cursor.text()?;
        let unique = if properties & 0x200 == 0 { None } else { Some(cursor.text()?) };
        Some(Self { forward: properties & 0x80 != 0, fields, name, unique })
    }
}

/// A type record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Record<'s> {
    Struct {
        tag: Tag<'s>,
        kind: StructKind,
        size: u64,
    },
    Enum {
        tag: Tag<'s>,
        base: u32,
    },
    Pointer {
        to: u32,
        attributes: u32,
    },
    /// The same type with a qualifier or another name.
    Same {
        of: u32,
    },
    /// An array of so many bytes.
    Array {
        of: u32,
        size: u64,
    },
    Bits {
        of: u32,
        length: u8,
        position: u8,
    },
    Procedure,
    FieldList(FieldList<'s>),
    /// Lists of arguments, tables of virtual functions: no layout needs them.
    Other,
}

impl<'s> Record<'s> {
    /// Decodes a record without its length; `None` if it ends too early.
    pub(super) fn read(record: &'s [u8]) -> Option<Self> {
        let mut cursor = Cursor(record);
        let c = &mut cursor;
        Some(match c.u16()? {
            leaf @ (0x1504 | 0x1505 | 0x1519) => {
                let (_count, properties, fields) = (c.u16()?, c.u16()?, c.u32()?);
                let (_derived, _shape, size) = (c.u32()?, c.u32()?, c.size()?);
                let kind = if leaf == 0x1504 { StructKind::Class } else { StructKind::Struct };
                Self::Struct { tag: Tag::read(properties.into(), fields, c)?, kind, size }
            }
            leaf @ (0x1608 | 0x1609 | 0x160b) => {
                let (properties, fields, _derived, _shape) = (c.u32()?, c.u32()?, c.u32()?, c.u32()?);
                let (_count, size) = (c.u16()?, c.size()?);
                let kind = if leaf == 0x1608 { StructKind::Class } else { StructKind::Struct };
                Self::Struct { tag: Tag::read(properties, fields, c)?, kind, size }
            }
            0x1506 => {
                let (_count, properties, fields, size) = (c.u16()?, c.u16()?, c.u32()?, c.size()?);
                Self::Struct { tag: Tag::read(properties.into(), fields, c)?, kind: StructKind::Union, size }
            }
            0x160a => {
                let (properties, fields, _count, size) = (c.u32()?, c.u32()?, c.u16()?, c.size()?);
                Self::Struct { tag: Tag::read(properties, fields, c)?, kind: StructKind::Union, size }
            }
            0x1507 => {
                let (_count, properties, base, fields) = (c.u16()?, c.u16()?, c.u32()?, c.u32()?);
                Self::Enum { tag: Tag::read(properties.into(), fields, c)?, base }
            }
            0x1002 => Self::Pointer { to: c.u32()?, attributes: c.u32()? },
            // A modifier, one of the newer form, an alias.
            0x1001 | 0x1518 | 0x150a => Self::Same { of: c.u32()? },
            leaf @ (0x1503 | 0x1516) => {
                let (of, _index) = (c.u32()?, c.u32()?);
                if leaf == 0x1516 {
                    let _stride = c.u32()?;
                }
                Self::Array { of, size: c.size()? }
            }
            0x1205 => Self::Bits { of: c.u32()?, length: c.u8()?, position: c.u8()? },
            0x1008 | 0x1009 => Self::Procedure,
            0x1203 => Self::FieldList(FieldList(cursor)),
            _ => Self::Other,
        })
    }
}

/// An entry of a list of fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member<'s> {
    Field {
        ty: u32,
        offset: u64,
        name: &'s [u8],
    },
    Constant {
        value: i128,
        name: &'s [u8],
    },
    /// The list goes on in another record.
    Continued(u32),
    /// Methods, static members, nested types: they take no room in the structure.
    Other,
}

/// A list of fields that has not been read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldList<'s>(Cursor<'s>);

impl<'s> IntoIterator for FieldList<'s> {
    type Item = Option<Member<'s>>;
    type IntoIter = Members<'s>;

    fn into_iter(self) -> Members<'s> {
        Members(self.0)
    }
}

/// The entries of a list of fields.
#[derive(Debug)]
pub(super) struct Members<'s>(Cursor<'s>);

impl<'s> Iterator for Members<'s> {
    /// `None` for an entry that ends too early or whose kind, and so its size, is not known.
    type Item = Option<Member<'s>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Up to the next multiple of four, each byte says how many are left.
        while let Some(padding) = self.0.0.first().filter(|byte| **byte >= 0xf0) {
            let left = usize::from(padding & 0xf).max(1);
            self.0 = Cursor(self.0.0.get(left..).unwrap_or_default());
        }
        if self.0.0.is_empty() {
            return None;
        }
        let member = self.member();
        if member.is_none() {
            self.0 = Cursor(&[]);
        }
        Some(member)
    }
}

impl<'s> Members<'s> {
    fn member(&mut self) -> Option<Member<'s>> {
        let c = &mut self.0;
        // The second half is an attribute, a count or nothing.
        let (leaf, attributes) = (c.u16()?, c.u16()?);
        if leaf == 0x1502 {
            return Some(Member::Constant { value: c.number()?, name: c.text()? });
        }
        let ty = c.u32()?;
        match leaf {
            0x150d => return Some(Member::Field { ty, offset: c.size()?, name: c.text()? }),
            0x1404 => return Some(Member::Continued(ty)),
            // Base classes and their tables.
            0x1400 | 0x151a => drop(c.number()?),
            0x1401 | 0x1402 => drop((c.u32()?, c.number()?, c.number()?)),
            0x1409 | 0x140a => {}
            0x140c => drop(c.u32()?),
            // A virtual method that its class introduces has a place in the table.
            0x1511 if matches!(attributes >> 2 & 7, 4 | 6) => drop((c.u32()?, c.text()?)),
            0x1511 | 0x150c | 0x150e | 0x150f | 0x1510 | 0x1512 | 0x1513 => drop(c.text()?),
            _ => return None,
        }
        Some(Member::Other)
    }
}
