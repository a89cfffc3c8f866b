//! Writes a pack: the counterpart of `ntlens_symbols::pack`, which tells the format.

use super::diff::{self, Edit, Field};
use super::encode::{Indexes, NONE, Out, Steps};
use super::kernel::{Definition, Kernel};
use crate::failure::Failure;
use ntlens_core::layout::{StructDef, StructKind, Type};
use ntlens_symbols::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    /// Raw and packed bytes of each block.
    pub(crate) blocks: Vec<(&'static str, usize, usize)>,
    pub(crate) definitions: usize,
    pub(crate) hot: usize,
}

/// How a block is packed: its number in the format, and what packs it.
pub(crate) struct Packing {
    pub(crate) number: u8,
    pub(crate) pack: fn(&[u8]) -> Result<Vec<u8>, Failure>,
}

/// How the hot block is packed, and how the others are.
pub(crate) struct Packings {
    pub(crate) hot: Packing,
    pub(crate) others: Packing,
}

/// Writes kernels, which must stand in the order of their versions. `is_hot` tells which types go into the hot block.
pub(crate) fn write(
    kernels: &[Kernel],
    is_hot: &dyn Fn(&str) -> bool,
    notice: &str,
    packings: &Packings,
) -> Result<Written, Failure> {
    let mut out = Out(ntlens_symbols::pack::MAGIC.to_vec());
    out.part(notice.as_bytes());
    out.number(kernels.len());
    for kernel in kernels {
        write_info(&mut out, kernel);
    }
    let groups = groups(kernels);
    let (hot, cold): (Vec<_>, Vec<_>) = groups.iter().partition(|(name, _)| is_hot(name));
    let definitions = groups.values().map(|versions| distinct(versions).len()).sum();
    let mut writer = Writer::default();
    let hot_count = hot.len();
    let raw = [
        ("hot", writer.block(kernels, &hot)),
        ("symbols", super::write_symbols::block(kernels)),
        ("cold", writer.block(kernels, &cold)),
    ];
    let mut blocks = Vec::new();
    for (name, raw) in raw {
        let packing = if name == "hot" { &packings.hot } else { &packings.others };
        let packed = (packing.pack)(&raw)?;
        blocks.push((name, raw.len(), packed.len()));
        out.number(packing.number);
        out.number(raw.len());
        out.part(&packed);
    }
    Ok(Written { bytes: out.0, blocks, definitions, hot: hot_count })
}

fn write_info(out: &mut Out, kernel: &Kernel) {
    out.number(match kernel.source {
        Source::Vergilius => 1_u8,
        Source::Ntdiff => 2,
        _ => 0,
    });
    let version = kernel.version;
    out.number(version.major);
    out.number(version.minor);
    out.number(version.build);
    out.number(version.revision.map_or(0, |revision| u64::from(revision) + 1));
    out.number(kernel.id.map_or(0, |id| u64::from(id.age) + 1));
    if let Some(id) = kernel.id {
        out.0.extend_from_slice(&id.guid.to_be_bytes());
    }
}

/// By name: what each kernel has.
type Groups<'k> = BTreeMap<&'k str, Vec<Option<&'k Arc<Definition>>>>;

fn groups(kernels: &[Kernel]) -> Groups<'_> {
    let mut groups = Groups::new();
    for (index, kernel) in kernels.iter().enumerate() {
        for (name, definition) in &kernel.definitions {
            let group = groups.entry(name).or_insert_with(|| vec![None; kernels.len()]);
            if let Some(slot) = group.get_mut(index) {
                *slot = Some(definition);
            }
        }
    }
    groups
}

/// The different definitions of a group in the order of their first kernel.
fn distinct<'k>(versions: &[Option<&'k Arc<Definition>>]) -> Vec<&'k Definition> {
    let mut distinct: Vec<&Definition> = Vec::new();
    for version in versions.iter().flatten() {
        if !distinct.contains(&&***version) {
            distinct.push(version);
        }
    }
    distinct
}

/// What both blocks of types share.
#[derive(Debug, Default)]
struct Writer {
    names: Indexes<String>,
    types: Indexes<Type>,
    steps: Steps,
    unnamed: BTreeMap<StructDef, usize>,
    /// Definitions written so far.
    count: usize,
}

/// A definition and how it is told.
struct Planned<'k> {
    definition: &'k Definition,
    fields: Vec<Field>,
    /// How many definitions back the base is.
    back: usize,
    base_size: i64,
    edits: Vec<Edit>,
}

#[derive(Default)]
struct Columns {
    heads: Out,
    edits: Out,
    names: Out,
    types: Out,
    offsets: Out,
}

impl Writer {
    fn block(&mut self, kernels: &[Kernel], groups: &[(&&str, &Vec<Option<&Arc<Definition>>>)]) -> Vec<u8> {
        let (sets, order) = sets(kernels, groups);
        let mut out = Out::default();
        for set in &sets {
            out.number(*set);
        }

        // Unnamed definitions first, inner before outer.
        let mut unnamed = Vec::new();
        let groups: Vec<_> = groups
            .iter()
            .map(|(name, versions)| {
                let by_set: Vec<_> = order.iter().map(|kernel| versions.get(*kernel).copied().flatten()).collect();
                let distinct = distinct(&by_set);
                (**name, by_set, distinct)
            })
            .collect();
        for (_, _, versions) in &groups {
            for definition in versions {
                if let Definition::Struct(def) = definition {
                    self.collect_unnamed(def, &mut unnamed);
                }
            }
        }
        let unnamed: Vec<_> = unnamed.into_iter().map(Definition::Struct).collect();
        let mut planned: Vec<Planned<'_>> = Vec::new();
        for definition in &unnamed {
            let from = planned.len().saturating_sub(64);
            let plan = plan(definition, planned.get(from..).unwrap_or(&[]));
            planned.push(plan);
        }
        for (_, _, versions) in &groups {
            let start = planned.len();
            for definition in versions {
                let plan = plan(definition, planned.get(start..).unwrap_or(&[]));
                planned.push(plan);
            }
        }

        let first_name = self.names.list.len();
        let first_type = self.types.list.len();
        for plan in &planned {
            for field in plan.inserted() {
                if let Some(ty) = &field.ty {
                    self.types.intern(ty);
                }
            }
        }
        let mut types = Out::default();
        for ty in self.types.list.get(first_type..).unwrap_or(&[]).to_vec() {
            self.write_type(&mut types, &ty);
        }
        let mut runs = Out::default();
        for (name, by_set, versions) in &groups {
            self.names.write(&mut runs, &(*name).to_owned(), NONE);
            runs.number(versions.len());
            write_runs(&mut runs, by_set, versions);
        }
        let mut columns = Columns::default();
        for plan in &planned {
            self.write_definition(&mut columns, plan);
        }
        self.count += planned.len();

        let names = self.names.list.get(first_name..).unwrap_or(&[]);
        let (mut lengths, mut text) = (Out::default(), Vec::new());
        for name in names {
            lengths.number(name.len());
            text.extend_from_slice(name.as_bytes());
        }
        out.number(names.len());
        out.part(&lengths.0);
        out.part(&text);
        out.number(self.types.list.len() - first_type);
        out.part(&types.0);
        out.number(groups.len());
        out.part(&runs.0);
        out.number(unnamed.len());
        for column in [columns.heads, columns.edits, columns.names, columns.types, columns.offsets] {
            out.part(&column.0);
        }
        out.0
    }

    fn collect_unnamed(&mut self, def: &StructDef, into: &mut Vec<StructDef>) {
        for field in &def.fields {
            if let Type::Inline(inner) = innermost(&field.ty)
                && !self.unnamed.contains_key(&**inner)
            {
                self.collect_unnamed(inner, into);
                self.unnamed.insert((**inner).clone(), self.count + into.len());
                into.push((**inner).clone());
            }
        }
    }

    fn write_type(&mut self, out: &mut Out, ty: &Type) {
        match ty {
            Type::Pointer(of) => {
                out.number(1_u8);
                self.write_type(out, of);
            }
            Type::Array { count, of } => {
                out.number(2_u8);
                out.number(*count);
                self.write_type(out, of);
            }
            Type::Bits { position, length, of } => {
                out.number(3_u8);
                out.number(*position);
                out.number(*length);
                self.write_type(out, of);
            }
            Type::Base(name) => self.write_named(out, 4, name),
            Type::Struct(name) => self.write_named(out, 5, name),
            Type::Enum(name) => self.write_named(out, 6, name),
            Type::Inline(def) => {
                out.number(7_u8);
                out.number(self.unnamed.get(&**def).copied().unwrap_or(NONE));
            }
            Type::Function => out.number(8_u8),
            _ => out.number(0_u8),
        }
    }

    fn write_named(&mut self, out: &mut Out, code: u8, name: &str) {
        out.number(code);
        self.names.write(out, &name.to_owned(), NONE);
    }

    fn write_definition(&mut self, columns: &mut Columns, plan: &Planned<'_>) {
        columns.heads.number(plan.back);
        match plan.definition {
            Definition::Struct(def) => {
                columns.heads.number(match def.kind {
                    StructKind::Struct => 0_u8,
                    StructKind::Union => 1,
                    StructKind::Class => 2,
                });
                columns.heads.signed(size_code(plan.definition) - plan.base_size);
            }
            Definition::Enum(def) => {
                columns.heads.number(3_u8);
                self.names.write(&mut columns.heads, &def.base.to_string(), NONE);
            }
        }
        let mut shift = 0;
        let mut at = 0;
        for edit in &plan.edits {
            match *edit {
                Edit::Copy { count, shift: wanted } => {
                    columns.edits.number(count << 2 | usize::from(shift != wanted));
                    if shift != wanted {
                        columns.edits.signed(wanted.wrapping_sub(shift));
                        shift = wanted;
                    }
                    at += count;
                }
                Edit::Skip { count } => columns.edits.number(count << 2 | 2),
                Edit::Insert { count } => {
                    columns.edits.number(count << 2 | 3);
                    let before = at.checked_sub(1).and_then(|last| plan.fields.get(last)).map_or(0, |field| field.at);
                    let mut previous = None;
                    for field in plan.fields.get(at..at + count).unwrap_or(&[]) {
                        self.write_field(columns, field, previous, before);
                        previous = Some(field);
                    }
                    at += count;
                }
            }
        }
        columns.edits.number(0_u8);
    }

    fn write_field(&mut self, columns: &mut Columns, field: &Field, previous: Option<&Field>, before: i64) {
        let last_name = previous.and_then(|field| self.names.get(&field.name.to_string())).unwrap_or(NONE);
        let last_type = previous.and_then(|field| self.types.get(field.ty.as_ref()?)).unwrap_or(NONE);
        self.names.write(&mut columns.names, &field.name.to_string(), last_name);
        if let Some(ty) = &field.ty {
            self.types.write(&mut columns.types, ty, last_type);
        }
        let same_word = matches!(field.ty, Some(Type::Bits { position: 1.., .. }))
            && previous.is_some_and(|field| matches!(field.ty, Some(Type::Bits { .. })));
        let last_at = previous.map(|field| field.at.wrapping_sub(before));
        self.steps.write(&mut columns.offsets, field.at.wrapping_sub(before), last_at, last_type, same_word);
    }
}

impl Planned<'_> {
    fn inserted(&self) -> impl Iterator<Item = &Field> {
        let mut at = 0;
        self.edits.iter().flat_map(move |edit| {
            let (start, count) = match *edit {
                Edit::Copy { count, .. } => {
                    at += count;
                    (at, 0)
                }
                Edit::Skip { .. } => (at, 0),
                Edit::Insert { count } => {
                    at += count;
                    (at - count, count)
                }
            };
            self.fields.get(start..start + count).unwrap_or(&[])
        })
    }
}

/// Chooses the base among earlier definitions that makes the shortest edits.
fn plan<'k>(definition: &'k Definition, bases: &[Planned<'_>]) -> Planned<'k> {
    let fields = fields(definition);
    let mut best = (diff::edits(&[], &fields), 0, 0);
    let mut best_cost = diff::cost(&best.0);
    for (back, base) in bases.iter().rev().enumerate() {
        let edits = diff::edits(&base.fields, &fields);
        let cost = diff::cost(&edits) + 1;
        if cost < best_cost {
            let is_enum = matches!(definition, Definition::Enum(_));
            best = (edits, back + 1, if is_enum { 0 } else { size_code(base.definition) });
            best_cost = cost;
        }
    }
    let (edits, back, base_size) = best;
    Planned { definition, fields, back, base_size, edits }
}

fn size_code(definition: &Definition) -> i64 {
    match definition {
        Definition::Struct(def) => def.size.map_or(0, |size| i64::from(size) + 1),
        Definition::Enum(_) => 0,
    }
}

fn fields(definition: &Definition) -> Vec<Field> {
    match definition {
        Definition::Struct(def) => def
            .fields
            .iter()
            .map(|field| Field { name: field.name.clone(), ty: Some(field.ty.clone()), at: field.offset.into() })
            .collect(),
        Definition::Enum(def) => {
            def.constants.iter().map(|(name, value)| Field { name: name.clone(), ty: None, at: *value }).collect()
        }
    }
}

fn innermost(ty: &Type) -> &Type {
    match ty {
        Type::Pointer(of) | Type::Array { of, .. } | Type::Bits { of, .. } => innermost(of),
        _ => ty,
    }
}

/// The set of types of each kernel, and one kernel of each set. Kernels with an id come first: the others have few
/// types and would interrupt every run.
fn sets(kernels: &[Kernel], groups: &[(&&str, &Vec<Option<&Arc<Definition>>>)]) -> (Vec<usize>, Vec<usize>) {
    let mut of_kernel = vec![0; kernels.len()];
    let mut order = Vec::new();
    let mut known = BTreeMap::new();
    let mut ids: BTreeMap<&Definition, usize> = BTreeMap::new();
    for exact in [true, false] {
        for (index, _) in kernels.iter().enumerate().filter(|(_, kernel)| kernel.id.is_some() == exact) {
            let content: Vec<Option<usize>> = groups
                .iter()
                .map(|(_, versions)| {
                    let definition: &Definition = versions.get(index).copied().flatten()?;
                    let next = ids.len();
                    Some(*ids.entry(definition).or_insert(next))
                })
                .collect();
            let set = *known.entry(content).or_insert_with(|| {
                order.push(index);
                order.len() - 1
            });
            if let Some(slot) = of_kernel.get_mut(index) {
                *slot = set;
            }
        }
    }
    (of_kernel, order)
}

fn write_runs(out: &mut Out, by_set: &[Option<&Arc<Definition>>], versions: &[&Definition]) {
    let codes: Vec<_> =
        by_set.iter().map(|of| of.and_then(|of| versions.iter().position(|version| *version == &**of))).collect();
    let mut next = 0;
    let mut at = 0;
    for run in codes.chunk_by(|one, other| one == other) {
        at += run.len();
        out.number(if at == codes.len() { 0 } else { run.len() });
        match run.first().copied().flatten() {
            None => out.number(0_u8),
            Some(version) if version == next => {
                next += 1;
                out.number(1_u8);
            }
            Some(version) => out.number(version + 2),
        }
    }
}

/// The types that must be decoded with `names`: those reachable by value.
pub(crate) fn by_value(kernels: &[Kernel], names: &BTreeSet<String>, alone: &BTreeSet<String>) -> BTreeSet<String> {
    let mut of_name: BTreeMap<&str, BTreeSet<&Definition>> = BTreeMap::new();
    for kernel in kernels {
        for (name, definition) in &kernel.definitions {
            of_name.entry(name).or_default().insert(definition);
        }
    }
    let mut found = alone.clone();
    let mut open: Vec<String> = names.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let Some(definitions) = of_name.get(name.as_str()) else { continue };
        if alone.contains(&name) || !found.insert(name) {
            continue;
        }
        for definition in definitions {
            if let Definition::Struct(def) = definition {
                values(def, &mut open);
            }
        }
    }
    found
}

fn values(def: &StructDef, into: &mut Vec<String>) {
    for field in &def.fields {
        let mut ty = &field.ty;
        while let Type::Array { of, .. } | Type::Bits { of, .. } = ty {
            ty = of;
        }
        match ty {
            Type::Struct(name) | Type::Enum(name) => into.push(name.to_string()),
            Type::Inline(def) => values(def, into),
            _ => {}
        }
    }
}
