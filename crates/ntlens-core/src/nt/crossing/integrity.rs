//! Integrity: a process can change an object of a process that is trusted more.
//!
//! Objects do not name their owners. A process, a thread or a token is its own: it has a level. What of any other object
//! is at stake is what its most trusted holder believes of it, so that holder's level counts as the owner's.

use super::{Found, Held};
use crate::nt::access;
use crate::nt::holder::Holding;
use crate::nt::integrity::Integrity;
use crate::nt::thread::Thread;
use crate::nt::token::Token;

pub(super) fn judge(held: &Held<'_>, found: &mut dyn FnMut(&Holding, Found)) {
    let Some((owner, relation)) = owner(held) else { return };
    for (holding, party) in held.parties() {
        let (Ok(Some(level)), Ok(rights)) = (party.integrity, holding.handle.granted_access) else { continue };
        if level < owner && access::writes(held.object_type(), rights) {
            found(holding, Found { relation, owner_integrity: Some(owner) });
        }
    }
}

/// The level of an object's owner, and how it is known.
fn owner(held: &Held<'_>) -> Option<(Integrity, &'static str)> {
    let of_process = |eprocess| held.holders.party(eprocess)?.integrity.ok()?;
    let own = match held.object_type() {
        "Process" => of_process(held.object),
        "Thread" => of_process(Thread::at(held.snapshot, held.object).process().ok()?),
        "Token" => Token::read(held.snapshot, held.object).integrity().ok()?,
        _ => {
            let levels = held.parties().filter_map(|(_, party)| party.integrity.ok()?);
            return Some((levels.max()?, "writes-what-higher-holds"));
        }
    };
    Some((own?, "writes-higher"))
}
