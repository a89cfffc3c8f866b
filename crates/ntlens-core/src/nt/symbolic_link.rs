//! `OBJECT_SYMBOLIC_LINK`: what a link stands for, and where it leads in the end.
//!
//! The object manager begins again at the root with each link that it meets: in a server silo at the silo's own root. What
//! begins with `\??` is looked for in the drive letters of the caller's logon, then in the global ones.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::nt::namespace::NamedObject;
use crate::nt::object_name::MAX_PATH;
use crate::nt::silo::ServerSilo;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_OBJECT_SYMBOLIC_LINK`.
    pub struct SymbolicLinkFields of "_OBJECT_SYMBOLIC_LINK" {
        /// What it stands for: a string, or since Windows 10 a function of the kernel that tells it.
        link_target: Field<[u8; 16]> = "LinkTarget",
    }
}

/// What a symbolic link stands for.
pub(crate) fn target(snapshot: &Snapshot, link: VirtAddr) -> Result<Option<String>, Absent> {
    let fields = &snapshot.fields().symbolic_link;
    let view = StructView::read(snapshot.space(), link, fields.extent);
    let offset = fields.link_target?.offset;
    // A string begins with two lengths of 16 bits: an address of the kernel here is that of a function.
    let first = view.get(&Ok(Field::<VirtAddr>::at(offset)))?;
    if first.is_kernel() {
        return Err(Absent::NotApplicable);
    }
    snapshot.fields().unicode_string.read_in(&view, offset, snapshot.space())
}

/// Links that are followed one after the other; Windows gives up after as many (`OBJ_MAX_REPARSE_ATTEMPTS`).
const MAX_LINKS: usize = 64;
/// The names of the drives that every logon sees.
const GLOBAL_DRIVES: &str = "\\GLOBAL??";
/// What stands for the drives of the caller's logon.
const DRIVES: &str = "\\??";

/// Finds where each link of a namespace leads.
pub(crate) fn resolve(objects: &mut [NamedObject], silos: &[ServerSilo]) {
    let tree = Tree::new(objects);
    let is_link = |object: &&NamedObject| !matches!(object.link_target, Ok(None));
    let links = objects.iter().filter(is_link);
    let found: Vec<_> = links.map(|link| (link.path.to_lowercase(), tree.of_link(link, silos))).collect();
    let indices: Vec<_> = found.into_iter().filter_map(|(path, to)| Some((*tree.indices.get(&path)?, to))).collect();
    for (index, to) in indices {
        if let Some(link) = objects.get_mut(index) {
            link.resolved = to;
        }
    }
}

/// The objects by their paths; most directories do not regard the case of letters.
struct Tree {
    indices: BTreeMap<String, usize>,
    entries: Vec<Entry>,
}

struct Entry {
    path: String,
    is_directory: bool,
    target: Result<Option<String>, Absent>,
}

/// What a look-up met.
enum Met<'a> {
    /// Nothing of that name.
    Nothing,
    /// The object, and what of the path is behind it.
    Object(&'a Entry, &'a str),
}

impl Tree {
    fn new(objects: &[NamedObject]) -> Self {
        let entry = |object: &NamedObject| Entry {
            path: String::from(&*object.path),
            is_directory: object.object_type.as_deref() == Ok("Directory"),
            target: object.link_target.clone(),
        };
        let indices = objects.iter().enumerate().map(|(index, object)| (object.path.to_lowercase(), index)).collect();
        Self { indices, entries: objects.iter().map(entry).collect() }
    }

    /// Where a link leads for a process of its own silo.
    fn of_link(&self, link: &NamedObject, silos: &[ServerSilo]) -> Result<Option<String>, Absent> {
        let silo = silos.iter().find(|silo| Some(silo.job) == link.silo);
        let root = match silo.map(|silo| &silo.root) {
            None | Some(Ok(None)) => "",
            Some(Ok(Some(root))) => root.trim_end_matches('\\'),
            Some(Err(why)) => return Err(*why),
        };
        let Some(target) = link.link_target.as_ref().map_err(|why| *why)? else { return Ok(None) };
        // The drive letters that stand beside the link are those of the logon that it was made for.
        let beside = link.path.rsplit_once('\\').map_or("", |(above, _)| above);
        let own_drives = beside.to_lowercase().contains("\\dosdevices\\").then_some(beside);
        let mut path = self.rooted(root, target, own_drives)?;
        for _ in 0..MAX_LINKS {
            let (target, rest) = match self.walk(&path) {
                Met::Nothing => return Ok(None),
                Met::Object(Entry { target: Ok(None), path, .. }, rest) => return Ok(Some(format!("{path}{rest}"))),
                Met::Object(Entry { target, .. }, rest) => (target, rest),
            };
            let Some(target) = target.as_ref().map_err(|why| *why)? else { return Ok(None) };
            if target.len() + rest.len() > MAX_PATH * 4 {
                return Err(Absent::Malformed);
            }
            path = self.rooted(root, &format!("{}{rest}", target.trim_end_matches('\\')), own_drives)?;
        }
        // A loop, which the object manager refuses as well.
        Err(Absent::Malformed)
    }

    /// A target below the root that it is meant from. Drives are those of one logon, else the global ones; if another
    /// logon has its own of that name, where it leads depends on who asks.
    fn rooted(&self, root: &str, target: &str, own_drives: Option<&str>) -> Result<String, Absent> {
        if !target.starts_with('\\') {
            return Err(Absent::Malformed);
        }
        let Some(drive) = behind(target, DRIVES) else { return Ok(format!("{root}{target}")) };
        let first = drive.trim_start_matches('\\').split('\\').next().unwrap_or_default();
        let name = first.to_lowercase();
        if let Some(own) =
            own_drives.filter(|own| self.indices.contains_key(&format!("{}\\{name}", own.to_lowercase())))
        {
            return Ok(format!("{own}{drive}"));
        }
        let ending = format!("\\{name}");
        let other = |path: &String| path.contains("\\dosdevices\\") && path.ends_with(&ending);
        if own_drives.is_none() && !name.is_empty() && self.indices.keys().any(other) {
            return Err(Absent::NotApplicable);
        }
        Ok(format!("{root}{GLOBAL_DRIVES}{drive}"))
    }

    /// Goes down a path to the first object that is no directory, or to its end.
    fn walk<'a>(&'a self, path: &'a str) -> Met<'a> {
        let whole = path.trim_end_matches('\\');
        let ends = whole.match_indices('\\').map(|(at, _)| at).skip(1).chain([whole.len()]);
        for end in ends {
            let (above, rest) = whole.split_at_checked(end).unwrap_or((whole, ""));
            let above = if above.is_empty() { "\\" } else { above };
            let index = self.indices.get(&above.to_lowercase());
            let Some(entry) = index.and_then(|index| self.entries.get(*index)) else { return Met::Nothing };
            if !entry.is_directory || rest.is_empty() {
                return Met::Object(entry, rest);
            }
        }
        Met::Nothing
    }
}

/// What of a path is behind a first part, whose letters' case does not matter.
fn behind<'p>(path: &'p str, first: &str) -> Option<&'p str> {
    let (above, rest) = path.split_at_checked(first.len())?;
    (above.eq_ignore_ascii_case(first) && (rest.is_empty() || rest.starts_with('\\'))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn object(path: &str, object_type: &str, target: Option<&str>, silo: Option<u64>) -> NamedObject {
        NamedObject {
            path: path.into(),
            name: path.rsplit('\\').next().unwrap().into(),
            object_type: Ok(object_type.into()),
            object: VirtAddr(0),
            session_id: Ok(None),
            silo: silo.map(VirtAddr),
            handle_count: Ok(1),
            pointer_count: Ok(1),
            link_target: Ok(target.map(ToString::to_string)),
            resolved: Ok(None),
        }
    }

    fn directory(path: &str) -> NamedObject {
        object(path, "Directory", None, None)
    }

    fn link(path: &str, target: &str) -> NamedObject {
        object(path, "SymbolicLink", Some(target), None)
    }

    fn resolved(objects: &[NamedObject], path: &str) -> Result<Option<String>, Absent> {
        objects.iter().find(|object| &*object.path == path).unwrap().resolved.clone()
    }

    #[test]
    fn links_lead_through_links_to_what_is_there() {
        let silo = ServerSilo { job: VirtAddr(7), session_id: Ok(3), root: Ok(Some("\\Silos\\9".into())) };
        let mut objects = alloc::vec![
            directory("\\"),
            directory("\\Device"),
            object("\\Device\\HarddiskVolume3", "Device", None, None),
            directory("\\GLOBAL??"),
            link("\\GLOBAL??\\C:", "\\Device\\HarddiskVolume3"),
            link("\\GLOBAL??\\D:", "\\Device\\Gone"),
            link("\\SystemRoot", "\\Device\\BootDevice\\Windows"),
            link("\\Device\\BootDevice", "\\??\\C:"),
            directory("\\Sessions"),
            directory("\\Sessions\\0"),
            directory("\\Sessions\\0\\DosDevices"),
            directory("\\Sessions\\0\\DosDevices\\00000000-0001"),
            link("\\Sessions\\0\\DosDevices\\00000000-0001\\Z:", "\\??\\C:\\Shares"),
            link("\\Sessions\\0\\DosDevices\\00000000-0001\\Y:", "\\??\\Z:\\Below"),
            link("\\Net", "\\??\\Z:"),
            link("\\One", "\\Other"),
            link("\\Other", "\\one"),
            link("\\Relative", "Device"),
            directory("\\Silos"),
            directory("\\Silos\\9"),
            directory("\\Silos\\9\\BaseNamedObjects"),
            object("\\Silos\\9\\Global", "SymbolicLink", Some("\\BaseNamedObjects"), Some(7)),
        ];
        resolve(&mut objects, &[silo]);
        let drive = "\\Sessions\\0\\DosDevices\\00000000-0001";
        for (path, expected) in [
            ("\\GLOBAL??\\C:", Ok(Some("\\Device\\HarddiskVolume3"))),
            ("\\GLOBAL??\\D:", Ok(None)),
            ("\\SystemRoot", Ok(Some("\\Device\\HarddiskVolume3\\Windows"))),
            (&format!("{drive}\\Z:"), Ok(Some("\\Device\\HarddiskVolume3\\Shares"))),
            (&format!("{drive}\\Y:"), Ok(Some("\\Device\\HarddiskVolume3\\Shares\\Below"))),
            // Only one logon has this drive: it depends on who asks.
            ("\\Net", Err(Absent::NotApplicable)),
            ("\\One", Err(Absent::Malformed)),
            ("\\Relative", Err(Absent::Malformed)),
            ("\\Silos\\9\\Global", Ok(Some("\\Silos\\9\\BaseNamedObjects"))),
            ("\\Device", Ok(None)),
        ] {
            assert_eq!(resolved(&objects, path), expected.map(|path| path.map(String::from)), "{path}");
        }
    }

    #[test]
    fn more_links_than_windows_follows_lead_nowhere_and_say_so() {
        let numbered = |number: usize| format!("\\{number}");
        for (links, leads) in [(MAX_LINKS - 1, true), (MAX_LINKS + 1, false)] {
            let mut objects = alloc::vec![directory("\\"), object(&numbered(links), "Device", None, None)];
            objects.extend((0..links).map(|at| link(&numbered(at), &numbered(at + 1))));
            resolve(&mut objects, &[]);
            let expected = if leads { Ok(Some(numbered(links))) } else { Err(Absent::Malformed) };
            assert_eq!(resolved(&objects, "\\0"), expected);
        }
    }

    proptest! {
        #[test]
        fn any_links_end(targets in prop::collection::vec("(\\\\[ab?]{0,2}){0,4}", 1..12)) {
            let mut objects: Vec<_> = targets
                .iter()
                .enumerate()
                .map(|(index, target)| link(&format!("\\{}", ["a", "b", "ab", "??"][index % 4].repeat(1 + index / 4)), target))
                .collect();
            resolve(&mut objects, &[]);
            prop_assert!(objects.iter().all(|object| object.resolved.clone().is_ok_and(|to| to.is_none()) || object.resolved.is_err()));
        }
    }
}
