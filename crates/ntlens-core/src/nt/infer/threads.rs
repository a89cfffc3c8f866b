//! Threads: where an `ETHREAD` begins, told from the lists that hang on the processes.

use super::Evidence;
use super::body::{Body, ring};
use super::cid::CidTable;
use super::found::{At, Found};
use super::ids::is_id;
use super::population::{Population, Subject, THREAD_LIST};
use super::votes::{Votes, Weight, only};
use crate::address::{PAGE_SIZE, VirtAddr};
use crate::kdbg::Kdbg;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

pub(super) use crate::nt::thread::THREAD_OBJECT;
/// Bytes that are looked at before and behind a thread's links.
const BEFORE: u32 = 0x800;
const EXTENT: u32 = 0x1200;
/// So many threads are looked at, of each process and of all.
const MAX_OF_PROCESS: usize = 24;
const MAX_THREADS: usize = 1024;
/// No kernel stack is larger.
const MAX_STACK: u64 = 0x10_0000;
/// `_KAPC_STATE.Process` is so far inside it in every version of Windows.
pub(super) const APC_STATE_PROCESS: u32 = 0x20;

/// A thread with the process in whose list it is. Its bytes begin [`BEFORE`] its links.
#[derive(Debug)]
struct Member {
    owner: VirtAddr,
    body: Body,
}

/// The threads of the processes.
#[derive(Debug)]
pub(super) struct Threads {
    members: Vec<Member>,
    /// Environment blocks with the process that the thread belongs to, once it is known where they are noted.
    pub(super) blocks: Vec<(VirtAddr, u64)>,
}

impl Threads {
    /// Follows the lists.
    pub(super) fn collect(evidence: &Evidence<'_>, population: &Population) -> Self {
        let mut members = Vec::new();
        let each = (MAX_THREADS / population.processes.len().max(1)).clamp(1, MAX_OF_PROCESS);
        for process in population.processes.iter().filter(|process| process.alive) {
            let owner = process.body.at;
            let links = ring(evidence.space, owner.wrapping_add(THREAD_LIST.into()), each);
            members.extend(links.into_iter().map(|at| {
                let body = Body::read(evidence.space, at.wrapping_sub(BEFORE.into()), EXTENT);
                Member { owner, body }
            }));
        }
        Self { members, blocks: Vec::new() }
    }

    /// Whether threads name, all in the same place, the number that their process has at an offset, and behind it one
    /// of their own: processes whose threads do.
    pub(super) fn confirm(&self, population: &Population, offset: u32) -> Votes {
        let id = |owner: VirtAddr| id_at(population, owner, offset);
        self.client_ids(id).map_or(Votes::default(), |(_, votes)| votes)
    }

    /// The offset of `Cid` in the threads' bytes: the process's id, and another that no other thread has.
    fn client_ids(&self, id: impl Fn(VirtAddr) -> Option<u64>) -> Option<(u32, Votes)> {
        let ids: Vec<Option<u64>> = self.members.iter().map(|member| id(member.owner)).collect();
        let candidates = (0..EXTENT - 0x10).step_by(8).map(|offset| {
            let mut seen = BTreeSet::new();
            let votes = Votes::count(self.members.iter().zip(&ids).map(|(member, id)| {
                let (process, thread) = (member.body.u64(offset)?, member.body.u64(offset + 8)?);
                Some(process == (*id)? && is_id(thread) && seen.insert(thread))
            }));
            (offset, if votes.good >= 3 { votes } else { Votes::default() })
        });
        self.settle(&candidates.collect::<Vec<_>>())
    }

    /// The candidate with the most witnesses, if it convinces and every other with half as many is that of the threads
    /// that lie next to these in memory.
    fn settle(&self, candidates: &[(u32, Votes)]) -> Option<(u32, Votes)> {
        let links: BTreeSet<VirtAddr> = self.members.iter().map(|member| member.body.at).collect();
        let (best, votes) = candidates.iter().copied().max_by_key(|(_, votes)| votes.good)?;
        let neighbour = |offset: u32| {
            let gap = u64::from(offset).wrapping_sub(best.into());
            let next_to = self.members.iter().filter(|member| links.contains(&member.body.at.wrapping_add(gap)));
            u32::try_from(next_to.count()).unwrap_or(0)
        };
        let mut rivals = candidates.iter().filter(|(offset, rival)| *offset != best && rival.good * 2 >= votes.good);
        let explained = rivals.all(|(offset, rival)| rival.good < votes.good && rival.good <= neighbour(*offset));
        (explained && votes.convince(Weight::Exact)).then_some((best, votes))
    }

    /// Finds the fields of `_ETHREAD`. The process ids must be known.
    pub(super) fn find(&mut self, evidence: &Evidence<'_>, population: &Population, found: &mut Found) {
        let Some(pid) = found.eprocess("UniqueProcessId") else { return };
        let id = |owner: VirtAddr| id_at(population, owner, pid);
        let Some((cid, votes)) = self.client_ids(id) else { return };
        let table = CidTable::find(evidence, population, &[pid]);
        let Some(start) = self.start(evidence, table.as_ref(), cid) else { return };
        if cid < start {
            return;
        }
        let text = format!("the ids of process and thread in {} of {} threads", votes.good, votes.all());
        found.inside("_ETHREAD", "Cid", cid - start);
        for (field, offset) in [("Cid.UniqueProcess", cid), ("Cid.UniqueThread", cid + 8)] {
            found.add(At::new("_ETHREAD", field, offset - start), votes, Weight::Exact, text.clone());
        }
        self.processes(evidence, start, found);
        self.stacks(evidence, start, found);
        self.find_blocks(evidence, population, start, found);
    }

    /// Where threads begin in their bytes: so that the table of ids leads there, or so that the offset of a field that
    /// KDBG gives leads to the process; in either case an object of the type "thread".
    fn start(&self, evidence: &Evidence<'_>, table: Option<&CidTable<'_>>, cid: u32) -> Option<u32> {
        let apc = evidence.kdbg.and_then(Kdbg::offset_kthread_apc_process).and_then(|at| u32::try_from(at).ok());
        let candidates = (0..=BEFORE).step_by(8).map(|start| {
            let opinion = |member: &Member| {
                if member.body.u8(start)? != THREAD_OBJECT {
                    return Some(false);
                }
                let at = member.body.at.wrapping_add(start.into());
                if let Some(table) = table {
                    return table.lookup(member.body.u64(cid + 8)?).map(|found| found == at);
                }
                Some(VirtAddr(member.body.u64(start.checked_add(apc?)?)?) == member.owner)
            };
            let votes = Votes::count(self.members.iter().map(opinion));
            (start, if votes.good >= 3 { votes } else { Votes::default() })
        });
        self.settle(&candidates.collect::<Vec<_>>()).map(|(start, _)| start)
    }

    fn count(&self, opinion: impl Fn(&Member) -> Option<bool>) -> Votes {
        Votes::count(self.members.iter().map(opinion))
    }

    /// `Tcb.Process`, and the process that a thread is attached to: nearly always the same.
    fn processes(&self, evidence: &Evidence<'_>, start: u32, found: &mut Found) {
        let declared = evidence.kdbg.and_then(Kdbg::offset_kthread_apc_process);
        let Some(apc) = declared.and_then(|offset| u32::try_from(offset).ok()) else { return };
        let owned = |offset: u32| {
            self.count(|member| Some(VirtAddr(member.body.u64(start.checked_add(offset)?)?) == member.owner))
        };
        let votes = owned(apc);
        let text = format!("KDBG names it; the process of {} of {} threads", votes.good, votes.all());
        found.inside("_ETHREAD", "Tcb.ApcState", apc.saturating_sub(APC_STATE_PROCESS));
        found.add(At::new("_ETHREAD", "Tcb.ApcState.Process", apc), votes, Weight::Exact, text);
        if found.offset("_ETHREAD", "Tcb.ApcState.Process").is_none() {
            return;
        }
        let others = (0..size(evidence, start)).step_by(8).filter(|offset| *offset != apc);
        let others =
            others.map(|offset| (offset, owned(offset))).filter(|(_, votes)| votes.bad == 0 && votes.good >= 8);
        if let Some((offset, votes)) = only(others, Weight::Exact) {
            let text = format!("beside ApcState the only pointer to the process in all {} threads", votes.good);
            found.add(At::new("_ETHREAD", "Tcb.Process", offset), votes, Weight::Exact, text);
        }
    }

    /// The kernel stacks: KDBG says where a thread was on its own, and since Windows 10 where that begins and ends.
    fn stacks(&self, evidence: &Evidence<'_>, start: u32, found: &mut Found) {
        let declared = |get: fn(&Kdbg) -> Option<u64>| {
            let offset = u32::try_from(evidence.kdbg.and_then(get)?).ok()?;
            (offset.is_multiple_of(8) && offset < EXTENT).then_some(offset)
        };
        let Some(kernel) = declared(Kdbg::offset_kthread_kernel_stack) else { return };
        let word = |member: &Member, offset: u32| member.body.u64(start.checked_add(offset)?);
        let is_page = |value: u64| VirtAddr(value).is_kernel() && value.is_multiple_of(PAGE_SIZE);
        let below = |member: &Member, limit: u32| {
            let (low, at) = (word(member, limit)?, word(member, kernel).filter(|at| *at != 0)?);
            Some(is_page(low) && at.checked_sub(low).is_some_and(|used| used < MAX_STACK))
        };
        let above = |member: &Member, base: u32| {
            let (high, at) = (word(member, base)?, word(member, kernel).filter(|at| *at != 0)?);
            Some(is_page(high) && high.checked_sub(at).is_some_and(|used| used < MAX_STACK))
        };
        // The beginning of the stack is noted twice.
        let other = declared(Kdbg::offset_kthread_initial_stack);
        let search = |opinion: &dyn Fn(&Member, u32) -> Option<bool>| {
            other?;
            let offsets = (0..size(evidence, start)).step_by(8);
            let offsets = offsets.filter(|offset| Some(*offset) != other && *offset != kernel);
            let candidates = offsets.map(|offset| (offset, self.count(|member| opinion(member, offset))));
            only(candidates, Weight::Shape).map(|(offset, _)| offset)
        };
        let limit = declared(Kdbg::offset_kthread_stack_limit).or_else(|| search(&below));
        let base = declared(Kdbg::offset_kthread_stack_base).or_else(|| search(&above));
        let (Some(limit), Some(base)) = (limit, base) else { return };
        let votes = self.count(|member| Some(below(member, limit)? && above(member, base)?));
        let text =
            format!("where KDBG says that a thread was on its stack is inside it: {} of {}", votes.good, votes.all());
        for (field, offset) in [("Tcb.StackLimit", limit), ("Tcb.StackBase", base), ("Tcb.KernelStack", kernel)] {
            found.add(At::new("_ETHREAD", field, offset), votes, Weight::Shape, text.clone());
        }
    }

    /// Thread environment blocks: none in System, one each in the others.
    fn find_blocks(&mut self, evidence: &Evidence<'_>, population: &Population, start: u32, found: &mut Found) {
        let declared = evidence.kdbg.and_then(Kdbg::offset_kthread_teb).and_then(|offset| u32::try_from(offset).ok());
        let Some(teb) = declared else { return };
        let system = population.system().body.at;
        let mut seen = BTreeSet::new();
        let votes = Votes::count(self.members.iter().map(|member| {
            let value = member.body.u64(start.checked_add(teb)?)?;
            match value {
                // A process of user mode can have threads of the kernel.
                0 => (member.owner == system).then_some(true),
                _ if member.owner == system => Some(false),
                _ => {
                    let user = !VirtAddr(value).is_kernel() && value % PAGE_SIZE == 0;
                    Some(user && seen.insert((member.owner, value)))
                }
            }
        }));
        let text =
            format!("KDBG names it; a page of user memory of its own in {} of {} threads", votes.good, votes.all());
        if seen.len() >= 5 {
            found.add(At::new("_ETHREAD", "Tcb.Teb", teb), votes, Weight::Shape, text);
        }
        if found.offset("_ETHREAD", "Tcb.Teb").is_some() {
            self.blocks = seen.into_iter().collect();
        }
    }
}

/// Bytes of a thread that can be looked at.
fn size(evidence: &Evidence<'_>, start: u32) -> u32 {
    let declared = evidence.kdbg.and_then(Kdbg::size_ethread).and_then(|size| u32::try_from(size).ok());
    declared.map_or(EXTENT - start, |size| size.min(EXTENT - start))
}

/// A number of a process.
fn id_at(population: &Population, owner: VirtAddr, offset: u32) -> Option<u64> {
    let owns = |process: &&Subject| process.body.at == owner;
    population.processes.iter().find(owns)?.body.u64(offset)
}
