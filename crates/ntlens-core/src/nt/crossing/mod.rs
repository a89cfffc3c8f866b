//! Who holds what across a border that should hold.
//!
//! A border is one file of this folder, one line of [`Border::ALL`] and one of its judges. Each judges one object with all that hold it, over the
//! one pass of [`holders`]: nothing here costs processes times objects.

mod integrity;
mod session;
mod shared;
mod silo;

use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::census::Of;
use crate::nt::holder::{Holders, Holding, Party, holders};
use crate::nt::integrity::Integrity;
use crate::nt::snapshot::Snapshot;
use alloc::vec::Vec;

/// A border between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Border {
    /// Between sessions, over objects that have a place in a session's namespace.
    Session,
    /// Between the host and containers.
    Silo,
    /// Between integrity levels.
    Integrity,
    /// Between sessions, over objects without a name.
    Shared,
}

impl Border {
    /// Every border.
    pub const ALL: [Self; 4] = [Self::Session, Self::Silo, Self::Integrity, Self::Shared];

    /// What judges it.
    const fn judge(self) -> Judge {
        match self {
            Self::Session => session::judge,
            Self::Silo => silo::judge,
            Self::Integrity => integrity::judge,
            Self::Shared => shared::judge,
        }
    }

    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Silo => "silo",
            Self::Integrity => "integrity",
            Self::Shared => "shared",
        }
    }
}

/// Says for each holding of an object whether and how it crosses a border.
type Judge = fn(&Held<'_>, &mut dyn FnMut(&Holding, Found));

/// One object, and all that hold it.
struct Held<'a> {
    snapshot: &'a Snapshot,
    object: VirtAddr,
    holders: &'a Holders,
    holdings: &'a [Holding],
}

impl<'a> Held<'a> {
    /// The handles to the object, with the processes that have them.
    fn parties(&self) -> impl Iterator<Item = (&'a Holding, &'a Party)> {
        let holders = self.holders;
        let party = |holding: &'a Holding| Some((holding, holders.party(holding.handle.holder.eprocess)?));
        self.holdings.iter().filter_map(party)
    }

    /// The name of the object's type.
    fn object_type(&self) -> &'a str {
        let first = self.holdings.first();
        first.and_then(|holding| holding.handle.target.object_type.as_deref().ok()).unwrap_or_default()
    }
}

/// How a border is crossed.
struct Found {
    relation: &'static str,
    owner_integrity: Option<Integrity>,
}

impl From<&'static str> for Found {
    fn from(relation: &'static str) -> Self {
        Self { relation, owner_integrity: None }
    }
}

/// One handle across one border.
#[derive(Clone, Debug)]
pub struct Crossing {
    /// The border.
    pub border: Border,
    /// How it is crossed.
    pub relation: &'static str,
    /// The handle and the object's place.
    pub holding: Holding,
    /// The process that holds it.
    pub holder: Party,
    /// The level of the object's owner, where that is what counts.
    pub owner_integrity: Option<Integrity>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Only this border.
    pub border: Option<Border>,
    /// What these processes hold.
    pub of: Of,
}

/// Handles across borders, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Crossings {
    /// Border after border, each in the order of the objects' addresses.
    pub crossings: Vec<Crossing>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Crossings that are listed.
const MAX_CROSSINGS: usize = 1 << 20;

/// Finds who holds what across a border.
pub fn crossings(snapshot: &Snapshot, wanted: Wanted) -> Crossings {
    let holders = holders(snapshot);
    let mut crossings = Vec::new();
    let mut left = 0;
    for border in Border::ALL.into_iter().filter(|border| wanted.border.is_none_or(|only| only == *border)) {
        let judge = border.judge();
        for (object, holdings) in holders.objects() {
            judge(&Held { snapshot, object, holders: &holders, holdings }, &mut |holding, found| {
                let holder = &holding.handle.holder;
                let Some(party) = holders.party(holder.eprocess) else { return };
                let is_meant = match wanted.of {
                    Of::ActiveList => party.active,
                    Of::All => true,
                    Of::Process(pid) => holder.pid == Ok(pid),
                    Of::Eprocess(at) => holder.eprocess == at,
                };
                if !is_meant {
                    return;
                }
                if crossings.len() >= MAX_CROSSINGS {
                    left += 1;
                    return;
                }
                let Found { relation, owner_integrity } = found;
                let (holding, holder) = (holding.clone(), party.clone());
                crossings.push(Crossing { border, relation, holding, holder, owner_integrity });
            });
        }
    }
    let mut incomplete = holders.incomplete;
    if left > 0 {
        incomplete.push(Incomplete::beyond("crossings", "handle tables", MAX_CROSSINGS).times(left));
    }
    Crossings { crossings, incomplete }
}
