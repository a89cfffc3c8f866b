//! A machine that was built: its memory and what is true of it.

use crate::assembly::{Assembly, BOOT_TIME, UP_TIME};
use crate::dump::{DumpOptions, Kind, dump, present};
use crate::frames::FrameUse;
use crate::paging::Space;
use crate::physical::{PAGE, Physical, Run};
use crate::truth::Truth;
use ntlens_core::layout::Layouts;
use std::io::{self, Cursor, Seek, Write};

/// The memory of a machine at one moment.
///
/// ```
/// use ntlens_testkit::{Kind, Machine, ProcessSpec, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// let pid = machine.process(ProcessSpec::named("tool.exe").session(1));
/// let mut image = machine.build();
///
/// // What is true, and what memory holds at that place.
/// let process = image.truth().process(pid).unwrap().clone();
/// let at = process.eprocess + u64::from(image.layouts().place("_EPROCESS", "UniqueProcessId").unwrap().offset);
/// assert_eq!(image.read(at, 8).unwrap(), pid.to_le_bytes());
/// let user = image.read_in(image.space(pid).unwrap(), process.image_base.unwrap(), 2);
/// assert_eq!(user.as_deref(), Some(&b"MZ"[..]));
///
/// // Damage it, and write what is left.
/// image.write_kernel(at, &[0xff; 8]);
/// let mut file = std::io::Cursor::new(Vec::new());
/// let truth = image.write(Kind::Full, &mut file)?;
/// assert_eq!(truth.dump.unwrap().dump_type, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) layouts: Layouts,
    pub(crate) memory: Physical,
    pub(crate) kernel: Space,
    pub(crate) used: Vec<(u64, FrameUse)>,
    pub(crate) kdbg: Vec<u8>,
    /// Address spaces by process id.
    spaces: Vec<(u64, Space)>,
    truth: Truth,
    pub(crate) system_time: u64,
    pub(crate) up_time: u64,
}

impl Image {
    pub(crate) fn new(assembly: Assembly<'_>) -> Self {
        let spaces = assembly.truth.processes.iter().zip(&assembly.built);
        Self {
            layouts: assembly.guest.layouts,
            kernel: assembly.guest.kernel,
            used: assembly.guest.frames.used().collect(),
            memory: assembly.guest.memory,
            kdbg: assembly.kdbg,
            spaces: spaces.map(|(process, built)| (process.pid, built.space)).collect(),
            truth: assembly.truth,
            system_time: BOOT_TIME + UP_TIME,
            up_time: UP_TIME,
        }
    }

    /// What is true of this machine.
    pub const fn truth(&self) -> &Truth {
        &self.truth
    }

    /// What is true of this machine, to change it for a test that damages the memory.
    pub const fn truth_mut(&mut self) -> &mut Truth {
        &mut self.truth
    }

    /// Its physical memory.
    pub const fn memory(&self) -> &Physical {
        &self.memory
    }

    /// The layouts of its kernel.
    pub const fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    /// The address space of a process.
    pub fn space(&self, pid: u64) -> Option<Space> {
        self.spaces.iter().find(|(known, _)| *known == pid).map(|(_, space)| *space)
    }

    /// Reads kernel memory; `None` where something is not mapped.
    pub fn read(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        self.read_in(self.kernel, address, length)
    }

    /// Reads the memory of an address space; `None` where something is not mapped.
    pub fn read_in(&self, space: Space, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        for (at, piece) in crate::physical::pieces(address, length) {
            let mapping = space.translate(&self.memory, at)?;
            self.memory.read(mapping.physical, &mut bytes[piece]);
        }
        Some(bytes)
    }

    /// Overwrites mapped kernel memory, to damage it.
    pub fn write_kernel(&mut self, address: u64, bytes: &[u8]) {
        for (at, piece) in crate::physical::pieces(address, bytes.len()) {
            let mapping = self.kernel.translate(&self.memory, at).unwrap_or_else(|| panic!("{at:#x} is not mapped"));
            self.memory.write(mapping.physical, &bytes[piece]);
        }
    }

    /// Overwrites physical memory, to damage it.
    pub fn write_physical(&mut self, address: u64, bytes: &[u8]) {
        self.memory.write(address, bytes);
    }

    /// Writes a dump; what is true of it. Pages of zeros are skipped by seeking, so the target must read as zeros
    /// there: a new file does. What lies past [`DumpOptions::truncate`] is up to the caller;
    /// [`write_file`](Self::write_file) and [`to_vec`](Self::to_vec) cut it off.
    pub fn write(&self, options: impl Into<DumpOptions>, out: &mut (impl Write + Seek)) -> io::Result<Truth> {
        let options = options.into();
        let facts = dump(self, &options, out)?;
        let runs = if options.kind == Kind::Triage { Vec::new() } else { present(self, &options) };
        let mut truth = Truth { dump: Some(facts), ..self.truth.clone() };
        for translation in &mut truth.translations {
            let frame = translation.pa.map(|pa| pa / PAGE);
            translation.in_dump = frame.map(|frame| runs.iter().any(|run| (run.first..run.end()).contains(&frame)));
        }
        Ok(truth)
    }

    /// Writes a dump to a new file.
    pub fn write_file(&self, options: impl Into<DumpOptions>, path: impl AsRef<std::path::Path>) -> io::Result<Truth> {
        let mut file = std::fs::File::create(path)?;
        let truth = self.write(options, &mut file)?;
        // Zeros at the end were only skipped.
        file.set_len(truth.dump.as_ref().map_or(0, |dump| dump.file_size))?;
        Ok(truth)
    }

    /// A dump in memory. Not for machines with gigabytes of RAM.
    pub fn to_vec(&self, options: impl Into<DumpOptions>) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        let truth = self.write(options, &mut out).expect("memory takes every write");
        let mut bytes = out.into_inner();
        bytes.resize(truth.dump.map_or(0, |dump| dump.file_size as usize), 0);
        bytes
    }

    /// Frames with this property, as runs.
    pub(crate) fn used_runs(&self, wanted: impl Fn(FrameUse) -> bool) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (frame, _) in self.used.iter().filter(|(_, usage)| wanted(*usage)) {
            match runs.last_mut() {
                Some(last) if last.end() == *frame => last.count += 1,
                _ => runs.push(Run { first: *frame, count: 1 }),
            }
        }
        runs
    }
}
