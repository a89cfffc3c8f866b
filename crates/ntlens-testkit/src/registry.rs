//! The registry as the kernel keeps it in memory: hives in their list, and keys as processes hold them, which are key
//! bodies with the control blocks up to `\REGISTRY`. What is in a hive is not written.

use crate::assembly::Assembly;
use crate::guest::utf16;
use crate::pool::PoolKind;
use crate::truth;

/// `HHIVE_SIGNATURE`
const SIGNATURE: u64 = 0xbee0_bee0;

impl Assembly<'_> {
    /// Writes the hives and the list of them.
    pub(crate) fn hives(&mut self) {
        let machine = self.machine;
        let list = self.symbol("CmpHiveListHead").filter(|_| !machine.hives.is_empty());
        if let Some(head) = list {
            self.guest.empty_list(self.guest.kernel, head);
        }
        for (root, file) in &machine.hives {
            let size = self.guest.size_of("_CMHIVE", 0x12f8);
            let va = self.guest.alloc(PoolKind::Paged, size, *b"CM10");
            let (path, of_file) = (self.guest.pool_text(root), self.guest.pool_text(file));
            self.guest
                .at(va, "_CMHIVE")
                .set("Hive.Signature", SIGNATURE)
                .ring("HiveList")
                .text("HiveRootPath", path)
                .text("FileFullPath", of_file)
                .text("FileUserName", of_file);
            if let (Some(head), Some(links)) = (list, self.guest.offset("_CMHIVE", "HiveList")) {
                self.guest.append(self.guest.kernel, head, va + links);
            }
            self.truth.hives.push(truth::Hive { va, root: root.clone(), file: file.clone() });
        }
    }

    /// The hive that holds a key: that with the longest root above it; 0 for the keys above all hives.
    fn hive_of(&self, path: &str) -> u64 {
        let holds = |hive: &&truth::Hive| {
            path.strip_prefix(hive.root.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
        };
        self.truth.hives.iter().filter(holds).max_by_key(|hive| hive.root.len()).map_or(0, |hive| hive.va)
    }

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
        let hive = self.hive_of(path);
        let size = self.guest.size_of("_CM_KEY_CONTROL_BLOCK", 0x138);
        let block = self.guest.alloc(PoolKind::Paged, size, *b"CMkb");
        self.guest
            .at(block, "_CM_KEY_CONTROL_BLOCK")
            .set("RefCount", 1)
            .set("ParentKcb", parent)
            .set("KeyHive", hive)
            .set("NameBlock", block_name);
        self.keys.insert(path.to_owned(), block);
        block
    }
}
