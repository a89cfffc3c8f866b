//! Tokens: a byte that chooses a dump, then words that are written over a token in it, each with its place.

use crate::input::Input;
use crate::machine::{Base, Damaged};
use ntlens_core::Absent;
use ntlens_core::address::VirtAddr;
use ntlens_core::nt::integrity::Integrity;
use ntlens_core::nt::token::{Token, flag_names};

/// Bytes of a token with its SIDs that are written over.
const REACH: u16 = 0x800;
/// Entries that one list of SIDs may have.
const MOST: usize = 4096;

/// Reads everything that a token tells.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(choice) = input.u8() else { return };
    let base = Base::of(choice);
    let mut tokens = base.truth.processes.iter().rev().map(|process| process.token.va);
    let Some((at, offset)) = tokens.find_map(|at| Some((at, base.offset(at)?))) else { return };
    let mut damaged = Damaged::of(base);
    while let (Some(place), Some(value)) = (input.u16(), input.u64()) {
        let place = (place % REACH) & !3;
        // Half of all large numbers are pointers into the token.
        let value = if value >> 63 == 1 && value & 1 == 0 { at + (value >> 1) % 0x1000 } else { value };
        match u32::try_from(value) {
            Ok(small) => damaged.write(offset + u64::from(place), &small.to_le_bytes()),
            Err(_) => damaged.write(offset + u64::from(place & !7), &value.to_le_bytes()),
        }
    }
    let Some(dump) = damaged.open() else { return };
    let Ok(kernel) = dump.kernel() else { return };
    let (one, two) = (tell(&Token::read(kernel, VirtAddr(at))), tell(&Token::read(kernel, VirtAddr(at))));
    assert_eq!(one, two, "a token tells something else the second time");
}

/// All that a token tells, in words.
fn tell(token: &Token) -> String {
    let groups = token.groups();
    if let Ok(groups) = groups {
        assert!(groups.len() <= MOST, "more groups than Windows takes");
        let user = groups.first().map_or(Err(Absent::Malformed), |group| group.sid);
        assert_eq!(token.user(), user, "the user is not the first");
    }
    let lists = (groups, token.restricted_sids(), token.capabilities());
    let sids = (token.primary_group(), token.integrity_label(), token.package_sid(), token.trust_label());
    if let (Ok(level), Ok(label)) = (token.integrity(), &sids.1) {
        assert_eq!(level, label.as_ref().and_then(Integrity::of_label), "a level is not that of its label");
    }
    let flags = token.flags().map(flag_names);
    let numbers = (
        token.session_id(),
        token.logon_id(),
        token.token_id(),
        token.parent_token_id(),
        token.originating_logon_id(),
        token.linked_logon_id(),
        token.lowbox_number(),
        token.capability_count(),
        token.mandatory_policy(),
    );
    let kinds = (token.token_type(), token.impersonation_level(), token.elevation(), token.source_name());
    let rights = (token.privileges(), token.app_container(), token.restricted());
    format!("{lists:?} {sids:?} {flags:?} {numbers:?} {kinds:?} {rights:?}")
}
