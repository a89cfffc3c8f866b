//! `idt`: the handlers of interrupts and exceptions, processor by processor.

use super::{Asked, Cell, Column, Form, Kind, Parameter, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::interrupt::{self, Handler, InterruptObject};
use crate::nt::owner::Owners;
use crate::nt::processor::{self, Processor};
use crate::opened::OpenDump;
use crate::report::Arguments;
use crate::report::value::Code;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A vector's handler and whose it is.
#[derive(Debug)]
pub struct HandlerRow {
    handler: Handler,
    module: Result<Option<String>, Absent>,
    symbol: Result<Option<String>, Absent>,
    service_modules: Vec<Option<String>>,
    /// Whether an address outside of all modules means anything.
    modules_known: bool,
}

impl HandlerRow {
    fn of(handler: Handler, owners: &Owners) -> Self {
        let module = |at: VirtAddr| owners.name(at).ok().flatten();
        let objects = handler.objects.as_deref().unwrap_or_default();
        let routines = objects.iter().filter_map(|object| object.service_routine.ok());
        Self {
            module: owners.name(handler.gate.offset),
            symbol: owners.nearest_symbol(handler.gate.offset, "Ki"),
            service_modules: routines.map(module).collect(),
            modules_known: owners.know_modules(),
            handler,
        }
    }

    fn objects<T>(&self, get: impl Fn(&InterruptObject) -> Result<T, Absent>) -> Result<Vec<T>, Absent> {
        self.handler.objects.as_ref().map_err(|why| *why)?.iter().map(get).collect()
    }

    /// A handler that no module owns, and that is no code of an interrupt object.
    fn is_outside(&self) -> bool {
        self.handler.gate.present && self.module == Ok(None) && !self.handler.in_object
    }

    /// Its service routines that no module owns, with the vector.
    fn routines_outside(&self) -> Vec<(u32, VirtAddr)> {
        let routines = self.objects(|object| object.service_routine).unwrap_or_default();
        let of_none = routines.into_iter().zip(&self.service_modules).filter(|(_, module)| module.is_none());
        of_none.map(|(at, _)| (self.handler.vector, at)).collect()
    }
}

/// Only one processor is asked about.
pub(super) const PROCESSOR: Parameter = Parameter {
    name: "processor",
    form: Form::Number("number of a processor"),
    needed: false,
    about: "only this processor",
};

/// The processors that are asked about.
pub(super) fn processors(
    dump: &OpenDump,
    arguments: &Arguments,
    incomplete: &mut Vec<Incomplete>,
) -> Result<Vec<Processor>, crate::error::Error> {
    let mut processors = processor::processors_and_gaps(dump.kernel()?, incomplete);
    if let Some(wanted) = arguments.number("processor") {
        processors.retain(|processor| processor.number().is_ok_and(|number| u64::from(number) == wanted));
    }
    Ok(processors)
}

/// The table.
pub const IDT: Asked<HandlerRow> = Asked {
    table: TableDef {
        name: "idt",
        about: "the handlers of interrupts and exceptions, and whose they are",
        columns: COLUMNS,
        screen: &[
            screen("CPU", "processor"),
            screen("Vector", "vector"),
            screen("Address", "address"),
            screen("Module", "module"),
            screen("Symbol", "symbol"),
            screen("DPL", "dpl"),
            screen("IST", "ist"),
            screen("Type", "type"),
            screen("Service routines", "service_routines"),
            screen("Their modules", "service_modules"),
        ],
        record: false,
    },
    parameters: &[PROCESSOR],
    rows: |dump, arguments| {
        let owners = Owners::of(dump.kernel()?);
        let (mut rows, mut incomplete) = (Vec::new(), owners.missing().to_vec());
        for processor in processors(dump, arguments, &mut incomplete)? {
            let (handlers, missing) = interrupt::handlers(&processor, &owners);
            rows.extend(handlers.into_iter().map(|handler| HandlerRow::of(handler, &owners)));
            incomplete.extend(missing);
        }
        Ok((rows, incomplete))
    },
    remarks,
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&HandlerRow) -> Cell,
) -> Column<HandlerRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<HandlerRow>] = &[
    column("processor", Kind::Uint, "number of the processor", |h| h.handler.processor.into()),
    column("vector", Kind::Uint, "the vector", |h| h.handler.vector.into()),
    column("address", Kind::Address, "where the handler begins", |h| h.handler.gate.offset.into()),
    column("module", Kind::Text, "module that owns the handler", |h| h.module.clone().into()),
    column("symbol", Kind::Text, "symbol of the kernel that the handler belongs to", |h| h.symbol.clone().into()),
    column("dpl", Kind::Uint, "least privileged level that may raise it with an instruction", |h| {
        h.handler.gate.dpl.into()
    }),
    column("ist", Kind::Uint, "number of the stack in the task state segment; 0 for none", |h| {
        h.handler.gate.ist.into()
    }),
    column("type", Kind::Text, "interrupt-gate or trap-gate", |h| {
        h.handler.gate.kind.name().ok_or(Absent::Malformed).into()
    }),
    column("selector", Kind::Code, "code segment that the handler runs in", |h| {
        Code(h.handler.gate.selector.into()).into()
    }),
    column("present", Kind::Bool, "the processor uses the entry", |h| h.handler.gate.present.into()),
    column("interrupt_objects", Kind::Addresses, "KINTERRUPT objects that the vector is connected with", |h| {
        h.objects(|object| Ok(object.at.0)).into()
    }),
    column("service_routines", Kind::Addresses, "routines of drivers that these objects lead to", |h| {
        h.objects(|object| object.service_routine.map(|at| at.0)).into()
    }),
    column("service_modules", Kind::List, "modules that own these routines; none where no module does", |h| {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".into());
        h.objects(|object| object.service_routine)
            .and_then(|routines| if h.modules_known { Ok(routines) } else { Err(Absent::SymbolsNeeded) })
            .map(|_| h.service_modules.iter().map(name).collect::<Vec<_>>())
            .into()
    }),
];

/// So many vectors are told one by one.
const SHOWN: usize = 8;

/// Handlers and service routines that no module owns, processor by processor.
fn remarks(rows: &[HandlerRow]) -> Vec<String> {
    let mut remarks = Vec::new();
    for rows in rows.chunk_by(|one, next| one.handler.processor == next.handler.processor) {
        let Some(first) = rows.first().filter(|first| first.modules_known) else { continue };
        let label = processor::label(first.handler.processor);
        let handlers =
            rows.iter().filter(|row| row.is_outside()).map(|row| (row.handler.vector, row.handler.gate.offset));
        remarks.extend(outside(&label, "handler", &handlers.collect::<Vec<_>>()));
        let routines: Vec<_> = rows.iter().flat_map(HandlerRow::routines_outside).collect();
        remarks.extend(outside(&label, "service routine", &routines));
    }
    remarks
}

fn outside(label: &str, what: &str, found: &[(u32, VirtAddr)]) -> Option<String> {
    let each = found.iter().take(SHOWN).map(|(vector, at)| format!("vector {vector} ({at})"));
    let each = each.collect::<Vec<_>>().join(", ");
    let more = if found.len() > SHOWN { ", ..." } else { "" };
    let verb = if found.len() == 1 { " lies" } else { "s lie" };
    (!found.is_empty()).then(|| format!("{label}: {} {what}{verb} in no module: {each}{more}", found.len()))
}
