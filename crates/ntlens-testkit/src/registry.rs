//! Registry keys as processes hold them: key bodies, and the control blocks up to `\REGISTRY`.

use crate::assembly::Assembly;
use crate::guest::utf16;
use crate::pool::PoolKind;

impl Assembly<'_> {
    /// A key body for the key of a path.
    pub(crate) fn key(&mut self, path: &str) -> u64 {
        let block = self.key_control_block(path);
        let size = self.guest.size_of("_CM_KEY_BODY", 0x70);
        let key = self.object(PoolKind::Paged, "Key", size, *b"Key ", None);
        self.guest.at(key, "_CM_KEY_BODY").set("Type", 0x6b79_3032).set("KeyControlBlock", block);
        key
    }

    /// The control block of a key, made with those above it if it is new.
    fn key_control_block(&mut self, path: &str) -> u64 {
        if let Some(known) = self.keys.get(path) {
            return *known;
        }
        let (above, name) = path.rsplit_once('\\').expect("a key's path begins with \\REGISTRY");
        let parent = if above.is_empty() { 0 } else { self.key_control_block(above) };
        // Names of Latin-1 characters take one byte each.
        let narrow: Option<Vec<u8>> = name.chars().map(|character| u8::try_from(character).ok()).collect();
        let (compressed, bytes) = narrow.map_or_else(|| (0, utf16(name)), |bytes| (1, bytes));
        let at = self.guest.offset("_CM_NAME_CONTROL_BLOCK", "Name").unwrap_or(0x1a);
        let block_name = self.guest.alloc(PoolKind::Paged, at + bytes.len() as u64, *b"CMNb");
        self.guest
            .at(block_name, "_CM_NAME_CONTROL_BLOCK")
            .set("Compressed", compressed)
            .set("RefCount", 1)
            .set("NameLength", bytes.len() as u64)
            .bytes("Name", &bytes);
        let size = self.guest.size_of("_CM_KEY_CONTROL_BLOCK", 0x138);
        let block = self.guest.alloc(PoolKind::Paged, size, *b"CMkb");
        self.guest
            .at(block, "_CM_KEY_CONTROL_BLOCK")
            .set("RefCount", 1)
            .set("ParentKcb", parent)
            .set("NameBlock", block_name);
        self.keys.insert(path.to_owned(), block);
        block
    }
}
