//! Process ids, confirmed by the table of ids and by the threads, and the ids of parents.

use super::Evidence;
use super::cid::CidTable;
use super::found::{At, Found};
use super::population::{Population, Subject};
use super::threads::Threads;
use super::votes::{Votes, Weight, only};
use crate::kdbg::Kdbg;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// System's.
const SYSTEM: u64 = 4;
/// Ids are handles of a table of at most 2^26 entries.
pub(super) const MAX: u64 = 1 << 28;
/// Whether a number can be the id of a process or thread.
pub(super) const fn is_id(value: u64) -> bool {
    value != 0 && value.is_multiple_of(4) && value < MAX
}

/// Finds `UniqueProcessId`, and with it how the table of ids is read.
pub(super) fn find(evidence: &Evidence<'_>, population: &Population, threads: &Threads, found: &mut Found) {
    let system = &population.system().body;
    let candidates: Vec<(u32, Votes)> = system
        .words()
        .filter(|offset| system.u64(*offset) == Some(SYSTEM))
        .map(|offset| (offset, looks_like_ids(population, offset)))
        .filter(|(_, votes)| votes.good >= 3 && votes.hold())
        .collect();
    let offsets: Vec<u32> = candidates.iter().map(|(offset, _)| *offset).collect();
    let by_threads = || offsets.iter().map(|offset| (*offset, threads.confirm(population, *offset)));
    if let Some(table) = CidTable::find(evidence, population, &offsets) {
        // Two fields that both lead to every process leave open which of them is the id.
        if let Some((offset, votes)) = only(table.confirmed.iter().copied(), Weight::Exact) {
            let evidence = format!(
                "4 for System; {} of {} processes are found at their id in the table of ids",
                votes.good,
                votes.all()
            );
            found.add(At::eprocess("UniqueProcessId", offset), votes, Weight::Exact, evidence);
        }
        table.add(found);
    } else if let Some((offset, votes)) = only(by_threads(), Weight::Exact) {
        let evidence =
            format!("4 for System; the threads of {} of {} processes name it as theirs", votes.good, votes.all());
        found.add(At::eprocess("UniqueProcessId", offset), votes, Weight::Exact, evidence);
    }
}

/// Multiples of 4, no two the same.
fn looks_like_ids(population: &Population, offset: u32) -> Votes {
    let mut seen = BTreeSet::from([SYSTEM]);
    Votes::count(population.others().map(|process| {
        let value = process.body.u64(offset)?;
        Some(is_id(value) && seen.insert(value))
    }))
}

/// Finds `InheritedFromUniqueProcessId`. Other fields hold ids of processes too: the one that KDBG names must look right,
/// and without KDBG only one may.
pub(super) fn find_parents(evidence: &Evidence<'_>, population: &Population, found: &mut Found) {
    let (Some(pid), Some(created)) = (found.eprocess("UniqueProcessId"), found.eprocess("CreateTime")) else { return };
    let created_at: BTreeMap<u64, u64> = population
        .processes
        .iter()
        .filter_map(|process| Some((process.body.u64(pid)?, process.body.u64(created)?)))
        .collect();
    let opinion = |process: &Subject, offset: u32| {
        let (parent, own) = (process.body.u64(offset)?, process.body.u64(pid)?);
        if !is_id(parent) || parent == own {
            return Some(false);
        }
        // A parent that is gone says nothing; one that is younger has got the id of another.
        let older = *created_at.get(&parent)? <= process.body.u64(created)?;
        older.then_some(true)
    };
    let system = &population.system().body;
    let fits = |offset: u32| {
        let votes = Votes::count(population.others().map(|process| opinion(process, offset)));
        let parents: BTreeSet<u64> = population.others().filter_map(|process| process.body.u64(offset)).collect();
        let held = population.others().filter(|process| process.body.u64(offset).is_some()).count();
        // Most parents are older processes of the list, and there are several.
        let enough = votes.good as usize * 3 >= held && (3..held.max(3)).contains(&parents.len());
        (offset, if enough && system.u64(offset) == Some(0) { votes } else { Votes::default() })
    };
    let declared = evidence.kdbg.and_then(Kdbg::offset_eprocess_parent_cid);
    let (chosen, by): (_, &str) = if let Some(declared) = declared {
        let declared = u32::try_from(declared).ok().filter(|offset| offset.is_multiple_of(8));
        (declared.map(fits), "KDBG names it; ")
    } else {
        (only(system.words().filter(|offset| *offset != pid).map(fits), Weight::Shape), "")
    };
    let Some((offset, votes)) = chosen else { return };
    let text: String = format!(
        "{by}0 for System; {} of {} processes whose parent is in the list are younger than it",
        votes.good,
        votes.all()
    );
    found.add(At::eprocess("InheritedFromUniqueProcessId", offset), votes, Weight::Shape, text);
}
