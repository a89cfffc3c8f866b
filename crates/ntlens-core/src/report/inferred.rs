//! `inferred`: the fields whose places were found out from the dump itself.

use super::value::{Code, Confidence};
use super::{Asked, Column, Kind, TableDef, screen};
use crate::nt::infer::InferredField;
use alloc::vec::Vec;

/// The table. It has no rows where symbols say where everything is.
pub const INFERRED: Asked<InferredField> = Asked {
    table: TableDef {
        name: "inferred",
        about: "the fields whose places were found out from the dump itself, for want of symbols that fit",
        columns: &[
            Column::new("structure", Kind::Text, "the structure by Windows' name", |f: &InferredField| {
                f.structure.into()
            }),
            Column::new("field", Kind::Text, "the field's path in it", |f| f.field.into()),
            Column::new("offset", Kind::Code, "bytes from the structure's start", |f| Code(f.offset.into()).into()),
            Column::new("confidence", Kind::Confidence, "how sure it is, from 0 to 1", |f| {
                Confidence(f.confidence).into()
            }),
            Column::new("evidence", Kind::Text, "what it rests on", |f| f.evidence.clone().into()),
        ],
        screen: &[
            screen("Structure", "structure"),
            screen("Field", "field"),
            screen("Offset", "offset"),
            screen("Sure", "confidence"),
            screen("Evidence", "evidence"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| Ok((dump.kernel()?.selected().inferred.clone(), Vec::new())),
    remarks: |_| Vec::new(),
};
