//! The processes of a job or a session: those of its list, and those that name it.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::process::Process;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Processes by their addresses, and by what each names as the group that it is in.
pub(super) struct Members<'p> {
    by_address: BTreeMap<VirtAddr, &'p Process>,
    by_group: BTreeMap<VirtAddr, Vec<&'p Process>>,
}

impl<'p> Members<'p> {
    /// Takes processes by what each of them names.
    pub(super) fn new(processes: &'p [Process], named: fn(&Process) -> Option<VirtAddr>) -> Self {
        let by_address = processes.iter().map(|process| (process.eprocess(), process)).collect();
        let mut by_group: BTreeMap<VirtAddr, Vec<&Process>> = BTreeMap::new();
        for process in processes {
            if let Some(group) = named(process) {
                by_group.entry(group).or_default().push(process);
            }
        }
        Self { by_address, by_group }
    }

    /// Those of a group's list in its order, then those that only name it. What was not walked lists nothing.
    pub(super) fn of(&self, group: VirtAddr, listed: Result<&[VirtAddr], Absent>) -> Vec<&'p Process> {
        let listed = listed.unwrap_or_default();
        let seen: BTreeSet<&VirtAddr> = listed.iter().collect();
        let named = self.by_group.get(&group).map_or(&[][..], Vec::as_slice);
        let unlisted = named.iter().copied().filter(|process| !seen.contains(&process.eprocess()));
        listed.iter().filter_map(|at| self.by_address.get(at).copied()).chain(unlisted).collect()
    }

    /// The ids of these. A list that nobody could walk, and processes whose ids nobody knows, are not none.
    pub(super) fn pids(&self, group: VirtAddr, listed: Result<&[VirtAddr], Absent>) -> Result<Vec<u64>, Absent> {
        let members = self.of(group, listed);
        let pids: Vec<u64> = members.iter().filter_map(|process| process.pid().ok()).collect();
        match members.first() {
            Some(first) if pids.is_empty() => first.pid().map(|pid| Vec::from([pid])),
            None => listed.map(|_| pids),
            Some(_) => Ok(pids),
        }
    }
}
