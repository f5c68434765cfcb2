//! The decision: may this request pass? Asks the index and the catalogue, never the database. Every doubt is a no.

use std::net::IpAddr;
use std::sync::Arc;

use super::request::{Asked, Credential};
use crate::app::App;
use crate::catalogue::target;
use crate::catalogue::{Api, Catalogue, Found, Method, Resource};
use crate::index::{AccountState, Index, Token, Value};
use crate::refusal::Rule;
use crate::scope;
use crate::secret::Digest;
use crate::types::Stamp;

/// One request that a proxy asks about.
pub struct Question<'a> {
    pub asked: Asked<'a>,
    pub credential: Credential<'a>,
    /// `?api=SLUG`.
    pub api: Option<&'a str>,
    pub client: Option<IpAddr>,
}

pub enum Verdict {
    Pass(Pass),
    /// 401 without an error code (RFC 6750 section 3.1).
    NoCredential,
    /// 401: unknown, expired, removed, disabled, frozen: the same for all of them.
    Unknown,
    /// 401 as well; its owner is told that a former value is still in somebody's hands.
    Ended(Refusal),
    /// 403: alive, but not enough.
    Refused(Refusal),
    /// 429, with the seconds to wait.
    TooMany(Refusal, u64),
}

/// Who passes, as what.
pub struct Pass {
    pub value: Arc<Value>,
    pub account: AccountState,
    pub method: Named,
}

pub struct Refusal {
    pub rule: Rule,
    /// The method that is refused, where the request is a known one.
    pub method: Option<Named>,
    pub value: Arc<Value>,
}

/// A method, as its scope.
pub struct Named {
    /// `API/SERVICE:METHOD`
    pub full: String,
    /// As people and proxies read it: `SERVICE:METHOD` while there is one API.
    pub shown: String,
}

/// Follows `security.md` section 1, steps 3 to 9; who may ask and what was asked is settled before.
pub fn decide(app: &App, now: Stamp, question: &Question<'_>) -> Verdict {
    judge(&app.index, &app.catalogue(), &app.prefix, now, question)
}

/// [`decide`] by what it asks, so that it can be asked of any index and any catalogue.
fn judge(index: &Index, catalogue: &Catalogue, prefix: &str, now: Stamp, question: &Question<'_>) -> Verdict {
    let presented = match &question.credential {
        Credential::None => return Verdict::NoCredential,
        Credential::One(text) => text,
    };
    // The checksum is looked at before anything is looked up.
    let Some(value) = Digest::of_value(presented, prefix).and_then(|digest| index.find(&digest)) else {
        return Verdict::Unknown;
    };
    let account = value.token.account.state();
    if !account.enabled {
        return Verdict::Unknown;
    }
    if value.is_ended(now) {
        return Verdict::Ended(Refusal { rule: Rule::Ended, method: None, value });
    }
    if !value.is_alive(now) {
        return Verdict::Unknown;
    }
    let refuse = |rule, method| Verdict::Refused(Refusal { rule, method, value: value.clone() });
    let Some(api) = api_of(catalogue, question) else {
        return refuse(Rule::NoApi, None);
    };
    let (found, query) = match methods_of(api, &question.asked) {
        Ok(found) => found,
        Err(rule) => return refuse(rule, None),
    };
    // Where templates fit alike, the right to every one of them is needed.
    for (method, found) in &found {
        if let Err(rule) = may(&value.token, &account, api, method, found, query, question.client) {
            return refuse(rule, Some(named(catalogue, api, method)));
        }
    }
    let Some((method, _)) = found.first() else {
        return refuse(Rule::NoMethod, None);
    };
    let method = named(catalogue, api, method);
    if let Err(seconds) = value.token.take_turn() {
        return Verdict::TooMany(Refusal { rule: Rule::Rate, method: Some(method), value }, seconds);
    }
    Verdict::Pass(Pass { value, account, method })
}

/// By name, else by host, else the only one there is.
fn api_of<'c>(catalogue: &'c Catalogue, question: &Question<'_>) -> Option<&'c Arc<Api>> {
    if let Some(slug) = question.api {
        return catalogue.api(slug);
    }
    let Some(host) = question.asked.host else { return catalogue.only_api() };
    // Hosts that an operator set bind: what is asked under another name is for an API that is not (or no longer) here.
    let any_host = || catalogue.only_api().filter(|api| api.options.hosts.is_empty());
    catalogue.api_for_host(host).or_else(any_host)
}

type Candidates<'a> = (Vec<(&'a Method, Found)>, Option<&'a str>);

fn methods_of<'a>(api: &'a Api, asked: &Asked<'a>) -> Result<Candidates<'a>, Rule> {
    let (path, query) = target::split(asked.target.as_bytes())?;
    let segments = target::segments(path, api.target_options())?;
    let found = api.find(asked.http_method, &segments);
    if found.is_empty() { Err(Rule::NoMethod) } else { Ok((found, query)) }
}

fn may(
    token: &Token,
    account: &AccountState,
    api: &Api,
    method: &Method,
    found: &Found,
    query: Option<&str>,
    client: Option<IpAddr>,
) -> Result<(), Rule> {
    let grant = token.scopes.grants(&method.symbols).ok_or(Rule::Scope)?;
    if account.role < method.least_role {
        return Err(Rule::Role(method.least_role));
    }
    if !token.ip_allow.is_empty()
        && !client.is_some_and(|client| token.ip_allow.iter().any(|net| net.contains(&client)))
    {
        return Err(Rule::Address);
    }
    let in_query = match &method.resource {
        Resource::Query(name) => query.map(|query| target::query_value(query, name)).transpose()?.flatten(),
        Resource::Path(_) | Resource::Nowhere => None,
    };
    let resource = found.in_path.as_deref().or(in_query.as_deref());
    // A method that should name a resource and does not has none to allow.
    let unnamed = resource.is_none() && method.resource != Resource::Nowhere && !token.allow.is_empty();
    match !unnamed && scope::allows(&token.allow, &api.slug, &method.service, resource, grant) {
        true => Ok(()),
        false => Err(Rule::Resource),
    }
}

fn named(catalogue: &Catalogue, api: &Api, method: &Method) -> Named {
    let full = format!("{}/{}", api.slug, method.short());
    Named { shown: catalogue.show(&full), full }
}

#[cfg(test)]
mod tests;
