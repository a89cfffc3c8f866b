//! Objects without a name: only a handle that was given away leads from one session to another.

use super::{Found, Held};
use crate::nt::holder::Holding;

pub(super) fn judge(held: &Held<'_>, found: &mut dyn FnMut(&Holding, Found)) {
    if !held.holdings.first().is_some_and(|holding| holding.handle.target.is_unnamed()) {
        return;
    }
    let mut sessions = held.parties().filter_map(|(_, party)| party.session_id.ok());
    let Some(first) = sessions.next() else { return };
    if sessions.all(|session| session == first) {
        return;
    }
    // System and others without a session hold much for everybody.
    for (holding, _) in held.parties().filter(|(_, party)| party.session_id.is_ok()) {
        found(holding, "held-in-several-sessions".into());
    }
}
