//! Two sources of one kernel's symbols, held against each other.

use super::{EnumDef, FieldDef, Layouts, StructDef, Type};
use alloc::format;
use alloc::string::String;

impl Layouts {
    /// What these layouts say otherwise than others of the same kernel, in words; `None` if they agree in all that both know.
    pub fn contradiction(&self, known: &Self) -> Option<String> {
        let structures = known.structures().filter_map(|def| Some((self.structure(&def.name)?, def)));
        let enumerations = known.enumerations().filter_map(|def| Some((self.enumeration(&def.name)?, def)));
        let symbols = known.symbols().filter_map(|(name, rva)| Some((name, self.symbol(name).ok()?, rva)));
        structures
            .filter(|(own, def)| own != def)
            .find_map(|(own, def)| of_structures(&def.name, (self, own), (known, def)))
            .or_else(|| enumerations.filter(|(own, def)| own != def).find_map(|(own, def)| of_enumerations(own, def)))
            .or_else(|| {
                let mut moved = symbols.filter(|(_, own, rva)| own != rva);
                moved.next().map(|(name, own, rva)| format!("{name} is at {:#x}, not {:#x}", own.0, rva.0))
            })
    }
}

fn of_structures(name: &str, own: (&Layouts, &StructDef), known: (&Layouts, &StructDef)) -> Option<String> {
    if let (Some(own), Some(known)) = (own.1.size, known.1.size)
        && own != known
    {
        return Some(format!("{name} has {own:#x} bytes, not {known:#x}"));
    }
    known.1.fields.iter().find_map(|field| {
        // Of several with one name each is looked for at its place.
        let mut same = own.1.fields.iter().filter(|own| own.name == field.name);
        let place = own.1.fields.iter().find(|own| own.name == field.name && own.offset == field.offset);
        match (place, same.next()) {
            (Some(place), _) => of_types(&format!("{name}.{}", field.name), (own.0, place), (known.0, field)),
            (None, Some(moved)) => {
                Some(format!("{name}.{} is at {:#x}, not {:#x}", field.name, moved.offset, field.offset))
            }
            (None, None) => Some(format!("{name} has no {}", field.name)),
        }
    })
}

/// Sources name types in several ways; what matters is how much is read, and which bits.
fn of_types(name: &str, own: (&Layouts, &FieldDef), known: (&Layouts, &FieldDef)) -> Option<String> {
    let bits = |ty: &Type| match ty {
        Type::Bits { position, length, .. } => Some((*position, *length)),
        _ => None,
    };
    match (&own.1.ty, &known.1.ty) {
        (Type::Unknown, _) | (_, Type::Unknown) => None,
        (Type::Inline(one), Type::Inline(other)) => of_structures(name, (own.0, one), (known.0, other)),
        (one, other) if bits(one) != bits(other) => Some(format!("{name} is of other bits")),
        (one, other) => {
            let (one, other) = own.0.width(one).zip(known.0.width(other))?;
            (one != other).then(|| format!("{name} has {one:#x} bytes, not {other:#x}"))
        }
    }
}

fn of_enumerations(own: &EnumDef, known: &EnumDef) -> Option<String> {
    let held = |name: &str| own.constants.iter().find(|(own, _)| &**own == name).map(|(_, value)| *value);
    let mut other = known.constants.iter().filter(|(name, value)| held(name) != Some(*value));
    other.next().map(|(name, value)| match held(name) {
        Some(held) => format!("{}: {name} is {held}, not {value}", known.name),
        None => format!("{} has no {name}", known.name),
    })
}

#[cfg(test)]
mod tests {
    use crate::address::Rva;
    use crate::layout::{EnumDef, FieldDef, Layouts, StructDef, StructKind, Type};
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    fn layouts(size: u32, offset: u32, ty: Type, constant: i64, rva: u64) -> Layouts {
        let field = FieldDef { name: "f".into(), offset, ty };
        let fields = Vec::from([field]);
        let def = StructDef { kind: StructKind::Struct, name: "_A".into(), size: Some(size), fields };
        let words = EnumDef { name: "_E".into(), base: "int".into(), constants: Vec::from([("One".into(), constant)]) };
        Layouts::new(None, None, [def.into()], [words.into()], [("Start".into(), Rva(rva))])
    }

    fn base(name: &str) -> Type {
        Type::Base(name.into())
    }

    #[test]
    fn what_differs_is_named_and_what_is_only_called_otherwise_is_not() {
        let known = layouts(16, 8, base("unsigned long long"), 1, 0x1000);
        let told = |layouts: Layouts| layouts.contradiction(&known).unwrap_or_default();
        assert_eq!(told(known.clone()), "");
        assert_eq!(told(layouts(16, 8, Type::Pointer(Box::new(base("void"))), 1, 0x1000)), "");
        assert_eq!(told(layouts(16, 8, Type::Unknown, 1, 0x1000)), "");
        assert_eq!(told(Layouts::default()), "", "it knows nothing");
        assert_eq!(told(layouts(24, 8, base("long long"), 1, 0x1000)), "_A has 0x18 bytes, not 0x10");
        assert_eq!(told(layouts(16, 0, base("long long"), 1, 0x1000)), "_A.f is at 0x0, not 0x8");
        assert_eq!(told(layouts(16, 8, base("short"), 1, 0x1000)), "_A.f has 0x2 bytes, not 0x8");
        let bits = Type::Bits { position: 0, length: 1, of: Box::new(base("long long")) };
        assert_eq!(told(layouts(16, 8, bits, 1, 0x1000)), "_A.f is of other bits");
        assert_eq!(told(layouts(16, 8, base("long long"), 2, 0x1000)), "_E: One is 2, not 1");
        assert_eq!(told(layouts(16, 8, base("long long"), 1, 0x2000)), "Start is at 0x2000, not 0x1000");
    }
}
