//! `ETW_GUID_ENTRY`: a provider of events, a class of events or a group of providers, by its GUID; which sessions enabled it,
//! and who registered it.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Bits, Embedded, Field, Scalar};
use crate::layout::view::StructView;
use crate::nt::guid::Guid;
use crate::nt::list::{self, Links, ListName};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_ETW_GUID_ENTRY`. Its links come first in every build.
    pub struct GuidEntryFields of "_ETW_GUID_ENTRY" {
        /// Links of the list of its bucket.
        guid_list: Field<Embedded> = "GuidList",
        /// The GUID.
        guid: Field<Guid> = "Guid",
        /// Head of the list of its registrations.
        reg_list_head: Field<Embedded> = "RegListHead",
        /// What the sessions together enabled.
        provider_enable_info: Field<[u8; ENABLE_SIZE]> = "ProviderEnableInfo",
        /// What each session enabled.
        enable_info: Field<[u8; ENABLES * ENABLE_SIZE]> = "EnableInfo",
    }
}

crate::fields! {
    /// Fields of `_ETW_REG_ENTRY`.
    pub struct RegistrationFields of "_ETW_REG_ENTRY" {
        /// Links of the list of its provider.
        reg_list: Field<Embedded> = "RegList",
        /// Links of the list of its group.
        group_reg_list: Field<Embedded> = "GroupRegList",
        /// Its provider.
        guid_entry: Field<VirtAddr> = "GuidEntry",
        /// Its group.
        group_entry: Field<VirtAddr> = "GroupEntry",
        /// Function of the kernel that is told of changes.
        callback: Field<VirtAddr> = "Callback",
        /// The process that registered it, in the place of another field.
        process: Field<VirtAddr> = "Process",
        /// A part of the kernel registered it.
        kernel: Bits = "DbgKernelRegistration",
        /// A process registered it.
        user: Bits = "DbgUserRegistration",
    }
}

/// Bytes of a `TRACE_ENABLE_INFO`, which is a public structure (`evntrace.h`).
const ENABLE_SIZE: usize = 0x20;
/// Sessions that may enable one provider: eight, as documented for `EnableTraceEx2`.
const ENABLES: usize = 8;

/// Buckets of the table.
const BUCKETS: u64 = 64;
/// Bytes of a bucket (`_ETW_HASH_BUCKET`): three lists and a lock. Symbols before Windows 10 do not name the type, but
/// place the next variable 64 times as far away.
const BUCKET_SIZE: u64 = 0x38;

/// Entries of one table that are listed.
const MAX_PROVIDERS: usize = 1 << 16;
/// Registrations of all entries of one table that are listed.
const MAX_REGISTRATIONS: usize = 1 << 17;

const ENTRIES: ListName =
    ListName::new("list of trace providers", "_ETW_HASH_BUCKET.ListHead", "_ETW_GUID_ENTRY.GuidList");
const REGISTRATIONS: ListName = ListName::new("", "_ETW_GUID_ENTRY.RegListHead", "_ETW_REG_ENTRY.RegList");

/// What a GUID stands for: the lists of a bucket in their order (`_ETW_GUID_TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuidType {
    /// A class of events of an old kind.
    Trace,
    /// A provider.
    Notification,
    /// A group of providers.
    Group,
}

impl GuidType {
    const ALL: [Self; 3] = [Self::Trace, Self::Notification, Self::Group];

    /// The name, which is that of the kernel.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "Trace",
            Self::Notification => "Notification",
            Self::Group => "Group",
        }
    }
}

/// `TRACE_ENABLE_INFO`: what one session wants of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enable {
    /// Number of the session.
    pub logger_id: u16,
    /// Events up to this level.
    pub level: u8,
    /// `EVENT_ENABLE_PROPERTY_*` bits.
    pub property: u32,
    /// Events with any of these keywords.
    pub match_any_keyword: u64,
    /// And with all of these.
    pub match_all_keyword: u64,
}

impl Enable {
    /// Takes the parts of the structure; `None` for one that enables nothing, or for fewer bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let at = |offset| bytes.get(offset..);
        let enabled = u32::decode(at(0)?)? != 0;
        let found = Self {
            level: u8::decode(at(4)?)?,
            logger_id: u16::decode(at(6)?)?,
            property: u32::decode(at(8)?)?,
            match_any_keyword: u64::decode(at(0x10)?)?,
            match_all_keyword: u64::decode(at(0x18)?)?,
        };
        enabled.then_some(found)
    }
}

/// Who registered a provider.
#[derive(Clone, Debug)]
pub enum Registrant {
    /// A process.
    Process(Arc<Process>),
    /// A part of the kernel, which is told of changes through this function; `None` if it does not want to be.
    Kernel(Option<VirtAddr>),
}

/// `ETW_REG_ENTRY`: a registration of a provider.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where it lies.
    pub address: VirtAddr,
    /// Who made it.
    pub registrant: Result<Registrant, Absent>,
}

/// An entry of the table of providers.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Where it lies.
    pub address: VirtAddr,
    /// Its GUID.
    pub guid: Guid,
    /// What the GUID stands for.
    pub guid_type: GuidType,
    /// The sessions that enabled it.
    pub enabled: Result<Vec<Enable>, Absent>,
    /// What these together want.
    pub together: Result<Option<Enable>, Absent>,
    /// Who registered it.
    pub registrations: Result<Vec<Registration>, Absent>,
}

/// The entries of a table. A table that was never made, or of which nothing is in the dump, is an absence.
pub(super) fn providers(
    snapshot: &Snapshot,
    table: VirtAddr,
    incomplete: &mut Vec<Incomplete>,
) -> Result<Vec<Provider>, Absent> {
    let fields = &snapshot.fields().etw.guid_entry;
    let guid_list = u64::from(fields.guid_list?.offset);
    // Without this no entry tells anything.
    fields.guid?;
    let mut walk = Walk {
        snapshot,
        guid_list,
        seen: BTreeSet::new(),
        registrations: 0,
        processes: BTreeMap::new(),
        found: Vec::new(),
        incomplete,
    };
    let memory = snapshot.space();
    let mut lost: Vec<(VirtAddr, Absent)> = Vec::new();
    for bucket in 0..BUCKETS {
        for (guid_type, list) in GuidType::ALL.into_iter().zip(0..) {
            let head = table.wrapping_add(bucket * BUCKET_SIZE + list * 0x10);
            match Links::read(memory, head) {
                // The kernel makes empty lists point at themselves before anything else runs.
                Ok(Links { flink: VirtAddr(0), .. }) => lost.push((head, Absent::Malformed)),
                Ok(links) => walk.bucket(head, links, guid_type),
                Err(why) => lost.push((head, why)),
            }
        }
    }
    let mut found = walk.found;
    if let Some((first, why)) = lost.first() {
        if found.is_empty() && lost.len() as u64 == BUCKETS * GuidType::ALL.len() as u64 {
            return Err(*why);
        }
        incomplete.push(Incomplete::new("lists of trace providers", first, *why).times(lost.len() as u64));
    }
    found.sort_by_key(|provider| (provider.guid, provider.guid_type));
    Ok(found)
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    /// From an entry to its links.
    guid_list: u64,
    seen: BTreeSet<VirtAddr>,
    registrations: usize,
    /// Each process registers many providers.
    processes: BTreeMap<VirtAddr, Result<Arc<Process>, Absent>>,
    found: Vec<Provider>,
    incomplete: &'a mut Vec<Incomplete>,
}

impl Walk<'_> {
    fn bucket(&mut self, head: VirtAddr, links: Links, guid_type: GuidType) {
        let memory = self.snapshot.space();
        let (seen, left) = (&mut self.seen, MAX_PROVIDERS.saturating_sub(self.found.len()));
        let member = |at: VirtAddr| {
            // An entry is in one list only, and once.
            if !at.is_kernel() || !seen.insert(at) {
                return Err(Absent::Malformed);
            }
            Links::read(memory, at)
        };
        let list = list::walk(ENTRIES.at_most(left), head, Ok(links), member, Vec::new);
        self.incomplete.extend(list.incomplete);
        for at in list.members {
            let at = at.wrapping_sub(self.guid_list);
            match self.provider(at, guid_type) {
                Ok(provider) => self.found.push(provider),
                Err(why) => self.incomplete.push(Incomplete::new("trace provider", at, why)),
            }
        }
    }

    fn provider(&mut self, address: VirtAddr, guid_type: GuidType) -> Result<Provider, Absent> {
        let fields = &self.snapshot.fields().etw.guid_entry;
        let view = StructView::read(self.snapshot.space(), address, fields.extent);
        Ok(Provider {
            address,
            guid: view.get(&fields.guid)?,
            guid_type,
            enabled: view
                .get(&fields.enable_info)
                .map(|all| all.chunks_exact(ENABLE_SIZE).filter_map(Enable::decode).collect()),
            together: view.get(&fields.provider_enable_info).map(|info| Enable::decode(&info)),
            registrations: view
                .address_of(&fields.reg_list_head)
                .and_then(|head| self.registrations(head, address, guid_type)),
        })
    }

    /// The registrations of an entry. In a group they hang on links of their own.
    fn registrations(
        &mut self,
        head: VirtAddr,
        entry: VirtAddr,
        guid_type: GuidType,
    ) -> Result<Vec<Registration>, Absent> {
        let memory = self.snapshot.space();
        let fields = &self.snapshot.fields().etw.registration;
        let (links, back) = match guid_type {
            GuidType::Group => (fields.group_reg_list, &fields.group_entry),
            GuidType::Trace | GuidType::Notification => (fields.reg_list, &fields.guid_entry),
        };
        let links = u64::from(links?.offset);
        let left = MAX_REGISTRATIONS.saturating_sub(self.registrations);
        let mut views = BTreeMap::new();
        let member = |at: VirtAddr| {
            let view = StructView::read(memory, at.wrapping_sub(links), fields.extent);
            if view.get(back)? != entry {
                return Err(Absent::Malformed);
            }
            views.insert(at, view);
            Links::read(memory, at)
        };
        let head_links = Links::read(memory, head);
        let name = REGISTRATIONS.called(format!("registrations of {entry}")).at_most(left);
        let list = list::walk(name, head, head_links, member, Vec::new);
        self.incomplete.extend(list.incomplete);
        self.registrations += list.members.len();
        head_links?;
        let listed = list.members.iter().filter_map(|at| views.get(at));
        Ok(listed.map(|view| Registration { address: view.at, registrant: self.registrant(view) }).collect())
    }

    /// Who made a registration. Windows 7 has no bit for it: there what the entry points at tells, a process or code.
    fn registrant(&mut self, view: &StructView) -> Result<Registrant, Absent> {
        let fields = &self.snapshot.fields().etw.registration;
        let callback = || view.get(&fields.callback).map(|at| Registrant::Kernel(Some(at).filter(|at| !at.is_null())));
        let mut process = || self.process(view.get(&fields.process)?).map(Registrant::Process);
        match (view.bit(&fields.kernel), view.bit(&fields.user)) {
            (Ok(true), _) => callback(),
            (_, Ok(true)) => process(),
            (Ok(false), Ok(false)) => Err(Absent::Malformed),
            (Err(Absent::NoSuchField), _) => process().or_else(|_| callback()),
            (Err(why), _) | (_, Err(why)) => Err(why),
        }
    }

    fn process(&mut self, at: VirtAddr) -> Result<Arc<Process>, Absent> {
        let snapshot = self.snapshot;
        self.processes.entry(at).or_insert_with(|| Process::probe(snapshot, at).map(Arc::new)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_with_more_members_than_are_taken_say_so() {
        list::tests::check_that_the_cap_is_told(ENTRIES.at_most(MAX_PROVIDERS));
        list::tests::check_that_the_cap_is_told(REGISTRATIONS.at_most(MAX_REGISTRATIONS));
    }

    proptest! {
        #[test]
        fn what_a_session_wants_decodes(
            enabled: u32, level: u8, logger_id: u16, property: u32, any: u64, all: u64, junk: [u8; 2],
        ) {
            let mut bytes = Vec::new();
            bytes.extend(enabled.to_le_bytes());
            bytes.extend([level, junk[0]]);
            bytes.extend(logger_id.to_le_bytes());
            bytes.extend(property.to_le_bytes());
            bytes.extend([junk[1]; 4]);
            bytes.extend(any.to_le_bytes());
            bytes.extend(all.to_le_bytes());
            let expected = Enable { logger_id, level, property, match_any_keyword: any, match_all_keyword: all };
            prop_assert_eq!(Enable::decode(&bytes), (enabled != 0).then_some(expected));
            prop_assert_eq!(Enable::decode(&bytes[..ENABLE_SIZE - 1]), None);
        }
    }
}
