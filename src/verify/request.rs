//! What was asked, from the headers that a proxy sends or from the request line, and by which credential. A client can
//! add headers of its own to what the proxy says: whatever could be read in two ways is refused.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::catalogue::target;
use crate::decision::{Asked, Credential};

const FORWARDED_METHOD: &str = "X-Forwarded-Method";
const FORWARDED_URI: &str = "X-Forwarded-Uri";
const ORIGINAL_METHOD: &str = "X-Original-Method";
const ORIGINAL_URI: &str = "X-Original-URI";
const ORIGINAL_URL: &str = "X-Original-URL";
const FORWARDED_HOST: &str = "X-Forwarded-Host";
const AUTHORIZATION: &str = "Authorization";
const API_KEY: &str = "X-API-Key";

/// By these a program behind the proxy would take another method or target than the one that is judged.
const OVERRIDES: [&str; 5] =
    ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Rewrite-URL", "X-Override-URL"];

/// The parameters that may carry a value, where the policy allows it.
pub const IN_QUERY: [&str; 2] = ["access_token", "session"];

/// Names under which the answer tells the program behind who asks.
const IDENTITY: &str = "X-Hallpass-";

const LONGEST_METHOD: usize = 32;
/// A DNS name of 253 and `:65535`, generously.
const LONGEST_HOST: usize = 262;

/// Names of headers are ours, never the client's spelling; no sentence repeats a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "The proxy named no request: it must send X-Forwarded-Method and X-Forwarded-Uri, or X-Original-Method and \
         X-Original-URI."
    )]
    Unnamed,
    #[error("The header {0} is there without {1}: set both in the proxy, and clear those it does not set.")]
    Half(&'static str, &'static str),
    #[error("Two headers name two different requests: let the proxy clear the ones that it does not set.")]
    Contradiction,
    #[error("The header {0} is there more than once.")]
    Doubled(&'static str),
    #[error("A header is spelt so that some programs read it as {0}.")]
    Disguised(&'static str),
    #[error("The header {0} asks for another method or address than the one that is judged.")]
    Override(&'static str),
    #[error("The HTTP method is not one word of at most 32 letters.")]
    Method,
    #[error("The request target is empty, or has a space, a control character or a character outside ASCII.")]
    Target,
    #[error("The header X-Forwarded-Host is not one host name.")]
    Host,
    #[error("The address does not continue the one under which direct requests are judged.")]
    NotDirect,
    #[error("More than one credential was sent: send one.")]
    SeveralCredentials,
    #[error("The credential in the header {0} is not one word of visible ASCII characters.")]
    Credential(&'static str),
    #[error(transparent)]
    Query(#[from] target::Refused),
}

/// `/verify`: one family of headers, complete and with one value each; where both families are there, they agree.
/// `X-Original-URI` and `X-Original-URL` are two names for one thing and must agree to the byte where both are sent.
pub fn forwarded<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Asked<'a>, Refused> {
    let seen = Seen::read(headers)?;
    let uri = match (seen.original_uri, seen.original_url) {
        (Some(uri), Some(url)) if uri != url => return Err(Refused::Contradiction),
        (uri, url) => uri.or(url),
    };
    let forwarded = family((seen.forwarded_method, FORWARDED_METHOD), (seen.forwarded_uri, FORWARDED_URI))?;
    let original = family((seen.original_method, ORIGINAL_METHOD), (uri, ORIGINAL_URI))?;
    let (http_method, target) = match (forwarded, original) {
        (None, None) => return Err(Refused::Unnamed),
        (Some(one), Some(other)) if one != other => return Err(Refused::Contradiction),
        (Some(one), _) | (None, Some(one)) => one,
    };
    asked(http_method, target, seen.forwarded_host)
}

/// `/verify/direct/…`: the request line is the question, with `prefix` (`/verify/direct`, no slash at its end) before
/// the target. The proxy sets no header then, so that any that is there is a client's and has to agree.
pub fn direct<'a>(
    http_method: &'a str,
    target: &'a str,
    prefix: &str,
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Asked<'a>, Refused> {
    let target = target.strip_prefix(prefix).filter(|target| target.starts_with('/')).ok_or(Refused::NotDirect)?;
    let seen = Seen::read(headers)?;
    let methods = [seen.forwarded_method, seen.original_method];
    let targets = [seen.forwarded_uri, seen.original_uri, seen.original_url];
    if methods.into_iter().flatten().any(|other| other != http_method.as_bytes())
        || targets.into_iter().flatten().any(|other| other != target.as_bytes())
    {
        return Err(Refused::Contradiction);
    }
    asked(http_method.as_bytes(), target.as_bytes(), seen.forwarded_host)
}

/// Exactly one of `Authorization: Bearer V`, `Authorization: Token V`, `X-API-Key: V` and, with `value_in_query`,
/// `?access_token=V` and `?session=V`, where `query` is the raw query of the request that was asked.
///
/// `Authorization` with another scheme alone is `None`, so that the answer is 401 with the challenge that tells what to
/// send (RFC 6750 section 3.1). Beside a credential it is refused: the program behind might go by the other one.
pub fn credential<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    query: Option<&'a str>,
    value_in_query: bool,
) -> Result<Credential<'a>, Refused> {
    let mut authorization = None;
    let mut api_key = None;
    for (name, value) in headers {
        if reads_as(name, AUTHORIZATION) {
            fill(&mut authorization, name, value, AUTHORIZATION)?;
        } else if reads_as(name, API_KEY) {
            fill(&mut api_key, name, value, API_KEY)?;
        }
    }
    let mut sent: SmallVec<[Option<Cow<'a, str>>; 1]> = SmallVec::new();
    if let Some(value) = authorization {
        sent.push(bearer(value)?.map(Cow::Borrowed));
    }
    if let Some(value) = api_key {
        sent.push(Some(Cow::Borrowed(word(value).ok_or(Refused::Credential(API_KEY))?)));
    }
    if let Some(query) = query.filter(|_| value_in_query) {
        for name in IN_QUERY {
            sent.extend(target::query_value(query, name)?.map(Some));
        }
    }
    let first = sent.pop().flatten();
    if !sent.is_empty() {
        return Err(Refused::SeveralCredentials);
    }
    Ok(first.map_or(Credential::None, Credential::One))
}

/// The headers that name a request, each at most once, raw.
#[derive(Default)]
struct Seen<'a> {
    forwarded_method: Option<&'a [u8]>,
    forwarded_uri: Option<&'a [u8]>,
    original_method: Option<&'a [u8]>,
    original_uri: Option<&'a [u8]>,
    original_url: Option<&'a [u8]>,
    forwarded_host: Option<&'a [u8]>,
}

impl<'a> Seen<'a> {
    fn read(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Seen<'a>, Refused> {
        let mut seen = Seen::default();
        // All of them begin with that letter, and most headers of a request do not.
        for (name, value) in headers.filter(|(name, _)| name.starts_with(['x', 'X'])) {
            let places = [
                (FORWARDED_METHOD, &mut seen.forwarded_method),
                (FORWARDED_URI, &mut seen.forwarded_uri),
                (ORIGINAL_METHOD, &mut seen.original_method),
                (ORIGINAL_URI, &mut seen.original_uri),
                (ORIGINAL_URL, &mut seen.original_url),
                (FORWARDED_HOST, &mut seen.forwarded_host),
            ];
            if let Some((ours, place)) = places.into_iter().find(|(ours, _)| reads_as(name, ours)) {
                fill(place, name, value, ours)?;
            }
            if let Some(ours) = OVERRIDES.into_iter().find(|ours| reads_as(name, ours)) {
                return Err(Refused::Override(ours));
            }
            // The proxy replaces a client's `X-Hallpass-Role` by the answer's, but would pass `X_Hallpass_Role`, which
            // CGI and WSGI programs cannot tell from it.
            let start = name.get(..IDENTITY.len()).unwrap_or_default();
            if reads_as(start, IDENTITY) && name.bytes().any(is_odd) {
                return Err(Refused::Disguised("X-Hallpass-…"));
            }
        }
        Ok(seen)
    }
}

/// `name` reads as `ours`. It must also be spelt so, and be there once.
fn fill<'a>(place: &mut Option<&'a [u8]>, name: &str, value: &'a [u8], ours: &'static str) -> Result<(), Refused> {
    if name.bytes().any(is_odd) {
        return Err(Refused::Disguised(ours));
    }
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refused::Doubled(ours)),
    }
}

/// The same to a program that takes all signs in a name for one, as CGI does with `-` and `_`.
fn reads_as(name: &str, ours: &str) -> bool {
    let same = |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || (b == b'-' && is_odd(a));
    name.len() == ours.len() && (name.eq_ignore_ascii_case(ours) || name.bytes().zip(ours.bytes()).all(same))
}

fn is_odd(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'-'
}

type Pair<'a> = (&'a [u8], &'a [u8]);
type Named<'a> = (Option<&'a [u8]>, &'static str);

fn family<'a>(method: Named<'a>, uri: Named<'a>) -> Result<Option<Pair<'a>>, Refused> {
    match (method, uri) {
        ((Some(method), _), (Some(uri), _)) => Ok(Some((method, uri))),
        ((None, _), (None, _)) => Ok(None),
        ((Some(_), there), (None, missing)) | ((None, missing), (Some(_), there)) => Err(Refused::Half(there, missing)),
    }
}

fn asked<'a>(http_method: &'a [u8], target: &'a [u8], host: Option<&'a [u8]>) -> Result<Asked<'a>, Refused> {
    let http_method = word(http_method).filter(|method| is_method(method)).ok_or(Refused::Method)?;
    let target = word(target).filter(|target| !target.is_empty()).ok_or(Refused::Target)?;
    let host = match host {
        None => None,
        Some(host) => Some(word(host).filter(|host| is_host(host)).ok_or(Refused::Host)?),
    };
    Ok(Asked { http_method, target, host })
}

/// Visible ASCII only, perhaps nothing. No space and no tab: an end that one program trims and another does not, and the
/// comma and space between values that were joined, all fall out here.
fn word(value: &[u8]) -> Option<&str> {
    let visible = value.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(value).ok().filter(|_| visible)
}

/// RFC 9110 section 5.6.2. A comma is no letter of a token, so a joined list is none.
fn is_method(method: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=LONGEST_METHOD).contains(&method.len()) && method.bytes().all(sign)
}

fn is_host(host: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (1..=LONGEST_HOST).contains(&host.len()) && host.bytes().all(sign)
}

/// `None` for a scheme that is none of ours.
fn bearer(value: &[u8]) -> Result<Option<&str>, Refused> {
    let malformed = Refused::Credential(AUTHORIZATION);
    let text = std::str::from_utf8(value).map_err(|_| malformed)?;
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(malformed);
    }
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
        return Ok(None);
    }
    let value = rest.trim_matches(' ');
    // `Bearer A, Bearer B` is what some proxies make of two headers.
    if value.contains([' ', ',']) { Err(malformed) } else { Ok(Some(value)) }
}

#[cfg(test)]
mod tests;
