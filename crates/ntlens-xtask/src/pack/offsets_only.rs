//! Types for sources that tell offsets only, from the kernels of which everything is known.

use super::kernel::{Definition, Kernel};
use ntlens_core::layout::{StructKind, Type, Version};
use std::collections::BTreeMap;

/// What the exact kernels say about fields, by structure and field name.
#[derive(Debug, Default)]
pub(super) struct Known<'k> {
    /// `None` where kernels disagree.
    types: BTreeMap<(&'k str, &'k str), Option<&'k Type>>,
    kinds: BTreeMap<&'k str, Vec<(u32, StructKind)>>,
}

impl<'k> Known<'k> {
    pub(super) fn new(exact: &'k [Kernel]) -> Self {
        let mut known = Self::default();
        for kernel in exact {
            for definition in kernel.definitions.values() {
                let Definition::Struct(def) = &**definition else { continue };
                known.kinds.entry(&def.name).or_default().push((kernel.version.build, def.kind));
                for field in &def.fields {
                    let slot = known.types.entry((&def.name, &field.name)).or_insert(Some(&field.ty));
                    if *slot != Some(&field.ty) {
                        *slot = None;
                    }
                }
            }
        }
        known
    }

    /// The type that a field has in every kernel that has it.
    pub(super) fn ty(&self, structure: &str, field: &str) -> Option<&'k Type> {
        self.types.get(&(structure, field)).copied().flatten()
    }

    /// Bits whose place the source tells; the integer around them is taken from the exact kernels if they have it.
    pub(super) fn bits(&self, structure: &str, field: &str, position: u8, length: u8) -> Type {
        let of = match self.ty(structure, field) {
            Some(Type::Bits { of, .. }) => of.clone(),
            _ if u16::from(position) + u16::from(length) > 32 => Box::new(Type::Base("unsigned long long".into())),
            _ => Box::new(Type::Base("unsigned long".into())),
        };
        Type::Bits { position, length, of }
    }

    /// What a structure was declared as in the exact kernel of the nearest build.
    pub(super) fn kind(&self, structure: &str, version: Version) -> StructKind {
        let nearest = self
            .kinds
            .get(structure)
            .and_then(|kinds| kinds.iter().min_by_key(|(build, _)| build.abs_diff(version.build)));
        nearest.map_or(StructKind::Struct, |(_, kind)| *kind)
    }
}
