//! Names out of a dump that may become part of a path.

use alloc::string::String;
use core::fmt;
use ntlens_core::layout::PdbId;

/// Longer names are refused; those of Microsoft's symbol files have less than 40 letters.
const MAX_LENGTH: usize = 128;

/// What Windows opens as a device, in every folder and with every extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "clock$", "conin$", "conout$"];

/// A plain file name: what is left of the name in a dump after it was checked.
///
/// It has no separator, no drive, no device and nothing that a system changes on the way to the disk, so that it can be
/// joined to a folder or a URL and stays below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

/// Why a name is not used as a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is none.
    #[error("the name is empty")]
    Empty,
    /// It is longer than any real one.
    #[error("the name has {length} bytes, more than {MAX_LENGTH}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A separator, a control character, a letter beyond ASCII, or one that Windows allows in no name.
    #[error("the name has the character {0:?}")]
    Character(char),
    /// A blank at an end or a dot at the end: Windows drops them, so it would be another file. This holds `.` and `..`.
    #[error("the name begins with a blank or ends with a blank or a dot")]
    Ends,
    /// It is a device of Windows, such as `NUL.pdb`.
    #[error("the name is a device of Windows")]
    Device,
}

impl FileName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_LENGTH {
            return Err(NameError::TooLong { length: name.len() });
        }
        let plain = |char: &char| matches!(char, ' '..='~') && !"<>:\"/\\|?*".contains(*char);
        if let Some(odd) = name.chars().find(|char| !plain(char)) {
            return Err(NameError::Character(odd));
        }
        if name.starts_with(' ') || name.ends_with([' ', '.']) {
            return Err(NameError::Ends);
        }
        if is_device(name) { Err(NameError::Device) } else { Ok(Self(name.into())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its cabinet in a symbol store: `ntkrnlmp.pd_`.
    pub fn compressed(&self) -> String {
        let mut name = self.0.clone();
        name.pop();
        name.push('_');
        name
    }

    /// The folder of its first letters in a store of two tiers: `nt`.
    pub(super) fn tier(&self) -> &str {
        self.0.get(..2).unwrap_or(&self.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether Windows takes it for a device: the part before the first dot decides.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let numbered = port.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']));
    numbered || DEVICES.contains(&stem.as_str())
}

/// Whether a folder of a store is named for these symbols: the GUID and the age, in either case. The age is hexadecimal
/// by convention; some tools pad it or write it in decimal.
pub(super) fn is_index(name: &str, id: PdbId) -> bool {
    names_id(name.split_at_checked(32), id)
}

/// Whether a name is that of a store's folder for any symbols.
pub(super) fn is_any_index(name: &str) -> bool {
    (33..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a file is named as `volatility3` names tables: `GUID-AGE.json`, `.json.gz` or `.json.xz`.
pub(super) fn is_isf(name: &str, id: PdbId) -> bool {
    let Some((stem, rest)) = name.split_once('.') else { return false };
    rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("json")) && names_id(stem.split_once('-'), id)
}

/// Whether a file is named for the GUID of other symbols.
pub(super) fn is_isf_of_others(name: &str, id: PdbId) -> bool {
    let guid = name.split_once('-').and_then(|(guid, _)| (guid.len() == 32).then_some(guid));
    guid.and_then(|guid| u128::from_str_radix(guid, 16).ok()).is_some_and(|guid| guid != id.guid)
}

fn names_id(parts: Option<(&str, &str)>, id: PdbId) -> bool {
    let Some((guid, age)) = parts else { return false };
    // `from_str_radix` takes a sign.
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let same_age = [16, 10].iter().any(|radix| u32::from_str_radix(age, *radix) == Ok(id.age));
    guid.len() == 32 && digits(guid) && digits(age) && same_age && u128::from_str_radix(guid, 16) == Ok(id.guid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    const ID: PdbId = PdbId { guid: 0xbfbf_9862_6358_22e8_0102_0304_0506_0708, age: 0x1a };

    #[test]
    fn names_of_real_files_are_taken() {
        for name in
            ["ntkrnlmp.pdb", "ntoskrnl.pdb", "win32kfull.pdb", "my driver (1)+x64.pdb", ".pdb", "console.pdb", "x"]
        {
            assert_eq!(FileName::new(name).map(|name| name.to_string()), Ok(name.into()));
        }
        assert_eq!(FileName::new("ntkrnlmp.pdb").unwrap().compressed(), "ntkrnlmp.pd_");
        assert_eq!(FileName::new("ntkrnlmp.pdb").unwrap().tier(), "nt");
        assert_eq!(FileName::new("x").unwrap().tier(), "x");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        use NameError::{Character, Device, Empty, Ends, TooLong};
        let cases = [
            ("", Empty),
            (".", Ends),
            ("..", Ends),
            ("nt.pdb.", Ends),
            ("nt.pdb ", Ends),
            (" nt.pdb", Ends),
            ("../nt.pdb", Character('/')),
            ("..\\nt.pdb", Character('\\')),
            ("/etc/passwd", Character('/')),
            ("C:nt.pdb", Character(':')),
            ("nt.pdb:stream", Character(':')),
            ("nt.pdb\0.txt", Character('\0')),
            ("nt\n.pdb", Character('\n')),
            ("\u{202e}bdp.tn", Character('\u{202e}')),
            ("nt.pdb\u{2215}x", Character('\u{2215}')),
            ("nt?.pdb", Character('?')),
            ("NUL", Device),
            ("nul.pdb", Device),
            ("Aux .tar.pdb", Device),
            ("com0.pdb", Device),
            ("LPT9.x", Device),
            ("CONIN$.pdb", Device),
        ];
        for (name, why) in cases {
            assert_eq!(FileName::new(name), Err(why), "{name:?}");
        }
        assert_eq!(FileName::new(&"x".repeat(129)), Err(TooLong { length: 129 }));
    }

    #[test]
    fn indexes_are_known_in_every_form() {
        let guid = "BFBF9862635822E80102030405060708";
        for age in ["1A", "1a", "01A", "26"] {
            for index in [format!("{guid}{age}"), format!("{}{age}", guid.to_lowercase())] {
                assert!(is_index(&index, ID) && is_any_index(&index), "{index}");
            }
            for end in ["json", "JSON", "json.xz", "json.gz"] {
                assert!(is_isf(&format!("{guid}-{age}.{end}"), ID), "{age} {end}");
            }
        }
        for other in [guid, "", "1A", "BFBF9862635822E80102030405060708+1A", "BFBF9862635822E801020304050607091A"] {
            assert!(!is_index(other, ID), "{other}");
        }
        assert!(!is_isf("BFBF9862635822E80102030405060708-1B.json", ID));
        assert!(!is_isf("+FBF9862635822E80102030405060708-1A.json", ID));
        assert!(!is_isf("BFBF9862635822E80102030405060708-1A.pdb", ID));
        assert!(!is_any_index("ntkrnlmp.pdb") && !is_any_index(guid));
        assert!(is_isf_of_others("00009862635822E80102030405060708-1A.json", ID));
        assert!(!is_isf_of_others("BFBF9862635822E80102030405060708-1A.json", ID));
    }
}
