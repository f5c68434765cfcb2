//! The pages of access tokens: list, form with the method picker, the value that is shown once.

use super::page::{Choice, Fact, FieldErrors, Note, Paging, Shell, Tab, Tone, counted, number};
use super::picker::{Picker, SetCard};
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "tokens/list.html", blocks = ["content"])]
pub struct TokenList {
    pub shell: Shell,
    pub tools: Tools,
    /// Mine and each team's; empty for who is in no team.
    pub lists: Vec<ListLink>,
    /// The team whose tokens they are, or empty.
    pub team: String,
    pub tabs: Vec<Tab>,
    pub q: String,
    pub status: String,
    pub sort: String,
    /// Query of this view with its `?`, or empty: the toolbar posts to it, so that Refresh comes back to the same rows.
    pub query: String,
    /// By age, which no column sorts.
    pub turn: Link,
    /// The sortable columns Name, Expires, Last used.
    pub by_name: Column,
    pub by_expiry: Column,
    pub by_use: Column,
    pub rows: Vec<TokenRow>,
    pub paging: Paging,
    /// Tokens of the list, whatever the filter; 0 shows the empty page.
    pub owned: usize,
    /// Those of the account itself.
    pub own: usize,
    /// Tokens that the account may have; 0: as many as it likes, or the list is not its own.
    pub limit: usize,
    pub zone: String,
    /// For example "Select one token to edit": the answer to a button pressed with the wrong number of ticks.
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct ListLink {
    pub label: String,
    pub href: String,
    pub current: bool,
}

/// The buttons of the toolbar; only what exists and what the asker may do is set.
#[derive(Clone, Copy, Default)]
pub struct Tools {
    pub generate: bool,
    pub edit: bool,
    pub copy: bool,
    pub disable: bool,
    pub enable: bool,
    pub remove: bool,
}

#[derive(Clone, Default)]
pub struct Column {
    pub href: String,
    pub order: Order,
}

#[derive(Clone, Default)]
pub struct Link {
    pub href: String,
    pub label: &'static str,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    None,
    Ascending,
    Descending,
}

impl Order {
    /// The text of `aria-sort`.
    pub fn value(&self) -> &'static str {
        match self {
            Order::None => "none",
            Order::Ascending => "ascending",
            Order::Descending => "descending",
        }
    }
}

#[derive(Clone, Default)]
pub struct TokenRow {
    pub id: String,
    pub name: String,
    /// Address of the token's own page, or empty.
    pub href: String,
    pub starts_with: String,
    pub description: String,
    /// Of another account than one's own: its name.
    pub owner: String,
    pub access: String,
    pub methods: String,
    pub expires: When,
    pub used: When,
    pub status: Status,
    /// For example "until 25 Nov, 09:00".
    pub status_note: String,
    pub checked: bool,
}

/// A moment in two lines. `iso` is for machines, or empty.
#[derive(Clone, Default)]
pub struct When {
    pub iso: String,
    pub text: String,
    pub sub: String,
    pub tone: Tone,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Active,
    Expiring,
    Grace,
    Expired,
    Disabled,
    Frozen,
    Removed,
}

impl Status {
    pub fn word(&self) -> &'static str {
        match self {
            Status::Active => "Active",
            Status::Expiring => "Expires soon",
            Status::Grace => "In grace period",
            Status::Expired => "Expired",
            Status::Disabled => "Disabled",
            Status::Frozen => "Account disabled",
            Status::Removed => "Removed",
        }
    }

    pub fn class(&self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Expiring => "pill soon",
            Status::Grace => "pill grace",
            Status::Expired => "pill expired",
            Status::Disabled | Status::Frozen | Status::Removed => "pill disabled",
        }
    }

    pub fn icon(&self) -> &'static str {
        match self {
            Status::Active => "circle-check",
            Status::Expiring => "clock",
            Status::Grace => "refresh-cw",
            Status::Expired => "circle-x",
            Status::Disabled | Status::Frozen => "circle-pause",
            Status::Removed => "trash-2",
        }
    }

    /// Calls with it fail now, so the name is dimmed.
    pub fn dead(&self) -> bool {
        matches!(self, Status::Expired | Status::Disabled | Status::Frozen | Status::Removed)
    }
}

impl TokenList {
    /// The list without its filters.
    pub fn all_href(&self) -> String {
        match self.team.as_str() {
            "" => "/settings/tokens".to_owned(),
            team => format!("/settings/tokens?team={team}"),
        }
    }

    pub fn summary(&self) -> String {
        if self.own >= self.limit && self.limit > 0 {
            return format!(
                "You have {} of {} tokens. Remove one to generate another.",
                number(self.own),
                number(self.limit)
            );
        }
        let shown = match self.paging.any() {
            true => self.paging.summary() + " tokens",
            false if self.rows.len() < self.owned => {
                format!("{} of {}", number(self.rows.len()), counted(self.owned, "token", "tokens"))
            }
            false => counted(self.owned, "token", "tokens"),
        };
        match self.limit {
            0 => shown + ".",
            limit => format!("{shown}. Your limit is {}.", number(limit)),
        }
    }

    /// What a screen reader hears as the table's name.
    pub fn caption(&self) -> String {
        let order = |column: &Column| {
            if column.order == Order::Ascending { "first to last" } else { "last to first" }
        };
        let whose = if self.team.is_empty() { "Your" } else { "The team's" };
        let sorted = [("name", &self.by_name), ("expiry", &self.by_expiry), ("last use", &self.by_use)]
            .into_iter()
            .find(|(_, column)| column.order != Order::None);
        match sorted {
            Some((word, column)) => format!("{whose} access tokens, sorted by {word}, {}", order(column)),
            None => format!("{whose} access tokens, newest first"),
        }
    }
}

#[derive(Template, Clone, Default)]
#[template(path = "tokens/form.html", blocks = ["content"])]
pub struct TokenFormPage {
    pub shell: Shell,
    pub title: String,
    /// One sentence under the title, or empty.
    pub intro: String,
    /// Of an edited token: its current value's first characters.
    pub starts_with: String,
    /// Of an edited token, or empty.
    pub id: String,
    /// The state that an edit was begun from, sent along.
    pub seen: String,
    /// Whether an edited token is enabled.
    pub enabled: Option<bool>,
    /// For whom, of a token that is generated; `None` where there is nothing to choose.
    pub owner: Option<OwnerPart>,
    /// In place of the expiry's fields, where the token has expired.
    pub expired: String,
    pub regenerate: Option<Regenerate>,
    /// Address that the form posts to, and where Cancel leads.
    pub action: String,
    pub cancel: String,
    pub submit: String,
    pub name: String,
    pub description: String,
    pub lifetimes: Vec<Choice>,
    pub expires_min: String,
    pub expires_max: String,
    pub expiry: Expiry,
    pub sets: Vec<SetCard>,
    pub custom: bool,
    pub picker: Picker,
    pub limits: Limits,
    pub errors: FieldErrors,
    pub note: Option<Note>,
}

/// For whom a token is generated.
#[derive(Clone, Default)]
pub struct OwnerPart {
    pub choices: Vec<Choice>,
    /// The fields of a service account that is made on the way.
    pub new: Option<NewHolder>,
    /// By which the expiry's sentence knows the owner.
    pub query: String,
}

#[derive(Clone, Default)]
pub struct NewHolder {
    pub name: String,
    pub owners: Vec<Choice>,
    pub roles: Vec<Choice>,
}

impl TokenFormPage {
    /// Whose expiry is asked for: a query, or empty for one's own new token.
    pub fn expiry_query(&self) -> String {
        match (&self.owner, self.id.as_str()) {
            (_, id) if !id.is_empty() => format!("?token={id}"),
            (Some(owner), _) if !owner.query.is_empty() => format!("?{}", owner.query),
            _ => String::new(),
        }
    }

    /// Closed only while there is nothing in it to see.
    pub fn limits_open(&self) -> bool {
        let limits = &self.limits;
        let wrong = ["allow", "ip_allow", "rate_per_minute"].iter().any(|field| !self.errors.of(field).is_empty());
        wrong || !(limits.allow.is_empty() && limits.ip_allow.is_empty() && limits.rate_per_minute.is_empty())
    }
}

/// The answer to `GET /settings/tokens/expiry`: the same sentence as on the page.
#[derive(Template, Clone, Default)]
#[template(source = r#"{% import "macros.html" as ui %}{{ ui::expiry(expiry) }}"#, ext = "html")]
pub struct ExpiryFragment {
    pub expiry: Expiry,
}

/// The part of a token's page that makes a new value. Its controls belong to a form of its own, `regen`.
#[derive(Clone, Default)]
pub struct Regenerate {
    /// Of the token.
    pub address: String,
    /// Where there was more than one: each that lives.
    pub values: Vec<ValueRow>,
    pub in_grace: bool,
    pub choices: Vec<GraceChoice>,
    /// For the `datetime-local` field of the choice `custom`, in the person's zone.
    pub custom: String,
    pub custom_min: String,
    pub custom_max: String,
    /// Of an expired token, which needs a new one.
    pub expiry: Option<RenewedExpiry>,
}

#[derive(Clone, Default)]
pub struct ValueRow {
    pub name: &'static str,
    pub starts_with: String,
    pub until: String,
    pub used: String,
}

#[derive(Clone, Default)]
pub struct GraceChoice {
    pub value: &'static str,
    pub title: &'static str,
    pub note: String,
    pub checked: bool,
}

#[derive(Clone, Default)]
pub struct RenewedExpiry {
    pub lifetimes: Vec<Choice>,
    pub min: String,
    pub max: String,
    pub expiry: Expiry,
}

#[derive(Clone, Default)]
pub struct Expiry {
    /// "Stops working on Saturday, 20 February 2027 at 23:59, Europe/Berlin time, 90 days from now. …"
    pub sentence: String,
    pub tone: Tone,
    /// The day for the date field, ISO, or empty for never.
    pub date: String,
    /// For the bar below: "Expires 20 Feb 2027."
    pub short: String,
}

/// The optional part of the form.
#[derive(Clone, Default)]
pub struct Limits {
    pub allow: String,
    pub ip_allow: String,
    pub rate_per_minute: String,
}

/// The answer to the confirm POST itself. The only page that holds a value, and no other request gets it.
#[derive(Template)]
#[template(path = "tokens/reveal.html", blocks = ["content"])]
pub struct RevealPage {
    pub shell: Shell,
    /// "Token generated" or "Value regenerated".
    pub title: String,
    pub name: String,
    pub value: String,
    /// Name of the file that Download saves.
    pub file: String,
    /// A request that the token may make, or an empty address.
    pub try_method: String,
    pub try_url: String,
    /// Where one goes on: the list, with the token's row marked.
    pub href: String,
    pub facts: Vec<Fact>,
}

impl RevealPage {
    /// The address between single quotes of a shell.
    pub fn quoted_url(&self) -> String {
        self.try_url.replace('\'', "'\\''")
    }

    pub fn try_flag(&self) -> String {
        match self.try_method.as_str() {
            "" | "GET" => String::new(),
            method => format!("-X {method} "),
        }
    }
}

/// The confirm was posted a second time.
#[derive(Template, Clone, Default)]
#[template(path = "tokens/shown.html", blocks = ["content"])]
pub struct ShownPage {
    pub shell: Shell,
    pub name: String,
    pub starts_with: String,
    /// Address where the token can be regenerated, or empty.
    pub href: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_an_address_cannot_leave_the_quotes_of_the_shell() {
        let page = RevealPage {
            shell: Shell::default(),
            title: String::new(),
            name: String::new(),
            value: String::new(),
            file: String::new(),
            try_method: "DELETE".into(),
            try_url: "https://a.example/'; rm x'".into(),
            href: String::new(),
            facts: Vec::new(),
        };
        assert_eq!(page.quoted_url(), r"https://a.example/'\''; rm x'\''");
        assert_eq!(page.try_flag(), "-X DELETE ");
    }

    #[test]
    fn the_footer_counts_what_is_shown_and_says_when_the_limit_is_reached() {
        let list = |owned, limit| TokenList { owned, own: owned, limit, ..TokenList::default() }.summary();
        assert_eq!(list(50, 50), "You have 50 of 50 tokens. Remove one to generate another.");
        assert_eq!(list(8, 50), "0 of 8 tokens. Your limit is 50.");
        assert_eq!(list(8, 0), "0 of 8 tokens.");
    }
}
