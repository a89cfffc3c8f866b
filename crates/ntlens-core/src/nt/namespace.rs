//! The namespace of objects: the tree of directories from the root, and to which session and container a path belongs.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::object_name::below;
use crate::nt::object_type::{ObjectTypes, ROOT};
use crate::nt::silo::ServerSilo;
use crate::nt::snapshot::Snapshot;
use crate::nt::symbolic_link;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// An object of the namespace.
#[derive(Clone, Debug)]
pub struct NamedObject {
    /// Its full name.
    pub path: Arc<str>,
    /// Its own name, the last part of the path.
    pub name: String,
    /// Name of its type.
    pub object_type: Result<Arc<str>, Absent>,
    /// Where it lies.
    pub object: VirtAddr,
    /// The session whose namespace it is in.
    pub session_id: Result<Option<u32>, Absent>,
    /// The job of the server silo whose namespace it is in.
    pub silo: Option<VirtAddr>,
    /// Handles to it, as its header counts them.
    pub handle_count: Result<u64, Absent>,
    /// References to it, as its header counts them.
    pub pointer_count: Result<u64, Absent>,
    /// What a symbolic link stands for; `None` for other objects.
    pub link_target: Result<Option<String>, Absent>,
    /// Where a symbolic link leads in the end, for a process of the link's own session and silo; `None` for other
    /// objects, and for one that leads nowhere.
    pub resolved: Result<Option<String>, Absent>,
}

/// The objects of the namespace, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// Each object once: a directory, then what is in it, in the order of their names.
    pub objects: Vec<NamedObject>,
    /// The server silos, each with its root.
    pub silos: Vec<ServerSilo>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Objects that are listed.
const MAX_OBJECTS: usize = 1 << 18;
/// Bytes of all paths together.
const MAX_TEXT: usize = 64 << 20;
/// Missing names that are told by their address; the rest is counted.
const MAX_NAMED: usize = 16;

/// Walks the tree of directories. Symbolic links are listed and not followed.
pub fn namespace(snapshot: &Snapshot) -> Namespace {
    let manager = snapshot.object_manager();
    let (types, silos) = (manager.types(), manager.server_silos());
    let mut walk = Walk {
        snapshot,
        types,
        places: manager.places(),
        seen: BTreeSet::new(),
        found: Namespace { incomplete: types.incomplete.clone(), ..Namespace::default() },
        text: 0,
        lost: 0,
        beyond: 0,
    };
    if let Ok(root) = types.root() {
        walk.tree(root);
    }
    let mut found = walk.found;
    if snapshot.triage().is_some() {
        found.incomplete.push(Incomplete::new("object directories", "triage dump", Absent::AddressNotInDump));
    }
    if walk.lost > 0 {
        let what = "further objects whose names or targets could not be read";
        found.incomplete.push(Incomplete::new(what, "object directories", Absent::Malformed).times(walk.lost));
    }
    if walk.beyond > 0 {
        let most = format!("{MAX_OBJECTS}, or {MAX_TEXT} bytes of their names");
        found.incomplete.push(Incomplete::beyond("objects", "object directories", most).times(walk.beyond));
    }
    symbolic_link::resolve(&mut found.objects, silos);
    for silo in silos {
        let known = match &silo.root {
            Ok(Some(root)) => found.objects.iter().any(|object| object.path.eq_ignore_ascii_case(root)),
            _ => false,
        };
        if !known {
            let why = silo.root.as_ref().err().copied().unwrap_or(Absent::Malformed);
            found.incomplete.push(Incomplete::new("root directory of a server silo", silo.job, why));
        }
    }
    found.silos = silos.to_vec();
    found
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    types: &'a ObjectTypes,
    places: Places<'a>,
    /// Objects that were listed: none is twice, so no directory is walked twice.
    seen: BTreeSet<VirtAddr>,
    found: Namespace,
    text: usize,
    /// Objects whose names could not be read and that are not told by themselves.
    lost: u64,
    /// Objects that there was no room for.
    beyond: u64,
}

impl Walk<'_> {
    /// A directory and all that is below it.
    fn tree(&mut self, root: VirtAddr) {
        self.add(root, ROOT.into(), ROOT.into());
        let mut left: VecDeque<(VirtAddr, Arc<str>)> = VecDeque::from([(root, ROOT.into())]);
        while let Some((directory, path)) = left.pop_front() {
            let fields = self.snapshot.fields();
            let (objects, incomplete) = match fields.directory.objects(self.snapshot.space(), directory) {
                Ok(found) => found,
                Err(why) => {
                    self.found.incomplete.push(Incomplete::new("object directory", directory, why));
                    continue;
                }
            };
            self.found.incomplete.extend(incomplete);
            let mut members: Vec<(String, VirtAddr)> = Vec::new();
            for object in objects {
                let header = fields.object.of_body(self.snapshot.space(), object);
                match header.and_then(|header| header.name(self.snapshot.space())?.ok_or(Absent::Malformed)) {
                    Ok(name) => members.push((name.name, object)),
                    Err(why) => self.missing(object, why),
                }
            }
            members.sort();
            for (name, object) in members {
                let Ok(path) = below(&path, &name) else {
                    self.missing(object, Absent::Malformed);
                    continue;
                };
                if self.add(object, path.clone(), name) {
                    left.push_back((object, path));
                }
            }
        }
    }

    fn missing(&mut self, object: VirtAddr, why: Absent) {
        if self.found.incomplete.len() < MAX_NAMED {
            self.found.incomplete.push(Incomplete::new("name of an object", object, why));
        } else {
            self.lost += 1;
        }
    }

    /// Notes a symbolic link whose target cannot be a text.
    fn wrong_link(&mut self, link: VirtAddr, why: Absent) {
        const LINK: (&str, &str) = ("_OBJECT_SYMBOLIC_LINK", "LinkTarget");
        if self.found.incomplete.len() < MAX_NAMED {
            let place = self.snapshot.place_of(LINK.0, link, LINK.1);
            let wrong = Incomplete::wrong(LINK.0, LINK.1, place, why, "the path that it stands for");
            self.found.incomplete.push(wrong);
        } else {
            self.lost += 1;
        }
    }

    /// Lists an object. Whether it is a directory that was not met before.
    fn add(&mut self, object: VirtAddr, path: Arc<str>, name: String) -> bool {
        self.text += path.len() + name.len();
        if self.found.objects.len() >= MAX_OBJECTS || self.text >= MAX_TEXT {
            self.beyond += 1;
            return false;
        }
        if !self.seen.insert(object) {
            return false;
        }
        let header = self.snapshot.fields().object.of_body(self.snapshot.space(), object);
        let Ok(header) = header else { return false };
        let object_type = header.type_index().and_then(|stored| self.types.of(header.address(), stored));
        let object_type = object_type.map(|found| found.name.clone());
        let is = |wanted: &str| object_type.as_ref().is_ok_and(|name| &**name == wanted);
        let is_directory = is("Directory") || path.as_ref() == ROOT;
        let link_target = if is("SymbolicLink") { symbolic_link::target(self.snapshot, object) } else { Ok(None) };
        if let Some(why) = link_target.as_ref().err().filter(|why| why.is_nowhere()) {
            self.wrong_link(object, *why);
        }
        let (session_id, silo) = self.places.of(&path);
        self.found.objects.push(NamedObject {
            link_target,
            resolved: Ok(None),
            name,
            object,
            session_id,
            silo,
            handle_count: header.handle_count(),
            pointer_count: header.pointer_count(),
            object_type,
            path,
        });
        is_directory
    }
}

/// To which session and container paths belong.
#[derive(Clone, Debug)]
pub(crate) struct Places<'a> {
    silos: Vec<(&'a str, &'a ServerSilo)>,
}

impl<'a> Places<'a> {
    /// Takes the roots of the silos.
    pub(crate) fn new(silos: &'a [ServerSilo]) -> Self {
        let root = |silo: &'a ServerSilo| Some((silo.root.as_ref().ok()?.as_deref()?, silo));
        let mut silos: Vec<_> = silos.iter().filter_map(root).filter(|(root, _)| root.len() > ROOT.len()).collect();
        // Of silos inside one another the innermost is the one that a path belongs to.
        silos.sort_by_key(|(root, _)| core::cmp::Reverse(root.len()));
        Self { silos }
    }

    /// What of a path is below the root of its silo, and the silo's job.
    pub(crate) fn inside<'p>(&self, path: &'p str) -> (&'p str, Option<VirtAddr>) {
        let found = self.silos.iter().find_map(|(root, silo)| Some((inside(path, root)?, Some(silo.job))));
        found.unwrap_or((path, None))
    }

    /// The session whose namespace a path is in, and the job of the server silo.
    pub(crate) fn of(&self, path: &str) -> (Result<Option<u32>, Absent>, Option<VirtAddr>) {
        let inside = self.silos.iter().find_map(|(root, silo)| Some((inside(path, root)?, *silo)));
        let Some((rest, silo)) = inside else { return (Ok(session(path)), None) };
        let first = rest.trim_start_matches('\\').split('\\').next().unwrap_or_default();
        let session = if first.eq_ignore_ascii_case("BaseNamedObjects") {
            silo.session_id.map(Some)
        } else {
            Ok(session_number(rest))
        };
        (session, Some(silo.job))
    }
}

/// What of a path is behind a root, which may be the path itself.
fn inside<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    let (above, rest) = path.split_at_checked(root.len())?;
    (above.eq_ignore_ascii_case(root) && (rest.is_empty() || rest.starts_with('\\'))).then_some(rest)
}

/// The session of a path of the host.
fn session(path: &str) -> Option<u32> {
    let of_services = ["\\BaseNamedObjects", "\\Windows\\WindowStations"];
    let is_below = |above: &&str| inside(path, above).is_some_and(|rest| !rest.is_empty());
    if of_services.iter().any(is_below) { Some(0) } else { session_number(path) }
}

/// `N` of what is below `\Sessions\N`.
fn session_number(path: &str) -> Option<u32> {
    let (number, _) = inside(path, "\\Sessions")?.strip_prefix('\\')?.split_once('\\')?;
    if number.bytes().all(|digit| digit.is_ascii_digit()) { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_belong_to_sessions_by_their_directories() {
        for (path, expected) in [
            ("\\", None),
            ("\\BaseNamedObjects", None),
            ("\\BaseNamedObjects\\Event", Some(0)),
            ("\\BaseNamedObjectsX\\Event", None),
            ("\\Windows\\WindowStations\\WinSta0", Some(0)),
            ("\\Windows\\WindowStations", None),
            ("\\Sessions\\1", None),
            ("\\Sessions\\1\\BaseNamedObjects", Some(1)),
            ("\\Sessions\\12\\DosDevices", Some(12)),
            ("\\Sessions\\BNOLINKS\\1", None),
            ("\\Sessions\\+1\\X", None),
            ("\\Sessions\\99999999999\\X", None),
            ("\\RPC Control\\lsapolicylookup", None),
        ] {
            assert_eq!(Places::new(&[]).of(path), (Ok(expected), None), "{path}");
        }
    }

    #[test]
    fn a_container_has_sessions_of_its_own() {
        let silo =
            |job, root: &str, session_id| ServerSilo { job: VirtAddr(job), session_id, root: Ok(Some(root.into())) };
        let silos = [
            silo(1, "\\Silos\\278", Ok(3)),
            silo(2, "\\Silos\\278\\Silos\\9", Err(Absent::DemandZero)),
            silo(3, "\\", Ok(9)),
        ];
        let places = Places::new(&silos);
        for (path, session, job) in [
            ("\\Silos\\278", Ok(None), Some(1)),
            ("\\Silos\\2789", Ok(None), None),
            ("\\Silos\\278\\BaseNamedObjects", Ok(Some(3)), Some(1)),
            ("\\Silos\\278\\BaseNamedObjects\\Event", Ok(Some(3)), Some(1)),
            ("\\Silos\\278\\Sessions\\1\\Event", Ok(Some(1)), Some(1)),
            ("\\Silos\\278\\Silos\\9\\BaseNamedObjects\\Event", Err(Absent::DemandZero), Some(2)),
            ("\\Event", Ok(None), None),
        ] {
            assert_eq!(places.of(path), (session, job.map(VirtAddr)), "{path}");
        }
    }
}
