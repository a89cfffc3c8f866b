//! Small machines of the testkit, and dumps of them that a target's bytes damage.

use crate::input::Input;
use crate::kernels::{Known, kernel};
use ntlens_core::OpenDump;
use ntlens_core::address::{PAGE_BYTES, PAGE_SIZE, PhysAddr, VirtAddr};
use ntlens_core::dump::{Content, Dump};
use ntlens_core::nt::snapshot::Options;
use ntlens_core::source::{ByteSource, ReadError};
use ntlens_testkit::{
    HandleSpec, HandleTarget, Image, JobSpec, Kind, LoggerSpec, Machine, ProcessSpec, TokenSpec, Truth,
};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

/// A sound dump.
pub(crate) struct Base {
    bytes: Vec<u8>,
    /// Structures of the kernel: their addresses, and where they are in the file.
    places: Vec<(VirtAddr, u64)>,
    pub(crate) truth: Truth,
}

/// The dumps, each made when it is first needed.
static BASES: [LazyLock<Base>; 5] = [
    LazyLock::new(|| Base::new(19041, Kind::Full)),
    LazyLock::new(|| Base::new(22000, Kind::BitmapKernel { live: false })),
    LazyLock::new(|| Base::new(7601, Kind::Summary)),
    LazyLock::new(|| Base::new(14393, Kind::RdmpFull)),
    LazyLock::new(|| Base::new(19041, Kind::Triage)),
];

/// How many there are.
pub(crate) const COUNT: u8 = 5;

fn machine(build: u32) -> Image {
    let mut machine = Machine::new(kernel(build).clone()).memory(24 << 20).processors(1);
    machine.process(ProcessSpec::named("smss.exe").no_session().protection(0x61));
    let one = machine.process(ProcessSpec::named("one.exe").threads(2).token(TokenSpec::network_service()));
    let job = machine.job(JobSpec::of_session(1));
    machine.named_object("Event", "\\BaseNamedObjects\\shared");
    let user = ProcessSpec::named("two.exe").session(1).token(TokenSpec::user(1001, 0x1000)).job(job);
    let handles = [
        HandleSpec::new(HandleTarget::Process(one), 0x1f_ffff),
        HandleSpec::new(HandleTarget::Token(one), 0xf_01ff),
        HandleSpec::new(HandleTarget::Named("\\BaseNamedObjects\\shared".into()), 0x1f_0003),
        HandleSpec::new(HandleTarget::Job(job), 0x1f_001f),
    ];
    let two = machine.process(handles.into_iter().fold(user, ProcessSpec::handle));
    machine.hide(one);
    machine.typical_modules(4);
    machine.unloaded("gone.sys");
    machine.logger(LoggerSpec::named("Eventlog-Security").consumer(two).flag("RealTime"));
    machine.build()
}

impl Base {
    /// One of the dumps.
    pub(crate) fn of(choice: u8) -> &'static Self {
        &BASES[usize::from(choice % COUNT)]
    }

    fn new(build: u32, kind: Kind) -> Self {
        let image = machine(build);
        let bytes = image.to_vec(kind);
        let dump = Dump::open(Arc::new(bytes.clone())).expect("a dump of the testkit opens");
        let mut addresses = BTreeSet::new();
        collect(&image.truth().to_json(), &mut addresses);
        let system = image.space(4).expect("System has page tables");
        let offset = |at: VirtAddr| match &dump.content {
            Content::Physical(physical) => {
                let mapping = system.translate(image.memory(), at.0)?;
                physical.file_offset(PhysAddr(mapping.physical)).ok()
            }
            Content::Triage(triage) => triage.space.file_offset(at).ok().map(|(offset, _)| offset),
            Content::Nothing(_) => None,
        };
        let places: Vec<_> = addresses.into_iter().filter_map(|at| Some((at, offset(at)?))).collect();
        assert!(!places.is_empty(), "the truth names no structure of the dump");
        Self { bytes, places, truth: image.truth().clone() }
    }

    /// Where a structure of the kernel is in the file.
    pub(crate) fn offset(&self, at: u64) -> Option<u64> {
        let place = self.places.binary_search_by_key(&VirtAddr(at), |(at, _)| *at).ok()?;
        Some(self.places[place].1)
    }

    /// A place by a number.
    fn place(&self, choice: u16) -> (VirtAddr, u64) {
        self.places[usize::from(choice) % self.places.len()]
    }
}

/// Every address in the kernel's half that a description names.
fn collect(truth: &Json, found: &mut BTreeSet<VirtAddr>) {
    match truth {
        Json::String(text) => {
            let number = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
            found.extend(number.map(VirtAddr).filter(|at| at.is_kernel()));
        }
        Json::Array(parts) => parts.iter().for_each(|part| collect(part, found)),
        Json::Object(parts) => parts.values().for_each(|part| collect(part, found)),
        _ => {}
    }
}

/// A sound dump with some of its pages changed, and perhaps its end cut off.
#[derive(Clone)]
pub(crate) struct Damaged {
    base: &'static Base,
    changed: BTreeMap<u64, Box<[u8; PAGE_BYTES]>>,
    len: u64,
}

impl Damaged {
    pub(crate) fn of(base: &'static Base) -> Self {
        Self { base, changed: BTreeMap::new(), len: base.bytes.len() as u64 }
    }

    /// A dump that a byte chooses, with changes as the rest of the bytes tell them one after the other.
    pub(crate) fn read(input: &mut Input<'_>) -> Option<Self> {
        let base = Base::of(input.u8()?);
        let mut damaged = Self::of(base);
        while damaged.change(input).is_some() {}
        Some(damaged)
    }

    fn change(&mut self, input: &mut Input<'_>) -> Option<()> {
        /// Bytes of a structure that are changed.
        const REACH: u16 = 0xc00;
        let kind = input.u8()?;
        let (place, within) = (self.base.place(input.u16()?), u64::from(input.u16()? % REACH));
        let at = place.1 + within;
        match kind % 9 {
            0 => self.write(at, &input.u64()?.to_le_bytes()),
            1 => self.write(at, &input.u32()?.to_le_bytes()),
            2 => {
                // A pointer to another structure, or into one.
                let (other, more) = (self.base.place(input.u16()?).0, input.u8()?);
                self.write(at & !7, &other.wrapping_add(more.into()).0.to_le_bytes());
            }
            3 => {
                let other = self.base.place(input.u16()?).1 + u64::from(input.u16()? % REACH);
                let (one, two) = (self.bytes::<8>(at & !7), self.bytes::<8>(other & !7));
                self.write(at & !7, &two);
                self.write(other & !7, &one);
            }
            4 => {
                let (one, two) = (at & !(PAGE_SIZE - 1), self.base.place(input.u16()?).1 & !(PAGE_SIZE - 1));
                let pages = (self.bytes::<PAGE_BYTES>(one), self.bytes::<PAGE_BYTES>(two));
                self.write(one, &pages.1);
                self.write(two, &pages.0);
            }
            5 => {
                let header = u64::from(input.u16()? % 0x2100);
                self.write(header, &input.u32()?.to_le_bytes());
            }
            6 => self.len = self.len.min((self.base.bytes.len() as u64 >> 16) * u64::from(input.u16()?)),
            7 => {
                // An entry of a page table, most often.
                let more = u64::from(input.u8()?).wrapping_sub(128);
                let word = u64::from_le_bytes(self.bytes(at & !7));
                self.write(at & !7, &word.wrapping_add(more).to_le_bytes());
            }
            _ => self.write(at & !(PAGE_SIZE - 1), &[0; PAGE_BYTES]),
        }
        Some(())
    }

    /// Bytes at an offset, as far as the file goes.
    fn bytes<const N: usize>(&self, offset: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let _ = self.read_at(offset, &mut bytes);
        bytes
    }

    /// Overwrites bytes; what would lie behind the end is left out.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (byte, at) in bytes.iter().zip(offset..) {
            let start = at & !(PAGE_SIZE - 1);
            let page = self.changed.entry(start).or_insert_with(|| {
                let held = self.base.bytes.get(index(start)..).unwrap_or_default();
                let mut page = [0; PAGE_BYTES];
                let held = &held[..held.len().min(PAGE_BYTES)];
                page[..held.len()].copy_from_slice(held);
                Box::new(page)
            });
            page[index(at - start)] = *byte;
        }
    }

    pub(crate) fn open(self) -> Option<OpenDump> {
        OpenDump::open("damaged", Arc::new(self), &Known, Options::default()).ok()
    }
}

impl ByteSource for Damaged {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        if end > self.len {
            return Err(ReadError::PastEnd { offset, end });
        }
        self.base.bytes.read_at(offset, out)?;
        let first = offset & !(PAGE_SIZE - 1);
        for (start, page) in self.changed.range(first..end) {
            let (from, to) = (offset.max(*start), end.min(start + PAGE_SIZE));
            let piece = &page[index(from - start)..index(to - start)];
            out[index(from - offset)..index(to - offset)].copy_from_slice(piece);
        }
        Ok(())
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("dumps of the testkit fit into memory")
}
