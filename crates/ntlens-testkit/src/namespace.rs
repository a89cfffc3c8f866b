//! The object manager's namespace: directories and the named objects in them.

use crate::assembly::Assembly;
use crate::object::{BODY, NAME_INFO, Named};
use crate::pool::PoolKind;
use crate::truth::NamedObject;

impl Assembly<'_> {
    /// Writes the root, the directories that every machine has, and the objects that were asked for.
    pub(crate) fn namespace(&mut self) {
        let root = self.directory("\\");
        self.set_symbol("ObpRootDirectoryObject", root);
        let types = self.directory("\\ObjectTypes");
        self.set_symbol("ObpTypeDirectoryObject", types);
        for (_, name, object) in self.types.list().collect::<Vec<_>>() {
            self.insert(types, object, name);
            self.guest.at(object - BODY - NAME_INFO, "_OBJECT_HEADER_NAME_INFO").put("Directory", types);
        }
        for path in ["\\BaseNamedObjects", "\\KnownDlls", "\\Device", "\\Driver", "\\GLOBAL??"] {
            self.directory(path);
        }
        for (type_name, path) in &self.machine.named_objects {
            self.named_object(type_name, path);
        }
    }

    /// The directory of this path, made if it is new.
    pub(crate) fn directory(&mut self, path: &str) -> u64 {
        match self.namespace.get(path) {
            Some(object) => *object,
            None if path.is_empty() => self.directory("\\"),
            None => self.named_object("Directory", path),
        }
    }

    fn named_object(&mut self, type_name: &str, path: &str) -> u64 {
        let (above, name) = path.rsplit_once('\\').expect("a path starts with a backslash");
        let directory = match (above, name) {
            (_, "") => 0,
            ("", _) => self.directory("\\"),
            _ => self.directory(above),
        };
        let (kind, size, tag) = match type_name {
            "Directory" => (PoolKind::Paged, self.guest.size_of("_OBJECT_DIRECTORY", 0x158), *b"Dire"),
            "Section" | "SymbolicLink" => (PoolKind::Paged, 0x60, *b"Sect"),
            "Mutant" => (PoolKind::NonPaged, self.guest.size_of("_KMUTANT", 0x38), *b"Muta"),
            _ => (PoolKind::NonPaged, 0x60, *b"Even"),
        };
        let stored = if name.is_empty() { "\\" } else { name };
        let object = self.object(kind, type_name, size, tag, Some(Named { directory, name: stored }));
        if type_name == "Directory" {
            // Those of sessions say so; the others hold -1.
            let session = path.strip_prefix("\\Sessions\\").and_then(|rest| rest.split('\\').next()?.parse().ok());
            self.guest.at(object, "_OBJECT_DIRECTORY").put("SessionId", session.unwrap_or(0xffff_ffff));
        }
        self.namespace.insert(path.to_owned(), object);
        self.truth.named_objects.push(NamedObject {
            path: path.into(),
            kind: type_name.into(),
            object,
            namespace_session: namespace_session(path),
        });
        object
    }
}

/// The session whose namespace a path is in.
pub(crate) fn namespace_session(path: &str) -> Option<u32> {
    if path.starts_with("\\BaseNamedObjects\\") || path.starts_with("\\Windows\\WindowStations\\") {
        return Some(0);
    }
    path.strip_prefix("\\Sessions\\")?.split_once('\\')?.0.parse().ok()
}
