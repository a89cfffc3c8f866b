//! Handles that cross a border.

use super::{Hex, hex, hex_option, hex_u32};
use schemars::JsonSchema;
use serde::Serialize;

/// A handle to an object in the namespace of another session than its holder's.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CrossSession {
    /// The process that holds it.
    pub pid: u64,
    /// The stored name of that process.
    pub image_name: String,
    /// The session of that process, if it is in one.
    pub holder_session: Option<u32>,
    /// The handle.
    pub handle: u64,
    /// Granted rights.
    #[serde(serialize_with = "hex_u32")]
    #[schemars(with = "Hex")]
    pub access: u32,
    /// The object.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub object: u64,
    /// The object's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object's full name.
    pub path: String,
    /// The session whose namespace the object is in.
    pub namespace_session: u32,
    /// `session_holds_global`, `foreign_session`, `service_holds_session_object` or `no_session`.
    pub class: &'static str,
}

/// A handle to an object in the namespace of another container than its holder's; the host counts as one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CrossSilo {
    /// The process that holds it.
    pub pid: u64,
    /// The stored name of that process.
    pub image_name: String,
    /// The job of the container that the process runs in; `null` for the host.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub holder_silo: Option<u64>,
    /// The job of the container that the object is in; `null` for the host.
    #[serde(serialize_with = "hex_option")]
    #[schemars(with = "Option<Hex>")]
    pub home_silo: Option<u64>,
    /// The handle.
    pub handle: u64,
    /// Granted rights.
    #[serde(serialize_with = "hex_u32")]
    #[schemars(with = "Hex")]
    pub access: u32,
    /// The object.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub object: u64,
    /// The object's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object's full name in the host's namespace.
    pub path: String,
    /// `named_objects` for one of a session's namespace, else `shared_root`.
    pub scope: &'static str,
    /// `silo_holds_host`, `host_holds_silo` or `silo_holds_silo`.
    pub direction: &'static str,
}

/// Write access to a section below a `\BaseNamedObjects` from below medium integrity while a process at high or above
/// holds the same section.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CrossIntegrity {
    /// The section's full name.
    pub path: String,
    /// The object's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The section.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Hex")]
    pub object: u64,
    /// The process that can write.
    pub holder_pid: u64,
    /// The last part of its integrity SID.
    pub holder_integrity: u32,
    /// Its handle.
    pub handle: u64,
    /// Granted rights.
    #[serde(serialize_with = "hex_u32")]
    #[schemars(with = "Hex")]
    pub access: u32,
    /// Ids of the processes at high or above that hold the section.
    pub high_holders: Vec<u64>,
}
