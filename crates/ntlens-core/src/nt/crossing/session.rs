//! Sessions: an object stands in the namespace of one, and a process of another holds it.

use super::{Found, Held};
use crate::absent::Absent;
use crate::nt::holder::Holding;

pub(super) fn judge(held: &Held<'_>, found: &mut dyn FnMut(&Holding, Found)) {
    for (holding, party) in held.parties() {
        let Ok(Some(object)) = holding.object_session_id else { continue };
        if let Some(relation) = relation(object, party.session_id) {
            found(holding, relation.into());
        }
    }
}

/// How a process of a session holds an object of a session; `None` for its own, and where nobody knows.
fn relation(object: u32, holder: Result<u32, Absent>) -> Option<&'static str> {
    match (object, holder) {
        (_, Err(Absent::NotApplicable)) => Some("no-session"),
        (_, Err(_)) => None,
        (object, Ok(holder)) if object == holder => None,
        (0, Ok(_)) => Some("session-holds-global"),
        (_, Ok(0)) => Some("service-holds-session-object"),
        (_, Ok(_)) => Some("foreign-session"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_says_who_is_where() {
        for (object, holder, expected) in [
            (0, Ok(0), None),
            (2, Ok(2), None),
            (0, Ok(1), Some("session-holds-global")),
            (1, Ok(0), Some("service-holds-session-object")),
            (1, Ok(2), Some("foreign-session")),
            (0, Err(Absent::NotApplicable), Some("no-session")),
            (1, Err(Absent::AddressNotInDump), None),
        ] {
            assert_eq!(relation(object, holder), expected, "{object} {holder:?}");
        }
    }
}
