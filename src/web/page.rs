//! What every page has around it: its title, who is signed in, the way to the other pages, and the small parts
//! (notes, facts, choices, field errors) that the pages of several nouns are made of.

/// The sidebar: one line here is all that a new page needs to be found. Entries of a group stand together.
const ENTRIES: &[Entry] = &[
    settings("/settings/profile", "user", "Profile"),
    settings("/settings/password", "lock", "Password"),
    settings("/settings/sessions", "monitor", "Sessions"),
    settings("/settings/tokens", "key-round", "Access tokens"),
    settings("/settings/activity", "activity", "Activity"),
    administration("/admin/tokens", "list-checks", "All tokens", For::Admins),
    administration("/admin/accounts", "users", "Accounts", For::Admins),
    administration("/admin/teams", "users", "Teams", For::Members),
    administration("/admin/service-accounts", "bot", "Service accounts", For::Makers),
    administration("/admin/apis", "blocks", "APIs", For::Admins),
    administration("/admin/policy", "shield", "Policy", For::Admins),
    administration("/admin/audit", "file-text", "Audit log", For::Admins),
];

struct Entry {
    group: &'static str,
    href: &'static str,
    icon: &'static str,
    label: &'static str,
    shown_to: For,
}

/// Who finds an entry; its pages decide for themselves who may come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Everybody,
    /// Of a team, and administrators.
    Members,
    /// Whose role makes service accounts.
    Makers,
    Admins,
}

const fn settings(href: &'static str, icon: &'static str, label: &'static str) -> Entry {
    Entry { group: "Settings", href, icon, label, shown_to: For::Everybody }
}

const fn administration(href: &'static str, icon: &'static str, label: &'static str, shown_to: For) -> Entry {
    Entry { group: "Administration", href, icon, label, shown_to }
}

/// Links of the top bar, as (address, label): the place for the API's own documentation page.
const TOP_LINKS: &[(&str, &str)] = &[("/api/docs", "API docs")];

/// The frame of one page. `section` is the address of its entry in the sidebar, or empty.
#[derive(Clone, Default)]
pub struct Shell {
    pub title: String,
    pub section: &'static str,
    pub person: Option<Person>,
    pub theme: Theme,
    pub form_token: String,
    pub flash: Option<Note>,
    /// Where the theme switch leads back to: path and query, as no `Referer` is sent.
    pub address: String,
}

#[derive(Clone, Default)]
pub struct Person {
    pub name: String,
    pub email: String,
    pub initials: String,
    pub is_admin: bool,
    pub is_in_team: bool,
    pub may_make_services: bool,
}

impl Person {
    fn finds(&self, entry: &Entry) -> bool {
        match entry.shown_to {
            For::Everybody => true,
            For::Members => self.is_admin || self.is_in_team,
            For::Makers => self.may_make_services,
            For::Admins => self.is_admin,
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

pub struct NavGroup {
    pub label: &'static str,
    pub links: Vec<NavLink>,
}

pub struct NavLink {
    pub href: &'static str,
    pub icon: &'static str,
    pub label: &'static str,
    pub current: bool,
}

impl Shell {
    pub fn nav(&self) -> Vec<NavGroup> {
        let mut groups: Vec<NavGroup> = Vec::new();
        for entry in ENTRIES.iter().filter(|entry| self.person.as_ref().is_some_and(|p| p.finds(entry))) {
            let link =
                NavLink { href: entry.href, icon: entry.icon, label: entry.label, current: entry.href == self.section };
            match groups.last_mut() {
                Some(group) if group.label == entry.group => group.links.push(link),
                _ => groups.push(NavGroup { label: entry.group, links: vec![link] }),
            }
        }
        groups
    }

    pub fn top_links(&self) -> &'static [(&'static str, &'static str)] {
        TOP_LINKS
    }
}

impl Theme {
    /// The text of the `theme` field and of the cookie.
    pub fn value(&self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    pub fn icon(&self) -> &'static str {
        match self {
            Theme::Auto => "contrast",
            Theme::Light => "sun",
            Theme::Dark => "moon",
        }
    }

    /// Any other text is `Auto`: an old cookie must not break a page.
    pub fn from_value(text: &str) -> Theme {
        match text {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::Auto,
        }
    }

    pub fn next(&self) -> Theme {
        match self {
            Theme::Auto => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Auto,
        }
    }
}

/// How a note looks; each tone has its own icon, so that colour is never alone.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Ok,
    Warn,
    Bad,
}

impl Tone {
    pub fn class(&self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Ok => " ok",
            Tone::Warn => " warn",
            Tone::Bad => " bad",
        }
    }

    pub fn icon(&self) -> &'static str {
        match self {
            Tone::Plain => "info",
            Tone::Ok => "circle-check",
            Tone::Warn => "triangle-alert",
            Tone::Bad => "circle-alert",
        }
    }

    /// The class of small text in a table cell.
    pub fn text_class(&self) -> &'static str {
        match self {
            Tone::Warn => " warn-t",
            Tone::Bad => " bad-t",
            Tone::Plain | Tone::Ok => "",
        }
    }
}

#[derive(Clone, Default)]
pub struct Note {
    pub tone: Tone,
    pub text: String,
}

impl Note {
    pub fn ok(text: impl Into<String>) -> Note {
        Note { tone: Tone::Ok, text: text.into() }
    }

    pub fn plain(text: impl Into<String>) -> Note {
        Note { tone: Tone::Plain, text: text.into() }
    }

    pub fn warn(text: impl Into<String>) -> Note {
        Note { tone: Tone::Warn, text: text.into() }
    }

    pub fn bad(text: impl Into<String>) -> Note {
        Note { tone: Tone::Bad, text: text.into() }
    }
}

/// One line of a list of facts. `warning` stands below the text, or is empty.
#[derive(Clone, Default)]
pub struct Fact {
    pub term: String,
    pub text: String,
    pub mono: bool,
    pub warning: String,
}

impl Fact {
    pub fn new(term: impl Into<String>, text: impl Into<String>) -> Fact {
        Fact { term: term.into(), text: text.into(), ..Fact::default() }
    }

    pub fn mono(self) -> Fact {
        Fact { mono: true, ..self }
    }

    pub fn warned(self, warning: impl Into<String>) -> Fact {
        Fact { warning: warning.into(), ..self }
    }
}

/// An option of a `<select>`.
#[derive(Clone, Default)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub selected: bool,
}

/// What is wrong with a form, field by field. `field` is the field's name; the control's id is the same text.
#[derive(Clone, Default)]
pub struct FieldErrors(pub Vec<FieldError>);

#[derive(Clone, Default)]
pub struct FieldError {
    pub field: &'static str,
    pub label: &'static str,
    pub text: String,
}

impl FieldErrors {
    /// The sentence for one field, or an empty text.
    pub fn of(&self, field: &str) -> &str {
        self.0.iter().find(|error| error.field == field).map_or("", |error| error.text.as_str())
    }

    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub fn heading(&self) -> String {
        match self.0.len() {
            1 => "One field needs another look. Nothing was saved.".to_owned(),
            many => format!("{many} fields need another look. Nothing was saved."),
        }
    }
}

/// A link of a row of filters with the number of rows behind it.
#[derive(Clone, Default)]
pub struct Tab {
    pub label: &'static str,
    pub href: String,
    pub count: usize,
    pub current: bool,
}

/// Which part of a list is on the page; an empty address hides the link.
#[derive(Clone, Default)]
pub struct Paging {
    pub newer: String,
    pub older: String,
    pub first: usize,
    pub last: usize,
    pub total: usize,
}

/// Where a page of a list stands: rows before it and on it, and rows in all.
#[derive(Clone, Copy)]
pub struct Place {
    pub before: i64,
    pub rows: usize,
    pub total: i64,
}

impl Paging {
    /// `first` is the address without a mark of a former page; `to` makes one with it.
    pub fn of<Id>(
        place: Place,
        newer: Option<&Id>,
        older: Option<&Id>,
        first: String,
        to: impl Fn(&Id) -> String,
    ) -> Paging {
        let Place { before, rows, total } = place;
        let is_first = before <= 0 && newer.is_none();
        Paging {
            newer: if is_first { String::new() } else { newer.map_or(first, &to) },
            older: older.map(to).unwrap_or_default(),
            first: size((before + 1).min(total)),
            last: size(before + rows as i64),
            total: size(total),
        }
    }

    pub fn any(&self) -> bool {
        !self.newer.is_empty() || !self.older.is_empty()
    }

    pub fn all(&self) -> String {
        number(self.total)
    }

    pub fn summary(&self) -> String {
        format!("{} to {} of {}", number(self.first), number(self.last), number(self.total))
    }
}

/// A count out of the database.
pub fn size(n: i64) -> usize {
    usize::try_from(n).unwrap_or_default()
}

/// `10412` as `10,412`.
pub fn number(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 method`, `1,223 methods`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_in(is_admin: bool) -> Shell {
        let person = Person { is_admin, may_make_services: is_admin, ..Person::default() };
        Shell { section: "/settings/tokens", person: Some(person), ..Shell::default() }
    }

    #[test]
    fn only_an_admin_sees_administration() {
        let labels = |shell: Shell| shell.nav().iter().map(|group| group.label).collect::<Vec<_>>();
        assert_eq!(labels(signed_in(false)), ["Settings"]);
        assert_eq!(labels(signed_in(true)), ["Settings", "Administration"]);
    }

    #[test]
    fn exactly_the_page_one_is_on_is_marked_as_current() {
        let current: Vec<_> =
            signed_in(true).nav().into_iter().flat_map(|group| group.links).filter(|l| l.current).collect();
        assert_eq!(current.iter().map(|link| link.href).collect::<Vec<_>>(), ["/settings/tokens"]);
    }

    #[test]
    fn the_theme_switch_comes_round_and_an_unknown_cookie_is_auto() {
        let start = Theme::Auto;
        assert!(start.next().next().next() == start);
        assert!(Theme::from_value("sepia") == Theme::Auto);
        for theme in [Theme::Auto, Theme::Light, Theme::Dark] {
            assert!(Theme::from_value(theme.value()) == theme);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 7, 999, 1000, 10_412, 1_234_567].map(number), ["0", "7", "999", "1,000", "10,412", "1,234,567"]);
        assert_eq!(counted(1, "method", "methods"), "1 method");
        assert_eq!(counted(1223, "method", "methods"), "1,223 methods");
    }

    #[test]
    fn a_field_without_an_error_has_an_empty_sentence() {
        let errors = FieldErrors(vec![FieldError { field: "name", label: "Name", text: "Taken.".into() }]);
        assert_eq!((errors.of("name"), errors.of("set")), ("Taken.", ""));
    }
}
