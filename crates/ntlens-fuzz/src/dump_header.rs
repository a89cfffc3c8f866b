//! Headers of every kind of dump: a byte that chooses the kind, then numbers that are written over the headers, each with its
//! place and size. Each dump is read as the target [`open`] does.

use crate::dump_files::all;
use crate::input::Input;
use crate::open;
use std::sync::LazyLock;

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| all().map(|(_, bytes)| bytes).into());

/// Writes the numbers, opens and reads.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(file) = input.one_of(&FILES) else { return };
    let mut file = file.clone();
    while let Some(head) = input.u16() {
        let at = usize::from(head & 0x3fff) & !3;
        match head >> 14 {
            0 => {
                let Some(number) = input.u32() else { break };
                put(&mut file, at, &number.to_le_bytes());
            }
            1 => {
                let Some(number) = input.u64() else { break };
                put(&mut file, at, &number.to_le_bytes());
            }
            2 => {
                let Some(number) = input.u8() else { break };
                put(&mut file, at, &u64::from(number).to_le_bytes());
            }
            _ => file.truncate(at),
        }
    }
    open::check(file);
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = file.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
