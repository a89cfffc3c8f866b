//! Mandatory integrity: how far a process is trusted.

use crate::nt::sid::Sid;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The authority of SIDs that name a level: `S-1-16-...`.
const LABEL_AUTHORITY: u64 = 16;

/// Levels that Windows names (`SECURITY_MANDATORY_*_RID`), from the highest down.
const LEVELS: [(u32, &str); 7] = [
    (0x5000, "ProtectedProcess"),
    (0x4000, "System"),
    (0x3000, "High"),
    (0x2100, "MediumPlus"),
    (0x2000, "Medium"),
    (0x1000, "Low"),
    (0, "Untrusted"),
];

/// An integrity level: the last sub-authority of the label's SID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integrity(pub u32);

impl Integrity {
    /// The level that a SID names; `None` for a SID that is no label.
    pub fn of_label(sid: &Sid) -> Option<Self> {
        if sid.authority() == LABEL_AUTHORITY { sid.rid().map(Self) } else { None }
    }
}

impl fmt::Display for Integrity {
    /// The name of the highest level not above it, with what it is above that: `Medium+0x10`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((level, name)) = LEVELS.into_iter().find(|(level, _)| *level <= self.0) else { return Ok(()) };
        f.write_str(name)?;
        if self.0 == level { Ok(()) } else { write!(f, "+{:#x}", self.0 - level) }
    }
}

/// The names of a token's mandatory policy (`TOKEN_MANDATORY_POLICY_*`); `bit_N` for what has none.
pub fn policy_names(policy: u32) -> Vec<String> {
    let name = |bit: u32| match bit {
        0 => "NoWriteUp".into(),
        1 => "NewProcessMin".into(),
        _ => alloc::format!("bit_{bit}"),
    };
    (0..32).filter(|bit| policy >> bit & 1 == 1).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn levels_have_the_names_of_windows_and_odd_ones_keep_what_is_odd() {
        for (level, text) in [
            (0, "Untrusted"),
            (0x10, "Untrusted+0x10"),
            (0x1000, "Low"),
            (0x2000, "Medium"),
            (0x2010, "Medium+0x10"),
            (0x2100, "MediumPlus"),
            (0x2110, "MediumPlus+0x10"),
            (0x3000, "High"),
            (0x4000, "System"),
            (0x5000, "ProtectedProcess"),
            (0x7000, "ProtectedProcess+0x2000"),
            (u32::MAX, "ProtectedProcess+0xffffafff"),
        ] {
            assert_eq!(Integrity(level).to_string(), text);
        }
    }

    #[test]
    fn only_a_label_names_a_level() {
        assert_eq!(Integrity::of_label(&Sid::new(16, &[0x2010]).unwrap()), Some(Integrity(0x2010)));
        assert_eq!(Integrity::of_label(&Sid::new(16, &[7, 0x1000]).unwrap()), Some(Integrity(0x1000)));
        assert_eq!(Integrity::of_label(&Sid::new(5, &[18]).unwrap()), None);
        assert_eq!(Integrity::of_label(&Sid::new(16, &[]).unwrap()), None);
    }

    #[test]
    fn policies_have_names() {
        assert_eq!(policy_names(3), ["NoWriteUp", "NewProcessMin"]);
        assert_eq!(policy_names(0x8000_0000), ["bit_31"]);
        assert!(policy_names(0).is_empty());
    }
}
