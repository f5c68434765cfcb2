//! What the client commands print: tables that fit the terminal, JSON for programs, or single words.

use std::io::Write;

use chrono::{DateTime, Local};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::client::Failure;
use crate::api::json::{Revealed, Token, Whoami};
use crate::types::Stamp;

/// Columns of a table where nothing tells how wide the terminal is.
const WIDTH: u16 = 100;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// What fits the terminal
    Table,
    /// Every column, however wide
    Wide,
    Json,
}

pub fn lines(lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut text = String::new();
    lines.for_each(|line| text.push_str(&(line + "\n")));
    print(&text)
}

pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|cause| Failure::from(cause.to_string()))?;
    print(&(text + "\n"))
}

/// A reader that has gone, as `head` does, is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("The output cannot be written: {cause}.").into())
        }
        _ => Ok(()),
    }
}

pub fn table(headings: &[&str], wide: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings.to_vec());
    if !wide {
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| width.0);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

pub fn tokens(tokens: &[Token], output: Output) -> Result<(), Failure> {
    let wide = match output {
        Output::Json => return json(&tokens),
        Output::Wide => true,
        Output::Table => false,
    };
    if tokens.is_empty() {
        eprintln!("No tokens.");
        return Ok(());
    }
    let mut headings = vec!["ID", "NAME", "STATUS", "EXPIRES", "LAST USED"];
    if wide {
        headings.extend(["OWNER", "STARTS WITH", "SCOPES", "CREATED", "DESCRIPTION"]);
    }
    let mut table = table(&headings, wide);
    for token in tokens {
        let mut row = vec![
            token.id.clone(),
            plain(&token.name),
            token.status.to_string(),
            when(token.expires_at, "never"),
            when(token.last_used.as_ref().map(|used| used.at), "never"),
        ];
        if wide {
            row.extend([
                plain(&token.owner.name),
                token.starts_with.clone(),
                token.scopes.join(" "),
                when(Some(token.created_at), ""),
                plain(&token.description),
            ]);
        }
        table.add_row(row);
    }
    print(&format!("{}\n", table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")))
}

pub fn described(tokens: &[Token], output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return match tokens {
            [one] => json(one),
            many => json(&many),
        };
    }
    let blocks: Vec<String> = tokens.iter().map(|token| facts(&about(token))).collect();
    print(&blocks.join("\n"))
}

fn about(token: &Token) -> Vec<(&'static str, String)> {
    let used = token.last_used.as_ref();
    vec![
        ("id", token.id.clone()),
        ("name", plain(&token.name)),
        ("description", plain(&token.description)),
        ("owner", plain(&token.owner.name)),
        ("status", token.status.to_string()),
        ("starts with", token.starts_with.clone()),
        ("scopes", token.scopes.join("\n")),
        ("access set", token.access_set.clone().unwrap_or_default()),
        ("allow", token.allow.join("\n")),
        ("addresses", token.ip_allow.join("\n")),
        ("requests per minute", token.rate_per_minute.map(|rate| rate.to_string()).unwrap_or_default()),
        ("created", when(Some(token.created_at), "")),
        ("expires", when(token.expires_at, "never")),
        ("removed", when(token.removed_at, "")),
        ("old value until", when(token.previous_expires_at, "")),
        (
            "last used",
            used.map_or_else(|| "never".into(), |used| format!("{} from {}", when(Some(used.at), ""), used.ip)),
        ),
    ]
}

/// One fact a line; what is empty is left out.
fn facts(facts: &[(&str, String)]) -> String {
    let told: Vec<_> = facts.iter().filter(|(_, text)| !text.is_empty()).collect();
    let width = told.iter().map(|(term, _)| term.len()).max().unwrap_or_default();
    let line = |(term, text): &&(&str, String)| {
        let indented = text.replace('\n', &format!("\n{:width$}  ", ""));
        format!("{term:width$}  {indented}\n")
    };
    told.iter().map(line).collect()
}

/// A new value. What is beside it goes to standard error, so that `$(…)` holds what was asked for.
pub fn revealed(made: &Revealed, quiet: bool, output: Output) -> Result<(), Failure> {
    let value = made.value.as_deref().unwrap_or_default();
    match (quiet, output) {
        (true, _) => print(&format!("{value}\n")),
        (_, Output::Json) => json(made),
        _ => {
            print(&facts(&[
                ("id", made.token.id.clone()),
                ("name", plain(&made.token.name)),
                ("value", value.to_owned()),
            ]))?;
            eprintln!("Keep the value now: it is shown this once.");
            Ok(())
        }
    }
}

pub fn whoami(me: &Whoami, output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return json(me);
    }
    print(&facts(&[
        ("account", plain(me.account.email.as_deref().unwrap_or(&me.account.name))),
        ("role", me.role.to_string()),
        ("token", plain(&me.token.name)),
        ("expires", when(me.token.expires_at, "never")),
        ("scopes", me.scopes.join("\n")),
    ]))
}

/// In the time zone of the machine, to the minute.
fn when(at: Option<Stamp>, none: &str) -> String {
    at.map_or_else(|| none.to_owned(), |at| DateTime::<Local>::from(at.utc()).format("%Y-%m-%d %H:%M").to_string())
}

/// A name may hold what a terminal would obey.
pub fn plain(text: &str) -> String {
    text.replace(|c: char| crate::types::is_unprintable(c), "\u{fffd}")
}
