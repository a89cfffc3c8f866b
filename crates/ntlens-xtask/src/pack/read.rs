//! Files and JSON values that must be there.

pub(super) use crate::failure::Failure;
use flate2::read::GzDecoder;
use lzma_rust2::XzReader;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// A JSON file, compressed or not as its name ends.
pub(super) fn json(path: &Path) -> Result<Value, Failure> {
    let failed = |error: &dyn fmt::Display| Failure::new(error.to_string()).in_file(path);
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    let mut plain = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => XzReader::new(&*bytes, true).read_to_end(&mut plain).map_err(|error| failed(&error))?,
        Some("gz") => GzDecoder::new(&*bytes).read_to_end(&mut plain).map_err(|error| failed(&error))?,
        _ => {
            plain = bytes;
            plain.len()
        }
    };
    serde_json::from_slice(&plain).map_err(|error| failed(&error))
}

/// A file's name, to tell where something comes from.
pub(super) fn origin(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn get<'v>(value: &'v Value, key: &str) -> Result<&'v Value, Failure> {
    value.get(key).ok_or_else(|| Failure::new(format!("no \"{key}\"")))
}

pub(super) fn text<'v>(value: &'v Value, key: &str) -> Result<&'v str, Failure> {
    get(value, key)?.as_str().ok_or_else(|| Failure::new(format!("\"{key}\" is no text")))
}

pub(super) fn list<'v>(value: &'v Value, key: &str) -> Result<&'v Vec<Value>, Failure> {
    get(value, key)?.as_array().ok_or_else(|| Failure::new(format!("\"{key}\" is no list")))
}

pub(super) fn object<'v>(value: &'v Value, key: &str) -> Result<&'v Map<String, Value>, Failure> {
    get(value, key)?.as_object().ok_or_else(|| Failure::new(format!("\"{key}\" is no object")))
}

pub(super) fn number(value: &Value, key: &str) -> Result<u32, Failure> {
    to_u32(get(value, key)?)
}

pub(super) fn to_u32(value: &Value) -> Result<u32, Failure> {
    value.as_u64().and_then(|value| value.try_into().ok()).ok_or_else(|| Failure::new(format!("bad number {value}")))
}

pub(super) fn to_u8(value: &Value) -> Result<u8, Failure> {
    value.as_u64().and_then(|value| value.try_into().ok()).ok_or_else(|| Failure::new(format!("bad number {value}")))
}

/// Addresses by name.
pub(super) fn addresses(
    symbols: &Map<String, Value>,
    address: impl Fn(&Value) -> Option<u64>,
) -> Result<BTreeMap<String, u32>, Failure> {
    symbols
        .iter()
        .map(|(name, value)| {
            let rva = address(value).and_then(|rva| rva.try_into().ok());
            rva.map(|rva| (name.clone(), rva)).ok_or_else(|| Failure::new(format!("bad address of {name}")))
        })
        .collect()
}
