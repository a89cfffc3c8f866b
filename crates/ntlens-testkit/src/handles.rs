//! Handle tables of processes, and `PspCidTable`.

use crate::assembly::Assembly;
use crate::handle_table::Entry;
use crate::object::BODY;
use crate::pool::PoolKind;
use crate::process_spec::HandleTarget;
use crate::truth;
use std::collections::BTreeMap;

impl Assembly<'_> {
    pub(crate) fn handles(&mut self) {
        let machine = self.machine;
        for (index, spec) in machine.processes.iter().enumerate() {
            if spec.exit_time.is_some() {
                continue;
            }
            let mut entries = BTreeMap::new();
            let mut listed = Vec::new();
            let mut next = 4_u64;
            for handle in &spec.handles {
                let (kind, object, name) = self.target(&handle.target);
                while entries.contains_key(&next) || next.is_multiple_of(0x400) {
                    next += 4;
                }
                let value = handle.value.unwrap_or(next);
                assert!(value.is_multiple_of(4) && !value.is_multiple_of(0x400), "no handle can be {value:#x}");
                let entry = Entry { target: object - BODY, access: handle.access, attributes: handle.attributes };
                assert!(entries.insert(value, entry).is_none(), "two handles {value:#x}");
                listed.push(truth::Handle { handle: value, kind, object, access: handle.access, name });
            }
            let table = self.handle_table(&entries, spec.handle_levels);
            let eprocess = self.built[index].eprocess;
            let process = &mut self.truth.processes[index];
            process.handle_table =
                Some(truth::HandleTable { va: table.address, level: table.level, count: entries.len() });
            listed.sort_by_key(|handle| handle.handle);
            process.handles = listed;
            let pid = process.pid;
            self.own_handle_table(table.address, eprocess, pid);
            self.guest.at(eprocess, "_EPROCESS").put("ObjectTable", table.address);
            if pid == 4 {
                self.set_symbol("ObpKernelHandleTable", table.address);
            }
        }
        let cid = std::mem::take(&mut self.cid);
        let table = self.handle_table(&cid, 1);
        self.set_symbol("PspCidTable", table.address);
        let processes = self.truth.processes.iter().filter(|process| process.in_cid_table).count();
        self.truth.cid_table =
            truth::CidTable { va: table.address, level: table.level, processes, threads: cid.len() - processes };
    }

    /// The object without a name of this type and number.
    fn unnamed(&mut self, kind: &'static str, number: u32) -> u64 {
        if let Some(known) = self.unnamed.get(&(kind, number)) {
            return *known;
        }
        let object = self.object(PoolKind::NonPaged, kind, 0x60, *b"Even", None);
        self.unnamed.insert((kind, number), object);
        object
    }

    /// The type, the body and the name of what a handle refers to.
    fn target(&mut self, target: &HandleTarget) -> (String, u64, Option<String>) {
        if let HandleTarget::Duplicate { pid, value } = target {
            let of = self.truth.process(*pid).into_iter().flat_map(|process| &process.handles);
            let found = of.into_iter().find(|handle| handle.handle == *value);
            let found = found.unwrap_or_else(|| panic!("no process {pid} with a handle {value:#x} was added before"));
            return (found.kind.clone(), found.object, found.name.clone());
        }
        let process =
            |pid: &u64| self.truth.process(*pid).unwrap_or_else(|| panic!("a handle to process {pid}, which is none"));
        match target {
            HandleTarget::Process(pid) => ("Process".into(), process(pid).eprocess, None),
            HandleTarget::Thread(pid) => {
                ("Thread".into(), process(pid).threads.first().expect("the process has threads").va, None)
            }
            HandleTarget::Token(pid) => ("Token".into(), process(pid).token.va, None),
            HandleTarget::Job(number) => {
                let job = &self.truth.jobs[*number];
                ("Job".into(), job.va, job.name.clone())
            }
            HandleTarget::Named(path) => {
                let known = self.truth.named_objects.iter().find(|object| object.path == *path);
                let object = known.unwrap_or_else(|| panic!("no object {path}: add it with Machine::named_object"));
                (object.kind.clone(), object.object, Some(path.clone()))
            }
            HandleTarget::Duplicate { .. } => unreachable!("it was found above"),
            HandleTarget::Unnamed(kind, number) => ((*kind).into(), self.unnamed(kind, *number), None),
            HandleTarget::File(path) => ("File".into(), self.file(path), Some(path.clone())),
            HandleTarget::Key(path) => ("Key".into(), self.key(path), Some(path.clone())),
            HandleTarget::Mapped(path) => ("Section".into(), self.mapped_file(path), Some(path.clone())),
        }
    }
}
