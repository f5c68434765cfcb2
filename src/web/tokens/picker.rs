//! The method picker of the token form: from the catalogue and what is ticked to the rows of the page.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::catalogue::set::AccessSet;
use crate::catalogue::{Api, Catalogue, Method};
use crate::scope::Scope;
use crate::types::{Lines, Role};
use crate::web::form::Posted;
use crate::web::page::counted;
use crate::web::picker::{Picker, PickerApi, PickerMethod, PickerService, SetCard, Wildcard, ranges};
use crate::web::words::kind;

/// Above this many methods services start closed, except those with ticks.
const OPEN_UP_TO: usize = 150;

/// More than any catalogue has: what a form may ask us to look up.
const MOST_TICKS: usize = 25_000;

/// What is ticked: methods and wildcards by their full scope, services by `API/SERVICE`.
#[derive(Clone, Default)]
pub struct Ticks {
    methods: HashSet<String>,
    services: HashSet<String>,
    wildcards: BTreeSet<String>,
    /// What names nothing that is here: kept as it was typed, for the check to name it.
    unknown: Vec<String>,
}

impl Ticks {
    pub fn posted(form: &Posted, catalogue: &Catalogue) -> Ticks {
        let mut ticks = Ticks::default();
        for typed in form.every("m").take(MOST_TICKS).filter(|typed| !typed.trim().is_empty()) {
            match catalogue.resolve(typed) {
                Ok(full) => ticks.tick(full),
                Err(_) => ticks.unknown.push(typed.to_owned()),
            }
        }
        ticks.services = form.every("service").take(MOST_TICKS).map(|typed| full_service(catalogue, typed)).collect();
        ticks
    }

    /// Of the scopes that a token has. What the catalogue has no more is left out: it is shown as lost.
    pub fn of_scopes(scopes: &Lines, catalogue: &Catalogue) -> Ticks {
        let mut ticks = Ticks::default();
        scopes.iter().filter_map(|scope| catalogue.resolve(scope).ok()).for_each(|full| ticks.tick(full));
        ticks
    }

    fn tick(&mut self, full: String) {
        match Scope::parse(&full) {
            Some(Scope::Method(..)) => self.methods.insert(full),
            _ => self.wildcards.insert(full),
        };
    }

    fn has(&self, api: &Api, method: &Method) -> bool {
        self.methods.contains(&format!("{}/{}", api.slug, method.short()))
            || self.services.contains(&format!("{}/{}", api.slug, method.service))
    }

    /// Whether a wildcard carries the method along.
    fn implies(&self, api: &Api, method: &Method) -> bool {
        let of = Scope::Method(&api.slug, &method.service, &method.name);
        self.wildcards.iter().filter_map(|text| Scope::parse(text)).any(|wildcard| wildcard.covers(&of))
    }

    /// Ticks one method more; the answer is its scope as people read it.
    pub fn allow(&mut self, typed: &str, catalogue: &Catalogue, role: Role) -> Result<String, String> {
        let full = catalogue.resolve(typed)?;
        if let Some(lost) = lost_names(catalogue, role, &[full.as_str()].iter().collect()).first() {
            return Err(format!("Your role may not use {lost}."));
        }
        let shown = catalogue.show(&full);
        self.tick(full);
        Ok(shown)
    }

    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The scopes of all that is ticked: a service stands for those methods that it has today and the role may use.
    pub fn scopes(&self, catalogue: &Catalogue, role: Role) -> Vec<String> {
        let mut scopes: Vec<String> =
            self.methods.iter().chain(&self.wildcards).chain(&self.unknown).cloned().collect();
        for service in &self.services {
            let known = catalogue.every().flat_map(|api| api.methods.iter().map(move |m| (api, m)));
            let of_service: Vec<_> =
                known.filter(|(api, m)| format!("{}/{}", api.slug, m.service) == *service).collect();
            if of_service.is_empty() {
                scopes.push(format!("{service}:*"));
            }
            let usable = of_service.iter().filter(|(_, m)| offered(role, m));
            scopes.extend(usable.map(|(api, m)| format!("{}/{}", api.slug, m.short())));
        }
        scopes
    }
}

/// `API/SERVICE`; the API may be left out where just one has that service.
fn full_service(catalogue: &Catalogue, typed: &str) -> String {
    let full = catalogue.resolve(&format!("{typed}:*"));
    full.map_or_else(|_| typed.to_owned(), |full| full.trim_end_matches(":*").to_owned())
}

/// The filter that was posted with `do=filter`, for who has no JavaScript.
#[derive(Clone, Default)]
pub struct Filter {
    q: String,
    /// Of `q`, in lower case; ten at the most.
    words: Vec<String>,
    only: bool,
    kinds: Vec<String>,
}

impl Filter {
    pub fn posted(form: &Posted) -> Filter {
        let q: String = form.text("mq").chars().take(200).collect();
        Filter {
            words: q.to_lowercase().split_whitespace().take(10).map(str::to_owned).collect(),
            q,
            only: form.has("only"),
            kinds: form.every("kind").take(3).map(str::to_owned).collect(),
        }
    }

    fn is_on(&self) -> bool {
        !self.words.is_empty() || self.only || !self.kinds.is_empty()
    }

    /// Words in any order, in name, service, path and description.
    fn shows(&self, service: &str, method: &Method, ticked: bool) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == method.kind.as_str());
        let text = || {
            format!("{} {service} {} {} {}", method.name, method.service, method.path, method.summary).to_lowercase()
        };
        let found = || {
            let text = text();
            self.words.iter().all(|word| text.contains(word))
        };
        kind && (!self.only || ticked) && (self.words.is_empty() || found())
    }
}

/// Whether a role may have the method in a token.
fn offered(role: Role, method: &Method) -> bool {
    method.least_role <= role
}

/// `had` are the scopes of a token that is edited or copied: what of them is no longer to be had is shown struck through.
pub fn picker(catalogue: &Catalogue, role: Role, ticks: &Ticks, filter: &Filter, had: &Lines) -> Picker {
    let total: usize = catalogue.every().flat_map(|api| &api.methods).filter(|m| offered(role, m)).count();
    let mut lost = lost(catalogue, role, had);
    let apis = catalogue.every().map(|api| PickerApi {
        title: api.title.clone(),
        wildcard: wildcard(catalogue, ticks, &format!("{}/*", api.slug), &api.title),
        services: api
            .services
            .iter()
            .filter_map(|service| {
                let value = format!("{}/{}", api.slug, service.name);
                let offered = api.methods_of(service).iter().filter(|m| offered(role, m));
                let mut methods: Vec<PickerMethod> = offered
                    .map(|m| {
                        let (named, implied) = (ticks.has(api, m), ticks.implies(api, m));
                        PickerMethod {
                            scope: catalogue.show(&format!("{}/{}", api.slug, m.short())),
                            name: m.name.clone(),
                            description: m.summary.clone(),
                            path: m.path.clone(),
                            kind: kind(m.kind),
                            docs: m.docs_url.clone().unwrap_or_default(),
                            checked: named || implied,
                            implied: implied && !named,
                            hidden: !filter.shows(&service.title, m, named || implied),
                            lost: "",
                        }
                    })
                    .collect();
                methods.extend(lost.remove(&value).unwrap_or_default());
                let any_ticked = methods.iter().any(|m| m.checked || !m.lost.is_empty());
                let shown = methods.iter().any(|m| !m.hidden);
                (!methods.is_empty()).then(|| PickerService {
                    wildcard: wildcard(catalogue, ticks, &format!("{value}:*"), &service.title),
                    checked: ticks.services.contains(&value),
                    value,
                    title: service.title.clone(),
                    code: if service.name == service.title { String::new() } else { service.name.clone() },
                    gone: false,
                    open: if filter.is_on() { shown } else { total <= OPEN_UP_TO || any_ticked },
                    methods,
                })
            })
            .collect(),
    });
    let mut apis: Vec<PickerApi> = apis.collect();
    let several = catalogue.apis().len() > 1 || !lost.is_empty();
    if !lost.is_empty() {
        let gone = lost.into_iter().map(|(value, methods)| PickerService {
            title: value.clone(),
            value,
            gone: true,
            open: true,
            methods,
            ..PickerService::default()
        });
        apis.push(PickerApi { title: "No longer there".into(), services: gone.collect(), wildcard: None });
    }
    Picker {
        apis,
        several,
        wildcard: wildcard(catalogue, ticks, "*", "every API"),
        q: filter.q.clone(),
        only: filter.only,
        read: filter.kinds.iter().any(|kind| kind == "read"),
        write: filter.kinds.iter().any(|kind| kind == "write"),
        delete: filter.kinds.iter().any(|kind| kind == "delete"),
    }
}

/// Only a wildcard that is held is shown: a ticked service is its methods of today.
fn wildcard(catalogue: &Catalogue, ticks: &Ticks, full: &str, of: &str) -> Option<Wildcard> {
    ticks.wildcards.contains(full).then(|| Wildcard { scope: catalogue.show(full), of: of.to_owned() })
}

/// The scopes of a token that an account cannot have (any more).
pub fn lost_names(catalogue: &Catalogue, role: Role, had: &Lines) -> Vec<String> {
    lost(catalogue, role, had).into_values().flatten().map(|method| catalogue.show(&method.scope)).collect()
}

/// What a token's scopes name and its account cannot have (any more), by `API/SERVICE`.
fn lost(catalogue: &Catalogue, role: Role, had: &Lines) -> BTreeMap<String, Vec<PickerMethod>> {
    let mut lost: BTreeMap<String, Vec<PickerMethod>> = BTreeMap::new();
    for text in had.iter() {
        let (api, service, name) = match Scope::parse(text) {
            Some(Scope::Method(api, service, name)) => (api, service, name),
            Some(Scope::Service(api, service)) if catalogue.resolve(text).is_err() => (api, service, "*"),
            Some(Scope::Api(api)) if catalogue.resolve(text).is_err() => (api, "*", "*"),
            _ => continue,
        };
        let known = catalogue.method(api, service, name).map(|(_, method)| method);
        let why = match known {
            Some(method) if offered(role, method) => continue,
            Some(_) => "You no longer have this right",
            None => "The API no longer has this method",
        };
        let row = PickerMethod {
            scope: text.to_owned(),
            name: name.to_owned(),
            kind: known.map(|method| kind(method.kind)).unwrap_or_default(),
            lost: why,
            ..PickerMethod::default()
        };
        lost.entry(format!("{api}/{service}")).or_default().push(row);
    }
    lost
}

/// The cards above the picker: those sets that the role may use. Members are places among the picker's methods.
pub fn cards(catalogue: &Catalogue, role: Role, chosen: &str) -> Vec<SetCard> {
    let several = catalogue.apis().len() > 1;
    let mut cards = Vec::new();
    for api in catalogue.apis() {
        for set in api.sets.iter().filter(|set| set.least_role <= role && !set.scopes.is_empty()) {
            let places = places(catalogue, role, set);
            cards.push(SetCard {
                slug: set.slug.clone(),
                name: if several { format!("{} · {}", set.name, api.title) } else { set.name.clone() },
                count: counted(places.len(), "method", "methods"),
                description: set.description.clone(),
                members: ranges(places),
                checked: set.slug == chosen,
            });
        }
    }
    cards
}

fn places(catalogue: &Catalogue, role: Role, set: &AccessSet) -> Vec<usize> {
    let in_order = catalogue.apis().iter().flat_map(|api| {
        let allowed: HashSet<(&str, &str)> =
            api.allowed_by(&set.scopes).map(|m| (m.service.as_str(), m.name.as_str())).collect();
        let of_services = api.services.iter().flat_map(|service| api.methods_of(service));
        of_services.map(move |m| (m, allowed.contains(&(m.service.as_str(), m.name.as_str()))))
    });
    let offered = in_order.filter(|(m, _)| offered(role, m)).enumerate();
    offered.filter(|(_, (_, allowed))| *allowed).map(|(place, _)| place).collect()
}
