//! The log as a file that a spreadsheet opens (RFC 4180), without anything that it would run.

use std::borrow::Cow;

use super::activity_words as words;
use super::words::Reading;
use crate::activity::{self, Entry, Filter, Whose};
use crate::catalogue::Catalogue;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::types::is_unprintable;

const COLUMNS: [&str; 9] = ["time", "event", "token", "detail", "request", "address", "by", "result", "reference"];

/// At most [`activity::FILE_MOST`] rows, none of them larger than a few kilobytes. Times are RFC 3339 in UTC.
pub fn file(
    conn: &mut Conn,
    whose: &Whose,
    filter: &Filter,
    catalogue: &Catalogue,
    reading: &Reading,
) -> Result<Vec<u8>> {
    let mut file = writer();
    file.write_record(COLUMNS).map_err(Error::internal)?;
    activity::every(conn, whose, filter, |entry| {
        let cells = row(entry, catalogue, reading);
        file.write_record(cells.iter().map(|cell| harmless(cell).into_owned())).map_err(Error::internal)
    })?;
    file.into_inner().map_err(|cause| Error::internal(cause.to_string()))
}

/// Quoted throughout: in some countries a spreadsheet takes a semicolon for the end of a cell.
pub fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new())
}

fn row(entry: &Entry, catalogue: &Catalogue, reading: &Reading) -> [String; COLUMNS.len()] {
    let (event, detail) = (words::named(entry).text, words::detail(entry, catalogue, reading));
    let none = String::new;
    match entry {
        Entry::Change(change) => {
            let token = if change.subject_kind == "token" { change.subject_name.clone() } else { none() };
            let by = change.actor_name.clone();
            [change.at.rfc3339(), event, token, detail, none(), change.ip.clone(), by, none(), none()]
        }
        Entry::Refusal(refused) => [
            refused.at.rfc3339(),
            event,
            refused.token_name.clone(),
            detail,
            words::request(refused),
            refused.ip.clone(),
            none(),
            words::result(refused).to_owned(),
            refused.reference.clone(),
        ],
    }
}

/// A spreadsheet runs a cell that begins like a formula, in some languages also one that begins with the wide form of such a
/// character, whatever stands before it that nobody sees; behind an apostrophe it is text.
pub fn harmless(cell: &str) -> Cow<'_, str> {
    let begins = cell.trim_start_matches(|c: char| c.is_whitespace() || is_unprintable(c));
    let is_moved = cell.starts_with(['\t', '\r', '\n']);
    match is_moved || begins.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        true => Cow::Owned(format!("'{cell}")),
        false => Cow::Borrowed(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_text() {
        let wide = ["＝1+1", "＋1", "－1", "＠SUM(A1)"];
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", " =1", "\u{feff}=1", "\u{200b}\u{a0}-1"]
            .iter()
            .chain(&wide)
        {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["", "a=1", "GET /zones", "10.4.0.17", " a", "\"=1\"", "{\"a\":-1}"] {
            assert_eq!(harmless(cell), cell);
        }
    }
}
