//! What the memory manager says about itself: RAM, the self map, the mask of entries that are not present.

use crate::assembly::Assembly;
use crate::pool::PoolKind;
use crate::truth::Translation;

impl Assembly<'_> {
    pub(crate) fn memory_manager(&mut self) {
        let runs = self.guest.memory.runs().to_vec();
        let descriptor = self.guest.alloc(PoolKind::NonPaged, 0x10 + runs.len() as u64 * 0x10, *b"Mm  ");
        self.guest.write_u32(descriptor, runs.len() as u32);
        self.guest.write_u64(descriptor + 8, runs.iter().map(|run| run.count).sum());
        for (run, index) in runs.iter().zip(1..) {
            self.guest.write_u64(descriptor + index * 0x10, run.first);
            self.guest.write_u64(descriptor + index * 0x10 + 8, run.count);
        }
        self.set_symbol("MmPhysicalMemoryBlock", descriptor);
        self.set_symbol("MmPfnDatabase", 0xffff_fa80_0000_0000);
        self.set_symbol("MmPteBase", self.guest.kernel.pte_base());
        self.set_symbol("MiInvalidPteMask", self.invalid_pte_mask);
        let Some(state) = self.symbol("MiState") else { return };
        let (mask, levels) = (self.invalid_pte_mask, u64::from(self.machine.levels));
        self.guest
            .at(state, "_MI_SYSTEM_INFORMATION")
            .set("Hardware.InvalidPteMask", mask)
            .set("Vs.PagingLevels", levels);
        if let Some(offset) = self.guest.offset("_MI_SYSTEM_INFORMATION", "Vs") {
            self.set_symbol("MiVisibleState", state + offset);
        }
    }

    /// Notes translations that a reader shall get right.
    pub(crate) fn translations(&mut self) {
        let kernel = self.guest.kernel;
        let system = self.built[0].dtb;
        let base = self.plan.kernel;
        let mut wanted = vec![
            (system, kernel, base, "present"),
            (system, kernel, base + 0x1_2345, "present"),
            (system, kernel, self.plan.huge + 0x1aa_0123, "present"),
            (system, kernel, crate::plan::SHARED_DATA + 0x26c, "present"),
            (system, kernel, 0xffff_dead_beef_0000, "unmapped"),
            (system, kernel, 0x1_0000_0000_0000_u64 << 8, "noncanonical"),
        ];
        for (process, built) in self.truth.processes.iter().zip(&self.built) {
            wanted.push((built.dtb, kernel, process.eprocess, "present"));
            if let Some(peb) = process.peb {
                let state = match process.peb_state {
                    "resident" => "present",
                    "paged_out" => "pagefile",
                    other => other,
                };
                wanted.push((built.dtb, built.space, peb, state));
            }
        }
        for (dtb, space, va, state) in wanted {
            let mapping = space.translate(&self.guest.memory, va).filter(|_| state == "present");
            let pa = match (mapping, state) {
                (Some(mapping), _) => Some(mapping.physical),
                _ => None,
            };
            let bytes16 = pa.map(|pa| {
                let mut bytes = [0; 16];
                self.guest.memory.read(pa & !0xf, &mut bytes);
                bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
            });
            let state = if mapping.is_none() && state == "present" { "unmapped" } else { state };
            let page_size = mapping.map_or(0, |mapping| mapping.size.bytes());
            self.truth.translations.push(Translation { dtb, va, pa, page_size, state, in_dump: None, bytes16 });
        }
    }
}
