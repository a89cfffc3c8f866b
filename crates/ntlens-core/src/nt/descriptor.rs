//! Descriptors of the processor: interrupt gates, segments and the task state segment.
//!
//! The processor itself reads these tables, so their layout is that of the architecture in every version of Windows
//! (Intel 64 manual, volume 3: "Segment descriptors", "64-bit mode IDT" and "Task management in 64-bit mode").

use crate::address::VirtAddr;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};

/// Bytes of an interrupt gate.
pub const GATE_SIZE: usize = 16;
/// Bytes of a segment descriptor; descriptors of the system take two places.
pub const SEGMENT_SIZE: usize = 8;
/// Bytes of a task state segment without a map of ports.
pub const TSS_SIZE: usize = 0x68;

/// What a gate or a descriptor of the system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemKind {
    /// A local descriptor table.
    Ldt,
    /// A task state segment that no processor uses.
    TssAvailable,
    /// A task state segment in use.
    TssBusy,
    /// A call into more privileged code. Windows for x64 has none.
    CallGate,
    /// A handler that runs with interrupts off.
    InterruptGate,
    /// A handler that leaves interrupts as they are.
    TrapGate,
    /// A number that 64-bit mode reserves.
    Reserved(u8),
}

impl SystemKind {
    const fn of(number: u8) -> Self {
        match number {
            2 => Self::Ldt,
            9 => Self::TssAvailable,
            11 => Self::TssBusy,
            12 => Self::CallGate,
            14 => Self::InterruptGate,
            15 => Self::TrapGate,
            other => Self::Reserved(other),
        }
    }

    /// A short name; `None` for a number that is reserved.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Ldt => Some("ldt"),
            Self::TssAvailable => Some("tss-available"),
            Self::TssBusy => Some("tss-busy"),
            Self::CallGate => Some("call-gate"),
            Self::InterruptGate => Some("interrupt-gate"),
            Self::TrapGate => Some("trap-gate"),
            Self::Reserved(_) => None,
        }
    }
}

/// One entry of the interrupt table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Where the handler begins.
    pub offset: VirtAddr,
    /// The code segment that it runs in.
    pub selector: u16,
    /// Number of the stack in the task state segment that it runs on; 0 for none of its own.
    pub ist: u8,
    /// What the gate is.
    pub kind: SystemKind,
    /// The least privileged level that may raise it with an instruction.
    pub dpl: u8,
    /// Whether the processor uses it.
    pub present: bool,
}

impl Gate {
    /// Takes an entry apart.
    pub fn decode(bytes: &[u8; GATE_SIZE]) -> Self {
        let low = LittleEndian::read_u64(bytes);
        let high = LittleEndian::read_u64(bytes.get(8..).unwrap_or_default());
        let offset = low & 0xffff | low >> 32 & 0xffff_0000 | high << 32;
        Self {
            offset: VirtAddr(offset),
            selector: bits(low, 16, 16),
            ist: bits(low, 32, 3).to_le_bytes()[0],
            kind: system_kind(low),
            dpl: dpl(low),
            present: is_present(low),
        }
    }
}

/// What a segment descriptor describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// Code.
    Code,
    /// Data or a stack.
    Data,
    /// Something of the processor's own.
    System(SystemKind),
}

impl SegmentKind {
    /// A short name; `None` for a number that is reserved.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Code => Some("code"),
            Self::Data => Some("data"),
            Self::System(kind) => kind.name(),
        }
    }
}

/// One descriptor of the global table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first eight bytes.
    pub raw: u64,
    /// What it describes.
    pub kind: SegmentKind,
    /// Where the segment begins; of a call gate, where it leads to.
    pub base: VirtAddr,
    /// The last byte that belongs to it, counted from its begin: in bytes, whatever the granularity. Meaningless for a
    /// call gate.
    pub limit: u64,
    /// The least privileged level that may use it.
    pub dpl: u8,
    /// Whether the processor may use it.
    pub present: bool,
}

/// Bits of code and data descriptors by their names in the manual.
const CODE_FLAGS: [(u32, &str); 3] = [(40, "accessed"), (41, "readable"), (42, "conforming")];
const DATA_FLAGS: [(u32, &str); 3] = [(40, "accessed"), (41, "writable"), (42, "expand-down")];
const COMMON_FLAGS: [(u32, &str); 4] = [(52, "available"), (53, "long"), (54, "default-big"), (55, "granularity")];

impl Segment {
    /// Takes a descriptor apart; `next` are the eight bytes behind it, which belong to it if it is one of the system.
    pub fn decode(raw: u64, next: u64) -> Self {
        let is_system = raw >> 44 & 1 == 0;
        let kind = match (is_system, raw >> 43 & 1) {
            (true, _) => SegmentKind::System(system_kind(raw)),
            (false, 0) => SegmentKind::Data,
            (false, _) => SegmentKind::Code,
        };
        let low = raw >> 16 & 0xff_ffff | raw >> 32 & 0xff00_0000;
        let base = match kind {
            SegmentKind::System(SystemKind::CallGate) => {
                raw & 0xffff | raw >> 32 & 0xffff_0000 | (next & 0xffff_ffff) << 32
            }
            SegmentKind::System(_) => low | (next & 0xffff_ffff) << 32,
            SegmentKind::Code | SegmentKind::Data => low,
        };
        let limit = raw & 0xffff | raw >> 32 & 0xf_0000;
        let limit = if raw >> 55 & 1 == 1 { limit << 12 | 0xfff } else { limit };
        Self { raw, kind, base: VirtAddr(base), limit, dpl: dpl(raw), present: is_present(raw) }
    }

    /// How many places of the table it takes.
    pub const fn places(&self) -> usize {
        match self.kind {
            SegmentKind::System(_) => 2,
            SegmentKind::Code | SegmentKind::Data => 1,
        }
    }

    /// The names of the bits that are set.
    pub fn flags(&self) -> Vec<&'static str> {
        let own: &[_] = match self.kind {
            SegmentKind::Code => &CODE_FLAGS,
            SegmentKind::Data => &DATA_FLAGS,
            SegmentKind::System(_) => &[],
        };
        let set = |(bit, _): &&(u32, &'static str)| self.raw >> bit & 1 == 1;
        own.iter().chain(&COMMON_FLAGS).filter(set).map(|(_, name)| *name).collect()
    }
}

/// The task state segment: the stacks that the processor changes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskState {
    /// Stacks of the privilege levels 0 to 2; Windows uses the first.
    pub rsp: [VirtAddr; 3],
    /// Stacks 1 to 7 that a gate can name.
    pub ist: [VirtAddr; 7],
    /// Where the map of ports begins, counted from the segment's begin.
    pub io_map_base: u16,
}

impl TaskState {
    /// Takes a segment apart.
    pub fn decode(bytes: &[u8; TSS_SIZE]) -> Self {
        let pointer = |at: usize| VirtAddr(bytes.get(at..).map(LittleEndian::read_u64).unwrap_or_default());
        let mut rsp = [VirtAddr(0); 3];
        let mut ist = [VirtAddr(0); 7];
        for (place, at) in rsp.iter_mut().zip((4..).step_by(8)) {
            *place = pointer(at);
        }
        for (place, at) in ist.iter_mut().zip((0x24..).step_by(8)) {
            *place = pointer(at);
        }
        Self { rsp, ist, io_map_base: bytes.get(0x66..).map(LittleEndian::read_u16).unwrap_or_default() }
    }
}

/// Up to 16 bits of a descriptor.
fn bits(raw: u64, position: u32, length: u32) -> u16 {
    let masked = raw >> position & ((1 << length) - 1);
    u16::try_from(masked & 0xffff).unwrap_or_default()
}

fn system_kind(raw: u64) -> SystemKind {
    // Five bits with the one that tells code and data from the rest: a gate that has it set is none.
    SystemKind::of(bits(raw, 40, 5).to_le_bytes()[0])
}

fn dpl(raw: u64) -> u8 {
    bits(raw, 45, 2).to_le_bytes()[0]
}

const fn is_present(raw: u64) -> bool {
    raw >> 47 & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn descriptors_of_windows() {
        // The table that Windows loads at boot, as public debugger output shows it.
        for (raw, next, name, base, limit, dpl, flags) in [
            (0x0020_9b00_0000_0000, 0, "code", 0, 0, 0, &["accessed", "readable", "long"][..]),
            (
                0x00cf_9300_0000_ffff,
                0,
                "data",
                0,
                0xffff_ffff,
                0,
                &["accessed", "writable", "default-big", "granularity"],
            ),
            (
                0x00cf_fb00_0000_ffff,
                0,
                "code",
                0,
                0xffff_ffff,
                3,
                &["accessed", "readable", "default-big", "granularity"],
            ),
            (0x0020_fb00_0000_0000, 0, "code", 0, 0, 3, &["accessed", "readable", "long"]),
            (0x0040_f300_0000_3c00, 0, "data", 0, 0x3c00, 3, &["accessed", "writable", "default-big"]),
            (0xc000_8b00_1200_0067, 0xffff_ec9a, "tss-busy", 0xffff_ec9a_c000_1200, 0x67, 0, &[]),
        ] {
            let segment = Segment::decode(raw, next);
            assert_eq!(segment.kind.name(), Some(name), "{raw:#x}");
            assert_eq!((segment.base.0, segment.limit, segment.dpl), (base, limit, dpl), "{raw:#x}");
            assert_eq!((segment.flags().as_slice(), segment.present), (flags, true), "{raw:#x}");
        }
        assert_eq!(Segment::decode(0, 0).kind, SegmentKind::System(SystemKind::Reserved(0)));
        let gate = Segment::decode(0x1234_ec00_0010_5678, 0xffff_f800);
        assert_eq!((gate.kind.name(), gate.base, gate.dpl), (Some("call-gate"), VirtAddr(0xffff_f800_1234_5678), 3));
    }

    proptest! {
        /// What is put together by the fields' definitions comes out again.
        #[test]
        fn a_gate_is_taken_apart(offset: u64, selector: u16, ist in 0_u8..8, kind in 0_u8..32, dpl in 0_u8..4, present: bool) {
            let mut bytes = [0xff; GATE_SIZE];
            bytes[..2].copy_from_slice(&offset.to_le_bytes()[..2]);
            bytes[2..4].copy_from_slice(&selector.to_le_bytes());
            // The five bits above the stack's number are reserved.
            bytes[4] = ist | 0b1111_1000;
            bytes[5] = kind | dpl << 5 | u8::from(present) << 7;
            bytes[6..12].copy_from_slice(&offset.to_le_bytes()[2..]);
            let expected =
                Gate { offset: VirtAddr(offset), selector, ist, kind: SystemKind::of(kind), dpl, present };
            prop_assert_eq!(Gate::decode(&bytes), expected);
        }

        #[test]
        fn a_segment_is_taken_apart(base: u64, limit in 0_u64..0x10_0000, kind in 0_u64..32, dpl in 0_u8..4, flags in 0_u64..16) {
            let raw = limit & 0xffff
                | (base & 0xff_ffff) << 16
                | kind << 40
                | u64::from(dpl) << 45
                | (limit >> 16) << 48
                | flags << 52
                | (base >> 24 & 0xff) << 56;
            let segment = Segment::decode(raw, base >> 32 | 0xdead_beef_0000_0000);
            let bytes = if flags & 8 == 0 { limit } else { limit << 12 | 0xfff };
            prop_assert_eq!((segment.dpl, segment.present), (dpl, false));
            prop_assert_eq!(segment.limit, bytes);
            match segment.kind {
                SegmentKind::System(SystemKind::CallGate) => prop_assert_eq!(kind, 12),
                SegmentKind::System(_) => prop_assert_eq!((segment.base.0, segment.places()), (base, 2)),
                _ => prop_assert_eq!((segment.base.0, segment.places()), (base & 0xffff_ffff, 1)),
            }
            prop_assert_eq!(matches!(segment.kind, SegmentKind::System(_)), kind < 16);
        }

        #[test]
        fn the_stacks_of_a_task_state(words in prop::collection::vec(any::<u64>(), 13), map: u16) {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes[0x66..0x68].copy_from_slice(&map.to_le_bytes());
            let state = TaskState::decode(bytes[..].try_into().unwrap());
            let at = |offset: usize| VirtAddr(u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap()));
            prop_assert_eq!(state.rsp, [at(4), at(0xc), at(0x14)]);
            prop_assert_eq!(state.ist, [at(0x24), at(0x2c), at(0x34), at(0x3c), at(0x44), at(0x4c), at(0x54)]);
            prop_assert_eq!(state.io_map_base, map);
        }
    }
}
