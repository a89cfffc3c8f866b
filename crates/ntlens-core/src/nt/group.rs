//! What jobs and sessions have in common: the kernel keeps a list of them all, and each keeps a list of its processes.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Embedded, Field};
use crate::nt::fields::Fields;
use crate::nt::list::{self, Links, ListName};
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A structure of the kernel that keeps a list of processes.
pub(crate) trait Group: Sized {
    /// How one is found.
    type Source: Copy;

    /// What the structures are called, in remarks.
    const NAME: &'static str;
    /// What the kernel's list is called.
    const LIST: ListName;
    /// What the list of processes is called.
    const MEMBERS: ListName;
    /// That it was found around another one, if there is such a thing.
    const AROUND: Option<(&'static str, Self::Source)>;
    /// Structures that are read: no system that works has so many.
    const MAX: usize;

    /// Reads what lies at an address; an error if it is none.
    fn probe(snapshot: &Snapshot, at: VirtAddr) -> Result<Self, Absent>;

    /// Notes how it was found.
    fn add_source(&mut self, source: Self::Source);

    /// The one around it.
    fn around(&self) -> Option<VirtAddr>;

    /// Its links in the kernel's list.
    fn links(fields: &Fields) -> Result<Field<Embedded>, Absent>;

    /// The head of its list of processes.
    fn members_head(&self) -> Result<VirtAddr, Absent>;

    /// The links of a process in that list.
    fn process_links(fields: &Fields) -> Result<Field<Embedded>, Absent>;

    /// Notes the processes in it.
    fn set_members(&mut self, members: Vec<VirtAddr>);
}

/// The structures of one kind that were met so far.
pub(crate) struct Groups<'s, G> {
    pub(crate) snapshot: &'s Snapshot,
    known: BTreeMap<VirtAddr, Result<G, Absent>>,
    /// Those whose lists of processes nobody walked yet.
    fresh: Vec<VirtAddr>,
    /// The kernel's list was walked.
    listed: bool,
    /// Those for which there was no room.
    left: u64,
    incomplete: Vec<Incomplete>,
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Found<G> {
    pub(crate) by_address: BTreeMap<VirtAddr, G>,
    pub(crate) incomplete: Vec<Incomplete>,
    /// The kernel's list was walked.
    pub(crate) listed: bool,
}

impl<G> Default for Found<G> {
    fn default() -> Self {
        Self { by_address: BTreeMap::new(), incomplete: Vec::new(), listed: false }
    }
}

/// What `what`, such as `EPROCESS.Job`, of the structure at a place holds, and is none.
fn wrong_pointer<G: Group>(snapshot: &Snapshot, what: &str, place: VirtAddr, at: VirtAddr) -> Incomplete {
    let text = format!("{what} is {at}, which is no {}", G::NAME);
    let Some((structure, field)) = what.split_once('.') else {
        return Incomplete::new(text, place, Absent::Malformed);
    };
    let structure = format!("_{structure}");
    let place = snapshot.place_of(&structure, place, field);
    let wrong = Incomplete::wrong(structure, String::from(field), place, at, format!("the address of a {}", G::NAME));
    Incomplete { what: text, ..wrong }
}

impl<'s, G: Group> Groups<'s, G> {
    /// Goes on from those that were found before.
    pub(crate) fn new(snapshot: &'s Snapshot, found: Found<G>) -> Self {
        let Found { by_address, incomplete, listed } = found;
        let known = by_address.into_iter().map(|(at, group)| (at, Ok(group))).collect();
        Self { snapshot, known, fresh: Vec::new(), listed, left: 0, incomplete }
    }

    /// Those that were met so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (VirtAddr, &G)> {
        self.known.iter().filter_map(|(at, group)| Some((*at, group.as_ref().ok()?)))
    }

    /// Takes what something at a place names, and what is around that.
    pub(crate) fn meet(&mut self, what: &str, place: VirtAddr, at: VirtAddr, source: G::Source) {
        let (mut what, mut place, mut at, mut source) = (what, place, at, source);
        loop {
            if let Some(known) = self.known.get_mut(&at) {
                if let Ok(group) = known {
                    group.add_source(source);
                }
                return;
            }
            if self.known.len() >= G::MAX {
                self.left += 1;
                return;
            }
            let mut found = G::probe(self.snapshot, at);
            match &mut found {
                Ok(group) => {
                    group.add_source(source);
                    self.fresh.push(at);
                }
                // A pointer to what is merely not in the dump is not wrong.
                Err(why) if !why.is_nowhere() => {
                    self.incomplete.push(Incomplete::new(format!("{what} leads to a {}", G::NAME), at, *why));
                }
                Err(why) => self.incomplete.push(wrong_pointer::<G>(self.snapshot, what, place, at).because(*why)),
            }
            let around = found.as_ref().ok().and_then(Group::around);
            self.known.insert(at, found);
            let (Some(around), Some((field, found_around))) = (around, G::AROUND) else { return };
            (what, place, at, source) = (field, at, around, found_around);
        }
    }

    /// Walks the kernel's list from its head, once.
    pub(crate) fn kernel_list(&mut self, source: G::Source, head: impl FnOnce(&Self, u64) -> Option<VirtAddr>) {
        let Ok(links) = G::links(self.snapshot.fields()) else { return };
        let (memory, links) = (self.snapshot.space(), u64::from(links.offset));
        // What is met later may lead to a head that is not known yet.
        let Some(head) = (if self.listed { None } else { head(self, links) }) else { return };
        self.listed = true;
        let known = &self.known;
        let member = |at: VirtAddr| {
            let group = at.wrapping_sub(links);
            match known.get(&group) {
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err(*why),
                None => drop(G::probe(self.snapshot, group)?),
            }
            Links::read(memory, at)
        };
        let others = || known.keys().map(|at| at.wrapping_add(links)).collect();
        let list = list::walk(G::LIST, head, Links::read(memory, head), member, others);
        self.incomplete.extend(list.incomplete);
        for at in list.members {
            self.meet(&G::LIST.what, head, at.wrapping_sub(links), source);
        }
    }

    /// Walks the lists of processes of those that were met since, and gives the members. `is_process` says why what lies at
    /// an address is no process.
    pub(crate) fn walk_members(&mut self, mut is_process: impl FnMut(VirtAddr) -> Result<(), Absent>) -> Vec<VirtAddr> {
        let (memory, mut found) = (self.snapshot.space(), Vec::new());
        let Ok(links) = G::process_links(self.snapshot.fields()) else { return found };
        let offset = u64::from(links.offset);
        for at in core::mem::take(&mut self.fresh) {
            let Some(Ok(group)) = self.known.get_mut(&at) else { continue };
            let Ok(head) = group.members_head() else { continue };
            let member = |at: VirtAddr| {
                is_process(at.wrapping_sub(offset))?;
                Links::read(memory, at)
            };
            let list = list::walk(G::MEMBERS, head, Links::read(memory, head), member, Vec::new);
            let members: Vec<VirtAddr> = list.members.iter().map(|at| at.wrapping_sub(offset)).collect();
            found.extend(&members);
            group.set_members(members);
            self.incomplete.extend(list.incomplete);
        }
        found
    }

    /// What was found.
    pub(crate) fn finish(self) -> Found<G> {
        let mut incomplete = self.incomplete;
        if self.left > 0 {
            let beyond = Incomplete::beyond(format!("structures of the kind {}", G::NAME), &*G::LIST.what, G::MAX);
            incomplete.push(beyond.times(self.left));
        }
        let by_address = self.known.into_iter().filter_map(|(at, group)| Some((at, group.ok()?))).collect();
        Found { by_address, incomplete, listed: self.listed }
    }
}
