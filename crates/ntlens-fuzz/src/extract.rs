//! Extracts from whole dumps with damage as in [`processes`](crate::processes).

use crate::input::Input;
use crate::kernels::Known;
use crate::machine::Damaged;
use ntlens::extract::{Extract, Of};
use ntlens_core::OpenDump;
use ntlens_core::address::PAGE_BYTES;
use ntlens_core::dump::Dump;
use ntlens_core::nt::snapshot::Options;
use std::sync::Arc;

/// Extracts the kernel or a process.
pub fn run(bytes: &[u8]) {
    let Some(dump) = Damaged::read(&mut Input(bytes)).and_then(Damaged::open) else { return };
    let pids: Vec<u64> = dump
        .processes()
        .map_or_else(|_| Vec::new(), |found| found.processes.iter().filter_map(|process| process.pid().ok()).collect());
    let choice = bytes.iter().fold(0_usize, |sum, byte| sum + usize::from(*byte));
    let of = match pids.get(choice % (pids.len() + 1)) {
        Some(pid) => Of::Process(*pid),
        None => Of::Kernel,
    };
    let Ok(extract) = Extract::new(&dump, &Known, Options::default(), of) else { return };
    let mut written = Vec::new();
    // Of a kernel that was found nothing that was chosen is missing.
    extract.write(&mut written).expect("what was chosen can be written");
    assert_eq!(written.len() as u64, extract.size(), "it has another size than it says");
    check(&dump, &extract, written);
}

/// The extract opens, and each of its pages is as in the dump.
fn check(dump: &OpenDump, extract: &Extract, written: Vec<u8>) {
    let small = Dump::open(Arc::new(written)).expect("an extract opens");
    assert_eq!(small.incomplete, [], "an extract contradicts itself");
    assert_eq!(small.pages_present(), Some(extract.pages()), "it has other pages than it says");
    let (old, new) = (dump.dump().physical().expect("frames"), small.physical().expect("frames"));
    for run in new.frames().runs() {
        for frame in run.first.0..run.first.0 + run.count {
            let at = ntlens_core::address::Pfn(frame).base();
            assert!(extract.contains(at.pfn()), "frame {frame:#x} was not chosen");
            let (mut one, mut two) = ([0; PAGE_BYTES], [0; PAGE_BYTES]);
            old.read_in_frame(at, &mut one).expect("a frame of the dump");
            new.read_in_frame(at, &mut two).expect("a frame of the extract");
            assert!(one == two, "frame {frame:#x} differs");
        }
    }
}
