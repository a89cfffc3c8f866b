//! Mitigations: what a process gave up, or had taken away, so that a fault in it is harder to use.
//!
//! Windows keeps them as bits in several words. Which bits there are, and where, differs between builds: their names come
//! from the layout, and a name tells the policy that the bit belongs to.

use crate::absent::Absent;
use crate::layout::field::Flags;
use crate::nt::builds;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::token::{self, Token};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A group of mitigations that Windows sets together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say what they are about")]
pub enum Policy {
    Dep,
    Sehop,
    Aslr,
    Cfg,
    Xfg,
    Cet,
    PointerAuthentication,
    DynamicCode,
    Signature,
    ImageLoad,
    Fonts,
    ExtensionPoints,
    Win32k,
    ChildProcess,
    StrictHandles,
    Payload,
    SideChannels,
    RedirectionGuard,
    SystemCalls,
    /// Bits of the words of mitigations whose names belong to none of these.
    Other,
}

/// Policies, their names in the output, and what the names of their bits contain. The first that fits counts.
const POLICIES: &[(Policy, &str, &[&str])] = &[
    (Policy::Sehop, "sehop", &["DisableExceptionChainValidation"]),
    (Policy::Xfg, "xfg", &["XtendedControlFlowGuard"]),
    (Policy::Cfg, "cfg", &["ControlFlowGuard"]),
    (Policy::Cet, "cet", &["Cet"]),
    (Policy::PointerAuthentication, "pointer_authentication", &["PointerAuth"]),
    (Policy::DynamicCode, "dynamic_code", &["DynamicCode"]),
    (
        Policy::Signature,
        "signature",
        &["SignatureMitigation", "BlockNonMicrosoftBinaries", "LoaderIntegrityContinuity", "ModuleTamperingProtection"],
    ),
    (Policy::ImageLoad, "image_load", &["PreferSystem32Images", "RemoteImageMap", "LowILImageMap"]),
    (Policy::Fonts, "fonts", &["SystemFont"]),
    (Policy::ExtensionPoints, "extension_points", &["ExtensionPoint"]),
    (Policy::Win32k, "win32k", &["Win32k"]),
    (Policy::ChildProcess, "child_process", &["NoChildProcess"]),
    (Policy::StrictHandles, "strict_handles", &["HandleExceptions", "InvalidHandleClose"]),
    (Policy::Payload, "payload", &["ExportAddressFilter", "ImportAddressFilter", "Rop"]),
    (
        Policy::SideChannels,
        "side_channels",
        &["IndirectBranchPrediction", "IsolateSecurityDomain", "PageCombine", "SpeculativeStoreBypass", "CoreSharing"],
    ),
    (Policy::RedirectionGuard, "redirection_guard", &["RedirectionTrust"]),
    (Policy::SystemCalls, "system_calls", &["FsctlSystemCalls"]),
    (Policy::Aslr, "aslr", &["ForceRelocateImages", "HighEntropyASLR", "StackRandomization", "DisallowStrippedImages"]),
    // Its names say little by themselves: it is the policy of a word of its own.
    (Policy::Dep, "dep", &[]),
];

impl Policy {
    /// The name in the output contract.
    pub fn name(self) -> &'static str {
        POLICIES.iter().find(|(policy, ..)| *policy == self).map_or("other", |(_, name, _)| *name)
    }

    /// The policy that the name of a bit belongs to.
    pub fn of(bit: &str) -> Option<Self> {
        let fits = |parts: &[&str]| parts.iter().any(|part| bit.contains(part));
        POLICIES.iter().find(|(.., parts)| fits(parts)).map(|(policy, ..)| *policy)
    }
}

/// The structure that a word lies in.
#[derive(Clone, Copy)]
enum Place {
    Process,
    HandleTable,
}

/// A word that mitigations lie in.
struct Source<'s> {
    flags: &'s Result<Flags, Absent>,
    /// The policies that its bits belong to.
    policies: Vec<Policy>,
    place: Place,
    /// The policy of bits whose names tell none; `None` where such bits are no mitigations.
    others: Option<Policy>,
}

impl Source<'_> {
    fn policy(&self, bit: &str) -> Option<Policy> {
        Policy::of(bit).or(self.others)
    }

    /// The names of the bits that are set.
    fn names(&self, snapshot: &Snapshot, process: &Process) -> Result<Vec<String>, Absent> {
        let flags = self.flags.as_ref().map_err(|why| *why)?;
        let value = match self.place {
            Place::Process => process.word(self.flags)?,
            Place::HandleTable => {
                snapshot.fields().handle_tables.flags_of(snapshot.space(), process.object_table()?)?
            }
        };
        Ok(flags.names(value))
    }
}

/// The mitigations of a process by policy. A policy that the build does not have is missing with the reason.
#[derive(Clone, Debug)]
pub struct Mitigations(BTreeMap<Policy, Result<Vec<String>, Absent>>);

impl Mitigations {
    /// The names of the bits of a policy that are set, as the build names them. Not each makes a process stronger: a name can
    /// say that something is only audited, or off.
    pub fn of(&self, policy: Policy) -> Result<&[String], Absent> {
        self.0.get(&policy).map_or(Err(Absent::NoSuchField), |set| set.as_deref().map_err(|why| *why))
    }

    /// The policies of which anything is set.
    pub fn policies(&self) -> impl Iterator<Item = Policy> {
        self.0.iter().filter(|(_, set)| set.as_ref().is_ok_and(|set| !set.is_empty())).map(|(policy, _)| *policy)
    }

    /// The policies of which it is not known what is set.
    pub fn unknown(&self) -> impl Iterator<Item = Policy> {
        self.0.iter().filter(|(_, set)| set.is_err()).map(|(policy, _)| *policy)
    }

    /// All that is set, as `policy:Name`.
    pub fn names(&self) -> Vec<String> {
        let of = |(policy, set): (&Policy, &Result<Vec<String>, Absent>)| {
            let name = policy.name();
            set.iter().flatten().map(|bit| format!("{name}:{bit}")).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }
}

/// Decodes the mitigations of processes; what their words are divided into is looked up once.
pub struct Decoder<'s> {
    snapshot: &'s Snapshot,
    sources: Vec<Source<'s>>,
}

impl core::fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder").field("snapshot", self.snapshot).finish_non_exhaustive()
    }
}

impl<'s> Decoder<'s> {
    /// Looks up which words of this build hold mitigations.
    pub fn new(snapshot: &'s Snapshot) -> Self {
        let fields = &snapshot.fields().process.eprocess;
        let words = [&fields.mitigation_flags, &fields.mitigation_flags2, &fields.mitigation_flags3];
        // Before build 17763 mitigations are some of the bits of the other flags.
        let mixed = [&fields.flags, &fields.flags2, &fields.flags3];
        let has_words = !matches!(fields.mitigation_flags, Err(Absent::NoSuchField));
        let source = |flags: &'s Result<Flags, Absent>, place, others| {
            let mut source = Source { flags, policies: Vec::new(), place, others };
            let known = flags.iter().flat_map(|flags| flags.known().filter_map(|bit| source.policy(bit)));
            let known: BTreeSet<Policy> = known.collect();
            source.policies.extend(known);
            source
        };
        let mut sources = Vec::from([
            source(&fields.execute_options, Place::Process, Some(Policy::Dep)),
            source(snapshot.fields().handle_tables.flags(), Place::HandleTable, None),
        ]);
        let (of_eprocess, others) = if has_words { (words, Some(Policy::Other)) } else { (mixed, None) };
        sources.extend(of_eprocess.into_iter().map(|flags| source(flags, Place::Process, others)));
        Self { snapshot, sources }
    }

    /// The mitigations of a process, whose primary token is given.
    pub fn of(&self, process: &Process, token: &Result<Arc<Token>, Absent>) -> Mitigations {
        let mut set: BTreeMap<Policy, Result<Vec<String>, Absent>> = BTreeMap::new();
        for source in &self.sources {
            let names = match source.names(self.snapshot, process) {
                Ok(names) => names,
                // Where not even the names are known, any policy may be among them.
                Err(why) if source.flags.is_err() => {
                    self.unknown(why, &mut set);
                    continue;
                }
                Err(why) => {
                    for policy in &source.policies {
                        set.insert(*policy, Err(why));
                    }
                    continue;
                }
            };
            for policy in &source.policies {
                set.entry(*policy).or_insert_with(|| Ok(Vec::new()));
            }
            for name in names {
                let policy = source.policy(&name);
                if let Some(Ok(held)) = policy.map(|policy| set.entry(policy).or_insert_with(|| Ok(Vec::new()))) {
                    held.push(name);
                }
            }
        }
        set.insert(Policy::ChildProcess, self.child_process(token));
        Mitigations(set)
    }

    /// Notes that policies which no other word has may be in one that is not known.
    fn unknown(&self, why: Absent, set: &mut BTreeMap<Policy, Result<Vec<String>, Absent>>) {
        if why == Absent::NoSuchField {
            return;
        }
        let elsewhere: Vec<Policy> = self.sources.iter().flat_map(|source| source.policies.iter().copied()).collect();
        for (policy, ..) in POLICIES.iter().filter(|(policy, ..)| !elsewhere.contains(policy)) {
            set.insert(*policy, Err(why));
        }
    }

    /// Whether it may start processes is noted in its token.
    fn child_process(&self, token: &Result<Arc<Token>, Absent>) -> Result<Vec<String>, Absent> {
        if self.snapshot.build().is_some_and(|build| build < builds::FIRST_BUILD_WITH_CHILD_PROCESS_POLICY) {
            return Err(Absent::NoSuchField);
        }
        let flags = token.as_ref().map_err(|why| *why)?.flags()?;
        let names = token::flag_names(flags);
        Ok(names.into_iter().filter(|name| Policy::of(name) == Some(Policy::ChildProcess)).collect())
    }
}

/// How something compares with others of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many others there are.
    pub siblings: usize,
    /// What more than half of the others have, and it has not.
    pub missing: Vec<String>,
    /// What it has, and more than half of the others have not.
    pub extra: Vec<String>,
}

/// One of several that are compared.
#[derive(Clone, Debug)]
pub struct Compared<K> {
    /// What it has in common with those of its kind.
    pub key: K,
    /// What it has, as `policy:Name`.
    pub names: Vec<String>,
    /// Policies of which it is not known what it has.
    pub unknown: Vec<&'static str>,
}

impl<K> Compared<K> {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|held| held == name)
    }

    fn knows(&self, name: &str) -> bool {
        !self.unknown.contains(&policy(name))
    }
}

/// The policy of a `policy:Name`.
fn policy(name: &str) -> &str {
    name.split_once(':').map_or(name, |(policy, _)| policy)
}

/// Compares each with the others that have the same key. What is not known of one is neither there nor missing.
pub fn compare<K: Ord>(all: &[Compared<K>]) -> Vec<Comparison> {
    #[derive(Default)]
    struct Group<'n> {
        members: usize,
        held: BTreeMap<&'n str, usize>,
        unknown: BTreeMap<&'n str, usize>,
    }
    let mut groups: BTreeMap<&K, Group<'_>> = BTreeMap::new();
    for member in all {
        let group = groups.entry(&member.key).or_default();
        group.members += 1;
        for name in &member.names {
            *group.held.entry(name).or_default() += 1;
        }
        for policy in &member.unknown {
            *group.unknown.entry(policy).or_default() += 1;
        }
    }
    let of = |member: &Compared<K>| {
        let Some(group) = groups.get(&member.key) else { return Comparison::default() };
        let siblings = group.members - 1;
        let most = |count: usize| count * 2 > siblings;
        let held = |name: &str| group.held.get(name).copied().unwrap_or(0);
        let lacks = |name: &&String| {
            let unknown = group.unknown.get(policy(name)).copied().unwrap_or(0);
            group.members.saturating_sub(held(name)).saturating_sub(unknown)
        };
        let missing =
            group.held.iter().filter(|(name, count)| !member.has(name) && member.knows(name) && most(**count));
        Comparison {
            siblings,
            missing: missing.map(|(name, _)| String::from(*name)).collect(),
            extra: member.names.iter().filter(|name| most(lacks(name))).cloned().collect(),
        }
    };
    all.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_all_builds_have_their_policies() {
        for (bit, policy) in [
            ("ControlFlowGuardExportSuppressionEnabled", Policy::Cfg),
            ("AuditXtendedControlFlowGuard", Policy::Xfg),
            ("UserCetSetContextIpValidationRelaxedMode", Policy::Cet),
            ("BlockNonCetBinariesNonEhcont", Policy::Cet),
            ("AuditBlockNonMicrosoftBinariesAllowStore", Policy::Signature),
            ("EnableFilteredWin32kAPIs", Policy::Win32k),
            ("AuditNonSystemFontLoading", Policy::Fonts),
            ("DisablePageCombine", Policy::SideChannels),
            ("EnableRopStackPivot", Policy::Payload),
            ("StackRandomizationDisabled", Policy::Aslr),
            ("DisableExceptionChainValidation", Policy::Sehop),
        ] {
            assert_eq!(Policy::of(bit), Some(policy), "{bit}");
        }
        for bit in [
            "SystemProcess",
            "ImageNotifyDone",
            "ProcessExiting",
            "Duplicated",
            "DisableSystemAllowedCpuSet",
            "AffinityPermanent",
        ] {
            assert_eq!(Policy::of(bit), None, "{bit}");
        }
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| String::from(*name)).collect()
    }

    fn member(key: &'static str, names: &[&str], unknown: &[&'static str]) -> Compared<&'static str> {
        Compared { key, names: texts(names), unknown: unknown.into() }
    }

    fn found(siblings: usize, missing: &[&str], extra: &[&str]) -> Comparison {
        Comparison { siblings, missing: texts(missing), extra: texts(extra) }
    }

    #[test]
    fn the_one_that_differs_from_most_is_told_and_so_is_how() {
        let all = [
            member("a", &["p:x", "p:y"], &[]),
            member("a", &["p:x", "p:y"], &[]),
            member("a", &["p:x", "q:z"], &[]),
            member("b", &["p:x"], &[]),
        ];
        let expected = [found(2, &[], &[]), found(2, &[], &[]), found(2, &["p:y"], &["q:z"]), found(0, &[], &[])];
        assert_eq!(compare(&all), expected);
    }

    #[test]
    fn what_is_not_known_is_neither_there_nor_missing() {
        let all = [
            member("a", &["p:x", "q:z"], &[]),
            member("a", &["p:x"], &["q"]),
            member("a", &["p:x"], &["q"]),
            member("a", &["q:z"], &["p"]),
        ];
        let expected = [found(3, &[], &[]), found(3, &[], &[]), found(3, &[], &[]), found(3, &[], &[])];
        assert_eq!(compare(&all), expected);
    }

    proptest! {
        #[test]
        fn one_at_a_time_says_the_same(all in prop::collection::vec((0_u8..3, prop::collection::btree_set("[a-d]", 0..4)), 0..12)) {
            let all: Vec<_> = all
                .into_iter()
                .map(|(key, set)| Compared { key, names: set.into_iter().collect(), unknown: Vec::new() })
                .collect();
            for (index, found) in compare(&all).iter().enumerate() {
                let others: Vec<_> =
                    (0..all.len()).filter(|other| *other != index && all[*other].key == all[index].key).collect();
                let most = |name: &String, have: bool| {
                    others.iter().filter(|other| all[**other].has(name) == have).count() * 2 > others.len()
                };
                let names = texts(&["a", "b", "c", "d"]);
                let has = |name: &&String| all[index].has(name);
                let missing: Vec<_> = names.iter().filter(|name| !has(name) && most(name, true)).cloned().collect();
                let extra: Vec<_> = names.iter().filter(|name| has(name) && most(name, false)).cloned().collect();
                prop_assert_eq!(found, &Comparison { siblings: others.len(), missing, extra });
            }
        }
    }
}
