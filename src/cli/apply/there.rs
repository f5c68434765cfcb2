//! What is there already, asked for when it is needed and once.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use crate::api::json::{Api, Method, Person, Service, Set, Team, TeamTold, Token, Whoami};
use crate::cli::client::{Client, Exit, Failure};
use crate::scope::{OWN_API, Scope};
use crate::types::Role;
use crate::when::Zone;

pub struct There<'c> {
    pub client: &'c Client,
    pub me: Whoami,
    people: RefCell<BTreeMap<String, Who>>,
    services: OnceCell<Vec<Service>>,
    teams: OnceCell<Vec<Team>>,
    apis: OnceCell<Vec<Api>>,
    sets: OnceCell<Vec<Set>>,
}

/// An account that tokens are for.
#[derive(Clone)]
pub struct Who {
    pub id: String,
    /// As the file names it.
    pub name: String,
    pub role: Role,
    /// In which days are meant.
    pub zone: Zone,
}

/// Every method that is there, as `API/SERVICE:METHOD`.
#[derive(Default)]
pub struct Known(BTreeSet<String>);

impl<'c> There<'c> {
    pub fn look(client: &'c Client) -> Result<There<'c>, Failure> {
        Ok(There {
            client,
            me: client.get("/api/v1/whoami")?,
            people: RefCell::default(),
            services: OnceCell::new(),
            teams: OnceCell::new(),
            apis: OnceCell::new(),
            sets: OnceCell::new(),
        })
    }

    /// Whoever applies the file.
    pub fn myself(&self) -> Who {
        let me = &self.me.account;
        let name = me.email.as_ref().unwrap_or(&me.name).clone();
        Who { id: me.id.clone(), name, role: self.me.role, zone: me.time_zone.parse().unwrap_or(Zone::UTC) }
    }

    /// A person, by e-mail address.
    pub fn person(&self, email: &str) -> Result<Who, Failure> {
        let key = email.to_lowercase();
        let me = self.myself();
        if me.name.to_lowercase() == key {
            return Ok(me);
        }
        if let Some(known) = self.people.borrow().get(&key) {
            return Ok(known.clone());
        }
        let found: Vec<Person> = self.client.every("/api/v1/accounts", &[("q", email)])?;
        let is_meant = |person: &Person| person.email.as_ref().is_some_and(|email| email.to_lowercase() == key);
        let person = found.into_iter().find(is_meant);
        let person = person.ok_or_else(|| Failure::new(Exit::Missing, format!("There is no person {email}.")))?;
        let zone = person.time_zone.parse().unwrap_or(Zone::UTC);
        let who = Who { id: person.id, name: email.to_owned(), role: person.role, zone };
        self.people.borrow_mut().insert(key, who.clone());
        Ok(who)
    }

    pub fn service(&self, name: &str) -> Result<Option<&Service>, Failure> {
        let services = once(&self.services, || self.client.every("/api/v1/service-accounts", &[]))?;
        Ok(services.iter().find(|service| service.name == name))
    }

    /// A service account, or a person by e-mail address; `None` for a service account that is not there.
    pub fn holder(&self, named: &str) -> Result<Option<Who>, Failure> {
        if named.contains('@') {
            return self.person(named).map(Some);
        }
        if self.me.account.email.is_none() && self.me.account.name == named {
            return Ok(Some(self.myself()));
        }
        let who = |service: &Service| Who {
            id: service.id.clone(),
            name: named.to_owned(),
            role: service.role,
            zone: Zone::UTC,
        };
        Ok(self.service(named)?.map(who))
    }

    pub fn team(&self, name: &str) -> Result<Option<&Team>, Failure> {
        let teams = once(&self.teams, || self.client.every("/api/v1/teams", &[]))?;
        Ok(teams.iter().find(|team| team.name == name))
    }

    pub fn team_with_members(&self, id: &str) -> Result<TeamTold, Failure> {
        self.client.get(&format!("/api/v1/teams/{id}"))
    }

    pub fn api(&self, slug: &str) -> Result<Option<&Api>, Failure> {
        let apis = once(&self.apis, || self.client.every("/api/v1/apis", &[]))?;
        Ok(apis.iter().find(|api| api.slug == slug))
    }

    pub fn set(&self, slug: &str) -> Result<Option<&Set>, Failure> {
        let sets = once(&self.sets, || self.client.every("/api/v1/access-sets", &[]))?;
        Ok(sets.iter().find(|set| set.slug == slug))
    }

    /// Living and expired ones.
    pub fn tokens(&self, owner: &Who) -> Result<Vec<Token>, Failure> {
        self.client.every("/api/v1/tokens", &[("owner", owner.id.as_str()), ("include_expired", "true")])
    }

    /// `None` where whoever applies the file may not ask.
    pub fn methods(&self) -> Result<Option<Known>, Failure> {
        match self.client.every::<Method>("/api/v1/methods", &[]) {
            Ok(methods) => {
                let full = |method: Method| format!("{}/{}:{}", method.api, method.service, method.name);
                Ok(Some(Known(methods.into_iter().map(full).collect())))
            }
            Err(failure) if failure.exit == Exit::Forbidden => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn once<T>(cell: &OnceCell<Vec<T>>, ask: impl FnOnce() -> Result<Vec<T>, Failure>) -> Result<&[T], Failure> {
    match cell.get() {
        Some(known) => Ok(known),
        None => {
            let asked = ask()?;
            Ok(cell.get_or_init(|| asked))
        }
    }
}

impl Known {
    /// With what an import adds and takes away.
    pub fn change(&mut self, slug: &str, added: &[String], removed: &[String]) {
        for gone in removed {
            self.0.remove(&format!("{slug}/{gone}"));
        }
        self.0.extend(added.iter().map(|name| format!("{slug}/{name}")));
    }

    /// Whether there is anything under that scope, in whatever API where none is named. Which API is meant Hallpass decides.
    pub fn has(&self, scope: &str) -> bool {
        let named = |full: &str| match Scope::parse(full) {
            Some(Scope::Everything) => true,
            Some(Scope::Api(api)) => {
                self.0.iter().any(|name| name.strip_prefix(api).is_some_and(|rest| rest.starts_with('/')))
            }
            Some(Scope::Service(api, service)) => {
                let start = format!("{api}/{service}:");
                self.0.iter().any(|name| name.starts_with(&start))
            }
            Some(Scope::Method(..)) => self.0.contains(full),
            None => false,
        };
        let apis: BTreeSet<&str> = self.0.iter().filter_map(|name| name.split_once('/')).map(|(api, _)| api).collect();
        named(scope) || apis.iter().filter(|api| **api != OWN_API).any(|api| named(&format!("{api}/{scope}")))
    }
}

/// Whether two lists of scopes or resources mean the same, in whatever order. What is told has its API in front where there
/// are several; what is written need not.
pub fn same_rights(written: &[&str], told: &[String]) -> bool {
    let is_met = |a: &str, b: &str| {
        let ((api_a, rest_a), (api_b, rest_b)) = (apart(a), apart(b));
        a == b
            || rest_a == rest_b
                && rest_a != "*"
                && matches!((api_a, api_b), (None, Some(api)) | (Some(api), None) if api != OWN_API)
    };
    written.iter().all(|a| told.iter().any(|b| is_met(a, b)))
        && told.iter().all(|b| written.iter().any(|a| is_met(a, b)))
}

/// The API ends at the first `/` in front of the first `:`.
fn apart(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((api, rest)) if !api.contains(':') => (Some(api), rest),
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_the_same_in_any_order_and_with_the_only_api_in_front() {
        let same = |written: &[&str], told: &[&str]| {
            same_rights(written, &told.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        assert!(same(&["a:b", "c:*"], &["c:*", "a:b"]));
        assert!(same(&["pdns/a:b"], &["a:b"]) && same(&["a:b"], &["pdns/a:b"]));
        assert!(same(&["a:b", "a:b"], &["a:b"]));
        assert!(same(&["zones:x/y"], &["zones:x/y"]) && same(&["pdns/zones:x/y"], &["zones:x/y"]));
        assert!(!same(&["a:b"], &["a:b", "c:d"]) && !same(&["a:b", "c:d"], &["a:b"]));
        assert!(!same(&["other/a:b"], &["pdns/a:b"]));
        assert!(!same(&["tokens:list"], &["hallpass/tokens:list"]), "Hallpass itself is always named");
        assert!(!same(&["*"], &["pdns/*"]));
    }

    #[test]
    fn a_scope_is_known_with_and_without_its_api() {
        let mut known = Known::default();
        known.change("pdns", &["zones:list".into(), "zones:read".into()], &[]);
        known.change("hallpass", &["tokens:list".into()], &[]);
        for right in ["*", "pdns/*", "zones:*", "pdns/zones:*", "zones:read", "pdns/zones:read", "hallpass/tokens:*"] {
            assert!(known.has(right), "{right}");
        }
        for wrong in ["zone:*", "zones:reads", "other/*", "other/zones:read", "tokens:list", "pdn/*"] {
            assert!(!known.has(wrong), "{wrong}");
        }
        known.change("pdns", &[], &["zones:read".into()]);
        assert!(!known.has("zones:read") && known.has("zones:list"));
    }
}
