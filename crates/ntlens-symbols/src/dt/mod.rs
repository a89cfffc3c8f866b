//! Prints types as `WinDbg`'s command `dt` does.
//!
//! ```
//! use ntlens_symbols::Pack;
//! use ntlens_symbols::dt::{Dt, Pattern, find};
//!
//! let pack = Pack::embedded()?;
//! let table = pack.tables().iter().position(|table| table.version.build == 18362).unwrap();
//! let layouts = pack.kernel_layouts(table)?;
//! let found = find(&layouts, "nt!_eprocess").unwrap();
//! let lines = Dt::new(&layouts, found).only(Pattern::new("system*")).to_string();
//! assert_eq!(lines, "   +0x6fc SystemProcess    : Pos 12, 1 Bit\n");
//! # Ok::<(), ntlens_symbols::PackError>(())
//! ```

mod diff;
mod value;

use alloc::vec::Vec;
use core::fmt;
pub use diff::{Change, Diff};
use ntlens_core::address::VirtAddr;
use ntlens_core::layout::{EnumDef, FieldDef, Layouts, StructDef, Type};
use ntlens_core::memory::VirtualMemory;
pub use ntlens_core::pattern::Pattern;
use value::ValueText;

/// Structures inside one another, whatever depth is asked for.
const MAX_DEPTH: usize = 16;

/// A type that was asked for by name.
#[derive(Clone, Copy, Debug)]
pub enum Found<'l> {
    /// A structure, union or class.
    Struct(&'l StructDef),
    /// An enumeration.
    Enum(&'l EnumDef),
}

impl<'l> Found<'l> {
    /// The type's name as Windows writes it.
    pub fn name(&self) -> &'l str {
        match *self {
            Self::Struct(def) => &def.name,
            Self::Enum(def) => &def.name,
        }
    }
}

/// A type by its name without regard to case, with or without the module before it (`nt!_eprocess`). A name in exactly
/// the right case goes first.
pub fn find<'l>(layouts: &'l Layouts, name: &str) -> Option<Found<'l>> {
    let name = without_module(name);
    let exactly = layouts.structure(name).map(Found::Struct).or_else(|| layouts.enumeration(name).map(Found::Enum));
    exactly.or_else(|| all(layouts).find(|found| found.name().eq_ignore_ascii_case(name)))
}

/// The types whose names match a pattern such as `nt!_handle*`, structures first.
pub fn find_all<'l>(layouts: &'l Layouts, pattern: &str) -> Vec<Found<'l>> {
    let pattern = Pattern::new(without_module(pattern));
    all(layouts).filter(|found| pattern.matches(found.name())).collect()
}

fn all(layouts: &Layouts) -> impl Iterator<Item = Found<'_>> {
    layouts.structures().map(Found::Struct).chain(layouts.enumerations().map(Found::Enum))
}

fn without_module(name: &str) -> &str {
    name.split_once('!').map_or(name, |(_, name)| name)
}

/// A type's fields or constants, one line each.
#[derive(Clone)]
pub struct Dt<'l> {
    layouts: &'l Layouts,
    found: Found<'l>,
    only: Option<Pattern>,
    depth: usize,
    instance: Option<(&'l dyn VirtualMemory, VirtAddr)>,
}

impl fmt::Debug for Dt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.instance.map(|(_, at)| at);
        f.debug_struct("Dt").field("found", &self.found.name()).field("at", &at).finish_non_exhaustive()
    }
}

impl<'l> Dt<'l> {
    /// Prints all fields, and nothing of what they hold.
    pub fn new(layouts: &'l Layouts, found: Found<'l>) -> Self {
        Self { layouts, found, only: None, depth: 0, instance: None }
    }

    /// Prints only the fields whose names match.
    #[must_use]
    pub fn only(self, pattern: Pattern) -> Self {
        Self { only: Some(pattern), ..self }
    }

    /// Prints the fields of structures inside, and inside those, to this depth.
    #[must_use]
    pub fn depth(self, depth: usize) -> Self {
        Self { depth: depth.min(MAX_DEPTH), ..self }
    }

    /// Prints what the fields of the instance at an address hold, instead of their types.
    #[must_use]
    pub fn at<M: VirtualMemory>(self, memory: &'l M, at: VirtAddr) -> Self {
        Self { instance: Some((memory, at)), ..self }
    }

    /// The fields that will be printed.
    pub fn fields(&self) -> impl Iterator<Item = &'l FieldDef> {
        let fields = match self.found {
            Found::Struct(def) => &def.fields[..],
            Found::Enum(_) => &[],
        };
        fields.iter().filter(|field| self.wants(&field.name))
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|pattern| pattern.matches(name))
    }

    fn write_field(&self, f: &mut fmt::Formatter<'_>, field: &FieldDef, level: usize, outer: u64) -> fmt::Result {
        let indent = 3 * (level + 1);
        let here = outer.wrapping_add(field.offset.into());
        match self.instance {
            None => writeln!(f, "{:indent$}{}", "", Line(field))?,
            Some((memory, at)) => {
                let value = ValueText { layouts: self.layouts, ty: &field.ty, memory, at: at.wrapping_add(here) };
                writeln!(f, "{:indent$}{} {value}", "", Head(field))?;
            }
        }
        if level < self.depth {
            let inner = match &field.ty {
                Type::Struct(name) => self.layouts.structure(name),
                Type::Inline(def) => Some(&**def),
                _ => None,
            };
            for field in inner.map_or(&[][..], |def| &def.fields) {
                self.write_field(f, field, level + 1, here)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Dt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Found::Enum(def) = self.found {
            for (name, value) in def.constants.iter().filter(|(name, _)| self.wants(name)) {
                writeln!(f, "   {name} = 0n{value}")?;
            }
        }
        for field in self.fields() {
            self.write_field(f, field, 0, 0)?;
        }
        Ok(())
    }
}

/// One field without indent and line end: `+0x6fc SystemProcess    : Pos 12, 1 Bit`.
#[derive(Clone, Copy, Debug)]
pub struct Line<'l>(pub &'l FieldDef);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Head(self.0), TypeText(&self.0.ty))
    }
}

/// The start of a field's line: `+0x6fc SystemProcess    :`.
struct Head<'l>(&'l FieldDef);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+0x{:03x} {:<16} :", self.0.offset, self.0.name)
    }
}

/// A type in `WinDbg`'s words: `Ptr64 _PEB`, `[15] UChar`, `Uint4B`, `Pos 12, 1 Bit`. One of which only the place is known
/// is `?`.
#[derive(Clone, Copy, Debug)]
pub struct TypeText<'l>(pub &'l Type);

impl fmt::Display for TypeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ty = self.0;
        loop {
            match ty {
                Type::Pointer(of) => {
                    f.write_str("Ptr64 ")?;
                    ty = of;
                }
                Type::Array { count, of } => {
                    write!(f, "[{count}] ")?;
                    ty = of;
                }
                Type::Bits { position, length, .. } => {
                    let plural = if *length == 1 { "" } else { "s" };
                    return write!(f, "Pos {position}, {length} Bit{plural}");
                }
                Type::Base(name) => return f.write_str(base_text(name)),
                Type::Struct(name) | Type::Enum(name) => return f.write_str(name),
                Type::Inline(_) => return f.write_str("<unnamed-tag>"),
                Type::Function => return f.write_str("Function"),
                _ => return f.write_str("?"),
            }
        }
    }
}

fn base_text(name: &str) -> &str {
    match name {
        "void" => "Void",
        "char" => "Char",
        "unsigned char" => "UChar",
        "wchar" | "wchar_t" => "Wchar",
        "short" => "Int2B",
        "unsigned short" => "Uint2B",
        "int" | "long" => "Int4B",
        "unsigned int" | "unsigned long" => "Uint4B",
        "long long" => "Int8B",
        "unsigned long long" => "Uint8B",
        "float" | "f32" => "Float",
        "double" => "Double",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pack;
    use alloc::string::{String, ToString};

    fn layouts() -> Layouts {
        let pack = Pack::embedded().unwrap();
        let table = pack.tables().iter().position(|table| table.version.to_string() == "10.0.18362.592").unwrap();
        pack.all_layouts(table).unwrap()
    }

    fn dt(name: &str, pattern: &str) -> String {
        let layouts = layouts();
        Dt::new(&layouts, find(&layouts, name).unwrap()).only(Pattern::new(pattern)).to_string()
    }

    #[test]
    fn a_pattern_chooses_fields_from_their_start() {
        assert_eq!(dt("nt!_eprocess", "system*"), "   +0x6fc SystemProcess    : Pos 12, 1 Bit\n");
        assert_eq!(dt("_EPROCESS", "SUBSYSTEM*"), "   +0x6fc SubsystemProcess : Pos 6, 1 Bit\n");
        assert_eq!(dt("nt!_EPROCESS", "nothing"), "");
    }

    #[test]
    fn types_are_told_in_windbgs_words() {
        assert_eq!(dt("_EPROCESS", "Pcb"), "   +0x000 Pcb              : _KPROCESS\n");
        assert_eq!(dt("_EPROCESS", "peb"), "   +0x3f8 Peb              : Ptr64 _PEB\n");
        assert_eq!(dt("_EPROCESS", "ImageFileName"), "   +0x450 ImageFileName    : [15] UChar\n");
        assert_eq!(dt("_EPROCESS", "UniqueProcessId"), "   +0x2e8 UniqueProcessId  : Ptr64 Void\n");
        assert_eq!(dt("_EPROCESS", "Flags3"), "   +0x6fc Flags3           : Uint4B\n");
        assert_eq!(dt("_MMPTE", "u"), "   +0x000 u                : <unnamed-tag>\n");
        let protection = "   +0x000 Level            : UChar\n   +0x000 Type             : Pos 0, 3 Bits\n   \
                          +0x000 Audit            : Pos 3, 1 Bit\n   +0x000 Signer           : Pos 4, 4 Bits\n";
        assert_eq!(dt("nt!_PS_PROTECTION", "*"), protection);
        assert_eq!(TypeText(&Type::Unknown).to_string(), "?");
    }

    #[test]
    fn structures_inside_are_indented() {
        let layouts = layouts();
        let list = find(&layouts, "_KAPC_STATE").unwrap();
        let text = Dt::new(&layouts, list).depth(1).to_string();
        assert!(text.starts_with("   +0x000 ApcListHead      : [2] _LIST_ENTRY\n"), "{text}");
        let fast = Dt::new(&layouts, find(&layouts, "_EPROCESS").unwrap()).only(Pattern::new("Token")).depth(1);
        let expected = "   +0x360 Token            : _EX_FAST_REF\n      +0x000 Object           : Ptr64 Void\n      \
                        +0x000 RefCnt           : Pos 0, 4 Bits\n      +0x000 Value            : Uint8B\n";
        let mut lines: Vec<_> = fast.to_string().lines().map(ToString::to_string).collect();
        lines.sort();
        let mut wanted: Vec<_> = expected.lines().map(ToString::to_string).collect();
        wanted.sort();
        assert_eq!(lines, wanted);
    }

    #[test]
    fn enumerations_have_lines_too() {
        assert_eq!(dt("nt!_ps_protected_type", "*light"), "   PsProtectedTypeProtectedLight = 0n1\n");
    }

    #[test]
    fn names_of_types_may_have_wildcards() {
        let layouts = layouts();
        let names: Vec<_> = find_all(&layouts, "nt!_handle_table*").iter().map(Found::name).collect();
        assert!(names.contains(&"_HANDLE_TABLE") && names.contains(&"_HANDLE_TABLE_ENTRY"), "{names:?}");
        assert!(find(&layouts, "nt!_no_such_type").is_none());
    }
}
