//! One kernel as every kind of input tells it.

use ntlens_core::layout::{EnumDef, FieldDef, PdbId, StructDef, Version};
use ntlens_symbols::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A structure or an enumeration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Definition {
    Struct(StructDef),
    Enum(EnumDef),
}

impl Definition {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Struct(def) => &def.name,
            Self::Enum(def) => &def.name,
        }
    }
}

/// Types and symbols of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    pub(crate) version: Version,
    pub(crate) id: Option<PdbId>,
    pub(crate) source: Source,
    /// By name; kernels share equal definitions.
    pub(crate) definitions: BTreeMap<String, Arc<Definition>>,
    pub(crate) symbols: BTreeMap<String, u32>,
    /// The file it comes from.
    pub(crate) origin: String,
}

impl Kernel {
    /// The first thing that another description of this kernel tells otherwise, for a person.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self.version != other.version {
            return Some(format!("version: {} or {}", self.version, other.version));
        }
        let names: BTreeSet<_> = self.definitions.keys().chain(other.definitions.keys()).collect();
        for name in names {
            match (self.definitions.get(name), other.definitions.get(name)) {
                (Some(one), Some(two)) if one == two => {}
                (Some(one), Some(two)) => return Some(difference_in(one, two)),
                (one, _) => {
                    return Some(format!(
                        "{name}: only {} has it",
                        if one.is_some() { "the first" } else { "the second" }
                    ));
                }
            }
        }
        let names: BTreeSet<_> = self.symbols.keys().chain(other.symbols.keys()).collect();
        names.into_iter().find_map(|name| {
            let (one, two) = (self.symbols.get(name), other.symbols.get(name));
            (one != two).then(|| format!("symbol {name}: {one:x?} or {two:x?}"))
        })
    }
}

fn difference_in(one: &Definition, two: &Definition) -> String {
    let name = one.name();
    match (one, two) {
        (Definition::Struct(one), Definition::Struct(two)) => {
            if (one.kind, one.size) != (two.kind, two.size) {
                return format!("{name}: {:?} of {:x?} or {:?} of {:x?}", one.kind, one.size, two.kind, two.size);
            }
            let (missing, added) = first_unequal(&one.fields, &two.fields);
            let field = missing.or(added).map_or("", |field| &*field.name);
            let tell = |field: Option<&FieldDef>| {
                field.map_or("nothing".to_owned(), |field| {
                    format!("{} at {:#x}: {:?}", field.name, field.offset, field.ty)
                })
            };
            format!("{name}.{field}: {} or {}", tell(missing), tell(added))
        }
        (Definition::Enum(one), Definition::Enum(two)) => {
            let (missing, added) = first_unequal(&one.constants, &two.constants);
            format!("{name} of {} or {}: {missing:?} or {added:?}", one.base, two.base)
        }
        _ => format!("{name}: a structure or an enumeration"),
    }
}

/// The first place at which two lists differ.
fn first_unequal<'l, T: PartialEq>(one: &'l [T], two: &'l [T]) -> (Option<&'l T>, Option<&'l T>) {
    let same = one.iter().zip(two).take_while(|(one, two)| one == two).count();
    (one.get(same), two.get(same))
}
