//! `loggers`: the sessions of event tracing.

use super::processes::pid_and_name;
use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::etw::Part;
use crate::nt::etw::known_session::{KnownSession, known_session};
use crate::nt::etw::logger::{Logger, LoggerFields, clock_name, mode_names};
use crate::nt::process::Process;
use crate::nt::sid::Sid;
use crate::nt::token::Token;
use crate::nt::well_known_sid::SidNames;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Deref;

/// A session, where it belongs, and who has to do with it.
#[derive(Debug)]
pub struct LoggerRow {
    logger: Logger,
    silo: Option<VirtAddr>,
    /// Providers that are enabled for it.
    providers: Result<u64, Absent>,
    consumers: Result<Vec<Process>, Absent>,
    owner: Result<Option<Sid>, Absent>,
}

impl Deref for LoggerRow {
    type Target = Logger;

    fn deref(&self) -> &Logger {
        &self.logger
    }
}

impl LoggerRow {
    fn known(&self) -> Result<Option<&'static KnownSession>, Absent> {
        Ok(self.name()?.and_then(|name| known_session(&name)))
    }
}

/// How many providers are enabled for each session of a part, by its number.
fn provider_counts(part: &Part) -> Result<BTreeMap<u32, u64>, Absent> {
    let mut counts = BTreeMap::new();
    for provider in part.providers.as_ref().map_err(|why| *why)? {
        // What is not known of one provider may be an enabled session.
        for enable in provider.enabled.as_ref().map_err(|why| *why)? {
            *counts.entry(enable.logger_id.into()).or_default() += 1;
        }
    }
    Ok(counts)
}

/// The table.
pub const LOGGERS: Asked<LoggerRow> = Asked {
    table: TableDef {
        name: "loggers",
        about: "the sessions of event tracing (ETW) of the host and of each container",
        columns: COLUMNS,
        screen: &[
            screen("ID", "logger_id").key(),
            screen("Name", "name").key(),
            screen("Security", "security_relevant").main(),
            screen("Flags", "flags"),
            screen("Buffers", "number_of_buffers"),
            screen("Written", "buffers_written"),
            screen("Lost", "events_lost").main(),
            screen("Takes", "accept_new_events"),
            screen("Providers", "provider_count"),
            screen("Consumers", "consumers"),
            screen("Started", "start_time"),
            screen("File", "log_file"),
            screen("Silo", "silo"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let tracing = dump.tracing()?;
        let mut rows = Vec::new();
        for part in tracing.parts {
            let counts = provider_counts(&part);
            for logger in part.loggers.unwrap_or_default() {
                let providers = counts
                    .as_ref()
                    .map_err(|why| *why)
                    .and_then(|counts| logger.id().map(|id| counts.get(&id).copied().unwrap_or_default()));
                let consumers = logger.consumers();
                let token = logger.client_token();
                let owner = token.and_then(|token| token.map(|at| Token::read(kernel, at).user()).transpose());
                rows.push(LoggerRow { silo: part.silo, providers, consumers, owner, logger });
            }
        }
        Ok((rows, tracing.incomplete))
    },
    remarks: |rows| {
        let id = |row: &LoggerRow| row.id().map_or_else(|why| why.to_string(), |id| id.to_string());
        let known = rows.iter().filter_map(|row| Some((row, row.known().ok().flatten()?)));
        let mut remarks = Vec::new();
        for (row, known) in known {
            // Sessions of the kernel's own events need no provider.
            let of_kernel = row.flag_names().is_ok_and(|names| names.iter().any(|name| name == "KernelTrace"));
            if row.providers == Ok(0) && !of_kernel {
                remarks.push(format!("session {} ({}) has no enabled provider", id(row), known.about));
            }
            if row.get(|fields| &fields.accept_new_events) == Ok(0) {
                remarks.push(format!("session {} ({}) takes no new events", id(row), known.about));
            }
        }
        remarks
    },
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&LoggerRow) -> Cell) -> Column<LoggerRow> {
    Column::new(name, kind, about, get)
}

type Number = Result<crate::layout::field::Field<u32>, Absent>;

fn number(row: &LoggerRow, field: fn(&LoggerFields) -> &Number) -> Cell {
    row.get(field).into()
}

/// A `BOOLEAN` or `LONG` that is 0 or not.
fn yes(row: &LoggerRow, field: fn(&LoggerFields) -> &Number) -> Cell {
    row.get(field).map(|value| value != 0).into()
}

const COLUMNS: &[Column<LoggerRow>] = &[
    column("logger_id", Kind::Uint, "its number, which is that of its slot", |l| l.id().into()),
    column("name", Kind::Text, "LoggerName", |l| l.name().into()),
    column("log_file", Kind::Text, "LogFileName: the file that it writes", |l| {
        l.text(|fields| &fields.log_file_name).into()
    }),
    column("mode", Kind::Code, "LoggerMode: how it works", |l| {
        l.get(|fields| &fields.logger_mode).map(|mode| Code(mode.into())).into()
    }),
    column("mode_names", Kind::List, "LoggerMode by the names of evntrace.h", |l| {
        l.get(|fields| &fields.logger_mode).map(mode_names).into()
    }),
    column("flags", Kind::List, "what is set in Flags", |l| l.flag_names().into()),
    column("flags_raw", Kind::Uint, "Flags", |l| l.flags().into()),
    column("security_relevant", Kind::Bool, "its name is that of a session that security rests on", |l| {
        l.known().map(|known| known.is_some()).into()
    }),
    column("known_as", Kind::Text, "what a session of this name is for", |l| {
        l.known().map(|known| known.map(|known| known.about)).into()
    }),
    column("known_by", Kind::Text, "where that is documented", |l| {
        l.known().map(|known| known.map(|known| known.source)).into()
    }),
    column("silo", Kind::Address, "job of the server silo that it belongs to, null for the host", |l| l.silo.into()),
    column("log_file_pattern", Kind::Text, "LogFilePattern: the pattern of such files' names", |l| {
        l.text(|fields| &fields.log_file_pattern).into()
    }),
    column("realtime_logfile_name", Kind::Text, "file that keeps events while no consumer takes them", |l| {
        l.text(|fields| &fields.realtime_logfile_name).into()
    }),
    column("start_time", Kind::Time, "when it was started", |l| l.start_time().into()),
    column("instance_guid", Kind::Text, "InstanceGuid: the GUID of the session", |l| {
        l.get(|fields| &fields.instance_guid).map(|guid| guid.to_string()).into()
    }),
    column("accept_new_events", Kind::Bool, "events are taken", |l| yes(l, |fields| &fields.accept_new_events)),
    column("collection_on", Kind::Bool, "the session runs", |l| yes(l, |fields| &fields.collection_on)),
    column("logger_status", Kind::Code, "NTSTATUS of the session", |l| {
        l.get(|fields| &fields.logger_status).map(|status| Code(status.into())).into()
    }),
    column("clock_type", Kind::Uint, "which clock stamps events", |l| number(l, |fields| &fields.clock_type)),
    column("clock_name", Kind::Text, "its name: QPC, SystemTime or CpuCycle", |l| {
        l.get(|fields| &fields.clock_type).map(clock_name).into()
    }),
    column("buffer_size", Kind::Uint, "bytes of one buffer", |l| number(l, |fields| &fields.buffer_size)),
    column("maximum_event_size", Kind::Uint, "bytes that an event may have", |l| {
        number(l, |fields| &fields.maximum_event_size)
    }),
    column("minimum_buffers", Kind::Uint, "buffers at least", |l| number(l, |fields| &fields.minimum_buffers)),
    column("maximum_buffers", Kind::Uint, "buffers at most", |l| number(l, |fields| &fields.maximum_buffers)),
    column("number_of_buffers", Kind::Uint, "buffers that there are", |l| {
        number(l, |fields| &fields.number_of_buffers)
    }),
    column("buffers_available", Kind::Uint, "buffers that are free", |l| number(l, |fields| &fields.buffers_available)),
    column("buffers_written", Kind::Uint, "buffers that were written out", |l| {
        number(l, |fields| &fields.buffers_written)
    }),
    column("log_buffers_lost", Kind::Uint, "buffers that could not be written to the file", |l| {
        number(l, |fields| &fields.log_buffers_lost)
    }),
    column("real_time_buffers_delivered", Kind::Uint, "buffers that consumers got", |l| {
        number(l, |fields| &fields.real_time_buffers_delivered)
    }),
    column("real_time_buffers_lost", Kind::Uint, "buffers that no consumer got", |l| {
        number(l, |fields| &fields.real_time_buffers_lost)
    }),
    column("events_lost", Kind::Uint, "events that were lost", |l| number(l, |fields| &fields.events_lost)),
    column("local_sequence", Kind::Uint, "number of the last event", |l| number(l, |fields| &fields.local_sequence)),
    column("last_flushed_buffer", Kind::Uint, "the last buffer that was written out", |l| {
        number(l, |fields| &fields.last_flushed_buffer)
    }),
    column(
        "flush_timer",
        Kind::Uint,
        "how often buffers are written out, in seconds unless the mode says otherwise",
        |l| number(l, |fields| &fields.flush_timer),
    ),
    column("maximum_file_size", Kind::Uint, "largest size of the file, in MB unless the mode says otherwise", |l| {
        number(l, |fields| &fields.maximum_file_size)
    }),
    column("pool_type", Kind::Uint, "POOL_TYPE of the buffers", |l| number(l, |fields| &fields.pool_type)),
    column("provider_count", Kind::Uint, "providers that are enabled for it", |l| l.providers.into()),
    column("logger_thread", Kind::Address, "the thread that writes its buffers out", |l| l.thread().into()),
    column("logger_thread_pid", Kind::Uint, "id of the process of this thread", |l| l.thread_pid().into()),
    column("num_consumers", Kind::Uint, "consumers, as it counts them", |l| number(l, |fields| &fields.num_consumers)),
    column("consumers", Kind::List, "the processes that take its events as they come, as PID NAME", |l| {
        let names = |all: &Vec<Process>| all.iter().map(pid_and_name).collect::<Vec<_>>();
        l.consumers.as_ref().map(names).map_err(|why| *why).into()
    }),
    column("owner_sid", Kind::Text, "SID of who started it, where the kernel keeps a token", |l| {
        l.owner.map(|sid| sid.map(|sid| sid.to_string())).into()
    }),
    column("owner_name", Kind::Text, "this user's name, if it is a well-known one", |l| {
        l.owner.map(|sid| sid.and_then(|sid| SidNames::default().name(&sid))).into()
    }),
    column("logger", Kind::Address, "address of the WMI_LOGGER_CONTEXT", |l| l.address().into()),
];
