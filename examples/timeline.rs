//! Which process started when?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::report::{Arguments, Cell, Question, Value, Wanted, timeline::TIMELINE};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    // Times of every other table are in it, too: threads, images, trace sessions, the boot.
    let starts = TIMELINE.selection(Wanted::All).filter("table = processes and column = create_time")?;
    let starts = starts.columns("time,pid,name")?;
    let answer = TIMELINE.ask_selected(&dump, &Arguments::default(), &starts, &ntlens::Threads)?;
    for row in &answer.rows {
        if let [Some(Value::Time(time)), Some(Value::Uint(pid)), Some(Value::Text(name))] =
            row.iter().map(Cell::value).collect::<Vec<_>>().as_slice()
        {
            println!("{time} {pid} {name}");
        }
    }
    Ok(())
}
