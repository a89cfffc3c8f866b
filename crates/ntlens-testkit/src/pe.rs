//! Writes the headers of PE images: sections, an export directory and the `CodeView` record that names the symbols.

use ntlens_core::layout::PdbId;

/// What an image says about itself.
#[derive(Clone, Debug)]
pub(crate) struct Image<'a> {
    pub(crate) name: &'a str,
    pub(crate) size: u32,
    pub(crate) timestamp: u32,
    pub(crate) checksum: u32,
    pub(crate) preferred_base: u64,
    pub(crate) dll: bool,
    pub(crate) version: (u16, u16),
    pub(crate) pdb: Option<(PdbId, &'a str)>,
    /// Start and end of each section in memory, after the headers.
    pub(crate) sections: Vec<(&'a str, u32, u32, u32)>,
    /// Names and RVAs, ascending by name.
    pub(crate) exports: Vec<(&'a str, u32)>,
    /// Where the directories (exports, debug) may be written; room for all of them.
    pub(crate) directories: u32,
}

/// Section flags: code.
pub(crate) const TEXT: u32 = 0x6800_0020;
/// Section flags: data that is written.
pub(crate) const DATA: u32 = 0xc800_0040;
/// Section flags: data that is only read.
pub(crate) const READ: u32 = 0x4000_0040;

const OPTIONAL_HEADER: usize = 0x80 + 0x18;

struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, at: usize, value: u16) {
        self.raw(at, &value.to_le_bytes());
    }

    fn u32(&mut self, at: usize, value: u32) {
        self.raw(at, &value.to_le_bytes());
    }

    fn u64(&mut self, at: usize, value: u64) {
        self.raw(at, &value.to_le_bytes());
    }

    fn raw(&mut self, at: usize, bytes: &[u8]) {
        if self.0.len() < at + bytes.len() {
            self.0.resize(at + bytes.len(), 0);
        }
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

impl Image<'_> {
    /// The header page, and what to write at `directories`.
    pub(crate) fn write(&self) -> (Vec<u8>, Vec<u8>) {
        let mut head = Bytes(vec![0; 0x400]);
        head.raw(0, b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8");
        head.u32(0x3c, 0x80);
        head.raw(0x80, b"PE\0\0");
        head.u16(0x84, 0x8664);
        head.u16(0x86, self.sections.len() as u16);
        head.u32(0x88, self.timestamp);
        head.u16(0x94, 0xf0);
        head.u16(0x96, if self.dll { 0x2022 } else { 0x22 });
        let optional = OPTIONAL_HEADER;
        head.u16(optional, 0x20b);
        head.raw(optional + 2, &[14, 20]);
        head.u32(optional + 0x04, self.size / 2);
        head.u32(optional + 0x10, 0x1000);
        head.u32(optional + 0x14, 0x1000);
        head.u64(optional + 0x18, self.preferred_base);
        head.u32(optional + 0x20, 0x1000);
        head.u32(optional + 0x24, 0x200);
        for (offset, value) in
            [(0x28, self.version.0), (0x2a, self.version.1), (0x2c, self.version.0), (0x2e, self.version.1)]
        {
            head.u16(optional + offset, value);
        }
        head.u16(optional + 0x30, self.version.0);
        head.u16(optional + 0x32, self.version.1);
        head.u32(optional + 0x38, self.size);
        head.u32(optional + 0x3c, 0x400);
        head.u32(optional + 0x40, self.checksum);
        head.u16(optional + 0x44, if self.preferred_base >> 63 == 1 { 1 } else { 2 });
        head.u16(optional + 0x46, 0x4160);
        for (offset, value) in [(0x48, 0x8_0000), (0x50, 0x2000), (0x58, 0x10_0000), (0x60, 0x1000)] {
            head.u64(optional + offset, value);
        }
        head.u32(optional + 0x6c, 16);
        for (index, (name, start, end, flags)) in self.sections.iter().enumerate() {
            let at = optional + 0xf0 + index * 0x28;
            head.raw(at, name.as_bytes());
            head.u32(at + 8, end - start);
            head.u32(at + 0xc, *start);
            head.u32(at + 0x10, (end - start).next_multiple_of(0x200));
            head.u32(at + 0x14, *start);
            head.u32(at + 0x24, *flags);
        }
        let mut body = Bytes(Vec::new());
        if !self.exports.is_empty() {
            let size = self.write_exports(&mut body);
            head.u32(optional + 0x70, self.directories);
            head.u32(optional + 0x74, size);
        }
        if let Some((id, name)) = &self.pdb {
            let at = body.0.len().next_multiple_of(16);
            let rva = self.directories + at as u32;
            head.u32(optional + 0x70 + 6 * 8, rva);
            head.u32(optional + 0x74 + 6 * 8, 0x1c);
            body.u32(at + 4, self.timestamp);
            body.u32(at + 0xc, 2);
            body.u32(at + 0x10, 24 + name.len() as u32 + 1);
            body.u32(at + 0x14, rva + 0x20);
            body.u32(at + 0x18, rva + 0x20);
            body.raw(at + 0x20, b"RSDS");
            body.raw(at + 0x24, &file_order(id.guid));
            body.u32(at + 0x34, id.age);
            body.raw(at + 0x38, name.as_bytes());
            body.raw(at + 0x38 + name.len(), &[0; 8]);
        }
        (head.0, body.0)
    }

    fn write_exports(&self, body: &mut Bytes) -> u32 {
        let count = self.exports.len();
        let functions = 0x28;
        let names = functions + 4 * count;
        let ordinals = names + 4 * count;
        let mut text = ordinals + 2 * count;
        let rva = |at: usize| self.directories + at as u32;
        body.u32(4, self.timestamp);
        body.u32(0xc, rva(text));
        body.u32(0x10, 1);
        body.u32(0x14, count as u32);
        body.u32(0x18, count as u32);
        body.u32(0x1c, rva(functions));
        body.u32(0x20, rva(names));
        body.u32(0x24, rva(ordinals));
        for name in std::iter::once(self.name).chain(self.exports.iter().map(|(name, _)| *name)) {
            body.raw(text, name.as_bytes());
            text += name.len() + 1;
        }
        body.raw(text, &[0]);
        let mut text = ordinals + 2 * count + self.name.len() + 1;
        for (index, (name, target)) in self.exports.iter().enumerate() {
            body.u32(functions + 4 * index, *target);
            body.u32(names + 4 * index, rva(text));
            body.u16(ordinals + 2 * index, index as u16);
            text += name.len() + 1;
        }
        text as u32
    }
}

/// The bytes of a GUID as files have them: three little endian numbers, then eight bytes.
pub(crate) fn file_order(guid: u128) -> [u8; 16] {
    let mut bytes = guid.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_leads_to_exports_and_symbols() {
        let image = Image {
            name: "test.exe",
            size: 0x10000,
            timestamp: 7,
            checksum: 8,
            preferred_base: 0x1_4000_0000,
            dll: false,
            version: (10, 0),
            pdb: Some((PdbId { guid: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff, age: 3 }, "test.pdb")),
            sections: vec![(".text", 0x1000, 0x3000, TEXT)],
            exports: vec![("First", 0x1234), ("Second", 0x2345)],
            directories: 0x3000,
        };
        let (head, body) = image.write();
        let u32_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (exports, debug) = (u32_at(&head, 0x80 + 0x18 + 0x70), u32_at(&head, 0x80 + 0x18 + 0xa0) as usize - 0x3000);
        assert_eq!((exports, u32_at(&body, 0x14)), (0x3000, 2));
        let name = u32_at(&body, u32_at(&body, 0x20) as usize - 0x3000 + 4) as usize - 0x3000;
        assert_eq!(&body[name..name + 7], b"Second\0");
        let record = u32_at(&body, debug + 0x14) as usize - 0x3000;
        assert_eq!(&body[record..record + 8], b"RSDS\x33\x22\x11\x00");
    }
}
