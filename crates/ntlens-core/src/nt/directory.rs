//! `OBJECT_DIRECTORY`: names, and the objects that bear them.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::Layouts;
use crate::layout::field::{Embedded, Field};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_OBJECT_DIRECTORY`.
    pub struct ObjectDirectoryFields of "_OBJECT_DIRECTORY" {
        /// The first entries of the chains.
        hash_buckets: Field<Embedded> = "HashBuckets",
    }
}

crate::fields! {
    /// Fields of `_OBJECT_DIRECTORY_ENTRY`.
    pub struct DirectoryEntryFields of "_OBJECT_DIRECTORY_ENTRY" {
        /// The next entry of the chain.
        chain_link: Field<VirtAddr> = "ChainLink",
        /// The object.
        object: Field<VirtAddr> = "Object",
    }
}

/// Chains of a directory, in every x64 Windows.
const BUCKETS: u32 = 37;
/// No directory has more entries.
const MAX_ENTRIES: usize = 1 << 18;
/// A directory remembers this many breaks by their address.
const MAX_NAMED: usize = 8;

/// How the directories of one kernel are read.
#[derive(Clone, Debug)]
pub struct DirectoryFields {
    directory: ObjectDirectoryFields,
    entry: DirectoryEntryFields,
}

impl DirectoryFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self { directory: ObjectDirectoryFields::resolve(layouts), entry: DirectoryEntryFields::resolve(layouts) }
    }

    /// The objects in the directory at an address, in the order of its chains, and what of them could not be read.
    pub fn objects<M: VirtualMemory + ?Sized>(
        &self,
        memory: &M,
        directory: VirtAddr,
    ) -> Result<(Vec<VirtAddr>, Vec<Incomplete>), Absent> {
        let buckets = self.directory.hash_buckets?.offset;
        let view = StructView::read(memory, directory, buckets.saturating_add(BUCKETS * 8));
        let mut found = Vec::new();
        let mut incomplete = Vec::new();
        // Entries that were met: a chain never comes back to one, nor to one of another chain.
        let mut seen = BTreeSet::new();
        for bucket in 0..BUCKETS {
            let first = Field::<VirtAddr>::at(buckets.saturating_add(bucket * 8));
            let mut next = view.get(&Ok(first));
            let mut link =
                Link { structure: "_OBJECT_DIRECTORY", field: "HashBuckets", at: view.address_of(&Ok(first)) };
            loop {
                let at = match next {
                    Ok(at) if at.is_null() => break,
                    Ok(at) if found.len() >= MAX_ENTRIES => {
                        incomplete.push(Incomplete::beyond("entries of an object directory", at, MAX_ENTRIES));
                        return Ok((found, incomplete));
                    }
                    Ok(at) if at.is_kernel() && seen.insert(at) => at,
                    wrong => {
                        link.note(&mut incomplete, directory, wrong, "an entry that no chain has yet, or null");
                        break;
                    }
                };
                let entry = StructView::read(memory, at, self.entry.extent);
                // Where nothing was ever mapped, the pointer is wrong that leads there.
                if entry.get(&self.entry.object).is_err_and(Absent::is_nowhere) {
                    link.note(&mut incomplete, directory, Ok(at), "the address of an entry");
                    break;
                }
                match entry.get(&self.entry.object) {
                    Ok(object) if object.is_kernel() && !nowhere(memory, object) => found.push(object),
                    wrong => {
                        let at = entry.address_of(&self.entry.object);
                        let link = Link { structure: "_OBJECT_DIRECTORY_ENTRY", field: "Object", at };
                        link.note(&mut incomplete, directory, wrong, "the address of an object");
                    }
                }
                next = entry.get(&self.entry.chain_link);
                let at = entry.address_of(&self.entry.chain_link);
                link = Link { structure: "_OBJECT_DIRECTORY_ENTRY", field: "ChainLink", at };
            }
        }
        Ok((found, incomplete))
    }
}

/// Whether nothing was ever mapped at an address.
fn nowhere<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr) -> bool {
    memory.read_in_page(at, &mut [0]).is_err_and(Absent::is_nowhere)
}

const WHAT: &str = "chain of an object directory";

/// A pointer of a directory's chains.
struct Link {
    structure: &'static str,
    field: &'static str,
    at: Result<VirtAddr, Absent>,
}

impl Link {
    /// Notes that the pointer is missing or wrong, the first few by themselves.
    fn note(
        &self,
        incomplete: &mut Vec<Incomplete>,
        directory: VirtAddr,
        found: Result<VirtAddr, Absent>,
        expected: &'static str,
    ) {
        let full = incomplete.len() >= MAX_NAMED;
        if let Some(last) = incomplete.last_mut().filter(|_| full) {
            last.count += 1;
            return;
        }
        let at = self.at.unwrap_or(directory);
        incomplete.push(match found {
            Ok(found) => {
                Incomplete::new(WHAT, at, Absent::Malformed).of_field(self.structure, self.field, found, expected)
            }
            Err(why) => Incomplete::new(WHAT, at, why),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;
    use proptest::prelude::*;

    /// Memory of words.
    struct Words(BTreeMap<u64, u64>);

    impl VirtualMemory for Words {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            for (word, at) in out.chunks_mut(8).zip((at.0..).step_by(8)) {
                let held = self.0.get(&at).ok_or(Absent::AddressNotInDump)?;
                word.copy_from_slice(&held.to_le_bytes()[..word.len()]);
            }
            Ok(())
        }
    }

    const DIRECTORY: u64 = 0xffff_8000_0000_0000;

    fn entry(number: u64) -> u64 {
        DIRECTORY + 0x1_0000 + number * 0x1000
    }

    fn fields() -> DirectoryFields {
        DirectoryFields {
            directory: ObjectDirectoryFields { hash_buckets: Ok(Field::at(0)), extent: 0 },
            entry: DirectoryEntryFields { chain_link: Ok(Field::at(0)), object: Ok(Field::at(8)), extent: 16 },
        }
    }

    /// A directory of these chains, and entries as (next, object).
    fn memory(buckets: &[u64], entries: &[(u64, u64)]) -> Words {
        let given = buckets.iter().copied().chain(core::iter::repeat(0));
        let heads = (0..u64::from(BUCKETS)).map(|n| DIRECTORY + n * 8).zip(given);
        let entries = (0..).zip(entries).flat_map(|(n, (next, object))| [(entry(n), *next), (entry(n) + 8, *object)]);
        Words(heads.chain(entries).collect())
    }

    fn objects(memory: &Words) -> (Vec<u64>, usize) {
        let (found, incomplete) = fields().objects(memory, VirtAddr(DIRECTORY)).unwrap();
        (found.iter().map(|at| at.0 & 0xff).collect(), incomplete.len())
    }

    #[test]
    fn chains_are_followed_and_loops_told() {
        let object = |n| DIRECTORY + n;
        let whole = memory(&[entry(0), 0, entry(2)], &[(entry(1), object(1)), (0, object(2)), (0, object(3))]);
        assert_eq!(objects(&whole), (vec![1, 2, 3], 0));
        let looped = memory(&[entry(0), entry(2)], &[(entry(1), object(1)), (entry(0), object(2)), (0, object(3))]);
        assert_eq!(objects(&looped), (vec![1, 2, 3], 1));
        // Two chains that meet give each object once.
        let joined = memory(&[entry(0), entry(1)], &[(entry(2), object(1)), (entry(2), object(2)), (0, object(3))]);
        assert_eq!(objects(&joined), (vec![1, 3, 2], 1));
        let missing = memory(&[entry(5), entry(1), 0x10], &[(0, 1), (0, object(2))]);
        assert_eq!(objects(&missing), (vec![2], 3));
    }

    #[test]
    fn more_entries_than_are_taken_are_told() {
        let count = MAX_ENTRIES as u64 + 1;
        let entries: Vec<_> = (1..=count).map(|n| (if n < count { entry(n) } else { 0 }, DIRECTORY)).collect();
        let (found, incomplete) = fields().objects(&memory(&[entry(0)], &entries), VirtAddr(DIRECTORY)).unwrap();
        assert_eq!(found.len(), MAX_ENTRIES);
        let told: Vec<_> = incomplete.iter().map(|missing| missing.what.as_str()).collect();
        assert_eq!(told, [alloc::format!("entries of an object directory beyond the first {MAX_ENTRIES}")]);
    }

    #[test]
    fn what_is_wrong_beyond_the_first_few_is_counted() {
        let wild = [0x10; MAX_NAMED + 3];
        let (_, incomplete) = fields().objects(&memory(&wild, &[]), VirtAddr(DIRECTORY)).unwrap();
        let counts: Vec<u64> = incomplete.iter().map(|missing| missing.count).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (MAX_NAMED, wild.len() as u64));
    }

    proptest! {
        #[test]
        fn any_chains_end(
            buckets in prop::collection::vec(0_u64..24, 0..40),
            entries in prop::collection::vec((0_u64..24, any::<bool>()), 0..20),
        ) {
            let at = |n: u64| if n < 4 { 0 } else { entry(n - 4) };
            let buckets: Vec<u64> = buckets.into_iter().map(at).collect();
            let entries: Vec<_> = entries.into_iter().map(|(next, is)| (at(next), if is { DIRECTORY } else { 4 })).collect();
            let (found, _) = objects(&memory(&buckets, &entries));
            prop_assert!(found.len() <= entries.len());
        }
    }
}
