//! `WMI_LOGGER_CONTEXT`: a session, which collects events into buffers and from there into a file or to a process.

use super::{MAX_SLOTS, Slots};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Embedded, Field, Flags, Scalar};
use crate::layout::view::StructView;
use crate::nt::guid::Guid;
use crate::nt::list::{self, Links, ListName};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::thread::Thread;
use crate::nt::time::FileTime;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_WMI_LOGGER_CONTEXT`.
    pub struct LoggerFields of "_WMI_LOGGER_CONTEXT" {
        /// The session's number, which is that of its slot.
        logger_id: Field<u32> = "LoggerId",
        /// Bytes of one buffer.
        buffer_size: Field<u32> = "BufferSize",
        /// Bytes that an event may have.
        maximum_event_size: Field<u32> = "MaximumEventSize",
        /// `EVENT_TRACE_*` bits: how the session works.
        logger_mode: Field<u32> = "LoggerMode",
        /// Whether events are taken.
        accept_new_events: Field<u32> = "AcceptNewEvents",
        /// The thread that writes buffers out.
        logger_thread: Field<VirtAddr> = "LoggerThread",
        /// `NTSTATUS` of the session.
        logger_status: Field<u32> = "LoggerStatus",
        /// Name of the session.
        logger_name: Field<[u8; 16]> = "LoggerName",
        /// File that it writes.
        log_file_name: Field<[u8; 16]> = "LogFileName",
        /// Pattern of the names of such files.
        log_file_pattern: Field<[u8; 16]> = "LogFilePattern",
        /// Which clock stamps events.
        clock_type: Field<u32> = "ClockType",
        /// The last buffer that was written out.
        last_flushed_buffer: Field<u32> = "LastFlushedBuffer",
        /// How often buffers are written out.
        flush_timer: Field<u32> = "FlushTimer",
        /// Buffers at least.
        minimum_buffers: Field<u32> = "MinimumBuffers",
        /// Buffers that are free.
        buffers_available: Field<u32> = "BuffersAvailable",
        /// Buffers that there are.
        number_of_buffers: Field<u32> = "NumberOfBuffers",
        /// Buffers at most.
        maximum_buffers: Field<u32> = "MaximumBuffers",
        /// Events that were lost.
        events_lost: Field<u32> = "EventsLost",
        /// Buffers that were written out.
        buffers_written: Field<u32> = "BuffersWritten",
        /// Buffers that could not be written to the file.
        log_buffers_lost: Field<u32> = "LogBuffersLost",
        /// Buffers that a consumer got.
        real_time_buffers_delivered: Field<u32> = "RealTimeBuffersDelivered",
        /// Buffers that no consumer got.
        real_time_buffers_lost: Field<u32> = "RealTimeBuffersLost",
        /// Number of the last event.
        local_sequence: Field<u32> = "LocalSequence",
        /// GUID of the session.
        instance_guid: Field<Guid> = "InstanceGuid",
        /// Largest size of the file.
        maximum_file_size: Field<u32> = "MaximumFileSize",
        /// `POOL_TYPE` of the buffers.
        pool_type: Field<u32> = "PoolType",
        /// Whether the session runs.
        collection_on: Field<u32> = "CollectionOn",
        /// Head of the list of its consumers.
        consumers: Field<Embedded> = "Consumers",
        /// How many these are.
        num_consumers: Field<u32> = "NumConsumers",
        /// File that keeps events while no consumer takes them.
        realtime_logfile_name: Field<[u8; 16]> = "RealtimeLogfileName",
        /// Who started it, a `SECURITY_CLIENT_CONTEXT`.
        client_security_context: Field<[u8; 24]> = "ClientSecurityContext",
        /// When it was started.
        start_time: Field<u64> = "StartTime",
        /// What it is.
        flags: Flags = "Flags",
        /// The state it belongs to.
        silo_state: Field<VirtAddr> = "SiloState",
    }
}

crate::fields! {
    /// Fields of `_ETW_REALTIME_CONSUMER`.
    pub struct ConsumerFields of "_ETW_REALTIME_CONSUMER" {
        /// Links of the session's list.
        links: Field<Embedded> = "Links",
        /// The process that takes the events.
        process_object: Field<VirtAddr> = "ProcessObject",
    }
}

/// Names of `LoggerMode`, from bit 0: those of `evntrace.h` and of its documentation (Logging Mode Constants), without their
/// common start `EVENT_TRACE_`.
const MODES: [&str; 32] = [
    "FILE_MODE_SEQUENTIAL",
    "FILE_MODE_CIRCULAR",
    "FILE_MODE_APPEND",
    "FILE_MODE_NEWFILE",
    "USE_MS_FLUSH_TIMER",
    "FILE_MODE_PREALLOCATE",
    "NONSTOPPABLE_MODE",
    "SECURE_MODE",
    "REAL_TIME_MODE",
    "DELAY_OPEN_FILE_MODE",
    "BUFFERING_MODE",
    "PRIVATE_LOGGER_MODE",
    "ADD_HEADER_MODE",
    "USE_KBYTES_FOR_SIZE",
    "USE_GLOBAL_SEQUENCE",
    "USE_LOCAL_SEQUENCE",
    "RELOG_MODE",
    "PRIVATE_IN_PROC",
    "",
    "",
    "MODE_RESERVED",
    "",
    "STOP_ON_HYBRID_SHUTDOWN",
    "PERSIST_ON_HYBRID_SHUTDOWN",
    "USE_PAGED_MEMORY",
    "SYSTEM_LOGGER_MODE",
    "COMPRESSED_MODE",
    "INDEPENDENT_SESSION_MODE",
    "NO_PER_PROCESSOR_BUFFERING",
    "",
    "",
    "ADDTO_TRIAGE_DUMP",
];

/// The names of a session's mode, as `evntrace.h` has them; `bit_N` for what has none.
pub fn mode_names(mode: u32) -> Vec<String> {
    let name = |(bit, name): (usize, &&str)| match *name {
        "" => format!("bit_{bit}"),
        name => format!("EVENT_TRACE_{name}"),
    };
    MODES.iter().enumerate().filter(|(bit, _)| mode >> bit & 1 == 1).map(name).collect()
}

/// The name of a clock (`WNODE_HEADER.ClientContext` of `evntrace.h`).
pub fn clock_name(clock: u32) -> String {
    match clock {
        1 => "QPC".into(),
        2 => "SystemTime".into(),
        3 => "CpuCycle".into(),
        other => format!("Unknown({other})"),
    }
}

/// Bytes from a `SECURITY_CLIENT_CONTEXT` (`ntifs.h`) to the token of the client.
const CLIENT_TOKEN: usize = 0x10;
/// Consumers of one session that are listed.
const MAX_CONSUMERS: usize = 1 << 10;

/// A session. What was read once is its own structure; what that points at is read when it is asked for.
#[derive(Clone, Debug)]
pub struct Logger {
    snapshot: Snapshot,
    view: StructView,
}

impl Logger {
    fn read(snapshot: &Snapshot, at: VirtAddr) -> Self {
        let view = StructView::read(snapshot.space(), at, snapshot.fields().etw.logger.extent);
        Self { snapshot: snapshot.clone(), view }
    }

    /// A number of its structure.
    pub fn get<T: Scalar>(&self, field: impl Fn(&LoggerFields) -> &Result<Field<T>, Absent>) -> Result<T, Absent> {
        self.view.get(field(&self.snapshot.fields().etw.logger))
    }

    /// A text of its structure; `None` for an empty one.
    pub fn text(
        &self,
        field: impl Fn(&LoggerFields) -> &Result<Field<[u8; 16]>, Absent>,
    ) -> Result<Option<String>, Absent> {
        let field = (*field(&self.snapshot.fields().etw.logger))?;
        self.snapshot.fields().unicode_string.read_in(&self.view, field.offset, self.snapshot.space())
    }

    /// What of the strings of its structure cannot be.
    pub(crate) fn string_faults(&self) -> impl Iterator<Item = Incomplete> {
        let fields = &self.snapshot.fields().etw.logger;
        let strings = [fields.logger_name, fields.log_file_name, fields.log_file_pattern];
        let fault = |field: Field<[u8; 16]>| {
            self.snapshot.fields().unicode_string.fault_in(&self.view, field.offset, self.snapshot.space())
        };
        strings.into_iter().flatten().filter_map(fault)
    }

    /// Address of the `WMI_LOGGER_CONTEXT`.
    pub fn address(&self) -> VirtAddr {
        self.view.at
    }

    /// Its number.
    pub fn id(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.logger_id)
    }

    /// Its name.
    pub fn name(&self) -> Result<Option<String>, Absent> {
        self.text(|fields| &fields.logger_name)
    }

    /// When it was started.
    pub fn start_time(&self) -> Result<Option<FileTime>, Absent> {
        self.get(|fields| &fields.start_time).map(FileTime::from_windows)
    }

    /// `Flags`: what kind of session it is.
    pub fn flags(&self) -> Result<u32, Absent> {
        self.view.flags(&self.snapshot.fields().etw.logger.flags)
    }

    /// The names of what is set in `Flags`, as the symbols have them.
    pub fn flag_names(&self) -> Result<Vec<String>, Absent> {
        let flags = self.snapshot.fields().etw.logger.flags.as_ref().map_err(|why| *why)?;
        self.flags().map(|value| flags.names(value))
    }

    /// The thread that writes its buffers out; `None` for a session without one.
    pub fn thread(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.logger_thread).map(|at| Some(at).filter(|at| !at.is_null()))
    }

    /// Id of the process that this thread belongs to.
    pub fn thread_pid(&self) -> Result<Option<u64>, Absent> {
        self.thread()?.map(|at| Thread::probe(&self.snapshot, at)?.pid()).transpose()
    }

    /// The token of who started it; `None` where the kernel keeps none.
    pub fn client_token(&self) -> Result<Option<VirtAddr>, Absent> {
        let context = self.get(|fields| &fields.client_security_context)?;
        let token = context.get(CLIENT_TOKEN..).and_then(VirtAddr::decode).ok_or(Absent::Malformed)?;
        match token {
            token if token.is_null() => Ok(None),
            token if token.is_kernel() => Ok(Some(token)),
            _ => Err(Absent::Malformed),
        }
    }

    /// The processes that take its events as they come.
    pub fn consumers(&self) -> Result<Vec<Process>, Absent> {
        let found = self.walk_consumers()?;
        match found.damage {
            Some(why) => Err(why),
            None if !found.incomplete.is_empty() => Err(Absent::Malformed),
            None => Ok(found.processes),
        }
    }

    /// Walks the list of consumers.
    fn walk_consumers(&self) -> Result<Consumers, Absent> {
        let memory = self.snapshot.space();
        let fields = &self.snapshot.fields().etw;
        let head = self.view.address_of(&fields.logger.consumers)?;
        let links = u64::from(fields.consumer.links?.offset);
        let mut found = Consumers::default();
        let member = |at: VirtAddr| {
            let view = StructView::read(memory, at.wrapping_sub(links), fields.consumer.extent);
            let process = view.get(&fields.consumer.process_object).and_then(|at| Process::probe(&self.snapshot, at));
            // One that is broken ends the list: what is behind it is no more to be trusted.
            let process = process.inspect_err(|why| found.damage = Some(*why))?;
            found.processes.push(process);
            Links::read(memory, at)
        };
        let list = list::walk(CONSUMERS, head, Links::read(memory, head), member, Vec::new);
        found.processes.truncate(MAX_CONSUMERS);
        Ok(Consumers { incomplete: list.incomplete, ..found })
    }
}

const CONSUMERS: ListName = ListName::short(
    "list of consumers",
    "_WMI_LOGGER_CONTEXT.Consumers",
    "_ETW_REALTIME_CONSUMER.Links",
    MAX_CONSUMERS,
);

/// What the list of consumers of a session holds.
#[derive(Default)]
struct Consumers {
    processes: Vec<Process>,
    /// Why a member could not be read.
    damage: Option<Absent>,
    incomplete: Vec<Incomplete>,
}

/// The sessions of an array. What is in a slot and cannot be one is added to `incomplete`.
pub(super) fn loggers(snapshot: &Snapshot, slots: Slots, incomplete: &mut Vec<Incomplete>) -> Vec<Logger> {
    let Slots { at, count, .. } = slots;
    let believed = count <= MAX_SLOTS;
    if !believed {
        let what = format!("array of trace sessions: {count} slots, at most {MAX_SLOTS} are possible");
        let expected = format!("at most {MAX_SLOTS}");
        incomplete.push(slots.wrong(snapshot, "MaxLoggers", what, count, &expected));
    }
    let count = count.min(MAX_SLOTS);
    let array = StructView::read(snapshot.space(), at, count * 8);
    let mut loggers = Vec::new();
    let mut lost: Option<(Absent, u64)> = None;
    for slot in 0..count {
        let mut wrong = |what: String, found: String| {
            let place = at.wrapping_add(u64::from(slot) * 8);
            let (structure, field) = ("_ETW_SILODRIVERSTATE", format!("EtwpLoggerContext[{slot}]"));
            let expected = "the address of a session of that number, 0 or 1";
            incomplete
                .push(Incomplete::new(what, place, Absent::Malformed).of_field(structure, field, found, expected));
        };
        match array.get(&Ok(Field::<VirtAddr>::at(slot * 8))) {
            Err(why) => lost = Some((why, lost.map_or(1, |(_, count)| count + 1))),
            // A free slot holds 0 or 1.
            Ok(VirtAddr(0 | 1)) => {}
            Ok(pointer) if pointer.is_kernel() => {
                let logger = Logger::read(snapshot, pointer);
                let session = format!("trace session of slot {slot}");
                match logger.id() {
                    Ok(id) if id == slot => loggers.push(logger),
                    Err(why) if why.is_nowhere() => wrong(session, format!("{pointer}, where nothing is mapped")),
                    Err(why) => incomplete.push(Incomplete::new(session, pointer, why)),
                    Ok(id) => {
                        wrong(format!("{session} says that it is session {id}"), format!("{pointer}, session {id}"));
                        // Somebody may have changed the number alone. Behind the end of an array lies anything.
                        if believed && logger.name().is_ok_and(|name| name.is_some()) {
                            loggers.push(logger);
                        }
                    }
                }
            }
            Ok(pointer) => wrong(format!("trace session of slot {slot} is {pointer}"), format!("{pointer}")),
        }
    }
    if let Some((why, lost)) = lost {
        let what = "slots of the array of trace sessions";
        let missing = if why.is_nowhere() && lost == u64::from(count) {
            slots.wrong(snapshot, "EtwpLoggerContext", what.into(), at, "the address of an array of sessions")
        } else {
            Incomplete::new(what, at, why)
        };
        incomplete.push(missing.because(why).times(lost));
    }
    for logger in &loggers {
        incomplete.extend(logger.walk_consumers().into_iter().flat_map(|found| found.incomplete));
    }
    loggers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_the_names_of_the_header() {
        assert_eq!(mode_names(0x101), ["EVENT_TRACE_FILE_MODE_SEQUENTIAL", "EVENT_TRACE_REAL_TIME_MODE"]);
        assert_eq!(mode_names(0x8000_0080), ["EVENT_TRACE_SECURE_MODE", "EVENT_TRACE_ADDTO_TRIAGE_DUMP"]);
        assert_eq!(mode_names(0x0a40_0000).len(), 3);
        assert_eq!(mode_names(0x4000_0000), ["bit_30"]);
        assert!(mode_names(0).is_empty());
    }

    #[test]
    fn lists_with_more_consumers_than_are_taken_say_so() {
        assert_eq!(CONSUMERS.most, MAX_CONSUMERS);
        list::tests::check_that_the_cap_is_told(CONSUMERS);
    }

    #[test]
    fn clocks_have_names() {
        assert_eq!([1, 2, 3, 0].map(clock_name), ["QPC", "SystemTime", "CpuCycle", "Unknown(0)"]);
    }
}
