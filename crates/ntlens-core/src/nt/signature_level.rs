//! Signature levels: how an image was signed, and how the images it loads must be.

use alloc::format;
use alloc::string::String;

/// Names of the level in bits 0 to 3 (`SE_SIGNING_LEVEL_*` of winnt.h).
const LEVELS: [&str; 16] = [
    "Unchecked",
    "Unsigned",
    "Enterprise",
    "Developer",
    "Authenticode",
    "Custom2",
    "Store",
    "Antimalware",
    "Microsoft",
    "Custom4",
    "Custom5",
    "DynamicCodegen",
    "Windows",
    "Custom7",
    "WindowsTcb",
    "Custom6",
];

/// Names of the signature's type in bits 4 to 6 (`SE_IMAGE_SIGNATURE_TYPE`).
const TYPES: [&str; 8] =
    ["", "Embedded", "Cache", "CatalogCached", "CatalogNotCached", "CatalogHint", "PackageCatalog", "PplMitigated"];

/// The byte of `EPROCESS.SignatureLevel` or `SectionSignatureLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureLevel(pub u8);

impl SignatureLevel {
    /// The level's name, with the type of signature behind it if there is one: `WindowsTcb (Embedded)`.
    pub fn name(self) -> String {
        let level = LEVELS.get(usize::from(self.0 & 0xf)).copied().unwrap_or_default();
        match TYPES.get(usize::from(self.0 >> 4 & 7)).copied().unwrap_or_default() {
            "" => String::from(level),
            kind => format!("{level} ({kind})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_nibbles_are_named() {
        assert_eq!(SignatureLevel(0x1e).name(), "WindowsTcb (Embedded)");
        assert_eq!(SignatureLevel(0x3c).name(), "Windows (CatalogCached)");
        assert_eq!(SignatureLevel(0x08).name(), "Microsoft");
        assert_eq!(SignatureLevel(0x00).name(), "Unchecked");
    }
}
