//! `UNICODE_STRING`: a byte that chooses the build, a length, where the text lies, then the bytes of memory. The string's
//! head is put at the start of it.

use crate::input::Input;
use crate::kernels::KERNELS;
use crate::words::BASE;
use ntlens_core::address::VirtAddr;
use ntlens_core::memory::VirtualMemory;
use ntlens_core::nt::unicode_string::UnicodeStringFields;
use ntlens_core::{Absent, text};
use std::sync::LazyLock;

static FIELDS: LazyLock<Vec<UnicodeStringFields>> =
    LazyLock::new(|| KERNELS.iter().map(UnicodeStringFields::resolve).collect());

/// Bytes of the head.
const HEAD: usize = 16;

/// Some bytes from [`BASE`] on.
struct Piece(Vec<u8>);

impl Piece {
    fn get(&self, at: VirtAddr, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(at.0.checked_sub(BASE)?).ok()?;
        self.0.get(start..start.checked_add(len)?)
    }
}

impl VirtualMemory for Piece {
    fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
        out.copy_from_slice(self.get(at, out.len()).ok_or(Absent::AddressNotInDump)?);
        Ok(())
    }
}

/// Reads the string.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (Some(fields), Some(length), Some(buffer)) = (input.one_of(&FIELDS), input.u16(), input.u64()) else { return };
    // Half of all pointers lead into memory.
    let buffer = VirtAddr(if buffer & 1 == 0 { BASE + (buffer >> 1) % 0x2000 } else { buffer });
    let mut memory = vec![0; HEAD];
    memory[..2].copy_from_slice(&length.to_le_bytes());
    memory[8..].copy_from_slice(&buffer.0.to_le_bytes());
    memory.extend_from_slice(input.0);
    let memory = Piece(memory);
    let found = fields.read(&memory, VirtAddr(BASE));
    let expected = memory.get(buffer, length.into());
    match &found {
        Ok(None) => assert!(length == 0 || buffer.is_null(), "a text is lost"),
        Ok(Some(text)) => {
            let (units, _) = expected.expect("the text lies in memory").as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            assert_eq!(*text, String::from_utf16_lossy(&units), "another text");
            check_shown(text);
        }
        Err(_) => assert!(length % 2 == 1 || expected.is_none(), "a text in memory cannot be read"),
    }
    check_shown(&text::utf16_until_nul(input.0));
    check_shown(&text::ascii_until_nul(input.0));
}

/// Nothing that is shown steers a terminal, and what is shown is shown as it is.
fn check_shown(text: &str) {
    let shown = text::visible(text);
    assert!(text::is_visible(&shown), "what is shown steers");
    assert!(!shown.contains(|char: char| char.is_control()), "a control character is shown");
    assert_eq!(text::is_visible(text), shown == text, "what is visible is changed, or what is not is left");
    assert_eq!(text::visible(&shown), shown, "what is shown is changed again");
}
