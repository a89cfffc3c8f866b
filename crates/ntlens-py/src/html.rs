//! Answers in a notebook. Everything that comes from a dump is escaped: names are chosen by whoever made the object.

use ntlens::render::cell_text;
use ntlens::report::{Cell, Heading, Table};
use ntlens::text::visible;
use std::fmt::Write;
use std::ops::Range;

/// Rows at the beginning and at the end that are shown of a long table.
pub(crate) const SHOWN: usize = 10;

/// Text that is no markup. Line ends stay: they do nothing in HTML.
pub(crate) fn escaped(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    let mut safe = String::new();
    for char in lines.join("\n").chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// The places of the rows to show: all of a short table, else the first and the last.
pub(crate) fn shown(count: usize) -> (Range<usize>, Range<usize>) {
    if count <= 2 * SHOWN { (0..count, count..count) } else { (0..SHOWN, count - SHOWN..count) }
}

/// A value, or why there is none.
fn cell(cell: &Cell) -> String {
    match cell.absent() {
        Some(why) => format!("<span style=\"opacity:.5\">{}</span>", why.reason()),
        None => escaped(&cell_text(cell)),
    }
}

/// The columns that a terminal would show, by their places.
fn screen(table: &Table) -> Vec<(usize, &Heading)> {
    let place = |name: &str| table.columns.iter().position(|column| column.name == name);
    let shown = table.screen.iter().filter_map(|shown| place(shown.column));
    shown.filter_map(|index| Some((index, table.columns.get(index)?))).collect()
}

/// A table, with what it misses and what stands out in it below.
pub(crate) fn table(table: &Table) -> String {
    if let (true, [row]) = (table.record, table.rows.as_slice()) {
        return record(table, row);
    }
    let columns = screen(table);
    let (first, last) = shown(table.rows.len());
    let mut out = String::from("<div style=\"overflow-x:auto\"><table><thead><tr>");
    for (_, column) in &columns {
        // Writing to a string does not fail.
        let _ = write!(out, "<th title=\"{}\">{}</th>", escaped(column.about), escaped(column.name));
    }
    out.push_str("</tr></thead><tbody>");
    rows(&mut out, table, &columns, first);
    if !last.is_empty() {
        let _ = write!(out, "<tr><td colspan=\"{}\">&#8230;</td></tr>", columns.len());
        rows(&mut out, table, &columns, last);
    }
    out.push_str("</tbody></table></div>");
    let _ = write!(out, "<p>{}</p>", escaped(&summary(table)));
    for remark in &table.remarks {
        let _ = write!(out, "<p>{}</p>", escaped(remark));
    }
    out
}

fn rows(out: &mut String, table: &Table, columns: &[(usize, &Heading)], shown: Range<usize>) {
    for row in table.rows.get(shown).unwrap_or_default() {
        out.push_str("<tr>");
        for (index, _) in columns {
            let _ = write!(out, "<td>{}</td>", row.get(*index).map(cell).unwrap_or_default());
        }
        out.push_str("</tr>");
    }
}

/// One row from top to bottom, with every column.
pub(crate) fn record(table: &Table, row: &[Cell]) -> String {
    let mut out = String::from("<table><tbody>");
    for (column, value) in table.columns.iter().zip(row) {
        let (name, about) = (escaped(column.name), escaped(column.about));
        let _ = write!(out, "<tr><th title=\"{about}\" style=\"text-align:left\">{name}</th>");
        let _ = write!(out, "<td style=\"text-align:left\">{}</td></tr>", cell(value));
    }
    out.push_str("</tbody></table>");
    out
}

/// The size of a table, and how much it misses.
pub(crate) fn summary(table: &Table) -> String {
    let mut text = format!("{}: {} rows x {} columns", table.name, table.rows.len(), table.columns.len());
    let missing = table.incomplete.iter().fold(0_u64, |sum, missing| sum.saturating_add(missing.count));
    if missing > 0 {
        let _ = write!(text, ", {missing} missing or wrong (see .incomplete)");
    }
    text
}
