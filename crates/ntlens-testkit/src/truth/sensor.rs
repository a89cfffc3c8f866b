//! What watches a machine.

use super::{Hex, hex, hex_option};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A trace session.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Logger {
    /// Its slot, which is its number.
    pub slot: u32,
    /// Address of the `WMI_LOGGER_CONTEXT`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// Job of the container it belongs to.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub silo: Option<u64>,
    /// Its name.
    pub name: String,
    /// The file that it writes.
    pub log_file: Option<String>,
    /// When it was started.
    pub start_time: u64,
    /// Numbers by their Windows names.
    pub fields: BTreeMap<&'static str, u64>,
    /// What is set in `Flags`.
    pub flags: Vec<&'static str>,
    /// `InstanceGuid`.
    pub instance_guid: String,
    /// The thread that writes buffers.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub logger_thread: u64,
    /// Ids of the processes that take its events.
    pub consumers: Vec<u64>,
    /// SID of who started it.
    pub owner: Option<String>,
}

/// What a session wants of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Enable {
    /// Number of the session.
    pub logger_id: u16,
    /// Level.
    pub level: u8,
    /// `MatchAnyKeyword`
    pub match_any: u64,
    /// `MatchAllKeyword`
    pub match_all: u64,
    /// `EnableProperty`
    pub property: u32,
}

/// A provider of trace events.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Provider {
    /// Address of the `ETW_GUID_ENTRY`.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub va: u64,
    /// Job of the container it belongs to.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub silo: Option<u64>,
    /// Its GUID.
    pub guid: String,
    /// `Trace`, `Notification` or `Group`.
    pub kind: &'static str,
    /// The sessions that enabled it.
    pub enabled: Vec<Enable>,
    /// Ids of the processes that registered it.
    pub processes: Vec<u64>,
    /// Functions of the kernel that are told of changes, and the modules they are in.
    pub callbacks: Vec<(u64, Option<String>)>,
}

/// A function that the kernel calls.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Callback {
    /// `process`, `thread`, `image`, `registry`, `object-pre` or `object-post`.
    pub kind: &'static str,
    /// Where it is.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub function: u64,
    /// The module around it.
    pub module: Option<String>,
    /// Slot of the array.
    pub slot: Option<u32>,
    /// The block or entry that holds it.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub entry: u64,
    /// What is passed to it.
    pub context: u64,
    /// Its place among others.
    pub altitude: Option<String>,
    /// Number by which it is taken back.
    pub cookie: Option<u64>,
    /// Type of the objects.
    pub object_type: Option<&'static str>,
    /// `OB_OPERATION` bits.
    pub operations: Option<u32>,
    /// Whether it is on.
    pub enabled: Option<bool>,
}
