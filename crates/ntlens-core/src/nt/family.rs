//! Who started whom.
//!
//! A process knows only the id of its parent, which may be gone and its id used again: a process that is younger than
//! another is not its parent.

use crate::absent::Absent;
use crate::nt::process::Process;
use crate::nt::time::FileTime;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a process says of itself and of its parent; `None` for what the dump does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub pid: Option<u64>,
    /// The id of its parent; 0 for the first process.
    pub ppid: Option<u64>,
    /// When it was created.
    pub created: Option<FileTime>,
}

/// The parents of processes, without loops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    parents: Vec<Option<usize>>,
    depths: Vec<u64>,
    order: Vec<usize>,
    /// Why nobody can say who the parent of a process is, and how deep it is.
    doubts: Vec<(Option<Absent>, Option<Absent>)>,
}

impl Family {
    /// Finds the parents of processes. `unseen` tells why there may be others, as [`Processes::unseen`] does: one of them may
    /// be the parent of any that has none.
    ///
    /// [`Processes::unseen`]: crate::nt::census::Processes::unseen
    pub fn of(processes: &[Process], unseen: Option<Absent>) -> Self {
        let member = |process: &Process| Member {
            pid: process.pid().ok(),
            ppid: process.ppid().ok(),
            created: process.create_time().ok().flatten(),
        };
        let mut family = Self::new(&processes.iter().map(member).collect::<Vec<_>>());
        // A process whose id is not known may be the parent of any that has none.
        let nameless = processes.iter().find_map(|process| process.pid().err()).or(unseen);
        let doubt = |(process, parent): (&Process, &Option<usize>)| {
            let own = process.ppid().err().or_else(|| process.create_time().err());
            let is_child = process.ppid().is_ok_and(|ppid| ppid != 0);
            let doubt = own.or(nameless.filter(|_| parent.is_none() && is_child));
            (doubt, doubt)
        };
        family.doubts = processes.iter().zip(&family.parents).map(doubt).collect();
        for member in &family.order {
            // Parents come first: what is not known of one is not known of those below it.
            let above = family.parents.get(*member).copied().flatten();
            let above = above.and_then(|parent| family.doubts.get(parent)?.1);
            if let Some((_, depth)) = family.doubts.get_mut(*member) {
                *depth = depth.or(above);
            }
        }
        family
    }

    /// Finds the parents of processes that are told by what they say.
    pub fn new(members: &[Member]) -> Self {
        let mut parents = parents(members);
        cut_loops(&mut parents);
        let mut children: Vec<Vec<usize>> = alloc::vec![Vec::new(); members.len()];
        for (child, parent) in parents.iter().enumerate() {
            if let Some(children) = parent.and_then(|parent| children.get_mut(parent)) {
                children.push(child);
            }
        }
        let mut depths = alloc::vec![0; members.len()];
        let mut order = Vec::with_capacity(members.len());
        let roots = parents.iter().enumerate().filter(|(_, parent)| parent.is_none());
        let mut open: Vec<(usize, u64)> = roots.map(|(root, _)| (root, 0)).collect();
        open.reverse();
        while let Some((member, depth)) = open.pop() {
            order.push(member);
            if let Some(slot) = depths.get_mut(member) {
                *slot = depth;
            }
            let below = children.get(member).into_iter().flatten().rev();
            open.extend(below.map(|child| (*child, depth + 1)));
        }
        let doubts = alloc::vec![(None, None); members.len()];
        Self { parents, depths, order, doubts }
    }

    /// The parent of a process; both are places in the list. An error where ids or times that would tell are missing.
    pub fn parent(&self, process: usize) -> Result<Option<usize>, Absent> {
        let doubt = self.doubts.get(process).and_then(|(parent, _)| *parent);
        doubt.map_or_else(|| Ok(self.parents.get(process).copied().flatten()), Err)
    }

    /// How many processes are above one. An error where the parent of one of them is not known.
    pub fn depth(&self, process: usize) -> Result<u64, Absent> {
        let doubt = self.doubts.get(process).and_then(|(_, depth)| *depth);
        doubt.map_or_else(|| Ok(self.depths.get(process).copied().unwrap_or(0)), Err)
    }

    /// All processes, each behind its parent and next to its siblings; otherwise in the order of the list.
    pub fn order(&self) -> &[usize] {
        &self.order
    }
}

/// For each process the youngest of those with the right id that are not younger than it.
fn parents(members: &[Member]) -> Vec<Option<usize>> {
    let mut by_pid: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        if let Some(pid) = member.pid {
            by_pid.entry(pid).or_default().push(index);
        }
    }
    // What is not known forbids nothing.
    let created = |index: usize| members.get(index).and_then(|member| member.created);
    for same in by_pid.values_mut() {
        same.sort_by_key(|index| created(*index));
    }
    let parent = |(index, member): (usize, &Member)| {
        let same = by_pid.get(&member.ppid.filter(|ppid| *ppid != 0)?)?;
        let older = match member.created {
            None => same.len(),
            Some(own) => same.partition_point(|other| created(*other).is_none_or(|other| other <= own)),
        };
        same.get(..older)?.iter().rev().find(|other| **other != index).copied()
    };
    members.iter().enumerate().map(parent).collect()
}

/// Takes the parent from one process of each loop: the one that is met first.
fn cut_loops(parents: &mut [Option<usize>]) {
    /// On no way that was walked so far.
    const NEW: usize = usize::MAX;
    let mut walked = alloc::vec![NEW; parents.len()];
    for start in 0..parents.len() {
        let mut next = Some(start);
        while let Some(member) = next {
            let Some(mark) = walked.get_mut(member) else { break };
            if *mark != NEW {
                if *mark == start
                    && let Some(parent) = parents.get_mut(member)
                {
                    *parent = None;
                }
                break;
            }
            *mark = start;
            next = parents.get(member).copied().flatten();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(pid: u64, ppid: u64, created: u64) -> Member {
        Member { pid: Some(pid), ppid: Some(ppid), created: FileTime::from_windows(created) }
    }

    #[test]
    fn a_parent_is_not_younger_than_its_child() {
        let members = [member(4, 0, 1), member(8, 4, 5), member(12, 8, 4), member(16, 99, 6), member(20, 8, 5)];
        let family = Family::new(&members);
        let parents: Vec<_> = (0..5).map(|index| family.parent(index).unwrap()).collect();
        assert_eq!(parents, [None, Some(0), None, None, Some(1)]);
        assert_eq!(family.order(), [0, 1, 4, 2, 3]);
        assert_eq!(family.depth(4), Ok(2));
    }

    #[test]
    fn of_processes_with_one_id_the_youngest_that_is_old_enough_is_the_parent() {
        let members = [member(8, 4, 10), member(8, 4, 2), member(12, 8, 5), member(16, 8, 11), member(20, 8, 1)];
        let family = Family::new(&members);
        assert_eq!([2, 3, 4].map(|index| family.parent(index)), [Ok(Some(1)), Ok(Some(0)), Ok(None)]);
    }

    #[test]
    fn what_is_not_known_forbids_nothing() {
        let nothing = Member::default();
        let unknown = Member { created: None, ..member(8, 4, 0) };
        let family = Family::new(&[nothing, unknown, member(12, 8, 3), Member { created: None, ..member(4, 12, 0) }]);
        // 4 is below 12, that below 8, that below 4: the first of them is on top.
        assert_eq!([0, 1, 2, 3].map(|index| family.parent(index)), [Ok(None), Ok(None), Ok(Some(1)), Ok(Some(2))]);
        assert_eq!(Family::new(&[member(8, 8, 1)]).parent(0), Ok(None), "nobody started itself");
    }

    proptest! {
        #[test]
        fn everybody_has_one_place(told in prop::collection::vec((0_u64..6, 0_u64..6, 0_u64..4), 0..24)) {
            let members: Vec<Member> = told.iter().map(|(pid, ppid, at)| member(*pid, *ppid, *at)).collect();
            let family = Family::new(&members);
            let mut order = family.order().to_vec();
            let place = |index: usize| family.order().iter().position(|other| *other == index).unwrap();
            for (index, child) in members.iter().enumerate() {
                let Some(above) = family.parent(index).unwrap() else {
                    prop_assert_eq!(family.depth(index), Ok(0));
                    continue;
                };
                let parent = members[above];
                prop_assert_eq!(child.ppid, parent.pid);
                prop_assert!(child.created.is_none() || parent.created <= child.created);
                prop_assert_eq!(family.depth(index), family.depth(above).map(|depth| depth + 1));
                prop_assert!(place(above) < place(index));
            }
            order.sort_unstable();
            prop_assert_eq!(order, (0..members.len()).collect::<Vec<_>>());
        }
    }
}
