//! `DUMP_HEADER64`: the first 8 KiB of every dump.

use super::{DumpOptions, Kind};
use crate::image::Image;
use crate::truth::{Dump, Header};

/// Bytes of the header.
pub(super) const SIZE: u64 = 0x2000;
const FILL: &[u8] = b"PAGE";
const COMMENT: usize = 0x80;

/// What the header will say.
pub(super) fn facts(image: &Image, options: &DumpOptions) -> Dump {
    let truth = image.truth();
    let symbol = |name: &str| truth.kernel.symbols.get(name).copied().unwrap_or(0);
    let of_process = options.dtb_of.map(|pid| truth.process(pid).expect("the process was added").dtb);
    let system = truth.process(4).expect("System is always there").dtb;
    let header = Header {
        major: 0xf,
        minor: truth.build,
        dtb: options.dtb.or(of_process).unwrap_or(system) | options.dtb_bits,
        pfn_database: symbol("MmPfnDatabase"),
        ps_loaded_module_list: symbol("PsLoadedModuleList"),
        ps_active_process_head: symbol("PsActiveProcessHead"),
        processors: truth.cpus.len() as u32,
        bugcheck_code: options.bug_check.0.into(),
        bugcheck_parameters: options.bug_check.1.to_vec(),
        kd_debugger_data_block: truth.kernel.kdbg.va,
        context_rip: truth.kernel.symbols.get("KeBugCheckEx").copied().unwrap_or(truth.kernel.base + 0x1_0000),
        system_time: image.system_time,
        system_uptime: image.up_time,
        attributes: match options.kind {
            Kind::Triage | Kind::Raw => options.attributes,
            kind => Some(options.attributes.unwrap_or(kind.attributes())),
        }
        .map(u64::from),
        comment: options.comment.clone(),
    };
    Dump { header, ..Dump::default() }
}

/// The header's bytes. `required` is the space that the writer thought it needed.
pub(super) fn bytes(image: &Image, kind: Kind, facts: &Dump, required: u64) -> Vec<u8> {
    let header = &facts.header;
    let mut bytes = FILL.repeat(SIZE as usize / FILL.len());
    let mut put = |offset: usize, value: &[u8]| bytes[offset..offset + value.len()].copy_from_slice(value);
    put(0, b"PAGEDU64");
    for (offset, value) in [
        (0x8, header.major),
        (0xc, header.minor),
        (0x30, 0x8664),
        (0x34, header.processors),
        (0x38, header.bugcheck_code as u32),
        (0xf98, kind.number()),
        (0x1038, 0xcff),
        (0x1040, 1),
        (0x1044, 0x110),
        (0x1048, 0),
        (0x1054, 7),
    ] {
        put(offset, &value.to_le_bytes());
    }
    for (offset, value) in [
        (0x10, header.dtb),
        (0x18, header.pfn_database),
        (0x20, header.ps_loaded_module_list),
        (0x28, header.ps_active_process_head),
        (0x40, header.bugcheck_parameters[0]),
        (0x48, header.bugcheck_parameters[1]),
        (0x50, header.bugcheck_parameters[2]),
        (0x58, header.bugcheck_parameters[3]),
        (0x80, header.kd_debugger_data_block),
        (0xfa0, required),
        (0xfa8, header.system_time),
        (0x1030, header.system_uptime),
    ] {
        put(offset, &value.to_le_bytes());
    }
    put(0x60, &[0]);
    put(0x104d, &[0]);
    if let Some(attributes) = header.attributes {
        put(0x1050, &(attributes as u32).to_le_bytes());
    }
    if !header.comment.is_empty() {
        let mut comment = [0; COMMENT];
        let length = header.comment.len().min(COMMENT - 1);
        comment[..length].copy_from_slice(&header.comment.as_bytes()[..length]);
        put(0xfb0, &comment);
    }
    put(0x348, &context(image, header.context_rip));
    let mut exception = [0; 0x20];
    exception[..4].copy_from_slice(&0x8000_0003_u32.to_le_bytes());
    exception[4] = 1;
    exception[0x10..0x18].copy_from_slice(&header.context_rip.to_le_bytes());
    exception[0x18..0x1c].fill(0);
    put(0xf00, &exception);
    if kind != Kind::Triage {
        let runs = image.memory.runs();
        put(0x88, &(runs.len() as u32).to_le_bytes());
        put(0x90, &image.memory.frame_count().to_le_bytes());
        for (index, run) in runs.iter().enumerate() {
            put(0x98 + index * 0x10, &run.first.to_le_bytes());
            put(0xa0 + index * 0x10, &run.count.to_le_bytes());
        }
    }
    bytes
}

/// A `CONTEXT` of the current thread, in the kernel.
fn context(image: &Image, rip: u64) -> [u8; 0x4d0] {
    let truth = image.truth();
    let threads = truth.processes.iter().flat_map(|process| &process.threads);
    let stack = threads.into_iter().find(|thread| thread.va == truth.kernel.current_thread);
    let rsp = stack.map_or(0, |thread| thread.stack_base - 0x400);
    let mut bytes = [0; 0x4d0];
    let mut put = |offset: usize, value: &[u8]| bytes[offset..offset + value.len()].copy_from_slice(value);
    put(0x30, &0x0010_001f_u32.to_le_bytes());
    // `MxCsr` stands twice.
    put(0x34, &0x1f80_u32.to_le_bytes());
    put(0x118, &0x1f80_u32.to_le_bytes());
    put(0x11c, &0xffff_u32.to_le_bytes());
    put(0x100, &0x27f_u16.to_le_bytes());
    for (offset, selector) in [(0x38, 0x10_u16), (0x3a, 0x2b), (0x3c, 0x2b), (0x3e, 0x53), (0x40, 0x2b), (0x42, 0x18)] {
        put(offset, &selector.to_le_bytes());
    }
    put(0x44, &0x246_u32.to_le_bytes());
    put(0x98, &rsp.to_le_bytes());
    put(0xf8, &rip.to_le_bytes());
    bytes
}
