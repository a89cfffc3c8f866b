//! Which protected processes could anybody with System's rights open? A filter, columns and an order, as on the command line.
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::Threads;
use ntlens::report::{Arguments, Cell, Value, Wanted, question};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let processes = question("processes").ok_or("no such table")?;
    let selection = processes
        .selection(Wanted::All)
        .filter("protection ~ 'PPL-*' and not critical or name = System")?
        .columns("pid,name,protection")?
        .sort("-pid")?;
    let answer = processes.ask_selected(&dump, &Arguments::default(), &selection, &Threads)?;
    for row in &answer.rows {
        let text = |cell: &Cell| match cell.value() {
            Some(Value::Text(text)) => text.to_string(),
            Some(Value::Uint(number)) => number.to_string(),
            _ => "-".into(),
        };
        println!("{}", row.iter().map(text).collect::<Vec<_>>().join(" "));
    }
    Ok(())
}
