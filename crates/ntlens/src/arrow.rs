//! Answers as Arrow record batches, which dataframe libraries read without copies.
//!
//! | values | Arrow |
//! |---|---|
//! | numbers, codes, addresses | `uint64` |
//! | times | `timestamp[ns, UTC]`; one outside of what 64 bits hold is null and `malformed` |
//! | spans of time | `float64` seconds |
//! | texts | `large_utf8` |
//! | several of them | a list |
//! | why values are missing | the last column, `absent`: `column=reason`, separated by spaces; null if nothing is |

use crate::render::real;
use arrow_array::builder::{LargeStringBuilder, ListBuilder, UInt64Builder};
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, LargeStringArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
    UInt64Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use ntlens_core::report::{Cell, Heading, Kind, Table, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Name of the last column.
pub const ABSENT: &str = "absent";
const UTC: &str = "UTC";

/// The columns of a table and what they mean.
pub fn schema(table: &Table) -> Schema {
    let about = |text: &str| HashMap::from([("about".to_owned(), text.to_owned())]);
    let field =
        |column: &Heading| Field::new(column.name, data_type(column.kind), true).with_metadata(about(column.about));
    let absent = Field::new(ABSENT, DataType::LargeUtf8, true);
    let absent = absent.with_metadata(about("why values of the row are missing, as column=reason"));
    let fields: Vec<Field> = table.columns.iter().map(field).chain([absent]).collect();
    Schema::new_with_metadata(fields, HashMap::from([("table".to_owned(), table.name.to_owned())]))
}

/// The rows of a table. An error is a fault of this function.
pub fn batch(table: &Table) -> Result<RecordBatch, ArrowError> {
    let columns = table.columns.iter().enumerate().map(|(index, column)| {
        let cells = table.rows.iter().map(move |row| row.get(index).and_then(Cell::value));
        array(column.kind, cells)
    });
    let absent = table.rows.iter().map(|row| {
        let reasons = absent(table, row).map(|(column, reason)| format!("{column}={reason}"));
        Some(reasons.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
    });
    let absent: ArrayRef = Arc::new(absent.collect::<LargeStringArray>());
    let rows = RecordBatchOptions::new().with_row_count(Some(table.rows.len()));
    RecordBatch::try_new_with_options(Arc::new(schema(table)), columns.chain([absent]).collect(), &rows)
}

/// Why cells of a row are missing here: those that the dump does not tell, and times that no library can hold.
pub fn absent<'a>(table: &'a Table, row: &'a [Cell]) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    table.columns.iter().zip(row).filter_map(|(column, cell)| {
        let reason = match cell {
            Cell::Absent(why) => why.reason(),
            Cell::Value(Value::Time(time)) if time.unix_nanoseconds().is_none() => {
                ntlens_core::Absent::Malformed.reason()
            }
            Cell::Value(_) | Cell::Null => return None,
        };
        Some((column.name, reason))
    })
}

fn list_field(item: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", item, true))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Uint | Kind::Code | Kind::Address => DataType::UInt64,
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into())),
        Kind::Duration | Kind::Confidence => DataType::Float64,
        Kind::List => DataType::List(list_field(DataType::LargeUtf8)),
        Kind::Numbers | Kind::Addresses => DataType::List(list_field(DataType::UInt64)),
        // Text, and what a later version of the core adds.
        _ => DataType::LargeUtf8,
    }
}

/// A column. A value that is not of the column's kind would be a fault of the question, and is null.
fn array<'a>(kind: Kind, cells: impl Iterator<Item = Option<&'a Value>>) -> ArrayRef {
    match kind {
        Kind::Bool => Arc::new(
            cells
                .map(|cell| match cell {
                    Some(Value::Bool(value)) => Some(*value),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
        Kind::Uint | Kind::Code | Kind::Address => Arc::new(cells.map(number).collect::<UInt64Array>()),
        Kind::Time => {
            let times = cells.map(|cell| match cell {
                Some(Value::Time(time)) => time.unix_nanoseconds(),
                _ => None,
            });
            Arc::new(times.collect::<PrimitiveArray<TimestampNanosecondType>>().with_timezone(UTC))
        }
        Kind::Duration | Kind::Confidence => Arc::new(cells.map(|cell| cell.and_then(real)).collect::<Float64Array>()),
        Kind::List => {
            let mut lists = ListBuilder::new(LargeStringBuilder::new());
            for cell in cells {
                lists.append_option(match cell {
                    Some(Value::List(texts)) => Some(texts.iter().map(|text| Some(text.as_str()))),
                    _ => None,
                });
            }
            Arc::new(lists.finish())
        }
        Kind::Numbers | Kind::Addresses => {
            let mut lists = ListBuilder::new(UInt64Builder::new());
            for cell in cells {
                lists.append_option(match cell {
                    Some(Value::Numbers(values) | Value::Addresses(values)) => Some(values.iter().copied().map(Some)),
                    _ => None,
                });
            }
            Arc::new(lists.finish())
        }
        _ => Arc::new(
            cells
                .map(|cell| match cell {
                    Some(Value::Text(text)) => Some(text.as_str()),
                    _ => None,
                })
                .collect::<LargeStringArray>(),
        ),
    }
}

fn number(cell: Option<&Value>) -> Option<u64> {
    match cell? {
        Value::Uint(value) | Value::Code(value) | Value::Address(value) => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt64Type;
    use ntlens_core::Absent;
    use ntlens_core::nt::FileTime;

    fn table(kind: Kind, cells: Vec<Cell>) -> Table {
        let column = Heading { name: "a", kind, about: "what it means" };
        let rows = cells.into_iter().map(|cell| vec![cell]).collect();
        let (incomplete, remarks) = (Vec::new(), Vec::new());
        Table {
            name: "test",
            columns: vec![column],
            screen: Vec::new(),
            record: false,
            outline: None,
            rows,
            incomplete,
            remarks,
        }
    }

    #[test]
    fn what_is_missing_is_null_and_says_why() {
        let cells = vec![Cell::Value(Value::Address(u64::MAX)), Cell::Null, Cell::Absent(Absent::NoSuchField)];
        let batch = batch(&table(Kind::Address, cells)).unwrap();
        let values = batch.column(0).as_primitive::<UInt64Type>();
        assert_eq!(values.iter().collect::<Vec<_>>(), [Some(u64::MAX), None, None]);
        let absent = batch.column(1).as_string::<i64>();
        assert_eq!(absent.iter().collect::<Vec<_>>(), [None, None, Some("a=no-such-field")]);
    }

    #[test]
    fn a_time_that_no_library_holds_is_malformed() {
        let cells = [116_444_736_000_000_001, u64::MAX].map(|time| Cell::Value(Value::Time(FileTime(time)))).to_vec();
        let batch = batch(&table(Kind::Time, cells)).unwrap();
        let times = batch.column(0).as_primitive::<TimestampNanosecondType>();
        assert_eq!(times.iter().collect::<Vec<_>>(), [Some(100), None]);
        assert_eq!(batch.column(1).as_string::<i64>().value(1), "a=malformed");
    }

    /// No value of a question is of another kind than its column says: it would be null.
    #[test]
    fn a_value_of_another_kind_is_null() {
        for kind in [Kind::Bool, Kind::Uint, Kind::Time, Kind::Duration, Kind::List, Kind::Addresses, Kind::Code] {
            let batch = batch(&table(kind, vec![Cell::Value(Value::Text("x".into()))])).unwrap();
            assert!(batch.column(0).is_null(0), "{kind:?}");
        }
    }
}
