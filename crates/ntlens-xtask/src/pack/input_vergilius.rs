//! The builds of `vergilius-x64-18-builds.json.xz`: offsets and bits of some structures.

use super::kernel::{Definition, Kernel};
use super::offsets_only::Known;
use super::read::{self, Failure, json, number, object};
use ntlens_core::layout::{FieldDef, StructDef, Type, Version};
use ntlens_symbols::{Source, sort_fields};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Reads all builds of the file.
pub(super) fn read(path: &Path, known: &Known<'_>) -> Result<Vec<Kernel>, Failure> {
    let root = json(path)?;
    let builds = root.as_object().ok_or_else(|| Failure::new("not an object").in_file(path))?;
    let origin = read::origin(path);
    builds
        .iter()
        .map(|(version, structs)| {
            let version: Version = version.parse().map_err(|_| Failure::new("bad version").in_file(path))?;
            let mut kernel = Kernel {
                version,
                id: None,
                source: Source::Vergilius,
                definitions: BTreeMap::new(),
                symbols: BTreeMap::new(),
                origin: origin.clone(),
            };
            for (name, value) in structs.as_object().into_iter().flatten() {
                let def = structure(name, value, version, known)
                    .map_err(|error| Failure::new(format!("{version} {name}: {error}")).in_file(path))?;
                kernel.definitions.insert(name.clone(), Arc::new(Definition::Struct(def)));
            }
            Ok(kernel)
        })
        .collect()
}

fn structure(name: &str, value: &Value, version: Version, known: &Known<'_>) -> Result<StructDef, Failure> {
    let mut fields = Vec::new();
    for (field, place) in object(value, "fields")? {
        let (offset, ty) = match place.as_array().map(Vec::as_slice) {
            Some([offset]) => (offset, known.ty(name, field).cloned().unwrap_or(Type::Unknown)),
            Some([offset, position, length]) => {
                (offset, known.bits(name, field, read::to_u8(position)?, read::to_u8(length)?))
            }
            _ => return Err(Failure::new(format!("bad place of {field}"))),
        };
        fields.push(FieldDef { name: field.as_str().into(), offset: read::to_u32(offset)?, ty });
    }
    sort_fields(&mut fields);
    // The source's size of this one is wrong in the later builds.
    let size_known = name != "_KPRCB" || version.build < 19041;
    let size = if size_known { Some(number(value, "size")?) } else { None };
    Ok(StructDef { kind: known.kind(name, version), name: name.into(), size, fields })
}
