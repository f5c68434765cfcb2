//! Reads other people's API descriptions (OpenAPI 3.0 to 3.2, Swagger 2.0; JSON or YAML) into services and methods.
//! Pure: text in, description or problem out. Hostile texts cost bounded time and memory.

mod document;
mod naming;
mod prose;
mod reference;
mod server;
mod syntax;
mod values;
mod yaml;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use document::{Document, PathItem, Versions};
use naming::Call;
use syntax::escaped;
use values::List;

use crate::types::MethodKind as Kind;

/// The largest text that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most operations that a description may have.
pub const MAX_OPERATIONS: usize = 20_000;
/// The longest path template, in bytes.
pub const MAX_PATH_BYTES: usize = 2_048;
/// The most parameters of all operations together; shared ones count wherever they apply.
const MAX_PARAMETERS: usize = 400_000;
const MAX_PARAMETER_NAME_BYTES: usize = 256;
const MAX_NOTES: usize = 100;

/// Why a text cannot be imported, and where.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
#[error("{place}: {sentence}")]
pub struct Problem {
    /// A JSON pointer such as `#/paths/~1zones/get/operationId`, or `line 3, column 7`.
    pub place: String,
    pub sentence: String,
}

impl Problem {
    fn new(place: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { place: place.into(), sentence: sentence.into() }
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// `OpenAPI 3.1.0`, `Swagger 2.0`
    pub dialect: String,
    pub title: String,
    pub version: String,
    /// Never empty: without any there is one without host and base path.
    pub servers: Vec<Server>,
    /// Those that have methods; in the order of the top-level tags, then of the file.
    pub services: Vec<ServiceEntry>,
    /// In the order of the file.
    pub methods: Vec<Method>,
    /// What the operator should know, as sentences.
    pub notes: Vec<String>,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// `host[:port]` in lower case; none where the address is relative or a placeholder.
    pub host: Option<String>,
    /// `` or `/1.0`, without a trailing slash
    pub base_path: String,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ServiceEntry {
    /// `[a-z0-9._-]{1,64}`
    pub name: String,
    pub title: String,
    pub summary: String,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Method {
    pub service: String,
    /// `[A-Za-z0-9._/-]{1,128}`, unique in its service whatever the case of its letters
    pub name: String,
    /// In upper case
    pub http_method: String,
    /// The template as written, without the base path
    pub path: String,
    pub kind: Kind,
    /// One line of plain text, at most 200 characters
    pub summary: String,
    /// Always `http` or `https`
    pub docs_url: Option<String>,
    /// Those of the path in its order, then those of the query
    pub parameters: Vec<Parameter>,
    pub deprecated: bool,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    pub name: String,
    pub place: Place,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Path,
    Query,
}

/// Reads a whole description, or says what is wrong with the text and where.
pub fn read(text: &[u8]) -> Result<Description, Problem> {
    let text = syntax::text(text)?;
    if !syntax::looks_like_json(text) {
        let json = yaml::to_json(text)?;
        if !syntax::looks_like_json(&json) {
            let sentence = "This is plain text, not the fields of an API description in JSON or YAML.";
            return Err(Problem::new("line 1, column 1", sentence));
        }
        return describe(&json);
    }
    match describe(text) {
        // Almost always JSON with a slip, which its own parser tells best; but YAML may begin like this, too.
        Err(problem) if !syntax::is_json(text) => match yaml::to_json(text) {
            Ok(json) => describe(&json),
            Err(_) => Err(problem),
        },
        result => result,
    }
}

fn describe(json: &str) -> Result<Description, Problem> {
    let document = match syntax::parse::<Document>(json) {
        Ok(document) => document,
        Err(problem) => {
            // Another format may well have other types: that it is another format is the better answer.
            if let Ok(Versions { openapi, swagger }) = syntax::parse(json) {
                dialect(openapi.as_deref(), swagger.as_deref())?;
            }
            return Err(problem);
        }
    };
    let dialect = dialect(document.openapi.as_deref(), document.swagger.as_deref())?;
    let mut notes = Notes::default();
    let servers = server::servers(&document, &mut notes);
    let (mut methods, calls) = methods(&document, &mut notes)?;
    let services = name_all(&document, &calls, &mut methods, &mut notes);
    let heading = |text: Option<&str>| prose::one_line(text.unwrap_or_default());
    let info = document.info.as_deref();
    Ok(Description {
        dialect,
        title: heading(info.and_then(|info| info.title.as_deref())),
        version: heading(info.and_then(|info| info.version.as_deref())),
        servers,
        services,
        methods,
        notes: notes.finished(),
    })
}

fn dialect(openapi: Option<&str>, swagger: Option<&str>) -> Result<String, Problem> {
    let (field, name, version) = match (openapi, swagger) {
        (Some(version), _) => ("openapi", "OpenAPI", version.trim()),
        (None, Some(version)) => ("swagger", "Swagger", version.trim()),
        (None, None) => {
            let sentence = "There is no `openapi` or `swagger` field at the top, so this is not an API description.";
            return Err(Problem::new("#", sentence));
        }
    };
    let branch = version.split('.').take(2).collect::<Vec<_>>().join(".");
    let known = match field {
        "openapi" => ["3.0", "3.1", "3.2"].contains(&&*branch),
        _ => ["2.0", "2"].contains(&&*branch),
    };
    let plain = version.len() <= 20 && version.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    if known && plain {
        return Ok(format!("{name} {version}"));
    }
    let advice = "the versions that can be read are OpenAPI 3.0, 3.1 and 3.2 and Swagger 2.0";
    let sentence = format!("`{}` is not a known version; {advice}.", prose::beginning(version, 40));
    Err(Problem::new(format!("#/{field}"), sentence))
}

/// All methods, their names still empty, and from what each is to be named.
fn methods<'d>(document: &'d Document, notes: &mut Notes) -> Result<(Vec<Method>, Vec<Call<'d>>), Problem> {
    let paths = document
        .paths
        .as_ref()
        .ok_or_else(|| Problem::new("#", "There is no `paths` field, so there is no method to import."))?;
    let mut gathered =
        Gathered { document, methods: Vec::new(), calls: Vec::new(), parameters: 0, servers: Vec::new() };
    for (path, item) in &paths.list {
        let place = format!("#/paths/{}", escaped(prose::beginning(path, 300)));
        if !path.starts_with('/') {
            return Err(Problem::new(place, "A path must begin with `/`."));
        }
        if path.chars().any(char::is_control) {
            return Err(Problem::new(place, "A path cannot hold control characters."));
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(Problem::new(place, format!("A path may have at most {MAX_PATH_BYTES} bytes.")));
        }
        gathered.add(path, place, item, notes)?;
    }
    if gathered.methods.is_empty() {
        return Err(Problem::new(
            "#/paths",
            "No path has an operation (`get`, `post` …), so there is no method to import.",
        ));
    }
    if let Some(first) = gathered.servers.first() {
        let places = gathered.servers.len();
        notes.push(format!(
            "Servers of single paths or operations are ignored ({places} in all; the first is {first})."
        ));
    }
    Ok((gathered.methods, gathered.calls))
}

struct Gathered<'d, 'a> {
    document: &'d Document<'a>,
    methods: Vec<Method>,
    calls: Vec<Call<'d>>,
    /// How many parameters were looked at, those of no use included.
    parameters: usize,
    /// Where servers of their own stand.
    servers: Vec<String>,
}

impl<'d, 'a> Gathered<'d, 'a> {
    fn add(&mut self, path: &'d str, place: String, item: &'d PathItem<'a>, notes: &mut Notes) -> Result<(), Problem> {
        let layers = reference::layers(self.document, place, item)?;
        let mut shared = Vec::new();
        for (place, layer) in &layers {
            self.resolve(layer.parameters.as_ref(), place, &mut shared)?;
            if layer.servers {
                self.servers.push(format!("{place}/servers"));
            }
            if layer.additional {
                notes.push(format!("{place}/additionalOperations: only the standard HTTP methods are imported."));
            }
        }
        let mut verbs = HashSet::new();
        for (place, layer) in &layers {
            for (verb, operation) in layer.operations.iter().filter(|(verb, _)| verbs.insert(*verb)) {
                let place = || format!("{place}/{}", verb.to_ascii_lowercase());
                if self.methods.len() == MAX_OPERATIONS {
                    let sentence =
                        format!("There are more than {MAX_OPERATIONS} operations, which is the most that is read.");
                    return Err(Problem::new(place(), sentence));
                }
                self.count_parameters(shared.len(), place)?;
                let mut declared = shared.clone();
                self.resolve(operation.parameters.as_ref(), &place(), &mut declared)?;
                if operation.servers.is_some() {
                    self.servers.push(format!("{}/servers", place()));
                }
                let tag = operation.tags.as_ref().and_then(|tags| tags.0.as_deref());
                self.methods.push(Method {
                    service: String::new(),
                    name: String::new(),
                    http_method: (*verb).to_owned(),
                    path: path.to_owned(),
                    kind: kind(verb),
                    summary: prose::summary(operation.summary.as_deref(), operation.description.as_deref()),
                    docs_url: operation.docs.as_ref().and_then(|docs| web_address(docs.url.as_deref()?)),
                    parameters: parameters(path, &declared),
                    deprecated: operation.deprecated.unwrap_or_default(),
                });
                self.calls.push(Call { tag, id: operation.id.as_deref(), http_method: verb, path });
            }
        }
        Ok(())
    }

    /// Adds what a `parameters` list declares, references followed.
    fn resolve(
        &mut self,
        list: Option<&'d List<document::Parameter<'a>>>,
        place: &str,
        declared: &mut Vec<(&'d str, Place)>,
    ) -> Result<(), Problem> {
        for (index, asked) in list.iter().flat_map(|list| &list.0).enumerate() {
            let place = || format!("{place}/parameters/{index}");
            self.count_parameters(1, place)?;
            let (name, kind) = match reference::parameter(self.document, asked, place)? {
                document::Parameter::Path(name) => (&**name, Place::Path),
                document::Parameter::Query(name) => (&**name, Place::Query),
                document::Parameter::Elsewhere | document::Parameter::Reference(_) => continue,
            };
            if name.len() > MAX_PARAMETER_NAME_BYTES {
                let sentence = format!("The name of a parameter may have at most {MAX_PARAMETER_NAME_BYTES} bytes.");
                return Err(Problem::new(place(), sentence));
            }
            declared.push((name, kind));
        }
        Ok(())
    }

    fn count_parameters(&mut self, more: usize, place: impl Fn() -> String) -> Result<(), Problem> {
        self.parameters += more;
        if self.parameters <= MAX_PARAMETERS {
            return Ok(());
        }
        let sentence =
            format!("There are more than {MAX_PARAMETERS} parameters in all, which is the most that is read.");
        Err(Problem::new(place(), sentence))
    }
}

fn kind(http_method: &str) -> Kind {
    match http_method {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY" => Kind::Read,
        "DELETE" => Kind::Delete,
        _ => Kind::Write,
    }
}

/// Only web addresses: `javascript:` and the like would become links on a page.
fn web_address(written: &str) -> Option<String> {
    let address = url::Url::parse(prose::beginning(written.trim(), MAX_PATH_BYTES + 1)).ok()?;
    let web = matches!(address.scheme(), "http" | "https") && address.as_str().len() <= MAX_PATH_BYTES;
    web.then(|| address.to_string())
}

/// Each parameter once. The template decides which ones its path has, declared or not.
fn parameters(path: &str, declared: &[(&str, Place)]) -> Vec<Parameter> {
    let in_path = naming::template_parameters(path).map(|name| (name, Place::Path));
    let in_query = declared.iter().copied().filter(|(_, place)| *place == Place::Query);
    let mut known = HashSet::new();
    in_path
        .chain(in_query)
        .filter(|parameter| known.insert(*parameter))
        .map(|(name, place)| Parameter { name: name.to_owned(), place })
        .collect()
}

/// Gives every method its service and name, and lists the services.
fn name_all(document: &Document, calls: &[Call], methods: &mut [Method], notes: &mut Notes) -> Vec<ServiceEntry> {
    let named = naming::name_all(calls, notes);
    for (method, (service, name)) in methods.iter_mut().zip(named.methods) {
        method.service = named.services.get(service).map(|service| service.name.clone()).unwrap_or_default();
        method.name = name;
    }
    let tags = document.tags.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
    let mut position = HashMap::new();
    for (at, tag) in tags.iter().enumerate() {
        position.entry(naming::tag_identity(tag.name.as_deref().unwrap_or_default())).or_insert(at);
    }
    let mut entries: Vec<(usize, ServiceEntry)> = Vec::with_capacity(named.services.len());
    for service in named.services {
        let position = service.tag.and_then(|tag| position.get(tag).copied());
        let tag = position.and_then(|at| tags.get(at));
        let title = tag.and_then(|tag| tag.display_name.as_deref()).unwrap_or(service.title);
        let summary = prose::one_line(tag.and_then(|tag| tag.description.as_deref()).unwrap_or_default());
        let entry = ServiceEntry { name: service.name, title: prose::one_line(title), summary };
        entries.push((position.unwrap_or(usize::MAX), entry));
    }
    entries.sort_by_key(|(position, _)| *position);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// Sentences for the operator; the first hundred, and how many more there were.
#[derive(Default)]
struct Notes {
    kept: Vec<String>,
    left_out: usize,
}

impl Notes {
    fn push(&mut self, sentence: String) {
        if self.kept.len() < MAX_NOTES { self.kept.push(sentence) } else { self.left_out += 1 }
    }

    fn finished(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.kept.push(format!("{} more notes of this kind were left out.", self.left_out));
        }
        self.kept
    }
}

#[cfg(test)]
mod tests;
