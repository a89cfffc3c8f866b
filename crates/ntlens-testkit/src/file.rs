//! File objects, and sections over files.

use crate::assembly::Assembly;
use crate::pool::PoolKind;

impl Assembly<'_> {
    /// A file object for a path on a named device.
    pub(crate) fn file(&mut self, path: &str) -> u64 {
        let ends = path.match_indices('\\').map(|(at, _)| at).chain([path.len()]);
        let device = ends.filter_map(|end| Some((end, *self.namespace.get(&path[..end])?))).next_back();
        let (end, device) = device.unwrap_or_else(|| panic!("no device for {path}: add it with Machine::named_object"));
        let text = self.guest.pool_text(&path[end..]);
        let size = self.guest.size_of("_FILE_OBJECT", 0xd8);
        let file = self.object(PoolKind::NonPaged, "File", size, *b"File", None);
        self.guest
            .at(file, "_FILE_OBJECT")
            .set("Type", 5)
            .set("Size", size)
            .set("DeviceObject", device)
            .text("FileName", text);
        file
    }

    /// A section without a name over a file.
    pub(crate) fn mapped_file(&mut self, path: &str) -> u64 {
        let file = self.file(path);
        let size = self.guest.size_of("_CONTROL_AREA", 0x80);
        let area = self.guest.alloc(PoolKind::NonPaged, size, *b"MmCa");
        let size = self.guest.size_of("_SEGMENT", 0x50);
        let segment = self.guest.alloc(PoolKind::Paged, size, *b"MmSt");
        self.guest.at(segment, "_SEGMENT").put("ControlArea", area);
        // The low four bits of a fast reference count.
        self.guest.at(area, "_CONTROL_AREA").set("Segment", segment).set("FilePointer", file | 0xc);
        let old = self.guest.size_of("_SECTION_OBJECT", 0);
        let size = self.guest.size_of("_SECTION", old.max(0x30));
        let section = self.object(PoolKind::Paged, "Section", size, *b"Sect", None);
        if old > 0 {
            self.guest.at(section, "_SECTION_OBJECT").put("Segment", segment);
        } else {
            self.guest.at(section, "_SECTION").put("u1.ControlArea", area);
        }
        section
    }
}
