//! Loaded modules: entries of the list, held against the headers of the images that they describe.

use super::Evidence;
use super::body::{Body, ring};
use super::found::{At, Found};
use super::name::unicode_string;
use super::votes::{Votes, Weight, only};
use crate::address::{PAGE_SIZE, VirtAddr};
use crate::kdbg::Kdbg;
use crate::memory::VirtualMemory;
use crate::nt::image::ImageHeaders;
use crate::nt::list::is_linked;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The structure, by the name that symbols of Windows 10 have for it.
const ENTRY: &str = "_KLDR_DATA_TABLE_ENTRY";
/// Bytes of an entry that are looked through; the links are its first field.
const EXTENT: u32 = 0xc0;
const LINKS: u32 = 0x10;
/// So many modules are looked at.
const MAX_MODULES: usize = 256;

/// An entry, and the headers of its image as far as they are in the dump.
struct Member {
    body: Body,
    headers: Option<(ImageHeaders, Option<u64>)>,
}

pub(super) fn find(evidence: &Evidence<'_>, found: &mut Found) {
    let Some(head) = head(evidence) else { return };
    let read = |at| Body::read(evidence.space, at, EXTENT);
    let bodies: Vec<Body> = ring(evidence.space, head, MAX_MODULES).into_iter().map(read).collect();
    // The first module is the kernel.
    let is_base = |value: u64| VirtAddr(value).is_kernel() && value.is_multiple_of(PAGE_SIZE);
    let bases = words().filter(|offset| bodies.first().and_then(|body| body.u64(*offset)) == Some(evidence.base.0));
    let bases = bases.map(|offset| {
        let mut seen = alloc::collections::BTreeSet::new();
        let fresh = |body: &Body| body.u64(offset).map(|value| is_base(value) && seen.insert(value));
        (offset, Votes::count(bodies.iter().map(fresh)))
    });
    let bases: Vec<_> = bases.filter(|(_, votes)| votes.good >= 3).collect();
    let Some((base, votes)) = only(bases, Weight::Exact) else { return };
    let text = format!("the kernel's base first, and a page of its own in {} of {} modules", votes.good, votes.all());
    found.add(At::new(ENTRY, "DllBase", base), votes, Weight::Exact, text);
    found.add_sure(At::new(ENTRY, "InLoadOrderLinks", 0), 0.99, "what the other offsets are counted from".into());
    let members: Vec<Member> = bodies
        .into_iter()
        .map(|body| {
            let headers = body.u64(base).and_then(|at| headers(evidence, VirtAddr(at)));
            Member { body, headers }
        })
        .collect();
    by_headers(&members, base, found);
    names(evidence, &members, found);
}

fn head(evidence: &Evidence<'_>) -> Option<VirtAddr> {
    let exported = || evidence.headers?.export(evidence.space, "PsLoadedModuleList").ok();
    let kdbg = evidence.kdbg.and_then(Kdbg::ps_loaded_module_list);
    let known = [evidence.ps_loaded_module_list, kdbg, exported()];
    known.into_iter().flatten().find(|at| is_linked(evidence.space, *at))
}

fn words() -> impl Iterator<Item = u32> {
    (LINKS..EXTENT - 0x10).step_by(8)
}

/// The headers of an image, and the address at which they say that its code begins.
fn headers(evidence: &Evidence<'_>, base: VirtAddr) -> Option<(ImageHeaders, Option<u64>)> {
    /// `IMAGE_DOS_HEADER.e_lfanew`, and `AddressOfEntryPoint` behind it (public header `winnt.h`).
    const NEW_HEADER: u64 = 0x3c;
    const ENTRY_POINT: u64 = 0x28;
    let headers = ImageHeaders::read(evidence.space, base).ok()?;
    let new = evidence.space.read_u32(base.wrapping_add(NEW_HEADER)).ok()?;
    let entry = evidence.space.read_u32(base.wrapping_add(u64::from(new) + ENTRY_POINT)).ok();
    let entry = entry.filter(|entry| *entry != 0).map(|entry| base.wrapping_add(entry.into()).0);
    Some((headers, entry))
}

/// Fields that repeat what the image's headers say.
fn by_headers(members: &[Member], base: u32, found: &mut Found) {
    let headers = |member: &Member| member.headers.map(|(headers, _)| headers);
    let candidates = |step: usize, width: u32, expected: &dyn Fn(&Member) -> Option<u64>| -> Vec<(u32, Votes)> {
        let offsets = (LINKS..EXTENT - 8).step_by(step).filter(|offset| *offset != base);
        let candidates = offsets.map(|offset| {
            let value = |body: &Body| if width == 8 { body.u64(offset) } else { body.u32(offset).map(u64::from) };
            // A zero equals many a zero.
            let opinion = |member: &Member| {
                let expected = expected(member).filter(|expected| *expected != 0)?;
                Some(value(&member.body)? == expected)
            };
            (offset, Votes::count(members.iter().map(opinion)))
        });
        candidates.filter(|(_, votes)| votes.good >= 3).collect()
    };
    let mut add = |field, what: &str, chosen: Option<(u32, Votes)>| {
        let (offset, votes) = chosen?;
        let text = format!("{what} that the headers give, in {} of {} images", votes.good, votes.all());
        found.add(At::new(ENTRY, field, offset), votes, Weight::Exact, text);
        Some(offset)
    };
    let entries = candidates(8, 8, &|member| member.headers.and_then(|(_, entry)| entry));
    let entry = add("EntryPoint", "the entry point", only(entries, Weight::Exact));
    let sizes = candidates(4, 4, &|member| headers(member).map(|headers| headers.size.into()));
    // Since Windows 8 a second field has the size that was not rounded up: mostly the same. The one behind the entry
    // point is meant, as it is in the entries of user mode too.
    let behind = sizes.iter().copied().find(|(offset, votes)| Some(*offset) == entry.map(|at| at + 8) && votes.hold());
    add("SizeOfImage", "the size", behind.or_else(|| only(sizes, Weight::Exact)));
    let checksums = candidates(4, 4, &|member| headers(member).map(|headers| headers.checksum.into()));
    add("CheckSum", "the checksum", only(checksums, Weight::Exact));
    let stamps = candidates(4, 4, &|member| headers(member).map(|headers| headers.timestamp.into()));
    add("TimeDateStamp", "the time stamp", only(stamps, Weight::Exact));
}

/// Two strings, of which one ends with the other.
fn names(evidence: &Evidence<'_>, members: &[Member], found: &mut Found) {
    let texts = |offset: u32| -> Vec<Option<String>> {
        let text = |member: &Member| {
            let at = member.body.at.wrapping_add(offset.into());
            unicode_string(evidence, at).filter(|text| !text.is_empty() && text.chars().all(|char| char >= ' '))
        };
        members.iter().map(text).collect()
    };
    let columns: Vec<(u32, Vec<Option<String>>)> = words()
        .map(|offset| (offset, texts(offset)))
        .filter(|(_, texts)| texts.iter().flatten().count() >= 3)
        .collect();
    let mut pairs = Vec::new();
    for (path, paths) in &columns {
        for (name, names) in columns.iter().filter(|(name, _)| name != path) {
            let opinion = |(path, name): (&Option<String>, &Option<String>)| {
                let (path, name) = (path.as_ref()?, name.as_ref()?);
                let leaf = path.rsplit('\\').next().unwrap_or_default();
                Some(path.contains('\\') && leaf.eq_ignore_ascii_case(name))
            };
            let votes = Votes::count(paths.iter().zip(names).map(opinion));
            pairs.push(((*path, *name), if votes.good >= 3 { votes } else { Votes::default() }));
        }
    }
    if let Some(((path, name), votes)) = only(pairs, Weight::Exact) {
        let text = format!("a path and its last part in {} of {} modules", votes.good, votes.all());
        found.add(At::new(ENTRY, "FullDllName", path), votes, Weight::Exact, text.clone());
        found.add(At::new(ENTRY, "BaseDllName", name), votes, Weight::Exact, text);
    }
}
