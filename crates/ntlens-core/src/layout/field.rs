//! Fields, declared once by their Windows names and resolved once per layout.
//!
//! [`fields!`](crate::fields) declares a set; a field that the layout lacks carries the [`Absent`] that says why, up to
//! the cell of the output it would have filled.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::{FieldDef, Layouts, Type};
use alloc::string::String;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};
use core::marker::PhantomData;

/// A value of fixed size in memory, little endian.
pub trait Scalar: Sized {
    /// Bytes it takes.
    const SIZE: usize;

    /// Decodes it from exactly [`Self::SIZE`] bytes; `None` for fewer.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

macro_rules! scalar {
    ($($ty:ty, $size:literal, $read:expr;)+) => {$(
        impl Scalar for $ty {
            const SIZE: usize = $size;

            fn decode(bytes: &[u8]) -> Option<Self> {
                bytes.get(..$size).map($read)
            }
        }
    )+};
}

scalar! {
    u16, 2, LittleEndian::read_u16;
    u32, 4, LittleEndian::read_u32;
    u64, 8, LittleEndian::read_u64;
    i32, 4, LittleEndian::read_i32;
    i64, 8, LittleEndian::read_i64;
    VirtAddr, 8, |bytes| VirtAddr(LittleEndian::read_u64(bytes));
}

impl Scalar for u8 {
    const SIZE: usize = 1;

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.first().copied()
    }
}

impl<const N: usize> Scalar for [u8; N] {
    const SIZE: usize = N;

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied()
    }
}

/// A structure inside another, of which only the place is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded;

impl Scalar for Embedded {
    const SIZE: usize = 0;

    fn decode(_: &[u8]) -> Option<Self> {
        Some(Self)
    }
}

/// A field of a known type at a known offset.
#[derive(Debug)]
pub struct Field<T> {
    /// Bytes from the structure's start.
    pub offset: u32,
    value: PhantomData<fn() -> T>,
}

impl<T> Field<T> {
    /// A field at an offset that something else than its own name gives, such as an element of an array.
    pub const fn at(offset: u32) -> Self {
        Self { offset, value: PhantomData }
    }

    /// The same field of a structure that begins `by` bytes behind the start of what is read.
    #[must_use]
    pub const fn moved(self, by: u32) -> Self {
        Self { offset: self.offset.saturating_add(by), value: PhantomData }
    }
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

/// Some bits of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Bytes from the structure's start to the integer.
    pub offset: u32,
    /// Number of the lowest bit.
    pub position: u8,
    /// How many bits.
    pub length: u8,
}

impl Bits {
    /// The bytes that hold the bits: an aligned integer may reach past the end of what was read.
    const fn bytes(self) -> usize {
        (self.position as usize + self.length as usize).div_ceil(8)
    }

    /// Takes the bits out of the integer.
    pub const fn of(self, integer: u64) -> u64 {
        let mask = if self.length >= 64 { u64::MAX } else { (1 << self.length) - 1 };
        if self.position >= 64 { 0 } else { integer >> self.position & mask }
    }
}

/// The named bits of an integer: the integer's own field, and every bit field declared over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Bytes from the structure's start.
    pub offset: u32,
    /// Bytes of the integer, at most 8.
    size: u8,
    names: Vec<(u8, u8, String)>,
}

impl Flags {
    /// Bytes of an integer whose type does not tell: what Windows calls flags is 4 bytes long.
    const USUAL_SIZE: u8 = 4;

    /// The names of all bits that have one, set or not.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(.., name)| &**name)
    }

    /// The names of what is set: `Name` for one bit, `Name=value` for several, `bit_N` where no name is known.
    pub fn names(&self, value: impl Into<u64>) -> Vec<String> {
        let value = value.into();
        let mut rest = value;
        let mut set = Vec::new();
        for (position, length, name) in &self.names {
            let bits = Bits { offset: 0, position: *position, length: *length };
            let held = bits.of(value);
            if held == 0 || bits.of(rest) == 0 {
                continue;
            }
            rest &= !(held << position);
            set.push(if *length == 1 { name.clone() } else { alloc::format!("{name}={held}") });
        }
        set.extend((0..u64::BITS).filter(|bit| rest >> bit & 1 == 1).map(|bit| alloc::format!("bit_{bit}")));
        set
    }
}

/// What a declared field becomes when it is looked up in a layout.
pub trait Resolve: Sized {
    /// Looks the field up by its path.
    fn resolve(layouts: &Layouts, structure: &str, path: &str) -> Result<Self, Absent>;

    /// Offset behind the last byte that reading the field needs.
    fn end(&self) -> u32;
}

impl<T: Scalar> Resolve for Field<T> {
    fn resolve(layouts: &Layouts, structure: &str, path: &str) -> Result<Self, Absent> {
        let place = layouts.place(structure, path)?;
        match place.ty {
            Type::Bits { .. } => Err(Absent::NoSuchField),
            // What is read would reach into the next field: the symbols are not those of what this library knows.
            ty if layouts.width(&ty).is_some_and(|bytes| bytes < T::SIZE as u64) => Err(Absent::Malformed),
            _ => Ok(Self { offset: place.offset, value: PhantomData }),
        }
    }

    fn end(&self) -> u32 {
        self.offset.saturating_add(u32::try_from(T::SIZE).unwrap_or(u32::MAX))
    }
}

impl Resolve for Bits {
    fn resolve(layouts: &Layouts, structure: &str, path: &str) -> Result<Self, Absent> {
        let place = layouts.place(structure, path)?;
        match place.ty {
            Type::Bits { position, length, .. } => Ok(Self { offset: place.offset, position, length }),
            _ => Err(Absent::NoSuchField),
        }
    }

    fn end(&self) -> u32 {
        self.offset.saturating_add(u32::try_from(self.bytes()).unwrap_or(u32::MAX))
    }
}

/// The bit fields at one offset, from the lowest.
fn bit_fields(fields: &[FieldDef], offset: u32) -> Vec<(u8, u8, String)> {
    let named = |field: &FieldDef| match field.ty {
        Type::Bits { position, length, .. } => Some((position, length, String::from(&*field.name))),
        _ => None,
    };
    let mut names: Vec<_> = fields.iter().filter(|field| field.offset == offset).filter_map(named).collect();
    names.sort();
    names
}

impl Resolve for Flags {
    /// Finds the integer, and the bit fields over it: siblings at the same offset, the members of a structure that
    /// `NAMEValues` declares beside it, or, where the path leads to a structure of bits, its own.
    fn resolve(layouts: &Layouts, structure: &str, path: &str) -> Result<Self, Absent> {
        let place = layouts.place(structure, path)?;
        let offset = place.offset;
        if let Type::Struct(name) = &place.ty {
            let bits = layouts.structure(name).ok_or(Absent::SymbolsNeeded)?;
            let size = bits.size.ok_or(Absent::SymbolsNeeded)?;
            let size = u8::try_from(size).ok().filter(|size| *size <= 8).ok_or(Absent::NoSuchField)?;
            return Ok(Self { offset, size, names: bit_fields(&bits.fields, 0) });
        }
        let def = layouts.structure(structure).ok_or(Absent::NoSuchField)?;
        let values = def.fields.iter().find(|field| field.name.strip_suffix("Values") == Some(path));
        let names = match values.map(|field| &field.ty) {
            Some(Type::Inline(inner)) => bit_fields(&inner.fields, 0),
            _ => bit_fields(&def.fields, offset),
        };
        Ok(Self { offset, size: Self::USUAL_SIZE, names })
    }

    fn end(&self) -> u32 {
        self.offset.saturating_add(self.size.into())
    }
}

/// Declares the fields of one structure that the library reads.
///
/// Several names of the structure, and several paths for one field, are tried in turn: Windows renamed some.
#[macro_export]
macro_rules! fields {
    (
        $(#[$doc:meta])*
        $vis:vis struct $set:ident of $($structure:literal)|+ {
            $($(#[$field_doc:meta])* $field:ident: $kind:ty = $($path:literal)|+,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        $vis struct $set {
            $($(#[$field_doc])* pub $field: ::core::result::Result<$kind, $crate::absent::Absent>,)+
            /// Bytes from the structure's start that reading all fields needs.
            pub extent: u32,
        }

        impl $set {
            /// Looks all fields up.
            $vis fn resolve(layouts: &$crate::layout::Layouts) -> Self {
                use $crate::layout::field::Resolve;
                let structure = $crate::layout::field::known(layouts, &[$($structure),+]);
                let mut extent = 0;
                $(
                    let $field = $crate::layout::field::first(&[$($path),+], |path| {
                        <$kind as Resolve>::resolve(layouts, structure, path)
                    });
                    if let Ok(found) = &$field {
                        extent = extent.max(Resolve::end(found));
                    }
                )+
                Self { $($field,)+ extent: extent.min($crate::layout::field::MAX_EXTENT) }
            }
        }
    };
}

/// No structure is read further than this.
pub const MAX_EXTENT: u32 = 0x1_0000;

/// The first of several names of one structure that the layouts have.
#[doc(hidden)]
pub fn known(layouts: &Layouts, names: &[&'static str]) -> &'static str {
    let found = names.iter().find(|name| layouts.structure(name).is_some());
    found.or(names.first()).copied().unwrap_or_default()
}

/// The first path that resolves; else the failure of the first that says more than "no such field".
#[doc(hidden)]
pub fn first<T>(paths: &[&str], resolve: impl Fn(&str) -> Result<T, Absent>) -> Result<T, Absent> {
    let mut why = Absent::NoSuchField;
    for path in paths {
        match resolve(path) {
            Ok(found) => return Ok(found),
            Err(Absent::NoSuchField) => {}
            Err(other) => why = other,
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{StructDef, StructKind};

    #[test]
    fn flags_have_names_and_unknown_bits_numbers() {
        let names = Vec::from([(2, 1, "One".into()), (4, 3, "Several".into())]);
        let flags = Flags { offset: 0, size: 4, names };
        assert_eq!(flags.names(0b101_0110_u32), ["One", "Several=5", "bit_1"]);
        assert!(flags.names(0_u32).is_empty());
        assert_eq!(flags.known().collect::<Vec<_>>(), ["One", "Several"]);
    }

    #[test]
    fn a_structure_of_bits_is_flags_of_its_own_size() {
        let bits =
            |position, length| Type::Bits { position, length, of: Type::Base("unsigned long long".into()).into() };
        let field = |name: &str, offset, ty| FieldDef { name: name.into(), offset, ty };
        let def = |name: &str, size, fields| StructDef { kind: StructKind::Struct, name: name.into(), size, fields };
        let word = def("_WORD", Some(8), Vec::from([field("High", 0, bits(63, 1)), field("Type", 0, bits(52, 3))]));
        let outer = def("_OUTER", Some(24), Vec::from([field("u", 16, Type::Struct("_WORD".into()))]));
        let layouts = Layouts::new(None, None, [word.into(), outer.into()], [], []);
        let flags = Flags::resolve(&layouts, "_OUTER", "u").unwrap();
        assert_eq!((flags.offset, flags.end()), (16, 24));
        assert_eq!(flags.names(1 << 63 | 2_u64 << 52), ["Type=2", "High"]);
    }

    #[test]
    fn bits_at_the_edges() {
        let bits = |position, length| Bits { offset: 0, position, length };
        assert_eq!(bits(0, 64).of(u64::MAX), u64::MAX);
        assert_eq!(bits(63, 1).of(1 << 63), 1);
        assert_eq!(bits(200, 1).of(u64::MAX), 0);
        assert_eq!(bits(12, 1).bytes(), 2);
    }
}
