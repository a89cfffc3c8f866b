//! What symbols of every kind must agree on in themselves: a table that contradicts itself is not believed in part.

use crate::error::Fault;
use alloc::format;
use ntlens_core::layout::{Layouts, StructDef, Type};

/// The number of x64 in images, the only machine whose dumps are read.
pub(crate) const X64: u16 = 0x8664;

/// Refuses a field that reaches out of its structure, and bits that reach out of their integer.
pub(crate) fn check(layouts: &Layouts) -> Result<(), Fault> {
    layouts.structures().try_for_each(|def| structure(layouts, &def.name, def))
}

/// Structures without a name are checked under the name of the one around them: [`crate::assemble`] bounds how deep they lie.
fn structure(layouts: &Layouts, name: &str, def: &StructDef) -> Result<(), Fault> {
    for field in &def.fields {
        let refused = |expected| Err(Fault::malformed(format!("{name}.{}", field.name), expected));
        let bytes = layouts.width(&field.ty);
        if let Some(size) = def.size
            && u64::from(field.offset).saturating_add(bytes.unwrap_or(0)) > size.into()
        {
            let (offset, bytes) = (field.offset, bytes.unwrap_or(0));
            return refused(format!("a field inside of {size:#x} bytes, not {bytes:#x} bytes at {offset:#x}"));
        }
        if let (Type::Bits { position, length, .. }, Some(bytes)) = (&field.ty, bytes) {
            let (end, bits) = (u64::from(*position) + u64::from(*length), bytes.saturating_mul(8));
            if *length == 0 || end > bits {
                return refused(format!("some of {bits} bits, not {length} from bit {position} on"));
            }
        }
        let mut ty = &field.ty;
        while let Type::Pointer(of) | Type::Array { of, .. } = ty {
            ty = of;
        }
        if let Type::Inline(inner) = ty {
            structure(layouts, &format!("{name}.{}", field.name), inner)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::string::String;
    use alloc::vec;
    use ntlens_core::layout::{FieldDef, StructKind};

    fn outcome(offset: u32, ty: Type) -> Result<(), String> {
        let field = FieldDef { name: "f".into(), offset, ty };
        let def = StructDef { kind: StructKind::Struct, name: "_A".into(), size: Some(16), fields: vec![field] };
        let layouts = Layouts::new(None, None, [def.into()], [], []);
        check(&layouts).map_err(|fault| alloc::string::ToString::to_string(&fault.in_file("x".as_ref())))
    }

    fn base(name: &str) -> Type {
        Type::Base(name.into())
    }

    #[test]
    fn a_field_ends_where_its_structure_does() {
        let words = |count| Type::Array { count, of: Box::new(base("unsigned long")) };
        assert_eq!(outcome(8, Type::Pointer(Box::new(base("void")))), Ok(()));
        assert_eq!(outcome(0, words(4)), Ok(()));
        assert_eq!(outcome(16, words(0)), Ok(()));
        assert_eq!(outcome(16, Type::Unknown), Ok(()));
        for (offset, ty) in
            [(9, Type::Pointer(Box::new(base("void")))), (0, words(5)), (0, words(u32::MAX)), (17, Type::Unknown)]
        {
            let error = outcome(offset, ty).unwrap_err();
            assert!(error.starts_with("x: _A.f: expected a field inside of 0x10 bytes, not "), "{error}");
        }
    }

    #[test]
    fn bits_end_where_their_integer_does() {
        let bits = |position, length| Type::Bits { position, length, of: Box::new(base("unsigned long")) };
        assert_eq!((outcome(0, bits(0, 32)), outcome(12, bits(31, 1))), (Ok(()), Ok(())));
        for ty in [bits(32, 1), bits(1, 32), bits(255, 255), bits(3, 0)] {
            let error = outcome(0, ty).unwrap_err();
            assert!(error.starts_with("x: _A.f: expected some of 32 bits, not "), "{error}");
        }
    }

    #[test]
    fn a_structure_without_a_name_is_looked_into() {
        let inner = FieldDef { name: "g".into(), offset: 8, ty: Type::Base("char".into()) };
        let inner = StructDef { kind: StructKind::Union, name: "".into(), size: Some(8), fields: vec![inner] };
        let error = outcome(0, Type::Inline(inner.into())).unwrap_err();
        assert!(error.starts_with("x: _A.f.g: "), "{error}");
    }
}
