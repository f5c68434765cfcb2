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
    const SUMMARY: &'static str;
}

struct Row {
    service: &'static str,
    title: &'static str,
    name: &'static str,
    least_role: Role,
    kind: MethodKind,
    http_method: &'static str,
    path: &'static str,
    summary: &'static str,
}

macro_rules! own_methods {
    ($($service:literal $title:literal { $($of:ident $name:literal $role:ident $kind:ident $http_method:ident $path:literal $summary:literal;)* })*) => {
        $($(
            pub struct $of;

            impl OwnMethod for $of {
                const SERVICE: &'static str = $service;
                const NAME: &'static str = $name;
                const SUMMARY: &'static str = $summary;
            }
        )*)*

        /// By service, then name.
        const METHODS: &[Row] = &[$($(Row {
            service: $service,
            title: $title,
            name: $name,
            least_role: Role::$role,
            kind: MethodKind::$kind,
            http_method: stringify!($http_method),
            path: $path,
            summary: $summary,
        }),*),*];
    };
}

own_methods! {
    "access-sets" "Hallpass access sets" {
        ListSets "list" Viewer Read GET "/api/v1/access-sets" "List access sets";
        RemoveSet "remove" Admin Delete DELETE "/api/v1/access-sets/{slug}" "Remove an access set";
        SaveSet "save" Admin Write PUT "/api/v1/access-sets/{slug}" "Make an access set, or change it";
    }
    "accounts" "Hallpass accounts" {
        DescribeAccount "describe" Viewer Read GET "/api/v1/accounts/{id}" "Describe a person";
        EditAccount "edit" Admin Write PATCH "/api/v1/accounts/{id}" "Give a person a role, disable or enable them";
        EndAccountSessions "end-sessions" Admin Delete DELETE "/api/v1/accounts/{id}/sessions" "End a person's sessions";
        InviteAccount "invite" Admin Write POST "/api/v1/accounts" "Invite a person by a one-time link";
        ListAccounts "list" Admin Read GET "/api/v1/accounts" "List people";
    }
    "apis" "Hallpass APIs" {
        DescribeApi "describe" Admin Read GET "/api/v1/apis/{slug}" "Describe an API";
        EditApi "edit" Admin Write PATCH "/api/v1/apis/{slug}" "Change the options of an API";
        ImportApi "import" Admin Write PUT "/api/v1/apis/{slug}" "Import an API's description, or replace it";
        ListApis "list" Admin Read GET "/api/v1/apis" "List APIs";
        RemoveApi "remove" Admin Delete DELETE "/api/v1/apis/{slug}" "Remove an API";
    }
    "events" "Hallpass events" {
        ListEvents "list" Viewer Read GET "/api/v1/events" "List events: what was changed, by whom and from where";
    }
    "methods" "Hallpass methods" {
        ListMethods "list" Viewer Read GET "/api/v1/methods" "List methods that a token may be given";
    }
    "policy" "Hallpass policy" {
        DescribePolicy "describe" Admin Read GET "/api/v1/policy" "Describe the policy";
        EditPolicy "edit" Admin Write PATCH "/api/v1/policy" "Change settings of the policy";
    }
    "service-accounts" "Hallpass service accounts" {
        DescribeService "describe" Viewer Read GET "/api/v1/service-accounts/{id}" "Describe a service account";
        EditService "edit" TokenCreator Write PATCH "/api/v1/service-accounts/{id}" "Edit a service account, give it away, disable or enable it";
        GenerateService "generate" TokenCreator Write POST "/api/v1/service-accounts" "Make a service account";
        ListServices "list" Viewer Read GET "/api/v1/service-accounts" "List service accounts";
        RemoveService "remove" TokenCreator Delete DELETE "/api/v1/service-accounts/{id}" "Remove a service account with its tokens";
    }
    "sessions" "Hallpass sessions" {
        EndSessions "end" Viewer Delete DELETE "/api/v1/sessions/{id}" "End sessions";
        ListSessions "list" Viewer Read GET "/api/v1/sessions" "List sessions";
    }
    "teams" "Hallpass teams" {
        DescribeTeam "describe" Viewer Read GET "/api/v1/teams/{id}" "Describe a team with its members";
        EditTeam "edit" Admin Write PATCH "/api/v1/teams/{id}" "Rename or describe a team";
        GenerateTeam "generate" Admin Write POST "/api/v1/teams" "Make a team";
        ListTeams "list" Viewer Read GET "/api/v1/teams" "List teams";
        ChangeMembers "members" TokenCreator Write PUT "/api/v1/teams/{id}/members/{account}" "Add a person to a team, or change their role in it";
        RemoveTeam "remove" Admin Delete DELETE "/api/v1/teams/{id}" "Remove a team";
    }
    "tokens" "Hallpass tokens" {
        DescribeToken "describe" Viewer Read GET "/api/v1/tokens/{id}" "Describe a token";
        EditToken "edit" TokenCreator Write PATCH "/api/v1/tokens/{id}" "Edit a token";
        GenerateToken "generate" TokenCreator Write POST "/api/v1/tokens" "Generate a token";
        ListTokens "list" Viewer Read GET "/api/v1/tokens" "List tokens";
        RegenerateToken "regenerate" TokenCreator Write POST "/api/v1/tokens/{id}/regenerate" "Regenerate a token: a new value for it";
        RemoveToken "remove" TokenCreator Delete DELETE "/api/v1/tokens/{id}" "Remove a token";
    }
    "verify" "Hallpass verification" {
        Introspect "introspect" Viewer Write POST "/oauth/introspect" "Ask what a token is worth, and revoke one by its value";
    }
}

/// `(SERVICE, METHOD, HTTP method, path)` of every one, for the tests that hold them against the routes.
pub fn requests() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    METHODS.iter().map(|row| (row.service, row.name, row.http_method, row.path))
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
        least_role: row.least_role,
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
