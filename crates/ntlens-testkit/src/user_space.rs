//! User memory: the environment block, process parameters, and the loader's list of images.

use crate::assembly::Assembly;
use crate::guest::utf16;
use crate::loader32::Loader32;
use crate::paging::{NO_EXECUTE, PageSize, Space, USER, USER_READ};
use crate::pe::{Image, TEXT};
use crate::physical::PAGE;
use crate::plan::{SHARED_DATA, SHARED_DATA_USER};
use crate::process_spec::ProcessSpec;
use crate::truth::Dll;

/// What was written into a process' user memory.
#[derive(Clone, Debug)]
pub(crate) struct UserMemory {
    pub(crate) peb: u64,
    /// What a 32-bit program sees.
    pub(crate) loader32: Option<Loader32>,
    pub(crate) image_base: u64,
    pub(crate) command_line: String,
    pub(crate) current_directory: String,
    pub(crate) dlls: Vec<Dll>,
    /// Start and end of the memory with strings and loader data.
    pub(crate) heap: (u64, u64),
}

const PARAMETERS: &str = "_RTL_USER_PROCESS_PARAMETERS";
const SYSTEM32: &str = "C:\\Windows\\System32\\";
/// Images that all processes share: name, offset in the region of system images, size.
const SHARED: &[(&str, u64, u64)] =
    &[("ntdll.dll", 0, 0x1f_5000), ("KERNEL32.DLL", 0x40_0000, 0xb_e000), ("KERNELBASE.dll", 0x80_0000, 0x2c_e000)];

/// Memory of a process that is handed out from the bottom up.
pub(crate) struct Heap {
    space: Space,
    start: u64,
    next: u64,
    mapped: u64,
}

impl Heap {
    pub(crate) const fn new(space: Space, start: u64) -> Self {
        Self { space, start, next: start, mapped: start }
    }

    /// Start and end.
    pub(crate) const fn range(&self) -> (u64, u64) {
        (self.start, self.mapped)
    }

    pub(crate) fn alloc(&mut self, assembly: &mut Assembly<'_>, bytes: u64) -> u64 {
        let at = self.next;
        self.next = (at + bytes).next_multiple_of(16);
        while self.mapped < self.next {
            assembly.guest.map_new(self.space, self.mapped, 1, USER | NO_EXECUTE);
            self.mapped += PAGE;
        }
        at
    }

    pub(crate) fn text(&mut self, assembly: &mut Assembly<'_>, text: &str) -> (u64, u16) {
        let units = utf16(text);
        let at = self.alloc(assembly, units.len() as u64 + 2);
        assembly.guest.write_in(self.space, at, &units);
        (at, units.len() as u16)
    }
}

impl Assembly<'_> {
    pub(crate) fn user_memory(&mut self, spec: &ProcessSpec, space: Space, path: &str, created: u64) -> UserMemory {
        let classic = self.build < 9200;
        let peb = if classic {
            0x7ff_fffd_0000 + self.rng.below(8) * PAGE
        } else {
            (self.rng.below(0xff) + 1) << 32 | self.rng.below(0x7f) << 20
        };
        let heap_start = if classic { 0x2_0000 } else { 0x1f0_0000_0000 + (self.rng.below(0x10000) << 16) };
        let image_base = if classic { 0x1_3f00_0000 } else { 0x7ff6_0000_0000 } + (self.rng.below(0x8000) << 16);
        let images = if classic { 0x7700_0000 } else { 0x7ffb_0c00_0000 };
        let win_path = windows_path(path);
        let command_line = spec.command_line.clone().unwrap_or_else(|| format!("\"{win_path}\""));
        let current_directory = SYSTEM32.to_owned();

        let (shared, _) = self.guest.kernel.entry(&self.guest.memory, SHARED_DATA).expect("shared data is mapped");
        self.guest.map(space, SHARED_DATA_USER, shared >> 12 & 0xff_ffff_ffff, PageSize::Small, USER_READ | NO_EXECUTE);
        self.guest.map_new(space, peb, 1, USER | NO_EXECUTE);
        let mut heap = Heap::new(space, heap_start);

        let size = 0x1_0000 + self.rng.below(0x100) * PAGE;
        self.guest.map_new(space, image_base, 1, USER);
        let head = user_image(&spec.name, size, image_base, false, self.rng.next() as u32);
        self.guest.write_in(space, image_base, &head);
        // One that was linked to is loaded once and stays; the last was asked for later, twice.
        let image = |index: u64, name: &str, path: String, base: u64, size: u64| Dll {
            name: name.into(),
            path,
            base,
            size,
            entry: base + 0x1000,
            // ImageDll, ProcessAttachCalled; the program itself is no DLL.
            flags: if index == 0 { 0 } else { 0x8_0004 },
            load_time: Some(created + 10_000 * (index + 1)),
            load_count: Some(if index < SHARED.len() as u64 { u32::MAX } else { 2 }),
            load_reason: Some(if index < SHARED.len() as u64 { 0 } else { 4 }),
        };
        let mut dlls = vec![image(0, &spec.name, win_path.clone(), image_base, size)];
        for (index, (name, offset, size)) in (1..).zip(SHARED) {
            let base = images + offset;
            self.shared_image(space, name, base, *size);
            dlls.push(image(index, name, format!("{SYSTEM32}{name}"), base, *size));
        }

        let parameters = self.parameters(&mut heap, &win_path, &command_line, &current_directory);
        let ldr = self.loader_data(&mut heap, &dlls);
        let version = self.guest.layouts.version();
        let (major, minor) = version.map_or((10, 0), |version| (version.major, version.minor));
        let (build, processors) = (u64::from(self.build), u64::from(self.machine.processors));
        self.guest
            .at_in(space, peb, "_PEB")
            .set("ImageBaseAddress", image_base)
            .set("Ldr", ldr)
            .set("ProcessParameters", parameters)
            .set("ProcessHeap", heap_start)
            .set("NumberOfProcessors", processors)
            .set("OSMajorVersion", u64::from(major))
            .set("OSMinorVersion", u64::from(minor))
            .set("OSBuildNumber", build & 0xffff)
            .set("OSPlatformId", 2)
            .set("ImageSubsystem", 2)
            .set("SessionId", u64::from(spec.session.unwrap_or(0)));
        if self.guest.offset("_PEB", "Ldr").is_none() {
            // The same in every build; needed when the layouts leave user structures out.
            for (offset, value) in [(0x10, image_base), (0x18, ldr), (0x20, parameters)] {
                self.guest.write_in(space, peb + offset, &value.to_le_bytes());
            }
        }
        self.set_page_state(space, peb, spec.peb_page);
        let loader32 = spec.wow64.then(|| self.loader32(space, &spec.name, &win_path));
        let heap = heap.range();
        UserMemory { peb, loader32, image_base, command_line, current_directory, dlls, heap }
    }

    fn parameters(&mut self, heap: &mut Heap, path: &str, command_line: &str, directory: &str) -> u64 {
        let size = self.guest.size_of(PARAMETERS, 0x440);
        let at = heap.alloc(self, size);
        let directory = heap.text(self, directory);
        let image = heap.text(self, path);
        let line = heap.text(self, command_line);
        let variables = "ComSpec=C:\\Windows\\system32\\cmd.exe\0SystemRoot=C:\\Windows\0windir=C:\\Windows\0";
        let environment = heap.text(self, variables);
        let desktop = heap.text(self, "Winsta0\\Default");
        self.guest
            .at_in(heap.space, at, PARAMETERS)
            .set("MaximumLength", size)
            .set("Length", size)
            .set("Flags", 0x6001)
            .text("CurrentDirectory.DosPath", directory)
            .text("ImagePathName", image)
            .text("CommandLine", line)
            .text("WindowTitle", image)
            .text("DesktopInfo", desktop)
            .set("Environment", environment.0)
            .set("EnvironmentSize", u64::from(environment.1) + 2);
        at
    }

    fn loader_data(&mut self, heap: &mut Heap, dlls: &[Dll]) -> u64 {
        const LISTS: [(&str, &str); 3] = [
            ("InLoadOrderModuleList", "InLoadOrderLinks"),
            ("InMemoryOrderModuleList", "InMemoryOrderLinks"),
            ("InInitializationOrderModuleList", "InInitializationOrderLinks"),
        ];
        let ldr = heap.alloc(self, 0x60);
        let space = heap.space;
        self.guest
            .at_in(space, ldr, "_PEB_LDR_DATA")
            .set("Length", 0x58)
            .set("Initialized", 1)
            .ring(LISTS[0].0)
            .ring(LISTS[1].0)
            .ring(LISTS[2].0);
        for (index, dll) in dlls.iter().enumerate() {
            let size = self.guest.size_of("_LDR_DATA_TABLE_ENTRY", 0x120);
            let entry = heap.alloc(self, size);
            let (path, name) = (heap.text(self, &dll.path), heap.text(self, &dll.name));
            // Since Windows 8 the count lies in a node of its own.
            let node = heap.alloc(self, 0x50);
            self.guest.at_in(space, node, "_LDR_DDAG_NODE").set("LoadCount", dll.load_count.unwrap_or(0).into());
            self.guest
                .at_in(space, entry, "_LDR_DATA_TABLE_ENTRY")
                .set("DllBase", dll.base)
                .set("EntryPoint", dll.entry)
                .set("SizeOfImage", dll.size)
                .set("Flags", dll.flags.into())
                .set("LoadTime", dll.load_time.unwrap_or(0))
                .set("LoadReason", dll.load_reason.unwrap_or(0).into())
                .set("DdagNode", node)
                .set("LoadCount", dll.load_count.unwrap_or(0).into())
                .text("FullDllName", path)
                .text("BaseDllName", name)
                .set("OriginalBase", dll.base);
            // The image itself is not initialised by the loader.
            for (head, links) in LISTS.iter().take(if index == 0 { 2 } else { 3 }) {
                let offsets =
                    (self.guest.offset("_PEB_LDR_DATA", head), self.guest.offset("_LDR_DATA_TABLE_ENTRY", links));
                if let (Some(head), Some(links)) = offsets {
                    self.guest.append(space, ldr + head, entry + links);
                }
            }
        }
        ldr
    }

    /// Maps the header of an image that all processes share.
    fn shared_image(&mut self, space: Space, name: &str, base: u64, size: u64) {
        if let Some(frame) = self.shared_images.get(name) {
            let frame = *frame;
            self.guest.map(space, base, frame, PageSize::Small, USER_READ);
            return;
        }
        self.guest.map_new(space, base, 1, USER_READ);
        let frame = space.translate(&self.guest.memory, base).unwrap().physical / PAGE;
        let head = user_image(name, size, base, true, 0x6000_0000 + size as u32);
        self.guest.memory.write(frame * PAGE, &head);
        self.shared_images.insert(name.to_owned(), frame);
    }

    /// A thread's environment block, two pages each after the process'.
    pub(crate) fn teb(&mut self, space: Space, user: &UserMemory, number: u32, pid: u64, tid: u64) -> u64 {
        let step = (u64::from(number) * 2 + 1) * PAGE;
        let teb = if self.build < 9200 { user.peb - step - PAGE } else { user.peb + step };
        self.guest.map_new(space, teb, 1, USER | NO_EXECUTE);
        self.guest
            .at_in(space, teb, "_TEB")
            .set("NtTib.Self", teb)
            .set("ClientId.UniqueProcess", pid)
            .set("ClientId.UniqueThread", tid)
            .set("ProcessEnvironmentBlock", user.peb);
        teb
    }
}

/// The header page of an image in user memory.
fn user_image(name: &str, size: u64, base: u64, dll: bool, timestamp: u32) -> Vec<u8> {
    let image = Image {
        name,
        size: size as u32,
        timestamp,
        checksum: 0,
        preferred_base: base,
        dll,
        version: (10, 0),
        pdb: None,
        sections: vec![(".text", 0x1000, size as u32, TEXT)],
        exports: Vec::new(),
        directories: 0,
    };
    image.write().0
}

/// The path with a drive letter, as programs see it.
fn windows_path(path: &str) -> String {
    match path.strip_prefix("\\Device\\HarddiskVolume3") {
        Some(rest) => format!("C:{rest}"),
        None => path.to_owned(),
    }
}
