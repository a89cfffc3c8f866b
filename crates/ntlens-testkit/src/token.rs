//! Primary tokens: user, groups, integrity level and privileges.

use crate::assembly::Assembly;
use crate::pool::PoolKind;
use crate::truth;

/// Who a process runs as.
///
/// ```
/// use ntlens_testkit::{Machine, ProcessSpec, TokenSpec, layouts};
///
/// let mut token = TokenSpec::user(1001, 0x1000);
/// token.sids.push(("S-1-5-32-544".into(), 0x10));
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// let pid = machine.process(ProcessSpec::named("sandboxed.exe").session(1).token(token));
/// let image = machine.build();
/// let token = &image.truth().process(pid).unwrap().token;
/// assert_eq!((token.integrity_sid.as_str(), token.session_id), ("S-1-16-4096", 1));
/// assert_eq!(token.sids.last().unwrap().sid, "S-1-5-32-544");
/// ```
#[derive(Clone, Debug)]
pub struct TokenSpec {
    /// The user and the groups with their attributes; the first is the user.
    pub sids: Vec<(String, u32)>,
    /// The last part of the integrity SID: 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system.
    pub integrity: u32,
    /// Privileges the token has.
    pub privileges_present: u64,
    /// Those that are switched on.
    pub privileges_enabled: u64,
    /// The logon session.
    pub authentication_id: u64,
    /// `TokenFlags`.
    pub flags: u32,
    /// The session the token names; `None` for that of its process.
    pub session: Option<u32>,
}

const MANDATORY: u32 = 0x7;
const INTEGRITY: u32 = 0x60;

impl TokenSpec {
    /// `NT AUTHORITY\SYSTEM`.
    pub fn system() -> Self {
        Self {
            sids: sids(&[("S-1-5-18", 0), ("S-1-5-32-544", 0xe), ("S-1-1-0", MANDATORY), ("S-1-5-11", MANDATORY)]),
            integrity: 0x4000,
            privileges_present: 0xf_f2ff_ffbc,
            privileges_enabled: 0xe_60b1_e890,
            authentication_id: 0x3e7,
            flags: 0x2001,
            session: None,
        }
    }

    /// `NT AUTHORITY\NETWORK SERVICE`.
    pub fn network_service() -> Self {
        Self {
            sids: sids(&[("S-1-5-20", 0), ("S-1-1-0", MANDATORY), ("S-1-5-6", MANDATORY), ("S-1-5-11", MANDATORY)]),
            privileges_present: 0x7_2080_0000,
            privileges_enabled: 0x6_0080_0000,
            authentication_id: 0x3e4,
            ..Self::system()
        }
    }

    /// A person at the machine, with this last part of the SID and this integrity.
    pub fn user(rid: u32, integrity: u32) -> Self {
        let user = format!("S-1-5-21-355920801-1509877156-174918491-{rid}");
        Self {
            sids: sids(&[
                (&user, 0),
                ("S-1-1-0", MANDATORY),
                ("S-1-5-32-545", MANDATORY),
                ("S-1-5-4", MANDATORY),
                ("S-1-5-11", MANDATORY),
            ]),
            integrity,
            privileges_present: 0x6_0288_0000,
            privileges_enabled: 0x80_0000,
            authentication_id: 0x2_5a00 + u64::from(rid),
            flags: 0x2a00,
            session: None,
        }
    }
}

fn sids(list: &[(&str, u32)]) -> Vec<(String, u32)> {
    list.iter().map(|(sid, attributes)| ((*sid).to_owned(), *attributes)).collect()
}

/// The bytes of a SID from its text.
pub(crate) fn sid_bytes(text: &str) -> Vec<u8> {
    let mut parts = text.strip_prefix("S-1-").expect("a SID starts with S-1-").split('-');
    let authority: u64 = parts.next().unwrap().parse().unwrap();
    let rest: Vec<u32> = parts.map(|part| part.parse().unwrap()).collect();
    let mut bytes = vec![1, rest.len() as u8];
    bytes.extend(&authority.to_be_bytes()[2..]);
    bytes.extend(rest.iter().flat_map(|part| part.to_le_bytes()));
    bytes
}

impl Assembly<'_> {
    /// Writes a token; its address and what it holds.
    pub(crate) fn token(&mut self, spec: &TokenSpec, process_session: u32) -> truth::Token {
        let integrity_sid = format!("S-1-16-{}", spec.integrity);
        let mut list = spec.sids.clone();
        let integrity_index = list.len().min(1);
        list.insert(integrity_index, (integrity_sid.clone(), INTEGRITY));
        let raw: Vec<Vec<u8>> = list.iter().map(|(sid, _)| sid_bytes(sid)).collect();
        let fixed = self.guest.size_of("_TOKEN", 0x498).next_multiple_of(8);
        let variable = list.len() * 0x10 + raw.iter().map(|sid| sid.len().next_multiple_of(8)).sum::<usize>();
        let body = self.object(PoolKind::Paged, "Token", fixed + variable as u64, *b"Toke", None);
        let array = body + fixed;
        let mut at = array + list.len() as u64 * 0x10;
        let mut integrity_at = 0;
        let mut hash_user = 0;
        for (index, (sid, (_, attributes))) in raw.iter().zip(&list).enumerate() {
            self.guest.write(at, sid);
            let entry = array + index as u64 * 0x10;
            self.guest.write_u64(entry, at);
            self.guest.write_u32(entry + 8, *attributes);
            if index == integrity_index {
                integrity_at = at;
            }
            if index == 0 {
                hash_user = at;
            }
            at += sid.len().next_multiple_of(8) as u64;
        }
        let session = spec.session.unwrap_or(process_session);
        let id = self.luid();
        self.guest
            .at(body, "_TOKEN")
            .bytes("TokenSource", if spec.authentication_id == 0x3e7 { b"*SYSTEM*" } else { b"User32 \0" })
            .set("TokenId", id)
            .set("AuthenticationId", spec.authentication_id)
            .set("ModifiedId", id + 1)
            .set("ExpirationTime", i64::MAX as u64)
            .set("Privileges.Present", spec.privileges_present)
            .set("Privileges.Enabled", spec.privileges_enabled)
            .set("Privileges.EnabledByDefault", spec.privileges_enabled)
            .set("SessionId", u64::from(session))
            .set("UserAndGroupCount", list.len() as u64)
            .set("UserAndGroups", array)
            .set("VariableLength", variable as u64)
            .set("PrimaryGroup", hash_user)
            .set("TokenType", 1)
            .set("TokenFlags", u64::from(spec.flags))
            .set("IntegrityLevelIndex", integrity_index as u64)
            .set("IntegrityLevelSidValue", integrity_at)
            .set("MandatoryPolicy", if spec.integrity >= 0x4000 { 1 } else { 3 });
        truth::Token {
            va: body,
            session_id: session,
            token_flags: spec.flags,
            auth_id: spec.authentication_id,
            user: list[0].0.clone(),
            sids: list.into_iter().map(|(sid, attributes)| truth::Sid { sid, attributes }).collect(),
            integrity_index: integrity_index as u32,
            integrity_sid,
            integrity_rid: spec.integrity,
            privileges_present: spec.privileges_present,
            privileges_enabled: spec.privileges_enabled,
            privileges_default: spec.privileges_enabled,
        }
    }

    fn luid(&mut self) -> u64 {
        0x1_0000 + self.rng.below(0x100_0000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_has_a_big_endian_authority_and_little_endian_parts() {
        assert_eq!(sid_bytes("S-1-5-32-544"), [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
    }
}
