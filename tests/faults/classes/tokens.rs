//! What tokens hold: SIDs, labels, privileges.

use super::{FRAMES, WILD, field_at};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{offset, read_u64};
use crate::subject::Subject;

const fn of_token(name: &'static str, breaks: &'static str, must: Must, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must, keeps: Keeps::Everything, every: false, make }
}

fn token(subject: &Subject) -> u64 {
    subject.truth().named("two.exe").unwrap().token.va
}

/// The token's array of groups, and its first SID.
fn user(subject: &Subject) -> (u64, u64) {
    let groups = read_u64(subject.image, token(subject) + offset(subject.image, "_TOKEN", "UserAndGroups"));
    (groups, read_u64(subject.image, groups))
}

/// A fault that the token's own row shows, told at the field that leads to it or where it is.
fn touched(subject: &Subject, fault: Fault) -> Fault {
    let at = token(subject);
    let (groups, sid) = user(subject);
    let fault = fault.touches("tokens", format!("{at:#x}")).or_near(subject.at(at), 0x498);
    fault.or_at(subject.at(groups)).or_at(subject.at(sid))
}

pub(super) const SUB_AUTHORITIES: Class =
    of_token("sid: sub-authorities", "SubAuthorityCount", Must::Name, |subject| {
        let at = subject.at(user(subject).1 + 1);
        let fault = |count: u8| Some(touched(subject, Fault::at(format!("{count}"), at?, &[count])));
        [16, 17, 127, 128, 255].into_iter().filter_map(fault).collect()
    });

pub(super) const SIDS: Class =
    of_token("sid: revision, pointer", "Revision, Sid, UserAndGroups", Must::Name, |subject| {
        let (groups, sid) = user(subject);
        let list = field_at(subject, token(subject), "_TOKEN", "UserAndGroups");
        let revision = [0, 2, 255].map(|value| Some(Fault::at("revision", subject.at(sid)?, &[value])));
        let pointers = WILD.into_iter().chain([0]).flat_map(|wild| {
            [subject.at(groups), list].map(|at| Some(Fault::at(format!("pointer {wild:#x}"), at?, &wild.to_le_bytes())))
        });
        revision.into_iter().chain(pointers).flatten().map(|fault| touched(subject, fault)).collect()
    });

pub(super) const INTEGRITY: Class = of_token("token: integrity", "IntegrityLevelIndex", Must::Name, |subject| {
    let at = field_at(subject, token(subject), "_TOKEN", "IntegrityLevelIndex");
    let fault = |index: u32| Some(touched(subject, Fault::at(format!("{index}"), at?, &index.to_le_bytes())));
    [0, 1].into_iter().filter_map(fault).collect()
});

pub(super) const PRIVILEGES: Class = of_token("token: privileges", "Privileges.Enabled", Must::Name, |subject| {
    let at = field_at(subject, token(subject), "_TOKEN", "Privileges.Enabled");
    let fault = |bits: u64| Some(touched(subject, Fault::at(format!("{bits:#x}"), at?, &bits.to_le_bytes())));
    [1 << 63, u64::MAX, 0xffff_ffff_0000_0000].into_iter().filter_map(fault).collect()
});

pub(super) const TYPE: Class = of_token("token: type", "TokenType", Must::Name, |subject| {
    let at = field_at(subject, token(subject), "_TOKEN", "TokenType");
    let fault = |value: u32| Some(touched(subject, Fault::at(format!("{value}"), at?, &value.to_le_bytes())));
    [0, 3, 0x100, u32::MAX].into_iter().filter_map(fault).collect()
});
