//! `CONTEXT`: the registers of a processor. Its layout is part of the system's binary interface (`winnt.h`).

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::memory::VirtualMemory;
use byteorder::{ByteOrder, LittleEndian};

/// Bytes of the structure.
const SIZE: usize = 0x4d0;
/// `CONTEXT_AMD64`: the flag that says whose registers these are.
const CONTEXT_AMD64: u32 = 0x10_0000;

/// The registers but those of floating point and vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the processor's own")]
pub struct Context {
    /// Which registers were recorded.
    pub context_flags: u32,
    pub mxcsr: u32,
    pub cs: u16,
    pub ds: u16,
    pub es: u16,
    pub fs: u16,
    pub gs: u16,
    pub ss: u16,
    pub eflags: u32,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rbx: u64,
    pub rsp: u64,
    pub rbp: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    pub dr0: u64,
    pub dr1: u64,
    pub dr2: u64,
    pub dr3: u64,
    pub dr6: u64,
    pub dr7: u64,
}

impl Context {
    /// Decodes the bytes of a record; [`Absent::NotApplicable`] if none was written.
    pub fn parse(bytes: &[u8]) -> Result<Self, Absent> {
        let u16_at = |at: usize| bytes.get(at..at + 2).map_or(0, LittleEndian::read_u16);
        let u32_at = |at: usize| bytes.get(at..at + 4).map_or(0, LittleEndian::read_u32);
        let u64_at = |at: usize| bytes.get(at..at + 8).map_or(0, LittleEndian::read_u64);
        let context_flags = u32_at(0x30);
        if bytes.len() < SIZE || context_flags & CONTEXT_AMD64 == 0 {
            return Err(Absent::NotApplicable);
        }
        Ok(Self {
            context_flags,
            mxcsr: u32_at(0x34),
            cs: u16_at(0x38),
            ds: u16_at(0x3a),
            es: u16_at(0x3c),
            fs: u16_at(0x3e),
            gs: u16_at(0x40),
            ss: u16_at(0x42),
            eflags: u32_at(0x44),
            rax: u64_at(0x78),
            rcx: u64_at(0x80),
            rdx: u64_at(0x88),
            rbx: u64_at(0x90),
            rsp: u64_at(0x98),
            rbp: u64_at(0xa0),
            rsi: u64_at(0xa8),
            rdi: u64_at(0xb0),
            r8: u64_at(0xb8),
            r9: u64_at(0xc0),
            r10: u64_at(0xc8),
            r11: u64_at(0xd0),
            r12: u64_at(0xd8),
            r13: u64_at(0xe0),
            r14: u64_at(0xe8),
            r15: u64_at(0xf0),
            rip: u64_at(0xf8),
            dr0: u64_at(0x48),
            dr1: u64_at(0x50),
            dr2: u64_at(0x58),
            dr3: u64_at(0x60),
            dr6: u64_at(0x68),
            dr7: u64_at(0x70),
        })
    }

    /// Reads a record from memory.
    pub fn read<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> Result<Self, Absent> {
        let mut bytes = [0; SIZE];
        memory.read(at, &mut bytes).map_err(|hole| hole.why)?;
        Self::parse(&bytes)
    }
}
