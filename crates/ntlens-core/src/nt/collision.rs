//! Names that stand in the global namespace and in that of a session or a container: who opens one may get the other.
//!
//! A program that asks for `X` finds it in its session first, one that asks for `Global\\X` or runs as a service finds the
//! global one. A pair is often innocent - the same program in two sessions - and is how names are squatted.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::creator::creator;
use crate::nt::handle::Holder;
use crate::nt::holder::{Holders, holders};
use crate::nt::integrity::Integrity;
use crate::nt::namespace::{NamedObject, namespace};
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// One of the two objects.
#[derive(Clone, Debug)]
pub struct Side {
    /// The object.
    pub object: NamedObject,
    /// Who has handles to it, each process once.
    pub holders: Vec<Arc<Holder>>,
    /// The highest integrity level of the holders; `None` without holders whose levels are known.
    pub integrity: Option<Integrity>,
    /// Id of the process that created it; `None` for objects that do not tell.
    pub creator_pid: Result<Option<u64>, Absent>,
}

/// A name that stands for two objects.
#[derive(Clone, Debug)]
pub struct Collision {
    /// The name below `BaseNamedObjects`, as the global object bears it.
    pub name: String,
    /// Which namespaces meet: `session` or `silo`.
    pub border: &'static str,
    /// The object of the host's or the container's services.
    pub global: Side,
    /// The object of the session, or of the container.
    pub other: Side,
}

impl Collision {
    /// Whether all holders of the second object are trusted less than the most trusted one of the first; `None` where the
    /// levels are not known.
    pub fn is_lower(&self) -> Option<bool> {
        Some(self.other.integrity? < self.global.integrity?)
    }
}

/// Names that stand for two objects, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Collisions {
    /// In the order of the second objects' paths.
    pub collisions: Vec<Collision>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    silo: Option<VirtAddr>,
    session: Option<u32>,
}

/// Finds names that stand in the global namespace and in another.
pub fn collisions(snapshot: &Snapshot) -> Collisions {
    let found = namespace(snapshot);
    let places = snapshot.object_manager().places();
    let mut named: BTreeMap<(Place, String), &NamedObject> = BTreeMap::new();
    let mut others = Vec::new();
    for object in &found.objects {
        let (path, silo) = places.inside(&object.path);
        let Some((session, name)) = base_name(path) else { continue };
        let place = Place { silo, session };
        named.insert((place, name.to_lowercase()), object);
        if place != HOST {
            others.push((place, name, object));
        }
    }
    let holders = holders(snapshot);
    let side = |object: &NamedObject| side(snapshot, &holders, object);
    let mut collisions = Vec::new();
    for (place, name, object) in others {
        let global = Place { session: None, ..place };
        let pairs = [("session", global), ("silo", HOST)];
        let meets =
            |(border, other): &(&str, Place)| *other != place && (*border == "session" || place.session.is_none());
        for (border, other) in pairs.into_iter().filter(meets) {
            let Some(first) = named.get(&(other, name.to_lowercase())) else { continue };
            if is_furniture(first) && is_furniture(object) {
                continue;
            }
            collisions.push(Collision { name: name.into(), border, global: side(first), other: side(object) });
        }
    }
    let mut incomplete = found.incomplete;
    incomplete.extend(holders.incomplete);
    Collisions { collisions, incomplete }
}

/// The namespace of the host's services.
const HOST: Place = Place { silo: None, session: None };

/// The session of a named object, `None` for a global one, and its name, which may lead through directories.
fn base_name(path: &str) -> Option<(Option<u32>, &str)> {
    let (mut first, mut rest) = path.strip_prefix('\\')?.split_once('\\')?;
    let mut session = None;
    if first.eq_ignore_ascii_case("Sessions") {
        let (number, behind) = rest.split_once('\\')?;
        session = Some(number.parse().ok()?);
        (first, rest) = behind.split_once('\\')?;
    }
    (first.eq_ignore_ascii_case("BaseNamedObjects") && !rest.is_empty()).then_some((session, rest))
}

/// Directories and links of the namespaces themselves, which each of them has.
fn is_furniture(object: &NamedObject) -> bool {
    matches!(object.object_type.as_deref(), Ok("Directory" | "SymbolicLink"))
}

fn side(snapshot: &Snapshot, holders: &Holders, object: &NamedObject) -> Side {
    let holdings = holders.of(object.object);
    let mut met = BTreeSet::new();
    let first = holdings.iter().filter(|holding| met.insert(holding.handle.holder.eprocess));
    let level = |holder: &Arc<Holder>| holders.party(holder.eprocess)?.integrity.ok()?;
    let held_by: Vec<_> = first.map(|holding| holding.handle.holder.clone()).collect();
    let object_type = object.object_type.as_deref().unwrap_or_default();
    Side {
        integrity: held_by.iter().filter_map(level).max(),
        holders: held_by,
        creator_pid: creator(snapshot, object_type, object.object),
        object: object.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_stands_below_the_base() {
        for (path, expected) in [
            ("\\BaseNamedObjects\\X", Some((None, "X"))),
            ("\\basenamedobjects\\Restricted\\X", Some((None, "Restricted\\X"))),
            ("\\Sessions\\2\\BaseNamedObjects\\X", Some((Some(2), "X"))),
            ("\\BaseNamedObjects", None),
            ("\\BaseNamedObjects\\", None),
            ("\\Sessions\\2\\BaseNamedObjects", None),
            ("\\Sessions\\x\\BaseNamedObjects\\X", None),
            ("\\Sessions\\2\\DosDevices\\X", None),
            ("\\RPC Control\\X", None),
            ("\\", None),
        ] {
            assert_eq!(base_name(path), expected, "{path}");
        }
    }
}
