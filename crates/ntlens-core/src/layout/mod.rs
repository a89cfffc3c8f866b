//! Layouts of kernel structures as symbols tell them, whatever form the symbols had.
//!
//! [`Layouts`] holds the types and symbol addresses of one kernel. [`field`] declares the fields that the library reads,
//! once and by their Windows names, and resolves them against a `Layouts`; [`view`] reads them from memory.

mod contradiction;
pub mod field;
pub mod source;
pub mod view;

use crate::absent::Absent;
use crate::address::Rva;
pub use crate::identity::{PdbId, Version};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A name of Windows' own: of a type, a field, a constant or a symbol.
pub type Name = Arc<str>;

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Type {
    /// A type of the C language by its name, such as `unsigned long` (which has 4 bytes on Windows).
    Base(Name),
    /// A pointer of 8 bytes.
    Pointer(Box<Type>),
    /// An array.
    Array {
        /// Number of elements.
        count: u32,
        /// Type of one element.
        of: Box<Type>,
    },
    /// Some bits of an integer.
    Bits {
        /// Number of the lowest bit.
        position: u8,
        /// How many bits.
        length: u8,
        /// The integer that holds them.
        of: Box<Type>,
    },
    /// Code: only ever seen behind a pointer.
    Function,
    /// A structure, union or class with a name; it may be missing from the symbols.
    Struct(Name),
    /// An enumeration with a name.
    Enum(Name),
    /// A structure or union without a name of its own.
    Inline(Arc<StructDef>),
    /// The source of this layout gives offsets only.
    Unknown,
}

/// Bytes of a type of the C language by its name, as compilers for Windows have it. `void`, of which no variable is, has 0.
pub const fn base_size(name: &str) -> Option<u32> {
    Some(match name.as_bytes() {
        b"void" => 0,
        b"char" | b"unsigned char" | b"char8_t" | b"int8" | b"uint8" | b"bool" => 1,
        b"wchar" | b"char16_t" | b"short" | b"unsigned short" | b"f16" | b"bool16" => 2,
        b"HRESULT" | b"char32_t" | b"long" | b"unsigned long" | b"int" | b"unsigned int" | b"f32" | b"f32pp"
        | b"bool32" | b"pointer32" => 4,
        b"f48" => 6,
        b"long long" | b"unsigned long long" | b"double" | b"bool64" => 8,
        b"f80" => 10,
        b"int128" | b"uint128" | b"f128" => 16,
        _ => return None,
    })
}

/// What a compound type was declared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StructKind {
    /// `struct`
    Struct,
    /// `union`
    Union,
    /// `class`
    Class,
}

/// One field of a structure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldDef {
    /// The field's name.
    pub name: Name,
    /// Bytes from the structure's start.
    pub offset: u32,
    /// The field's type.
    pub ty: Type,
}

/// The fields that several revisions of a structure have at the same place.
fn common_fields(def: &StructDef, others: &[&StructDef]) -> Vec<FieldDef> {
    let common = |field: &FieldDef| {
        let mut field = field.clone();
        for other in others {
            let same = other.fields.iter().find(|same| same.name == field.name && same.offset == field.offset)?;
            field.ty = common_type(&field.ty, &same.ty)?;
        }
        Some(field)
    };
    def.fields.iter().filter_map(common).collect()
}

/// What two revisions of a field have in common. What a pointer points at may change its name, some sources know no
/// types, and of a structure without a name the fields are compared one by one.
fn common_type(one: &Type, other: &Type) -> Option<Type> {
    let same = match (one, other) {
        (Type::Bits { position: p, length: l, .. }, Type::Bits { position, length, .. }) => {
            (p, l) == (position, length)
        }
        (Type::Bits { .. }, _) | (_, Type::Bits { .. }) => false,
        (Type::Inline(one), Type::Inline(other)) => {
            let fields = common_fields(one, &[other]);
            return Some(Type::Inline(Arc::new(StructDef { fields, ..(**one).clone() })));
        }
        (Type::Unknown, known) => return Some(known.clone()),
        (_, Type::Unknown) | (Type::Pointer(_), Type::Pointer(_)) => true,
        (one, other) => one == other,
    };
    same.then(|| one.clone())
}

/// A structure, union or class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StructDef {
    /// How it was declared.
    pub kind: StructKind,
    /// Its name; empty for one without.
    pub name: Name,
    /// Bytes it takes, if known.
    pub size: Option<u32>,
    /// Its fields, in the order of the source.
    pub fields: Vec<FieldDef>,
}

/// An enumeration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnumDef {
    /// Its name.
    pub name: Name,
    /// The C type that stores it.
    pub base: Name,
    /// Names and values, in the order of the source.
    pub constants: Vec<(Name, i64)>,
}

/// The types and symbols of one kernel, or what several revisions of it have in common. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Layouts(Arc<Tables>);

/// How much of a kernel's types a source knows: whether a missing name means that Windows has no such thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Completeness {
    /// Some fields of some structures.
    SomeFields,
    /// All fields of some structures.
    SomeStructures,
    /// Everything.
    #[default]
    Whole,
}

#[derive(Clone, Debug, Default)]
struct Tables {
    version: Option<Version>,
    id: Option<PdbId>,
    structs: BTreeMap<Name, Arc<StructDef>>,
    enums: BTreeMap<Name, Arc<EnumDef>>,
    symbols: BTreeMap<Name, Rva>,
    completeness: Completeness,
    /// Fields on which the revisions behind these layouts disagree: (structure, field).
    disputed: BTreeSet<(Name, Name)>,
    /// Structures of which what is not known here may exist all the same.
    doubtful: BTreeSet<Name>,
}

/// Where a field lies, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the start of the outermost structure.
    pub offset: u32,
    /// The field's type.
    pub ty: Type,
}

impl Layouts {
    /// Collects the tables of one kernel. Of two types with one name the last stays, as in every symbol format.
    pub fn new(
        version: Option<Version>,
        id: Option<PdbId>,
        structs: impl IntoIterator<Item = Arc<StructDef>>,
        enums: impl IntoIterator<Item = Arc<EnumDef>>,
        symbols: impl IntoIterator<Item = (Name, Rva)>,
    ) -> Self {
        Self(Arc::new(Tables {
            version,
            id,
            structs: structs.into_iter().map(|def| (def.name.clone(), def)).collect(),
            enums: enums.into_iter().map(|def| (def.name.clone(), def)).collect(),
            symbols: symbols.into_iter().collect(),
            completeness: Completeness::Whole,
            disputed: BTreeSet::new(),
            doubtful: BTreeSet::new(),
        }))
    }

    /// Says how much of the kernel's types the source knows.
    #[must_use]
    pub fn with_completeness(self, completeness: Completeness) -> Self {
        let tables = Arc::try_unwrap(self.0).unwrap_or_else(|shared| (*shared).clone());
        Self(Arc::new(Tables { completeness, ..tables }))
    }

    /// The same for a kernel of which more is known than the symbols tell.
    #[must_use]
    pub fn with_version(self, version: Version) -> Self {
        let tables = Arc::try_unwrap(self.0).unwrap_or_else(|shared| (*shared).clone());
        Self(Arc::new(Tables { version: Some(version), ..tables }))
    }

    /// More types of the same kernel, as far as these layouts do not know better.
    #[must_use]
    pub fn completed_by(&self, more: &Self) -> Self {
        let mut tables = (*self.0).clone();
        for (name, def) in &more.0.structs {
            if !tables.doubtful.contains(name) {
                tables.structs.entry(name.clone()).or_insert_with(|| def.clone());
            }
        }
        for (name, def) in &more.0.enums {
            tables.enums.entry(name.clone()).or_insert_with(|| def.clone());
        }
        tables.disputed.extend(more.0.disputed.iter().cloned());
        Self(Arc::new(tables))
    }

    /// The same with another definition of one structure.
    #[must_use]
    pub fn with_structure(&self, def: StructDef) -> Self {
        let mut tables = (*self.0).clone();
        tables.doubtful.remove(&def.name);
        tables.disputed.retain(|(structure, _)| *structure != def.name);
        tables.structs.insert(def.name.clone(), Arc::new(def));
        Self(Arc::new(tables))
    }

    /// The same with some fields of one structure, whose others are [`Absent::SymbolsNeeded`].
    #[must_use]
    pub fn with_some_fields(&self, def: StructDef) -> Self {
        let mut tables = (*self.0).clone();
        tables.doubtful.insert(def.name.clone());
        tables.structs.insert(def.name.clone(), Arc::new(def));
        Self(Arc::new(tables))
    }

    /// What several revisions of one build agree on: the same offset and type, structure by structure. A field on which
    /// they differ is [`Absent::SymbolsNeeded`]; sizes that differ are unknown. Symbols are left out: addresses do not
    /// carry over between revisions.
    #[must_use]
    pub fn agreement(revisions: &[Self]) -> Self {
        Self::agreement_where(revisions, &|_| true)
    }

    /// What several revisions agree on, of the definitions that fit the kernel at hand. A structure of which none fits is
    /// [`Absent::SymbolsNeeded`] as a whole.
    #[must_use]
    pub fn agreement_where(revisions: &[Self], fits: &dyn Fn(&StructDef) -> bool) -> Self {
        let Some(first) = revisions.first() else { return Self::default() };
        // What one revision's source knows, all of them answer for: a build does not lose structures.
        let completeness = revisions.iter().map(|revision| revision.0.completeness).max().unwrap_or_default();
        let mut agreed = Tables { version: first.version(), completeness, ..Tables::default() };
        let names: BTreeSet<&Name> = revisions.iter().flat_map(|revision| revision.0.structs.keys()).collect();
        for name in names {
            // A revision whose source lacks the structure says nothing about it.
            let known: Vec<&Arc<StructDef>> =
                revisions.iter().filter_map(|revision| revision.0.structs.get(name)).filter(|def| fits(def)).collect();
            let Some((def, others)) = known.split_first() else {
                agreed.doubtful.insert(name.clone());
                continue;
            };
            if others.iter().all(|other| Arc::ptr_eq(other, def) || other == def) {
                agreed.structs.insert(name.clone(), (*def).clone());
                continue;
            }
            let fields = common_fields(def, &others.iter().map(|other| &***other).collect::<Vec<_>>());
            let size = def.size.filter(|_| others.iter().all(|other| other.size == def.size));
            let kept: BTreeSet<_> = fields.iter().map(|field| field.name.clone()).collect();
            let named = known.iter().flat_map(|other| &other.fields);
            agreed.disputed.extend(
                named.filter(|field| !kept.contains(&field.name)).map(|field| (name.clone(), field.name.clone())),
            );
            let def = StructDef { kind: def.kind, name: name.clone(), size, fields };
            agreed.structs.insert(name.clone(), Arc::new(def));
        }
        let names: BTreeSet<&Name> = revisions.iter().flat_map(|revision| revision.0.enums.keys()).collect();
        for name in names {
            // As with structures: a revision whose source lacks the enumeration says nothing about it.
            let known: Vec<&EnumDef> =
                revisions.iter().filter_map(|revision| revision.0.enums.get(name)).map(|def| &**def).collect();
            let Some((def, others)) = known.split_first() else { continue };
            let mut common = (*def).clone();
            common.constants.retain(|constant| others.iter().all(|other| other.constants.contains(constant)));
            agreed.enums.insert(name.clone(), common.into());
        }
        Self(Arc::new(agreed))
    }

    /// The kernel's version, such as 10.0.19041.1288.
    pub fn version(&self) -> Option<Version> {
        self.0.version
    }

    /// The GUID and age of the symbols, if they are those of one kernel.
    pub fn id(&self) -> Option<PdbId> {
        self.0.id
    }

    /// A structure, union or class by its name.
    pub fn structure(&self, name: &str) -> Option<&StructDef> {
        self.0.structs.get(name).map(|def| &**def)
    }

    /// All structures, unions and classes in the order of their names.
    pub fn structures(&self) -> impl Iterator<Item = &StructDef> {
        self.0.structs.values().map(|def| &**def)
    }

    /// An enumeration by its name.
    pub fn enumeration(&self, name: &str) -> Option<&EnumDef> {
        self.0.enums.get(name).map(|def| &**def)
    }

    /// The name of a value of an enumeration; `Unknown(value)` for one that it does not have.
    pub fn name_of(&self, enumeration: &str, value: u32) -> Result<String, Absent> {
        let constants = &self.enumeration(enumeration).ok_or(Absent::SymbolsNeeded)?.constants;
        let known = constants.iter().find(|(_, known)| *known == i64::from(value));
        Ok(known.map_or_else(|| format!("Unknown({value})"), |(name, _)| String::from(&**name)))
    }

    /// All enumerations in the order of their names.
    pub fn enumerations(&self) -> impl Iterator<Item = &EnumDef> {
        self.0.enums.values().map(|def| &**def)
    }

    /// The address of a symbol, relative to the image. Only layouts of exactly this kernel have any.
    pub fn symbol(&self, name: &str) -> Result<Rva, Absent> {
        self.0.symbols.get(name).copied().ok_or(Absent::SymbolsNeeded)
    }

    /// All symbols in the order of their names.
    pub fn symbols(&self) -> impl Iterator<Item = (&str, Rva)> {
        self.0.symbols.iter().map(|(name, rva)| (&**name, *rva))
    }

    /// Bytes that a structure takes.
    pub fn size_of(&self, structure: &str) -> Result<u32, Absent> {
        let def = self.structure(structure).ok_or_else(|| self.no_structure(structure))?;
        def.size.ok_or(Absent::SymbolsNeeded)
    }

    /// Bytes that a variable of a type takes, if that is known.
    pub fn width(&self, ty: &Type) -> Option<u64> {
        let (mut ty, mut elements) = (ty, 1_u64);
        let one = loop {
            match ty {
                Type::Array { count, of } => {
                    elements = elements.checked_mul((*count).into())?;
                    ty = of;
                }
                Type::Bits { of, .. } => ty = of,
                Type::Base(name) => break base_size(name)?,
                Type::Enum(name) => break base_size(&self.enumeration(name)?.base)?,
                Type::Struct(name) => break self.structure(name)?.size?,
                Type::Inline(def) => break def.size?,
                Type::Pointer(_) => break 8,
                Type::Function | Type::Unknown => return None,
            }
        };
        // A type of no bytes stands for one that the source does not tell.
        u64::from(one).checked_mul(elements).filter(|_| one > 0)
    }

    /// Why a structure is missing.
    fn no_structure(&self, structure: &str) -> Absent {
        let whole = self.0.completeness == Completeness::Whole && !self.0.doubtful.contains(structure);
        if whole { Absent::NoSuchField } else { Absent::SymbolsNeeded }
    }

    /// Why a field of a structure that is known is missing.
    fn no_field(&self, structure: &Name, field: &str) -> Absent {
        let disputed = self.0.disputed.contains(&(structure.clone(), Name::from(field)));
        let partial = self.0.completeness == Completeness::SomeFields;
        if disputed || partial || self.0.doubtful.contains(structure) {
            Absent::SymbolsNeeded
        } else {
            Absent::NoSuchField
        }
    }

    /// The place of a field by its path through nested structures: `Pcb.DirectoryTableBase`.
    pub fn place(&self, structure: &str, path: &str) -> Result<Place, Absent> {
        let mut def = self.structure(structure).ok_or_else(|| self.no_structure(structure))?;
        let mut offset = 0_u32;
        let mut steps = path.split('.').peekable();
        // What a structure without a name lacks is missing from the one around it.
        let mut around = &def.name;
        while let Some(step) = steps.next() {
            if !def.name.is_empty() {
                around = &def.name;
            }
            let Some(field) = def.fields.iter().find(|field| &*field.name == step) else {
                return Err(self.no_field(around, step));
            };
            offset = offset.checked_add(field.offset).ok_or(Absent::Malformed)?;
            if steps.peek().is_none() {
                return Ok(Place { offset, ty: field.ty.clone() });
            }
            def = match &field.ty {
                Type::Struct(name) => self.structure(name).ok_or_else(|| self.no_structure(name))?,
                Type::Inline(def) => def,
                Type::Unknown => return Err(Absent::SymbolsNeeded),
                _ => return Err(Absent::NoSuchField),
            };
        }
        Err(Absent::NoSuchField)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(name: &str, size: u32, fields: &[(&str, u32, Type)]) -> Arc<StructDef> {
        Arc::new(StructDef {
            kind: StructKind::Struct,
            name: name.into(),
            size: Some(size),
            fields: fields
                .iter()
                .map(|(name, offset, ty)| FieldDef { name: (*name).into(), offset: *offset, ty: ty.clone() })
                .collect(),
        })
    }

    fn layouts(structs: &[Arc<StructDef>]) -> Layouts {
        Layouts::new(None, None, structs.iter().cloned(), [], [])
    }

    #[test]
    fn a_path_goes_through_named_and_unnamed_structures() {
        let inner = structure("", 8, &[("Low", 4, Type::Base("unsigned long".into()))]);
        let process = structure("_KPROCESS", 0x40, &[("Union", 0x20, Type::Inline(inner))]);
        let outer = structure("_EPROCESS", 0x100, &[("Pcb", 0x10, Type::Struct("_KPROCESS".into()))]);
        let layouts = layouts(&[process, outer]);
        assert_eq!(layouts.place("_EPROCESS", "Pcb.Union.Low").unwrap().offset, 0x34);
        assert_eq!(layouts.place("_EPROCESS", "Pcb.Nothing"), Err(Absent::NoSuchField));
        assert_eq!(layouts.place("_EPROCESS", "Pcb.Union.Low.Deeper"), Err(Absent::NoSuchField));
        assert_eq!(layouts.place("_NOTHING", "Pcb"), Err(Absent::NoSuchField));
    }

    #[test]
    fn revisions_lend_only_what_they_agree_on() {
        let long = Type::Base("unsigned long".into());
        let older = layouts(&[structure("_A", 0x10, &[("Same", 0, long.clone()), ("Moved", 4, long.clone())])]);
        let newer = layouts(&[structure(
            "_A",
            0x18,
            &[("Same", 0, long.clone()), ("Moved", 8, long.clone()), ("New", 4, long)],
        )]);
        let both = Layouts::agreement(&[older, newer]);
        assert_eq!(both.place("_A", "Same").unwrap().offset, 0);
        assert_eq!(both.place("_A", "Moved"), Err(Absent::SymbolsNeeded));
        assert_eq!(both.place("_A", "New"), Err(Absent::SymbolsNeeded));
        assert_eq!(both.place("_A", "Never"), Err(Absent::NoSuchField));
        assert_eq!(both.size_of("_A"), Err(Absent::SymbolsNeeded));
    }

    #[test]
    fn revisions_agree_on_the_constants_that_all_who_know_have() {
        let of = |constants: &[(&str, i64)]| {
            let constants = constants.iter().map(|(name, value)| ((*name).into(), *value)).collect();
            let def = EnumDef { name: "_E".into(), base: "long".into(), constants };
            Layouts::new(None, None, [], [Arc::new(def)], [])
        };
        let revisions = [of(&[("A", 0), ("B", 1), ("Max", 2)]), layouts(&[]), of(&[("A", 0), ("B", 1), ("Max", 3)])];
        let names = |layouts: &Layouts| {
            let constants = &layouts.enumeration("_E").unwrap().constants;
            constants.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(names(&Layouts::agreement(&revisions)), ["A=0", "B=1"]);
        assert_eq!(Layouts::agreement(&[layouts(&[])]).enumeration("_E"), None);
    }

    #[test]
    fn definitions_that_do_not_fit_the_kernel_have_no_say() {
        let long = Type::Base("unsigned long".into());
        let of = |size| layouts(&[structure("_A", size, &[("Moved", size - 4, long.clone())])]);
        let revisions = [of(8), of(12)];
        let larger = Layouts::agreement_where(&revisions, &|def| def.size == Some(12));
        assert_eq!(larger.place("_A", "Moved").unwrap().offset, 8);
        let none = Layouts::agreement_where(&revisions, &|def| def.size == Some(16));
        assert_eq!(none.place("_A", "Moved"), Err(Absent::SymbolsNeeded));
        assert_eq!(none.size_of("_A"), Err(Absent::SymbolsNeeded));
        assert_eq!(none.size_of("_B"), Err(Absent::NoSuchField));
    }
}
