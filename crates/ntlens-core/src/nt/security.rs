//! What protects the whole system, as far as the kernel keeps it: code integrity, the hypervisor, KVA shadow, the level of
//! patches, the kernel's debugger.
//!
//! A variable is found by symbols of exactly this kernel, or by its export where it has one; its meaning is the one that
//! its name or a public header gives. The options of code integrity itself (`g_CiOptions`) are a variable of `CI.dll`,
//! whose symbols are not the kernel's: they are read where the user has them.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::kdbg::Kdbg;
use crate::layout::Layouts;
use crate::layout::field::Flags;
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::other_image::CI;
use crate::nt::owner::Owners;
use crate::nt::shared_data::{SharedData, SharedDataFields};
use crate::nt::snapshot::Snapshot;
use crate::text;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_MI_FLAGS`, the type of `MiFlags`.
    pub struct MiFlagsFields of "_MI_FLAGS" {
        /// What the memory manager was told at boot, code guarantees of a hypervisor among it.
        flags: Flags = "EntireFlags",
    }
}

/// The structures behind these facts.
#[derive(Clone, Debug)]
pub struct SecurityFields {
    shared_data: SharedDataFields,
    mi_flags: MiFlagsFields,
}

impl SecurityFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self { shared_data: SharedDataFields::resolve(layouts), mi_flags: MiFlagsFields::resolve(layouts) }
    }
}

/// Whether user mode runs on page tables of its own, and what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvaShadow {
    /// Whether it does.
    pub on: bool,
    /// The first thing that says so: `KiKvaShadow`, `MsrLStar` or `UserDirectoryTableBase`.
    pub evidence: &'static str,
}

/// The kernel's callbacks into code integrity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiCallbacks {
    /// Where they lead.
    pub routines: Vec<VirtAddr>,
    /// The modules that own these routines.
    pub modules: Vec<String>,
    /// Those that lead elsewhere than into `CI.dll`, with the module around, if there is one. Swapping one of them for a
    /// harmless routine of the kernel is a known way to load drivers that are not signed.
    pub elsewhere: Vec<(VirtAddr, Option<String>)>,
}

/// `SeCiCallbacks` begins with its size and is not larger.
const MAX_CI_CALLBACKS: u32 = 0x400;
/// `g_CiCallbacks` of Windows 7: to check a header, to check data, to query information.
const CI_CALLBACKS_OF_WINDOWS_7: u32 = 3;
/// Bytes of a text that names a build.
const MAX_LAB: usize = 128;

/// System-wide facts of one kernel.
#[derive(Clone, Debug)]
pub struct Security {
    snapshot: Snapshot,
    /// `KUSER_SHARED_DATA`.
    pub shared: SharedData,
}

impl Security {
    /// Reads what lies together; the rest is read when it is asked for.
    pub fn of(snapshot: &Snapshot) -> Self {
        let fields = &snapshot.fields().security.shared_data;
        Self { snapshot: snapshot.clone(), shared: SharedData::read(snapshot.space(), fields) }
    }

    /// The address of a variable, by its symbol or its export.
    fn variable(&self, name: &str) -> Result<VirtAddr, Absent> {
        self.snapshot.symbol(name).or_else(|why| {
            let headers = self.snapshot.kernel_headers().ok_or(why)?;
            headers.export(self.snapshot.space(), name).map_err(|_| why)
        })
    }

    fn byte(&self, name: &str) -> Result<u8, Absent> {
        let [byte] = self.snapshot.space().read_array::<1>(self.variable(name)?)?;
        Ok(byte)
    }

    /// A variable of type `BOOLEAN`, as a flag.
    fn flag(&self, name: &str) -> Result<bool, Absent> {
        self.byte(name).map(|value| value != 0)
    }

    /// The kernel can be debugged (`KdDebuggerEnabled`, exported).
    pub fn kd_debugger_enabled(&self) -> Result<bool, Absent> {
        self.flag("KdDebuggerEnabled")
    }

    /// No debugger is attached to the kernel (`KdDebuggerNotPresent`, exported).
    pub fn kd_debugger_not_present(&self) -> Result<bool, Absent> {
        self.flag("KdDebuggerNotPresent")
    }

    /// `NtGlobalFlag`, exported.
    pub fn global_flag(&self) -> Result<u32, Absent> {
        self.snapshot.space().read_u32(self.variable("NtGlobalFlag")?)
    }

    /// `InitSafeBootMode`, exported: 1 minimal, 2 with network, 3 to repair directory services; 0 for none.
    pub fn init_safe_boot_mode(&self) -> Result<u32, Absent> {
        self.snapshot.space().read_u32(self.variable("InitSafeBootMode")?)
    }

    /// `KiKvaShadow`
    pub fn ki_kva_shadow(&self) -> Result<bool, Absent> {
        self.flag("KiKvaShadow")
    }

    /// `KiKvaShadowMode` as stored.
    pub fn ki_kva_shadow_mode(&self) -> Result<u8, Absent> {
        self.byte("KiKvaShadowMode")
    }

    /// `KiKvaLeakage` as stored.
    pub fn ki_kva_leakage(&self) -> Result<u8, Absent> {
        self.byte("KiKvaLeakage")
    }

    /// Whether user mode runs on page tables of its own. The variable decides; without symbols, a process that has such
    /// tables (`UserDirectoryTableBase`) proves it. That none has proves nothing.
    pub fn kva_shadow(&self) -> Result<KvaShadow, Absent> {
        self.ki_kva_shadow().map(|on| KvaShadow { on, evidence: "KiKvaShadow" }).or_else(|why| {
            let processes = self.snapshot.processes().processes;
            let has_own = processes.iter().any(|process| process.user_dtb().is_ok_and(|dtb| dtb.is_some()));
            if has_own { Ok(KvaShadow { on: true, evidence: "UserDirectoryTableBase" }) } else { Err(why) }
        })
    }

    /// The same for one processor by where it enters the kernel (`MsrLStar`).
    pub fn kva_shadow_by_entry(&self, lstar: Result<VirtAddr, Absent>) -> Result<KvaShadow, Absent> {
        let lstar = lstar?;
        let leads_to = |name| self.snapshot.symbol(name).map(|at| at == lstar);
        let evidence = "MsrLStar";
        match (leads_to("KiSystemCall64Shadow"), leads_to("KiSystemCall64")) {
            (Ok(true), _) => Ok(KvaShadow { on: true, evidence }),
            (_, Ok(true)) => Ok(KvaShadow { on: false, evidence }),
            (Err(why), _) | (_, Err(why)) => Err(why),
            // Somebody else's code: it tells nothing.
            (Ok(false), Ok(false)) => Err(Absent::Malformed),
        }
    }

    /// `g_CiEnabled` of Windows 7: code integrity is on.
    pub fn ci_enabled(&self) -> Result<bool, Absent> {
        self.flag("g_CiEnabled")
    }

    /// `g_CiOptions` of `CI.dll`, whose bits no public header names: 0 lets any driver load, 6 is what a Windows that
    /// demands signatures has, and 8 in addition (`0xe`) one in test mode.
    pub fn ci_options(&self) -> Result<u32, Absent> {
        self.snapshot.space().read_u32(self.snapshot.other_image(CI)?.symbol("g_CiOptions")?)
    }

    /// Where the symbols of `CI.dll` came from.
    pub fn ci_symbols(&self) -> Result<&str, Absent> {
        Ok(self.snapshot.other_image(CI)?.source())
    }

    /// The kernel's callbacks into code integrity: `SeCiCallbacks`, in Windows 7 `g_CiCallbacks`.
    pub fn ci_callbacks(&self, owners: &Owners) -> Result<CiCallbacks, Absent> {
        let memory = self.snapshot.space();
        let sized = self.snapshot.symbol("SeCiCallbacks").and_then(|at| {
            let size = memory.read_u32(at)?;
            if size > MAX_CI_CALLBACKS {
                Err(Absent::Malformed)
            } else {
                Ok((at.wrapping_add(8), size.saturating_sub(8) / 8))
            }
        });
        let (at, count) = match sized {
            Err(Absent::SymbolsNeeded) => (self.snapshot.symbol("g_CiCallbacks")?, CI_CALLBACKS_OF_WINDOWS_7),
            other => other?,
        };
        let mut found = CiCallbacks::default();
        for index in 0..u64::from(count) {
            // A version number lies at the end, and places for what this machine does not use are empty.
            let routine = memory.read_pointer(at.wrapping_add(index * 8))?;
            found.routines.extend(routine.is_kernel().then_some(routine));
        }
        let module = |at: &VirtAddr| owners.module(*at).map(ToString::to_string);
        let modules: BTreeSet<String> = found.routines.iter().filter_map(module).collect();
        found.modules = modules.into_iter().collect();
        let is_elsewhere = |module: &Option<String>| module.as_ref().is_none_or(|name| !name.eq_ignore_ascii_case(CI));
        let owned = found.routines.iter().filter(|_| owners.know_modules()).map(|at| (*at, module(at)));
        found.elsewhere = owned.filter(|(_, module)| is_elsewhere(module)).collect();
        Ok(found)
    }

    /// Where system calls of processes that ask for it go instead of the tables of services (`PsAltSystemCallHandlers`,
    /// two places: of pico processes, and of who registered for it). Empty places are left out.
    pub fn alt_system_call_handlers(&self) -> Result<Vec<VirtAddr>, Absent> {
        let at = self.snapshot.symbol("PsAltSystemCallHandlers")?;
        let [first, second] = [at, at.wrapping_add(8)].map(|at| self.snapshot.space().read_pointer(at));
        Ok([first?, second?].into_iter().filter(|at| !at.is_null()).collect())
    }

    fn mi_flags_view(&self) -> Result<StructView, Absent> {
        let extent = self.snapshot.fields().security.mi_flags.extent.max(4);
        Ok(StructView::read(self.snapshot.space(), self.snapshot.symbol("MiFlags")?, extent))
    }

    /// `MiFlags`: the integer.
    pub fn mi_flags(&self) -> Result<u32, Absent> {
        self.mi_flags_view()?.flags(&self.snapshot.fields().security.mi_flags.flags)
    }

    /// `MiFlags`: the names of what is set, by the type `_MI_FLAGS`, which Windows 7 and 8 lack.
    pub fn mi_flag_names(&self) -> Result<Vec<String>, Absent> {
        let names = self.snapshot.fields().security.mi_flags.flags.as_ref().map_err(|why| *why)?;
        Ok(names.names(self.mi_flags()?))
    }

    /// The kernel knows the hypervisor that it runs on (`HvlHypervisorConnected`).
    pub fn hypervisor_connected(&self) -> Result<bool, Absent> {
        self.flag("HvlHypervisorConnected")
    }

    /// Virtualization-based security runs (`VslVsmEnabled`).
    pub fn vsm_enabled(&self) -> Result<bool, Absent> {
        self.flag("VslVsmEnabled")
    }

    /// The kernel's own code has shadow stacks (`KiKernelCetEnabled`).
    pub fn kernel_cet_enabled(&self) -> Result<bool, Absent> {
        self.flag("KiKernelCetEnabled")
    }

    /// Programs may have shadow stacks (`KiUserCetAllowed`).
    pub fn user_cet_allowed(&self) -> Result<bool, Absent> {
        self.flag("KiUserCetAllowed")
    }

    /// `NtBuildLabEx`
    pub fn build_lab_ex(&self) -> Result<String, Absent> {
        let at = self.snapshot.symbol("NtBuildLabEx")?;
        let mut lab = [0; MAX_LAB];
        let held = self.snapshot.space().read(at, &mut lab).map_or_else(|hole| hole.done, |()| lab.len());
        let lab = lab.get(..held).unwrap_or_default();
        // What does not end here is no such text.
        let ends = lab.len() < MAX_LAB || lab.contains(&0);
        let lab = text::ascii_until_nul(lab);
        if lab.is_empty() || !ends { Err(Absent::Malformed) } else { Ok(lab) }
    }

    /// `NtBuildQfe`, the number of the latest fixes; recent builds of Windows 10 and later have it.
    pub fn build_qfe(&self) -> Result<u32, Absent> {
        self.snapshot.space().read_u32(self.snapshot.symbol("NtBuildQfe")?)
    }

    /// `CmNtCSDVersion` as stored: the number of the service pack in bits 8 to 15.
    pub fn csd_version(&self) -> Result<u32, Absent> {
        let known = self.snapshot.kdbg().and_then(Kdbg::cm_nt_csd_version);
        let at = known.map_or_else(|| self.snapshot.symbol("CmNtCSDVersion"), Ok)?;
        self.snapshot.space().read_u32(at)
    }

    /// `CmCSDVersionString`, such as `Service Pack 1`; `None` for an empty one.
    pub fn csd_version_string(&self) -> Result<Option<String>, Absent> {
        let at = self.snapshot.symbol("CmCSDVersionString")?;
        self.snapshot.fields().unicode_string.read(self.snapshot.space(), at)
    }
}
