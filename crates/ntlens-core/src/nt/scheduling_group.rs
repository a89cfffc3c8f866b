//! Scheduling groups: `KSCHEDULING_GROUP`, which gives the threads of a job their share of the processors.
//!
//! What limits the rate of a job (`EJOB.CpuRateControl`) has no public definition; what the scheduler made of it has. Rates
//! are hundredths of a percent and weights one to nine, as in `JOBOBJECT_CPU_RATE_CONTROL_INFORMATION` of `winnt.h`.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::{Bits, Field, Scalar};
use crate::layout::view::StructView;
use crate::nt::snapshot::Snapshot;

crate::fields! {
    /// Fields of `_KSCHEDULING_GROUP`, which came with Windows 8.
    pub struct SchedulingGroupFields of "_KSCHEDULING_GROUP" {
        /// The rate or the weight of Windows 8 and 8.1, by their kind.
        value: Field<u16> = "Value",
        /// The share that its threads are sure of, since Windows 10: of a kind by rate.
        min_rate: Field<u16> = "Policy.MinRate",
        /// The share that they never exceed, since Windows 10: of a kind by rate.
        max_rate: Field<u16> = "Policy.MaxRate",
        /// How their share compares with others, since Windows 10: of a kind by weight. It lies where the smallest rate
        /// lies.
        weight: Field<u16> = "Policy.Weight",
        /// By weight or by rate, as stored, since Windows 10: symbols do not name the values.
        kind: Bits = "Policy.Type",
        /// The same of Windows 8 and 8.1.
        kind_of_windows_8: Field<u8> = "Type",
        /// The rate is not exceeded even where processors are idle.
        hard_cap: Field<u8> = "HardCap",
        /// The policy is not in force.
        disabled: Bits = "Policy.Disabled",
        /// The weight among all groups beside it, as the scheduler reckons it.
        relative_weight: Field<u32> = "RelativeWeight",
    }
}

/// A scheduling group.
#[derive(Clone, Debug)]
pub struct SchedulingGroup {
    view: StructView,
    snapshot: Snapshot,
}

impl SchedulingGroup {
    /// The group at an address; `None` if there is none.
    pub(crate) fn at(snapshot: &Snapshot, at: VirtAddr) -> Result<Option<Self>, Absent> {
        if at.is_null() {
            return Ok(None);
        }
        if !at.is_kernel() {
            return Err(Absent::Malformed);
        }
        let view = StructView::read(snapshot.space(), at, snapshot.fields().scheduling_group.extent);
        Ok(Some(Self { view, snapshot: snapshot.clone() }))
    }

    /// Its address.
    pub fn address(&self) -> VirtAddr {
        self.view.at
    }

    fn fields(&self) -> &SchedulingGroupFields {
        &self.snapshot.fields().scheduling_group
    }

    /// A field by its declaration in [`SchedulingGroupFields`].
    pub fn get<T: Scalar>(
        &self,
        field: impl Fn(&SchedulingGroupFields) -> &Result<Field<T>, Absent>,
    ) -> Result<T, Absent> {
        self.view.get(field(self.fields()))
    }

    /// By weight or by rate, as stored.
    pub fn kind(&self) -> Result<u64, Absent> {
        let fields = self.fields();
        self.view
            .bits(&fields.kind)
            .or_else(|why| self.view.get(&fields.kind_of_windows_8).map(u64::from).map_err(|_| why))
    }

    /// The policy is not in force.
    pub fn disabled(&self) -> Result<bool, Absent> {
        self.view.bit(&self.fields().disabled)
    }
}
