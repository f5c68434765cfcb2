//! Hallpass's own API in the catalogue: what a token needs to ask Hallpass itself something. It is there before any import,
//! stands behind no proxy, and no `*` reaches it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;

use super::paths::{PathOptions, Paths};
use super::{Api, ApiOptions, Method, Names, Resource, Service};
use crate::scope::{MethodSymbols, OWN_API, Symbols};
use crate::types::{ApiId, MethodKind, Role, Stamp};

/// A method of Hallpass's own API as a type, so that a handler can name in its signature what its caller has to hold.
pub trait OwnMethod: 'static {
    const SERVICE: &'static str;
    const NAME: &'static str;
}

struct Row {
    service: &'static str,
    title: &'static str,
    name: &'static str,
    kind: MethodKind,
    http_method: &'static str,
    path: &'static str,
    summary: &'static str,
}

macro_rules! own_methods {
    ($($service:literal $title:literal { $($of:ident $name:literal $kind:ident $http_method:ident $path:literal $summary:literal;)* })*) => {
        $($(
            pub struct $of;

            impl OwnMethod for $of {
                const SERVICE: &'static str = $service;
                const NAME: &'static str = $name;
            }
        )*)*

        /// By service, then name.
        const METHODS: &[Row] = &[$($(Row {
            service: $service,
            title: $title,
            name: $name,
            kind: MethodKind::$kind,
            http_method: stringify!($http_method),
            path: $path,
            summary: $summary,
        }),*),*];
    };
}

own_methods! {
    "verify" "Hallpass verification" {
        Introspect "introspect" Write POST "/oauth/introspect" "Ask what a token is worth, and revoke one by its value";
    }
}

/// As it is known on every start; nobody can import over it.
pub(super) fn api(symbols: &Arc<Symbols>) -> Api {
    let made = Stamp::from(DateTime::UNIX_EPOCH);
    let methods: Vec<Method> = METHODS.iter().map(|row| method(row, symbols)).collect();
    let mut services: Vec<Service> = Vec::new();
    for (nth, row) in METHODS.iter().enumerate() {
        match services.last_mut().filter(|last| last.name == row.service) {
            Some(last) => last.methods.end = nth + 1,
            None => services.push(Service {
                name: row.service.into(),
                title: row.title.into(),
                summary: String::new(),
                methods: nth..nth + 1,
            }),
        }
    }
    Api {
        id: ApiId::from(OWN_API),
        slug: OWN_API.into(),
        title: "Hallpass".into(),
        description_version: env!("CARGO_PKG_VERSION").into(),
        dialect: String::new(),
        options: ApiOptions::default(),
        hosts: Vec::new(),
        base_path: String::new(),
        services,
        by_name: methods.iter().enumerate().map(|(nth, m)| (m.short(), nth)).collect::<HashMap<_, _>>(),
        methods,
        sets: Vec::new(),
        created_at: made,
        imported_at: made,
        version: 0,
        flaws: Vec::new(),
        paths: Paths::build(std::iter::empty(), PathOptions { case_insensitive: false }).0,
        symbols: symbols.clone(),
    }
}

fn method(row: &Row, symbols: &Symbols) -> Method {
    Method {
        service: row.service.into(),
        name: row.name.into(),
        http_method: row.http_method.into(),
        path: row.path.into(),
        kind: row.kind,
        summary: row.summary.into(),
        docs_url: None,
        deprecated: false,
        least_role: Role::Viewer,
        resource: Resource::Nowhere,
        symbols: MethodSymbols::new(symbols, OWN_API, row.service, row.name),
        names: Names::new(OWN_API, row.service, row.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_under_its_service_in_order() {
        let api = api(&Arc::default());
        let listed: Vec<String> = api.services.iter().flat_map(|s| api.methods_of(s)).map(Method::short).collect();
        assert_eq!(listed, METHODS.iter().map(|row| format!("{}:{}", row.service, row.name)).collect::<Vec<_>>());
        assert!(METHODS.is_sorted_by_key(|row| (row.service, row.name)));
        assert!(api.method(Introspect::SERVICE, Introspect::NAME).is_some());
    }
}
