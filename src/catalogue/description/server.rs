//! Which hosts and base paths a description names: `servers` of OpenAPI 3, `host` and `basePath` of Swagger 2.0.

use std::borrow::Cow;

use super::document::{self, Document};
use super::prose::{beginning, one_line};
use super::{MAX_PATH_BYTES, Notes, Server};

/// More servers than this are regions of one thing, and the operator names the hosts.
const MAX_SERVERS: usize = 100;

/// At least one server; the same one is listed once.
pub(super) fn servers(document: &Document, notes: &mut Notes) -> Vec<Server> {
    let written = match &document.servers {
        _ if document.openapi.is_none() => vec![swagger_address(document)],
        Some(list) => list.0.iter().take(MAX_SERVERS).map(|server| filled(server)).collect(),
        None => Vec::new(),
    };
    if document.servers.as_ref().is_some_and(|list| list.0.len() > MAX_SERVERS) {
        notes.push(format!("Only the first {MAX_SERVERS} servers were read."));
    }
    let mut servers = Vec::new();
    for address in written {
        if let Some(server) = parsed(&address, notes)
            && !servers.contains(&server)
        {
            servers.push(server);
        }
    }
    if servers.is_empty() {
        servers.push(Server { host: None, base_path: String::new() });
    }
    servers
}

/// `host`, `basePath` and `schemes` as one address. Without a scheme it begins with `//`.
fn swagger_address(document: &Document) -> Cow<'static, str> {
    let base_path = document.base_path.as_deref().unwrap_or_default().trim().trim_start_matches('/');
    let host = document.host.as_deref().unwrap_or_default().trim();
    if host.is_empty() {
        return format!("/{base_path}").into();
    }
    let (scheme, host) = host.split_once("://").unwrap_or(("", host));
    let known = document.schemes.as_ref().and_then(|list| list.0.first()).map_or("", |first| &**first);
    let scheme = if scheme.is_empty() { known } else { scheme };
    let separator = if scheme.is_empty() { "" } else { ":" };
    format!("{scheme}{separator}//{}/{base_path}", host.trim_end_matches('/')).into()
}

/// The address with the defaults of its `{variables}`; those without one stay as they are.
fn filled<'a>(server: &'a document::Server) -> Cow<'a, str> {
    let url = beginning(server.url.as_deref().unwrap_or_default().trim(), 2 * MAX_PATH_BYTES);
    let Some(variables) = server.variables.as_ref().filter(|_| url.contains('{')) else {
        return Cow::Borrowed(url);
    };
    let mut out = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let variable = after.split_once('}').map(|(name, _)| name);
        let default = variable.and_then(|name| variables.find(name)).and_then(|variable| variable.default.as_deref());
        rest = match (variable, default) {
            (Some(name), Some(default)) => {
                out.push_str(beginning(default, MAX_PATH_BYTES));
                after.get(name.len() + 1..).unwrap_or_default()
            }
            _ => {
                out.push('{');
                after
            }
        };
        if out.len() > 2 * MAX_PATH_BYTES {
            break;
        }
    }
    out.push_str(rest);
    out.into()
}

fn parsed(address: &str, notes: &mut Notes) -> Option<Server> {
    let shown = one_line(address);
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => (Some(scheme), rest),
        _ => (None, address.strip_prefix("//").unwrap_or_default()),
    };
    let known = |scheme: &str| ["http", "https", "ws", "wss"].contains(&&*scheme.to_ascii_lowercase());
    if scheme.is_some_and(|scheme| !known(scheme) && !scheme.contains('{')) {
        notes.push(format!("The server `{shown}` is not an HTTP address and was left out."));
        return None;
    }
    let absolute = scheme.is_some() || address.starts_with("//");
    if !absolute && !address.is_empty() && !address.starts_with(['/', '.', '?', '#']) {
        notes.push(format!("The server `{shown}` begins neither with `https://` nor with `/` and was left out."));
        return None;
    }
    let path_start = if absolute { rest.find(['/', '?', '#']).unwrap_or(rest.len()) } else { 0 };
    let (authority, path) = if absolute { rest.split_at(path_start) } else { ("", address) };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('.').trim_end_matches('/');
    if path.len() > MAX_PATH_BYTES {
        notes.push(format!("The server `{shown}` has a path of more than {MAX_PATH_BYTES} bytes and was left out."));
        return None;
    }
    if path.contains(['{', '}']) {
        notes.push(format!("The base path of the server `{shown}` has a variable without a default: set it by hand."));
    }
    let host = if absolute { host(authority, scheme.unwrap_or_default()) } else { None };
    if absolute && host.is_none() {
        notes.push(format!("The server {shown} does not name a real host: it is left out, its path is kept."));
    }
    Some(Server { host, base_path: path.to_owned() })
}

/// `host[:port]` in lower case, international names in ASCII (IDNA), without a port that the scheme implies;
/// nothing where it is only a placeholder.
fn host(authority: &str, scheme: &str) -> Option<String> {
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (authority, ""),
    };
    let host = match url::Host::parse(name).ok()? {
        url::Host::Domain(domain) => {
            let domain = domain.strip_suffix('.').unwrap_or(&domain);
            let sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            let label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(sign);
            (domain.len() <= 253 && domain.split('.').all(label)).then(|| domain.to_owned())?
        }
        address => address.to_string(),
    };
    let implied = match &*scheme.to_ascii_lowercase() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    if port.is_empty() {
        return Some(host);
    }
    let port = port.parse::<u16>().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(if Some(port) == implied { host } else { format!("{host}:{port}") })
}
