//! Loaded modules and drivers that were unloaded.

use crate::assembly::{Assembly, BOOT_TIME};
use crate::paging::{KERNEL, NO_EXECUTE, PageSize};
use crate::pe::{DATA, Image, TEXT};
use crate::physical::PAGE;
use crate::pool::PoolKind;
use crate::process_spec::PageState;
use crate::truth;
use std::collections::BTreeSet;

/// Where a module says which symbols are its own: behind the headers on their page.
const DIRECTORIES: u32 = 0x400;

/// Slots for unloaded drivers, and bytes of one.
const UNLOADED_SLOTS: u64 = 50;
const UNLOADED_SIZE: u64 = 0x28;

impl Assembly<'_> {
    pub(crate) fn modules(&mut self) {
        let head = self.symbol("PsLoadedModuleList").expect("symbols have PsLoadedModuleList");
        self.guest.empty_list(self.guest.kernel, head);
        let (base, size, timestamp) = (self.plan.kernel, self.truth.kernel.size, self.truth.kernel.timestamp);
        self.entry(head, "ntoskrnl.exe", base, size, timestamp, 0x9e_c678, "present", false);
        if let Some((spec, base)) = self.win32k_module() {
            self.entry(head, &spec.name, base, spec.size, 0x5b00_0000, 0x1_2345, "paged_out", false);
        }
        let mut next = self.plan.modules;
        for spec in &self.machine.modules {
            let size =
                if spec.size == 0 { 0x8000 + self.rng.below(0x60) * PAGE } else { spec.size.next_multiple_of(PAGE) };
            let timestamp = 0x5a00_0000 + self.rng.below(0x800_0000) as u32;
            let checksum = self.rng.below(0x40_0000) as u32;
            let image = Image {
                name: &spec.name,
                size: size as u32,
                timestamp,
                checksum,
                preferred_base: next,
                dll: false,
                version: (10, 0),
                pdb: spec.symbols.as_ref().map(|(id, name)| (*id, name.as_str())),
                sections: vec![
                    (".text", 0x1000, size as u32 - 0x1000, TEXT),
                    (".data", size as u32 - 0x1000, size as u32, DATA),
                ],
                exports: Vec::new(),
                directories: DIRECTORIES,
            };
            let (header, directories) = image.write();
            self.guest.map_new(self.guest.kernel, next, 1, KERNEL);
            self.guest.write(next, &header);
            self.guest.write(next + u64::from(DIRECTORIES), &directories);
            let at = |rva: u32| next + u64::from(rva);
            let pages: BTreeSet<u64> = spec.variables.iter().map(|(rva, _)| at(*rva) & !(PAGE - 1)).collect();
            for page in pages {
                self.guest.map_new(self.guest.kernel, page, 1, KERNEL | NO_EXECUTE);
            }
            for (rva, bytes) in &spec.variables {
                self.guest.write(at(*rva), bytes);
            }
            if spec.paged_out {
                self.set_page_state(self.guest.kernel, next, PageState::PageFile { file: 0, page: 0x1234 });
            }
            let header = if spec.paged_out { "paged_out" } else { "present" };
            self.entry(head, &spec.name, next, size, timestamp, checksum, header, spec.hidden);
            next += size.next_multiple_of(0x1_0000) + 0x1_0000;
        }
        // Leaves the tables of the region in place even for a machine without modules.
        let space = self.guest.kernel;
        space.set_entry(&mut self.guest.memory, &mut self.guest.frames, next, PageSize::Small, 0);
    }

    #[expect(clippy::too_many_arguments, reason = "one list entry has that many facts")]
    fn entry(
        &mut self,
        head: u64,
        name: &str,
        base: u64,
        size: u64,
        timestamp: u32,
        checksum: u32,
        header: &'static str,
        hidden: bool,
    ) {
        // Older symbols lack the kernel's own type; its first fields are those of the loader's.
        let modern = self.guest.layouts.structure("_KLDR_DATA_TABLE_ENTRY").is_some();
        let structure = if modern { "_KLDR_DATA_TABLE_ENTRY" } else { "_LDR_DATA_TABLE_ENTRY" };
        let folder = if name.eq_ignore_ascii_case("ntoskrnl.exe") || name.eq_ignore_ascii_case("hal.dll") {
            "\\SystemRoot\\system32\\"
        } else {
            "\\SystemRoot\\System32\\drivers\\"
        };
        let path = format!("{folder}{name}");
        let entry = self.guest.alloc(PoolKind::NonPaged, self.guest.size_of(structure, 0xa0).max(0xa0), *b"MmLd");
        let (path_text, name_text) = (self.guest.pool_text(&path), self.guest.pool_text(name));
        self.guest
            .at(entry, structure)
            .set("DllBase", base)
            .set("EntryPoint", base + 0x1000)
            .set("SizeOfImage", size)
            .text("FullDllName", path_text)
            .text("BaseDllName", name_text)
            .set("Flags", 0x0904_4000)
            .set("LoadCount", 1)
            .set("CheckSum", u64::from(checksum));
        if modern {
            self.guest.at(entry, structure).put("TimeDateStamp", u64::from(timestamp));
        }
        if !hidden {
            self.guest.append(self.guest.kernel, head, entry);
        }
        let module = truth::Module { name: name.into(), path, base, size, entry, timestamp, checksum, header, hidden };
        self.truth.modules.push(module);
    }

    pub(crate) fn unloaded_drivers(&mut self) {
        let array = self.guest.alloc(PoolKind::NonPaged, UNLOADED_SLOTS * UNLOADED_SIZE, *b"MmDT");
        self.set_symbol("MmUnloadedDrivers", array);
        for (name, index) in self.machine.unloaded.iter().zip(0..) {
            let text = self.guest.pool_text(name);
            let start = self.plan.modules + 0x4000_0000 + index * 0x10_0000;
            let end = start + 0x1_0000 + self.rng.below(0x20) * PAGE;
            let time = BOOT_TIME + 600_000_000 * (index + 1) + self.rng.below(10_000_000);
            let slot = array + index % UNLOADED_SLOTS * UNLOADED_SIZE;
            self.guest.write(slot, &crate::guest::unicode_string(text.0, text.1));
            for (offset, value) in [(0x10, start), (0x18, end), (0x20, time)] {
                self.guest.write_u64(slot + offset, value);
            }
            self.truth.unloaded_drivers.push(truth::UnloadedDriver { name: name.clone(), start, end, time });
        }
        let count = self.machine.unloaded.len();
        if let Some(at) = self.symbol("MmLastUnloadedDriver") {
            self.guest.write_u32(at, (count as u64 % UNLOADED_SLOTS) as u32);
        }
        // Only the last fifty are kept.
        let kept = count.saturating_sub(UNLOADED_SLOTS as usize);
        self.truth.unloaded_drivers.drain(..kept);
    }
}
