//! The page of activity: figures, chart and tables of thirty days, and the log.

use super::activity_chart::Chart;
use super::page::{Paging, Shell, Tab, Tone, counted};
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "activity/page.html", blocks = ["content"])]
pub struct ActivityPage {
    pub shell: Shell,
    /// Address of this activity, without a query.
    pub address: String,
    pub of: Of,
    /// Of one token, and not of all that an account has.
    pub is_of_token: bool,
    pub accepted: usize,
    pub refused: usize,
    pub tokens: usize,
    pub addresses: usize,
    /// `None` while there were no calls.
    pub calls: Option<Calls>,
    pub q: String,
    pub show: &'static str,
    pub tabs: Vec<Tab>,
    /// Address of the file, and of the same view once more.
    pub csv: String,
    pub refresh: String,
    pub rows: Vec<Row>,
    pub paging: Paging,
    pub total: usize,
    pub zone: String,
}

/// Whose activity it is.
#[derive(Clone, Default)]
pub struct Of {
    /// Of the token or service account, or empty on one's own activity.
    pub name: String,
    /// Its own page, or empty.
    pub href: String,
    /// The hidden field by which a search knows it.
    pub field: (&'static str, String),
    /// "Every change to …" and "a program has used …".
    pub tokens: &'static str,
    pub one: &'static str,
}

#[derive(Clone, Default)]
pub struct Calls {
    pub chart: Chart,
    pub days: Vec<CallRow>,
    pub methods: Vec<CallRow>,
    pub callers: Vec<CallRow>,
}

/// A line of a table of counts. `sub` is the last column, or empty.
#[derive(Clone, Default)]
pub struct CallRow {
    pub label: String,
    /// A name of the API's or an address, and not words.
    pub mono: bool,
    pub accepted: usize,
    pub refused: usize,
    pub sub: String,
}

#[derive(Clone, Default)]
pub struct Row {
    pub iso: String,
    pub time: String,
    pub event: String,
    pub icon: &'static str,
    pub tone: Tone,
    pub token: String,
    /// The token's own page, or empty.
    pub token_href: String,
    pub detail: String,
    /// The request that was refused, and its reference; else empty.
    pub request: String,
    pub reference: String,
    pub address: String,
    pub by: String,
    /// Where the method can be allowed, or empty.
    pub allow_href: String,
}

impl ActivityPage {
    pub fn summary(&self) -> String {
        match self.paging.any() {
            true => format!("Newest first, {}.", self.paging.summary()),
            false => format!("Newest first, {}.", counted(self.total, "row", "rows")),
        }
    }
}
