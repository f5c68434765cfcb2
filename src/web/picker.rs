//! The method picker of the token form: the services of every API with their methods, and the access sets as cards.

use super::page::{counted, number};
use std::fmt::Write;

/// An access set as a card. `members` are the places of its methods in the picker, counted from 0 over all services
/// in order, as `ranges` makes them.
#[derive(Clone, Default)]
pub struct SetCard {
    pub slug: String,
    pub name: String,
    pub count: String,
    pub description: String,
    pub members: String,
    pub checked: bool,
}

/// `[0, 1, 2, 7]` as `0-2,7`: a set of all of 1,223 methods costs six bytes. The places must ascend.
pub fn ranges(places: impl IntoIterator<Item = usize>) -> String {
    let mut text = String::new();
    let mut run: Option<(usize, usize)> = None;
    let close = |text: &mut String, (first, last): (usize, usize)| {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = match last == first {
            true => write!(text, "{comma}{first}"),
            false => write!(text, "{comma}{first}-{last}"),
        };
    };
    for place in places {
        run = match run {
            Some((first, last)) if place == last + 1 => Some((first, place)),
            Some(done) => {
                close(&mut text, done);
                Some((place, place))
            }
            None => Some((place, place)),
        };
    }
    if let Some(done) = run {
        close(&mut text, done);
    }
    text
}

#[derive(Clone, Default)]
pub struct Picker {
    pub apis: Vec<PickerApi>,
    /// Whether the APIs are told apart by their titles: Hallpass's own beside a single one needs none.
    pub several: bool,
    /// `*`, where the token has it.
    pub wildcard: Option<Wildcard>,
    /// The filter as posted by `do=filter`: methods that do not match are on the page but hidden, so that they stay ticked.
    pub q: String,
    pub only: bool,
    pub read: bool,
    pub write: bool,
    pub delete: bool,
}

/// A wildcard that a token has, as a row of its own: "Everything in zones, and whatever is added to it later".
#[derive(Clone, Default)]
pub struct Wildcard {
    /// Value of its `m` box.
    pub scope: String,
    /// What it is everything of.
    pub of: String,
}

#[derive(Clone, Default)]
pub struct PickerApi {
    pub title: String,
    /// `API/*`, where the token has it.
    pub wildcard: Option<Wildcard>,
    pub services: Vec<PickerService>,
}

#[derive(Clone, Default)]
pub struct PickerService {
    /// Value of the `service` box, `API/SERVICE`.
    pub value: String,
    pub title: String,
    /// The service's own id, shown beside the title unless it is the same text.
    pub code: String,
    /// The service box itself was ticked and posted; not merely all of its methods.
    pub checked: bool,
    pub open: bool,
    /// Neither the API nor the service is there any more: only to be seen.
    pub gone: bool,
    /// `SERVICE:*`, where the token has it.
    pub wildcard: Option<Wildcard>,
    pub methods: Vec<PickerMethod>,
}

#[derive(Clone, Default)]
pub struct PickerMethod {
    /// Value of the `m` box.
    pub scope: String,
    pub name: String,
    pub description: String,
    /// For the search: people know a method by its path as well.
    pub path: String,
    pub kind: Kind,
    /// Address of the method's documentation, or empty.
    pub docs: String,
    pub checked: bool,
    /// Does not match the posted filter.
    pub hidden: bool,
    /// A wildcard carries it along: ticked, and to be changed only with the wildcard.
    pub implied: bool,
    /// Why it cannot be kept, or empty: such a row is struck through.
    pub lost: &'static str,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Read,
    Write,
    Delete,
}

impl Kind {
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::Delete => "delete",
        }
    }

    pub fn is_delete(&self) -> bool {
        *self == Kind::Delete
    }
}

impl PickerService {
    pub fn ticked(&self) -> usize {
        self.methods.iter().filter(|method| method.checked).count()
    }

    pub fn hidden(&self) -> bool {
        self.methods.iter().all(|method| method.hidden)
    }
}

impl PickerApi {
    pub fn hidden(&self) -> bool {
        self.services.iter().all(PickerService::hidden)
    }
}

impl Picker {
    /// Those that there are, without lost ones.
    pub fn methods(&self) -> impl Iterator<Item = &PickerMethod> {
        self.services().flat_map(|service| &service.methods).filter(|method| method.lost.is_empty())
    }

    fn services(&self) -> impl Iterator<Item = &PickerService> {
        self.apis.iter().flat_map(|api| &api.services)
    }

    pub fn total(&self) -> usize {
        self.methods().count()
    }

    pub fn ticked(&self) -> usize {
        self.methods().filter(|method| method.checked).count()
    }

    /// Names that would break over several lines in a narrow column.
    pub fn long(&self) -> bool {
        self.methods().any(|method| method.name.len() > 26)
    }

    /// So many that what is out of sight is not laid out: fast, but the scroll bar only guesses.
    pub fn many(&self) -> bool {
        self.total() > 300
    }

    pub fn nothing_shown(&self) -> bool {
        self.apis.iter().all(PickerApi::hidden)
    }

    /// "15 methods" and " in 5 services, none can delete.": the script keeps the two up to date in the same words.
    pub fn summary(&self) -> (String, String) {
        let services = self.services().filter(|service| service.ticked() > 0).count();
        let deletes = self.methods().filter(|method| method.checked && method.kind.is_delete()).count();
        let ticked = self.ticked();
        if ticked == 0 {
            return ("No method".to_owned(), " is chosen yet.".to_owned());
        }
        let rest = match deletes {
            0 => "none can delete".to_owned(),
            1 => "1 can delete".to_owned(),
            many => format!("{} can delete", number(many)),
        };
        (counted(ticked, "method", "methods"), format!(" in {}, {rest}.", counted(services, "service", "services")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picker(kinds: &[(Kind, bool)]) -> Picker {
        let methods = kinds.iter().map(|&(kind, checked)| PickerMethod { kind, checked, ..PickerMethod::default() });
        let service = PickerService { methods: methods.collect(), ..PickerService::default() };
        Picker { apis: vec![PickerApi { services: vec![service], ..PickerApi::default() }], ..Picker::default() }
    }

    #[test]
    fn neighbours_become_one_range() {
        assert_eq!(ranges([0, 1, 2, 7, 9, 10]), "0-2,7,9-10");
        assert_eq!(ranges(0..1223), "0-1222");
        assert_eq!(ranges([5]), "5");
        assert_eq!(ranges([]), "");
    }

    #[test]
    fn the_summary_counts_what_can_delete() {
        let words = |kinds: &[(Kind, bool)]| {
            let (n, rest) = picker(kinds).summary();
            n + &rest
        };
        assert_eq!(words(&[(Kind::Read, true)]), "1 method in 1 service, none can delete.");
        assert_eq!(words(&[(Kind::Delete, true), (Kind::Delete, true)]), "2 methods in 1 service, 2 can delete.");
        assert_eq!(words(&[(Kind::Delete, false)]), "No method is chosen yet.");
    }
}
