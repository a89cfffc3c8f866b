//! Primary tokens.

use super::Evidence;
use super::body::Body;
use super::found::{At, Found};
use super::population::{Population, Subject};
use super::votes::{Votes, Weight, only};
use crate::address::VirtAddr;
use alloc::format;
use alloc::vec::Vec;

/// Offsets in `_TOKEN` that are the same in every version of Windows for x64; they are only used to tell a token.
const SOURCE: u32 = 0;
const TOKEN_ID: u32 = 0x10;
const AUTHENTICATION_ID: u32 = 0x18;
const PRESENT: u32 = 0x40;
const ENABLED: u32 = 0x48;
const ENABLED_BY_DEFAULT: u32 = 0x50;
/// Bytes of the object's header before the token, with the type's index at this offset, in every version.
const HEADER: u32 = 0x30;
const TYPE_INDEX: u32 = 0x18;
/// The logon session of the system itself (`SYSTEM_LUID`).
const SYSTEM_LUID: u64 = 0x3e7;
/// Privileges that exist, with room for those to come: the highest is number 36.
const PRIVILEGES: u64 = (1 << 48) - 1;

pub(super) fn find(evidence: &Evidence<'_>, population: &Population, found: &mut Found) {
    let candidates = population.system().body.words().filter_map(|offset| {
        // System's is the one of which most is known; where it is paged out, the others have to do.
        pointer(population.system(), offset).filter(|pointer| pointer.is_kernel())?;
        let system = token(evidence, population.system(), offset);
        let known = system.as_ref().map(|token| is_token(token) == Some(true) && is_of_system(token));
        if known == Some(false) {
            return None;
        }
        let mut kinds = Vec::new();
        let votes = Votes::count(population.alive().map(|process| {
            if !pointer(process, offset)?.is_kernel() {
                return Some(false);
            }
            let token = token(evidence, process, offset)?;
            kinds.extend(kind(&token));
            is_token(&token)
        }));
        let enough = votes.good >= if known.is_some() { 3 } else { 12 };
        (enough && one_kind(&kinds)).then_some((offset, votes))
    });
    let candidates: Vec<_> = candidates.collect();
    if let Some((offset, votes)) = only(candidates, Weight::Exact) {
        let evidence = format!(
            "leads to an object of one type that begins as a token does, in {} of {} processes",
            votes.good,
            votes.all()
        );
        found.add(At::eprocess("Token", offset), votes, Weight::Exact, evidence);
    }
}

/// The low four bits of the field count references.
fn pointer(process: &Subject, offset: u32) -> Option<VirtAddr> {
    process.body.u64(offset).map(|value| VirtAddr(value).without_fast_ref())
}

/// What a field leads to, with the header before it.
fn token(evidence: &Evidence<'_>, process: &Subject, offset: u32) -> Option<Body> {
    let pointer = pointer(process, offset).filter(|pointer| pointer.is_kernel())?;
    let body = Body::read(evidence.space, pointer.wrapping_sub(HEADER.into()), HEADER + ENABLED_BY_DEFAULT + 8);
    body.slice(HEADER, 8).is_some().then_some(body)
}

/// Whether an object begins as a token does.
fn is_token(body: &Body) -> Option<bool> {
    let source = body.slice(HEADER + SOURCE, 8)?;
    let end = source.iter().position(|byte| *byte == 0).unwrap_or(source.len());
    let (name, rest) = source.split_at(end);
    let named =
        name.len() > 1 && name.iter().all(|byte| (b' '..=b'~').contains(byte)) && rest.iter().all(|byte| *byte == 0);
    let word = |offset| body.u64(HEADER + offset);
    let (present, enabled, default) = (word(PRESENT)?, word(ENABLED)?, word(ENABLED_BY_DEFAULT)?);
    let subset = (enabled | default) & !present == 0 && present & !PRIVILEGES == 0;
    Some(named && subset && word(TOKEN_ID)? != 0 && word(AUTHENTICATION_ID)? != 0)
}

fn is_of_system(body: &Body) -> bool {
    body.u64(HEADER + AUTHENTICATION_ID) == Some(SYSTEM_LUID)
        && body.u64(HEADER + PRESENT).is_some_and(|present| present != 0)
}

/// The type's index as it is stored, and without the byte of the header's address that Windows 10 puts over it.
fn kind(body: &Body) -> Option<(u8, u8)> {
    let index = body.u8(TYPE_INDEX)?;
    let [_, second, ..] = body.at.0.to_le_bytes();
    Some((index, index ^ second))
}

/// Whether all objects are of one type, written in one of the two ways.
fn one_kind(kinds: &[(u8, u8)]) -> bool {
    let most = |of: fn(&(u8, u8)) -> u8| {
        let mut counts = [0_u32; 256];
        for kind in kinds {
            if let Some(count) = counts.get_mut(usize::from(of(kind))) {
                *count += 1;
            }
        }
        let good = counts.into_iter().max().unwrap_or(0);
        Votes { good, bad: u32::try_from(kinds.len()).unwrap_or(u32::MAX).saturating_sub(good) }
    };
    most(|kind| kind.0).hold() || most(|kind| kind.1).hold()
}
