//! Small dumps out of large ones: what is needed to look at one process, or at the kernel alone.
//!
//! An extract is a bitmap dump that other readers open. Of a process it holds what answering about the process reads: the
//! questions are asked over a source that notes the frames, and their frames are written. Beside them are the process's
//! own memory, its threads' stacks, the kernel's image and the processors' blocks. Pages that another process maps in its
//! user half are left out, however they were reached: nobody else's memory leaves with the extract. What page tables claim and the
//! file does not hold costs nothing; what an extract lacks it says itself, and in the comment of its header.

mod frame_set;
mod header;
mod recorder;
mod walk;

use crate::error::Error;
use frame_set::FrameSet;
use ntlens_core::address::{PAGE_BYTES, PAGE_SIZE, Pfn, VirtAddr};
use ntlens_core::kdbg::Kdbg;
use ntlens_core::layout::source::LayoutSource;
use ntlens_core::memory::frames::Frames;
use ntlens_core::memory::{PagedSpace, PhysicalImage};
use ntlens_core::nt::snapshot::Options;
use ntlens_core::nt::thread_census;
use ntlens_core::nt::{Process, Snapshot};
use ntlens_core::report::subject::{PID, Subject};
use ntlens_core::report::{Argument, Arguments, OneByOne, QUESTIONS, Wanted};
use ntlens_core::{Absent, Error as CoreError, Incomplete, OpenDump};
use recorder::Recorder;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use walk::{Half, Mapped};

/// What is extracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// What is needed to look at the process with this id.
    Process(u64),
    /// The kernel's memory, and no user pages.
    Kernel,
}

/// Frames that were chosen from a dump, ready to be written.
pub struct Extract {
    image: PhysicalImage,
    frames: FrameSet,
    headers: Vec<u8>,
    first_page: u64,
    bits: u64,
    incomplete: Vec<Incomplete>,
}

impl fmt::Debug for Extract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extract").field("pages", &self.pages()).finish_non_exhaustive()
    }
}

/// Questions without a parameter for the process that are about it all the same.
const ABOUT_PROCESSES: [&str; 9] =
    ["info", "processes", "modules", "unloaded", "crash", "cpus", "jobs", "silos", "sessions"];
/// Where the kernel sees the page of data that all processes share.
const SHARED_DATA: VirtAddr = VirtAddr(0xffff_f780_0000_0000);
/// No kernel stack has more pages.
const MAX_STACK: u64 = 64;
/// Bytes of a `KPCR` before its `KPRCB`, in every x64 Windows.
const PCR: u64 = 0x180;
/// Bytes of a `KPRCB` where the block for debuggers does not tell: more than it has.
const ASSUMED_PRCB: u64 = 0xc000;
/// An image is at most this large.
const MAX_IMAGE: u64 = 1 << 28;
/// Readers of bitmaps take this many bits: 8 TiB of memory.
const MAX_BITS: u64 = 1 << 31;
/// Bits that are in proportion to any dump: 32 GiB of memory, in 1 MiB.
const SMALL_BITS: u64 = 1 << 23;
/// The part of a dump's size that the bitmap may have. One of a complete dump would be of 64 KiB for each 2 GiB: this leaves
/// room for holes between frames that are 2000 times as large as these.
const PART: u64 = 16;

impl Extract {
    /// Chooses the frames. `layouts` and `options` are those with which the dump was opened. Errors: a dump without page
    /// frames (triage) or without a kernel, and a process that is not there.
    pub fn new(dump: &OpenDump, layouts: &dyn LayoutSource, options: Options, of: Of) -> Result<Self, Error> {
        let image = dump.dump().physical()?.clone();
        let kernel = dump.kernel()?;
        let system =
            kernel.space().paged().ok_or(CoreError::Missing { what: "page tables", why: Absent::NotApplicable })?;
        let processes = kernel.processes().processes;
        let mut incomplete = dump.incomplete().to_vec();
        let known = incomplete.len();
        let len = image.source().len();
        let mut lacks = |what: String, count: u64, why: Absent| {
            if count > 0 {
                incomplete.push(Incomplete::new(what, "the extract", why).times(count));
            }
        };
        let cut = Absent::Truncated { offset: len };
        let (mut chosen, mapped) = match of {
            Of::Process(pid) => {
                let (read, missing) = of_process(dump, layouts, options, pid)?;
                lacks("page frames that answering about the process reads".into(), missing, cut);
                let mut mapped = Mapped::default();
                let is_meant = |process: &&Process| process.pid() == Ok(pid);
                for space in processes.iter().filter(is_meant).filter_map(|process| user_space(system, process)) {
                    mapped.add(&space, Half::User);
                }
                (read, mapped)
            }
            Of::Kernel => (FrameSet::default(), of_kernel(system, &processes)),
        };
        lacks("page frames that are mapped".into(), mapped.missing, cut);
        let own = mapped.frames();
        for frame in own.iter() {
            chosen.insert(frame);
        }
        let foreign = foreign(system, &processes, &of);
        let nobodys = nobodys(kernel, system, &processes);
        let held = |frame: Pfn| {
            let end = image.file_offset(frame.base()).ok().and_then(|offset| offset.checked_add(PAGE_SIZE));
            end.is_some_and(|end| end <= len)
        };
        chosen.retain(|frame| {
            let private = foreign.contains(frame) && (of == Of::Kernel || !own.contains(frame));
            held(frame) && (!private || nobodys.contains(frame))
        });
        let most = most_bits(&image);
        let all = chosen.len();
        chosen.retain(|frame| frame.0 < most);
        let what = format!("page frames from {most:#x} on, for which the bitmap would be out of proportion");
        lacks(what, all - chosen.len(), Absent::Malformed);
        let bits = chosen.iter().last().map_or(0, |last| last.0 + 1);
        if bits == 0 {
            let what = format!("no frame below {most:#x} belongs to what is extracted");
            let advice = "a bitmap dump describes those that are in proportion to its size";
            return Err(CoreError::Unsupported { what, advice }.into());
        }
        let missing = incomplete.iter().skip(known).fold(0_u64, |sum, missing| sum.saturating_add(missing.count));
        let first_page = (header::BITS + bits.div_ceil(8)).next_multiple_of(PAGE_SIZE);
        let lack = match missing {
            0 if known == 0 => String::new(),
            0 => "; the dump is incomplete".into(),
            count => format!("; {count} page frames are missing"),
        };
        let headers = header::headers(dump, kernel, of, &lack, chosen.len(), bits, first_page);
        Ok(Self { image, frames: chosen, headers, first_page, bits, incomplete })
    }

    /// What it lacks: what the dump did not hold or contradicts, and frames that were left out.
    pub fn incomplete(&self) -> &[Incomplete] {
        &self.incomplete
    }

    /// How many pages it has.
    pub fn pages(&self) -> u64 {
        self.frames.len()
    }

    /// Whether a frame is in it.
    pub fn contains(&self, frame: Pfn) -> bool {
        self.frames.contains(frame)
    }

    /// Bytes of the dump.
    pub fn size(&self) -> u64 {
        self.first_page + self.pages() * PAGE_SIZE
    }

    /// Writes the dump. An error leaves a dump that is not whole: write to a file that is put in place afterwards. That the
    /// file changed meanwhile is one, too.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), Error> {
        out.write_all(&self.headers)?;
        let mut frames = self.frames.iter().peekable();
        for byte in 0..self.bits.div_ceil(8) {
            let mut set = 0_u8;
            while let Some(frame) = frames.next_if(|frame| frame.0 / 8 == byte) {
                set |= 1 << (frame.0 % 8);
            }
            out.write_all(&[set])?;
        }
        let gap = self.first_page - header::BITS - self.bits.div_ceil(8);
        out.write_all(&vec![0; usize::try_from(gap).unwrap_or(0)])?;
        let mut page = [0; PAGE_BYTES];
        for frame in self.frames.iter() {
            self.image
                .read_in_frame(frame.base(), &mut page)
                .map_err(|why| CoreError::Missing { what: "a frame", why })?;
            out.write_all(&page)?;
        }
        if self.image.source().has_changed() { Err(Error::Changed) } else { Ok(()) }
    }
}

/// How many bits an extract's bitmap may have: such as the dump's own has, or few in proportion to the dump. A wild entry of a
/// page table can lead to a frame that would need a bitmap larger than the rest.
fn most_bits(image: &PhysicalImage) -> u64 {
    let own = match image.frames() {
        Frames::Bitmap(_) => image.end().0,
        Frames::Runs(_) => 0,
    };
    (image.source().len() / PART).saturating_mul(8).max(SMALL_BITS).max(own).min(MAX_BITS)
}

/// What answering about a process reads, and what a debugger would look at besides. Beside it how many frames are missing.
fn of_process(
    dump: &OpenDump,
    layouts: &dyn LayoutSource,
    options: Options,
    pid: u64,
) -> Result<(FrameSet, u64), Error> {
    let recorder = Arc::new(Recorder::new(dump.dump().physical()?));
    let recorded = OpenDump::open(dump.name(), recorder.clone(), layouts, options)?;
    let kernel = recorded.kernel()?;
    let meant = Subject::Pid(pid).choose(&kernel.processes().processes)?;
    for question in QUESTIONS {
        let narrowed = question.parameters().iter().any(|parameter| parameter.name == PID.name);
        if narrowed || ABOUT_PROCESSES.contains(&question.name()) {
            let arguments = Arguments::default();
            let arguments = if narrowed { arguments.with(PID.name, Argument::Number(pid)) } else { arguments };
            // What cannot be answered is not needed.
            let _ = question.ask_with(&recorded, &arguments, Wanted::All, &OneByOne);
        }
    }
    if let Some(space) = kernel.space().paged() {
        touch_kernel(kernel, space);
        for process in &meant {
            touch_stacks(kernel, space, process);
            // Prototype entries that its pages are found through are read on the way.
            if let Some(space) = user_space(space, process) {
                Mapped::default().add(&space, Half::User);
            }
        }
    }
    Ok((recorder.frames(), recorder.missing()))
}

/// Reads a byte of each page of a stretch, so that page and tables are recorded.
fn touch(space: &PagedSpace, start: VirtAddr, bytes: u64) {
    let end = start.0.saturating_add(bytes);
    let mut at = start.0 & !(PAGE_SIZE - 1);
    while at < end {
        match space.translate_or_gap(VirtAddr(at)) {
            Ok(found) => {
                // A page that is not in the dump cannot be recorded.
                let _ = space.physical().read_in_frame(found.at, &mut [0]);
                at = at.saturating_add(PAGE_SIZE);
            }
            Err(gap) => at = (at | (gap.bytes - 1)).saturating_add(1),
        }
    }
}

/// The kernel's image, the page of shared data and the processors' blocks.
fn touch_kernel(kernel: &Snapshot, space: &PagedSpace) {
    if let (Ok(base), Some(headers)) = (kernel.kernel_base(), kernel.kernel_headers()) {
        touch(space, base, u64::from(headers.size).min(MAX_IMAGE));
    }
    touch(space, SHARED_DATA, PAGE_SIZE);
    let size = kernel.kdbg().and_then(Kdbg::size_prcb).unwrap_or(ASSUMED_PRCB);
    for prcb in kernel.processors().iter().filter_map(|processor| processor.prcb().ok()) {
        touch(space, prcb.wrapping_sub(PCR), size + PCR);
    }
}

/// The kernel stacks of a process's threads.
fn touch_stacks(kernel: &Snapshot, space: &PagedSpace, process: &Process) {
    for found in thread_census::threads(kernel, std::slice::from_ref(process)).threads {
        if let (Ok(limit), Ok(base)) = (found.thread.stack_limit(), found.thread.stack_base()) {
            touch(space, limit, base.0.saturating_sub(limit.0).min(MAX_STACK * PAGE_SIZE));
        }
    }
}

/// Everything that is mapped in the kernel's half of any address space.
fn of_kernel(system: &PagedSpace, processes: &[Process]) -> Mapped {
    let mut mapped = Mapped::default();
    mapped.add(system, Half::Kernel);
    for process in processes {
        if let Ok(root) = process.dtb() {
            mapped.add(&system.with_root(root.0), Half::Kernel);
        }
    }
    mapped
}

/// The address space of a process, if it has one of its own.
fn user_space(system: &PagedSpace, process: &Process) -> Option<PagedSpace> {
    let root = process.dtb().ok().filter(|root| root.0 != 0)?;
    Some(system.with_root(root.0))
}

/// Frames that are no one's own memory, whoever maps them in a user half: the kernel's page tables and the roots, its image,
/// and the page of data that everybody shares.
fn nobodys(kernel: &Snapshot, system: &PagedSpace, processes: &[Process]) -> FrameSet {
    let mut mapped = Mapped::default();
    mapped.add(system, Half::Kernel);
    let mut frames = mapped.tables;
    for root in processes.iter().filter_map(|process| process.dtb().ok()) {
        frames.insert(root.pfn());
    }
    let image = kernel.kernel_base().ok().zip(kernel.kernel_headers());
    let image = image.map(|(base, headers)| (base, u64::from(headers.size).min(MAX_IMAGE)));
    for (start, bytes) in image.into_iter().chain([(SHARED_DATA, PAGE_SIZE)]) {
        for offset in (0..bytes).step_by(PAGE_BYTES) {
            if let Ok(found) = system.translate(start.wrapping_add(offset)) {
                frames.insert(found.at.pfn());
            }
        }
    }
    frames
}

/// What the user halves of all processes hold, but for the one that is meant.
fn foreign(system: &PagedSpace, processes: &[Process], of: &Of) -> FrameSet {
    let mut mapped = Mapped::default();
    for process in processes {
        let is_meant = matches!(of, Of::Process(pid) if process.pid() == Ok(*pid));
        let roots = [process.dtb().ok(), process.user_dtb().ok().flatten()];
        for root in roots.into_iter().flatten().filter(|root| !is_meant && root.0 != 0) {
            mapped.add(&system.with_root(root.0), Half::User);
        }
    }
    mapped.frames()
}
