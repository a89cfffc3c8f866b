//! What stands behind mapped memory: `_SUBSECTION`, `_CONTROL_AREA`, `_FILE_OBJECT`.

use crate::assembly::Assembly;
use crate::pool::PoolKind;

impl Assembly<'_> {
    /// The subsection through which a file is mapped, or memory that the page file backs. A file has one, whoever maps it.
    pub(crate) fn subsection(&mut self, file: Option<&str>) -> u64 {
        if let Some(known) = file.and_then(|path| self.subsections.get(path)) {
            return *known;
        }
        // A reference that is not counted one by one: its low four bits count.
        let pointer = file.map_or(0, |path| self.file_object(path) | 0xb);
        let size = self.guest.size_of("_CONTROL_AREA", 0x80);
        let area = self.guest.alloc(PoolKind::NonPaged, size, *b"MmCa");
        self.guest
            .at(area, "_CONTROL_AREA")
            .set("NumberOfSectionReferences", 1)
            .set("NumberOfMappedViews", 1)
            .set("FilePointer", pointer);
        let size = self.guest.size_of("_SUBSECTION", 0x38);
        let subsection = self.guest.alloc(PoolKind::NonPaged, size, *b"MmSb");
        self.guest.at(subsection, "_SUBSECTION").set("ControlArea", area);
        if let Some(path) = file {
            self.subsections.insert(path.to_owned(), subsection);
        }
        subsection
    }

    /// A file on no device: its name is the path on one.
    fn file_object(&mut self, path: &str) -> u64 {
        let size = self.guest.size_of("_FILE_OBJECT", 0xd8);
        let body = self.object(PoolKind::NonPaged, "File", size, *b"File", None);
        let name = self.guest.pool_text(path);
        self.guest.at(body, "_FILE_OBJECT").set("Type", 5).set("Size", size).text("FileName", name);
        body
    }
}
