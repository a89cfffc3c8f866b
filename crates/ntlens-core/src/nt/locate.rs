//! Finding the kernel in physical memory: the root of its page tables, the image, and the block for debuggers.
//!
//! The header of a dump gives addresses; each is checked before it is used. Where they are blank or wrong, and in raw
//! memory, the kernel is searched for: roots of page tables point back at themselves, and below the right one lies an
//! image whose symbols are named `ntkrnlmp.pdb`.

use crate::address::{PAGE_BYTES, PAGE_SIZE, PagingLevels, Pfn, PhysAddr, VirtAddr};
use crate::dump::Dump;
use crate::dump::header64::offsets;
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::kdbg::{self, Kdbg};
use crate::layout::source::ImageSymbols;
use crate::memory::paging::self_map_slot;
use crate::memory::pte::PteRules;
use crate::memory::{PagedSpace, PhysicalImage, VirtualMemory};
use crate::nt::image::{ImageHeaders, is_kernel_pdb, positions};
use crate::nt::list::Links;
use crate::nt::shared_data;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The kernel of a dump.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The address space in which it was found.
    pub space: PagedSpace,
    /// Base of the image.
    pub base: VirtAddr,
    /// The image's headers, if they are in the dump.
    pub headers: Option<ImageHeaders>,
    /// The identity of its symbols, if it could be found.
    pub symbols: Option<ImageSymbols>,
    /// The block for debuggers, if it could be read without symbols.
    pub kdbg: Option<Kdbg>,
    /// Where the block lies, readable or not.
    pub kdbg_at: Option<VirtAddr>,
    /// What of the header was wrong.
    pub incomplete: Vec<Incomplete>,
}

/// Pages of physical memory that are searched for roots of page tables: 4 GiB. The first root lies in low memory.
const MAX_SEARCHED_FRAMES: u64 = 1 << 20;
/// Pages of zeros among them: a file that holds hardly anything is not worth more.
const MAX_BLANK_FRAMES: u64 = 1 << 16;
/// The kernel's image begins at most so many bytes below any of its variables.
const MAX_BELOW: u64 = 0x400_0000;
/// Bytes of an image that are searched if its headers do not give a size.
const ASSUMED_SIZE: u32 = 0x200_0000;
/// Pages of kernel space that are looked at in search of the image, below all roots together: 8 GiB of mapped pages.
const MAX_SEARCHED_PAGES: u64 = 1 << 21;
/// The same for each page that the file holds: page tables that lead to themselves map anything.
const SEARCHED_FOR_EACH: u64 = 64;
/// Where Windows loads the kernel and its drivers: `MiAssignTopLevelRanges` keeps them in the top 8 TiB.
const IMAGE_SPACE: core::ops::Range<u64> = 0xffff_f800_0000_0000..0xffff_ffff_8000_0000;

/// Finds the kernel. `dtb` is a root that the user gives, instead of the header's.
pub fn locate(dump: &Dump, dtb: Option<PhysAddr>) -> Result<Kernel, Error> {
    let physical = dump.physical()?;
    let hints = Hints::of(dump);
    let held = physical.frames().present(physical.source().len());
    let most = held.saturating_mul(SEARCHED_FOR_EACH).min(MAX_SEARCHED_PAGES);
    let mut budget = most;
    let mut tried = Vec::new();
    let given = dtb.or_else(|| dump.header_dtb());
    if let Some(root) = given {
        match below_root(physical, root, &hints, &mut budget) {
            Ok(kernel) => return Ok(kernel),
            Err(why) => tried.push(format!("the page tables at {root} {why}")),
        }
    } else {
        tried.push("the header gives no page tables".into());
    }
    // A root that the user gives is not second-guessed.
    if dtb.is_none() {
        let mut roots = 0;
        let mut search = RootSearch::default();
        for root in search.roots(physical) {
            roots += 1;
            if let Ok(mut kernel) = below_root(physical, root, &hints, &mut budget) {
                if let Some(header) = &dump.header {
                    let at = offsets::DIRECTORY_TABLE_BASE;
                    let (structure, field) = ("DUMP_HEADER64", "DirectoryTableBase");
                    let found = header.directory_table_base.map(PhysAddr);
                    let found = found.map_or_else(|| NOT_FILLED_IN.into(), |found| format!("{found}"));
                    kernel.incomplete.insert(0, Incomplete::contradiction(structure, field, at, found, root));
                }
                return Ok(kernel);
            }
        }
        tried.push(format!("{roots} frames look like the root of page tables, none leads to a kernel"));
        if search.ended_early {
            tried.push(format!("the search ended after {} frames, {} of them blank", search.frames, search.blank));
        }
    }
    if budget == 0 {
        tried.push(format!("the search for an image ended after {most} pages"));
    }
    Err(Error::NoKernel { tried: tried.join("; ") })
}

/// Addresses that the header gives.
struct Hints {
    kdbg: Option<VirtAddr>,
    modules: Option<VirtAddr>,
    processes: Option<VirtAddr>,
    /// There is a header that should give them.
    of_header: bool,
}

impl Hints {
    fn of(dump: &Dump) -> Self {
        let header = dump.header.as_ref();
        Self {
            kdbg: header.and_then(|header| header.kd_debugger_data_block),
            modules: header.and_then(|header| header.ps_loaded_module_list),
            processes: header.and_then(|header| header.ps_active_process_head),
            of_header: header.is_some(),
        }
    }

    /// The heads of the two lists.
    fn lists(&self) -> impl Iterator<Item = VirtAddr> {
        self.modules.into_iter().chain(self.processes)
    }
}

fn below_root(
    physical: &PhysicalImage,
    root: PhysAddr,
    hints: &Hints,
    budget: &mut u64,
) -> Result<Kernel, &'static str> {
    let rules = PteRules::unknown_kernel(physical.end());
    let space = |levels| PagedSpace::new(physical.clone(), root.0, levels, rules);
    let four = space(PagingLevels::Four);
    let five = space(PagingLevels::Five);
    // The page of shared data is mapped in every address space of Windows, at the right depth only.
    let space = if shared_data::version(&four).is_some() {
        four
    } else if shared_data::version(&five).is_some() {
        five
    } else if hints.lists().any(|at| four.read_u64(at).is_ok()) {
        four
    } else if hints.lists().any(|at| five.read_u64(at).is_ok()) {
        five
    } else {
        return Err("map neither the shared data page nor the header's lists");
    };
    kernel_in(space, hints, budget).ok_or("map no kernel image")
}

fn kernel_in(space: PagedSpace, hints: &Hints, budget: &mut u64) -> Option<Kernel> {
    let kdbg = hints.kdbg.and_then(|at| read_kdbg(&space, at));
    let mut incomplete = Vec::new();
    let by_kdbg = kdbg.as_ref().and_then(Kdbg::kern_base);
    let by_module = hints.modules.and_then(|head| first_module_base(&space, head));
    // Two witnesses that agree are believed without headers, which are often paged out.
    let known = by_kdbg.filter(|base| by_module.is_none_or(|other| other == *base)).or(by_module);
    let headers = |base| ImageHeaders::read(&space, base).ok().filter(|headers| is_kernel(&space, headers));
    let near = hints.lists().chain(hints.kdbg);
    let (base, headers) = if let Some(base) = known {
        (base, ImageHeaders::read(&space, base).ok())
    } else {
        let below = near.into_iter().find_map(|at| image_below(&space, at));
        let found = below.and_then(headers).or_else(|| search_image(&space, budget))?;
        (found.base, Some(found))
    };
    let symbols =
        headers.and_then(|headers| headers.codeview(&space).ok()).filter(|found| is_kernel_pdb(&found.pdb_name));
    let size = headers.map_or(ASSUMED_SIZE, |headers| headers.size);
    let symbols = symbols.or_else(|| ImageHeaders::search_codeview(&space, base, size).ok());
    let (kdbg, kdbg_at) = if let Some(kdbg) = kdbg {
        (Some(kdbg), hints.kdbg)
    } else {
        let found = search_kdbg(&space, base, size);
        // Without one, the block may be encoded where the header says: that is seen once the layout is known.
        if let Some((at, _)) = found.as_ref().filter(|_| hints.of_header) {
            incomplete.push(wrong_kdbg(hints.kdbg, format!("{at}")));
        }
        let found = found.or_else(|| encoded_kdbg(&space, base, size, headers.as_ref(), hints));
        found.map_or((None, hints.kdbg), |(at, kdbg)| (Some(kdbg), Some(at)))
    };
    Some(Kernel { space, base, headers, symbols, kdbg, kdbg_at, incomplete })
}

/// What the header holds where it gives no address.
pub(crate) const NOT_FILLED_IN: &str = "zero or not filled in";

/// The header gives another address for the block for debuggers than that where it is, or none.
pub(crate) fn wrong_kdbg(found: Option<VirtAddr>, expected: String) -> Incomplete {
    let (structure, field, at) = ("DUMP_HEADER64", "KdDebuggerDataBlock", offsets::KD_DEBUGGER_DATA_BLOCK);
    let found = found.map_or_else(|| NOT_FILLED_IN.into(), |found| format!("{found}"));
    Incomplete::contradiction(structure, field, at, found, expected)
}

/// Reads a block that is not encoded.
pub(crate) fn read_kdbg<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> Option<Kdbg> {
    let mut header = [0; kdbg::HEADER_SIZE];
    memory.read(at, &mut header).ok()?;
    let mut bytes = alloc::vec![0; Kdbg::size_in(&header).ok()?];
    memory.read(at, &mut bytes).ok()?;
    Kdbg::parse(&bytes).ok()
}

/// Base of the first module of the list, which is the kernel. `KLDR_DATA_TABLE_ENTRY.DllBase` has not moved in any
/// version of Windows for x64; the base is used only if the headers or KDBG confirm it.
fn first_module_base(space: &PagedSpace, head: VirtAddr) -> Option<VirtAddr> {
    const DLL_BASE: u64 = 0x30;
    let first = Links::read(space, head).ok()?.flink;
    let back = Links::read(space, first).ok()?.blink;
    let base = space.read_pointer(first.wrapping_add(DLL_BASE)).ok()?;
    let plausible = back == head && base.is_kernel() && base.0.is_multiple_of(PAGE_SIZE);
    let above = head.0.checked_sub(base.0).is_some_and(|offset| offset < MAX_BELOW);
    (plausible && above).then_some(base)
}

/// The nearest image below one of the kernel's variables.
fn image_below(space: &PagedSpace, at: VirtAddr) -> Option<VirtAddr> {
    let top = at.0 & !(PAGE_SIZE - 1);
    (0..MAX_BELOW / PAGE_SIZE).find_map(|page| {
        let base = VirtAddr(top.checked_sub(page * PAGE_SIZE)?);
        ImageHeaders::read(space, base).ok().filter(|headers| headers.contains(at)).map(|headers| headers.base)
    })
}

fn is_kernel(space: &PagedSpace, headers: &ImageHeaders) -> bool {
    headers.codeview(space).is_ok_and(|found| is_kernel_pdb(&found.pdb_name))
        || headers.export(space, "PsInitialSystemProcess").is_ok()
}

/// Looks at the first bytes of every page that is mapped where Windows loads images. `budget` is what all searches of one
/// dump may look at together.
fn search_image(space: &PagedSpace, budget: &mut u64) -> Option<ImageHeaders> {
    let mut at = IMAGE_SPACE.start;
    while at < IMAGE_SPACE.end && *budget > 0 {
        *budget -= 1;
        let mut start = [0; 2];
        match space.translate_or_gap(VirtAddr(at)) {
            Ok(found) => {
                if space.physical().read_in_frame(found.at, &mut start).is_ok() && &start == b"MZ" {
                    let headers = ImageHeaders::read(space, VirtAddr(at)).ok();
                    if let Some(headers) = headers.filter(|headers| is_kernel(space, headers)) {
                        return Some(headers);
                    }
                }
                at += PAGE_SIZE;
            }
            Err(gap) => at = (at | (gap.bytes - 1)).saturating_add(1),
        }
    }
    None
}

/// Looks for the block for debuggers in the kernel's image.
fn search_kdbg(space: &PagedSpace, base: VirtAddr, size: u32) -> Option<(VirtAddr, Kdbg)> {
    let mut page = [0; PAGE_BYTES];
    for offset in (0..u64::from(size)).step_by(page.len()) {
        let at = base.wrapping_add(offset);
        if space.read_in_page(at, &mut page).is_err() {
            continue;
        }
        for found in positions(&page, kdbg::TAG) {
            let start = at.wrapping_add(found as u64).wrapping_sub(kdbg::TAG_OFFSET as u64);
            let kdbg = read_kdbg(space, start).filter(|kdbg| kdbg.kern_base() == Some(base));
            if let Some(kdbg) = kdbg {
                return Some((start, kdbg));
            }
        }
    }
    None
}

/// Looks for an encoded block, without symbols: where the header says, else in the kernel's image. It must hold the image's
/// base and the heads of the lists, and those tell how it is encoded.
fn encoded_kdbg(
    space: &PagedSpace,
    base: VirtAddr,
    size: u32,
    headers: Option<&ImageHeaders>,
    hints: &Hints,
) -> Option<(VirtAddr, Kdbg)> {
    const MODULES: usize = 0x48;
    const PROCESSES: usize = 0x50;
    let exported = || headers?.export(space, "PsLoadedModuleList").ok();
    let modules = hints.modules.or_else(exported)?;
    let processes = hints.processes.map(|head| (PROCESSES, head.0));
    let known: Vec<(usize, u64)> =
        [(kdbg::KERN_BASE, base.0), (MODULES, modules.0)].into_iter().chain(processes).collect();
    let decode = |at: VirtAddr| {
        // The block's size is encoded with it.
        let mut bytes = alloc::vec![0; kdbg::MAX_SIZE as usize];
        let held = space.read(at, &mut bytes).map_or_else(|hole| hole.done, |()| bytes.len());
        bytes.truncate(held);
        Kdbg::decode_by_known(&bytes, &known).map(|kdbg| (at, kdbg))
    };
    if let Some(at) = hints.kdbg {
        return decode(at);
    }
    // Rotation keeps the number of bits that two encoded numbers differ in.
    let bits = (base.0 ^ modules.0).count_ones();
    let apart = (MODULES - kdbg::KERN_BASE) / 8;
    let mut page = [0; PAGE_BYTES];
    for offset in (0..u64::from(size)).step_by(page.len()) {
        let at = base.wrapping_add(offset);
        if space.read_in_page(at, &mut page).is_err() {
            continue;
        }
        let (words, _) = page.as_chunks::<8>();
        for (index, (one, other)) in words.iter().zip(words.iter().skip(apart)).enumerate() {
            if (u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other)).count_ones() == bits {
                let start = at.wrapping_add(index as u64 * 8).wrapping_sub(kdbg::KERN_BASE as u64);
                if let Some(found) = decode(start) {
                    return Some(found);
                }
            }
        }
    }
    None
}

/// The search for frames that hold a page pointing back at itself, as the root of every Windows address space does.
#[derive(Debug, Default)]
struct RootSearch {
    /// Frames that were looked at.
    frames: u64,
    /// Frames of zeros among them.
    blank: u64,
    /// There were more, and they were not looked at.
    ended_early: bool,
}

impl RootSearch {
    fn roots<'s>(&'s mut self, physical: &'s PhysicalImage) -> impl Iterator<Item = PhysAddr> + 's {
        let mut frames =
            physical.frames().runs().flat_map(|run| (0..run.count).map(move |index| Pfn(run.first.0 + index)));
        let mut page = [0; PAGE_BYTES];
        core::iter::from_fn(move || {
            for pfn in frames.by_ref() {
                if self.frames >= MAX_SEARCHED_FRAMES || self.blank >= MAX_BLANK_FRAMES {
                    self.ended_early = true;
                    return None;
                }
                self.frames += 1;
                let root = pfn.base();
                let held = physical.read_in_frame(root, &mut page).is_ok();
                if !held || page.as_chunks::<8>().0.iter().all(|word| *word == [0; 8]) {
                    self.blank += 1;
                } else if self_map_slot(&page, root).is_some() {
                    return Some(root);
                }
            }
            None
        })
    }
}
