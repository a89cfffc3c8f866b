//! Who created an object, as far as the object itself tells.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::Layouts;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;

crate::fields! {
    /// Fields of `_OBJECT_HEADER_CREATOR_INFO`, which few types have.
    struct CreatorInfoFields of "_OBJECT_HEADER_CREATOR_INFO" {
        creator_unique_process: Field<u64> = "CreatorUniqueProcess",
    }
}

crate::fields! {
    /// Fields of `_ALPC_PORT`.
    struct AlpcPortFields of "_ALPC_PORT" {
        /// The process that made the port, until the port is closed.
        owner_process: Field<VirtAddr> = "OwnerProcess",
    }
}

/// The structures that tell creators.
#[derive(Clone, Debug)]
pub struct CreatorFields {
    info: CreatorInfoFields,
    info_size: Result<u32, Absent>,
    alpc_port: AlpcPortFields,
}

impl CreatorFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self {
            info: CreatorInfoFields::resolve(layouts),
            info_size: layouts.size_of("_OBJECT_HEADER_CREATOR_INFO"),
            alpc_port: AlpcPortFields::resolve(layouts),
        }
    }
}

/// Bit of `InfoMask` for the header with the creator, which stands next to the object's header.
const CREATOR_INFO: u8 = 1;

/// Id of the process that created an object; `None` for objects that do not tell.
pub fn creator(snapshot: &Snapshot, object_type: &str, body: VirtAddr) -> Result<Option<u64>, Absent> {
    let (memory, fields) = (snapshot.space(), &snapshot.fields().creator);
    let header = snapshot.fields().object.of_body(memory, body)?;
    if header.info_mask()? & CREATOR_INFO != 0 {
        let at = header.address().wrapping_sub(fields.info_size?.into());
        let pid = StructView::read(memory, at, fields.info.extent).get(&fields.info.creator_unique_process)?;
        return Ok(Some(pid).filter(|pid| *pid != 0));
    }
    if object_type != "ALPC Port" {
        return Ok(None);
    }
    let owner = StructView::read(memory, body, fields.alpc_port.extent).get(&fields.alpc_port.owner_process)?;
    if owner.is_null() { Ok(None) } else { Process::probe(snapshot, owner)?.pid().map(Some) }
}
