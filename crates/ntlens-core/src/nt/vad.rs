//! `MMVAD`: the areas of a process's user memory, which the memory manager keeps in a tree that is ordered by address.
//!
//! The tree lies in kernel memory. It is walked in the order of the addresses, without recursion, and no node twice.

use crate::absent::Absent;
use crate::address::{PAGE_SIZE, VirtAddr};
use crate::incomplete::Incomplete;
use crate::layout::Layouts;
use crate::layout::field::{Bits, Embedded, Field, Flags};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::page_protection::PageProtection;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

crate::fields! {
    /// Where the tree of a process begins.
    struct RootFields of "_EPROCESS" {
        /// The node at the top, since Windows 8.1.
        root: Field<VirtAddr> = "VadRoot.Root",
        /// Windows 7: a node that stands above the tree.
        head: Field<Embedded> = "VadRoot.BalancedRoot",
        /// How many nodes there are.
        count: Field<u64> = "VadCount",
        /// The same in Windows 7.
        elements: Bits = "VadRoot.NumberGenericTableElements",
    }
}

crate::fields! {
    /// The node that stands above the tree in Windows 7.
    struct HeadFields of "_MMADDRESS_NODE" {
        right: Field<VirtAddr> = "RightChild",
    }
}

crate::fields! {
    /// What every node has.
    struct NodeFields of "_MMVAD_SHORT" {
        left: Field<VirtAddr> = "VadNode.Left" | "LeftChild",
        right: Field<VirtAddr> = "VadNode.Right" | "RightChild",
        /// The node above, with the balance in the lowest bits.
        parent: Field<u64> = "VadNode.ParentValue" | "u1.Parent",
        /// Number of the first page; its lower 32 bits since Windows 8.1.
        first_low: Field<u32> = "StartingVpn",
        last_low: Field<u32> = "EndingVpn",
        /// Windows 7: the whole number.
        first: Field<u64> = "StartingVpn",
        last: Field<u64> = "EndingVpn",
        /// Bits 32 to 39 since Windows 8.1.
        first_high: Field<u8> = "StartingVpnHigh",
        last_high: Field<u8> = "EndingVpnHigh",
        /// Bits 40 to 43 of both, where page tables can have five levels.
        higher: Bits = "u5.StartingVpnHigher",
        vad_type: Bits = "u.VadFlags.VadType",
        protection: Bits = "u.VadFlags.Protection",
        private_memory: Bits = "u.VadFlags.PrivateMemory",
        /// Pages that are charged, in Windows 7.
        commit: Bits = "u.VadFlags.CommitCharge",
        /// Its lower 31 bits since Windows 8.1.
        commit_low: Bits = "u1.VadFlags1.CommitCharge",
        /// And those above.
        commit_high: Field<u8> = "CommitChargeHigh",
        flags: Flags = "u.VadFlags",
        /// The names of the same bits for private memory.
        private_flags: Flags = "u.PrivateVadFlags",
        /// And for memory that is shared.
        shared_flags: Flags = "u.SharedVadFlags",
        flags1: Flags = "u1.VadFlags1",
    }
}

crate::fields! {
    /// What only a node of mapped memory has.
    struct MappedFields of "_MMVAD" {
        subsection: Field<VirtAddr> = "Subsection",
    }
}

crate::fields! {
    /// The part of a file that is mapped.
    struct SubsectionFields of "_SUBSECTION" {
        control_area: Field<VirtAddr> = "ControlArea",
    }
}

/// The sets of fields of the tree.
#[derive(Clone, Debug)]
pub struct VadFields {
    root: RootFields,
    head: HeadFields,
    node: NodeFields,
    mapped: MappedFields,
    subsection: SubsectionFields,
}

impl VadFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self {
            root: RootFields::resolve(layouts),
            head: HeadFields::resolve(layouts),
            node: NodeFields::resolve(layouts),
            mapped: MappedFields::resolve(layouts),
            subsection: SubsectionFields::resolve(layouts),
        }
    }
}

/// Areas that are listed of one process. Windows allows more; no process that works comes near.
const MAX_AREAS: usize = 1 << 18;
/// What `ParentValue` holds besides the address: the balance, or the colour.
const PARENT_MARKS: u64 = 7;

/// `_MI_VAD_TYPE`: what an area is. No symbols of the builds at hand have the enumeration; the values are publicly known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaKind {
    /// Memory of the process alone.
    Private,
    /// A section: a file, or memory that can be shared.
    Mapped,
    /// An executable file.
    Image,
    /// Physical memory.
    Physical,
    /// Windows into physical pages of the process's own (AWE).
    Awe,
    /// Private memory of which written pages are noted.
    WriteWatch,
    /// Large pages.
    LargePages,
    /// Memory that moves between a device and the system.
    RotatePhysical,
    /// A section of large pages.
    LargePageSection,
}

impl AreaKind {
    const fn new(vad_type: u64, private: bool) -> Result<Self, Absent> {
        Ok(match vad_type {
            0 if private => Self::Private,
            0 => Self::Mapped,
            1 => Self::Physical,
            2 => Self::Image,
            3 => Self::Awe,
            4 => Self::WriteWatch,
            5 => Self::LargePages,
            6 => Self::RotatePhysical,
            7 => Self::LargePageSection,
            _ => return Err(Absent::Malformed),
        })
    }

    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Mapped => "mapped",
            Self::Image => "image",
            Self::Physical => "physical",
            Self::Awe => "awe",
            Self::WriteWatch => "write-watch",
            Self::LargePages => "large-pages",
            Self::RotatePhysical => "rotate-physical",
            Self::LargePageSection => "large-page-section",
        }
    }
}

/// One area of user memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Address of its node.
    pub at: VirtAddr,
    /// First byte.
    pub start: VirtAddr,
    /// Last byte.
    pub end: VirtAddr,
    /// What it is.
    pub kind: Result<AreaKind, Absent>,
    /// Memory of the process alone.
    pub private: Result<bool, Absent>,
    /// How its pages were protected when it was made. Single pages can differ.
    pub protection: Result<PageProtection, Absent>,
    /// Pages that the process is charged for.
    pub commit: Result<u64, Absent>,
    /// What of a file is mapped; not applicable to private memory.
    pub subsection: Result<VirtAddr, Absent>,
    /// The node's flags.
    pub flags: Result<u64, Absent>,
    flags1: Result<u64, Absent>,
}

impl Area {
    /// Bytes.
    pub const fn size(&self) -> u64 {
        self.end.0.wrapping_sub(self.start.0).saturating_add(1)
    }

    /// The names of the flags that nothing else here tells.
    pub fn flag_names(&self, snapshot: &Snapshot) -> Result<Vec<String>, Absent> {
        // What a word is divided into, besides what has been told, and what has no meaning.
        const TOLD: [&str; 5] = ["VadType", "Protection", "PrivateMemory", "CommitCharge", "Spare"];
        let fields = &snapshot.fields().vad.node;
        let by_use = if self.private? { &fields.private_flags } else { &fields.shared_flags };
        let named = by_use.as_ref().or(fields.flags.as_ref()).map_err(|why| *why)?;
        let mut names = named.names(self.flags?);
        if let (Ok(named), Ok(value)) = (&fields.flags1, self.flags1) {
            names.extend(named.names(value));
        }
        names.retain(|name| !TOLD.iter().any(|told| name.starts_with(told)));
        Ok(names)
    }

    /// The control area of what is mapped; null if there is none.
    pub fn control_area(&self, snapshot: &Snapshot) -> Result<VirtAddr, Absent> {
        let subsection = self.subsection?;
        if subsection.is_null() {
            return Ok(subsection);
        }
        if !subsection.is_kernel() {
            return Err(Absent::Malformed);
        }
        let fields = &snapshot.fields().vad.subsection;
        StructView::read(snapshot.space(), subsection, fields.extent).get(&fields.control_area)
    }
}

/// The areas of one process.
#[derive(Clone, Debug, Default)]
pub struct Areas {
    /// In the order of their addresses.
    pub areas: Vec<Area>,
    /// Where the tree is broken.
    pub incomplete: Vec<Incomplete>,
}

/// Walks the tree of a process.
pub fn areas(snapshot: &Snapshot, process: &Process) -> Areas {
    let mut found = Areas::default();
    match root(snapshot, process) {
        Ok((top, above, count)) => {
            let fields = &snapshot.fields().vad;
            let node = |at| Node::read(snapshot.space(), fields, at);
            let field = if above.is_null() { "VadRoot.Root" } else { "VadRoot.BalancedRoot.RightChild" };
            let offset = match (&fields.root.root, &fields.head.right) {
                (Ok(root), _) if above.is_null() => process.eprocess().wrapping_add(root.offset.into()),
                (_, Ok(right)) => above.wrapping_add(right.offset.into()),
                _ => process.eprocess(),
            };
            walk(top, above, Link { structure: "_EPROCESS", field, at: offset }, node, &mut found);
            if let Ok(count) = count
                && found.incomplete.is_empty()
                && count != found.areas.len() as u64
            {
                let held = found.areas.len();
                let what = format!("tree of memory areas: {held} nodes, while the process counts {count}");
                let RootFields { count: whole, elements, .. } = &snapshot.fields().vad.root;
                let (field, offset) = match (whole, elements) {
                    (Ok(whole), _) => ("VadCount", whole.offset),
                    (_, Ok(elements)) => ("VadRoot.NumberGenericTableElements", elements.offset),
                    _ => ("VadCount", 0),
                };
                let missing = Incomplete::new(what, process.eprocess().wrapping_add(offset.into()), Absent::Malformed);
                found.incomplete.push(missing.of_field("_EPROCESS", field, count, format!("{held}, as the tree has")));
            }
        }
        Err(why) => found.incomplete.push(Incomplete::new("tree of memory areas", process.eprocess(), why)),
    }
    found
}

/// The node at the top, what its parent must be, and how many nodes there are.
fn root(snapshot: &Snapshot, process: &Process) -> Result<(VirtAddr, VirtAddr, Result<u64, Absent>), Absent> {
    let VadFields { root, head, .. } = &snapshot.fields().vad;
    let view = StructView::read(snapshot.space(), process.eprocess(), root.extent);
    if let Ok(above) = view.address_of(&root.head) {
        let head_view = StructView::read(snapshot.space(), above, head.extent);
        return Ok((head_view.get(&head.right)?, above, view.bits(&root.elements)));
    }
    Ok((view.get(&root.root)?, VirtAddr(0), view.get(&root.count)))
}

/// The value of a field that a build may lack.
fn if_any(value: Result<u64, Absent>) -> Result<Option<u64>, Absent> {
    match value {
        Err(Absent::NoSuchField) => Ok(None),
        other => other.map(Some),
    }
}

impl NodeFields {
    /// The number of a page, which stands whole or in parts.
    fn page(
        &self,
        view: &StructView,
        whole: &Result<Field<u64>, Absent>,
        low: &Result<Field<u32>, Absent>,
        high: &Result<Field<u8>, Absent>,
    ) -> Result<u64, Absent> {
        match if_any(view.get(high).map(u64::from))? {
            None => view.get(whole),
            Some(high) => {
                let higher = if_any(view.bits(&self.higher))?.unwrap_or(0);
                Ok(higher << 40 | high << 32 | u64::from(view.get(low)?))
            }
        }
    }

    fn commit(&self, view: &StructView) -> Result<u64, Absent> {
        match if_any(view.get(&self.commit_high).map(u64::from))? {
            None => view.bits(&self.commit),
            Some(high) => Ok(high << 31 | view.bits(&self.commit_low)?),
        }
    }
}

/// A pointer of the tree: where a node is led to from.
#[derive(Clone, Copy)]
struct Link {
    structure: &'static str,
    field: &'static str,
    at: VirtAddr,
}

/// A node: its neighbours, and the area. The places are those of the pointers to them.
struct Node {
    start_at: VirtAddr,
    left_at: VirtAddr,
    right_at: VirtAddr,
    parent_at: VirtAddr,
    left: VirtAddr,
    right: VirtAddr,
    parent: VirtAddr,
    area: Area,
}

impl Node {
    fn read<M: VirtualMemory + ?Sized>(memory: &M, fields: &VadFields, at: VirtAddr) -> Result<Self, Absent> {
        if !at.is_kernel() || !at.0.is_multiple_of(8) {
            return Err(Absent::Malformed);
        }
        let node = &fields.node;
        let view = StructView::read(memory, at, node.extent);
        let first = node.page(&view, &node.first, &node.first_low, &node.first_high)?;
        let last = node.page(&view, &node.last, &node.last_low, &node.last_high)?;
        let end = |page: u64| page.checked_mul(PAGE_SIZE).and_then(|at| at.checked_add(PAGE_SIZE - 1));
        let (start, end) = (first.checked_mul(PAGE_SIZE), end(last));
        let (Some(start), Some(end)) = (start, end) else { return Err(Absent::Malformed) };
        if start > end || VirtAddr(end).is_kernel() {
            return Err(Absent::Malformed);
        }
        let private = view.bit(&node.private_memory);
        let kind = view.bits(&node.vad_type).and_then(|vad_type| AreaKind::new(vad_type, private?));
        // A node of private memory ends before the field.
        let subsection = private.and_then(|private| {
            if private {
                return Err(Absent::NotApplicable);
            }
            StructView::read(memory, at, fields.mapped.extent).get(&fields.mapped.subsection)
        });
        let area = Area {
            at,
            start: VirtAddr(start),
            end: VirtAddr(end),
            kind,
            private,
            protection: view
                .bits(&node.protection)
                .and_then(|bits| u8::try_from(bits).map(PageProtection).map_err(|_| Absent::Malformed)),
            commit: node.commit(&view),
            subsection,
            flags: view.word(&node.flags),
            flags1: view.word(&node.flags1),
        };
        let parent = VirtAddr(view.get(&node.parent)? & !PARENT_MARKS);
        Ok(Self {
            start_at: view.address_of(&node.first).or_else(|_| view.address_of(&node.first_low))?,
            left_at: view.address_of(&node.left)?,
            right_at: view.address_of(&node.right)?,
            parent_at: view.address_of(&node.parent)?,
            left: view.get(&node.left)?,
            right: view.get(&node.right)?,
            parent,
            area,
        })
    }
}

/// Puts the areas below `top` in their order; `above` is what its parent must be.
fn walk(
    top: VirtAddr,
    above: VirtAddr,
    root: Link,
    mut read: impl FnMut(VirtAddr) -> Result<Node, Absent>,
    Areas { areas, incomplete }: &mut Areas,
) {
    const WHAT: &str = "tree of memory areas";
    const NODE: &str = "_MMVAD_SHORT";
    let mut note = |what: &str, link: Link, why, found: VirtAddr, expected: &str| {
        let missing = Incomplete::new(format!("{WHAT}: {what}"), link.at, why);
        // A pointer to a node that is merely not in the dump is not wrong.
        let wrong = |missing: Incomplete| missing.of_field(link.structure, link.field, found, expected);
        if why.is_nowhere() { wrong(missing) } else { missing }.add_to(incomplete);
    };
    let mut met = BTreeSet::new();
    // Nodes whose left side is being walked, with what hangs on their right.
    let mut open: Vec<(Area, VirtAddr, Link, VirtAddr)> = Vec::new();
    let (mut next, mut parent, mut link) = (top, above, root);
    loop {
        while !next.is_null() {
            if met.len() >= MAX_AREAS {
                let what = format!("nodes beyond the first {MAX_AREAS}");
                note(&what, link, Absent::Malformed, next, "the end of the tree");
                next = VirtAddr(0);
            } else if !met.insert(next) {
                note("nodes that were met before", link, Absent::Malformed, next, "a node that hangs nowhere else");
                next = VirtAddr(0);
            } else {
                match read(next) {
                    Ok(node) => {
                        if node.parent != parent {
                            let link = Link { structure: NODE, field: "ParentValue", at: node.parent_at };
                            let expected = format!("{parent}, the node above it");
                            let what = "nodes that hang on another one than they say";
                            note(what, link, Absent::Malformed, node.parent, &expected);
                        }
                        let right_link = Link { structure: NODE, field: "Right", at: node.right_at };
                        open.push((node.area, node.start_at, right_link, node.right));
                        (parent, next) = (next, node.left);
                        link = Link { structure: NODE, field: "Left", at: node.left_at };
                    }
                    Err(why) => {
                        note("nodes", link, why, next, "the address of a node");
                        next = VirtAddr(0);
                    }
                }
            }
        }
        let Some((area, start_at, right_link, right)) = open.pop() else { return };
        if let Some(before) = areas.last().filter(|before: &&Area| before.end >= area.start) {
            let what = "areas that begin before the one before them ends";
            let place = Link { structure: NODE, field: "StartingVpn", at: start_at };
            note(what, place, Absent::Malformed, area.start, &format!("an address above {}", before.end));
        }
        (parent, next, link) = (area.at, right, right_link);
        areas.push(area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;
    use proptest::prelude::*;

    /// Links of the nodes of a tree: left, right, above. Node n lies at n and has the page n.
    type Links = BTreeMap<u64, [u64; 3]>;

    /// A balanced tree of the nodes from `first` to before `end`.
    fn grow(links: &mut Links, first: u64, end: u64, above: u64) -> u64 {
        if first >= end {
            return 0;
        }
        let top = u64::midpoint(first, end);
        let (left, right) = (grow(links, first, top, top), grow(links, top + 1, end, top));
        links.insert(top, [left, right, above]);
        top
    }

    fn tree(count: u64) -> (Links, u64) {
        let mut links = Links::new();
        let top = grow(&mut links, 1, count + 1, 0);
        (links, top)
    }

    fn node(at: u64, [left, right, parent]: [u64; 3]) -> Node {
        let area = Area {
            at: VirtAddr(at),
            start: VirtAddr(at * PAGE_SIZE),
            end: VirtAddr(at * PAGE_SIZE + PAGE_SIZE - 1),
            kind: Ok(AreaKind::Private),
            private: Ok(true),
            protection: Ok(PageProtection(4)),
            commit: Ok(1),
            subsection: Err(Absent::NotApplicable),
            flags: Ok(0),
            flags1: Ok(0),
        };
        let [left_at, right_at, parent_at, start_at] = [0, 8, 16, 24].map(|offset| VirtAddr(at + offset));
        let [left, right, parent] = [left, right, parent].map(VirtAddr);
        Node { start_at, left_at, right_at, parent_at, left, right, parent, area }
    }

    fn found(links: &Links, top: u64) -> (Vec<u64>, Vec<Incomplete>) {
        let mut found = Areas::default();
        let read = |at: VirtAddr| links.get(&at.0).map(|links| node(at.0, *links)).ok_or(Absent::AddressNotInDump);
        let root = Link { structure: "_EPROCESS", field: "VadRoot", at: VirtAddr(0) };
        walk(VirtAddr(top), VirtAddr(0), root, read, &mut found);
        (found.areas.iter().map(|area| area.at.0).collect(), found.incomplete)
    }

    #[test]
    fn a_whole_tree_is_walked_in_the_order_of_its_addresses() {
        for count in [0, 1, 2, 7, 1000] {
            let (links, top) = tree(count);
            assert_eq!(found(&links, top), ((1..=count).collect(), vec![]));
        }
    }

    #[test]
    fn a_chain_as_deep_as_the_bound_needs_no_stack_and_ends() {
        let count = MAX_AREAS as u64 + 10;
        let links: Links = (1..=count).map(|at| (at, [at - 1, 0, (at + 1) % (count + 1)])).collect();
        let (areas, incomplete) = found(&links, count);
        assert_eq!((areas.len(), incomplete.len()), (MAX_AREAS, 1));
        assert_eq!(incomplete[0].what, format!("tree of memory areas: nodes beyond the first {MAX_AREAS}"));
    }

    #[test]
    fn a_node_below_itself_is_met_once_and_told() {
        let (mut links, top) = tree(7);
        links.insert(1, [1, 6, 2]);
        let (areas, incomplete) = found(&links, top);
        let told: Vec<(&str, u64)> = incomplete.iter().map(|gap| (gap.reason, gap.count)).collect();
        assert_eq!(areas.len(), 7);
        // The node itself, and the stretch on its right, which is met again later; that one hangs on another node, too, and
        // what is to its left comes before.
        assert!(told.iter().all(|(reason, _)| *reason == "malformed") && told.len() >= 2, "{told:?}");
    }

    #[test]
    fn a_missing_node_costs_what_is_below_it() {
        let (mut links, top) = tree(7);
        links.remove(&2);
        let (areas, incomplete) = found(&links, top);
        assert_eq!(areas, [4, 5, 6, 7]);
        assert_eq!((incomplete.len(), incomplete[0].reason), (1, "not-in-dump"));
    }

    proptest! {
        #[test]
        fn any_links_end_and_no_node_comes_twice(links in prop::collection::vec([0_u64..24, 0_u64..24, 0_u64..24], 20), top in 0_u64..24) {
            let links: Links = (1..).zip(links).collect();
            let (mut areas, _) = found(&links, top);
            let count = areas.len();
            areas.sort_unstable();
            areas.dedup();
            prop_assert_eq!(areas.len(), count);
            prop_assert!(count <= 20);
        }

        #[test]
        fn one_wrong_link_is_told(count in 1_u64..64, at in 1_u64..64, link in 0_usize..3, wrong in 100_u64..200) {
            let (mut links, top) = tree(count);
            let at = at % count + 1;
            links.get_mut(&at).unwrap()[link] = wrong;
            let (areas, incomplete) = found(&links, top);
            prop_assert!(!incomplete.is_empty());
            prop_assert!(areas.windows(2).all(|pair| pair[0] < pair[1]));
            // A wrong link upward loses nothing.
            prop_assert!(link != 2 || areas.len() as u64 == count);
        }
    }
}
