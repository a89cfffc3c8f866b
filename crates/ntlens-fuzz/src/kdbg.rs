//! The block for debuggers, plain and encoded: three numbers of the encoding, then the block.

use crate::input::Input;
use ntlens_core::address::VirtAddr;
use ntlens_core::kdbg::{Encoding, Kdbg, MAX_SIZE};

/// Offsets of numbers that a dump's header may tell: base of the kernel, heads of two lists.
const KNOWN: [usize; 3] = [0x18, 0x48, 0x50];

/// Reads the block as it is, and as it is once it was encoded.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (Some(wait_never), Some(wait_always), Some(flag)) = (input.u64(), input.u64(), input.u64()) else { return };
    let encoding = Encoding { wait_never, wait_always, encoded_flag: VirtAddr(flag) };
    let block = input.0;
    let _ = Kdbg::decode(block, &encoding);
    let Ok(found) = Kdbg::parse(block) else { return };
    let size = Kdbg::size_in(block).expect("a block has a size");
    assert!(size <= MAX_SIZE as usize && size <= block.len(), "a block is larger than its bytes");
    look(&found);
    assert_eq!(Kdbg::parse(&block[..size]).as_ref(), Ok(&found), "bytes behind a block matter");
    let encode = |word: &[u8; 8]| {
        let value = (u64::from_le_bytes(*word) ^ wait_always).swap_bytes() ^ flag;
        let rotation = u32::try_from(wait_never & 0xff).expect("eight bits");
        (value.rotate_right(rotation) ^ wait_never).to_le_bytes()
    };
    let (words, _) = block[..size].as_chunks::<8>();
    let encoded: Vec<u8> = words.iter().flat_map(encode).collect();
    assert_eq!(Kdbg::decode(&encoded, &encoding).as_ref(), Ok(&found), "an encoded block is decoded to another");
    // The same without the encoding, from what it must hold; more than one block may fit that, then there is none.
    let number =
        |offset: &usize| Some((*offset, u64::from_le_bytes(block.get(*offset..*offset + 8)?.try_into().ok()?)));
    let known: Vec<(usize, u64)> = KNOWN.iter().filter(|offset| **offset + 8 <= size).filter_map(number).collect();
    if let Some(guessed) = Kdbg::decode_by_known(&encoded, &known) {
        assert_eq!(guessed, found, "an encoded block is taken for another");
    }
    let _ = Kdbg::decode_by_known(block, &[(0x18, wait_never), (0x48, wait_always), (0x50, flag)]);
}

/// Looks at fields of each kind.
fn look(block: &Kdbg) {
    let _ = (block.kern_base(), block.pte_base(), block.size_eprocess(), block.offset_kthread_stack_base());
    assert_ne!(block.kern_base(), Some(VirtAddr(0)), "zero stands for nothing");
}
