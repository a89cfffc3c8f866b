//! Doubly linked lists of the kernel, walked so that damage costs as little as possible.
//!
//! A list is walked forward; where a link is broken, what follows is found from the other end. A stretch that is cut off
//! from both ends is found through members known from elsewhere, and belongs to the list only if one of its ends points at
//! a place where the list is broken: a member that was unlinked on purpose points at neighbours whose own links are whole.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// No list of the kernel is followed for more members than this.
pub const MAX_MEMBERS: usize = 1 << 18;

/// How often the members known from elsewhere are looked through for stretches of the list.
const MAX_PASSES: usize = 32;

/// `LIST_ENTRY`: two pointers, in every version of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// `Flink`
    pub flink: VirtAddr,
    /// `Blink`
    pub blink: VirtAddr,
}

impl Links {
    /// Reads the two pointers.
    pub fn read<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> Result<Self, Absent> {
        let mut bytes = [0; 16];
        memory.read(at, &mut bytes).map_err(|hole| hole.why)?;
        let (words, _) = bytes.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        Ok(Self { flink: VirtAddr(word(0)), blink: VirtAddr(word(1)) })
    }
}

/// Whether what lies at an address is part of a list: a neighbour that it points at points back.
pub(crate) fn is_linked<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> bool {
    let points_back =
        |next: VirtAddr, back: fn(Links) -> VirtAddr| Links::read(memory, next).is_ok_and(|l| back(l) == at);
    Links::read(memory, at).is_ok_and(|links| {
        points_back(links.flink, |links| links.blink) || points_back(links.blink, |links| links.flink)
    })
}

/// Whether the lists that a structure in resident memory is part of or begins speak against its being there: all that the
/// dump holds are broken, or nothing is mapped where they should be.
pub(crate) fn speak_against<M: VirtualMemory + ?Sized>(memory: &M, lists: &[Result<VirtAddr, Absent>]) -> bool {
    let held = |at: &VirtAddr| !Links::read(memory, *at).is_err_and(Absent::is_missing_from_dump);
    let mut held = lists.iter().flatten().copied().filter(held).peekable();
    held.peek().is_some() && !held.any(|at| is_linked(memory, at))
}

/// What a walk found.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The members' links in the order of the list, without the head.
    pub members: Vec<VirtAddr>,
    /// Where the list is broken.
    pub incomplete: Vec<Incomplete>,
}

/// How remarks name a list.
#[derive(Clone, Debug)]
pub struct ListName {
    /// What it lists.
    pub what: Cow<'static, str>,
    /// The variable or field that is its head.
    pub head: &'static str,
    /// The field that links its members.
    pub links: &'static str,
    /// Members that are taken.
    pub most: usize,
}

impl ListName {
    /// A name that is known when this is compiled.
    pub const fn new(what: &'static str, head: &'static str, links: &'static str) -> Self {
        Self::short(what, head, links, MAX_MEMBERS)
    }

    /// The name of a list of which at most so many members are taken.
    pub const fn short(what: &'static str, head: &'static str, links: &'static str, most: usize) -> Self {
        Self { what: Cow::Borrowed(what), head, links, most }
    }

    /// The same list, of which no more members are taken.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The same list under a name of its own.
    #[must_use]
    pub fn called(self, what: String) -> Self {
        Self { what: what.into(), ..self }
    }
}

impl From<&str> for ListName {
    fn from(what: &str) -> Self {
        Self::new("", "_LIST_ENTRY", "_LIST_ENTRY").called(what.into())
    }
}

/// Walks a list, which remarks call by its name. `member` reads the links of a member, or says why what lies there is none.
/// `others` are links of possible members known from elsewhere.
pub fn walk(
    name: impl Into<ListName>,
    head: VirtAddr,
    head_links: Result<Links, Absent>,
    member: impl FnMut(VirtAddr) -> Result<Links, Absent>,
    others: impl FnOnce() -> Vec<VirtAddr>,
) -> List {
    let mut ring =
        Ring { name: name.into(), head, member, known: BTreeMap::new(), breaks: Vec::new(), listed: BTreeSet::new() };
    let Ok(links) = head_links else {
        let why = head_links.err().unwrap_or(Absent::Malformed);
        let what = format!("head of the {}", ring.name.what);
        let missing = Incomplete::new(what, head, why);
        ring.breaks.push(match ring.name.head {
            // A head that is merely not in the dump contradicts nothing.
            name if why.is_nowhere() => missing.of_field(name, "Flink", why, "the first member"),
            _ => missing,
        });
        return List { members: Vec::new(), incomplete: ring.breaks };
    };
    ring.known.insert(head, Ok(links));
    let (mut members, mut end) = ring.run(head, Direction::Forward);
    let ends_open = end == End::Full;
    if end == End::Broken {
        let (mut tail, other_end) = ring.run(head, Direction::Backward);
        tail.reverse();
        members.extend(tail);
        ring.insert_stretches(&mut members, others());
        end = other_end;
    }
    ring.find_breaks(&members, ends_open);
    if end == End::Full {
        let what = format!("{}: members", ring.name.what);
        ring.breaks.push(Incomplete::beyond(what, head, ring.name.most));
    }
    List { members, incomplete: ring.breaks }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

impl Direction {
    fn of(self, links: Links) -> VirtAddr {
        match self {
            Self::Forward => links.flink,
            Self::Backward => links.blink,
        }
    }

    const fn back(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Forward => "Flink",
            Self::Backward => "Blink",
        }
    }
}

/// Where following links came to an end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// At the head.
    Closed,
    /// At a link that leads to no further member.
    Broken,
    /// At a member that there is no room for.
    Full,
}

struct Ring<F> {
    name: ListName,
    head: VirtAddr,
    member: F,
    known: BTreeMap<VirtAddr, Result<Links, Absent>>,
    listed: BTreeSet<VirtAddr>,
    breaks: Vec<Incomplete>,
}

impl<F: FnMut(VirtAddr) -> Result<Links, Absent>> Ring<F> {
    fn links(&mut self, at: VirtAddr) -> Result<Links, Absent> {
        if let Some(links) = self.known.get(&at) {
            return *links;
        }
        let links = (self.member)(at);
        self.known.insert(at, links);
        links
    }

    /// The member that the link from `at` leads to, if that one points back; else where the link leads.
    fn whole(&mut self, at: VirtAddr, direction: Direction) -> Result<VirtAddr, VirtAddr> {
        let next = direction.of(self.links(at).map_err(|_| at)?);
        let there = self.links(next).map_err(|_| next)?;
        if direction.back().of(there) == at { Ok(next) } else { Err(next) }
    }

    /// Follows links from the head until it is reached again, a link is broken, or there are as many members as are taken.
    fn run(&mut self, from: VirtAddr, direction: Direction) -> (Vec<VirtAddr>, End) {
        let mut members = Vec::new();
        let mut at = from;
        loop {
            let next = match self.whole(at, direction) {
                Ok(next) => next,
                // A member whose link back is broken is still a member, if nothing else claims its place.
                Err(found) if self.links(found).is_ok() && self.points_nowhere(found, direction.back()) => found,
                Err(_) => return (members, End::Broken),
            };
            if next == self.head {
                return (members, End::Closed);
            }
            if self.listed.contains(&next) {
                return (members, End::Broken);
            }
            if self.listed.len() >= self.name.most {
                return (members, End::Full);
            }
            self.listed.insert(next);
            members.push(next);
            at = next;
        }
    }

    /// Whether a link leads to nothing that could be a member.
    fn points_nowhere(&mut self, at: VirtAddr, direction: Direction) -> bool {
        match self.links(at) {
            Ok(links) => self.links(direction.of(links)).is_err(),
            Err(_) => true,
        }
    }

    /// Holds the links of all neighbours in the final order against each other: that tells which of two is wrong, and
    /// what it should be. What follows the last member of a list whose end is open is not known.
    fn find_breaks(&mut self, members: &[VirtAddr], ends_open: bool) {
        let (mut before, head) = (self.head, self.head);
        for &at in members.iter().chain((!ends_open).then_some(&head)) {
            let links = self.links(before).and_then(|links| Ok((links.flink, self.links(at)?.blink)));
            if let Ok((flink, blink)) = links {
                self.break_between(before, flink, at, blink);
            }
            before = at;
        }
    }

    fn break_between(&mut self, before: VirtAddr, flink: VirtAddr, at: VirtAddr, blink: VirtAddr) {
        match (flink == at, blink == before) {
            (true, true) => {}
            (true, false) => self.wrong(at, Direction::Backward, blink, format!("{before}")),
            (false, true) => self.wrong(before, Direction::Forward, flink, format!("{at}")),
            (false, false) => {
                // Two that point at the same place have a member between them that is not to be read; two that point at
                // what is merely not in the dump have several.
                if let (Err(why), Err(other)) = (self.links(flink), self.links(blink))
                    && (flink == blink && flink.is_kernel() || !why.is_nowhere() && !other.is_nowhere())
                {
                    let what = format!("{}: a member", self.name.what);
                    return self.breaks.push(Incomplete::new(what, flink, why));
                }
                for (broken, direction, found) in
                    [(before, Direction::Forward, flink), (at, Direction::Backward, blink)]
                {
                    self.wrong(broken, direction, found, "a member that points back".into());
                }
            }
        }
    }

    fn wrong(&mut self, at: VirtAddr, direction: Direction, found: VirtAddr, expected: String) {
        let name = if at == self.head { self.name.head } else { self.name.links };
        let (structure, field) = name.split_once('.').map_or((name, String::new()), |(s, f)| (s, format!("{f}.")));
        let why = self.links(found).err().unwrap_or(Absent::Malformed);
        let wrong = Incomplete::wrong(structure, format!("{field}{}", direction.field()), at, found, expected);
        let what = format!("{}: {}", self.name.what, wrong.what);
        self.breaks.push(Incomplete { what, ..wrong }.because(why));
    }

    fn insert_stretches(&mut self, members: &mut Vec<VirtAddr>, others: Vec<VirtAddr>) {
        let mut left = others;
        for _ in 0..MAX_PASSES {
            left.retain(|at| !self.listed.contains(at));
            let before = left.len();
            // A stretch is tried once in a pass, through whichever of its members comes first.
            let mut tried = BTreeSet::new();
            for &at in &left {
                if self.listed.contains(&at) || tried.contains(&at) || self.links(at).is_err() {
                    continue;
                }
                let stretch = self.stretch(at);
                self.attach(members, &stretch);
                tried.extend(stretch);
            }
            left.retain(|at| !self.listed.contains(at));
            if left.len() == before {
                return;
            }
            // Each stretch hangs on one that was put in before it: the next pass looks from the other end.
            left.reverse();
        }
        if !left.is_empty() {
            let what = format!("{}: members that may belong to it, after {MAX_PASSES} passes", self.name.what);
            self.breaks.push(Incomplete::new(what, self.head, Absent::Malformed).times(left.len() as u64));
        }
    }

    /// The members around `at` that point at each other.
    fn stretch(&mut self, at: VirtAddr) -> Vec<VirtAddr> {
        let mut seen = BTreeSet::from([at]);
        let mut side = |ring: &mut Self, direction| {
            let mut found = Vec::new();
            let mut at = at;
            while let Ok(next) = ring.whole(at, direction) {
                if next == ring.head || ring.listed.contains(&next) || !seen.insert(next) {
                    break;
                }
                found.push(next);
                at = next;
            }
            found
        };
        let mut stretch = side(self, Direction::Backward);
        stretch.reverse();
        stretch.push(at);
        stretch.extend(side(self, Direction::Forward));
        stretch
    }

    /// Puts a stretch where one of its ends points at a broken link of the list.
    fn attach(&mut self, members: &mut Vec<VirtAddr>, stretch: &[VirtAddr]) {
        let (Some(first), Some(last)) = (stretch.first().copied(), stretch.last().copied()) else { return };
        let before = self.broken_neighbour(first, Direction::Backward);
        let after = self.broken_neighbour(last, Direction::Forward);
        let position = |of: VirtAddr| members.iter().position(|member| *member == of);
        let place = match (before, after) {
            (Some(neighbour), _) if neighbour == self.head => Some(0),
            (Some(neighbour), _) => position(neighbour).map(|index| index + 1),
            (None, Some(neighbour)) if neighbour == self.head => Some(members.len()),
            (None, Some(neighbour)) => position(neighbour),
            (None, None) => None,
        };
        let Some(place) = place else { return };
        self.listed.extend(stretch);
        members.splice(place..place, stretch.iter().copied());
    }

    /// The listed member (or head) that the end of a stretch points at, if that one's link in return is broken.
    fn broken_neighbour(&mut self, end: VirtAddr, direction: Direction) -> Option<VirtAddr> {
        let neighbour = direction.of(self.links(end).ok()?);
        let listed = neighbour == self.head || self.listed.contains(&neighbour);
        (listed && self.whole(neighbour, direction.back()).is_err()).then_some(neighbour)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::incomplete::Place;
    use alloc::string::ToString;
    use alloc::vec;
    use proptest::prelude::*;

    const HEAD: VirtAddr = VirtAddr(0x1000);

    /// A ring of `count` members behind a head; member n lies at 0x1000 * (n + 2).
    fn ring(count: u64) -> BTreeMap<VirtAddr, Links> {
        let at = |n: u64| VirtAddr(0x1000 * (n % (count + 1) + 1));
        (0..=count).map(|n| (at(n), Links { flink: at(n + 1), blink: at(n + count) })).collect()
    }

    fn member(n: u64) -> VirtAddr {
        VirtAddr(0x1000 * (n + 1))
    }

    fn found(links: &BTreeMap<VirtAddr, Links>, others: Vec<VirtAddr>) -> (Vec<u64>, usize) {
        let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
        let list = walk("list", HEAD, read(HEAD), read, || others);
        (list.members.iter().map(|at| at.0 / 0x1000 - 1).collect(), list.incomplete.len())
    }

    /// Walks a list that has one member more than are taken: nothing but that is said.
    pub(crate) fn check_that_the_cap_is_told(name: ListName) {
        let (most, what) = (name.most, name.what.clone());
        let links = ring(most as u64 + 1);
        let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
        let list = walk(name, HEAD, read(HEAD), read, Vec::new);
        assert_eq!(list.members.len(), most);
        let told: Vec<_> = list.incomplete.iter().map(|missing| missing.what.clone()).collect();
        assert_eq!(told, [format!("{what}: members beyond the first {most}")]);
    }

    #[test]
    fn a_list_with_more_members_than_are_taken_says_so() {
        check_that_the_cap_is_told("long".into());
        assert_eq!(ListName::from("long").most, MAX_MEMBERS);
        for most in [0, 1, 7] {
            check_that_the_cap_is_told(ListName::from("short").at_most(most));
        }
        // As many as are taken are a whole list.
        let links = ring(7);
        let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
        let list = walk(ListName::from("whole").at_most(7), HEAD, read(HEAD), read, Vec::new);
        assert_eq!((list.members.len(), list.incomplete), (7, Vec::new()));
    }

    #[test]
    fn pieces_that_would_take_too_many_passes_are_counted() {
        // Each member is a piece of its own, known in an order in which hardly any follows the one before it.
        const PIECES: u64 = 499;
        let mut links = ring(PIECES);
        for n in 1..=PIECES {
            links.get_mut(&member(n)).unwrap().flink = VirtAddr(0xdead);
        }
        links.get_mut(&HEAD).unwrap().blink = VirtAddr(0xdead);
        let others: Vec<VirtAddr> =
            (1..=PIECES).map(|n| member(n * 179 % (PIECES + 1))).filter(|at| *at != HEAD).collect();
        let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
        let list = walk("list", HEAD, read(HEAD), read, || others);
        let told = list.incomplete.iter().find(|missing| missing.what.contains("after 32 passes"));
        let left = told.unwrap_or_else(|| panic!("{MAX_PASSES} passes for {} members", list.members.len())).count;
        assert_eq!(list.members.len() as u64 + left, PIECES);
    }

    #[test]
    fn members_that_are_not_in_the_dump_are_a_gap() {
        // Two neighbours are on a page that the dump does not hold.
        let mut links = ring(6);
        links.remove(&member(3));
        links.remove(&member(4));
        let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
        let list = walk("list", HEAD, read(HEAD), read, Vec::new);
        assert_eq!(list.members, [1, 2, 5, 6].map(member));
        assert!(list.incomplete.iter().all(|missing| !missing.is_contradiction()), "{:?}", list.incomplete);
        assert_eq!(list.incomplete.len(), 1);
    }

    #[test]
    fn a_whole_list_is_walked_once() {
        assert_eq!(found(&ring(5), vec![]), (vec![1, 2, 3, 4, 5], 0));
        assert_eq!(found(&ring(0), vec![]), (vec![], 0));
    }

    /// Memory that holds these links and nothing else.
    struct Held(BTreeMap<VirtAddr, Links>, Absent);

    impl VirtualMemory for Held {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            let links = self.0.get(&at).ok_or(self.1)?;
            out[..8].copy_from_slice(&links.flink.0.to_le_bytes());
            out[8..16].copy_from_slice(&links.blink.0.to_le_bytes());
            Ok(())
        }
    }

    #[test]
    fn one_list_that_holds_together_is_enough_for_a_structure() {
        let (whole, nowhere) = (Ok(member(1)), Ok(VirtAddr(0xdead_0000)));
        let unknown = Err(Absent::SymbolsNeeded);
        for (missing, lists, expected) in [
            (Absent::NonCanonical, [whole, nowhere], false),
            (Absent::NonCanonical, [nowhere, nowhere], true),
            (Absent::NonCanonical, [nowhere, unknown], true),
            (Absent::AddressNotInDump, [nowhere, nowhere], false),
            (Absent::AddressNotInDump, [unknown, unknown], false),
        ] {
            assert_eq!(speak_against(&Held(ring(3), missing), &lists), expected, "{missing} {lists:?}");
        }
        let mut broken = ring(3);
        broken.insert(VirtAddr(0xdead_0000), Links { flink: member(2), blink: VirtAddr(0) });
        assert!(speak_against(&Held(broken, Absent::AddressNotInDump), &[nowhere, unknown]));
    }

    #[test]
    fn one_broken_link_loses_nothing() {
        for wrong in [VirtAddr(0xdead), member(2), VirtAddr(0)] {
            for n in 1..=5 {
                let mut links = ring(5);
                links.get_mut(&member(n)).unwrap().flink = wrong;
                if links[&member(n)].flink == ring(5)[&member(n)].flink {
                    continue;
                }
                let (members, broken) = found(&links, vec![]);
                assert_eq!((members, broken > 0), (vec![1, 2, 3, 4, 5], true), "Flink of {n} is {wrong}");
                let mut links = ring(5);
                links.get_mut(&member(n)).unwrap().blink = VirtAddr(0xdead);
                let (members, broken) = found(&links, vec![]);
                assert_eq!((members, broken > 0), (vec![1, 2, 3, 4, 5], true), "Blink of {n}");
            }
        }
    }

    #[test]
    fn the_link_that_is_wrong_is_named_with_what_it_should_be() {
        let mut links = ring(6);
        // A loop back: what the looping member left behind points at it still.
        links.get_mut(&member(4)).unwrap().flink = member(2);
        let broken = |links: &BTreeMap<VirtAddr, Links>| {
            let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
            let found = walk("list", HEAD, read(HEAD), read, Vec::new).incomplete;
            let wrong = |found: &Incomplete| {
                let wrong = found.wrong.as_ref().unwrap();
                (found.place.clone(), wrong.field.to_string(), wrong.expected.clone())
            };
            found.iter().map(wrong).collect::<Vec<_>>()
        };
        let flink = |at: VirtAddr, next: VirtAddr| (Place::Virtual(at), "Flink".to_string(), next.to_string());
        assert_eq!(broken(&links), [flink(member(4), member(5))]);
        links.get_mut(&member(6)).unwrap().flink = VirtAddr(0xdead);
        assert_eq!(broken(&links), [flink(member(4), member(5)), flink(member(6), HEAD)]);
    }

    #[test]
    fn a_member_that_is_not_to_be_read_is_missing_and_no_link_is_wrong() {
        const HIGH: u64 = 0xffff_8000_0000_0000;
        let high = |at: VirtAddr| at.wrapping_add(HIGH);
        let links = ring(4).into_iter().map(|(at, l)| (high(at), Links { flink: high(l.flink), blink: high(l.blink) }));
        let mut links: BTreeMap<_, _> = links.collect();
        links.remove(&high(member(2)));
        let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
        let list = walk("list", high(HEAD), read(high(HEAD)), read, Vec::new);
        assert_eq!(list.members, [1, 3, 4].map(|n| high(member(n))));
        let [missing] = list.incomplete.as_slice() else { panic!("{:?}", list.incomplete) };
        assert_eq!((&missing.place, missing.reason), (&Place::Virtual(high(member(2))), "not-in-dump"));
    }

    #[test]
    fn a_stretch_cut_off_at_both_ends_comes_back_and_a_hidden_member_does_not() {
        let mut links = ring(9);
        links.get_mut(&member(3)).unwrap().flink = VirtAddr(0xdead);
        links.get_mut(&member(7)).unwrap().blink = VirtAddr(0xbeef);
        links.get_mut(&member(5)).unwrap().flink = member(1);
        // 8 was unlinked: it still points at its former neighbours, which point at each other.
        links.get_mut(&member(7)).unwrap().flink = member(9);
        links.get_mut(&member(9)).unwrap().blink = member(7);
        let (members, broken) = found(&links, vec![member(8), member(6), member(4)]);
        assert_eq!(members, [1, 2, 3, 4, 5, 6, 7, 9]);
        assert!(broken >= 3);
    }

    #[test]
    fn a_list_in_single_pieces_comes_back_whatever_the_order_of_its_pieces() {
        let mut links = ring(40);
        for n in 1..=40 {
            links.get_mut(&member(n)).unwrap().flink = VirtAddr(0xdead);
        }
        links.get_mut(&HEAD).unwrap().blink = VirtAddr(0xdead);
        for others in [(1..=40).map(member).collect(), (1..=40).rev().map(member).collect::<Vec<_>>()] {
            assert_eq!(found(&links, others).0, (1..=40).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_long_chain_that_belongs_nowhere_costs_its_length_and_not_its_square() {
        // The square of this would take minutes.
        const LONG: u64 = 200_000;
        let mut links = ring(2);
        links.get_mut(&member(1)).unwrap().flink = VirtAddr(0xdead);
        links.get_mut(&member(2)).unwrap().blink = VirtAddr(0xdead);
        let chain: BTreeMap<_, _> = ring(LONG)
            .into_iter()
            .map(|(at, l)| {
                (
                    at.wrapping_add(1 << 40),
                    Links { flink: l.flink.wrapping_add(1 << 40), blink: l.blink.wrapping_add(1 << 40) },
                )
            })
            .collect();
        let others: Vec<_> = chain.keys().copied().collect();
        links.extend(chain);
        let read = |at: VirtAddr| links.get(&at).copied().ok_or(Absent::AddressNotInDump);
        let list = walk("list", HEAD, read(HEAD), read, || others);
        assert_eq!(list.members, [member(1), member(2)]);
    }

    proptest! {
        #[test]
        fn any_links_end(targets in prop::collection::vec((0_u64..24, 0_u64..24), 20)) {
            let links: BTreeMap<_, _> = targets
                .iter()
                .enumerate()
                .map(|(n, (f, b))| (member(n as u64), Links { flink: member(*f), blink: member(*b) }))
                .collect();
            let others = (0..24).map(member).collect();
            let (mut members, _) = found(&links, others);
            let all = members.len();
            members.sort_unstable();
            members.dedup();
            prop_assert_eq!(members.len(), all);
            prop_assert!(all <= 20);
        }
    }
}
