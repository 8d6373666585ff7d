//! A line of CSV, as RFC 4180 has it.

use super::{Cell, Column};

/// The line with the columns' names, or with a row's cells, its end included.
pub fn csv_line(columns: &[Column], row: Option<&[Cell<'_>]>) -> String {
    let cells: Vec<String> = match row {
        Some(row) => row.iter().map(|cell| quoted(cell.text())).collect(),
        None => columns.iter().map(|column| column.name.to_owned()).collect(),
    };
    let mut line = cells.join(",");
    line.push_str("\r\n");
    line
}

fn quoted(text: String) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
