//! A dump that was opened, with its kernel if one was found: what every question is asked of.

use crate::absent::Absent;
use crate::dump::Dump;
use crate::error::Error;
use crate::incomplete::{Incomplete, Place};
use crate::layout::source::LayoutSource;
use crate::memory::PagedSpace;
use crate::nt::callback::{self, Callbacks};
use crate::nt::census::Processes;
use crate::nt::collision::{self, Collisions};
use crate::nt::crossing::{self, Crossings};
use crate::nt::etw::{self, Tracing};
use crate::nt::handle::{self, Handles};
use crate::nt::holder::{self, Holders};
use crate::nt::job_census;
use crate::nt::module::Modules;
use crate::nt::namespace::{self, Namespace};
use crate::nt::session;
use crate::nt::snapshot::{Options, Snapshot};
use crate::nt::unloaded::Unloaded;
use crate::source::ByteSource;
use crate::spread::Spread;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A dump and its kernel. Cheap to clone, and shared between threads.
#[derive(Clone, Debug)]
pub struct OpenDump {
    name: Arc<str>,
    dump: Dump,
    kernel: Result<Snapshot, Error>,
}

/// Raw memory is tried only for files that can be an image of whole pages.
const SMALLEST_RAW: u64 = 1 << 20;

impl OpenDump {
    /// Opens a dump of any kind. A kernel that is not found, or whose layout is not known, does not stop this: what the
    /// header says can be told in any case. A file without a header is taken as raw memory if a Windows kernel is in it.
    pub fn open(
        name: impl Into<String>,
        source: Arc<dyn ByteSource>,
        layouts: &dyn LayoutSource,
        options: Options,
    ) -> Result<Self, Error> {
        let name: Arc<str> = name.into().into();
        match Dump::open(source.clone()) {
            Ok(dump) => {
                let kernel = Snapshot::open(dump.clone(), layouts, options);
                Ok(Self { name, dump, kernel })
            }
            Err(why) => {
                let unknown = matches!(why, Error::Malformed { offset: 0, field: "Signature", .. });
                let whole_pages =
                    source.len() >= SMALLEST_RAW && source.len().is_multiple_of(crate::address::PAGE_SIZE);
                if !unknown || !whole_pages {
                    return Err(why);
                }
                let dump = Dump::open_raw(source);
                match Snapshot::open(dump.clone(), layouts, options) {
                    Err(Error::NoKernel { .. }) => Err(why),
                    kernel => Ok(Self { name, dump, kernel }),
                }
            }
        }
    }

    /// Who does long work that falls into pieces; without this it is done one piece after the other.
    #[must_use]
    pub fn with_spread(self, spread: &'static dyn Spread) -> Self {
        Self { kernel: self.kernel.map(|kernel| kernel.with_spread(spread)), ..self }
    }

    /// The name that the user gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file and its header.
    pub fn dump(&self) -> &Dump {
        &self.dump
    }

    /// The kernel, or why it could not be found or understood.
    pub fn kernel(&self) -> Result<&Snapshot, Error> {
        self.kernel.as_ref().map_err(Clone::clone)
    }

    /// What was missing or contradictory when the dump was opened.
    pub fn incomplete(&self) -> &[Incomplete] {
        self.kernel.as_ref().map_or(&self.dump.incomplete, |kernel| kernel.incomplete())
    }

    /// That the file is not what it was when it was opened, if that is so: who answers says it at the end.
    pub(crate) fn changed(&self) -> Option<Incomplete> {
        const WHAT: &str = "the file changed after it was opened, and what was read may not belong together";
        self.dump.source.has_changed().then(|| Incomplete::new(WHAT, "file", Absent::ReadFailed { offset: 0 }))
    }

    /// Where a place is in the file, if the file holds it.
    pub fn file_offset(&self, place: &Place) -> Option<u64> {
        let kernel = self.kernel.as_ref().ok();
        let in_space = |space: &PagedSpace, at| space.physical().file_offset(space.translate(at).ok()?.at).ok();
        match place {
            Place::File(offset) => Some(*offset),
            Place::Physical(at) => self.dump.physical().ok()?.file_offset(*at).ok(),
            Place::Virtual(at) => match kernel?.triage() {
                Some(triage) => triage.space.file_offset(*at).ok().map(|(offset, _)| offset),
                None => in_space(kernel?.space().paged()?, *at),
            },
            Place::User(at, root) => in_space(&kernel?.space().paged()?.with_root(root.0), *at),
            Place::Named(_) => None,
        }
    }

    /// The processes of all views.
    pub fn processes(&self) -> Result<Processes, Error> {
        Ok(self.kernel()?.processes())
    }

    /// The processes with all jobs, also those that only handles lead to. The others [`Self::processes`] gives, too.
    pub fn jobs(&self) -> Result<Processes, Error> {
        Ok(job_census::with_handles(self.kernel()?))
    }

    /// The processes with all sessions, also those that only the kernel's list has. The others [`Self::processes`] gives,
    /// too.
    pub fn sessions(&self) -> Result<Processes, Error> {
        Ok(session::with_list(self.kernel()?))
    }

    /// The handles of some processes, with what they lead to.
    pub fn handles(&self, of: handle::Of) -> Result<Handles, Error> {
        Ok(handle::handles(self.kernel()?, of))
    }

    /// Who holds which object, over all processes.
    pub fn holders(&self) -> Result<Holders, Error> {
        Ok(holder::holders(self.kernel()?))
    }

    /// Who holds what across a border that should hold.
    pub fn crossings(&self, wanted: crossing::Wanted) -> Result<Crossings, Error> {
        Ok(crossing::crossings(self.kernel()?, wanted))
    }

    /// Names that stand for two objects, one of them global.
    pub fn collisions(&self) -> Result<Collisions, Error> {
        Ok(collision::collisions(self.kernel()?))
    }

    /// The objects that have a place in the namespace.
    pub fn namespace(&self) -> Result<Namespace, Error> {
        Ok(namespace::namespace(self.kernel()?))
    }

    /// The loaded modules.
    pub fn modules(&self) -> Result<Modules, Error> {
        Ok(self.kernel()?.modules())
    }

    /// The functions that drivers have the kernel call.
    pub fn callbacks(&self) -> Result<Callbacks, Error> {
        Ok(callback::callbacks(self.kernel()?))
    }

    /// The sessions and providers of event tracing, of the host and of each container.
    pub fn tracing(&self) -> Result<Tracing, Error> {
        let kernel = self.kernel()?;
        Ok(etw::tracing(kernel, &kernel.processes().jobs))
    }

    /// The unloaded modules, the oldest first.
    pub fn unloaded(&self) -> Result<(Vec<Unloaded>, Vec<Incomplete>), Error> {
        Ok(self.kernel()?.unloaded())
    }
}
