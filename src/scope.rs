//! Scopes: text for a right. Their grammar, what one covers of another, and the compact set that verification looks into.

mod rice;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::types::Lines;

/// The slug of Hallpass's own API. `*` does not reach it: a token manages tokens only when it says so.
pub const OWN_API: &str = "hallpass";

/// A scope taken apart. In store and index it always carries its API; `Catalogue::resolve` adds one that was left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope<'a> {
    /// `*`: every method of every imported API.
    Everything,
    /// `API/*`
    Api(&'a str),
    /// `API/SERVICE:*`
    Service(&'a str, &'a str),
    /// `API/SERVICE:METHOD`
    Method(&'a str, &'a str, &'a str),
}

impl<'a> Scope<'a> {
    /// The full form only. The API ends at the first `/`, the service at the first `:` behind it; a method may hold `/`.
    pub fn parse(text: &'a str) -> Option<Scope<'a>> {
        if text == "*" {
            return Some(Scope::Everything);
        }
        let (api, rest) = text.split_once('/').filter(|(api, _)| is_word(api))?;
        if rest == "*" {
            return Some(Scope::Api(api));
        }
        match rest.split_once(':').filter(|(service, _)| is_word(service))? {
            (service, "*") => Some(Scope::Service(api, service)),
            (service, method) if is_method(method) => Some(Scope::Method(api, service, method)),
            _ => None,
        }
    }

    /// Whether every method that `other` allows is allowed by this one.
    pub fn covers(&self, other: &Scope<'_>) -> bool {
        match (self, other) {
            (Scope::Everything, Scope::Everything) => true,
            (Scope::Everything, Scope::Api(api) | Scope::Service(api, _) | Scope::Method(api, _, _)) => *api != OWN_API,
            (Scope::Api(a), Scope::Api(b) | Scope::Service(b, _) | Scope::Method(b, _, _)) => a == b,
            (Scope::Service(a, s), Scope::Service(b, t) | Scope::Method(b, t, _)) => a == b && s == t,
            (Scope::Method(..), Scope::Method(..)) => self == other,
            _ => false,
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/'))
}

/// Whether every right in `inner` is in `outer` too: what a token may hand on, and whether an edit narrows.
pub fn is_within(inner: &Lines, outer: &Lines) -> bool {
    inner.iter().all(|one| {
        let Some(one) = Scope::parse(one) else { return false };
        outer.iter().filter_map(Scope::parse).any(|wide| wide.covers(&one))
    })
}

/// A number for each scope text, dense from 0, for as long as the process lives.
#[derive(Default)]
pub struct Symbols(RwLock<Known>);

/// How many lists are read once for all tokens that have them, so that a million different ones are not all kept as text.
const SHARED: usize = 1_000;

#[derive(Default)]
struct Known {
    /// Most scopes are so short that their text stands in the table itself.
    numbers: HashMap<SmolStr, Number, RandomState>,
    sets: HashMap<Lines, ScopeSet, RandomState>,
}

#[derive(Clone, Copy)]
struct Number {
    nth: u32,
    /// Text that is none has a number too, but no token ever holds it.
    is_scope: bool,
}

impl Number {
    fn of_scope(self) -> Option<u32> {
        self.is_scope.then_some(self.nth)
    }
}

impl Symbols {
    pub fn number(&self, scope: &str) -> u32 {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).numbers.get(scope).copied();
        known.unwrap_or_else(|| self.learn(scope)).nth
    }

    pub fn set(&self, scopes: &Lines) -> ScopeSet {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = known.sets.get(scopes) {
            return set.clone();
        }
        let is_room = known.sets.len() < SHARED;
        let mut numbers: SmallVec<[u32; 128]> = SmallVec::new();
        let mut unheard = Vec::new();
        for scope in scopes.iter() {
            match known.numbers.get(scope) {
                Some(number) => numbers.extend(number.of_scope()),
                None => unheard.push(scope),
            }
        }
        drop(known);
        numbers.extend(unheard.into_iter().filter_map(|scope| self.learn(scope).of_scope()));
        let set = ScopeSet::of(numbers);
        if is_room {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.sets.insert(scopes.clone(), set.clone());
        }
        set
    }

    fn learn(&self, scope: &str) -> Number {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&number) = known.numbers.get(scope) {
            return number;
        }
        let nth = u32::try_from(known.numbers.len()).unwrap_or(u32::MAX);
        let number = Number { nth, is_scope: Scope::parse(scope).is_some() };
        known.numbers.insert(scope.into(), number);
        number
    }
}

/// The scopes of one token by their [`Symbols`] numbers, as gaps from each to the next in a Rice code (Rice 1979). For 100 of 1,200
/// methods that is 65 bytes, where a bit for each method would be 150; hardly ever is it more than the bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeSet(Code);

/// What is short stands in its token: each further place in memory that verification looks at may be one that the processor has
/// to wait for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Code {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<[u8]>),
}

const SHORT: usize = 78;

/// How a set allows a method: by the method's own name, or by a wildcard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    ByName,
    ByWildcard,
}

/// The numbers of the scopes that allow one method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MethodSymbols {
    everything: Option<u32>,
    api: u32,
    service: u32,
    method: u32,
}

impl MethodSymbols {
    pub fn new(symbols: &Symbols, api: &str, service: &str, method: &str) -> MethodSymbols {
        MethodSymbols {
            everything: (api != OWN_API).then(|| symbols.number("*")),
            api: symbols.number(&format!("{api}/*")),
            service: symbols.number(&format!("{api}/{service}:*")),
            method: symbols.number(&format!("{api}/{service}:{method}")),
        }
    }
}

impl ScopeSet {
    fn of(mut numbers: SmallVec<[u32; 128]>) -> ScopeSet {
        // Lists nearly always come in the order of the catalogue, which takes one look.
        numbers.sort_unstable();
        numbers.dedup();
        let code = rice::write(&numbers);
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..code.len()), u8::try_from(code.len())) {
            (Some(short), Ok(length)) => {
                short.copy_from_slice(&code);
                ScopeSet(Code::Short { length, bytes })
            }
            _ => ScopeSet(Code::Long(code.as_slice().into())),
        }
    }

    fn code(&self) -> &[u8] {
        match &self.0 {
            Code::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Code::Long(bytes) => bytes,
        }
    }

    pub fn grants(&self, method: &MethodSymbols) -> Option<Grant> {
        if self.holds(method.method) {
            return Some(Grant::ByName);
        }
        let wild =
            self.holds(method.service) || self.holds(method.api) || method.everything.is_some_and(|n| self.holds(n));
        wild.then_some(Grant::ByWildcard)
    }

    fn holds(&self, number: u32) -> bool {
        match self.code().split_first() {
            Some((&low, gaps)) => rice::Numbers::read(low, gaps).find(|of| *of >= number) == Some(number),
            None => false,
        }
    }
}

/// Whether an allow list lets a request for that resource pass (product contract, section 1).
///
/// An entry is `API/SERVICE:ID` or `API/SERVICE:*`; the empty list narrows nothing. A method that names no resource
/// (a listing) passes a list only where the token's scope names that very method: a wildcard does not carry it along.
pub fn allows(list: &Lines, api: &str, service: &str, resource: Option<&str>, grant: Grant) -> bool {
    if list.is_empty() {
        return true;
    }
    let mut here = list.iter().filter_map(|entry| {
        let (of, id) = entry.strip_prefix(api)?.strip_prefix('/')?.split_once(':')?;
        (of == service).then_some(id)
    });
    match resource {
        Some(resource) => here.any(|id| id == "*" || id == resource),
        None => grant == Grant::ByName || here.any(|id| id == "*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Lines {
        text.split_whitespace().collect()
    }

    fn grant(scopes: &str, api: &str, service: &str, method: &str) -> Option<Grant> {
        let symbols = Symbols::default();
        let set = symbols.set(&lines(scopes));
        set.grants(&MethodSymbols::new(&symbols, api, service, method))
    }

    #[test]
    fn a_list_in_any_order_and_with_doubles_allows_what_it_names_and_nothing_beside_it() {
        let symbols = Symbols::default();
        let name = |n: usize| format!("pdns/zones:m{n}");
        let methods: Vec<MethodSymbols> =
            (0..300).map(|n| MethodSymbols::new(&symbols, "pdns", "zones", &format!("m{n}"))).collect();
        let listed = |n: usize| n % 7 == 3 || (100..140).contains(&n);
        let some: Vec<String> = (0..300).rev().filter(|n| listed(*n)).flat_map(|n| [name(n), name(n)]).collect();
        let set = symbols.set(&some.iter().collect());
        for (n, method) in methods.iter().enumerate() {
            assert_eq!(set.grants(method), listed(n).then_some(Grant::ByName), "{n}");
        }
    }

    #[test]
    fn the_empty_list_allows_nothing() {
        assert_eq!(grant("", "pdns", "zones", "list"), None);
    }

    #[test]
    fn a_scope_allows_its_method_and_nothing_beside_it() {
        assert_eq!(grant("pdns/zones:list", "pdns", "zones", "list"), Some(Grant::ByName));
        for (api, service, method) in
            [("pdns", "zones", "lis"), ("pdns", "zone", "list"), ("other", "zones", "list"), ("pdns", "zones", "List")]
        {
            assert_eq!(grant("pdns/zones:list", api, service, method), None);
        }
    }

    #[test]
    fn wildcards_allow_their_service_their_api_or_everything() {
        assert_eq!(grant("pdns/zones:*", "pdns", "zones", "list"), Some(Grant::ByWildcard));
        assert_eq!(grant("pdns/zones:*", "pdns", "records", "list"), None);
        assert_eq!(grant("pdns/*", "pdns", "records", "list"), Some(Grant::ByWildcard));
        assert_eq!(grant("pdns/*", "other", "records", "list"), None);
        assert_eq!(grant("*", "other", "records", "list"), Some(Grant::ByWildcard));
    }

    #[test]
    fn the_star_does_not_reach_hallpass_itself() {
        assert_eq!(grant("*", OWN_API, "tokens", "generate"), None);
        assert_eq!(grant("hallpass/tokens:*", OWN_API, "tokens", "generate"), Some(Grant::ByWildcard));
        assert!(!is_within(&lines("hallpass/tokens:*"), &lines("*")));
    }

    #[test]
    fn text_that_is_no_scope_allows_nothing() {
        for wrong in [
            "",
            "pdns",
            "pdns/",
            "pdns/zones",
            "pdns/zones:",
            "/zones:list",
            "pdns/:list",
            "**",
            "pdns/z*:list",
            "zones:list",
        ] {
            assert_eq!(Scope::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_list_is_within_another_only_as_a_whole() {
        assert!(is_within(&lines("pdns/zones:list pdns/zones:read"), &lines("pdns/zones:*")));
        assert!(!is_within(&lines("pdns/zones:list pdns/records:read"), &lines("pdns/zones:*")));
        assert!(!is_within(&lines("pdns/zones:*"), &lines("pdns/zones:list")));
        assert!(!is_within(&lines("*"), &lines("pdns/*")));
        assert!(is_within(&lines(""), &lines("")));
    }

    #[test]
    fn an_allow_list_narrows_to_the_named_resources() {
        let list = lines("pdns/zones:example.org pdns/keys:*");
        assert!(allows(&list, "pdns", "zones", Some("example.org"), Grant::ByWildcard));
        assert!(!allows(&list, "pdns", "zones", Some("example.com"), Grant::ByName));
        assert!(allows(&list, "pdns", "keys", Some("any"), Grant::ByWildcard));
        assert!(!allows(&list, "pdns", "servers", Some("any"), Grant::ByName));
        assert!(!allows(&list, "other", "zones", Some("example.org"), Grant::ByName));
        assert!(allows(&lines(""), "pdns", "zones", Some("any"), Grant::ByWildcard));
    }

    #[test]
    fn a_listing_passes_an_allow_list_only_when_its_scope_names_it() {
        let list = lines("pdns/zones:example.org pdns/keys:*");
        assert!(allows(&list, "pdns", "zones", None, Grant::ByName));
        assert!(!allows(&list, "pdns", "zones", None, Grant::ByWildcard));
        assert!(allows(&list, "pdns", "keys", None, Grant::ByWildcard));
    }

    #[test]
    fn a_scope_covers_itself_what_is_below_it_and_nothing_else() {
        let all = [
            "*",
            "pdns/*",
            "pdns/zones:*",
            "pdns/zones:list",
            "hallpass/*",
            "hallpass/tokens:*",
            "hallpass/tokens:list",
        ];
        let covered = |scope: &str| -> &[&str] {
            match scope {
                "*" => &["*", "pdns/*", "pdns/zones:*", "pdns/zones:list"],
                "pdns/*" => &["pdns/*", "pdns/zones:*", "pdns/zones:list"],
                "pdns/zones:*" => &["pdns/zones:*", "pdns/zones:list"],
                "pdns/zones:list" => &["pdns/zones:list"],
                "hallpass/*" => &["hallpass/*", "hallpass/tokens:*", "hallpass/tokens:list"],
                "hallpass/tokens:*" => &["hallpass/tokens:*", "hallpass/tokens:list"],
                _ => &["hallpass/tokens:list"],
            }
        };
        for outer in all {
            for inner in all {
                let covers = Scope::parse(outer).unwrap().covers(&Scope::parse(inner).unwrap());
                assert_eq!(covers, covered(outer).contains(&inner), "{outer} of {inner}");
            }
        }
        let beside = ["pdns/zones:read", "pdns/zone:list", "pdn/zones:list"];
        assert!(beside.iter().all(|inner| !is_within(&lines(inner), &lines("pdns/zones:list"))));
        assert!(!is_within(&lines("other/zones:*"), &lines("pdns/zones:*")));
        assert!(!is_within(&lines("pdns/records:*"), &lines("pdns/zones:*")));
    }

    /// Few and many, near each other and far apart, with and without words that are no scopes among them.
    #[test]
    fn a_set_holds_the_scopes_of_its_list_and_no_other_however_it_is_written() {
        let count = 2_000;
        let symbols = Symbols::default();
        let names: Vec<String> =
            (0..count).map(|n| if n % 7 == 3 { format!("no scope {n}") } else { format!("pdns/zones:m{n}") }).collect();
        let numbers: Vec<u32> = names.iter().map(|name| symbols.number(name)).collect();
        assert_eq!(numbers.last(), Some(&1_999));
        let choices: [fn(usize) -> bool; 9] = [
            |_| false,
            |_| true,
            |n| n == 1_999,
            |n| n == 254 || n == 510,
            |n| n == 255 || n == 511,
            |n| n % 12 == 0,
            |n| n % 8 == 1,
            |n| !(3..=1_900).contains(&n),
            |n| n % 300 == 256,
        ];
        for chosen in choices {
            let list: Lines = names.iter().enumerate().filter(|(n, _)| chosen(*n)).map(|(_, name)| name).collect();
            let set = symbols.set(&list);
            for n in 0..count + 100 {
                assert_eq!(set.holds(n as u32), n < count && chosen(n) && n % 7 != 3, "{n}");
            }
        }
    }

    #[test]
    fn a_set_takes_no_more_room_than_its_numbers_as_bits_or_as_gaps() {
        let symbols = Symbols::default();
        let room = |step: usize| {
            let list: Lines = (0..1_200).step_by(step).map(|n| format!("pdns/zones:m{n}")).collect();
            symbols.set(&list).code().len()
        };
        assert_eq!(room(1), 1 + 1_200 / 8);
        assert!(room(12) <= 1 + 65, "{}", room(12));
    }

    #[test]
    fn a_long_list_that_many_tokens_have_is_kept_once_but_of_different_lists_only_a_thousand() {
        let symbols = Symbols::default();
        for n in 0..1_000 {
            symbols.number(&format!("pdns/zones:m{n}"));
        }
        let is_shared = |n: usize| {
            let more = format!("pdns/zones:more{n}");
            let list = (0..1_000).step_by(2).map(|n| format!("pdns/zones:m{n}")).chain([more]).collect();
            match (symbols.set(&list).0, symbols.set(&list).0) {
                (Code::Long(one), Code::Long(other)) => Arc::ptr_eq(&one, &other),
                _ => panic!("a short one"),
            }
        };
        assert!((0..SHARED).all(is_shared));
        assert!(!is_shared(SHARED) && !is_shared(SHARED + 1) && is_shared(0));
    }
}
