//! The JSON of methods, access sets and APIs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Options, method_kinds, roles};
use crate::catalogue::set::AccessSet;
use crate::catalogue::store::{self, Draft};
use crate::catalogue::{self, Catalogue};
use crate::types::{MethodKind, Role, Stamp};

/// A method that a token may be given.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Method {
    /// What a token's scopes name it by.
    pub scope: String,
    pub api: String,
    pub service: String,
    pub name: String,
    pub http_method: String,
    /// Template, with the API's base path.
    pub path: String,
    #[schema(schema_with = method_kinds)]
    pub kind: MethodKind,
    pub summary: String,
    pub docs_url: Option<String>,
    pub deprecated: bool,
    #[schema(schema_with = roles)]
    pub least_role: Role,
}

impl Method {
    pub fn of(api: &catalogue::Api, method: &catalogue::Method, catalogue: &Catalogue) -> Method {
        Method {
            scope: catalogue.show(&method.names.full),
            api: api.slug.clone(),
            service: method.service.clone(),
            name: method.name.clone(),
            http_method: method.http_method.clone(),
            path: format!("{}{}", api.base_path, method.path),
            kind: method.kind,
            summary: method.summary.clone(),
            docs_url: method.docs_url.clone(),
            deprecated: method.deprecated,
            least_role: method.least_role,
        }
    }

    /// What a search looks into.
    pub fn folded(&self) -> String {
        format!("{}/{}:{} {} {}", self.api, self.service, self.name, self.path, self.summary).to_lowercase()
    }

    /// Its place in the list of all.
    pub fn cursor(&self) -> String {
        format!("{}/{}:{}", self.api, self.service, self.name)
    }
}

/// The query of a list of methods.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MethodQuery {
    /// Short name of one API.
    pub api: Option<String>,
    pub q: String,
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// The query of a list of access sets or APIs.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlugQuery {
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// A named choice of methods that an operator offers.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = AccessSet)]
pub struct Set {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub api: String,
    pub scopes: Vec<String>,
    #[schema(schema_with = roles)]
    pub least_role: Role,
}

impl Set {
    pub fn of(api: &catalogue::Api, set: &AccessSet, catalogue: &Catalogue) -> Set {
        Set {
            slug: set.slug.clone(),
            name: set.name.clone(),
            description: set.description.clone(),
            api: api.slug.clone(),
            scopes: set.scopes.iter().map(|full| catalogue.show(full)).collect(),
            least_role: set.least_role,
        }
    }
}

/// An API whose description was imported.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Api {
    pub slug: String,
    pub title: String,
    /// The description's own version.
    pub version: String,
    /// `OpenAPI 3.0.0`
    pub dialect: String,
    pub hosts: Vec<String>,
    pub base_path: String,
    pub services: Vec<String>,
    #[schema(minimum = 0)]
    pub methods: i64,
    /// Templates that cannot be served as they stand.
    pub flaws: Vec<String>,
    /// What an operator said of it beside its description.
    pub options: Options,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    pub imported_at: Stamp,
}

impl Api {
    pub fn of(api: &catalogue::Api) -> Api {
        Api {
            slug: api.slug.clone(),
            title: api.title.clone(),
            version: api.description_version.clone(),
            dialect: api.dialect.clone(),
            hosts: api.hosts.clone(),
            base_path: api.base_path.clone(),
            services: api.services.iter().map(|service| service.name.clone()).collect(),
            methods: api.methods.len() as i64,
            flaws: api.flaws.clone(),
            options: Options::of(&api.options),
            created_at: api.created_at,
            imported_at: api.imported_at,
        }
    }
}

/// The query of an import.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Import {
    /// Only say what would change.
    pub dry_run: bool,
}

/// What an import changed, or would change.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Imported {
    pub slug: String,
    pub title: String,
    pub dry_run: bool,
    /// Whether it is the description that was there already, to the letter of what is kept of it.
    pub same: bool,
    /// Methods, as `SERVICE:METHOD`.
    pub added: Vec<String>,
    /// Requests to them are refused from then on.
    pub removed: Vec<String>,
    pub changed: Vec<ChangedMethod>,
    /// What the importer has to say.
    pub notes: Vec<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ChangedMethod {
    pub method: String,
    pub was: String,
    pub becomes: String,
}

impl Imported {
    pub fn of(current: Option<&catalogue::Api>, draft: &Draft, same: bool, dry_run: bool) -> Imported {
        let difference = store::difference(current, draft);
        let changed = difference.changed.into_iter();
        Imported {
            slug: draft.slug.clone(),
            title: draft.description.title.clone(),
            dry_run,
            same,
            added: difference.added,
            removed: difference.removed,
            changed: changed.map(|(method, was, becomes)| ChangedMethod { method, was, becomes }).collect(),
            notes: draft.description.notes.clone(),
        }
    }
}
