//! `_MM_SESSION_SPACE`: sessions and the processes in them.

use crate::assembly::{Assembly, BOOT_TIME};
use crate::truth;
use std::collections::BTreeMap;

const SESSION: &str = "_MM_SESSION_SPACE";

impl Assembly<'_> {
    /// Writes the sessions that processes are in, and links those processes. Ended processes are in none.
    pub(crate) fn sessions(&mut self) {
        let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (index, process) in self.truth.processes.iter().enumerate() {
            if let (Some(session), None) = (process.session_id, process.exit_time) {
                members.entry(session).or_default().push(index);
            }
        }
        let kernel = self.guest.kernel;
        let list = self.session_list();
        if let Some(head) = list {
            self.guest.empty_list(kernel, head);
        }
        for (session_id, indices) in members {
            let size = self.guest.size_of(SESSION, 0x5000);
            let va = self.guest.pages(size);
            self.guest
                .at(va, SESSION)
                .set("ReferenceCount", indices.len() as u64)
                .set("SessionId", u64::from(session_id))
                .set("ResidentProcessCount", indices.len() as u64)
                .set("CreateTime", BOOT_TIME + u64::from(session_id) * 100_000_000)
                .ring("ProcessList")
                .ring("WsListEntry");
            if let (Some(head), Some(links)) = (list, self.guest.offset(SESSION, "WsListEntry")) {
                self.guest.append(kernel, head, va + links);
            }
            for index in &indices {
                let eprocess = self.truth.processes[*index].eprocess;
                self.guest.at(eprocess, "_EPROCESS").put("Session", va);
                let offsets =
                    (self.guest.offset(SESSION, "ProcessList"), self.guest.offset("_EPROCESS", "SessionProcessLinks"));
                if let (Some(head), Some(links)) = offsets {
                    self.guest.append(kernel, va + head, eprocess + links);
                }
            }
            let pids = indices.iter().map(|index| self.truth.processes[*index].pid).collect();
            self.truth.sessions.push(truth::Session { session_id, va, pids });
        }
        for process in &mut self.truth.processes {
            if process.exit_time.is_some() {
                process.session_id = None;
            }
        }
    }

    /// The head of the list of sessions.
    fn session_list(&mut self) -> Option<u64> {
        if self.build < 10240 {
            return self.symbol("MiSessionWsList");
        }
        let offset = self.guest.offset("_MI_SYSTEM_INFORMATION", "Vs.SessionWsList")?;
        Some(self.symbol("MiState")? + offset)
    }
}
