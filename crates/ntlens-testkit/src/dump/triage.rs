//! Type 4: a small dump. It holds no frames but copies of a few structures, and blocks of virtual memory.

use super::{DumpOptions, Written, header, put};
use crate::guest::utf16;
use crate::image::Image;
use crate::truth::Dump;
use std::io::{self, Seek, Write};

const MM_STORAGE: u64 = 0x2080;
const UNLOADED: u64 = 0x20d0;
/// Characters of an unloaded driver's name that are kept.
const UNLOADED_NAME: usize = 12;
const DRIVER_ENTRY: usize = 0x90;
/// At most so much of the stack.
const STACK: u64 = 0x1000;

/// The file behind the main header while it grows.
struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    const fn offset(&self) -> u64 {
        header::SIZE + self.bytes.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) -> u64 {
        let at = self.offset();
        self.bytes.extend(bytes);
        at
    }

    fn align(&mut self, to: usize) {
        let length = self.bytes.len().next_multiple_of(to);
        self.bytes.resize(length, 0);
    }

    fn set(&mut self, offset: u64, bytes: &[u8]) {
        let at = (offset - header::SIZE) as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn set_u32(&mut self, offset: u64, value: u64) {
        self.set(offset, &(value as u32).to_le_bytes());
    }

    fn set_u64(&mut self, offset: u64, value: u64) {
        self.set(offset, &value.to_le_bytes());
    }
}

pub(super) fn write<W: Write + Seek>(
    image: &Image,
    options: &DumpOptions,
    facts: &Dump,
    out: &mut W,
) -> io::Result<Written> {
    let truth = image.truth();
    let current = truth.process(truth.kernel.current_process).expect("the current process was added");
    let thread =
        current.threads.iter().find(|thread| thread.va == truth.kernel.current_thread).expect("it has a thread");
    let cpu = &truth.cpus[0];
    let copy = |structure: &str, address: u64| {
        let size = image.layouts.size_of(structure).expect("the layouts know the size") as usize;
        image.read(address, size).unwrap_or_else(|| panic!("{structure} at {address:#x} is mapped"))
    };

    let mut tail = Tail { bytes: vec![0; (UNLOADED - header::SIZE) as usize] };
    tail.set_u32(MM_STORAGE, 1);
    tail.set_u32(MM_STORAGE + 4, 0x50);
    tail.append(&(truth.unloaded_drivers.len() as u64).to_le_bytes());
    for driver in &truth.unloaded_drivers {
        tail.append(&unloaded(&driver.name, driver.start, driver.end));
    }
    tail.align(8);
    let prcb = tail.append(&copy("_KPRCB", cpu.prcb));
    let process = tail.append(&copy("_EPROCESS", current.eprocess));
    let ethread = tail.append(&copy("_ETHREAD", thread.va));
    tail.align(8);
    let stack = image.read(thread.stack_base - STACK, STACK as usize).expect("the stack's upper part is mapped");
    let stack = tail.append(&stack);
    let kdbg = tail.append(&image.kdbg);
    tail.align(8);

    let drivers = tail.append(&vec![0; truth.modules.len() * DRIVER_ENTRY]);
    let strings = tail.offset();
    for (module, index) in truth.modules.iter().zip(0_u64..) {
        let entry = drivers + index * DRIVER_ENTRY as u64;
        let units = utf16(&module.name);
        let name = tail.append(&(units.len() as u32 / 2).to_le_bytes());
        tail.append(&units);
        tail.append(&[0; 2]);
        tail.align(8);
        tail.set_u32(entry, name);
        tail.set_u64(entry + 0x38, module.base);
        tail.set_u64(entry + 0x48, module.size);
        tail.set_u32(entry + 0x80, module.checksum.into());
        tail.set_u32(entry + 0x88, module.timestamp.into());
    }
    let strings_size = tail.offset() - strings;

    let blocks: Vec<(u64, Vec<u8>)> =
        blocks(image, cpu.prcb).into_iter().filter_map(|(va, size)| Some((va, image.read(va, size)?))).collect();
    let table = tail.append(&vec![0; blocks.len() * 0x10]);
    for ((va, bytes), index) in blocks.iter().zip(0_u64..) {
        let offset = tail.append(bytes);
        tail.set_u64(table + index * 0x10, *va);
        tail.set_u32(table + index * 0x10 + 8, offset);
        tail.set_u32(table + index * 0x10 + 12, bytes.len() as u64);
    }
    tail.align(4);
    tail.append(&[0; 8]);
    let valid = tail.append(b"TRGD");
    for (offset, value) in [
        (0x04, valid + 4),
        (0x08, valid),
        (0x0c, 0x348),
        (0x10, 0xf00),
        (0x14, MM_STORAGE),
        (0x18, UNLOADED),
        (0x1c, prcb),
        (0x20, process),
        (0x24, ethread),
        (0x28, stack),
        (0x2c, STACK),
        (0x30, drivers),
        (0x34, truth.modules.len() as u64),
        (0x38, strings),
        (0x3c, strings_size),
        (0x44, 0xffff_ffff),
        (0x70, kdbg),
        (0x74, image.kdbg.len() as u64),
        (0x78, table),
        (0x7c, blocks.len() as u64),
    ] {
        tail.set_u32(header::SIZE + offset, value);
    }
    tail.set_u64(header::SIZE + 0x48, thread.stack_base - STACK);
    if options.secondary_data {
        tail.append(&secondary_data(truth.build));
    }
    let length = tail.offset();
    put(out, 0, &header::bytes(image, options.kind, facts, length + 0x1000))?;
    put(out, header::SIZE, &tail.bytes)?;
    Ok(Written { length, first_page: None, pages: 0 })
}

/// Blocks of virtual memory worth keeping: addresses and sizes. Not in order of address, as in real dumps.
fn blocks(image: &Image, prcb: u64) -> Vec<(u64, usize)> {
    let truth = image.truth();
    let symbol = |name: &str| truth.kernel.symbols.get(name).copied();
    let mut blocks = vec![
        (truth.kernel.base, 0x400),
        (crate::plan::SHARED_DATA, 0x300),
        // Crosses a page border.
        (truth.processes[0].threads[0].stack_base - 0x1010, 0x20),
        (prcb - 0x180, 0x180),
    ];
    for (name, size) in [
        ("KiProcessorBlock", truth.cpus.len() * 8),
        ("NtBuildLab", 0x40),
        ("NtBuildNumber", 4),
        ("PsLoadedModuleList", 0x10),
        ("PsActiveProcessHead", 0x10),
        ("MmPteBase", 8),
        ("KdpDataBlockEncoded", 1),
    ] {
        blocks.extend(symbol(name).map(|address| (address, size)));
    }
    for cpu in &truth.cpus[1..] {
        let size = image.layouts.size_of("_KPRCB").unwrap_or(0) as usize;
        blocks.push((cpu.prcb, size));
        let size = image.layouts.size_of("_ETHREAD").unwrap_or(0) as usize;
        blocks.push((cpu.current_thread, size));
    }
    blocks
}

fn unloaded(name: &str, start: u64, end: u64) -> [u8; 0x38] {
    let mut bytes = [0; 0x38];
    let units: Vec<u8> = utf16(name).into_iter().take(2 * UNLOADED_NAME).collect();
    let length = units.len() as u16;
    bytes[..2].copy_from_slice(&length.to_le_bytes());
    bytes[2..4].copy_from_slice(&length.to_le_bytes());
    bytes[0x10..0x10 + units.len()].copy_from_slice(&units);
    bytes[0x28..0x30].copy_from_slice(&start.to_le_bytes());
    bytes[0x30..].copy_from_slice(&end.to_le_bytes());
    bytes
}

/// Tagged data: two blobs, one of them without content.
fn secondary_data(build: u32) -> Vec<u8> {
    let mut bytes = b"DumpBlob".to_vec();
    bytes.extend(0x10_u32.to_le_bytes());
    bytes.extend((0xf000_0000 | build).to_le_bytes());
    for (guid, data) in [(0x54c8_4888_01d1_4c1e_bed6_282c_9824_1303, &b"ntlens-testkit"[..]), (0, &[])] {
        let pad = data.len().next_multiple_of(8) - data.len();
        bytes.extend(0x20_u32.to_le_bytes());
        bytes.extend(crate::pe::file_order(guid));
        for value in [data.len(), 0, pad] {
            bytes.extend((value as u32).to_le_bytes());
        }
        bytes.extend(data);
        bytes.extend(&[0; 8][..pad]);
    }
    bytes
}
