//! Names: `ImageFileName`, and the path that the kernel keeps for audits.

use super::Evidence;
use super::found::{At, Found};
use super::population::{Population, Subject};
use super::votes::{Votes, Weight, only};
use crate::address::VirtAddr;
use crate::memory::VirtualMemory;
use crate::text;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes of the name in every version of Windows.
const LENGTH: usize = 15;
/// System's, to the field's end.
const SYSTEM: &[u8; LENGTH] = b"System\0\0\0\0\0\0\0\0\0";
/// Paths longer than this are not compared.
const MAX_PATH: usize = 0x1000;

pub(super) fn find(evidence: &Evidence<'_>, population: &Population, found: &mut Found) {
    image_file_name(population, found);
    audit_name(evidence, population, found);
}

fn image_file_name(population: &Population, found: &mut Found) {
    let system = &population.system().body;
    let offsets = (0..population.extent()).filter(|offset| system.slice(*offset, LENGTH) == Some(SYSTEM));
    let candidates = offsets.map(|offset| {
        let names = population.others().map(|process| process.body.slice(offset, LENGTH));
        (offset, Votes::count(names.map(|name| name.map(is_name))))
    });
    let Some((offset, votes)) = only(candidates, Weight::Shape) else { return };
    let names: BTreeSet<&[u8]> = population.others().filter_map(|process| process.body.slice(offset, LENGTH)).collect();
    // One name in all of them is no name.
    if names.len() < 3 {
        return;
    }
    let evidence = format!(
        "\"System\" for the process that the kernel started with, and printable text in {} of {} others, of {} kinds",
        votes.good,
        votes.all(),
        names.len()
    );
    found.add(At::eprocess("ImageFileName", offset), votes, Weight::Shape, evidence);
}

/// Printable, and nothing behind its end.
fn is_name(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, rest) = bytes.split_at(end);
    !text.is_empty() && text.iter().all(|byte| *byte >= b' ' && *byte != 0x7f) && rest.iter().all(|byte| *byte == 0)
}

/// The name of a process as far as it is known.
pub(super) fn name_of<'p>(process: &'p Subject, found: &Found) -> Option<&'p [u8]> {
    let bytes = process.body.slice(found.eprocess("ImageFileName")?, LENGTH)?;
    bytes.split(|byte| *byte == 0).next()
}

/// A pointer to a string whose last part is the name.
fn audit_name(evidence: &Evidence<'_>, population: &Population, found: &mut Found) {
    if found.eprocess("ImageFileName").is_none() {
        return;
    }
    let opinion = |process: &Subject, offset: u32| {
        let name = name_of(process, found)?;
        let pointer = VirtAddr(process.body.u64(offset)?);
        if !pointer.is_kernel() || !pointer.0.is_multiple_of(8) {
            return Some(false);
        }
        let path = unicode_string(evidence, pointer)?;
        let leaf = path.rsplit(['\\', '/']).next().unwrap_or_default();
        let name = text::ascii_until_nul(name);
        let start: String = leaf.chars().take(name.chars().count()).collect();
        // A process that the kernel made has no image to name.
        if path.is_empty() { None } else { Some(start.eq_ignore_ascii_case(&name)) }
    };
    let offsets = population.system().body.words();
    let candidates = offsets.map(|offset| {
        // The first few tell nearly every other field.
        let worth = population.alive().filter_map(|process| opinion(process, offset)).take(4).any(|good| good);
        let all = worth.then(|| Votes::count(population.others().map(|process| opinion(process, offset))));
        (offset, all.unwrap_or_default())
    });
    let candidates: Vec<_> = candidates.filter(|(_, votes)| votes.good >= 3).collect();
    if let Some((offset, votes)) = only(candidates, Weight::Exact) {
        let evidence = format!("leads to a path that ends in the name, in {} of {} processes", votes.good, votes.all());
        found.add(At::eprocess("SeAuditProcessCreationInfo", offset), votes, Weight::Exact, evidence);
    }
}

/// The text of a `UNICODE_STRING`, empty for none; `None` if it is not in the dump or no string.
pub(super) fn unicode_string(evidence: &Evidence<'_>, at: VirtAddr) -> Option<String> {
    let [a, b, c, d, _, _, _, _, buffer @ ..] = evidence.space.read_array::<16>(at).ok()?;
    let (length, maximum) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    let buffer = VirtAddr(u64::from_le_bytes(buffer));
    let length = usize::from(length);
    if length % 2 != 0 || length > usize::from(maximum) || length > MAX_PATH {
        return None;
    }
    if length == 0 {
        return Some(String::new());
    }
    if !buffer.is_kernel() {
        return None;
    }
    let mut bytes = alloc::vec![0; length];
    evidence.space.read(buffer, &mut bytes).ok()?;
    Some(text::utf16(&bytes))
}
