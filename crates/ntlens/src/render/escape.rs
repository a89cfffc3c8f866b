//! Text from a dump is hostile: what it could do to the reader of an output is made visible here.

pub use ntlens_core::text::{is_visible, visible};

/// Like [`visible`], and so that no spreadsheet takes the cell for a formula.
pub fn spreadsheet(text: &str) -> String {
    let shown = visible(text);
    if shown.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(spreadsheet("=cmd|' /c calc'!A0"), "'=cmd|' /c calc'!A0");
        assert_eq!(spreadsheet("svchost.exe"), "svchost.exe");
    }

    proptest! {
        #[test]
        fn no_text_steers_a_terminal_or_starts_a_formula(text: String) {
            let cell = spreadsheet(&text);
            prop_assert_eq!(visible(&cell), &*cell);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']));
        }
    }
}
