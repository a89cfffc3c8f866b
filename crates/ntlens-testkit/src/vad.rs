//! `_MMVAD_SHORT`: which ranges of user memory a process has, as a tree.

use crate::assembly::Assembly;
use crate::physical::PAGE;
use crate::plan::SHARED_DATA_USER;
use crate::pool::PoolKind;
use crate::truth::Vad;
use crate::user_space::UserMemory;

const NODE: &str = "_MMVAD_SHORT";
/// `MM_READWRITE` and `MM_READONLY`.
const READ_WRITE: u8 = 4;
const READ_ONLY: u8 = 1;

impl Assembly<'_> {
    /// Writes the tree of a process; its ranges, ascending. All are told as private memory.
    pub(crate) fn vads(&mut self, eprocess: u64, user: Option<&UserMemory>, threads: u32) -> Vec<Vad> {
        let mut ranges = vec![(SHARED_DATA_USER, PAGE, READ_ONLY)];
        if let Some(user) = user {
            let classic = self.build < 9200;
            let threads = u64::from(threads) * 2 * PAGE;
            let peb = if classic { user.peb - threads - PAGE } else { user.peb };
            ranges.push((peb, threads + 2 * PAGE, READ_WRITE));
            ranges.push((user.heap.0, user.heap.1 - user.heap.0, READ_WRITE));
            ranges.extend(user.dlls.iter().map(|dll| (dll.base, dll.size.next_multiple_of(PAGE), READ_ONLY)));
        }
        ranges.sort_unstable();
        let mut vads: Vec<Vad> = ranges
            .into_iter()
            .map(|(start, size, protection)| Vad { start, end: start + size - 1, kind: "private", protection, va: 0 })
            .collect();
        let size = self.guest.size_of(NODE, 0x40);
        for vad in &mut vads {
            vad.va = self.guest.alloc(PoolKind::NonPaged, size, *b"VadS");
            let (first, last) = (vad.start / PAGE, vad.end / PAGE);
            self.guest
                .at(vad.va, NODE)
                .set("StartingVpn", first)
                .set("EndingVpn", last)
                .set("StartingVpnHigh", first >> 32)
                .set("EndingVpnHigh", last >> 32)
                .set("u.VadFlags.Protection", u64::from(vad.protection))
                .set("u.VadFlags.PrivateMemory", 1);
        }
        self.root(eprocess, &vads);
        vads
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
