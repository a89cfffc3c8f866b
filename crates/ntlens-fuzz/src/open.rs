//! Any bytes as a dump file: opened, then read through every kind of memory that was found.
use ntlens_core::address::{PAGE_SIZE, PagingLevels, PhysAddr, VirtAddr};
use ntlens_core::dump::{Content, Dump, Triage};
use ntlens_core::memory::pte::PteRules;
use ntlens_core::memory::{PagedSpace, PhysicalImage, VirtualMemory};
use std::sync::Arc;

/// How many runs, blocks and addresses are looked at: enough to meet every branch, few enough to stay fast.
const SOME: usize = 8;

/// Opens and reads.
pub fn run(bytes: &[u8]) {
    check(bytes.to_vec());
}

/// Opens bytes and reads what they hold.
pub(crate) fn check(bytes: Vec<u8>) {
    let Ok(dump) = Dump::open(Arc::new(bytes)) else { return };
    let _ = (dump.is_complete(), dump.pages_present(), dump.pages_described());
    match &dump.content {
        Content::Physical(image) => {
            read_frames(image);
            read_virtual(&dump, image);
        }
        Content::Triage(triage) => read_triage(triage),
        Content::Nothing(_) => {}
    }
}

fn read_frames(image: &PhysicalImage) {
    let frames = image.frames();
    assert!(frames.present(u64::MAX) <= frames.described(), "more frames present than described");
    for run in frames.runs().take(SOME) {
        assert_eq!(frames.offset(run.first), Some(run.offset), "a run starts elsewhere than its first frame");
        check_read(image, run.first.base());
        check_read(image, run.first.base().wrapping_add(PAGE_SIZE - 8));
    }
    for at in [0, image.end().base().0, u64::MAX] {
        check_read(image, PhysAddr(at));
    }
}

/// A read over a frame's end gives the same as reads of one byte each.
fn check_read(image: &PhysicalImage, at: PhysAddr) {
    let mut whole = [0; 16];
    let read = image.read(at, &mut whole);
    let end = read.map_or_else(|hole| hole.done, |()| whole.len());
    for (distance, expected) in (0_u64..).zip(whole.iter().take(end)) {
        let mut byte = [0];
        assert!(image.read(at.wrapping_add(distance), &mut byte).is_ok(), "a byte of a read cannot be read alone");
        assert_eq!(byte[0], *expected, "a byte differs when it is read alone");
    }
}

fn read_virtual(dump: &Dump, image: &PhysicalImage) {
    let Some(root) = dump.header_dtb() else { return };
    let header = dump.header.as_ref();
    let heads = header.map(|header| [header.ps_loaded_module_list, header.ps_active_process_head, header.pfn_database]);
    let heads = heads.into_iter().flatten().flatten().map(|head| head.0);
    let addresses: Vec<_> = heads.chain([0, 0x7ffe_0000, 0xffff_f780_0000_0000, u64::MAX]).collect();
    for levels in [PagingLevels::Four, PagingLevels::Five] {
        let space = PagedSpace::new(image.clone(), root.0, levels, PteRules::unknown_kernel(image.end()));
        let _ = space.has_self_map();
        for at in &addresses {
            let _ = space.translate(VirtAddr(*at));
            let _ = space.read(VirtAddr(*at), &mut [0; 24]);
        }
    }
}

fn read_triage(triage: &Triage) {
    let blocks = triage.space.blocks().iter().take(SOME).map(|block| block.start);
    let structures = [triage.process, triage.thread, triage.prcb];
    for at in blocks.chain(structures.into_iter().flatten()) {
        let mut out = [0; 64];
        let _ = triage.space.read(at, &mut out);
        let _ = triage.space.read_around_holes(at.wrapping_sub(8), &mut out);
    }
}
