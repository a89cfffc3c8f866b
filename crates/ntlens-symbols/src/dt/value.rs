//! What a field holds, in `WinDbg`'s words.

use super::TypeText;
use alloc::string::String;
use alloc::vec;
use core::fmt;
use ntlens_core::Absent;
use ntlens_core::address::VirtAddr;
use ntlens_core::layout::{Layouts, Type};
use ntlens_core::memory::VirtualMemory;
use ntlens_core::text::{ascii_until_nul, utf16, utf16_until_nul, visible};

/// Characters of a text that are shown.
const MAX_TEXT: u32 = 1024;

/// A value in memory. What is not in the dump is `??? (paged-out)` with the reason.
pub(super) struct ValueText<'l> {
    pub(super) layouts: &'l Layouts,
    pub(super) ty: &'l Type,
    pub(super) memory: &'l dyn VirtualMemory,
    pub(super) at: VirtAddr,
}

impl fmt::Display for ValueText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ty {
            Type::Struct(name) => {
                f.write_str(name)?;
                self.structure(f, name)
            }
            Type::Array { count, of } => {
                write!(f, "[{count}] ")?;
                self.array(f, *count, of)
            }
            ty => match self.scalar(ty) {
                Ok(text) => f.write_str(&text),
                Err(why) => missing(f, why),
            },
        }
    }
}

fn missing(f: &mut fmt::Formatter<'_>, why: Absent) -> fmt::Result {
    write!(f, "??? ({})", why.reason())
}

/// An address in two halves, as debuggers write it: ``0xfffff807`2d000000``.
struct Halves(u64);

impl fmt::Display for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}`{:08x}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl ValueText<'_> {
    /// A little-endian number of up to 8 bytes.
    fn number(&self, bytes: usize) -> Result<u64, Absent> {
        let mut held = [0; 8];
        let wanted = held.get_mut(..bytes).ok_or(Absent::NotApplicable)?;
        self.memory.read(self.at, wanted).map_err(|hole| hole.why)?;
        Ok(u64::from_le_bytes(held))
    }

    fn scalar(&self, ty: &Type) -> Result<String, Absent> {
        Ok(match ty {
            Type::Pointer(of) => match self.number(8)? {
                0 => "(null)".into(),
                value => alloc::format!("{} {}", Halves(value), TypeText(of)),
            },
            Type::Bits { position, length, of } => {
                let bytes = base_size(of, self.layouts).unwrap_or(4);
                let value = self.number(bytes)?.checked_shr((*position).into()).unwrap_or(0);
                let mask = if *length >= 64 { u64::MAX } else { (1 << length) - 1 };
                alloc::format!("0y{:0width$b}", value & mask, width = usize::from(*length))
            }
            Type::Enum(name) => {
                let value = self.number(base_size(ty, self.layouts).unwrap_or(4))?;
                let value = i64::from(u32::try_from(value).unwrap_or(0).cast_signed());
                let constants = self.layouts.enumeration(name).map_or(&[][..], |def| &def.constants);
                let known = constants.iter().find(|(_, constant)| *constant == value);
                let name = known.map_or("No matching name", |(name, _)| name);
                alloc::format!("{value} ( {name} )")
            }
            Type::Base(name) => self.base(name)?,
            other => alloc::format!("{}", TypeText(other)),
        })
    }

    fn base(&self, name: &str) -> Result<String, Absent> {
        let Some(bytes) = size_of_base(name) else { return Ok(name.into()) };
        let value = self.number(bytes)?;
        let bits = 64 - 8 * u32::try_from(bytes).unwrap_or(8);
        let signed = (value << bits).cast_signed() >> bits;
        let quoted = |char: u64| {
            let char = u32::try_from(char).ok().and_then(char::from_u32).filter(|char| !char.is_control());
            char.map_or_else(String::new, |char| visible(char.encode_utf8(&mut [0; 4])))
        };
        Ok(match name {
            "char" => alloc::format!("{signed} '{}'", quoted(value & 0x7f)),
            "unsigned char" | "wchar" | "wchar_t" => alloc::format!("0x{value:x} '{}'", quoted(value)),
            "float" | "f32" => alloc::format!("{}", f32::from_bits(u32::try_from(value).unwrap_or(0))),
            "double" => alloc::format!("{}", f64::from_bits(value)),
            "short" | "int" | "long" | "long long" => alloc::format!("0n{signed}"),
            _ => alloc::format!("0x{value:x}"),
        })
    }

    fn array(&self, f: &mut fmt::Formatter<'_>, count: u32, of: &Type) -> fmt::Result {
        let text = match of {
            Type::Base(name) if matches!(&**name, "char" | "unsigned char") => Some(1),
            Type::Base(name) if matches!(&**name, "wchar" | "wchar_t") => Some(2),
            _ => None,
        };
        let Some(unit) = text else {
            // As the debugger does: of an array, the first element.
            return fmt::Display::fmt(&ValueText { ty: of, ..*self }, f);
        };
        let mut bytes = vec![0; usize::try_from(count.min(MAX_TEXT) * unit).unwrap_or(0)];
        if let Err(hole) = self.memory.read(self.at, &mut bytes) {
            return missing(f, hole.why);
        }
        let text = if unit == 1 { ascii_until_nul(&bytes) } else { utf16_until_nul(&bytes) };
        write!(f, " \"{}\"", visible(&text))
    }

    /// What stands behind the names of structures that everybody reads.
    fn structure(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let place =
            |field: &str| self.layouts.place(name, field).map(|place| self.at.wrapping_add(place.offset.into()));
        let pointer = |field: &str| self.memory.read_u64(place(field)?);
        let shown = match name {
            "_LIST_ENTRY" => pointer("Flink").and_then(|flink| {
                let blink = pointer("Blink")?;
                Ok(alloc::format!(" [ {} - {} ]", Halves(flink), Halves(blink)))
            }),
            "_LARGE_INTEGER" | "_ULARGE_INTEGER" => {
                pointer("QuadPart").map(|value| alloc::format!(" {}", Halves(value)))
            }
            "_UNICODE_STRING" => self.unicode_string().map(|text| alloc::format!(" \"{}\"", visible(&text))),
            _ => return Ok(()),
        };
        match shown {
            Ok(shown) => f.write_str(&shown),
            // A source that knows offsets only has no fields of these.
            Err(Absent::NoSuchField | Absent::SymbolsNeeded) => Ok(()),
            Err(why) => {
                f.write_str(" ")?;
                missing(f, why)
            }
        }
    }

    fn unicode_string(&self) -> Result<String, Absent> {
        let place = |field: &str| {
            let place = self.layouts.place("_UNICODE_STRING", field)?;
            Ok(self.at.wrapping_add(place.offset.into()))
        };
        let length = self.memory.read_u32(place("Length")?)? & 0xffff;
        let buffer = self.memory.read_pointer(place("Buffer")?)?;
        let mut bytes = vec![0; usize::try_from(length.min(2 * MAX_TEXT)).unwrap_or(0)];
        if !bytes.is_empty() {
            self.memory.read(buffer, &mut bytes).map_err(|hole| hole.why)?;
        }
        Ok(utf16(&bytes))
    }
}

/// Bytes of a simple type, or of the integer behind an enumeration.
fn base_size(ty: &Type, layouts: &Layouts) -> Option<usize> {
    match ty {
        Type::Base(name) => size_of_base(name),
        Type::Enum(name) => layouts.enumeration(name).and_then(|def| size_of_base(&def.base)),
        Type::Pointer(_) => Some(8),
        _ => None,
    }
}

/// Bytes of a type of the C language as Windows has it.
fn size_of_base(name: &str) -> Option<usize> {
    Some(match name {
        "char" | "unsigned char" | "signed char" | "bool" => 1,
        "short" | "unsigned short" | "wchar" | "wchar_t" => 2,
        "int" | "unsigned int" | "long" | "unsigned long" | "float" | "f32" | "HRESULT" => 4,
        "long long" | "unsigned long long" | "double" => 8,
        _ => return None,
    })
}
