//! The processes: where each `EPROCESS` begins, told from the list of active processes alone.
//!
//! The list gives the addresses of links. How far before its links a process begins is the offset at which, in every
//! process, an object of the type "process" lies, with three lists in their places and the root of page tables between
//! them. These first fields have not moved in any version of Windows for x64; here they are not believed, but found.

use super::Evidence;
use super::body::{Body, is_list_entry, ring};
use super::found::{At, Found};
use super::votes::{Votes, Weight};
use crate::address::{PAGE_BYTES, PhysAddr, VirtAddr};
use crate::kdbg::Kdbg;
use crate::memory::VirtualMemory;
use crate::memory::paging::self_map_slot;
use crate::nt::list::is_linked;
use crate::nt::process::PROCESS_OBJECT;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Offsets in `_KPROCESS`: `Header.Type`, `Header.WaitListHead`, `ProfileListHead`, `DirectoryTableBase`, `ThreadListHead`.
const TYPE: u32 = 0;
const WAIT_LIST: u32 = 8;
const PROFILE_LIST: u32 = 0x18;
pub(super) const DTB: u32 = 0x28;
pub(super) const THREAD_LIST: u32 = 0x30;
/// Where the links can lie in a process: behind `_KPROCESS`, of which only the beginning is known.
const LINKS: core::ops::RangeInclusive<u32> = 0x80..=0x1000;
/// Bytes of a process that are looked through if KDBG does not tell its size. The largest known has 0xbc0.
const ASSUMED_SIZE: u32 = 0xc00;
const SIZES: core::ops::RangeInclusive<u64> = 0x300..=0x2000;
/// So many processes are looked at; a machine with more has the same layout in all of them.
const MAX_PROCESSES: usize = 1024;
/// So many of them tell where a process begins.
const MAX_SAMPLE: usize = 48;
/// Fewer processes than this tell nothing: every machine that runs has more.
const MIN_PROCESSES: usize = 4;

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// Its bytes.
    pub(super) body: Body,
    /// It has threads.
    pub(super) alive: bool,
    /// What lies where the root of its page tables should be.
    pub(super) root: Root,
}

/// What a value at the place of the root of page tables is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// The root of an address space of this machine.
    Ours(PhysAddr),
    /// Something else.
    Other,
    /// Zero, or not in the dump.
    Unknown,
}

/// The processes of the list.
#[derive(Clone, Debug)]
pub(super) struct Population {
    /// In the order of the list; each passed the test.
    pub(super) processes: Vec<Subject>,
    /// Where System is among them.
    system: usize,
}

impl Population {
    /// Finds the processes, and where their links are.
    pub(super) fn find(evidence: &Evidence<'_>, found: &mut Found) -> Option<Self> {
        let memory = evidence.space;
        let head = head(evidence)?;
        let members = ring(memory, head, MAX_PROCESSES);
        let exported = evidence.headers.and_then(|headers| headers.export(memory, "PsInitialSystemProcess").ok());
        let exported = exported.and_then(|at| memory.read_pointer(at).ok()).filter(|at| at.is_kernel());
        let links = links_offset(evidence, &members)?;
        let extent = evidence.kdbg.and_then(Kdbg::size_eprocess).filter(|size| SIZES.contains(size));
        let extent = extent.and_then(|size| u32::try_from(size).ok()).unwrap_or(ASSUMED_SIZE);
        let listed: BTreeSet<VirtAddr> = members.iter().map(|at| at.wrapping_sub(links.into())).collect();
        let mut bases: Vec<VirtAddr> = members.iter().map(|at| at.wrapping_sub(links.into())).collect();
        // Where the list is broken before System, the kernel's own variable leads to it.
        let first = memory.read_pointer(head).ok()?.wrapping_sub(links.into());
        let system = exported.unwrap_or(first);
        if !listed.contains(&system) {
            bases.insert(0, system);
        }
        // Where one process begins, another has ended.
        let sorted: BTreeSet<u64> = bases.iter().map(|at| at.0).collect();
        let gaps = sorted.iter().zip(sorted.iter().skip(1)).map(|(one, next)| next - one);
        let extent = gaps.filter_map(|gap| u32::try_from(gap).ok()).fold(extent, u32::min);
        if links + 0x10 > extent {
            return None;
        }
        let mut processes: Vec<Subject> = Vec::new();
        let mut votes = Votes::default();
        for base in bases {
            let body = Body::read(memory, base, extent);
            match begins_here(memory, &body, 0) {
                Some(true) => {
                    votes.good += 1;
                    let alive = body.u64(THREAD_LIST) != Some(base.wrapping_add(THREAD_LIST.into()).0);
                    processes.push(Subject { body, alive, root: Root::Unknown });
                }
                Some(false) => votes.bad += 1,
                None => {}
            }
        }
        let place = |at: VirtAddr| processes.iter().position(|process| process.body.at == at);
        let system = place(system).or_else(|| place(first))?;
        let mut this = Self { processes, system };
        this.find_roots(evidence);
        // Nobody's page tables are known without System's.
        if this.processes.len() < MIN_PROCESSES || !matches!(this.system().root, Root::Ours(_)) {
            return None;
        }
        let count = votes.all();
        let evidence_text = |what: &str| format!("{} of {count} members of the active list {what}", votes.good);
        found.add(
            At::eprocess("ActiveProcessLinks", links),
            votes,
            Weight::Exact,
            evidence_text("have a process object so far before their links, and no other distance has"),
        );
        found.add(At::eprocess("Pcb.Header.Type", TYPE), votes, Weight::Exact, evidence_text("hold 3 here"));
        this.prove_root(evidence, found);
        found.eprocess("ActiveProcessLinks").map(|_| this)
    }

    /// The process that the kernel started with.
    #[expect(clippy::indexing_slicing, reason = "the index was a position, and no process is ever taken out")]
    pub(super) fn system(&self) -> &Subject {
        &self.processes[self.system]
    }

    /// Whether a process is that with which the kernel started.
    pub(super) fn is_system(&self, process: &Subject) -> bool {
        process.body.at == self.system().body.at
    }

    /// All but System.
    pub(super) fn others(&self) -> impl Iterator<Item = &Subject> + Clone {
        self.processes.iter().filter(|process| !self.is_system(process))
    }

    /// All but System that have threads.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Subject> + Clone {
        self.others().filter(|process| process.alive)
    }

    /// Bytes of every process that can be looked at.
    pub(super) fn extent(&self) -> u32 {
        self.system().body.extent()
    }

    /// Reads the roots of page tables.
    fn find_roots(&mut self, evidence: &Evidence<'_>) {
        let system = self.system().body.u64(DTB).and_then(|value| Table::read(evidence, value));
        let Some(system) = system.filter(|table| table.slot.is_some()) else { return };
        for process in &mut self.processes {
            let Some(value) = process.body.u64(DTB) else { continue };
            if let Some(table) = Table::read(evidence, value) {
                process.root = if table.is_like(&system) { Root::Ours(table.at) } else { Root::Other };
            }
        }
    }

    fn prove_root(&self, evidence: &Evidence<'_>, found: &mut Found) {
        let declared = evidence.kdbg.and_then(Kdbg::offset_eprocess_directory_table_base);
        if declared.is_some_and(|declared| declared != u64::from(DTB)) {
            return;
        }
        let opinion = |process: &Subject| match process.root {
            Root::Ours(_) => Some(true),
            Root::Other => Some(false),
            Root::Unknown => None,
        };
        let known = self.alive().chain([self.system()]);
        let mut votes = Votes::count(known.clone().map(opinion));
        // Every address space has its own root.
        let roots = known.filter_map(|process| match process.root {
            Root::Ours(at) => Some(at),
            _ => None,
        });
        let distinct: BTreeSet<PhysAddr> = roots.collect();
        votes.bad += votes.good.saturating_sub(u32::try_from(distinct.len()).unwrap_or(0));
        // A second field with the same roots would leave open which of the two is the one.
        let same = |offset: &u32| {
            let equal = |process: &Subject| {
                let (a, b) = (process.body.u64(DTB)?, process.body.u64(*offset)?);
                Some(PhysAddr::from_cr3(a) == PhysAddr::from_cr3(b))
            };
            Votes::count(self.alive().map(equal)).hold()
        };
        if declared.is_none() && self.system().body.words().filter(|offset| *offset != DTB).any(|offset| same(&offset))
        {
            return;
        }
        let evidence = format!(
            "roots of page tables that point back at themselves and share the kernel's half with System's: {} of {}",
            votes.good,
            votes.all()
        );
        if votes.good >= 2 {
            found.add(At::eprocess("Pcb.DirectoryTableBase", DTB), votes, Weight::Exact, evidence);
        }
    }
}

/// Head of the list of active processes: the header's, else KDBG's.
fn head(evidence: &Evidence<'_>) -> Option<VirtAddr> {
    let kdbg = evidence.kdbg.and_then(Kdbg::ps_active_process_head);
    let known = [evidence.ps_active_process_head, kdbg];
    known.into_iter().flatten().find(|at| is_linked(evidence.space, *at))
}

/// How far before their links the processes begin: the only distance at which nearly all of them do, and the nearest at
/// which any does.
fn links_offset(evidence: &Evidence<'_>, members: &[VirtAddr]) -> Option<u32> {
    let step = members.len().div_ceil(MAX_SAMPLE).max(1);
    let before = *LINKS.end();
    let sample: Vec<Body> = members
        .iter()
        .step_by(step)
        .map(|links| Body::read(evidence.space, links.wrapping_sub(before.into()), before))
        .collect();
    let candidates = LINKS.step_by(8).map(|distance| {
        let begins = |body: &Body| begins_here(evidence.space, body, before - distance);
        (distance, Votes::count(sample.iter().map(begins)))
    });
    let candidates = candidates.filter(|(_, votes)| votes.good > 0);
    // Before the process may lie another one of the list. What else fits a few may be decoys, or the truth.
    let known: BTreeSet<VirtAddr> = members.iter().copied().collect();
    let mut best: Option<(u32, Votes)> = None;
    for (distance, votes) in candidates {
        let Some((nearest, most)) = best else {
            best = Some((distance, votes));
            continue;
        };
        let gap = u64::from(distance - nearest);
        let neighbours = sample.iter().filter(|body| {
            let links = body.at.wrapping_add(before.into()).wrapping_sub(gap);
            known.contains(&links) && begins_here(evidence.space, body, before - distance) == Some(true)
        });
        let others = votes.good.saturating_sub(u32::try_from(neighbours.count()).unwrap_or(u32::MAX));
        if others * 10 > most.good {
            return None;
        }
    }
    best.filter(|(_, votes)| votes.convince(Weight::Exact)).map(|(distance, _)| distance)
}

/// Whether a process begins at an offset of some bytes; `None` if its first fields are missing.
fn begins_here(memory: &crate::memory::PagedSpace, body: &Body, start: u32) -> Option<bool> {
    if body.u8(start + TYPE)? != PROCESS_OBJECT {
        return Some(false);
    }
    let root = body.u64(start + DTB)?;
    // Bits 52 to 62 of CR3 are reserved.
    if root >> 52 & 0x7ff != 0 {
        return Some(false);
    }
    for list in [WAIT_LIST, PROFILE_LIST, THREAD_LIST] {
        let at = body.at.wrapping_add(u64::from(start + list));
        if !is_list_entry(memory, at, body.u64(start + list), body.u64(start + list + 8))? {
            return Some(false);
        }
    }
    Some(true)
}

/// A root of page tables.
struct Table {
    at: PhysAddr,
    page: [u8; PAGE_BYTES],
    slot: Option<usize>,
}

impl Table {
    /// Reads the page that a value names; `None` if it names none or that is not in the dump.
    fn read(evidence: &Evidence<'_>, value: u64) -> Option<Self> {
        let at = PhysAddr::from_cr3(value);
        let mut page = [0; PAGE_BYTES];
        if at.0 == 0 || evidence.space.physical().read_in_frame(at, &mut page).is_err() {
            return None;
        }
        let slot = self_map_slot(&page, at);
        Some(Self { at, page, slot })
    }

    /// Whether it points back at itself in the same place as System's, and shares most of the kernel's half with it.
    fn is_like(&self, system: &Self) -> bool {
        if self.slot.is_none() || self.slot != system.slot {
            return false;
        }
        let half = |table: &Self| {
            let (entries, _) = table.page.as_chunks::<8>();
            let entries: Vec<u64> = entries.iter().map(|entry| u64::from_le_bytes(*entry)).collect();
            entries
        };
        let (own, theirs) = (half(self), half(system));
        let pairs = own.iter().zip(&theirs).enumerate().skip(own.len() / 2).filter(|(at, _)| Some(*at) != self.slot);
        let kernel: Vec<_> = pairs.filter(|(_, (_, theirs))| **theirs & 1 != 0).collect();
        let same = kernel.iter().filter(|(_, (own, theirs))| PhysAddr::from_cr3(**own) == PhysAddr::from_cr3(**theirs));
        same.count() * 2 >= kernel.len()
    }
}
