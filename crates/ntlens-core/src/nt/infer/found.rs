//! The fields that were found, and the layout that they make.

use super::InferredField;
use super::votes::{THRESHOLD, Votes, Weight};
use crate::layout::{Completeness, FieldDef, Layouts, Name, StructDef, StructKind, Type};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A place that a finding is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) structure: &'static str,
    pub(super) field: &'static str,
    pub(super) offset: u32,
}

impl At {
    pub(super) const fn new(structure: &'static str, field: &'static str, offset: u32) -> Self {
        Self { structure, field, offset }
    }

    pub(super) const fn eprocess(field: &'static str, offset: u32) -> Self {
        Self::new("_EPROCESS", field, offset)
    }
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    fields: Vec<InferredField>,
    /// Where structures inside others begin, by structure and path.
    inner: BTreeMap<(&'static str, &'static str), u32>,
    /// Types of fields that are not just an offset.
    types: BTreeMap<(&'static str, &'static str), Type>,
}

impl Found {
    /// Adds a finding, if it is sure enough.
    pub(super) fn add(&mut self, at: At, votes: Votes, weight: Weight, evidence: String) {
        self.add_sure(at, votes.confidence(weight), evidence);
    }

    /// Adds a finding of a known confidence.
    pub(super) fn add_sure(&mut self, at: At, confidence: f32, evidence: String) {
        let At { structure, field, offset } = at;
        if confidence >= THRESHOLD && self.offset(structure, field).is_none() {
            self.fields.push(InferredField { structure, field, offset, confidence, evidence });
        }
    }

    /// Says where a structure inside another begins: `Tcb.ApcState`.
    pub(super) fn inside(&mut self, structure: &'static str, path: &'static str, offset: u32) {
        self.inner.insert((structure, path), offset);
    }

    /// Says what type a field has.
    pub(super) fn typed(&mut self, structure: &'static str, field: &'static str, ty: Type) {
        self.types.insert((structure, field), ty);
    }

    /// Where a field is that was found.
    pub(super) fn offset(&self, structure: &str, field: &str) -> Option<u32> {
        let found = self.fields.iter().find(|found| found.structure == structure && found.field == field);
        found.map(|found| found.offset)
    }

    pub(super) fn eprocess(&self, field: &str) -> Option<u32> {
        self.offset("_EPROCESS", field)
    }

    /// The findings and their layout.
    pub(super) fn finish(self, size_of: &[(&'static str, Option<u64>)]) -> super::Inferred {
        let mut structures: BTreeMap<&'static str, Vec<&InferredField>> = BTreeMap::new();
        for field in &self.fields {
            structures.entry(field.structure).or_default().push(field);
        }
        let structs = structures.iter().map(|(structure, fields)| {
            let size = size_of.iter().find(|(name, _)| name == structure).and_then(|(_, size)| *size);
            let size = size.and_then(|size| u32::try_from(size).ok());
            Arc::new(self.define(structure, "", 0, size, fields))
        });
        let layouts = Layouts::new(None, None, structs, [], []).with_completeness(Completeness::SomeFields);
        super::Inferred { layouts, fields: self.fields }
    }

    /// The structure at a path, from the findings inside it.
    fn define(
        &self,
        structure: &'static str,
        path: &str,
        start: u32,
        size: Option<u32>,
        findings: &[&InferredField],
    ) -> StructDef {
        let mut groups: Vec<(&'static str, &'static str, Vec<&InferredField>)> = Vec::new();
        for finding in findings {
            let rest = finding.field.get(path.len()..).unwrap_or_default().trim_start_matches('.');
            let step = rest.split('.').next().unwrap_or_default();
            let until = finding.field.len() - rest.len() + step.len();
            let whole = finding.field.get(..until).unwrap_or_default();
            match groups.iter_mut().find(|(_, known, _)| *known == whole) {
                Some((_, _, group)) => group.push(finding),
                None => groups.push((step, whole, Vec::from([*finding]))),
            }
        }
        let mut fields = Vec::new();
        for (step, whole, group) in groups {
            let leaf = group.iter().find(|finding| finding.field == whole);
            let (offset, ty) = if let Some(leaf) = leaf {
                let ty = self.types.get(&(structure, whole)).cloned().unwrap_or(Type::Unknown);
                (leaf.offset, ty)
            } else {
                let at = self.inner.get(&(structure, whole)).copied().unwrap_or(start);
                (at, Type::Inline(Arc::new(self.define(structure, whole, at, None, &group))))
            };
            fields.push(FieldDef { name: Name::from(step), offset: offset.saturating_sub(start), ty });
        }
        let name = if path.is_empty() { structure } else { "" };
        StructDef { kind: StructKind::Struct, name: name.into(), size, fields }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::absent::Absent;
    use alloc::string::ToString;

    #[test]
    fn nested_fields_make_nested_structures() {
        let mut found = Found::default();
        found.inside("_ETHREAD", "Tcb.ApcState", 0x98);
        for (field, offset) in [("Tcb.ApcState.Process", 0xb8), ("Tcb.Teb", 0xf0), ("Cid.UniqueProcess", 0x478)] {
            found.add_sure(At::new("_ETHREAD", field, offset), 0.99, "seen".to_string());
        }
        found.inside("_ETHREAD", "Cid", 0x478);
        found.add_sure(At::new("_ETHREAD", "StartAddress", 0x480), 0.5, "guessed".to_string());
        let layouts = found.finish(&[]).layouts;
        let place = |path| layouts.place("_ETHREAD", path).map(|place| place.offset);
        assert_eq!(place("Tcb.ApcState.Process"), Ok(0xb8));
        assert_eq!(place("Tcb.ApcState"), Ok(0x98));
        assert_eq!(place("Tcb"), Ok(0));
        assert_eq!(place("Cid"), Ok(0x478));
        assert_eq!(place("Cid.UniqueProcess"), Ok(0x478));
        assert_eq!(place("StartAddress"), Err(Absent::SymbolsNeeded));
        assert_eq!(place("Tcb.Process"), Err(Absent::SymbolsNeeded));
        assert_eq!(layouts.size_of("_ETHREAD"), Err(Absent::SymbolsNeeded));
    }
}
