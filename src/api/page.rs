//! Pages of lists: how many rows, behind which one, and what a cursor is told that leads nowhere.

use actix_web::http::StatusCode;
use uuid::Uuid;

use super::answer::Refused;
use super::json::List;
use crate::error::{Error, Result};

const USUAL_LIMIT: u16 = 50;
const LIMIT: u16 = 200;
const LOST: &str = "This cursor leads nowhere. Begin again without it.";

/// Rows of a page.
pub fn limit(typed: Option<u16>) -> Result<i64, Refused> {
    match typed.unwrap_or(USUAL_LIMIT) {
        limit @ 1..=LIMIT => Ok(limit.into()),
        _ => Err(Refused::field("limit", format!("A page has 1 to {LIMIT} rows."))),
    }
}

/// The id that the former page ended with.
pub fn cursor<Id: for<'a> From<&'a str>>(typed: Option<String>) -> Result<Option<Id>, Refused> {
    match typed {
        Some(typed) if Uuid::try_parse(&typed).is_err() => Err(Refused::field("after", LOST)),
        typed => Ok(typed.map(|typed| Id::from(typed.as_str()))),
    }
}

/// What an id as cursor names is not there: 404, as for an address.
pub fn lost(error: Error) -> Refused {
    match error {
        Error::Invalid(problems) if problems.iter().all(|problem| problem.field == "after") => nowhere(),
        other => other.into(),
    }
}

/// Of a list that is at hand as a whole, one page.
pub fn of_whole<T>(
    rows: Vec<T>,
    typed: Option<u16>,
    after: Option<&str>,
    cursor: impl Fn(&T) -> String,
) -> Result<List<T>, Refused> {
    let most = usize::try_from(limit(typed)?).unwrap_or_default();
    let from = match after {
        None => 0,
        Some(after) => rows.iter().position(|row| cursor(row) == after).ok_or_else(nowhere)? + 1,
    };
    let (total, more) = (rows.len() as i64, rows.len() > from + most);
    let items: Vec<T> = rows.into_iter().skip(from).take(most).collect();
    let next = items.last().filter(|_| more).map(cursor);
    Ok(List { items, next, total: Some(total) })
}

fn nowhere() -> Refused {
    Refused::asked(StatusCode::NOT_FOUND, LOST)
}
