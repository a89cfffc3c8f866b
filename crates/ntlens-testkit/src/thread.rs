//! `_ETHREAD`: threads with their kernel stacks.

use crate::assembly::Assembly;
use crate::handle_table::Entry;
use crate::paging::{KERNEL, NO_EXECUTE, Space};
use crate::physical::PAGE;
use crate::pool::PoolKind;
use crate::truth;
use crate::user_space::UserMemory;

const ETHREAD: &str = "_ETHREAD";
/// Bytes of a kernel stack; only its upper part is mapped.
const STACK: u64 = 0x6000;

impl Assembly<'_> {
    /// A kernel stack: where it starts and how far down it reaches.
    pub(crate) fn stack(&mut self) -> (u64, u64) {
        let limit = self.guest.system_ptes;
        let base = limit + STACK;
        self.guest.system_ptes = base + PAGE;
        self.guest.map_new(self.guest.kernel, base - 2 * PAGE, 2, KERNEL | NO_EXECUTE);
        (base, limit)
    }

    pub(crate) fn thread(
        &mut self,
        eprocess: u64,
        pid: u64,
        number: u32,
        space: Space,
        user: Option<&UserMemory>,
        process_time: u64,
    ) -> truth::Thread {
        self.next_tid += 4 * (1 + self.rng.below(3));
        let tid = self.next_tid;
        let size = self.guest.size_of(ETHREAD, 0x900);
        let va = self.object(PoolKind::NonPaged, "Thread", size, *b"Thre", None);
        let (stack_base, stack_limit) = self.stack();
        let create_time = process_time + 1000 + u64::from(number) * 50_000;
        let start = if user.is_some() { self.code("PspUserThreadStartup") } else { self.code("ExpWorkerThread") };
        let teb = user.map(|user| self.teb(space, user, number, pid, tid));
        let win32_start = user.map_or(0, |user| user.image_base + 0x1400);
        self.guest
            .at(va, ETHREAD)
            .set("Tcb.Header.Type", 6)
            .ring("Tcb.Header.WaitListHead")
            .set("Tcb.InitialStack", stack_base - 0x50)
            .set("Tcb.StackBase", stack_base)
            .set("Tcb.StackLimit", stack_limit)
            .set("Tcb.KernelStack", stack_base - 0x400)
            .set("Tcb.Teb", teb.unwrap_or(0))
            .set("Tcb.Process", eprocess)
            .set("Tcb.ApcState.Process", eprocess)
            .set("Tcb.State", 5)
            .set("Tcb.WaitReason", 6)
            .set("Tcb.Priority", 8)
            .set("Tcb.BasePriority", 8)
            .set("Tcb.PreviousMode", u64::from(user.is_some()))
            .set("Tcb.SystemThread", u64::from(user.is_none()))
            .set("Tcb.KernelStackResident", 1)
            .set("Cid.UniqueProcess", pid)
            .set("Cid.UniqueThread", tid)
            .set("CreateTime", create_time)
            .set("StartAddress", start)
            .set("Win32StartAddress", win32_start)
            .ring("IrpList");
        if let Some(lists) = self.guest.offset(ETHREAD, "Tcb.ApcState.ApcListHead") {
            let kernel = self.guest.kernel;
            self.guest.empty_list(kernel, va + lists);
            self.guest.empty_list(kernel, va + lists + 0x10);
        }
        for (head, links) in [("ThreadListHead", "ThreadListEntry"), ("Pcb.ThreadListHead", "Tcb.ThreadListEntry")] {
            let offsets = (self.guest.offset("_EPROCESS", head), self.guest.offset(ETHREAD, links));
            if let (Some(head), Some(links)) = offsets {
                self.guest.append(self.guest.kernel, eprocess + head, va + links);
            }
        }
        self.cid.insert(tid, Entry { target: va, access: 0, attributes: 0 });
        truth::Thread { tid, va, create_time, start, stack_base, stack_limit, teb }
    }

    /// A thread that waits for work on a processor. It has no number and stands in no list.
    pub(crate) fn idle_thread(&mut self, number: u32) -> u64 {
        let size = self.guest.size_of(ETHREAD, 0x900);
        let inside = if number == 0 { self.symbol("KiInitialThread") } else { None };
        let va = inside.unwrap_or_else(|| self.guest.alloc(PoolKind::NonPaged, size, *b"Thre"));
        let process = self.symbol("KiInitialProcess").unwrap_or(self.built[0].eprocess);
        let (base, limit) = self.stack();
        self.guest
            .at(va, ETHREAD)
            .set("Tcb.Header.Type", 6)
            .set("Tcb.StackBase", base)
            .set("Tcb.StackLimit", limit)
            .set("Tcb.InitialStack", base - 0x50)
            .set("Tcb.KernelStack", base - 0x400)
            .set("Tcb.Process", process)
            .set("Tcb.ApcState.Process", process)
            .set("Tcb.State", 2);
        va
    }
}
