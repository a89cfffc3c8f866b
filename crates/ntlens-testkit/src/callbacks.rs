//! Functions that drivers have the kernel call.

use crate::assembly::Assembly;
use crate::pool::PoolKind;
use crate::sensor_spec::{CallbackKind, CallbackSpec};
use crate::truth;

/// Bits of a slot below the block's address: references that are free to be taken.
const REFERENCES: u64 = 15;

impl Assembly<'_> {
    pub(crate) fn callbacks(&mut self) {
        let machine = self.machine;
        if let Some(head) = self.symbol("CallbackListHead") {
            self.guest.empty_list(self.guest.kernel, head);
        }
        for spec in &machine.callbacks {
            match spec.kind {
                CallbackKind::Process => self.notify_routine(spec, "process", "PspCreateProcessNotifyRoutine"),
                CallbackKind::Thread => self.notify_routine(spec, "thread", "PspCreateThreadNotifyRoutine"),
                CallbackKind::Image => self.notify_routine(spec, "image", "PspLoadImageNotifyRoutine"),
                CallbackKind::Registry => self.registry_callback(spec),
                CallbackKind::Object(type_name) => self.object_callback(spec, type_name),
            }
        }
    }

    /// The address of a made-up function in a module, or where no module is.
    pub(crate) fn function_in(&mut self, module: Option<&str>) -> u64 {
        let offset = 0x1000 + self.rng.below(0x300) * 16;
        match module {
            Some(name) => {
                let known = self.truth.modules.iter().find(|known| known.name == name);
                known.unwrap_or_else(|| panic!("no module {name}")).base + offset
            }
            None => self.plan.modules + 0x7000_0000 + offset,
        }
    }

    fn notify_routine(&mut self, spec: &CallbackSpec, kind: &'static str, symbol: &str) {
        let array = self.symbol(symbol).unwrap_or_else(|| panic!("symbols have {symbol}"));
        let taken = self.truth.callbacks.iter().filter(|known| known.kind == kind).filter_map(|known| known.slot);
        let slot = spec.slot.unwrap_or(taken.max().map_or(0, |last| last + 1));
        let function = self.function_in(spec.module.as_deref());
        let entry = self.guest.alloc(PoolKind::NonPaged, 0x18, *b"Cbrb");
        for (offset, value) in [(0, 0x20), (8, function), (16, spec.context)] {
            self.guest.write_u64(entry + offset, value);
        }
        self.guest.write_u64(array + u64::from(slot) * 8, entry | REFERENCES);
        self.truth.callbacks.push(truth::Callback {
            kind,
            function,
            module: spec.module.clone(),
            slot: Some(slot),
            entry,
            context: spec.context,
            ..truth::Callback::default()
        });
    }

    fn registry_callback(&mut self, spec: &CallbackSpec) {
        let head = self.symbol("CallbackListHead").expect("symbols have CallbackListHead");
        let function = self.function_in(spec.module.as_deref());
        let cookie = 0x01d8_0000_0000_0000 | self.rng.below(1 << 40);
        let (altitude, length) = self.guest.pool_text(&spec.altitude);
        let entry = self.guest.alloc(PoolKind::Paged, 0x50, *b"CMcb");
        for (offset, value) in [(24, cookie), (32, spec.context), (40, function), (56, altitude)] {
            self.guest.write_u64(entry + offset, value);
        }
        self.guest.write_u32(entry + 48, u32::from(length) | u32::from(length) << 16);
        let space = self.guest.kernel;
        self.guest.empty_list(space, entry + 64);
        self.guest.append(space, head, entry);
        self.truth.callbacks.push(truth::Callback {
            kind: "registry",
            function,
            module: spec.module.clone(),
            entry,
            context: spec.context,
            altitude: Some(spec.altitude.clone()),
            cookie: Some(cookie),
            ..truth::Callback::default()
        });
    }

    /// A registration for one type, with a function for before and one for after.
    fn object_callback(&mut self, spec: &CallbackSpec, type_name: &'static str) {
        let found = self.types.list().find(|(_, name, _)| *name == type_name);
        let (_, _, type_object) = found.unwrap_or_else(|| panic!("no type {type_name}"));
        let [pre, post] = [(); 2].map(|()| self.function_in(spec.module.as_deref()));
        let (altitude, length) = self.guest.pool_text(&spec.altitude);
        let registration = self.guest.alloc(PoolKind::NonPaged, 0x60, *b"ObCb");
        let entry = registration + 0x20;
        // Version 1.0 and one operation registration; then the context and the altitude.
        self.guest.write_u32(registration, 0x0001_0100);
        self.guest.write_u64(registration + 8, spec.context);
        self.guest.write_u32(registration + 16, u32::from(length) | u32::from(length) << 16);
        self.guest.write_u64(registration + 24, altitude);
        self.guest.write_u32(entry + 16, 3);
        self.guest.write_u32(entry + 20, spec.enabled.into());
        for (offset, value) in [(24, registration), (32, type_object), (40, pre), (48, post)] {
            self.guest.write_u64(entry + offset, value);
        }
        self.guest.at(type_object, "_OBJECT_TYPE").put("TypeInfo.SupportsObjectCallbacks", 1);
        let head = type_object + self.guest.offset("_OBJECT_TYPE", "CallbackList").expect("every build has it");
        self.guest.append(self.guest.kernel, head, entry);
        for (kind, function) in [("object-pre", pre), ("object-post", post)] {
            self.truth.callbacks.push(truth::Callback {
                kind,
                function,
                module: spec.module.clone(),
                entry,
                context: spec.context,
                altitude: Some(spec.altitude.clone()),
                object_type: Some(type_name),
                operations: Some(3),
                enabled: Some(spec.enabled),
                ..truth::Callback::default()
            });
        }
    }
}
