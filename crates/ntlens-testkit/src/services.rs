//! System services: their tables and descriptions, and code integrity's callbacks.

use crate::assembly::Assembly;
use crate::frames::FrameUse;
use crate::machine::{ModuleSpec, Win32k};
use crate::paging::{KERNEL, NO_EXECUTE, PageSize};
use crate::physical::PAGE;
use crate::truth::Service;

/// How many services the kernel has, and win32k.
const NT: u32 = 401;
const WIN32K: u32 = 827;
/// Number of the first service of win32k.
const FIRST_OF_WIN32K: u32 = 4096;
/// Where routines are taken to begin in an image, and how far one is from the next.
const ROUTINES: u64 = 0x1_1000;
const DISTANCE: u64 = 0x30;
/// Where win32k's table lies in its image, and the bytes of its services' arguments.
const TABLE: u64 = 0x2000;
const ARGUMENTS: u64 = 0x1000;
/// The image of win32k in the memory of sessions, which has an entry of the top table to itself.
const SESSION_IMAGE: u64 = 0xffff_f960_0010_0000;
const IMAGE_SIZE: u64 = 0x10_0000;

/// Pages of win32k that only processes of sessions see: address and content.
pub(crate) type SessionMemory = Vec<(u64, Vec<u8>)>;

impl Assembly<'_> {
    /// Where win32k will be, so that the list of modules can tell it; `None` without win32k.
    pub(crate) fn win32k_module(&self) -> Option<(ModuleSpec, u64)> {
        let session = self.machine.win32k? == Win32k::Session;
        session.then(|| (ModuleSpec::named("win32k.sys").size(IMAGE_SIZE), SESSION_IMAGE))
    }

    /// Writes the tables; what is visible in sessions only is returned.
    pub(crate) fn services(&mut self) -> SessionMemory {
        self.ci_callbacks();
        for (name, bytes) in self.machine.variables.clone() {
            let at = self.symbol(&name).unwrap_or_else(|| panic!("the symbols have no {name}"));
            self.guest.write(at, &bytes);
        }
        let mut session_memory = Vec::new();
        let base = self.plan.kernel;
        let symbols = ["KiServiceTable", "KeServiceDescriptorTable", "KeServiceDescriptorTableShadow"];
        let [Some(table), Some(plain), Some(shadow)] = symbols.map(|name| self.symbol(name)) else {
            return session_memory;
        };
        // The bytes of arguments lie behind the table and the number of services.
        let arguments = table + u64::from(NT) * 4 + 4;
        let (entries, bytes) = self.service_table(table, NT, 0, base + ROUTINES, "ntoskrnl.exe");
        self.guest.write(table, &entries);
        self.guest.write(arguments, &bytes);
        let nt = description(table, NT, arguments);
        self.guest.write(plain, &nt);
        self.guest.write(shadow, &nt);
        let Some(place) = self.machine.win32k else { return session_memory };
        let image = match place {
            Win32k::Session => SESSION_IMAGE,
            Win32k::Kernel => {
                let module = self.truth.modules.iter().find(|module| module.name == "win32k.sys");
                module.expect("a machine with win32k in the kernel's memory has the module").base
            }
        };
        let (table, arguments) = (image + TABLE, image + TABLE + ARGUMENTS);
        let (entries, bytes) = self.service_table(table, WIN32K, FIRST_OF_WIN32K, image + 0x1000, "win32k.sys");
        self.guest.write(shadow + 0x20, &description(table, WIN32K, arguments));
        for (at, content) in [(table, entries), (arguments, bytes)] {
            match place {
                Win32k::Session => session_memory.push((at, content)),
                Win32k::Kernel => {
                    self.guest.map_new(self.guest.kernel, at, 1, KERNEL | NO_EXECUTE);
                    self.guest.write(at, &content);
                }
            }
        }
        session_memory
    }

    /// The entries of a table, and how many bytes of arguments each service has on the stack.
    fn service_table(
        &mut self,
        table: u64,
        count: u32,
        first: u32,
        routines: u64,
        module: &'static str,
    ) -> (Vec<u8>, Vec<u8>) {
        let (mut entries, mut arguments) = (Vec::new(), Vec::new());
        for number in 0..count {
            let stack_args = self.rng.below(9) as u8;
            let index = first + number;
            let hooked = self.machine.hooked_services.contains(&index);
            let near = routines + self.rng.below(count.into()) * DISTANCE;
            let address = if hooked { self.no_module_near(table) + u64::from(number) } else { near };
            let distance = address.wrapping_sub(table) as i64;
            assert!((-(1 << 27)..1 << 27).contains(&distance), "an entry has 28 bits for a distance");
            entries.extend(((distance as i32) << 4 | i32::from(stack_args)).to_le_bytes());
            arguments.push(stack_args * 4);
            self.truth.services.push(Service { index, address, stack_args, module, hooked });
        }
        (entries, arguments)
    }

    /// Memory in no module that an entry of a table reaches: behind the image of the kernel or of win32k.
    fn no_module_near(&self, table: u64) -> u64 {
        let of_kernel = (self.plan.kernel..self.plan.kernel + self.truth.kernel.size).contains(&table);
        if of_kernel { self.plan.kernel + self.truth.kernel.size + 0x8000 } else { table + 0x400_0000 }
    }

    /// Writes the pages of win32k into the memory of each session.
    pub(crate) fn map_in_sessions(&mut self, memory: &SessionMemory) {
        if memory.is_empty() {
            return;
        }
        for session in self.truth.sessions.clone() {
            for (at, content) in memory {
                let frame = self.guest.frames.allocate(&self.guest.memory, FrameUse::Kernel);
                self.guest.memory.write(frame * PAGE, content);
                for pid in &session.pids {
                    let index = self.machine.processes.iter().position(|spec| spec.pid == Some(*pid));
                    let space = self.built[index.expect("a process of the session")].space;
                    self.guest.map(space, *at, frame, PageSize::Small, KERNEL | NO_EXECUTE);
                }
            }
        }
    }

    /// The kernel's callbacks into `CI.dll`, if that is loaded.
    fn ci_callbacks(&mut self) {
        let Some(ci) = self.truth.modules.iter().find(|module| module.name == "CI.dll").map(|module| module.base)
        else {
            return;
        };
        let routines = (0..3).map(|index| ci + 0x1000 + index * 0x100);
        if let Some(at) = self.symbol("SeCiCallbacks") {
            // Its size, the routines, a place that is empty, and a version.
            self.guest.write_u32(at, 8 + 5 * 8);
            for (routine, place) in routines.zip(1..) {
                self.guest.write_u64(at + place * 8, routine);
            }
            self.guest.write_u64(at + 5 * 8, 0x0a00_0006);
        } else if let Some(at) = self.symbol("g_CiCallbacks") {
            for (routine, place) in routines.zip(0..) {
                self.guest.write_u64(at + place * 8, routine);
            }
            if let Some(at) = self.symbol("g_CiEnabled") {
                self.guest.write(at, &[1]);
            }
        }
    }
}

/// A description of a table: where it is, counters, how many services, and the bytes of their arguments.
fn description(table: u64, count: u32, arguments: u64) -> Vec<u8> {
    [table, 0, count.into(), arguments].iter().flat_map(|word| word.to_le_bytes()).collect()
}
