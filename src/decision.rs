//! The decision: may this request pass? Asks the index and the catalogue, never the database. Every doubt is a no.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::Guard;
use smol_str::{SmolStr, format_smolstr};

use crate::app::App;
use crate::catalogue::own::OwnMethod;
use crate::catalogue::target;
use crate::catalogue::{Api, Catalogue, Found, Method, Resource};
use crate::error::Error;
use crate::index::{AccountState, Exhausted, Left, Token, Value};
use crate::refusal::Rule;
use crate::scope::{self, OWN_API};
use crate::secret::Digest;
use crate::types::Stamp;

/// Exact bytes, as the client sent them to the proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// A token of RFC 9110 section 5.6.2, never empty.
    pub http_method: &'a str,
    /// Raw, not yet split and judged: `catalogue::target` does that.
    pub target: &'a str,
    /// `X-Forwarded-Host` in the case in which it came, with its port. It picks an API only where the operator did not
    /// name one: nginx and Envoy pass on a client's own.
    pub host: Option<&'a str>,
}

/// Without the query: a credential may stand in it.
impl fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("Asked")
            .field("http_method", &self.http_method)
            .field("path", &path)
            .field("host", &self.host)
            .finish()
    }
}

/// Its text was not checked against anything. It may be empty, and is then as unknown as any other wrong one.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential<'a> {
    None,
    One(Cow<'a, str>),
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::None => "None",
            Credential::One(_) => "One(…)",
        })
    }
}

/// One request that a proxy asks about.
pub struct Question<'a> {
    pub asked: Asked<'a>,
    pub credential: Credential<'a>,
    /// `?api=SLUG`.
    pub api: Option<&'a str>,
    pub client: Option<IpAddr>,
}

pub type Verdict = Result<Pass, Denial>;

pub enum Denial {
    /// 401 without an error code (RFC 6750 section 3.1).
    NoCredential,
    /// 401: unknown, expired, removed, disabled, frozen: the same for all of them.
    Unknown,
    /// 401 as well; its owner is told that a former value is still in somebody's hands.
    Ended(Refusal),
    /// 403: alive, but not enough.
    Refused(Refusal),
    /// 429.
    TooMany(Refusal, Exhausted),
    /// 503: not every token is in memory yet, and the database does not tell of this one.
    Unsure,
}

/// Who passes, as what.
pub struct Pass {
    pub value: Value,
    pub account: Guard<Arc<AccountState>>,
    pub method: Named,
    /// What is left of the token's minute, where it has a rate.
    pub left: Option<Left>,
}

pub struct Refusal {
    pub rule: Rule,
    /// The method that is refused, where the request is a known one.
    pub method: Option<Named>,
    pub value: Value,
}

/// A method, as its scope.
pub struct Named {
    /// `API/SERVICE:METHOD`
    pub full: SmolStr,
    /// As people and proxies read it: `SERVICE:METHOD` while there is one API.
    pub shown: SmolStr,
}

/// A living value and the state of its account.
pub struct Holder {
    pub value: Value,
    pub account: Guard<Arc<AccountState>>,
}

/// Follows `security.md` section 1, steps 3 to 9; who may ask and what was asked is settled before.
pub fn decide(app: &App, now: Stamp, question: &Question<'_>) -> Verdict {
    take_turn(consider(app, now, question))
}

/// The same without using up one of the token's requests per minute: what introspection tells of a request.
pub fn consider(app: &App, now: Stamp, question: &Question<'_>) -> Verdict {
    weigh(holder(app, now, &question.credential)?, &app.glance_at_catalogue(), question)
}

/// The same for a method of Hallpass's own API, which is asked for by name.
pub fn decide_own<M: OwnMethod>(app: &App, now: Stamp, credential: &Credential<'_>, client: Option<IpAddr>) -> Verdict {
    let holder = holder(app, now, credential)?;
    let catalogue = app.glance_at_catalogue();
    let Some((api, method)) = catalogue.method(OWN_API, M::SERVICE, M::NAME) else {
        return refuse(holder, Rule::NoMethod, None);
    };
    let found = [(method, Found { in_path: None })];
    take_turn(judge(holder, &catalogue, api, &found, None, client))
}

/// The same for what every living token may ask about itself: only where it is used from, and how often, is looked at.
pub fn decide_living(app: &App, now: Stamp, credential: &Credential<'_>, client: Option<IpAddr>) -> Verdict {
    let holder = holder(app, now, credential)?;
    if !is_from_its_list(&holder.value.token, client) {
        return refuse(holder, Rule::Address, None);
    }
    let name = format_smolstr!("{OWN_API}/auth:self");
    let method = Named { full: name.clone(), shown: name };
    take_turn(Ok(Pass { value: holder.value, account: holder.account, method, left: None }))
}

/// Whose value it is, if it may be used for anything at all now; else the verdict.
pub fn holder(app: &App, now: Stamp, credential: &Credential<'_>) -> Result<Holder, Denial> {
    holder_by(|digest| app.value(digest), &app.prefix, now, credential)
}

fn holder_by(
    find: impl FnOnce(&Digest) -> Result<Option<Value>, Error>,
    prefix: &str,
    now: Stamp,
    credential: &Credential<'_>,
) -> Result<Holder, Denial> {
    let Credential::One(presented) = credential else { return Err(Denial::NoCredential) };
    // The checksum is looked at before anything is looked up.
    let digest = Digest::of_value(presented, prefix).ok_or(Denial::Unknown)?;
    let value = find(&digest).map_err(unsure)?.ok_or(Denial::Unknown)?;
    let account = value.token.account.state();
    if !account.enabled {
        return Err(Denial::Unknown);
    }
    if value.is_ended(now) {
        return Err(Denial::Ended(Refusal { rule: Rule::Ended, method: None, value }));
    }
    match value.is_alive(now) {
        true => Ok(Holder { value, account }),
        false => Err(Denial::Unknown),
    }
}

fn unsure(cause: Error) -> Denial {
    tracing::warn!(error = ?cause, "a token cannot be looked up");
    Denial::Unsure
}

fn weigh(holder: Holder, catalogue: &Catalogue, question: &Question<'_>) -> Verdict {
    let Some(api) = api_of(catalogue, question) else {
        return refuse(holder, Rule::NoApi, None);
    };
    let Asked { http_method, target, .. } = question.asked;
    let read = target::split(target.as_bytes())
        .and_then(|(path, query)| Ok((target::segments(path, api.target_options())?, query)));
    match read {
        Ok((segments, query)) => {
            judge(holder, catalogue, api, &api.find(http_method, &segments), query, question.client)
        }
        Err(unclear) => refuse(holder, unclear.into(), None),
    }
}

fn judge(
    holder: Holder,
    catalogue: &Catalogue,
    api: &Api,
    found: &[(&Method, Found<'_>)],
    query: Option<&str>,
    client: Option<IpAddr>,
) -> Verdict {
    // Where templates fit alike, the right to every one of them is needed.
    for (method, found) in found {
        if let Err(rule) = may(&holder.value.token, &holder.account, api, method, found, query, client) {
            return refuse(holder, rule, Some(named(catalogue, api, method)));
        }
    }
    let Some((method, _)) = found.first() else {
        return refuse(holder, Rule::NoMethod, None);
    };
    let Holder { value, account } = holder;
    Ok(Pass { value, account, method: named(catalogue, api, method), left: None })
}

fn refuse(holder: Holder, rule: Rule, method: Option<Named>) -> Verdict {
    Err(Denial::Refused(Refusal { rule, method, value: holder.value }))
}

/// What would pass uses up one of the token's requests per minute, and nothing else does.
fn take_turn(verdict: Verdict) -> Verdict {
    let pass = verdict?;
    match pass.value.token.take_turn() {
        Ok(left) => Ok(Pass { left, ..pass }),
        Err(exhausted) => {
            let refusal = Refusal { rule: Rule::Rate, method: Some(pass.method), value: pass.value };
            Err(Denial::TooMany(refusal, exhausted))
        }
    }
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

fn may(
    token: &Token,
    account: &AccountState,
    api: &Api,
    method: &Method,
    found: &Found<'_>,
    query: Option<&str>,
    client: Option<IpAddr>,
) -> Result<(), Rule> {
    let grant = token.scopes.grants(&method.symbols).ok_or(Rule::Scope)?;
    if account.role < method.least_role {
        return Err(Rule::Role(method.least_role));
    }
    if !is_from_its_list(token, client) {
        return Err(Rule::Address);
    }
    let in_query = match &method.resource {
        Resource::Query(name) => query.map(|query| target::query_value(query, name)).transpose()?.flatten(),
        Resource::Path(_) | Resource::Nowhere => None,
    };
    let resource = found.in_path.or(in_query.as_deref());
    // A method that should name a resource and does not has none to allow.
    let unnamed = resource.is_none() && method.resource != Resource::Nowhere && !token.allow().is_empty();
    match !unnamed && scope::allows(token.allow(), &api.slug, &method.service, resource, grant) {
        true => Ok(()),
        false => Err(Rule::Resource),
    }
}

fn is_from_its_list(token: &Token, client: Option<IpAddr>) -> bool {
    let nets = token.ip_allow();
    nets.is_empty() || client.is_some_and(|client| nets.iter().any(|net| net.contains(&client)))
}

fn named(catalogue: &Catalogue, api: &Api, method: &Method) -> Named {
    let is_only = catalogue.only_api().is_some_and(|only| only.slug == api.slug);
    let names = &method.names;
    Named { full: names.full.clone(), shown: if is_only { names.short.clone() } else { names.full.clone() } }
}

#[cfg(test)]
mod tests;
