//! Filters, orders and choices of columns: a byte that chooses the question and which of the three it is, then text.

use crate::input::Input;
use ntlens_core::Absent;
use ntlens_core::nt::FileTime;
use ntlens_core::report::filter::Filter;
use ntlens_core::report::{Cell, Heading, Kind, QUESTIONS, Question, SelectionError, Text, Value, Wanted};

/// Reads the text as one of the three; most often as a filter.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(choice) = input.u8().map(usize::from) else { return };
    let question = QUESTIONS[choice % QUESTIONS.len()];
    let text = String::from_utf8_lossy(input.0);
    match choice / QUESTIONS.len() {
        1 => drop(question.selection(Wanted::All).columns(&text)),
        2 => drop(question.selection(Wanted::All).sort(&text)),
        _ => check(question, &text),
    }
}

/// Reads a filter, shows it, and reads that again.
fn check(question: &dyn Question, text: &str) {
    let filter = match read(question, text) {
        Ok(filter) => filter,
        Err(SelectionError::Filter { position, .. }) => {
            // A fault at the end is behind the last character.
            assert!((1..=text.chars().count() + 1).contains(&position), "a fault at {position} of {text:?}");
            return;
        }
        Err(_) => return,
    };
    let shown = filter.to_string();
    let again = read(question, &shown).unwrap_or_else(|why| panic!("{text:?} is shown as {shown:?}: {why}"));
    assert_eq!(again, filter, "{text:?} is shown as {shown:?}");
    assert_eq!(again.to_string(), shown, "{text:?} is shown in another form each time");
    // The logic of three values, over rows of every kind.
    let double = read(question, &format!("({shown}) and ({shown}) or ({shown})"));
    let negated = read(question, &format!("not ({shown})"));
    for row in 0..6 {
        let cells: Vec<Cell> = filter.columns().iter().map(|column| cell(*column, row)).collect();
        let is = filter.test(&cells);
        if let Ok(double) = &double {
            assert_eq!(double.test(&cells), is, "{shown:?} twice is another filter");
        }
        if let Ok(negated) = &negated {
            assert_eq!(negated.test(&cells), is.map(|is| !is), "{shown:?} and its contrary");
        }
    }
}

fn read(question: &dyn Question, text: &str) -> Result<Filter, SelectionError> {
    Filter::parse(question.name(), &question.columns(), question.screen(), text)
}

/// A cell of a column in a row: nothing, something missing, or a value.
fn cell(column: Heading, row: u16) -> Cell {
    let number = u64::from(row) * 4;
    match (row, column.kind) {
        (0, _) => Cell::Null,
        (1, _) => Cell::Absent(Absent::AddressNotInDump),
        (2, _) => Cell::Absent(Absent::NotApplicable),
        (_, Kind::Bool) => Cell::Value(Value::Bool(row.is_multiple_of(2))),
        (_, Kind::Uint) => Cell::Value(Value::Uint(number)),
        (_, Kind::Code) => Cell::Value(Value::Code(number)),
        (_, Kind::Address) => Cell::Value(Value::Address(number)),
        (_, Kind::Time) => Cell::Value(Value::Time(FileTime(number << 56))),
        (_, Kind::Duration) => Cell::Value(Value::Duration(number)),
        (_, Kind::Confidence) => Cell::Value(Value::Confidence(row * 100)),
        (_, Kind::Text) => Cell::Value(Value::Text(Text::fixed("System"))),
        (_, Kind::List) => Cell::Value(Value::List(vec![Text::fixed("a"), Text::fixed("System")])),
        (_, Kind::Addresses) => Cell::Value(Value::Addresses(vec![number])),
        (_, Kind::Numbers) => Cell::Value(Value::Numbers(vec![number, 1])),
        _ => Cell::Null,
    }
}
