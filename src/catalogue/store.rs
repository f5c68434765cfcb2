//! The catalogue's rows: loading, importing a description (again), options, removal. A change shows its difference first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::description::{Description, Method as Described, Place, ServiceEntry};
use super::options::ApiOptions;
use super::set;
use super::{Api, Assembly, Catalogue, Method, Resource, check_slug, resource};
use crate::actor::{Actor, Deed};
use crate::audit::{self, Subject};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrMissing, Problem, Result};
use crate::schema::{apis, methods, services};
use crate::scope::Symbols;
use crate::tx::{Change, Tx};
use crate::types::{ApiId, MethodKind, Stamp};

pub(super) const CHANGED_MEANWHILE: &str = "This API was changed by someone else meanwhile. Look at it again.";

#[derive(Queryable, Selectable, Insertable, Clone)]
#[diesel(table_name = apis)]
#[diesel(check_for_backend(MultiBackend))]
pub struct ApiRow {
    pub id: ApiId,
    pub slug: String,
    pub title: String,
    pub description_version: String,
    pub dialect: String,
    pub servers: String,
    pub options: String,
    pub created_at: Stamp,
    pub imported_at: Stamp,
    pub version: i64,
}

#[derive(Queryable, Selectable, Insertable, Clone, PartialEq, Eq)]
#[diesel(table_name = services)]
#[diesel(check_for_backend(MultiBackend))]
pub struct ServiceRow {
    pub api_id: ApiId,
    pub name: String,
    pub title: String,
    pub summary: String,
}

#[derive(Queryable, Selectable, Insertable, Clone, PartialEq, Eq)]
#[diesel(table_name = methods)]
#[diesel(check_for_backend(MultiBackend))]
pub struct MethodRow {
    pub api_id: ApiId,
    pub service: String,
    pub name: String,
    pub http_method: String,
    pub path: String,
    pub kind: MethodKind,
    pub summary: String,
    pub docs_url: Option<String>,
    pub parameters: String,
    pub deprecated: bool,
}

/// Reads everything. 1,500 methods take a few milliseconds; it happens at start and when an API changes.
pub fn load(conn: &mut Conn, symbols: &Arc<Symbols>) -> Result<Catalogue> {
    let mut apis_loaded = Vec::new();
    let rows: Vec<ApiRow> = apis::table.select(ApiRow::as_select()).load(conn)?;
    for row in rows {
        let services =
            services::table.filter(services::api_id.eq(&row.id)).select(ServiceRow::as_select()).load(conn)?;
        let methods = methods::table.filter(methods::api_id.eq(&row.id)).select(MethodRow::as_select()).load(conn)?;
        let sets = set::of_api(conn, &row.id)?;
        let slug = row.slug.clone();
        match (Assembly { row, services, methods, sets }).build(symbols) {
            Ok(api) => apis_loaded.push(Arc::new(api)),
            // Without its options an API would be guarded by fewer rules than its operator set.
            Err(cause) => {
                tracing::error!(slug, %cause, "the options of an API cannot be read; its requests are refused")
            }
        }
    }
    Ok(Catalogue::new(apis_loaded, symbols))
}

/// A description and its options, read and checked, waiting for a yes: what the confirmation keeps.
#[derive(Clone, Serialize, Deserialize)]
pub struct Draft {
    pub slug: String,
    pub description: Description,
    pub options: ApiOptions,
    /// Version of the API that the difference was shown against; `None` for a first import.
    pub over: Option<i64>,
}

/// Reads a description. The slug and every option line are checked as well, so that all problems come at once.
pub fn draft(catalogue: &Catalogue, slug: &str, text: &[u8], options: ApiOptions) -> Result<Draft> {
    let mut problems = Vec::new();
    if let Err(sentence) = check_slug(slug) {
        problems.push(Problem { field: "slug", sentence });
    }
    problems.extend(options.check());
    match super::description::read(text) {
        Ok(mut description) if problems.is_empty() => {
            let names: Vec<(String, String)> =
                description.methods.iter().map(|m| (m.service.clone(), m.name.clone())).collect();
            let unused = options.unused(names.iter().map(|(service, name)| (service.as_str(), name.as_str())));
            let known = |service: &str, name: &str, place| {
                let mut of_service = description.methods.iter().filter(|m| m.service == service);
                of_service.any(|m| m.parameters.iter().any(|p| p.name == name && p.place == place))
            };
            let slips = options.resources.iter().filter(|line| {
                let service = line.split_whitespace().next().unwrap_or_default();
                options.resource_of(service).is_some_and(|(name, in_query)| {
                    !known(service, name, if in_query { Place::Query } else { Place::Path })
                })
            });
            let slips: Vec<String> =
                slips.map(|line| format!("No method has the parameter of the resource line “{line}”.")).collect();
            description.notes.extend(slips);
            description.notes.extend(unused.iter().map(|pattern| format!("The pattern {pattern} fits no method.")));
            let over = catalogue.api(slug).map(|api| api.version);
            Ok(Draft { slug: slug.to_owned(), description, options, over })
        }
        Ok(_) => Err(Error::Invalid(problems)),
        Err(problem) => {
            problems.push(Problem { field: "file", sentence: problem.to_string() });
            Err(Error::Invalid(problems))
        }
    }
}

/// What an import would change among an API's methods, as `SERVICE:METHOD`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Difference {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Same name, other HTTP method, path or kind: `(name, was, becomes)`.
    pub changed: Vec<(String, String, String)>,
}

pub fn difference(current: Option<&Api>, draft: &Draft) -> Difference {
    let base = effective(draft).1;
    // Where the base path changes, every method becomes another request.
    let moves = current.is_some_and(|api| api.base_path != base);
    let line = |http_method: &str, base: &str, path: &str, kind: MethodKind, resource: Resource| {
        let base = if moves { base } else { "" };
        let resource = match resource {
            Resource::Nowhere => String::new(),
            Resource::Path(name) => format!(", resource {name}"),
            Resource::Query(name) => format!(", resource ?{name}"),
        };
        format!("{http_method} {base}{path}, {kind}{resource}")
    };
    let was: BTreeMap<String, String> = current.map_or_else(BTreeMap::new, |api| {
        let of = |m: &Method| line(&m.http_method, &api.base_path, &m.path, m.kind, m.resource.clone());
        api.methods.iter().map(|m| (m.short(), of(m))).collect()
    });
    let becomes: BTreeMap<String, String> = draft
        .description
        .methods
        .iter()
        .map(|m| {
            let kind = draft.options.kind_of(&m.service, &m.name, m.kind);
            let resource = resource(&draft.options, &m.service, &m.parameters);
            (format!("{}:{}", m.service, m.name), line(&m.http_method, &base, &m.path, kind, resource))
        })
        .collect();
    Difference {
        added: becomes.keys().filter(|name| !was.contains_key(*name)).cloned().collect(),
        removed: was.keys().filter(|name| !becomes.contains_key(*name)).cloned().collect(),
        changed: was
            .iter()
            .filter_map(|(name, before)| Some((name, before, becomes.get(name).filter(|after| *after != before)?)))
            .map(|(name, before, after)| (name.clone(), before.clone(), after.clone()))
            .collect(),
    }
}

/// Saves an import: the API's methods are those of the description afterwards. Tokens keep their scopes; a scope whose
/// method is gone allows nothing, and allows again what comes back under its name.
pub fn import(tx: &mut Tx<'_>, actor: &Actor, draft: &Draft) -> Result<ApiId> {
    actor.must(Deed::Administer)?;
    // Drawn before anything is read: of two imports at the same moment the second sees the first.
    let version = tx.version()?;
    let existing: Option<ApiRow> =
        apis::table.filter(apis::slug.eq(&draft.slug)).select(ApiRow::as_select()).first(tx.conn).optional()?;
    if existing.as_ref().map(|row| row.version) != draft.over {
        return Err(Error::invalid("slug", CHANGED_MEANWHILE));
    }
    let row = ApiRow {
        id: existing.as_ref().map_or_else(|| tx.id(), |row| Ok(row.id.clone()))?,
        slug: draft.slug.clone(),
        title: draft.description.title.clone(),
        description_version: draft.description.version.clone(),
        dialect: draft.description.dialect.clone(),
        servers: as_json(&draft.description.servers)?,
        options: as_json(&draft.options)?,
        created_at: existing.as_ref().map_or(tx.now, |row| row.created_at),
        imported_at: tx.now,
        version,
    };
    match existing {
        Some(_) => {
            diesel::delete(methods::table.filter(methods::api_id.eq(&row.id))).execute(tx.conn)?;
            diesel::delete(services::table.filter(services::api_id.eq(&row.id))).execute(tx.conn)?;
            diesel::update(apis::table.find(&row.id))
                .set((
                    apis::title.eq(&row.title),
                    apis::description_version.eq(&row.description_version),
                    apis::dialect.eq(&row.dialect),
                    apis::servers.eq(&row.servers),
                    apis::options.eq(&row.options),
                    apis::imported_at.eq(row.imported_at),
                    apis::version.eq(row.version),
                ))
                .execute(tx.conn)
                .or_missing()?;
        }
        None => {
            diesel::insert_into(apis::table).values(&row).execute(tx.conn)?;
        }
    }
    for service in service_rows(&row.id, &draft.description) {
        diesel::insert_into(services::table).values(&service).execute(tx.conn)?;
    }
    for method in method_rows(&row.id, &draft.description.methods)? {
        diesel::insert_into(methods::table).values(&method).execute(tx.conn)?;
    }
    set::make_at_import(tx, &row.id, &draft.slug, &draft.description.methods, &draft.options)?;
    audit::record(
        tx,
        actor,
        "api.import",
        Subject::api(&row.id, &row.slug),
        None,
        serde_json::json!({ "title": row.title, "dialect": row.dialect, "methods": draft.description.methods.len() }),
    )?;
    tx.changed(Change::Catalogue);
    Ok(row.id)
}

fn service_rows(api: &ApiId, description: &Description) -> Vec<ServiceRow> {
    let mut seen = BTreeSet::new();
    let named = description.services.iter().filter(|entry| seen.insert(entry.name.clone()));
    let row = |entry: &ServiceEntry| ServiceRow {
        api_id: api.clone(),
        name: entry.name.clone(),
        title: entry.title.clone(),
        summary: entry.summary.clone(),
    };
    named.map(row).collect()
}

fn method_rows(api: &ApiId, described: &[Described]) -> Result<Vec<MethodRow>> {
    let row = |m: &Described| {
        Ok(MethodRow {
            api_id: api.clone(),
            service: m.service.clone(),
            name: m.name.clone(),
            http_method: m.http_method.clone(),
            path: m.path.clone(),
            kind: m.kind,
            summary: m.summary.clone(),
            docs_url: m.docs_url.clone(),
            parameters: as_json(&m.parameters)?,
            deprecated: m.deprecated,
        })
    };
    described.iter().map(row).collect()
}

/// Whether an import would change nothing: what is kept of the description is there already, and so are the options.
pub fn is_there(conn: &mut Conn, draft: &Draft) -> Result<bool> {
    let found: Option<ApiRow> =
        apis::table.filter(apis::slug.eq(&draft.slug)).select(ApiRow::as_select()).first(conn).optional()?;
    let Some(row) = found else { return Ok(false) };
    let described = &draft.description;
    let is_same = row.title == described.title
        && row.description_version == described.version
        && row.dialect == described.dialect
        && row.servers == as_json(&described.servers)?
        && row.options == as_json(&draft.options)?;
    let mut services: Vec<ServiceRow> =
        services::table.filter(services::api_id.eq(&row.id)).select(ServiceRow::as_select()).load(conn)?;
    let mut methods: Vec<MethodRow> =
        methods::table.filter(methods::api_id.eq(&row.id)).select(MethodRow::as_select()).load(conn)?;
    let (mut services_then, mut methods_then) =
        (service_rows(&row.id, described), method_rows(&row.id, &described.methods)?);
    for rows in [&mut services, &mut services_then] {
        rows.sort_by(|a, b| a.name.cmp(&b.name));
    }
    for rows in [&mut methods, &mut methods_then] {
        rows.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
    }
    Ok(is_same && services == services_then && methods == methods_then)
}

/// New options for an API whose description stays.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewOptions {
    pub api: ApiId,
    /// Version of the API that the form was filled over.
    pub over: i64,
    pub options: ApiOptions,
}

pub fn edit_options(tx: &mut Tx<'_>, actor: &Actor, new: &NewOptions) -> Result<()> {
    actor.must(Deed::Administer)?;
    let problems = new.options.check();
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let version = tx.version()?;
    let row: ApiRow = apis::table.find(&new.api).select(ApiRow::as_select()).first(tx.conn)?;
    if row.version != new.over {
        return Err(Error::invalid("hosts", CHANGED_MEANWHILE));
    }
    diesel::update(apis::table.find(&new.api))
        .set((apis::options.eq(as_json(&new.options)?), apis::version.eq(version)))
        .execute(tx.conn)
        .or_missing()?;
    let described: Vec<MethodRow> =
        methods::table.filter(methods::api_id.eq(&new.api)).select(MethodRow::as_select()).load(tx.conn)?;
    let described: Vec<Described> = described.iter().map(MethodRow::as_described).collect();
    set::make_at_import(tx, &new.api, &row.slug, &described, &new.options)?;
    let before: serde_json::Value = serde_json::from_str(&row.options).unwrap_or_default();
    audit::record(
        tx,
        actor,
        "api.edit",
        Subject::api(&row.id, &row.slug),
        None,
        serde_json::json!({ "before": before, "after": new.options }),
    )?;
    tx.changed(Change::Catalogue);
    Ok(())
}

impl MethodRow {
    fn as_described(&self) -> Described {
        Described {
            service: self.service.clone(),
            name: self.name.clone(),
            http_method: self.http_method.clone(),
            path: self.path.clone(),
            kind: self.kind,
            summary: self.summary.clone(),
            docs_url: self.docs_url.clone(),
            parameters: serde_json::from_str(&self.parameters).unwrap_or_default(),
            deprecated: self.deprecated,
        }
    }
}

/// Removes an API with its methods and access sets. Scopes of tokens stay written and allow nothing.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, api: &ApiId) -> Result<()> {
    actor.must(Deed::Administer)?;
    // Drawn although no row is left to carry it: other processes see that the catalogue moved.
    tx.version()?;
    let row: ApiRow = apis::table.find(api).select(ApiRow::as_select()).first(tx.conn)?;
    diesel::delete(apis::table.find(api)).execute(tx.conn).or_missing()?;
    audit::record(
        tx,
        actor,
        "api.remove",
        Subject::api(api, &row.slug),
        None,
        serde_json::json!({ "title": row.title }),
    )?;
    tx.changed(Change::Catalogue);
    Ok(())
}

/// How many APIs there are and the newest version among them: cheap to ask, and other whenever the catalogue is.
pub fn fingerprint(conn: &mut Conn) -> Result<(i64, i64)> {
    let newest: Option<i64> = apis::table.select(diesel::dsl::max(apis::version)).first(conn)?;
    Ok((apis::table.count().get_result(conn)?, newest.unwrap_or(0)))
}

pub(super) fn touch(tx: &mut Tx<'_>, api: &ApiId) -> Result<()> {
    let version = tx.version()?;
    diesel::update(apis::table.find(api)).set(apis::version.eq(version)).execute(tx.conn).or_missing()?;
    tx.changed(Change::Catalogue);
    Ok(())
}

fn as_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// Hosts and base path that a draft would have.
pub fn effective(draft: &Draft) -> (Vec<String>, String) {
    super::effective(&draft.options, &draft.description.servers)
}
