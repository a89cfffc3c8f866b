//! Trace sessions and their providers.

use super::{FRAMES, WILD, broken_links};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{offset, read_u64, symbol};
use crate::subject::Subject;

const fn tracing(name: &'static str, breaks: &'static str, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must: Must::Name, keeps: Keeps::Everything, every: false, make }
}

fn state(subject: &Subject) -> u64 {
    read_u64(subject.image, symbol(subject.image, "EtwpHostSiloState"))
}

pub(super) const SLOTS: Class = tracing("trace: slots", "EtwpLoggerContext", |subject| {
    let array_at = state(subject) + offset(subject.image, "_ETW_SILODRIVERSTATE", "EtwpLoggerContext");
    let array = read_u64(subject.image, array_at);
    let logger = &subject.truth().loggers[1];
    let slot = subject.at(array + u64::from(logger.slot) * 8);
    let of_slot = WILD.into_iter().filter_map(|wild| {
        let fault = Fault::at(format!("a slot of {wild:#x}"), slot?, &wild.to_le_bytes());
        Some(fault.touches("loggers", format!("{:#x}", logger.va)))
    });
    let of_array = WILD.into_iter().filter_map(|wild| {
        let fault = Fault::at(format!("an array at {wild:#x}"), subject.at(array_at)?, &wild.to_le_bytes());
        Some(fault.touches("loggers", ""))
    });
    of_slot.chain(of_array).collect()
});

pub(super) const PROVIDERS: Class = tracing("trace: lists of providers", "GuidList", |subject| {
    let providers: Vec<u64> = subject.truth().providers.iter().map(|provider| provider.va).collect();
    let entry = providers[0];
    let head = read_u64(subject.image, entry);
    let faults = broken_links(subject, "GuidList", subject.at(entry), entry, &[providers[1]]);
    faults.into_iter().map(|fault| fault.or_at(subject.at(head)).touches("providers", "")).collect()
});

pub(super) const CONSUMERS: Class = tracing("trace: consumers", "Consumers", |subject| {
    let logger = subject.truth().loggers.iter().find(|logger| !logger.consumers.is_empty()).unwrap();
    let head = logger.va + offset(subject.image, "_WMI_LOGGER_CONTEXT", "Consumers");
    let first = read_u64(subject.image, head);
    let faults = broken_links(subject, "Consumers", subject.at(head), head, &[logger.va]);
    faults.into_iter().map(|fault| fault.or_at(subject.at(first)).or_near(subject.at(logger.va), 8)).collect()
});
