//! Handles as a machine at work has them: files, keys, sections, events, ports, and objects with names.

use crate::machine::Machine;
use crate::process_spec::{HandleSpec, HandleTarget, ProcessSpec};
use crate::rng::Rng;

/// The volume that files are on.
const VOLUME: &str = "\\Device\\HarddiskVolume3";
/// Folders and keys that handles lead to.
const FOLDERS: u64 = 400;
/// Named objects of each session.
const NAMED: u64 = 120;

const FILE: u32 = 0x12_0089;
const KEY: u32 = 0x2_0019;
const SECTION: u32 = 0xf_0005;
const ALL: u32 = 0x1f_0003;

impl Machine {
    /// Gives every process that lives so many handles more, in the proportions of a desktop: a quarter each of files and
    /// keys, the rest sections, waitable objects, ports and objects with names.
    pub fn busy(&mut self, handles: usize) -> &mut Self {
        let mut rng = Rng::new(self.seed ^ 0x6275_7379_0000_0000);
        self.named_object("Device", VOLUME);
        for session in [None, Some(1), Some(2)] {
            for number in 0..NAMED {
                let kind = ["Event", "Mutant", "Section", "Semaphore"][(number % 4) as usize];
                self.named_object(kind, named(session, number));
            }
        }
        let alive: Vec<(u64, Option<u32>)> = self
            .processes
            .iter()
            .filter(|spec| spec.exit_time.is_none())
            .map(|spec| (spec.pid.unwrap_or_default(), spec.session))
            .collect();
        let is_threaded = |spec: &&ProcessSpec| spec.exit_time.is_none() && spec.threads > 0;
        let threaded: Vec<u64> = self.processes.iter().filter(is_threaded).filter_map(|spec| spec.pid).collect();
        let mut number = 0;
        for (pid, session) in &alive {
            let mut unnamed = |kind| {
                number += 1;
                HandleSpec::new(HandleTarget::Unnamed(kind, number), ALL)
            };
            let mut added = Vec::with_capacity(handles);
            for index in 0..handles {
                let folder = rng.below(FOLDERS);
                added.push(match index % 20 {
                    0..5 => {
                        let path = format!("{VOLUME}\\Program Files\\Vendor{folder}\\cache\\file-{pid}-{index}.dat");
                        HandleSpec::new(HandleTarget::File(path), FILE)
                    }
                    5..10 => {
                        let path = format!("\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor{folder}\\Settings{}", index % 4);
                        HandleSpec::new(HandleTarget::Key(path), KEY)
                    }
                    10 => {
                        let path = format!("{VOLUME}\\Windows\\Fonts\\font{folder}.ttf");
                        HandleSpec::new(HandleTarget::Mapped(path), SECTION)
                    }
                    11..14 => unnamed("Event"),
                    14 => unnamed("Semaphore"),
                    15 => unnamed("ALPC Port"),
                    16 => unnamed("IoCompletion"),
                    17 | 18 => {
                        let path = named(session.filter(|session| matches!(session, 1 | 2)), rng.below(NAMED));
                        HandleSpec::new(HandleTarget::Named(path), ALL)
                    }
                    _ => {
                        let other = threaded[rng.below(threaded.len() as u64) as usize];
                        HandleSpec::new(HandleTarget::Thread(other), 0x1800)
                    }
                });
            }
            self.spec(*pid).handles.extend(added);
        }
        self
    }
}

/// The path of a named object of a session, or of the global ones.
fn named(session: Option<u32>, number: u64) -> String {
    let above = session.map_or_else(String::new, |session| format!("\\Sessions\\{session}"));
    format!("{above}\\BaseNamedObjects\\Vendor.Shared.{number}")
}
