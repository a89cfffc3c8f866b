//! Puts a machine together, part after part.

use crate::frames::{FrameUse, Frames, Placement};
use crate::guest::Guest;
use crate::handle_table::Entry;
use crate::image::Image;
use crate::machine::Machine;
use crate::object::ObjectTypes;
use crate::paging::{KERNEL, NO_EXECUTE, PageSize, Space};
use crate::physical::{PAGE, Physical, Run, usual_runs};
use crate::plan::Plan;
use crate::pool::Pool;
use crate::process::Built;
use crate::rng::Rng;
use crate::truth::{Kernel, Truth};
use std::collections::BTreeMap;

/// Everything that the writers of the parts share.
#[derive(Debug)]
pub(crate) struct Assembly<'m> {
    pub(crate) machine: &'m Machine,
    pub(crate) guest: Guest,
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) build: u32,
    pub(crate) types: ObjectTypes,
    pub(crate) truth: Truth,
    pub(crate) built: Vec<Built>,
    pub(crate) cid: BTreeMap<u64, Entry>,
    /// Object bodies by full path.
    pub(crate) namespace: BTreeMap<String, u64>,
    /// Bodies of objects without a name by their type and number.
    pub(crate) unnamed: BTreeMap<(&'static str, u32), u64>,
    /// Key control blocks by full path.
    pub(crate) keys: BTreeMap<String, u64>,
    pub(crate) next_tid: u64,
    /// Frames of images that all processes share, by path.
    pub(crate) shared_images: BTreeMap<String, u64>,
    /// Subsections of mapped files, by path.
    pub(crate) subsections: BTreeMap<String, u64>,
    pub(crate) invalid_pte_mask: u64,
    /// The debugger data block, not encoded.
    pub(crate) kdbg: Vec<u8>,
}

/// 2022-07-22, when the machine started.
pub(crate) const BOOT_TIME: u64 = 133_028_928_000_000_000;
/// How long it has been running: a bit over six days.
pub(crate) const UP_TIME: u64 = 5_267_991_370_457;
/// Where real kernels have the top page table of System.
const SYSTEM_ROOT: u64 = 0x1aa;
/// Where the kernel's image starts in physical memory, if it lies in large pages.
const KERNEL_FRAME: u64 = 0x800;

impl<'m> Assembly<'m> {
    pub(crate) fn new(machine: &'m Machine) -> Self {
        let mut rng = Rng::new(machine.seed);
        let build = machine.layouts.version().map_or(19041, |version| version.build);
        let plan = Plan::new(build, machine.levels, machine.frames >= 0x4000, &mut rng);
        let mut memory = Physical::new(usual_runs(machine.frames));
        let mut frames = Frames::new(machine.placement, rng.next());
        let image_frames = crate::kernel_image::size(&machine.layouts) / PAGE;
        if plan.large_kernel {
            let count = image_frames.next_multiple_of(0x200);
            frames.take(Run { first: KERNEL_FRAME, count }, FrameUse::Kernel);
        }
        let root = if machine.placement == Placement::Descending {
            frames.allocate(&memory, FrameUse::Kernel)
        } else {
            frames.take(Run { first: SYSTEM_ROOT, count: 1 }, FrameUse::Kernel);
            SYSTEM_ROOT
        };
        let kernel = Space::new(&mut memory, root, machine.levels, plan.self_map);
        let invalid_pte_mask = machine.invalid_pte_mask.unwrap_or(1 << 45);
        let guest = Guest {
            layouts: machine.layouts.clone(),
            memory,
            frames,
            kernel,
            nonpaged: Pool::new(plan.nonpaged),
            paged: Pool::new(plan.paged),
            system_ptes: plan.system_ptes,
        };
        let truth = Truth {
            schema: crate::truth::SCHEMA.into(),
            nt_version: machine.layouts.version().map(|version| version.to_string()).unwrap_or_default(),
            build,
            build_lab: build_lab(build),
            kernel: Kernel {
                base: plan.kernel,
                pte_base: kernel.pte_base(),
                self_map_index: plan.self_map,
                paging_levels: machine.levels,
                invalid_pte_mask,
                boot_time: BOOT_TIME,
                ..Kernel::default()
            },
            ..Truth::default()
        };
        Self {
            machine,
            guest,
            plan,
            rng,
            build,
            types: ObjectTypes::default(),
            truth,
            built: Vec::new(),
            cid: BTreeMap::new(),
            namespace: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_tid: 0,
            shared_images: BTreeMap::new(),
            subsections: BTreeMap::new(),
            invalid_pte_mask,
            kdbg: Vec::new(),
        }
    }

    pub(crate) fn finish(mut self) -> Image {
        self.map_kernel();
        self.kernel_image();
        self.shared_data();
        self.object_types();
        self.namespace();
        self.processes();
        self.sessions();
        self.jobs();
        self.hives();
        self.handles();
        self.crossings();
        self.modules();
        self.unloaded_drivers();
        self.processors();
        self.tracing();
        self.callbacks();
        let session_memory = self.services();
        self.memory_manager();
        self.kdbg();
        if let Some(at) = self.symbol("KiKvaShadow") {
            self.guest.write(at, &[u8::from(self.machine.kva_shadow)]);
        }
        self.huge_page();
        self.other_regions();
        for built in &self.built {
            if built.space != self.guest.kernel {
                built.space.share_kernel_half(&mut self.guest.memory, self.guest.kernel);
            }
            if let Some(shadow) = built.shadow {
                shadow.shadow(&mut self.guest.memory, built.space, self.plan.kernel);
            }
        }
        self.map_in_sessions(&session_memory);
        self.translations();
        Image::new(self)
    }

    /// The address of a kernel symbol, which is then part of the truth.
    pub(crate) fn symbol(&mut self, name: &str) -> Option<u64> {
        let address = self.plan.kernel + self.guest.layouts.symbol(name).ok()?.0;
        self.truth.kernel.symbols.insert(name.to_owned(), address);
        Some(address)
    }

    /// Writes a kernel variable of eight bytes, if the symbols have it.
    pub(crate) fn set_symbol(&mut self, name: &str, value: u64) {
        if let Some(address) = self.symbol(name) {
            self.guest.write_u64(address, value);
        }
    }

    /// The address of an exported function, for values that only have to look like code.
    pub(crate) fn code(&mut self, name: &str) -> u64 {
        self.symbol(name).unwrap_or(self.plan.kernel + 0x1_0000)
    }

    fn map_kernel(&mut self) {
        let (base, space) = (self.plan.kernel, self.guest.kernel);
        let size = crate::kernel_image::size(&self.guest.layouts);
        if self.plan.large_kernel {
            for part in 0..size.div_ceil(PageSize::Large.bytes()) {
                let frame = KERNEL_FRAME + part * 0x200;
                self.guest.map(space, base + part * PageSize::Large.bytes(), frame, PageSize::Large, KERNEL);
            }
        } else {
            self.guest.map_new(space, base, size.div_ceil(PAGE), KERNEL);
        }
        self.truth.kernel.size = size;
        self.truth.kernel.system_dtb = space.root * PAGE;
    }

    /// Regions that every kernel has, one page each: readers take a top table with few kernel entries for none.
    fn other_regions(&mut self) {
        const HYPERSPACE: u64 = 0xffff_f700_0108_0000;
        const HAL_HEAP: u64 = 0xffff_ffff_ffd0_0000;
        let space = self.guest.kernel;
        self.guest.map_new(space, HAL_HEAP, 1, KERNEL | NO_EXECUTE);
        if self.build < 14393 {
            self.guest.map_new(space, HYPERSPACE, 1, KERNEL | NO_EXECUTE);
        }
    }

    /// Maps the first GiB of physical memory in one page, where the machine has something there.
    fn huge_page(&mut self) {
        let (space, at) = (self.guest.kernel, self.plan.huge);
        self.guest.map(space, at, 0, PageSize::Huge, KERNEL | NO_EXECUTE);
    }
}

/// `NtBuildLab` of known builds.
fn build_lab(build: u32) -> String {
    match build {
        7601 => "7601.24540.amd64fre.win7sp1_ldr_escrow.191127-1706".into(),
        9600 => "9600.20778.amd64fre.winblue_ltsb_escrow.230103-1732".into(),
        14393 => "14393.5125.amd64fre.rs1_release.220429-1732".into(),
        17763 => "17763.1.amd64fre.rs5_release.180914-1434".into(),
        18362 => "18362.1.amd64fre.19h1_release.190318-1202".into(),
        19041 => "19041.1.amd64fre.vb_release.191206-1406".into(),
        20348 => "20348.1.amd64fre.fe_release.210507-1500".into(),
        22000 => "22000.1.amd64fre.co_release.210604-1628".into(),
        other => format!("{other}.1.amd64fre.unknown.000000-0000"),
    }
}
