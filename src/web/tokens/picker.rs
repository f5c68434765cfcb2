//! The method picker of the generate form: from the catalogue and what is ticked to the rows of the page.

use std::collections::HashSet;

use crate::catalogue::set::AccessSet;
use crate::catalogue::{Api, Catalogue, Method};
use crate::types::{Lines, Role};
use crate::web::form::Posted;
use crate::web::page::counted;
use crate::web::picker::{Picker, PickerApi, PickerMethod, PickerService, SetCard, ranges};
use crate::web::words::kind;

/// Above this many methods services start closed, except those with ticks.
const OPEN_UP_TO: usize = 150;

/// More than any catalogue has: what a form may ask us to look up.
const MOST_TICKS: usize = 25_000;

/// What a form says is ticked: methods by their full scope, services by `API/SERVICE`.
#[derive(Clone, Default)]
pub struct Ticks {
    methods: HashSet<String>,
    services: HashSet<String>,
}

impl Ticks {
    pub fn posted(form: &Posted, catalogue: &Catalogue) -> Ticks {
        Ticks {
            methods: form.every("m").take(MOST_TICKS).filter_map(|typed| catalogue.resolve(typed).ok()).collect(),
            services: form.every("service").take(MOST_TICKS).map(|typed| full_service(catalogue, typed)).collect(),
        }
    }

    /// Every method that a list of scopes allows today.
    pub fn of_scopes(scopes: &Lines, catalogue: &Catalogue) -> Ticks {
        let of = |api: &Api| api.allowed_by(scopes).map(|m| format!("{}/{}", api.slug, m.short())).collect::<Vec<_>>();
        Ticks { methods: catalogue.apis().iter().flat_map(|api| of(api)).collect(), services: HashSet::new() }
    }

    fn has(&self, api: &Api, method: &Method) -> bool {
        self.methods.contains(&format!("{}/{}", api.slug, method.short()))
            || self.services.contains(&format!("{}/{}", api.slug, method.service))
    }

    /// The scopes of all that is ticked: a service stands for those methods that it has today and the role may use. What is
    /// no service is kept as it was typed, for the check to name.
    pub fn scopes(&self, form: &Posted, catalogue: &Catalogue, role: Role) -> Vec<String> {
        let mut scopes: Vec<String> = form.every("m").take(MOST_TICKS).map(str::to_owned).collect();
        for service in &self.services {
            let known = catalogue.apis().iter().flat_map(|api| api.methods.iter().map(move |m| (api, m)));
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

pub fn picker(catalogue: &Catalogue, role: Role, ticks: &Ticks, filter: &Filter) -> Picker {
    let total: usize = catalogue.apis().iter().flat_map(|api| &api.methods).filter(|m| offered(role, m)).count();
    let apis = catalogue.apis().iter().map(|api| PickerApi {
        title: api.title.clone(),
        services: api
            .services
            .iter()
            .filter_map(|service| {
                let methods: Vec<PickerMethod> = api
                    .methods_of(service)
                    .iter()
                    .filter(|m| offered(role, m))
                    .map(|m| {
                        let checked = ticks.has(api, m);
                        PickerMethod {
                            scope: catalogue.show(&format!("{}/{}", api.slug, m.short())),
                            name: m.name.clone(),
                            description: m.summary.clone(),
                            path: m.path.clone(),
                            kind: kind(m.kind),
                            docs: m.docs_url.clone().unwrap_or_default(),
                            checked,
                            hidden: !filter.shows(&service.title, m, checked),
                            lost: false,
                        }
                    })
                    .collect();
                let any_ticked = methods.iter().any(|m| m.checked);
                let shown = methods.iter().any(|m| !m.hidden);
                (!methods.is_empty()).then(|| PickerService {
                    value: format!("{}/{}", api.slug, service.name),
                    title: service.title.clone(),
                    code: if service.name == service.title { String::new() } else { service.name.clone() },
                    checked: ticks.services.contains(&format!("{}/{}", api.slug, service.name)),
                    open: if filter.is_on() { shown } else { total <= OPEN_UP_TO || any_ticked },
                    methods,
                })
            })
            .collect(),
    });
    Picker {
        apis: apis.collect(),
        q: filter.q.clone(),
        only: filter.only,
        read: filter.kinds.iter().any(|kind| kind == "read"),
        write: filter.kinds.iter().any(|kind| kind == "write"),
        delete: filter.kinds.iter().any(|kind| kind == "delete"),
    }
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
