//! `OBJECT_HEADER`: what stands before every object of the kernel, and the optional headers before it.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::Layouts;
use crate::layout::field::{Embedded, Field};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::unicode_string::UnicodeStringFields;
use alloc::string::String;

crate::fields! {
    /// Fields of `_OBJECT_HEADER`.
    pub struct ObjectHeaderFields of "_OBJECT_HEADER" {
        /// References to the object. Since Windows 8.1 each handle holds many of them in advance.
        pointer_count: Field<u64> = "PointerCount",
        /// Handles to the object.
        handle_count: Field<u64> = "HandleCount",
        /// Number of the object's type, encoded since Windows 10.
        type_index: Field<u8> = "TypeIndex",
        /// Which optional headers there are.
        info_mask: Field<u8> = "InfoMask",
        /// The object itself.
        body: Field<Embedded> = "Body",
    }
}

crate::fields! {
    /// Fields of `_OBJECT_HEADER_NAME_INFO`.
    pub struct NameInfoFields of "_OBJECT_HEADER_NAME_INFO" {
        /// The directory in which the object stands.
        directory: Field<VirtAddr> = "Directory",
        /// Its name there.
        name: Field<Embedded> = "Name",
    }
}

/// Optional headers before an object's header by their bits in `InfoMask`, the lowest nearest to it.
const OPTIONAL_HEADERS: [&str; 7] = [
    "_OBJECT_HEADER_CREATOR_INFO",
    "_OBJECT_HEADER_NAME_INFO",
    "_OBJECT_HEADER_HANDLE_INFO",
    "_OBJECT_HEADER_QUOTA_INFO",
    "_OBJECT_HEADER_PROCESS_INFO",
    "_OBJECT_HEADER_AUDIT_INFO",
    "_OBJECT_HEADER_EXTENDED_INFO",
];

/// Position in [`OPTIONAL_HEADERS`] of the header with the name.
const NAME_INFO: usize = 1;

/// More handles than this nothing has: a process can have 2^24.
const MAX_HANDLES: u64 = 1 << 40;
/// More references than this nothing has: a handle holds 2^15 of them in advance.
const MAX_POINTERS: u64 = 1 << 56;

/// How the headers of one kernel's objects are read.
#[derive(Clone, Debug)]
pub struct ObjectFields {
    pub(crate) header: ObjectHeaderFields,
    pub(crate) name_info: NameInfoFields,
    unicode_string: UnicodeStringFields,
    sizes: [Result<u32, Absent>; OPTIONAL_HEADERS.len()],
    /// Bytes before the header in which the name stands, if there is one.
    reach: u32,
}

impl ObjectFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        let sizes = OPTIONAL_HEADERS.map(|name| layouts.size_of(name));
        let reach = sizes.iter().take(NAME_INFO + 1).flatten().fold(0_u32, |sum, size| sum.saturating_add(*size));
        Self {
            header: ObjectHeaderFields::resolve(layouts),
            name_info: NameInfoFields::resolve(layouts),
            unicode_string: UnicodeStringFields::resolve(layouts),
            sizes,
            reach: reach.min(crate::layout::field::MAX_EXTENT),
        }
    }

    /// Bytes from an object's header to its body.
    pub fn body_offset(&self) -> Result<u64, Absent> {
        self.header.body.map(|body| body.offset.into())
    }

    /// Bytes of the optional headers up to and with that of the bit `last`.
    fn before(&self, info_mask: u8, last: usize) -> Result<u64, Absent> {
        let set = self.sizes.iter().enumerate().take(last.saturating_add(1));
        set.filter(|(bit, _)| info_mask >> bit & 1 == 1).try_fold(0, |sum, (_, size)| Ok(sum + u64::from((*size)?)))
    }

    /// Bytes from the start of the first optional header to the object's body: what of an object's memory is not its own.
    pub fn bytes_before_body(&self, info_mask: u8) -> Result<u64, Absent> {
        Ok(self.body_offset()? + self.before(info_mask, OPTIONAL_HEADERS.len())?)
    }

    /// Reads the headers of the object whose body lies at an address.
    pub fn of_body<M: VirtualMemory + ?Sized>(&self, memory: &M, body: VirtAddr) -> Result<ObjectHeader<'_>, Absent> {
        Ok(self.at(memory, body.wrapping_sub(self.body_offset()?)))
    }

    /// Reads the headers of the object whose header lies at an address, as handles give it.
    pub fn at<M: VirtualMemory + ?Sized>(&self, memory: &M, header: VirtAddr) -> ObjectHeader<'_> {
        let extent = self.reach.saturating_add(self.header.extent);
        let view = StructView::read(memory, header.wrapping_sub(self.reach.into()), extent);
        ObjectHeader { fields: self, at: header, view }
    }
}

/// The headers of one object.
#[derive(Clone, Debug)]
pub struct ObjectHeader<'f> {
    fields: &'f ObjectFields,
    at: VirtAddr,
    /// The bytes from before the name's header to the end of the object's header.
    view: StructView,
}

/// Where an object stands in the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameInfo {
    /// The directory; `None` for the root, and for objects that only their creator can find, such as desktops.
    pub directory: Option<VirtAddr>,
    /// The name there, which is not empty.
    pub name: String,
}

impl ObjectHeader<'_> {
    fn get<T: crate::layout::field::Scalar>(&self, field: &Result<Field<T>, Absent>) -> Result<T, Absent> {
        self.view.get(&field.map(|field| field.moved(self.fields.reach)))
    }

    /// Where the header lies.
    pub fn address(&self) -> VirtAddr {
        self.at
    }

    /// Where the object lies.
    pub fn body(&self) -> Result<VirtAddr, Absent> {
        Ok(self.at.wrapping_add(self.fields.body_offset()?))
    }

    /// The number of the object's type as it is stored.
    pub fn type_index(&self) -> Result<u8, Absent> {
        self.get(&self.fields.header.type_index)
    }

    /// Which optional headers there are.
    pub fn info_mask(&self) -> Result<u8, Absent> {
        self.get(&self.fields.header.info_mask)
    }

    /// References to the object.
    pub fn pointer_count(&self) -> Result<u64, Absent> {
        self.get(&self.fields.header.pointer_count)
    }

    /// Handles to the object.
    pub fn handle_count(&self) -> Result<u64, Absent> {
        self.get(&self.fields.header.handle_count)
    }

    /// Whether the counts are those of an object that somebody holds. A handle that leads anywhere else may meet a byte
    /// that passes for a type; these numbers it meets hardly.
    pub fn is_held(&self) -> Result<bool, Absent> {
        let (handles, pointers) = (self.handle_count()?, self.pointer_count()?);
        Ok((1..MAX_HANDLES).contains(&handles) && (1..MAX_POINTERS).contains(&pointers))
    }

    /// The object's name and directory; `None` for an object without a name.
    pub fn name<M: VirtualMemory + ?Sized>(&self, memory: &M) -> Result<Option<NameInfo>, Absent> {
        let mask = self.info_mask()?;
        if mask >> NAME_INFO & 1 == 0 {
            return Ok(None);
        }
        let before = u32::try_from(self.fields.before(mask, NAME_INFO)?).map_err(|_| Absent::Malformed)?;
        let start = self.fields.reach.checked_sub(before).ok_or(Absent::Malformed)?;
        let fields = &self.fields.name_info;
        let directory = self.view.get(&fields.directory.map(|field| field.moved(start)))?;
        let name = fields.name?.offset.saturating_add(start);
        let name = self.fields.unicode_string.read_in(&self.view, name, memory)?;
        Ok(name.map(|name| NameInfo { directory: Some(directory).filter(|at| !at.is_null()), name }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{FieldDef, StructDef, StructKind, Type};
    use alloc::sync::Arc;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Memory that holds these bytes at an address, and nothing else.
    struct Bytes(u64, Vec<u8>);

    impl VirtualMemory for Bytes {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            let start = at.0.checked_sub(self.0).and_then(|start| usize::try_from(start).ok());
            let held = start.and_then(|start| self.1.get(start..start.checked_add(out.len())?));
            out.copy_from_slice(held.ok_or(Absent::AddressNotInDump)?);
            Ok(())
        }
    }

    fn structure(name: &str, size: u32, fields: &[(&str, u32)]) -> StructDef {
        let ty = Type::Base("unsigned long long".into());
        let fields =
            fields.iter().map(|(name, offset)| FieldDef { name: (*name).into(), offset: *offset, ty: ty.clone() });
        StructDef { kind: StructKind::Struct, name: name.into(), size: Some(size), fields: fields.collect() }
    }

    fn fields() -> ObjectFields {
        let mut structures = vec![
            structure(
                "_OBJECT_HEADER",
                0x38,
                &[("PointerCount", 0), ("HandleCount", 8), ("TypeIndex", 0x18), ("InfoMask", 0x1a), ("Body", 0x30)],
            ),
            structure("_UNICODE_STRING", 0x10, &[("Length", 0), ("Buffer", 8)]),
        ];
        for (name, size) in OPTIONAL_HEADERS.iter().zip([0x20, 0x20, 0x10, 0x20, 0x10, 0x10, 0x10]) {
            structures.push(structure(name, size, if size == 0x20 { &[("Directory", 0), ("Name", 8)] } else { &[] }));
        }
        ObjectFields::resolve(&Layouts::new(None, None, structures.into_iter().map(Arc::new), [], []))
    }

    const AT: u64 = 0xffff_8000_0000_1000;

    #[test]
    fn the_name_is_found_before_or_behind_the_creator() {
        for (mask, name_at) in [(2_u8, 0x20), (3, 0), (0xa, 0x20), (0xff, 0)] {
            // From 0x40 before the header, which is where the text lies too.
            let mut bytes = vec![0; 0x100];
            bytes[name_at..name_at + 8].copy_from_slice(&0xffff_8000_dead_0000_u64.to_le_bytes());
            bytes[name_at + 8] = 4;
            bytes[name_at + 0x10..name_at + 0x18].copy_from_slice(&(AT + 0x80).to_le_bytes());
            bytes[0x5a] = mask;
            bytes[0x80..0x84].copy_from_slice(b"a\0b\0");
            let memory = Bytes(AT, bytes);
            let fields = fields();
            let header = fields.of_body(&memory, VirtAddr(AT + 0x70)).unwrap();
            let name = header.name(&memory).unwrap().unwrap();
            assert_eq!((name.name.as_str(), name.directory), ("ab", Some(VirtAddr(0xffff_8000_dead_0000))));
        }
    }

    #[test]
    fn an_object_at_the_start_of_memory_has_its_own_fields() {
        let mut bytes = vec![0; 0x38];
        bytes[0x18] = 7;
        let memory = Bytes(AT, bytes);
        let fields = fields();
        let header = fields.at(&memory, VirtAddr(AT));
        assert_eq!((header.type_index(), header.name(&memory)), (Ok(7), Ok(None)));
        assert_eq!(fields.bytes_before_body(2 | 8), Ok(0x70));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_object_or_none(bytes in prop::collection::vec(any::<u8>(), 0..0x200), at in any::<u64>()) {
            let memory = Bytes(AT, bytes);
            let fields = fields();
            for at in [AT, AT + 0x40, at] {
                let header = fields.at(&memory, VirtAddr(at));
                let _ = (header.name(&memory), header.type_index(), header.body());
            }
        }
    }
}
