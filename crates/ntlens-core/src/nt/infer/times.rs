//! When processes were created, and when they ended.

use super::Evidence;
use super::found::{At, Found};
use super::population::{Population, Subject};
use super::votes::{Votes, Weight, only};
use crate::memory::VirtualMemory;
use crate::nt::shared_data::KUSER_SHARED_DATA;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// The year of Windows 7, in 100 ns since 1601.
const FIRST: u64 = 128_752_416_000_000_000;
/// 2100, where nothing tells the time of the dump.
const LAST: u64 = 157_469_184_000_000_000;
/// A clock may have been set back since a process was created, by a day at most.
const SLACK: u64 = 24 * 3600 * 10_000_000;
/// `KUSER_SHARED_DATA.SystemTime`, part of the system's binary interface (public header `ntddk.h`).
const SYSTEM_TIME: u64 = 0x14;

pub(super) fn find(evidence: &Evidence<'_>, population: &Population, found: &mut Found) {
    let shared = || evidence.space.read_u64(KUSER_SHARED_DATA.wrapping_add(SYSTEM_TIME)).ok();
    let is_time = |value: &u64| (FIRST..LAST).contains(value);
    let now = evidence.system_time.filter(is_time).or_else(|| shared().filter(is_time));
    let end = now.map_or(LAST, |now| now.saturating_add(SLACK));
    let in_range = |value: u64| (FIRST..=end).contains(&value);
    create_time(population, found, in_range);
    exit_time(population, found, in_range);
}

/// A time in every process, and hardly any before System's.
fn create_time(population: &Population, found: &mut Found, in_range: impl Fn(u64) -> bool) {
    let system = &population.system().body;
    let candidates = system.words().filter_map(|offset| {
        let first = system.u64(offset).filter(|value| in_range(*value))?;
        let votes = Votes::count(population.others().map(|process| process.body.u64(offset).map(&in_range)));
        let times: Vec<u64> = population.others().filter_map(|process| process.body.u64(offset)).collect();
        let before = times.iter().filter(|time| **time < first).count();
        let distinct = times.iter().collect::<BTreeSet<_>>().len();
        (before <= (times.len() / 10).max(2) && distinct * 2 > times.len()).then_some((offset, votes))
    });
    let candidates: Vec<_> = candidates.filter(|(_, votes)| votes.good >= 3).collect();
    if let Some((offset, votes)) = only(candidates, Weight::Exact) {
        let evidence =
            format!("a time before the dump's in {} of {} processes, System among the first", votes.good, votes.all());
        found.add(At::eprocess("CreateTime", offset), votes, Weight::Exact, evidence);
    }
}

/// Zero in processes that run; in some that have no threads left, a time behind that of their creation.
fn exit_time(population: &Population, found: &mut Found, in_range: impl Fn(u64) -> bool) {
    let Some(created) = found.eprocess("CreateTime") else { return };
    let zero = |process: &Subject, offset: u32| process.body.u64(offset).map(|time| time == 0);
    let ended = |process: &Subject, offset: u32| {
        let (time, created) = (process.body.u64(offset)?, process.body.u64(created)?);
        // A process without threads may not have had any yet.
        (time != 0).then_some(in_range(time) && time >= created)
    };
    let candidates = population.system().body.words().filter(|offset| *offset != created).map(|offset| {
        let running = Votes::count(population.alive().chain([population.system()]).map(|p| zero(p, offset)));
        let others = population.others().filter(|process| !process.alive);
        let votes = Votes::count(others.map(|process| ended(process, offset)));
        (offset, if running.convince(Weight::Shape) { votes } else { Votes::default() })
    });
    if let Some((offset, votes)) = only(candidates, Weight::Exact) {
        let evidence = format!(
            "a time behind that of creation in {} processes without threads, zero in those that run",
            votes.good
        );
        found.add(At::eprocess("ExitTime", offset), votes, Weight::Exact, evidence);
    }
}
