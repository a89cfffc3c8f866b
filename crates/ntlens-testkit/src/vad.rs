//! `_MMVAD_SHORT` and `_MMVAD`: which ranges of user memory a process has, as a tree.

use crate::assembly::Assembly;
use crate::physical::PAGE;
use crate::plan::SHARED_DATA_USER;
use crate::pool::PoolKind;
use crate::truth::Vad;
use crate::user_space::UserMemory;

const NODE: &str = "_MMVAD_SHORT";
const MAPPED_NODE: &str = "_MMVAD";
/// `MM_READONLY`, `MM_READWRITE`, `MM_EXECUTE_READWRITE`, `MM_EXECUTE_WRITECOPY`, and `MM_READWRITE` with a guard page.
const READ_ONLY: u8 = 1;
const READ_WRITE: u8 = 4;
const ANYTHING: u8 = 6;
const IMAGE: u8 = 7;
const GUARDED: u8 = 0x14;
/// `VadImageMap`; all other ranges here have the type 0.
const IMAGE_MAP: u64 = 2;
/// Where ranges lie that have no content.
const SECTION: u64 = 0x1_0000;
const CODE: u64 = 0x6_0000;
const DATA_FILE: u64 = 0x8_0000;
const LOCALE: &str = "\\Windows\\System32\\locale.nls";

fn range(start: u64, size: u64, kind: &'static str, protection: u8) -> Vad {
    let commit = if kind == "private" { size / PAGE } else { 0 };
    Vad { start, end: start + size - 1, kind, protection, commit, file: None, va: 0 }
}

impl Assembly<'_> {
    /// Writes the tree of a process; its ranges, ascending.
    pub(crate) fn vads(&mut self, eprocess: u64, user: Option<&UserMemory>, threads: u32) -> Vec<Vad> {
        let mut vads = vec![range(SHARED_DATA_USER, PAGE, "private", READ_ONLY)];
        if let Some(user) = user {
            let classic = self.build < 9200;
            let threads = u64::from(threads) * 2 * PAGE;
            let peb = if classic { user.peb - threads - PAGE } else { user.peb };
            vads.push(range(peb, threads + 2 * PAGE, "private", READ_WRITE));
            vads.push(range(user.heap.0, user.heap.1 - user.heap.0, "private", READ_WRITE));
            vads.push(range(SECTION, 2 * PAGE, "mapped", READ_WRITE));
            vads.push(range(CODE, 3 * PAGE, "private", ANYTHING));
            vads.push(range(CODE + 4 * PAGE, 4 * PAGE, "private", GUARDED));
            vads.push(Vad { file: Some(LOCALE.into()), ..range(DATA_FILE, 0x1_3000, "mapped", READ_ONLY) });
            let wow64 = user.loader32.as_ref();
            if let Some(wow64) = wow64 {
                vads.push(range(wow64.peb, PAGE, "private", READ_WRITE));
                vads.push(range(wow64.heap.0, wow64.heap.1 - wow64.heap.0, "private", READ_WRITE));
            }
            vads.extend(user.dlls.iter().chain(wow64.iter().flat_map(|wow64| &wow64.dlls)).map(|dll| {
                let file = dll.path.strip_prefix("C:").unwrap_or(&dll.path).to_owned();
                Vad { commit: 3, file: Some(file), ..range(dll.base, dll.size.next_multiple_of(PAGE), "image", IMAGE) }
            }));
        }
        vads.sort_unstable_by_key(|vad| vad.start);
        for vad in &mut vads {
            self.node(vad);
        }
        self.root(eprocess, &vads);
        vads
    }

    fn node(&mut self, vad: &mut Vad) {
        let private = vad.kind == "private";
        let (name, tag) = if private { (NODE, *b"VadS") } else { (MAPPED_NODE, *b"Vad ") };
        let size = self.guest.size_of(name, 0x90);
        vad.va = self.guest.alloc(PoolKind::NonPaged, size, tag);
        let (first, last) = (vad.start / PAGE, vad.end / PAGE);
        self.guest
            .at(vad.va, NODE)
            .set("StartingVpn", first)
            .set("EndingVpn", last)
            .set("StartingVpnHigh", first >> 32)
            .set("EndingVpnHigh", last >> 32)
            .set("u.VadFlags.VadType", if vad.kind == "image" { IMAGE_MAP } else { 0 })
            .set("u.VadFlags.Protection", u64::from(vad.protection))
            .set("u.VadFlags.PrivateMemory", u64::from(private))
            .set("u.VadFlags.CommitCharge", vad.commit)
            .set("u1.VadFlags1.CommitCharge", vad.commit)
            .set("u1.VadFlags1.MemCommit", u64::from(private));
        if !private {
            let subsection = self.subsection(vad.file.as_deref());
            self.guest.at(vad.va, MAPPED_NODE).set("Subsection", subsection);
        }
    }

    fn root(&mut self, eprocess: u64, vads: &[Vad]) {
        let offset = |path: &str| self.guest.offset("_EPROCESS", path).map(|offset| eprocess + offset);
        if let Some(head) = offset("VadRoot.BalancedRoot") {
            // Windows 7 keeps a whole node as head; the tree hangs on its right side.
            let top = self.subtree(vads, head);
            self.guest
                .at(eprocess, "_EPROCESS")
                .set("VadRoot.BalancedRoot.u1.Parent", head)
                .set("VadRoot.BalancedRoot.RightChild", top)
                .set("VadRoot.DepthOfTree", 4)
                .set("VadRoot.NumberGenericTableElements", vads.len() as u64);
        } else {
            let top = self.subtree(vads, 0);
            self.guest
                .at(eprocess, "_EPROCESS")
                .set("VadRoot.Root", top)
                .set("VadHint", top)
                .set("VadCount", vads.len() as u64);
        }
    }

    /// Links ranges as a balanced tree below `parent`; the node at its top.
    fn subtree(&mut self, vads: &[Vad], parent: u64) -> u64 {
        if vads.is_empty() {
            return 0;
        }
        let (below, rest) = vads.split_at(vads.len() / 2);
        let top = rest[0].va;
        let left = self.subtree(below, top);
        let right = self.subtree(&rest[1..], top);
        self.guest
            .at(top, NODE)
            .set("VadNode.Left", left)
            .set("VadNode.Right", right)
            .set("VadNode.ParentValue", parent)
            .set("LeftChild", left)
            .set("RightChild", right)
            .set("u1.Parent", parent);
        top
    }
}
