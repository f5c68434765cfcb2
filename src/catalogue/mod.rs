//! The catalogue: APIs, their services and methods, access sets; which method a request is, which scope a text names.

pub mod description;
pub mod options;
pub mod own;
pub mod paths;
pub mod set;
pub mod store;
pub mod target;
mod template;

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::{SmolStr, format_smolstr};

use crate::scope::{Grant, MethodSymbols, OWN_API, Scope, Symbols};
use crate::types::{ApiId, Lines, MethodKind, Role, Stamp};
use options::ApiOptions;
use paths::{Flaw, PathOptions, Paths, Template};
use set::AccessSet;
use target::{Segments, TargetOptions};

/// Everything imported, as one immutable value that is replaced as a whole.
#[derive(Default)]
pub struct Catalogue {
    /// Those imported, by slug.
    apis: Vec<Arc<Api>>,
    /// Hallpass's own; `None` only where nothing is known at all.
    own: Option<Arc<Api>>,
}

/// One API with all that verification and the pages ask of it.
pub struct Api {
    pub id: ApiId,
    pub slug: String,
    pub title: String,
    /// The description's own version, such as `8.0.2`.
    pub description_version: String,
    /// `OpenAPI 3.0.0`.
    pub dialect: String,
    pub options: ApiOptions,
    /// Lower case, from the options or else the description.
    pub hosts: Vec<String>,
    /// `""` or `/1.0`.
    pub base_path: String,
    pub services: Vec<Service>,
    /// By service, then name.
    pub methods: Vec<Method>,
    pub sets: Vec<AccessSet>,
    pub created_at: Stamp,
    pub imported_at: Stamp,
    pub version: i64,
    /// Templates that cannot be served as they stand: sentences for the operator.
    pub flaws: Vec<String>,
    by_name: HashMap<String, usize>,
    paths: Paths,
    symbols: Arc<Symbols>,
}

#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    pub title: String,
    pub summary: String,
    /// Where its methods stand in [`Api::methods`].
    pub methods: std::ops::Range<usize>,
}

#[derive(Clone, Debug)]
pub struct Method {
    pub service: String,
    pub name: String,
    pub http_method: String,
    /// Template without the base path.
    pub path: String,
    pub kind: MethodKind,
    pub summary: String,
    pub docs_url: Option<String>,
    pub deprecated: bool,
    pub least_role: Role,
    pub resource: Resource,
    pub symbols: MethodSymbols,
    pub names: Names,
}

/// A method's scope, made once: every verdict tells it.
#[derive(Clone, Debug)]
pub struct Names {
    /// `API/SERVICE:METHOD`
    pub full: SmolStr,
    /// `SERVICE:METHOD`
    pub short: SmolStr,
}

impl Names {
    fn new(api: &str, service: &str, method: &str) -> Names {
        Names { full: format_smolstr!("{api}/{service}:{method}"), short: format_smolstr!("{service}:{method}") }
    }
}

/// Where a request for a method names the resource that allow lists speak of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resource {
    Nowhere,
    Path(SmolStr),
    Query(SmolStr),
}

/// A method with what the request's path gave to its parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found<'s> {
    /// The value of the method's resource where that is in the path; `None` also where it could be read in two ways.
    pub in_path: Option<&'s str>,
}

impl Method {
    /// `SERVICE:METHOD`.
    pub fn short(&self) -> String {
        format!("{}:{}", self.service, self.name)
    }
}

impl Api {
    pub fn target_options(&self) -> TargetOptions {
        TargetOptions { trailing_dot: self.options.trailing_dot, utf8_paths: self.options.utf8_paths }
    }

    pub fn method(&self, service: &str, name: &str) -> Option<&Method> {
        self.by_name.get(&format!("{service}:{name}")).and_then(|&nth| self.methods.get(nth))
    }

    pub fn methods_of(&self, service: &Service) -> &[Method] {
        self.methods.get(service.methods.clone()).unwrap_or_default()
    }

    /// Which method a request is; nothing for what no template matches (closed by default). More than one where templates
    /// fit alike: which of them the API runs is known to the API alone, so the right to every one is needed.
    pub fn find<'s>(&self, http_method: &str, segments: &'s Segments<'_>) -> SmallVec<[(&Method, Found<'s>); 1]> {
        let Some(hit) = self.paths.find(http_method, segments) else {
            return SmallVec::new();
        };
        let found = hit.every().filter_map(|one| {
            let method = self.methods.get(one.id)?;
            let in_path = match &method.resource {
                Resource::Path(name) => one.parameter(name),
                Resource::Nowhere | Resource::Query(_) => None,
            };
            Some((method, Found { in_path }))
        });
        found.collect()
    }

    /// Methods that a list of full scopes allows today. One look at a bit for each method: lists count them for every row.
    pub fn allowed_by(&self, scopes: &Lines) -> impl Iterator<Item = &Method> {
        let set = self.symbols.set(scopes);
        self.methods.iter().filter(move |method| set.grants(&method.symbols).is_some())
    }
}

impl Catalogue {
    pub fn new(mut apis: Vec<Arc<Api>>, symbols: &Arc<Symbols>) -> Catalogue {
        apis.sort_by(|a, b| a.slug.cmp(&b.slug));
        Catalogue { apis, own: Some(Arc::new(own::api(symbols))) }
    }

    /// Those imported: what a proxy may ask about.
    pub fn apis(&self) -> &[Arc<Api>] {
        &self.apis
    }

    /// An imported one.
    pub fn api(&self, slug: &str) -> Option<&Arc<Api>> {
        self.apis.iter().find(|api| api.slug == slug)
    }

    /// Those imported, and Hallpass's own behind them: what scopes may name.
    pub fn every(&self) -> impl Iterator<Item = &Arc<Api>> {
        self.apis.iter().chain(&self.own)
    }

    /// A method of any of them.
    pub fn method(&self, api: &str, service: &str, name: &str) -> Option<(&Arc<Api>, &Method)> {
        let api = self.every().find(|known| known.slug == api)?;
        api.method(service, name).map(|method| (api, method))
    }

    /// The one API that answers for a host name (with port, if the request had one).
    pub fn api_for_host(&self, host: &str) -> Option<&Arc<Api>> {
        let host = host.to_ascii_lowercase();
        let bare = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let mut fitting = self.apis.iter().filter(|api| api.hosts.iter().any(|of| *of == host || of == bare));
        fitting.next().filter(|_| fitting.next().is_none())
    }

    pub fn only_api(&self) -> Option<&Arc<Api>> {
        self.apis.first().filter(|_| self.apis.len() == 1)
    }

    /// The full form of a scope that a person or program wrote, or a sentence about what is wrong with it. The API may be
    /// left out where just one API has that service or method.
    pub fn resolve(&self, typed: &str) -> Result<String, String> {
        let typed = typed.trim();
        let prefixed = Scope::parse(typed).filter(|scope| self.knows(scope));
        if prefixed.is_some() {
            return Ok(typed.to_owned());
        }
        let mut fitting = self.apis.iter().map(|api| format!("{}/{typed}", api.slug)).filter(|full| {
            Scope::parse(full)
                .is_some_and(|scope| matches!(scope, Scope::Service(..) | Scope::Method(..)) && self.knows(&scope))
        });
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            (Some(one), Some(_)) => {
                Err(format!("“{typed}” is in more than one API. Put the API in front, as in {one}."))
            }
            (None, _) => {
                Err(format!("There is no method or service “{typed}”. A scope is SERVICE:METHOD, SERVICE:* or *."))
            }
        }
    }

    /// A full scope as people read it: the API stands in front only where more than one is known.
    pub fn show(&self, full: &str) -> String {
        match self
            .only_api()
            .and_then(|api| full.strip_prefix(api.slug.as_str()))
            .and_then(|rest| rest.strip_prefix('/'))
        {
            Some("*") | None => full.to_owned(),
            Some(short) => short.to_owned(),
        }
    }

    fn knows(&self, scope: &Scope<'_>) -> bool {
        match *scope {
            Scope::Everything => true,
            Scope::Api(api) => self.every().any(|known| known.slug == api),
            Scope::Service(api, service) => {
                self.every().any(|known| known.slug == api && known.services.iter().any(|known| known.name == service))
            }
            Scope::Method(api, service, method) => self.method(api, service, method).is_some(),
        }
    }

    /// How many methods a list of full scopes allows today.
    pub fn count(&self, scopes: &Lines) -> usize {
        self.every().map(|api| api.allowed_by(scopes).count()).sum()
    }

    /// The methods that a list of scopes allows today, each by its own scope.
    pub fn named(&self, scopes: &Lines) -> Lines {
        let of = |api: &Api| api.allowed_by(scopes).map(|m| format!("{}/{}", api.slug, m.short())).collect::<Vec<_>>();
        self.every().flat_map(|api| of(api)).collect()
    }

    /// The methods that `after` allows today and `before` does not: what a widening adds. Beside an allow list a method that
    /// names no resource passes by its own name alone (`scope::allows`), so that such a name adds it to a wildcard.
    pub fn gained(&self, before: &Lines, after: &Lines, has_allow_list: bool) -> Vec<(&Api, &Method)> {
        let mut gained = Vec::new();
        for api in self.every() {
            let (had, has) = (api.symbols.set(before), api.symbols.set(after));
            let adds = |m: &&Method| match (had.grants(&m.symbols), has.grants(&m.symbols)) {
                (None, Some(_)) => true,
                (Some(Grant::ByWildcard), Some(Grant::ByName)) => has_allow_list && m.resource == Resource::Nowhere,
                _ => false,
            };
            gained.extend(api.methods.iter().filter(adds).map(|m| (&**api, m)));
        }
        gained
    }

    pub fn method_count(&self) -> usize {
        self.apis.iter().map(|api| api.methods.len()).sum()
    }

    pub fn set(&self, slug: &str) -> Option<&AccessSet> {
        self.apis.iter().flat_map(|api| &api.sets).find(|set| set.slug == slug)
    }
}

/// What makes an [`Api`] from its rows: names to places, templates to the matcher, options to each method.
pub(crate) struct Assembly {
    pub row: store::ApiRow,
    pub services: Vec<store::ServiceRow>,
    pub methods: Vec<store::MethodRow>,
    pub sets: Vec<AccessSet>,
}

impl Assembly {
    pub(crate) fn build(self, symbols: &Arc<Symbols>) -> serde_json::Result<Api> {
        let options: ApiOptions = serde_json::from_str(&self.row.options)?;
        let servers: Vec<description::Server> = serde_json::from_str(&self.row.servers)?;
        let (hosts, base_path) = effective(&options, &servers);
        let slug = &self.row.slug;

        let mut rows = self.methods;
        rows.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
        let methods = rows.iter().map(|row| method(row, slug, &options, symbols));
        let methods: Vec<Method> = methods.collect::<serde_json::Result<_>>()?;
        let services = self.services.into_iter().map(|row| {
            let from = methods.partition_point(|m| m.service < row.name);
            let to = methods.partition_point(|m| m.service <= row.name);
            Service { name: row.name, title: row.title, summary: row.summary, methods: from..to }
        });
        let mut services: Vec<Service> = services.collect();
        services.sort_by_key(|service| service.title.to_lowercase());

        let templates: Vec<(String, bool)> = methods
            .iter()
            .map(|m| (format!("{base_path}{}", m.path), options.is_greedy(&m.service, &m.name)))
            .collect();
        let templates = methods.iter().zip(&templates).enumerate();
        let (paths, flaws) = Paths::build(
            templates.map(|(id, (m, (path, greedy)))| Template {
                id,
                http_method: &m.http_method,
                path,
                greedy: *greedy,
            }),
            PathOptions { case_insensitive: options.case_insensitive },
        );
        let name = |nth: usize| methods.get(nth).map(Method::short).unwrap_or_default();
        let flaws = flaws.iter().map(|flaw| match flaw {
            Flaw::Clash { first, second } => format!("{} and {}: {flaw}.", name(*first), name(*second)),
            Flaw::Unreadable { id, .. } => format!("{}: {flaw}.", name(*id)),
        });
        let flaws = flaws.collect();
        let by_name = methods.iter().enumerate().map(|(nth, m)| (m.short(), nth)).collect();
        Ok(Api {
            id: self.row.id,
            slug: self.row.slug,
            title: self.row.title,
            description_version: self.row.description_version,
            dialect: self.row.dialect,
            options,
            hosts,
            base_path,
            services,
            methods,
            sets: self.sets,
            created_at: self.row.created_at,
            imported_at: self.row.imported_at,
            version: self.row.version,
            flaws,
            by_name,
            paths,
            symbols: symbols.clone(),
        })
    }
}

/// Hosts and base path: what the operator said, else what the description says.
pub fn effective(options: &ApiOptions, servers: &[description::Server]) -> (Vec<String>, String) {
    let hosts = match options.hosts.is_empty() {
        true => servers.iter().filter_map(|server| server.host.clone()).collect(),
        false => options.hosts.iter().map(str::to_ascii_lowercase).collect(),
    };
    let base = options.base_path.clone().or_else(|| servers.first().map(|server| server.base_path.clone()));
    (hosts, base.unwrap_or_default())
}

fn method(row: &store::MethodRow, slug: &str, options: &ApiOptions, symbols: &Symbols) -> serde_json::Result<Method> {
    let parameters: Vec<description::Parameter> = serde_json::from_str(&row.parameters)?;
    let resource = resource(options, &row.service, &parameters);
    Ok(Method {
        kind: options.kind_of(&row.service, &row.name, row.kind),
        least_role: options.least_role_of(&row.service, &row.name),
        symbols: MethodSymbols::new(symbols, slug, &row.service, &row.name),
        names: Names::new(slug, &row.service, &row.name),
        service: row.service.clone(),
        name: row.name.clone(),
        http_method: row.http_method.clone(),
        path: row.path.clone(),
        summary: row.summary.clone(),
        docs_url: row.docs_url.clone(),
        deprecated: row.deprecated,
        resource,
    })
}

/// Which parameter names the resource: the operator's, if the method has it, else the first of the path. An operator's
/// parameter of the query binds even where the description no longer tells of it: a request without it names nothing that an
/// allow list could allow, and a slip in an option must not open a list.
pub fn resource(options: &ApiOptions, service: &str, parameters: &[description::Parameter]) -> Resource {
    let has = |name: &str, place| parameters.iter().any(|p| p.name == name && p.place == place);
    let first = parameters.iter().find(|p| p.place == description::Place::Path);
    match (options.resource_of(service), first) {
        (Some((name, true)), _) if has(name, description::Place::Query) => Resource::Query(name.into()),
        (Some((name, false)), _) if has(name, description::Place::Path) => Resource::Path(name.into()),
        (_, Some(first)) => Resource::Path(first.name.as_str().into()),
        (Some((name, true)), None) => Resource::Query(name.into()),
        (_, None) => Resource::Nowhere,
    }
}

/// Whether a slug may be given to an API: short, lower case, and not the one of Hallpass itself.
pub fn check_slug(slug: &str) -> Result<(), String> {
    if slug == OWN_API {
        return Err("“hallpass” is the name of Hallpass's own API. Choose another short name.".into());
    }
    // Addresses of pages stand where a short name would.
    if matches!(slug, "new" | "import") {
        return Err(format!("“{slug}” cannot be a short name. Choose another."));
    }
    let fine = (1..=40).contains(&slug.len())
        && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && slug.starts_with(|c: char| c.is_ascii_alphanumeric());
    match fine {
        true => Ok(()),
        false => Err("A short name has 1 to 40 lower case letters, digits and hyphens, such as pdns.".into()),
    }
}
