//! What changed in a type from one kernel to another.

use super::{Found, Line, Pattern, TypeText};
use alloc::vec::Vec;
use core::fmt;
use ntlens_core::layout::{FieldDef, Name, Type};

/// What became of a field or constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'l> {
    /// The newer type has it, the older does not.
    Added(&'l FieldDef),
    /// The older type has it, the newer does not.
    Removed(&'l FieldDef),
    /// Both have it, at different offsets or with different types.
    Moved {
        /// In the older type.
        from: &'l FieldDef,
        /// In the newer type.
        to: &'l FieldDef,
    },
    /// A constant of an enumeration with its values in both.
    Constant {
        /// Its name.
        name: &'l Name,
        /// The value in the older type.
        from: Option<i64>,
        /// The value in the newer type.
        to: Option<i64>,
    },
}

/// The changes of one type, in the order of their offsets; those of a field without change are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff<'l> {
    /// Bytes that the type takes in both, if known and the whole type was compared.
    pub sizes: (Option<u32>, Option<u32>),
    /// The changes.
    pub changes: Vec<Change<'l>>,
}

impl<'l> Diff<'l> {
    /// Compares a type of an older kernel with that of a newer one. Only names that match `only` are compared, if it is
    /// given. Structures without a name are compared as the text of their type: what is inside of them has its own lines
    /// in neither.
    pub fn new(older: Found<'l>, newer: Found<'l>, only: Option<&Pattern>) -> Self {
        let wants = |name: &str| only.is_none_or(|pattern| pattern.matches(name));
        let fields = |found: Found<'l>| match found {
            Found::Struct(def) => &def.fields[..],
            Found::Enum(_) => &[],
        };
        let constants = |found: Found<'l>| match found {
            Found::Struct(_) => &[][..],
            Found::Enum(def) => &def.constants,
        };
        let size = |found: Found<'l>| match found {
            Found::Struct(def) if only.is_none() => def.size,
            _ => None,
        };
        let (old, new) = (fields(older), fields(newer));
        let mut changes = Vec::new();
        for from in old.iter().filter(|field| wants(&field.name)) {
            match new.iter().find(|field| field.name == from.name) {
                None => changes.push(Change::Removed(from)),
                Some(to) if from.offset == to.offset && same(&from.ty, &to.ty) => {}
                Some(to) => changes.push(Change::Moved { from, to }),
            }
        }
        let is_new = |field: &&FieldDef| wants(&field.name) && old.iter().all(|other| other.name != field.name);
        changes.extend(new.iter().filter(is_new).map(Change::Added));
        let (old, new) = (constants(older), constants(newer));
        for (name, from) in old.iter().filter(|(name, _)| wants(name)) {
            let to = value(new, name);
            if to != Some(*from) {
                changes.push(Change::Constant { name, from: Some(*from), to });
            }
        }
        let is_new = |(name, _): &&(Name, i64)| wants(name) && value(old, name).is_none();
        let added = new.iter().filter(is_new);
        changes.extend(added.map(|(name, to)| Change::Constant { name, from: None, to: Some(*to) }));
        changes.sort_by_key(|change| match change {
            Change::Added(field) | Change::Removed(field) | Change::Moved { to: field, .. } => i64::from(field.offset),
            Change::Constant { from, to, .. } => to.or(*from).unwrap_or(0),
        });
        Self { sizes: (size(older), size(newer)), changes }
    }
}

/// The value of a constant.
fn value(constants: &[(Name, i64)], name: &Name) -> Option<i64> {
    constants.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

/// Whether two types mean the same. Of what a pointer points at only the text counts, and a source that knows no types
/// contradicts none.
fn same(one: &Type, other: &Type) -> bool {
    match (one, other) {
        (Type::Unknown, _) | (_, Type::Unknown) => true,
        (Type::Inline(one), Type::Inline(other)) => {
            one.size == other.size
                && one.fields.len() == other.fields.len()
                && one.fields.iter().zip(&other.fields).all(|(one, other)| {
                    one.name == other.name && one.offset == other.offset && same(&one.ty, &other.ty)
                })
        }
        (Type::Array { count: one, of: a }, Type::Array { count: other, of: b }) => one == other && same(a, b),
        (Type::Pointer(a), Type::Pointer(b)) => same(a, b),
        (one, other) => one == other,
    }
}

impl fmt::Display for Change<'_> {
    /// A line with a mark in front: `+` added, `-` removed, `~` moved.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(field) => write!(f, "+  {}", Line(field)),
            Self::Removed(field) => write!(f, "-  {}", Line(field)),
            Self::Moved { from, to } => {
                write!(f, "~  {}", Line(to))?;
                if from.offset != to.offset {
                    write!(f, "  (was at +0x{:03x})", from.offset)?;
                }
                if !same(&from.ty, &to.ty) {
                    write!(f, "  (was {})", TypeText(&from.ty))?;
                }
                Ok(())
            }
            Self::Constant { name, from: None, to: Some(to) } => write!(f, "+  {name} = 0n{to}"),
            Self::Constant { name, from: Some(from), to: None } => write!(f, "-  {name} = 0n{from}"),
            Self::Constant { name, from, to } => {
                write!(f, "~  {name} = 0n{}  (was 0n{})", to.unwrap_or(0), from.unwrap_or(0))
            }
        }
    }
}

impl fmt::Display for Diff<'_> {
    /// The sizes if they differ, then a line for each change.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(from), Some(to)) = self.sizes
            && from != to
        {
            writeln!(f, "size 0x{to:x}  (was 0x{from:x})")?;
        }
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::Pack;
    use crate::dt::{Diff, Pattern, find};
    use alloc::string::ToString;
    use ntlens_core::layout::Layouts;

    fn layouts(version: &str) -> Layouts {
        let pack = Pack::embedded().unwrap();
        let table = pack.tables().iter().position(|table| table.version.to_string() == version).unwrap();
        pack.all_layouts(table).unwrap()
    }

    #[test]
    fn what_moved_between_two_windows_is_told() {
        let (older, newer) = (layouts("10.0.18362.592"), layouts("10.0.19041.1288"));
        let of = |name: &str, pattern: &str| {
            let pattern = Pattern::new(pattern);
            Diff::new(find(&older, name).unwrap(), find(&newer, name).unwrap(), Some(&pattern)).to_string()
        };
        assert_eq!(of("_EPROCESS", "uniquepro*"), "~  +0x440 UniqueProcessId  : Ptr64 Void  (was at +0x2e8)\n");
        assert_eq!(of("_LIST_ENTRY", "*"), "");
        let whole = Diff::new(find(&older, "_EPROCESS").unwrap(), find(&newer, "_EPROCESS").unwrap(), None).to_string();
        assert!(whole.starts_with("size 0xa40  (was 0x880)\n"), "{whole}");
    }

    #[test]
    fn a_type_is_as_it_is() {
        let layouts = layouts("10.0.19041.1288");
        for def in layouts.structures() {
            let found = find(&layouts, &def.name).unwrap();
            assert_eq!(Diff::new(found, found, None).changes, [], "{}", def.name);
        }
    }
}
