//! Event tracing: sessions, providers, and the state that they hang on.

use crate::assembly::{Assembly, BOOT_TIME};
use crate::pool::PoolKind;
use crate::sensor_spec::{LoggerSpec, ProviderKind, ProviderSpec};
use crate::truth;
use std::collections::BTreeMap;

const STATE: &str = "_ETW_SILODRIVERSTATE";
const LOGGER: &str = "_WMI_LOGGER_CONTEXT";
const ENTRY: &str = "_ETW_GUID_ENTRY";
const REGISTRATION: &str = "_ETW_REG_ENTRY";

/// Slots for sessions.
const SLOTS: u64 = 64;
/// A slot that no session is in.
const FREE: u64 = 1;
const BUCKETS: u64 = 64;
/// A bucket: three lists and a lock.
const BUCKET: u64 = 56;

/// Where the sessions and providers of the host or of a container are.
#[derive(Clone, Copy, Debug)]
struct Part {
    slots: u64,
    /// `None` where no symbol tells it.
    buckets: Option<u64>,
    state: u64,
    silo: Option<u64>,
}

impl Assembly<'_> {
    /// Writes what was asked for, and what every kernel has: a machine without wishes has empty slots and lists.
    pub(crate) fn tracing(&mut self) {
        let machine = self.machine;
        let host = self.host_part();
        let mut parts = BTreeMap::from([(None, host)]);
        for spec in &machine.loggers {
            let part = self.part(&mut parts, spec.container);
            self.logger(spec, part);
        }
        for spec in &machine.providers {
            let part = self.part(&mut parts, spec.container);
            self.provider(spec, part);
        }
        // What a debugger reads: numbers about the structures, the array of sessions, and in newer builds the state.
        if let Some(data) = self.symbol("EtwpDebuggerData").filter(|_| machine.debugger_data) {
            self.guest.write_u64(data + 0x10, host.slots);
            if self.build >= 18362 {
                self.guest.write_u64(data + 0x18, host.state);
            }
        }
    }

    fn host_part(&mut self) -> Part {
        if let Some(slots) = self.symbol("WmipLoggerContext") {
            let buckets = self.symbol("EtwpGuidHashTable");
            let part = Part { slots, buckets, state: 0, silo: None };
            self.empty_part(part);
            return part;
        }
        let part = self.new_state(None);
        self.set_symbol("EtwpHostSiloState", part.state);
        part
    }

    fn part(&mut self, parts: &mut BTreeMap<Option<u64>, Part>, container: Option<u64>) -> Part {
        if let Some(part) = parts.get(&container) {
            return *part;
        }
        let part = self.container_part(container.expect("the host's is there"));
        parts.insert(container, part);
        part
    }

    /// A container around one process: a job with globals.
    fn container_part(&mut self, pid: u64) -> Part {
        let size = self.guest.size_of("_EJOB", 0x600);
        let job = self.object(PoolKind::NonPaged, "Job", size, *b"Job ", None);
        let size = self.guest.size_of("_ESERVERSILO_GLOBALS", 0x600);
        let globals = self.guest.alloc(PoolKind::NonPaged, size, *b"PsSg");
        self.guest
            .at(job, "_EJOB")
            .ring("ProcessListHead")
            .set("ActiveProcesses", 1)
            .set("ServerSiloGlobals", globals)
            .set("JobFlags", 1 << 30)
            .set("JobId", 0x100 + pid);
        let process = self.truth.process(pid).expect("the process of the container was added").eprocess;
        self.guest.at(process, "_EPROCESS").set("Job", job).set("ServerSilo", job);
        let head = job + self.guest.offset("_EJOB", "ProcessListHead").expect("every build has it");
        let links = process + self.guest.offset("_EPROCESS", "JobLinks").expect("every build has it");
        self.guest.append(self.guest.kernel, head, links);
        let part = self.new_state(Some(job));
        let known = self.guest.at(globals, "_ESERVERSILO_GLOBALS").put("EtwSiloState", part.state);
        assert!(known, "only Windows 10 and later have containers");
        part
    }

    fn new_state(&mut self, silo: Option<u64>) -> Part {
        let size = self.guest.size_of(STATE, 0x1240);
        let state = self.guest.alloc(PoolKind::NonPaged, size, *b"EtwS");
        let buckets = self.guest.offset(STATE, "EtwpGuidHashTable").map(|offset| state + offset);
        let slots = match self.guest.offset(STATE, "WmipLoggerContext") {
            Some(offset) => state + offset,
            None => self.guest.alloc(PoolKind::NonPaged, SLOTS * 8, *b"EtwL"),
        };
        self.guest.at(state, STATE).set("MaxLoggers", SLOTS).set("EtwpLoggerContext", slots);
        let part = Part { slots, buckets, state, silo };
        self.empty_part(part);
        part
    }

    fn empty_part(&mut self, part: Part) {
        for slot in 0..SLOTS {
            self.guest.write_u64(part.slots + slot * 8, FREE);
        }
        let space = self.guest.kernel;
        for bucket in part.buckets.into_iter().flat_map(|at| (0..BUCKETS).map(move |bucket| at + bucket * BUCKET)) {
            for list in 0..3 {
                self.guest.empty_list(space, bucket + list * 16);
            }
        }
    }

    fn logger(&mut self, spec: &LoggerSpec, part: Part) {
        let taken = self.truth.loggers.iter().filter(|logger| logger.silo == part.silo).map(|logger| logger.slot + 1);
        let slot = spec.slot.unwrap_or(taken.max().unwrap_or(2));
        let size = self.guest.size_of(LOGGER, 0x560);
        let va = self.guest.alloc(PoolKind::NonPaged, size, *b"EtwC");
        self.guest.write_u64(part.slots + u64::from(slot) * 8, va);
        let number = |rng: &mut crate::rng::Rng, bound| 1 + rng.below(bound);
        let fields: BTreeMap<&'static str, u64> = BTreeMap::from([
            ("LoggerId", slot.into()),
            ("BufferSize", 0x1_0000),
            ("MaximumEventSize", 0xffb8),
            ("LoggerMode", spec.mode.into()),
            ("AcceptNewEvents", 1),
            ("CollectionOn", 1),
            ("ClockType", number(&mut self.rng, 3)),
            ("LastFlushedBuffer", number(&mut self.rng, 100)),
            ("FlushTimer", number(&mut self.rng, 60)),
            ("MinimumBuffers", number(&mut self.rng, 8)),
            ("BuffersAvailable", number(&mut self.rng, 50)),
            ("NumberOfBuffers", number(&mut self.rng, 60)),
            ("MaximumBuffers", number(&mut self.rng, 90)),
            ("EventsLost", number(&mut self.rng, 9)),
            ("BuffersWritten", number(&mut self.rng, 9999)),
            ("LogBuffersLost", number(&mut self.rng, 5)),
            ("RealTimeBuffersDelivered", number(&mut self.rng, 777)),
            ("RealTimeBuffersLost", number(&mut self.rng, 7)),
            ("LocalSequence", number(&mut self.rng, 1 << 24)),
            ("MaximumFileSize", number(&mut self.rng, 100)),
            ("NumConsumers", spec.consumers.len() as u64),
            ("PoolType", 1),
            ("LoggerStatus", 0),
        ]);
        let start_time = BOOT_TIME + 10_000_000 * u64::from(slot) + self.rng.below(10_000_000);
        let guid = u128::from(self.rng.next()) << 64 | u128::from(self.rng.next());
        let system = self.truth.process(4).expect("every machine has System");
        let logger_thread = system.threads.first().expect("System has threads").va;
        let name = self.guest.pool_text(&spec.name);
        for (field, value) in &fields {
            self.guest.at(va, LOGGER).put(field, *value);
        }
        let kept: Vec<&'static str> =
            spec.flags.iter().copied().filter(|flag| self.guest.at(va, LOGGER).put(flag, 1)).collect();
        self.guest
            .at(va, LOGGER)
            .text("LoggerName", name)
            .set("LoggerThread", logger_thread)
            .set("StartTime", start_time)
            .set("SiloState", part.state)
            .bytes("InstanceGuid", &memory_of(guid))
            .ring("Consumers");
        if let Some(path) = &spec.log_file {
            let path = self.guest.pool_text(path);
            self.guest.at(va, LOGGER).text("LogFileName", path);
        }
        let head = va + self.guest.offset(LOGGER, "Consumers").expect("every build has consumers");
        for pid in &spec.consumers {
            self.consumer(head, *pid, slot, part.state);
        }
        let starter =
            spec.started_by.map(|pid| self.truth.process(pid).expect("who started it was added").token.clone());
        if let Some(token) = &starter {
            let context = va + self.guest.offset(LOGGER, "ClientSecurityContext").expect("every build has it");
            // ImpersonationLevel, and the token behind the twelve bytes of the quality of service.
            self.guest.write_u32(context + 4, 2);
            self.guest.write_u64(context + 16, token.va);
        }
        self.truth.loggers.push(truth::Logger {
            slot,
            va,
            silo: part.silo,
            name: spec.name.clone(),
            log_file: spec.log_file.clone(),
            start_time,
            fields,
            flags: kept,
            instance_guid: text_of(guid),
            logger_thread,
            consumers: spec.consumers.clone(),
            owner: starter.map(|token| token.user),
        });
    }

    fn consumer(&mut self, head: u64, pid: u64, slot: u32, state: u64) {
        const CONSUMER: &str = "_ETW_REALTIME_CONSUMER";
        let process = self.truth.process(pid).expect("the consumer was added").eprocess;
        let size = self.guest.size_of(CONSUMER, 0xa0);
        let consumer = self.object(PoolKind::NonPaged, "EtwConsumer", size, *b"EtwC", None);
        self.guest
            .at(consumer, CONSUMER)
            .set("ProcessObject", process)
            .set("LoggerId", slot.into())
            .set("SiloState", state);
        self.guest.append(self.guest.kernel, head, consumer);
    }

    fn provider(&mut self, spec: &ProviderSpec, part: Part) {
        let Some(buckets) = part.buckets else { return };
        let memory = memory_of(spec.guid);
        // The kernel puts the four words of the GUID together by exclusive or.
        let words = memory.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        let bucket = u64::from(words.fold(0, |hash, word| hash ^ word)) % BUCKETS;
        let (list, kind) = match spec.kind {
            ProviderKind::Trace => (0, "Trace"),
            ProviderKind::Notification => (1, "Notification"),
            ProviderKind::Group => (2, "Group"),
        };
        let size = self.guest.size_of(ENTRY, 0x1b0);
        let va = self.guest.alloc(PoolKind::NonPaged, size, *b"EtwG");
        self.guest
            .at(va, ENTRY)
            .set("RefCount", 1)
            .set("SiloState", part.state)
            .bytes("Guid", &memory)
            .ring("RegListHead");
        let space = self.guest.kernel;
        self.guest.append(space, buckets + bucket * BUCKET + list * 16, va);
        let infos = va + self.guest.offset(ENTRY, "EnableInfo").expect("every build has it");
        for (index, enable) in spec.enabled.iter().enumerate() {
            // Sessions come and go: the slots that are left do not stand side by side.
            let info = infos + 32 * (index as u64 * 2 + 1);
            let mut bytes = Vec::new();
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend([enable.level, 0]);
            bytes.extend(enable.logger_id.to_le_bytes());
            bytes.extend(enable.property.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(enable.match_any.to_le_bytes());
            bytes.extend(enable.match_all.to_le_bytes());
            self.guest.write(info, &bytes);
        }
        let head = va + self.guest.offset(ENTRY, "RegListHead").expect("every build has it");
        let group = spec.kind == ProviderKind::Group;
        for pid in &spec.processes {
            let process = self.truth.process(*pid).expect("who registered it was added").eprocess;
            let registration = self.registration(head, va, group);
            self.guest.at(registration, REGISTRATION).set("DbgUserRegistration", 1).set("Process", process);
        }
        let mut callbacks = Vec::new();
        for module in &spec.modules {
            let function = self.function_in(module.as_deref());
            let registration = self.registration(head, va, group);
            self.guest.at(registration, REGISTRATION).set("DbgKernelRegistration", 1).set("Callback", function);
            callbacks.push((function, module.clone()));
        }
        self.truth.providers.push(truth::Provider {
            va,
            silo: part.silo,
            guid: text_of(spec.guid),
            kind,
            enabled: spec.enabled.clone(),
            processes: spec.processes.clone(),
            callbacks,
        });
    }

    fn registration(&mut self, head: u64, entry: u64, group: bool) -> u64 {
        let size = self.guest.size_of(REGISTRATION, 0x70);
        let registration = self.object(PoolKind::NonPaged, "EtwRegistration", size, *b"EtwR", None);
        let (links, back) = if group { ("GroupRegList", "GroupEntry") } else { ("RegList", "GuidEntry") };
        self.guest.at(registration, REGISTRATION).set(back, entry);
        let links = registration + self.guest.offset(REGISTRATION, links).expect("every build has it");
        self.guest.append(self.guest.kernel, head, links);
        registration
    }
}

/// A GUID as memory holds it: a word of four bytes and two of two, each little endian, then eight bytes.
fn memory_of(guid: u128) -> [u8; 16] {
    let mut bytes = guid.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

fn text_of(guid: u128) -> String {
    let digits = format!("{guid:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_guid_in_memory_and_in_text() {
        let guid = 0x0123_4567_89ab_cdef_1021_3243_5465_7687;
        assert_eq!(super::text_of(guid), "01234567-89ab-cdef-1021-324354657687");
        let memory = [0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87];
        assert_eq!(super::memory_of(guid), memory);
    }
}
