//! `PS_PROTECTION`: how a process is protected from others.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// The type of protection: bits 0 to 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectionType {
    /// Not protected.
    None,
    /// PPL.
    ProtectedLight,
    /// PP.
    Protected,
    /// A value that no Windows known has a name for.
    Unknown(u8),
}

/// Who signed the image, and so how far the protection goes: bits 4 to 7. Names are those of `PS_PROTECTED_SIGNER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Windows' own")]
pub enum Signer {
    None,
    Authenticode,
    CodeGen,
    Antimalware,
    Lsa,
    Windows,
    WinTcb,
    WinSystem,
    App,
    /// A value that no Windows known has a name for.
    Unknown(u8),
}

/// The protection of a process as its one byte in `EPROCESS.Protection`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Protection(pub u8);

impl Protection {
    /// Bits 0 to 2.
    pub const fn kind(self) -> ProtectionType {
        match self.0 & 7 {
            0 => ProtectionType::None,
            1 => ProtectionType::ProtectedLight,
            2 => ProtectionType::Protected,
            other => ProtectionType::Unknown(other),
        }
    }

    /// Bit 3: the protection is only audited.
    pub const fn audit(self) -> bool {
        self.0 & 8 != 0
    }

    /// Bits 4 to 7.
    pub const fn signer(self) -> Signer {
        match self.0 >> 4 {
            0 => Signer::None,
            1 => Signer::Authenticode,
            2 => Signer::CodeGen,
            3 => Signer::Antimalware,
            4 => Signer::Lsa,
            5 => Signer::Windows,
            6 => Signer::WinTcb,
            7 => Signer::WinSystem,
            8 => Signer::App,
            other => Signer::Unknown(other),
        }
    }
}

impl fmt::Display for ProtectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(value) => write!(f, "Unknown({value})"),
            known => write!(f, "{known:?}"),
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(value) => write!(f, "Unknown({value})"),
            known => write!(f, "{known:?}"),
        }
    }
}

impl fmt::Display for Protection {
    /// `None`, `PPL-Antimalware`, `PP-WinTcb`; `-Audit` behind it if that bit is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("None");
        }
        let kind = match self.kind() {
            ProtectionType::ProtectedLight => String::from("PPL"),
            ProtectionType::Protected => String::from("PP"),
            other => format!("{other}"),
        };
        write!(f, "{kind}-{}", self.signer())?;
        if self.audit() { f.write_str("-Audit") } else { Ok(()) }
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protection({:#04x} {self})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn levels_have_the_names_of_windows() {
        for (level, text) in [
            (0x00, "None"),
            (0x11, "PPL-Authenticode"),
            (0x21, "PPL-CodeGen"),
            (0x31, "PPL-Antimalware"),
            (0x41, "PPL-Lsa"),
            (0x51, "PPL-Windows"),
            (0x61, "PPL-WinTcb"),
            (0x62, "PP-WinTcb"),
            (0x72, "PP-WinSystem"),
            (0x81, "PPL-App"),
            (0x39, "PPL-Antimalware-Audit"),
            (0x92, "PP-Unknown(9)"),
            (0x60, "None-WinTcb"),
            (0x77, "Unknown(7)-WinSystem"),
        ] {
            assert_eq!(Protection(level).to_string(), text, "{level:#x}");
        }
    }
}
