//! Process environment blocks.

use super::Evidence;
use super::found::{At, Found};
use super::population::{Population, Root, Subject};
use super::threads::Threads;
use super::votes::{Votes, Weight};
use crate::address::{PAGE_SIZE, VirtAddr};
use crate::kdbg::Kdbg;
use crate::memory::VirtualMemory;
use alloc::collections::BTreeMap;
use alloc::format;

/// Offsets in `_PEB` and `_RTL_USER_PROCESS_PARAMETERS`, part of the system's binary interface (public header
/// `winternl.h`).
const IMAGE_BASE: u64 = 0x10;
const PROCESS_PARAMETERS: u32 = 0x20;
const COMMAND_LINE: u32 = 0x70;
/// Images are loaded at multiples of this.
const IMAGE_ALIGNMENT: u64 = 0x1_0000;
/// The blocks of a process and of its threads lie in one region, or in regions side by side.
pub(super) const NEAR: u64 = 0x400_0000;
/// Where user memory ends.
const USER_END: u64 = 0x7fff_ffff_0000;

pub(super) fn find(evidence: &Evidence<'_>, population: &Population, threads: &Threads, found: &mut Found) {
    let system = &population.system().body;
    let declared = evidence.kdbg.and_then(Kdbg::offset_eprocess_peb).and_then(|offset| u32::try_from(offset).ok());
    let candidates = system.words().filter(|offset| declared.is_none_or(|declared| declared == *offset));
    let candidates = candidates.filter(|offset| system.u64(*offset) == Some(0));
    let candidates = candidates.filter_map(|offset| {
        let blocks = blocks(evidence, population, offset);
        // Where the blocks themselves are in the dump, they decide; where they are not, KDBG must name the field.
        let seen = blocks.all() > 0;
        let shape = || shape(population, threads, offset).filter(|_| declared.is_some());
        let (votes, weight) = if seen { (blocks, Weight::Exact) } else { (shape()?, Weight::Shape) };
        (votes.good >= 3).then_some((offset, votes, weight))
    });
    let mut convincing = candidates.filter(|(_, votes, weight)| votes.convince(*weight));
    let (Some((offset, votes, weight)), None) = (convincing.next(), convincing.next()) else { return };
    let by = if declared.is_some() { "KDBG names it; " } else { "" };
    let evidence_text = match weight {
        Weight::Exact => format!(
            "{by}zero for System; what it leads to gives the base of the image, as another field of the process \
             does, in {} of {} processes",
            votes.good,
            votes.all()
        ),
        Weight::Shape => {
            format!("{by}zero for System; a page of user memory or zero in {} of {} others", votes.good, votes.all())
        }
    };
    found.add(At::eprocess("Peb", offset), votes, weight, evidence_text);
    parameters(evidence, population, offset, found);
}

pub(super) fn is_page_of_user(value: u64) -> bool {
    value.is_multiple_of(PAGE_SIZE) && (IMAGE_ALIGNMENT..USER_END).contains(&value)
}

/// A page of user memory in many processes, and near the blocks of their threads where those are known: images lie
/// elsewhere. The kernel's own processes have none.
fn shape(population: &Population, threads: &Threads, offset: u32) -> Option<Votes> {
    let near = |process: &Subject, value: u64| {
        let mut blocks = threads.blocks.iter().filter(|(owner, _)| *owner == process.body.at).peekable();
        blocks.peek()?;
        Some(blocks.any(|(_, teb)| teb.abs_diff(value) < NEAR))
    };
    let values = population.alive().map(|process| (process, process.body.u64(offset).filter(|value| *value != 0)));
    let pages = Votes::count(values.clone().map(|(_, value)| value.map(is_page_of_user)));
    let nearby = Votes::count(values.map(|(process, value)| near(process, value?)));
    (pages.hold() && nearby.good >= 3 && nearby.hold()).then_some(pages)
}

/// The block repeats the base of the image, which the process itself has too.
fn blocks(evidence: &Evidence<'_>, population: &Population, offset: u32) -> Votes {
    let mut places: BTreeMap<u32, u32> = BTreeMap::new();
    let mut all = 0;
    for process in population.alive() {
        let Some(base) = image_base(evidence, process, offset) else { continue };
        all += 1;
        let same = process.body.words().filter(|place| *place != offset && process.body.u64(*place) == Some(base));
        let is_base = base != 0 && base.is_multiple_of(IMAGE_ALIGNMENT);
        for place in same.filter(|_| is_base) {
            *places.entry(place).or_default() += 1;
        }
    }
    let good = places.into_values().max().unwrap_or(0);
    Votes { good, bad: all - good }
}

fn image_base(evidence: &Evidence<'_>, process: &Subject, offset: u32) -> Option<u64> {
    let Root::Ours(root) = process.root else { return None };
    let peb = process.body.u64(offset).filter(|value| is_page_of_user(*value))?;
    evidence.space.with_root(root.0).read_u64(VirtAddr(peb).wrapping_add(IMAGE_BASE)).ok()
}

/// The way from the block to the command line, if it leads to text.
fn parameters(evidence: &Evidence<'_>, population: &Population, peb: u32, found: &mut Found) {
    let opinion = |process: &Subject| {
        let Root::Ours(root) = process.root else { return None };
        let space = evidence.space.with_root(root.0);
        let at = process.body.u64(peb).filter(|value| is_page_of_user(*value))?;
        let parameters = space.read_pointer(VirtAddr(at).wrapping_add(PROCESS_PARAMETERS.into())).ok()?;
        let [a, b, c, d, _, _, _, _, buffer @ ..] =
            space.read_array::<16>(parameters.wrapping_add(COMMAND_LINE.into())).ok()?;
        let (length, maximum) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let buffer = VirtAddr(u64::from_le_bytes(buffer));
        let first = space.read_array::<2>(buffer);
        let text = length % 2 == 0 && length > 0 && length <= maximum;
        Some(text && first.is_ok_and(|[low, high]| high == 0 && (b' '..=b'~').contains(&low)))
    };
    let votes = Votes::count(population.alive().map(opinion));
    let evidence = format!("public interface; leads to a command line in {} of {} processes", votes.good, votes.all());
    for (structure, field, offset) in [
        ("_PEB", "ProcessParameters", PROCESS_PARAMETERS),
        ("_RTL_USER_PROCESS_PARAMETERS", "CommandLine", COMMAND_LINE),
    ] {
        found.add(At::new(structure, field, offset), votes, Weight::Exact, evidence.clone());
    }
}
