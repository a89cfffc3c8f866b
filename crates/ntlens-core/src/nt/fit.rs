//! Whether what other revisions of a build say of a structure fits the kernel at hand.
//!
//! Windows moves fields inside one build too. Where the symbols of exactly this kernel are missing, each structure that is
//! known to move is held against the dump: against the pool block that an instance of it fills, the lists that must close,
//! the pointers that must lead to a certain kind of object, and the fields that the dump itself gives away. A definition
//! that fails has no say; a structure of which every definition fails is not read.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Bits, Field};
use crate::layout::view::StructView;
use crate::layout::{FieldDef, Layouts, StructDef};
use crate::memory::VirtualMemory;
use crate::nt::etw;
use crate::nt::infer::{Inferred, InferredField};
use crate::nt::job::JobFields;
use crate::nt::list::{Links, MAX_MEMBERS};
use crate::nt::process::{EprocessFields, Process};
use crate::nt::select::KernelMarks;
use crate::nt::snapshot::Snapshot;
use crate::nt::thread::{EthreadFields, THREAD_OBJECT};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A structure that is known to move inside a build: its name, and what about an instance in the dump speaks against a
/// definition of it.
type Judge = (&'static str, fn(&Seen<'_>, &Trial) -> Option<String>);

const JUDGES: &[Judge] = &[
    ("_ETHREAD", thread),
    ("_KPRCB", processor),
    ("_EJOB", job),
    ("_ESERVERSILO_GLOBALS", silo_globals),
    ("_ETW_SILODRIVERSTATE", |seen, trial| etw::misfit(seen.snapshot, &trial.layouts)),
];

/// Instances of one structure that are looked at.
const MAX_INSTANCES: usize = 64;

crate::fields! {
    /// Fields of `_POOL_HEADER`.
    struct PoolHeaderFields of "_POOL_HEADER" {
        block_size: Bits = "BlockSize",
        pool_tag: Field<u32> = "PoolTag",
    }
}

/// What of the dump the definitions are held against.
struct Seen<'s> {
    snapshot: &'s Snapshot,
    processes: Vec<Process>,
}

/// A definition on trial: the layouts as they would be with it.
struct Trial {
    layouts: Layouts,
    size: Option<u32>,
}

/// Definitions that do not fit a kernel, of the revisions that its layouts are the agreement of.
pub(crate) struct Fit<'a> {
    revisions: &'a [Layouts],
    marks: &'a KernelMarks,
    /// What the dump itself gave away.
    found: Option<&'a Inferred>,
    misfits: Vec<StructDef>,
    /// The structures of which no definition fits.
    pub(crate) incomplete: Vec<Incomplete>,
}

impl<'a> Fit<'a> {
    /// Holds the revisions against the places of fields that the dump itself gave away.
    pub(crate) fn new(revisions: &'a [Layouts], marks: &'a KernelMarks, found: Option<&'a Inferred>) -> Self {
        let mut fit = Self { revisions, marks, found, misfits: Vec::new(), incomplete: Vec::new() };
        let anchors = found.map_or(&[][..], |found| &found.fields);
        let structures: BTreeSet<&str> = anchors.iter().map(|anchor| anchor.structure).collect();
        for structure in structures {
            fit.reject(structure, |revision, _| moved(revision, structure, anchors));
        }
        fit
    }

    /// Whether any definition was rejected.
    pub(crate) fn changes(&self) -> bool {
        !self.misfits.is_empty() || !self.incomplete.is_empty()
    }

    /// Holds the revisions against the objects of a dump that was opened with the layouts so far. `true` if that rejected
    /// any more.
    pub(crate) fn judge(&mut self, snapshot: &Snapshot) -> bool {
        let mut processes = snapshot.processes().processes;
        processes.truncate(MAX_INSTANCES);
        let seen = Seen { snapshot, processes };
        let before = (self.misfits.len(), self.incomplete.len());
        for (structure, judge) in JUDGES {
            self.reject(structure, |_, def| {
                let layouts = snapshot.layouts().with_structure(def.clone());
                judge(&seen, &Trial { layouts, size: def.size })
            });
        }
        before != (self.misfits.len(), self.incomplete.len())
    }

    /// Rejects the definitions of a structure against which something speaks.
    fn reject(&mut self, structure: &str, speaks_against: impl Fn(&Layouts, &StructDef) -> Option<String>) {
        let allow = self.marks.allow(self.revisions);
        let mut known: BTreeMap<&StructDef, &Layouts> = BTreeMap::new();
        for revision in self.revisions {
            if let Some(def) = revision.structure(structure) {
                known.entry(def).or_insert(revision);
            }
        }
        let mut reasons = Vec::new();
        for (def, revision) in &known {
            if self.misfits.contains(def) {
                reasons.push(None);
            } else if !allow(def) {
                reasons.push(Some("the kernel gives another size".into()));
            } else if let Some(why) = speaks_against(revision, def) {
                self.misfits.push((*def).clone());
                reasons.push(Some(why));
            }
        }
        let none_fits = !known.is_empty() && reasons.len() == known.len();
        if let Some(why) = reasons.into_iter().flatten().next_back().filter(|_| none_fits) {
            let what = format!("{structure} is not as in the known revisions of this build: {why}");
            // One reason a structure is enough.
            if !self.incomplete.iter().any(|told| told.what.split(' ').next() == Some(structure)) {
                self.incomplete.push(Incomplete::new(what, "layout", Absent::SymbolsNeeded));
            }
        }
    }

    /// The layouts without the definitions that do not fit. Of a structure of which none fits, they have what the dump gave
    /// away.
    pub(crate) fn layouts(&self) -> Layouts {
        let allow = self.marks.allow(self.revisions);
        let fits = |def: &StructDef| allow(def) && !self.misfits.contains(def);
        let layouts = Layouts::agreement_where(self.revisions, &fits);
        let Some(found) = self.found else { return layouts };
        found.layouts.structures().fold(layouts, |layouts, told| {
            let known = self.revisions.iter().any(|revision| revision.structure(&told.name).is_some());
            if !known || layouts.structure(&told.name).is_some() {
                return layouts;
            }
            layouts.with_some_fields(between_anchors(self.revisions, told, &found.fields))
        })
    }

    /// The fields that the layouts have from the dump.
    pub(crate) fn told(&self) -> Vec<InferredField> {
        let layouts = self.layouts();
        let told = |field: &&InferredField| {
            let unknown = |revision: &Layouts| {
                let known = revision.place(field.structure, field.field);
                known.is_err() || known.is_ok_and(|known| known.offset != field.offset)
            };
            layouts.place(field.structure, field.field).is_ok_and(|place| place.offset == field.offset)
                && self.revisions.iter().all(unknown)
        };
        self.found.iter().flat_map(|found| &found.fields).filter(told).cloned().collect()
    }
}

/// The first field that a revision has elsewhere than the dump.
fn moved(revision: &Layouts, structure: &str, anchors: &[InferredField]) -> Option<String> {
    anchors.iter().filter(|anchor| anchor.structure == structure).find_map(|anchor| {
        let known = revision.place(anchor.structure, anchor.field).ok()?.offset;
        let why = format!("{} lies at {:#x}, not at {known:#x}", anchor.field, anchor.offset);
        (known != anchor.offset).then_some(why)
    })
}

/// A field that the dump gave away: its place in a revision, its first name, and whether it has moved.
type Anchor<'a> = (u32, &'a str, bool);

/// What is left of a structure that has changed in ways not known: the fields that the dump gave away, and those of the
/// best known definition that lie between two of them which have not moved.
fn between_anchors(revisions: &[Layouts], found: &StructDef, anchors: &[InferredField]) -> StructDef {
    let structure = &*found.name;
    let anchors_in = |revision: &Layouts| -> Vec<Anchor<'_>> {
        let anchors = anchors.iter().filter(|anchor| anchor.structure == structure);
        let known = anchors.filter_map(|anchor| {
            let known = revision.place(structure, anchor.field).ok()?.offset;
            let first = anchor.field.split('.').next().unwrap_or_default();
            Some((known, first, known != anchor.offset))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable();
        known
    };
    let best = revisions.iter().filter(|revision| revision.structure(structure).is_some());
    let best = best.min_by_key(|revision| anchors_in(revision).iter().filter(|(_, _, moved)| *moved).count());
    let Some((best, def)) = best.and_then(|best| Some((best, best.structure(structure)?))) else {
        return found.clone();
    };
    let anchors = anchors_in(best);
    let stands = |field: &&FieldDef| {
        let mut own = anchors.iter().filter(|(_, first, _)| *first == &*field.name).peekable();
        if own.peek().is_some() {
            return own.all(|(_, _, moved)| !moved);
        }
        let after = anchors.partition_point(|(anchor, _, _)| *anchor <= field.offset);
        let unmoved = |anchor: Option<&Anchor<'_>>| anchor.is_some_and(|(_, _, moved)| !moved);
        unmoved(after.checked_sub(1).and_then(|before| anchors.get(before))) && unmoved(anchors.get(after))
    };
    let mut fields: Vec<FieldDef> = def.fields.iter().filter(stands).cloned().collect();
    let told = found.fields.iter().filter(|told| !fields.iter().any(|field| field.name == told.name)).cloned();
    let told: Vec<_> = told.collect();
    fields.extend(told);
    StructDef { fields, ..found.clone() }
}

/// A running thread must be a thread object, and of the process that it names.
fn thread(seen: &Seen<'_>, trial: &Trial) -> Option<String> {
    let fields = EthreadFields::resolve(&trial.layouts);
    let eprocess = EprocessFields::resolve(seen.snapshot.layouts());
    let processors = seen.snapshot.processors();
    let threads = processors.iter().filter_map(|processor| Some(processor.current_thread().ok()?.ethread()));
    threads.take(MAX_INSTANCES).find_map(|at| {
        let view = StructView::read(seen.snapshot.space(), at, fields.extent);
        if view.get(&fields.object_type).is_ok_and(|kind| kind != THREAD_OBJECT) {
            return Some(format!("{at} is no thread"));
        }
        let process = view.get(&fields.process).ok()?;
        let pid = seen.view(process, eprocess.extent).get(&eprocess.unique_process_id).ok()?;
        let told = view.get(&fields.unique_process).ok()?;
        (told != pid).then(|| format!("the thread at {at} names process {told}, its process is {pid}"))
    })
}

/// A processor's control block must know its number, and run threads.
fn processor(seen: &Seen<'_>, trial: &Trial) -> Option<String> {
    let layouts = &trial.layouts;
    let place = |field| layouts.place("_KPRCB", field).map(|place| u64::from(place.offset));
    let memory = seen.snapshot.space();
    seen.snapshot.processors().iter().zip(0_u32..).take(MAX_INSTANCES).find_map(|(processor, index)| {
        let at = processor.prcb().ok()?;
        let read = |field| memory.read_u32(at.wrapping_add(place(field).ok()?)).ok();
        if let Some(number) = read("Number").filter(|number| *number != index) {
            return Some(format!("the processor at {at} has number {number:#x}, not {index}"));
        }
        ["CurrentThread", "IdleThread"].into_iter().find_map(|field| {
            let thread = memory.read_pointer(at.wrapping_add(place(field).ok()?)).ok()?;
            let is_thread = match seen.dispatcher_type(thread) {
                Ok(kind) => kind == THREAD_OBJECT,
                Err(why) => why != Absent::Malformed,
            };
            (!is_thread).then(|| format!("{field} of the processor at {at} leads to no thread"))
        })
    })
}

/// A job must fill its pool block, its list must close over processes that are in it, and it must have a number of its own.
fn job(seen: &Seen<'_>, trial: &Trial) -> Option<String> {
    let fields = JobFields::resolve(&trial.layouts);
    let mut numbers = BTreeSet::new();
    seen.jobs().into_iter().find_map(|(job, members)| {
        if let Some(why) = Seen::misfills(seen.object_block(job, *b"Job "), trial.size) {
            return Some(format!("the job at {job} {why}"));
        }
        let view = seen.view(job, fields.extent);
        let head = view.address_of(&fields.process_list_head).ok()?;
        match seen.ring(head) {
            Ok(found) if found.is_empty() || found.iter().any(|link| members.contains(link)) => {}
            Err(why) if why != Absent::Malformed => {}
            _ => return Some(format!("the list of processes of the job at {job} is none")),
        }
        if let Ok(number) = view.get(&fields.job_id)
            && (number == 0 || !numbers.insert(number))
        {
            return Some(format!("the number {number} of the job at {job} is not its own"));
        }
        let globals = view.get(&fields.server_silo_globals).unwrap_or(VirtAddr(0));
        if !globals.is_null() && !globals.is_kernel() {
            return Some(format!("ServerSiloGlobals of the job at {job} is {globals}"));
        }
        let parent = view.get(&fields.parent_job).ok().filter(|parent| !parent.is_null())?;
        let parent_head = seen.view(parent, fields.extent).address_of(&fields.process_list_head).ok()?;
        let is_job = parent.is_kernel() && seen.ring(parent_head) != Err(Absent::Malformed);
        (!is_job).then(|| format!("ParentJob of the job at {job} leads to no job"))
    })
}

/// The globals of a server silo must fill their pool block.
fn silo_globals(seen: &Seen<'_>, trial: &Trial) -> Option<String> {
    let fields = JobFields::resolve(seen.snapshot.layouts());
    seen.jobs().into_iter().find_map(|(job, _)| {
        let globals = seen.view(job, fields.extent).get(&fields.server_silo_globals).ok()?;
        let why = Seen::misfills(seen.block(globals, 0, *b"PsSg"), trial.size)?;
        Some(format!("the globals at {globals} of the silo at {job} {why}"))
    })
}

impl Seen<'_> {
    fn view(&self, at: VirtAddr, extent: u32) -> StructView {
        StructView::read(self.snapshot.space(), at, extent)
    }

    /// `DISPATCHER_HEADER.Type`, the first byte of processes and threads.
    fn dispatcher_type(&self, at: VirtAddr) -> Result<u8, Absent> {
        if at.is_kernel() {
            self.snapshot.space().read_u32(at).map(|word| word.to_le_bytes()[0])
        } else {
            Err(Absent::Malformed)
        }
    }

    /// The jobs that processes are in, each with the links of its processes.
    fn jobs(&self) -> BTreeMap<VirtAddr, BTreeSet<VirtAddr>> {
        let mut jobs: BTreeMap<VirtAddr, BTreeSet<VirtAddr>> = BTreeMap::new();
        for process in &self.processes {
            if let (Ok(Some(job)), Ok(links)) = (process.job(), process.job_links())
                && job.is_kernel()
            {
                jobs.entry(job).or_default().insert(links);
            }
        }
        jobs
    }

    /// The links of a list up to its head; malformed if it does not close.
    fn ring(&self, head: VirtAddr) -> Result<BTreeSet<VirtAddr>, Absent> {
        let memory = self.snapshot.space();
        let mut found = BTreeSet::new();
        let (mut at, mut before) = (Links::read(memory, head)?.flink, head);
        while at != head {
            if !at.is_kernel() || found.len() >= MAX_MEMBERS || !found.insert(at) {
                return Err(Absent::Malformed);
            }
            let links = Links::read(memory, at)?;
            if links.blink != before {
                return Err(Absent::Malformed);
            }
            (before, at) = (at, links.flink);
        }
        if Links::read(memory, head)?.blink == before { Ok(found) } else { Err(Absent::Malformed) }
    }

    /// Bytes that the pool block of an object leaves for its body.
    fn object_block(&self, body: VirtAddr, tag: [u8; 4]) -> Result<u64, Absent> {
        let fields = &self.snapshot.fields().object;
        let mask = fields.of_body(self.snapshot.space(), body)?.info_mask()?;
        let before = fields.bytes_before_body(mask)?;
        self.block(body, before, tag)
    }

    /// Bytes that a pool block leaves from an address on, `before` bytes behind the block's header.
    fn block(&self, at: VirtAddr, before: u64, tag: [u8; 4]) -> Result<u64, Absent> {
        /// Bytes of `_POOL_HEADER`, and the unit of its sizes, in every x64 Windows.
        const HEADER: u64 = 16;
        let fields = PoolHeaderFields::resolve(self.snapshot.layouts());
        let view = self.view(at.wrapping_sub(before + HEADER), fields.extent);
        // Memory of another owner tells nothing of this structure.
        if view.get(&fields.pool_tag)? != u32::from_le_bytes(tag) {
            return Err(Absent::NotApplicable);
        }
        let size = view.bits(&fields.block_size)? * HEADER;
        size.checked_sub(before + HEADER).filter(|left| *left > 0).ok_or(Absent::NotApplicable)
    }

    /// Why a structure of a size cannot be what a block was made for.
    fn misfills(block: Result<u64, Absent>, size: Option<u32>) -> Option<String> {
        /// Sizes of blocks are rounded up to this.
        const GRANULE: u64 = 16;
        let (left, size) = (block.ok()?, u64::from(size?));
        let fits = (size..size + GRANULE).contains(&left);
        (!fits).then(|| format!("has {left:#x} bytes in its pool block, not {size:#x}"))
    }
}
