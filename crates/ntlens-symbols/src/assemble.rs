//! What every reader of a symbol file does with the types that it found.
//!
//! Files refer to a type without a tag by a name that was made up for it. Here such structures move to where they are
//! used, and such enumerations get a name that is the same in every build.

use crate::base;
use crate::error::Fault;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ntlens_core::layout::{EnumDef, FieldDef, Name, StructDef, Type};
use std::collections::HashMap;

/// Pointers to pointers, arrays of arrays: how deep the type of one field may be.
pub(crate) const MAX_TYPE_DEPTH: usize = 32;

/// How deep structures without a tag may lie in one another.
const MAX_NESTING: usize = 16;

/// Fields of all structures together, those of structures without a tag counted wherever they are used. A kernel has some
/// twenty thousand.
const MAX_FIELDS: usize = 1 << 22;

/// Types as a file lists them, each under the file's own name.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) structs: Vec<StructDef>,
    pub(crate) enums: Vec<EnumDef>,
}

/// Structures and enumerations that are ready for layouts.
pub(crate) type Assembled = (Vec<Arc<StructDef>>, Vec<Arc<EnumDef>>);

impl Listed {
    /// Orders fields and constants, and takes made-up names out.
    pub(crate) fn assemble(self) -> Result<Assembled, Fault> {
        let mut renamed = HashMap::new();
        let mut enums = Vec::with_capacity(self.enums.len());
        for mut def in self.enums {
            if let Some(base) = base::by_name(&def.base) {
                def.constants.iter_mut().for_each(|(_, value)| *value = base.stored(*value));
            }
            def.constants.sort_by(|(one, low), (two, high)| (low, one).cmp(&(high, two)));
            // What Microsoft's compiler calls an enumeration without a tag.
            if let Some((first, _)) = def.constants.first().filter(|_| is_tagless(&def.name)) {
                let name = Name::from(format!("<unnamed-enum-{first}>"));
                renamed.insert(core::mem::replace(&mut def.name, name.clone()), name);
            }
            enums.push(Arc::new(def));
        }
        let (tagless, named): (Vec<_>, Vec<_>) = self.structs.into_iter().partition(|def| is_tagless(&def.name));
        let tagless = tagless.into_iter().map(|def| (def.name.clone(), Tagless::Listed(def))).collect();
        let mut nesting = Nesting { tagless, renamed, fields: 0 };
        let structs = named
            .into_iter()
            .map(|mut def| {
                let size = nesting.complete(&mut def, 0)?;
                nesting.fields += size.fields;
                nesting.check(size, &def.name)?;
                Ok(Arc::new(def))
            })
            .collect::<Result<_, Fault>>()?;
        Ok((structs, enums))
    }
}

/// Sorts fields by offset, then by bit, then by name: overlapping members come in another order from every kind of file.
pub fn sort_fields(fields: &mut [FieldDef]) {
    fields.sort_by(|one, two| (place(one), &one.name).cmp(&(place(two), &two.name)));
}

/// Where a field starts: a whole integer comes before its bits.
fn place(field: &FieldDef) -> (u32, u16) {
    let bit = match field.ty {
        Type::Bits { position, .. } => u16::from(position) + 1,
        _ => 0,
    };
    (field.offset, bit)
}

/// Whether a name was made up for a type without one, by a compiler (`<unnamed-tag>`, `_MMPTE::<unnamed-type-u>`) or by
/// the writer of an ISF table (`__unnamed_1a2b`: its number is another one in every build).
pub(crate) fn is_tagless(name: &str) -> bool {
    let last = if name.ends_with('>') { name.rsplit("::").next().unwrap_or(name) } else { name };
    if matches!(last, "<unnamed-tag>" | "<anonymous-tag>" | "__unnamed" | "__anonymous") {
        return true;
    }
    let after = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| last.strip_prefix(prefix));
    if let Some(of) = after(["<unnamed-type-", "<anonymous-type-"]) {
        return of.strip_suffix('>').is_some_and(|of| !of.contains(['<', '>']));
    }
    after(["__unnamed_", "__anonymous_"])
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// A structure without a tag on its way to where it is used.
enum Tagless {
    Listed(StructDef),
    /// Its own fields are being completed: who meets it here is inside it.
    Open,
    Complete(Arc<StructDef>, Extent),
}

/// How much a structure holds.
#[derive(Clone, Copy, Default)]
struct Extent {
    /// Levels of structures without a tag inside.
    levels: usize,
    /// Fields, with those inside.
    fields: usize,
}

struct Nesting {
    tagless: HashMap<Name, Tagless>,
    renamed: HashMap<Name, Name>,
    /// Fields of the structures that are complete.
    fields: usize,
}

impl Nesting {
    /// Sorts the fields and puts structures without a tag into their types.
    fn complete(&mut self, def: &mut StructDef, level: usize) -> Result<Extent, Fault> {
        let mut extent = Extent { levels: 0, fields: def.fields.len() };
        sort_fields(&mut def.fields);
        for field in &mut def.fields {
            if let Some(inner) = self.complete_type(&mut field.ty, level)? {
                extent.levels = extent.levels.max(inner.levels + 1);
                extent.fields = extent.fields.saturating_add(inner.fields);
            }
            self.check(extent, &field.name)?;
        }
        Ok(extent)
    }

    fn complete_type(&mut self, mut ty: &mut Type, level: usize) -> Result<Option<Extent>, Fault> {
        loop {
            match ty {
                Type::Pointer(of) | Type::Array { of, .. } | Type::Bits { of, .. } => ty = of,
                Type::Enum(name) => {
                    if let Some(new) = self.renamed.get(name) {
                        *name = new.clone();
                    }
                    return Ok(None);
                }
                Type::Struct(name) if is_tagless(name) => {
                    let Some((def, extent)) = self.inline(name, level)? else {
                        *ty = Type::Unknown;
                        return Ok(None);
                    };
                    *ty = Type::Inline(def);
                    return Ok(Some(extent));
                }
                _ => return Ok(None),
            }
        }
    }

    /// The structure that has a made-up name; `None` if the file has none of it, and inside itself.
    fn inline(&mut self, name: &Name, level: usize) -> Result<Option<(Arc<StructDef>, Extent)>, Fault> {
        let Some(entry) = self.tagless.get_mut(name) else { return Ok(None) };
        let mut def = match core::mem::replace(entry, Tagless::Open) {
            Tagless::Open => return Ok(None),
            Tagless::Complete(def, extent) => {
                *entry = Tagless::Complete(def.clone(), extent);
                return Ok(Some((def, extent)));
            }
            Tagless::Listed(def) => def,
        };
        if level >= MAX_NESTING {
            return Err(too_deep(name));
        }
        let extent = self.complete(&mut def, level + 1)?;
        def.name = Name::default();
        let def = Arc::new(def);
        self.tagless.insert(name.clone(), Tagless::Complete(def.clone(), extent));
        Ok(Some((def, extent)))
    }

    fn check(&self, extent: Extent, name: &str) -> Result<(), Fault> {
        if extent.levels > MAX_NESTING {
            return Err(too_deep(name));
        }
        if self.fields.saturating_add(extent.fields) > MAX_FIELDS {
            return Err(Fault::malformed(name, format!("no more than {MAX_FIELDS} fields in all structures together")));
        }
        Ok(())
    }
}

fn too_deep(name: &str) -> Fault {
    Fault::malformed(name, format!("at most {MAX_NESTING} structures without a name inside one another"))
}

/// A pointer, for the readers.
pub(crate) fn pointer(to: Type) -> Type {
    Type::Pointer(Box::new(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec;
    use ntlens_core::layout::StructKind;

    fn structure(name: &str, fields: &[(&str, u32, Type)]) -> StructDef {
        let fields =
            fields.iter().map(|(name, offset, ty)| FieldDef { name: (*name).into(), offset: *offset, ty: ty.clone() });
        StructDef { kind: StructKind::Union, name: name.into(), size: Some(8), fields: fields.collect() }
    }

    fn reference(name: &str) -> Type {
        Type::Struct(name.into())
    }

    fn error(structs: Vec<StructDef>) -> String {
        let error = Listed { structs, enums: vec![] }.assemble().unwrap_err();
        error.in_file("x".as_ref()).to_string()
    }

    #[test]
    fn made_up_names_are_known() {
        for name in [
            "<unnamed-tag>",
            "<anonymous-tag>",
            "__unnamed",
            "__anonymous",
            "__unnamed_1a2b",
            "__anonymous_0",
            "_MMPTE::<unnamed-type-u>",
            "_A::_B::<unnamed-tag>",
            "<anonymous-type-e>",
        ] {
            assert!(is_tagless(name), "{name}");
        }
        for name in ["_EPROCESS", "__unnamed_", "__unnamed_type", "A<B::<unnamed-type-c>>", "<lambda_1>", ""] {
            assert!(!is_tagless(name), "{name}");
        }
    }

    #[test]
    fn structures_without_a_tag_move_to_their_use() {
        let a = structure("_A", &[("u", 8, pointer(reference("__unnamed_1"))), ("b", 0, reference("_B"))]);
        let inner = structure("__unnamed_1", &[("e", 0, Type::Enum("__unnamed_2".into()))]);
        let constants = vec![("Z".into(), 1), ("B".into(), 0), ("A".into(), 0xffff_ffff)];
        let e = EnumDef { name: "__unnamed_2".into(), base: "int".into(), constants };
        let (structs, enums) = Listed { structs: vec![a, inner], enums: vec![e] }.assemble().unwrap();
        assert_eq!(&*enums[0].name, "<unnamed-enum-A>");
        assert_eq!(enums[0].constants, [("A".into(), -1), ("B".into(), 0), ("Z".into(), 1)]);
        assert_eq!((structs.len(), &*structs[0].fields[0].name), (1, "b"));
        let Type::Pointer(of) = &structs[0].fields[1].ty else { panic!() };
        let Type::Inline(inner) = &**of else { panic!() };
        assert_eq!((&*inner.name, &inner.fields[0].ty), ("", &Type::Enum("<unnamed-enum-A>".into())));
    }

    #[test]
    fn a_structure_without_a_tag_cannot_be_told_inside_itself() {
        let own = structure("__unnamed_1", &[("next", 0, pointer(reference("__unnamed_1")))]);
        let a = structure("_A", &[("u", 0, reference("__unnamed_1"))]);
        let (structs, _) = Listed { structs: vec![own, a], enums: vec![] }.assemble().unwrap();
        let Type::Inline(inner) = &structs[0].fields[0].ty else { panic!() };
        assert_eq!(inner.fields[0].ty, pointer(Type::Unknown));
    }

    /// `__unnamed_<n>` with some fields of type `__unnamed_<n-1>`, and a structure that has the last.
    fn chain(length: usize, fields: usize) -> Vec<StructDef> {
        let link = |name: &str, number: usize| {
            let inner = reference(&format!("__unnamed_{number:x}"));
            let fields: Vec<_> = (0..fields).map(|field| (format!("f{field}"), inner.clone())).collect();
            let fields: Vec<_> = fields.iter().map(|(name, ty)| (&**name, 0, ty.clone())).collect();
            structure(name, &fields)
        };
        let mut structs: Vec<_> =
            (1..=length).map(|number| link(&format!("__unnamed_{number:x}"), number - 1)).collect();
        structs.push(link("_A", length));
        structs
    }

    #[test]
    fn nesting_has_an_end() {
        assert!(Listed { structs: chain(MAX_NESTING, 1), enums: vec![] }.assemble().is_ok());
        assert!(error(chain(MAX_NESTING + 1, 1)).contains("inside one another"));
        // The same in an order in which no structure lies deep when it is completed.
        let mut structs = chain(100, 1);
        for number in 1..=100 {
            structs.insert(
                number - 1,
                structure(&format!("_{number}"), &[("u", 0, reference(&format!("__unnamed_{number:x}")))]),
            );
        }
        assert!(error(structs).contains("inside one another"));
    }

    #[test]
    fn few_structures_that_unfold_to_many_are_refused() {
        assert!(error(chain(12, 10)).contains("fields in all structures"));
    }
}
