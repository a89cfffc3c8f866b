//! Event tracing (ETW): the sessions that record events, and the providers that send them, of the host and of each
//! container.
//!
//! Before Windows 10 the array of sessions and the table of providers are variables of the kernel. Since then both belong to
//! a state (`_ETW_SILODRIVERSTATE`), one of the host and one of each server silo. Symbols tell where the host's is. Without
//! them the block for debuggers may: it names `EtwpDebuggerData`, which is in no symbols, but publicly known to hold the
//! address of the array of sessions at 0x10 and in newer builds that of the state at 0x18. What is found so is taken only
//! if it proves itself: the sessions of the array name the very slots that they are in.

pub mod known_provider;
pub mod known_session;
pub mod logger;
pub mod provider;

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::{Incomplete, Place};
use crate::kdbg::Kdbg;
use crate::layout::field::{Embedded, Field};
use crate::layout::view::StructView;
use crate::layout::{Layouts, Type};
use crate::memory::VirtualMemory;
use crate::nt::etw::logger::{ConsumerFields, Logger, LoggerFields};
use crate::nt::etw::provider::{GuidEntryFields, Provider, RegistrationFields};
use crate::nt::job::Jobs;
use crate::nt::silo::SiloGlobals;
use crate::nt::snapshot::Snapshot;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_ETW_SILODRIVERSTATE`.
    pub struct StateFields of "_ETW_SILODRIVERSTATE" {
        /// How many sessions there is room for.
        max_loggers: Field<u32> = "MaxLoggers",
        /// The array of sessions.
        logger_context: Field<VirtAddr> = "EtwpLoggerContext",
        /// The same array in the first builds, inside of the state.
        wmip_logger_context: Field<Embedded> = "WmipLoggerContext",
        /// The table of providers.
        guid_hash_table: Field<Embedded> = "EtwpGuidHashTable",
    }
}

/// The structures of event tracing.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each set is documented where it is declared")]
pub struct EtwFields {
    pub state: StateFields,
    pub logger: LoggerFields,
    pub consumer: ConsumerFields,
    pub guid_entry: GuidEntryFields,
    pub registration: RegistrationFields,
}

impl EtwFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self {
            state: StateFields::resolve(layouts),
            logger: LoggerFields::resolve(layouts),
            consumer: ConsumerFields::resolve(layouts),
            guid_entry: GuidEntryFields::resolve(layouts),
            registration: RegistrationFields::resolve(layouts),
        }
    }
}

/// Sessions that there is room for, where nothing but the array itself says it.
const SLOTS: u32 = 64;
/// No machine has more: the registry's `EtwMaxLoggers` is documented to allow 32 to 256.
const MAX_SLOTS: u32 = 256;

/// A bucket of the table of providers. Symbols before Windows 10 do not name the type.
const TABLE: &str = "_ETW_HASH_BUCKET";

/// Sessions and providers of the host or of one container.
#[derive(Clone, Debug)]
pub struct Part {
    /// Job of the server silo; `None` for the host.
    pub silo: Option<VirtAddr>,
    /// The sessions in the order of their numbers.
    pub loggers: Result<Vec<Logger>, Absent>,
    /// The providers in the order of their GUIDs.
    pub providers: Result<Vec<Provider>, Absent>,
}

/// All sessions and providers of a dump.
#[derive(Clone, Debug, Default)]
pub struct Tracing {
    /// The host if it was found, then the containers.
    pub parts: Vec<Part>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Where the sessions and providers of one part are.
#[derive(Clone, Copy, Debug)]
struct Parts {
    slots: Result<Slots, Absent>,
    providers: Result<VirtAddr, Absent>,
}

/// The array of pointers to sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slots {
    at: VirtAddr,
    count: u32,
    /// The state that holds both, or a pointer and a number.
    state: Option<VirtAddr>,
}

impl Slots {
    /// What is wrong with a field of the state, or with a slot where that is the array itself.
    fn wrong(
        &self,
        snapshot: &Snapshot,
        field: &'static str,
        what: String,
        found: impl core::fmt::Display,
        expected: &str,
    ) -> Incomplete {
        const STRUCTURE: &str = "_ETW_SILODRIVERSTATE";
        let at = self.state.map_or(self.at, |state| snapshot.place_of(STRUCTURE, state, field));
        Incomplete::new(what, at, Absent::Malformed).of_field(STRUCTURE, field, found, expected)
    }
}

/// Finds the sessions and the providers. `jobs` lead to the containers.
pub fn tracing(snapshot: &Snapshot, jobs: &Jobs) -> Tracing {
    let mut found = Tracing::default();
    if snapshot.triage().is_some() {
        let why = Absent::AddressNotInDump;
        found.incomplete.push(Incomplete::new("trace sessions and providers", "triage dump", why));
        return found;
    }
    match host(snapshot) {
        Ok(place) => found.add(snapshot, None, place),
        Err(why) => {
            // Builds before Windows 10 have no state.
            let old = matches!(snapshot.fields().etw.state.guid_hash_table, Err(Absent::NoSuchField));
            let variable = if old { "WmipLoggerContext" } else { "EtwpHostSiloState" };
            let what = "trace sessions and providers of the host";
            let at = snapshot.symbol(variable);
            let missing = Incomplete::new(what, at.map_or_else(|_| variable.into(), Place::from), why);
            // A variable that can be read and leads nowhere is wrong itself.
            let held = at.and_then(|at| snapshot.space().read_pointer(at)).ok().filter(|_| why.is_nowhere());
            found.incomplete.push(match held {
                Some(held) => missing.of_field(variable, "", held, "the address of the host's state"),
                None => missing,
            });
        }
    }
    for job in jobs.iter() {
        let Ok(globals) = job.silo_globals() else { continue };
        match state_of_globals(&globals) {
            Ok(Some(state)) => found.add(snapshot, Some(job.address()), Parts::of_state(snapshot, state)),
            // A container that is only being made has none yet.
            Ok(None) => {}
            Err(why) => {
                let what = "trace sessions and providers of a container";
                found.incomplete.push(Incomplete::new(what, globals.address(), why));
            }
        }
    }
    found
}

impl Tracing {
    fn add(&mut self, snapshot: &Snapshot, silo: Option<VirtAddr>, place: Parts) {
        let loggers = place.slots.map(|slots| logger::loggers(snapshot, slots, &mut self.incomplete));
        let providers = place.providers.and_then(|table| provider::providers(snapshot, table, &mut self.incomplete));
        let what = if silo.is_some() { "of a container" } else { "of the host" };
        for fault in loggers.iter().flatten().flat_map(Logger::string_faults) {
            fault.add_to(&mut self.incomplete);
        }
        if let Err(why) = loggers {
            self.incomplete.push(Incomplete::new(format!("trace sessions {what}"), "array of sessions", why));
        }
        if let Err(why) = providers {
            let table = place.providers.map_or_else(|_| "EtwpGuidHashTable".into(), Place::from);
            let missing = Incomplete::new(format!("trace providers {what}"), table, why);
            // Of a table that can be read, no list was ever begun.
            let begun = "lists that point at their entries or at themselves";
            self.incomplete.push(match place.providers {
                Ok(_) if why == Absent::Malformed => missing.of_field(TABLE, "ListHead", "null in every bucket", begun),
                _ => missing,
            });
        }
        self.parts.push(Part { silo, loggers, providers });
    }
}

impl Parts {
    fn of_state(snapshot: &Snapshot, state: VirtAddr) -> Self {
        let fields = &snapshot.fields().etw.state;
        let view = StructView::read(snapshot.space(), state, fields.extent);
        Self { slots: slots(snapshot, &view), providers: view.address_of(&fields.guid_hash_table) }
    }
}

/// The array of sessions of a state.
fn slots(snapshot: &Snapshot, view: &StructView) -> Result<Slots, Absent> {
    let fields = &snapshot.fields().etw.state;
    match view.address_of(&fields.wmip_logger_context) {
        Ok(at) => {
            let ty = snapshot.layouts().place("_ETW_SILODRIVERSTATE", "WmipLoggerContext")?.ty;
            let count = if let Type::Array { count, .. } = ty { count } else { SLOTS };
            Ok(Slots { at, count, state: None })
        }
        Err(Absent::NoSuchField) => {
            let at = view.get(&fields.logger_context)?;
            Ok(Slots { at, count: view.get(&fields.max_loggers)?, state: Some(view.at) })
        }
        Err(why) => Err(why),
    }
}

/// Where the host's are.
fn host(snapshot: &Snapshot) -> Result<Parts, Absent> {
    let memory = snapshot.space();
    if let Ok(at) = snapshot.symbol("WmipLoggerContext") {
        let slots = Slots { at, count: SLOTS, state: None };
        return Ok(Parts { slots: Ok(slots), providers: snapshot.symbol("EtwpGuidHashTable") });
    }
    let told = snapshot.symbol("EtwpHostSiloState").and_then(|at| memory.read_pointer(at));
    let of_globals = || match state_of_globals(&SiloGlobals::of_host(snapshot)?)? {
        Some(state) => Ok(state),
        None => Err(Absent::Malformed),
    };
    let told = told.and_then(|at| if at.is_kernel() { Ok(at) } else { Err(Absent::Malformed) });
    match told.or_else(|why| of_globals().map_err(|_| why)) {
        Ok(state) => Ok(Parts::of_state(snapshot, state)),
        Err(why) => of_debugger_data(snapshot).ok_or(why),
    }
}

/// The state that the globals of a silo lead to; `None` if there is none.
fn state_of_globals(globals: &SiloGlobals) -> Result<Option<VirtAddr>, Absent> {
    let state = globals.get(|fields| &fields.etw_silo_state)?;
    match state {
        state if state.is_null() => Ok(None),
        state if state.is_kernel() => Ok(Some(state)),
        _ => Err(Absent::Malformed),
    }
}

/// What the kernel tells debuggers about event tracing.
struct DebuggerData {
    /// The array of sessions, which has proved itself.
    array: VirtAddr,
    loggers: Vec<Logger>,
    /// What may be the state of the host.
    state: Option<VirtAddr>,
}

impl DebuggerData {
    fn read(snapshot: &Snapshot) -> Option<Self> {
        let data = snapshot.kdbg().and_then(Kdbg::etwp_debugger_data)?;
        let pointer = |offset| {
            let found = snapshot.space().read_pointer(data.wrapping_add(offset)).ok();
            found.filter(|at| at.is_kernel())
        };
        let array = pointer(0x10)?;
        Some(Self { array, loggers: proven(snapshot, array)?, state: pointer(0x18) })
    }
}

/// Where the host's are, without symbols.
fn of_debugger_data(snapshot: &Snapshot) -> Option<Parts> {
    let DebuggerData { array, loggers, state } = DebuggerData::read(snapshot)?;
    let fields = &snapshot.fields().etw.state;
    let around = fields.wmip_logger_context.ok().map(|field| array.wrapping_sub(field.offset.into()));
    let named = loggers.iter().filter_map(|logger| logger.get(|fields| &fields.silo_state).ok());
    let mut places = around.into_iter().chain(state).chain(named).map(|state| Parts::of_state(snapshot, state));
    // Without a state that leads back to the array, what is known is the array.
    let lone = || Parts {
        slots: Ok(Slots { at: array, count: SLOTS, state: None }),
        providers: snapshot.symbol("EtwpGuidHashTable"),
    };
    let found = places.find(|place| place.slots.is_ok_and(|slots| slots.at == array));
    Some(found.unwrap_or_else(lone))
}

/// What speaks against a definition of `_ETW_SILODRIVERSTATE`: the host's must lead to the array of sessions.
pub(crate) fn misfit(snapshot: &Snapshot, layouts: &Layouts) -> Option<String> {
    let DebuggerData { array, state, .. } = DebuggerData::read(snapshot)?;
    let fields = StateFields::resolve(layouts);
    let view = StructView::read(snapshot.space(), state?, fields.extent);
    let told = view.get(&fields.logger_context).ok()?;
    (told != array).then(|| format!("EtwpLoggerContext of the state at {} is {told}, not {array}", view.at))
}

/// The sessions of what may be the array of them; `None` if one of them is not what its slot says or has no name, or if
/// there is none.
fn proven(snapshot: &Snapshot, array: VirtAddr) -> Option<Vec<Logger>> {
    let mut incomplete = Vec::new();
    let loggers = logger::loggers(snapshot, Slots { at: array, count: SLOTS, state: None }, &mut incomplete);
    let named = |logger: &Logger| logger.name().is_ok_and(|name| name.is_some());
    (incomplete.is_empty() && !loggers.is_empty() && loggers.iter().all(named)).then_some(loggers)
}
