//! The types of the C language that symbols name, with what files say about each.

use BaseKind::{Bool, Char, Float, Int, Void};
use ntlens_core::layout::base_size;

/// What a base type holds, in the words of ISF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseKind {
    Void,
    Int,
    Char,
    Float,
    Bool,
}

impl BaseKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Void => "void",
            Int => "int",
            Char => "char",
            Float => "float",
            Bool => "bool",
        }
    }
}

/// A type of the C language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BaseType {
    /// The number of the type in `CodeView`; of two for one name the first is what compilers write.
    code: u8,
    pub(crate) name: &'static str,
    /// Bytes it takes.
    pub(crate) size: u32,
    pub(crate) signed: bool,
    pub(crate) kind: BaseKind,
}

impl BaseType {
    /// A number as a variable of this type holds it: compilers write constants with fewer bits or the other sign.
    pub(crate) fn stored(&self, number: i64) -> i64 {
        let unused = 64_u32.saturating_sub(8 * self.size);
        if unused == 0 || self.size == 0 {
            return number;
        }
        let high = number << unused;
        if self.signed { high >> unused } else { (high.cast_unsigned() >> unused).cast_signed() }
    }
}

const fn base(code: u8, name: &'static str, signed: bool, kind: BaseKind) -> BaseType {
    let size = match base_size(name) {
        Some(size) => size,
        None => 0,
    };
    BaseType { code, name, size, signed, kind }
}

/// A pointer of four bytes (`__ptr32`), for which layouts have no type of their own.
pub(crate) const POINTER32: &str = "pointer32";
const POINTER32_TYPE: BaseType = base(0, POINTER32, false, Int);

const TYPES: &[BaseType] = &[
    base(0x03, "void", true, Void),
    base(0x08, "HRESULT", false, Int),
    base(0x70, "char", true, Char),
    base(0x10, "char", true, Char),
    base(0x20, "unsigned char", false, Char),
    base(0x7c, "char8_t", false, Char),
    base(0x68, "int8", true, Int),
    base(0x69, "uint8", false, Int),
    base(0x71, "wchar", true, Int),
    base(0x7a, "char16_t", false, Int),
    base(0x7b, "char32_t", false, Int),
    base(0x11, "short", true, Int),
    base(0x72, "short", true, Int),
    base(0x21, "unsigned short", false, Int),
    base(0x73, "unsigned short", false, Int),
    base(0x12, "long", true, Int),
    base(0x22, "unsigned long", false, Int),
    base(0x74, "int", true, Int),
    base(0x75, "unsigned int", false, Int),
    base(0x13, "long long", true, Int),
    base(0x76, "long long", true, Int),
    base(0x23, "unsigned long long", false, Int),
    base(0x77, "unsigned long long", false, Int),
    base(0x14, "int128", true, Int),
    base(0x78, "int128", true, Int),
    base(0x24, "uint128", false, Int),
    base(0x79, "uint128", false, Int),
    base(0x46, "f16", true, Float),
    base(0x40, "f32", true, Float),
    base(0x45, "f32pp", true, Float),
    base(0x44, "f48", true, Float),
    base(0x41, "double", true, Float),
    base(0x42, "f80", true, Float),
    base(0x43, "f128", true, Float),
    base(0x30, "bool", false, Bool),
    base(0x31, "bool16", false, Bool),
    base(0x32, "bool32", false, Bool),
    base(0x33, "bool64", false, Bool),
];

/// The type that `CodeView` gives a number to.
pub(crate) fn by_code(code: u8) -> Option<&'static BaseType> {
    TYPES.iter().find(|base| base.code == code)
}

/// The type of a name.
pub(crate) fn by_name(name: &str) -> Option<&'static BaseType> {
    TYPES.iter().chain([&POINTER32_TYPE]).find(|base| base.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_the_bits_of_their_type() {
        let stored = |name, number| by_name(name).unwrap().stored(number);
        assert_eq!((stored("int", 0xffff_ffff), stored("int", -1), stored("int", 7)), (-1, -1, 7));
        assert_eq!((stored("unsigned long", -1), stored("unsigned char", -1)), (0xffff_ffff, 0xff));
        assert_eq!((stored("long long", i64::MIN), stored("unsigned long long", -1)), (i64::MIN, -1));
    }

    #[test]
    fn sizes_are_known() {
        assert!(TYPES.iter().all(|base| base_size(base.name) == Some(base.size)));
        assert!(TYPES.iter().all(|base| (base.size == 0) == (base.kind == Void)));
    }

    #[test]
    fn numbers_are_unique_and_names_agree() {
        for (place, one) in TYPES.iter().enumerate() {
            for other in TYPES.iter().skip(place + 1) {
                assert_ne!(one.code, other.code, "{}", one.name);
                if one.name == other.name {
                    assert_eq!((one.size, one.signed, one.kind), (other.size, other.signed, other.kind));
                }
            }
        }
        assert_eq!(by_code(0x22).map(|base| (base.name, base.size)), Some(("unsigned long", 4)));
        assert_eq!(by_code(0), None);
        assert_eq!(by_name(POINTER32).map(|base| base.size), Some(4));
        assert_eq!(by_name("wchar").map(|base| base.size), Some(2));
    }
}
