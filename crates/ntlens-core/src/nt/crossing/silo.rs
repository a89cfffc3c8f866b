//! Containers: an object stands in the namespace of one or of the host, and a process of another holds it.

use super::{Found, Held};
use crate::address::VirtAddr;
use crate::nt::holder::Holding;

pub(super) fn judge(held: &Held<'_>, found: &mut dyn FnMut(&Holding, Found)) {
    for (holding, party) in held.parties() {
        // Builds without silos, and processes whose silo nobody knows, cross nothing.
        let (Some(_), Ok(holder)) = (holding.handle.target.path(), party.silo) else { continue };
        // Named objects belong to a session; what else stands in the host's root is often meant for all.
        let named = !matches!(holding.object_session_id, Ok(None));
        if let Some(relation) = relation(holding.object_silo, holder, named) {
            found(holding, relation.into());
        }
    }
}

/// How a process of a container holds an object of a container, `None` being the host.
fn relation(object: Option<VirtAddr>, holder: Option<VirtAddr>, named: bool) -> Option<&'static str> {
    match (object, holder) {
        (object, holder) if object == holder => None,
        (Some(_), None) => Some("host-holds-silo"),
        (None, Some(_)) if named => Some("silo-holds-host"),
        (None, Some(_)) => Some("silo-holds-host-root"),
        _ => Some("silo-holds-silo"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_says_who_is_where() {
        let (one, other) = (Some(VirtAddr(1)), Some(VirtAddr(2)));
        for (object, holder, named, expected) in [
            (None, None, true, None),
            (one, one, true, None),
            (one, None, true, Some("host-holds-silo")),
            (None, one, true, Some("silo-holds-host")),
            (None, one, false, Some("silo-holds-host-root")),
            (one, other, true, Some("silo-holds-silo")),
        ] {
            assert_eq!(relation(object, holder, named), expected, "{object:?} {holder:?}");
        }
    }
}
