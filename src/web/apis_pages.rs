//! The operator's pages of the catalogue: APIs, their import, their options and access sets.

use super::page::{Choice, Fact, FieldErrors, Note, Shell, counted, number};
use super::picker::Kind;
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "apis/list.html", blocks = ["content"])]
pub struct ApiList {
    pub shell: Shell,
    pub rows: Vec<ApiRow>,
    pub zone: String,
}

#[derive(Clone, Default)]
pub struct ApiRow {
    pub slug: String,
    pub href: String,
    pub title: String,
    pub methods: usize,
    pub services: usize,
    pub sets: usize,
    pub base_path: String,
    pub hosts: Vec<String>,
    pub imported: String,
    pub imported_iso: String,
}

impl ApiRow {
    /// The first host and how many more.
    pub fn hosts_text(&self) -> String {
        match self.hosts.as_slice() {
            [] => "any host".to_owned(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        }
    }
}

impl ApiList {
    pub fn summary(&self) -> String {
        let methods = self.rows.iter().map(|row| row.methods).sum();
        format!("{}, {}", counted(self.rows.len(), "API", "APIs"), counted(methods, "method", "methods"))
    }
}

/// A first import (`replaces` empty) or a new description for a known API.
#[derive(Template, Clone, Default)]
#[template(path = "apis/import.html", blocks = ["content"])]
pub struct ImportPage {
    pub shell: Shell,
    /// Title of the API whose description is replaced, or empty.
    pub replaces: String,
    pub action: String,
    pub cancel: String,
    pub slug: String,
    pub text: String,
    pub options: ApiOptions,
    /// For example "10 MB".
    pub max_size: String,
    pub errors: FieldErrors,
    pub note: Option<Note>,
}

/// The options of one API as typed; lists have one entry a line.
#[derive(Clone, Default)]
pub struct ApiOptions {
    pub open: bool,
    pub hosts: String,
    pub base_path: String,
    pub case_insensitive: bool,
    pub trailing_dot: bool,
    pub utf8_paths: bool,
    pub greedy: String,
    pub kinds: String,
    pub least_roles: String,
    pub resources: String,
}

impl ApiOptions {
    /// A mistake in a closed section would not be seen.
    pub fn opened(&self, errors: &FieldErrors) -> bool {
        let fields = ["hosts", "base_path", "kinds", "least_roles", "resources"];
        self.open || fields.iter().any(|field| !errors.of(field).is_empty())
    }
}

/// What an import would do, and the password for it.
#[derive(Template, Clone, Default)]
#[template(path = "apis/preview.html", blocks = ["content"])]
pub struct PreviewPage {
    pub shell: Shell,
    /// "Import GitHub v3 REST API?" or "Replace the description of …?"
    pub title: String,
    pub lead: String,
    pub action: String,
    pub confirm: String,
    /// Not where a password given not long ago is enough.
    pub asks_password: bool,
    pub email: String,
    pub password_error: String,
    pub go: String,
    pub facts: Vec<Fact>,
    pub methods: usize,
    pub services: usize,
    pub read: usize,
    pub write: usize,
    pub delete: usize,
    /// Empty for a first import.
    pub changes: Vec<ChangeList>,
    pub touched: Vec<TouchedToken>,
    /// How many more tokens are touched than `touched` lists.
    pub touched_more: usize,
    /// What the reader of the description found odd: one sentence each.
    pub notes: Vec<String>,
}

/// Added, removed or changed methods. `rows` may be cut; `count` is the whole number.
#[derive(Clone, Default)]
pub struct ChangeList {
    pub title: &'static str,
    pub hint: String,
    pub count: usize,
    pub open: bool,
    pub rows: Vec<MethodRow>,
}

impl ChangeList {
    pub fn more(&self) -> usize {
        self.count.saturating_sub(self.rows.len())
    }

    pub fn has_notes(&self) -> bool {
        self.rows.iter().any(|row| !row.note.is_empty())
    }
}

#[derive(Clone, Default)]
pub struct TouchedToken {
    pub name: String,
    pub owner: String,
    /// For example "loses 2 methods".
    pub effect: String,
}

#[derive(Clone, Default)]
pub struct MethodRow {
    pub name: String,
    pub http: String,
    pub path: String,
    pub kind: Kind,
    /// The least role that may call it, or empty.
    pub least_role: String,
    /// In a list of changes: what is different, or empty.
    pub note: String,
    pub hidden: bool,
}

#[derive(Template, Clone, Default)]
#[template(path = "apis/detail.html", blocks = ["content"])]
pub struct ApiPage {
    pub shell: Shell,
    pub slug: String,
    pub title: String,
    pub facts: Vec<Fact>,
    pub options: ApiOptions,
    pub errors: FieldErrors,
    pub sets: Vec<SetRow>,
    pub q: String,
    pub services: Vec<ServiceRows>,
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct ServiceRows {
    pub id: String,
    pub title: String,
    pub open: bool,
    pub methods: Vec<MethodRow>,
}

impl ServiceRows {
    pub fn hidden(&self) -> bool {
        self.methods.iter().all(|method| method.hidden)
    }
}

#[derive(Clone, Default)]
pub struct SetRow {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub methods: usize,
    pub least_role: String,
    pub tokens: usize,
    /// Made at each import: it follows the description and cannot be edited.
    pub fixed: bool,
}

impl ApiPage {
    pub fn total(&self) -> usize {
        self.services.iter().map(|service| service.methods.len()).sum()
    }

    pub fn shown(&self) -> usize {
        self.services.iter().flat_map(|service| &service.methods).filter(|method| !method.hidden).count()
    }

    pub fn total_text(&self) -> String {
        number(self.total())
    }
}

/// One access set: a new one (`slug` may be typed) or a known one (`known`, its slug stays).
#[derive(Template, Clone, Default)]
#[template(path = "apis/set.html", blocks = ["content"])]
pub struct SetPage {
    pub shell: Shell,
    pub api_title: String,
    pub action: String,
    pub cancel: String,
    pub known: bool,
    pub name: String,
    pub slug: String,
    pub description: String,
    pub scopes: String,
    pub least_roles: Vec<Choice>,
    /// What saving means for tokens that use the set, or empty.
    pub effect: String,
    pub errors: FieldErrors,
}
