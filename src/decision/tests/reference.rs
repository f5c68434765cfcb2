//! The decision once more, slow and obvious: decode, split, try every template, look at every rule.

use std::net::IpAddr;

use super::world::{ApiModel, Ask, BROKEN, MethodModel, Presented, UNREADABLE_NET, World};
use crate::types::Role;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    NoCredential,
    Unknown,
    Ended,
    /// Every rule that says no, with the method that it says it of.
    Refused(Vec<(&'static str, Option<String>)>),
    /// `API/SERVICE:METHOD` that passes, unless the token's turns are used up.
    Pass(String),
}

pub fn expected(world: &World, ask: &Ask) -> Expected {
    let world = match ask.presented {
        Presented::Nothing => return Expected::NoCredential,
        Presented::Unissued | Presented::Slip(_) | Presented::Empty => return Expected::Unknown,
        Presented::Current | Presented::Former => world,
        Presented::Stranger => &world.of_stranger(),
    };
    let token = &world.token;
    let over = |ends: Option<i64>| ends.is_some_and(|ends| ends <= 0);
    let unreadable = token.addresses.iter().any(|net| net == UNREADABLE_NET);
    let dead = token.removed || !token.enabled || unreadable || over(token.expires_in);
    if dead || !world.account.known || !world.account.enabled {
        return Expected::Unknown;
    }
    if ask.presented == Presented::Former && over(token.former_ends_in) {
        return Expected::Ended;
    }
    let refused = |rule| Expected::Refused(vec![(rule, None)]);
    let Some(api) = api(world, ask) else { return refused("no_api") };
    let Some((path, query)) = target(&ask.target, api) else { return refused("unclear") };
    let methods = methods(api, &ask.http_method, &path);
    let Some(first) = methods.iter().map(|(method, _)| full(api, method)).min() else { return refused("no_method") };
    let mut reasons = Vec::new();
    for (method, cuts) in &methods {
        let rules = violations(world, ask, api, method, cuts, query.as_deref());
        reasons.extend(rules.into_iter().map(|rule| (rule, Some(full(api, method)))));
    }
    if reasons.is_empty() { Expected::Pass(first) } else { Expected::Refused(reasons) }
}

fn full(api: &ApiModel, method: &MethodModel) -> String {
    format!("{}/{}:{}", api.slug, method.service, method.name)
}

fn api<'w>(world: &'w World, ask: &Ask) -> Option<&'w ApiModel> {
    if let Some(slug) = &ask.api {
        return world.apis.iter().find(|api| api.slug == *slug);
    }
    let only = || world.apis.first().filter(|_| world.apis.len() == 1);
    let Some(host) = &ask.host else { return only() };
    let host = host.to_lowercase();
    let without_port = host.split(':').next().unwrap();
    let answers = |api: &&ApiModel| {
        let hosts = if api.hosts.is_empty() { api.server_host.iter().cloned().collect() } else { api.hosts.clone() };
        hosts.iter().any(|of| of.to_lowercase() == host || of.to_lowercase() == without_port)
    };
    let answering: Vec<_> = world.apis.iter().filter(answers).collect();
    match answering[..] {
        [one] => Some(one),
        _ => only().filter(|api| api.hosts.is_empty()),
    }
}

/// The decoded segments with whether a slash follows them.
struct Path {
    segments: Vec<String>,
    slash: bool,
}

/// `security.md` section 1, steps 4 to 6.
fn target(target: &str, api: &ApiModel) -> Option<(Path, Option<String>)> {
    if target.len() > 8 * 1024 || !target.starts_with('/') {
        return None;
    }
    let (path, query) = match target.find('?') {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    };
    if query.is_some_and(is_unclear_query) {
        return None;
    }
    let mut decoded = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let byte = u8::from_str_radix(path.get(at + 1..at + 3)?, 16).ok().filter(|_| bytes[at + 1] != b'+')?;
            if byte < 0x21 || byte == 0x7F || byte >= 0x80 && !api.utf8_paths || b"/\\%;?#:".contains(&byte) {
                return None;
            }
            decoded.push(byte);
            at += 3;
        } else if bytes[at].is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(&bytes[at]) {
            decoded.push(bytes[at]);
            at += 1;
        } else {
            return None;
        }
    }
    let decoded = String::from_utf8(decoded).ok()?;
    let slash = decoded.ends_with('/');
    if decoded == "/" {
        return Some((Path { segments: Vec::new(), slash }, query.map(str::to_owned)));
    }
    let inner = decoded.strip_suffix('/').unwrap_or(&decoded);
    let segments: Vec<String> = inner[1..].split('/').map(str::to_owned).collect();
    for segment in &segments {
        let dots = segment.chars().all(|c| c == '.');
        let dotted = segment.ends_with("..") || segment.ends_with('.') && !api.trailing_dot;
        if segment.is_empty() || dots || dotted || !is_printable(segment) {
            return None;
        }
    }
    Some((Path { segments, slash }, query.map(str::to_owned)))
}

/// Of the characters that the worlds have: a slash to programs that normalise, a turn of direction, a mark for the slash before.
fn is_printable(segment: &str) -> bool {
    let clear = |c: char| match c {
        c if c.is_ascii() => true,
        'À'..='ÿ' | 'ж' | '😀' => true,
        '\u{301}' => !segment.starts_with(c),
        '\u{80}'..='¿' | '／' | '∕' | '\u{202E}' => false,
        // What a changed byte makes now and then: the table of signs has a test of its own against a normaliser.
        other => crate::catalogue::target::is_clear(&other.to_string()),
    };
    segment.chars().all(clear)
}

/// Step 3 for the query: a method in it is an override, and so is a name that cannot be read.
fn is_unclear_query(query: &str) -> bool {
    let hidden = query.bytes().any(|byte| byte <= 0x20 || byte >= 0x7F || byte == b'#');
    let mut names = query.split(['&', ';']).map(|pair| pair.split('=').next().unwrap());
    hidden || names.any(|name| form(name).is_none_or(|name| is_like(&name, "_method")))
}

fn form(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (byte, length) = match c {
            '+' => (b' ', 1),
            '%' => (u8::from_str_radix(rest.get(1..3)?, 16).ok().filter(|_| !rest.starts_with("%+"))?, 3),
            c => (c as u8, 1),
        };
        if byte < 0x20 || byte == 0x7F {
            return None;
        }
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8(bytes).ok()
}

/// Whether some program takes the one name for the other: PHP mends dots and spaces, others fold case, many read `name[]`.
fn is_like(name: &str, wanted: &str) -> bool {
    let name = name.trim_start().to_lowercase().replace(['.', ' '], "_");
    name == wanted || name.starts_with(&format!("{wanted}["))
}

/// The value of a parameter of the query, `Err` where it could be another.
fn in_query(query: &str, wanted: &str) -> Result<Option<String>, ()> {
    if query.contains(';') {
        return Err(());
    }
    let mut values = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = form(name).ok_or(())?;
        if name.contains('[') && !name.contains(']') {
            return Err(());
        }
        if is_like(&name, wanted) {
            values.push((name, value));
        }
    }
    match &values[..] {
        [] => Ok(None),
        [(name, value)] if name == wanted => form(value).map(Some).ok_or(()),
        _ => Err(()),
    }
}

type Cuts = Vec<Vec<(String, String)>>;

/// Step 7: those that match most specifically, each with every way to cut the path along it.
fn methods<'a>(api: &'a ApiModel, http_method: &str, path: &Path) -> Vec<(&'a MethodModel, Cuts)> {
    let matching: Vec<_> = api.methods.iter().filter_map(|method| fit(api, method, path)).collect();
    // Least is most specific: a literal, a segment with text and parameters, a parameter, the rest of the path.
    let Some(best) = matching.iter().map(|fit| fit.kinds.clone()).min() else { return Vec::new() };
    let any_head = matching.iter().any(|fit| fit.method.http_method == "HEAD");
    let best: Vec<_> = matching.into_iter().filter(|fit| fit.kinds == best).collect();
    let best_head = best.iter().any(|fit| fit.method.http_method == "HEAD");
    let mut found = Vec::new();
    for one in &best {
        let has = |wanted: &str| best.iter().any(|fit| fit.shape == one.shape && fit.method.http_method == wanted);
        let get_stands_in = http_method == "HEAD" && !has("HEAD") && (best_head || !any_head);
        let wanted = if get_stands_in { "GET" } else { http_method };
        if one.method.http_method == wanted {
            found.push((one.method, one.cuts.clone()));
        }
    }
    found
}

struct Fit<'a> {
    method: &'a MethodModel,
    kinds: Vec<u8>,
    /// The template without the names of its parameters.
    shape: String,
    cuts: Cuts,
}

fn fit<'a>(api: &ApiModel, method: &'a MethodModel, path: &Path) -> Option<Fit<'a>> {
    let base = api.base_path.as_ref().unwrap_or(&api.server_base_path);
    let template = format!("{base}{}", method.path).replace("%2D", "-");
    let greedy = api.greedy.iter().any(|pattern| is_pattern_of(pattern, method));
    let texts: Vec<&str> = template.split('/').skip(1).collect();
    let (texts, slash) = match &texts[..] {
        [""] => (&[][..], true),
        [inner @ .., ""] => (inner, true),
        inner => (inner, false),
    };
    let is_bare = |text: &str| text.starts_with('{') && text.find('}') == Some(text.len() - 1);
    if BROKEN.contains(&&*method.path) || greedy && (slash || !texts.last().is_some_and(|text| is_bare(text))) {
        return None;
    }
    let enough = if greedy { path.segments.len() >= texts.len() } else { path.segments.len() == texts.len() };
    if slash != path.slash || !enough {
        return None;
    }
    let (mut kinds, mut cuts) = (Vec::new(), vec![Vec::new()]);
    for (nth, text) in texts.iter().enumerate() {
        let takes_rest = greedy && nth + 1 == texts.len();
        let segment = if takes_rest { path.segments[nth..].join("/") } else { path.segments[nth].clone() };
        kinds.push(match () {
            () if takes_rest => 3,
            () if is_bare(text) => 2,
            () if text.contains('{') => 1,
            () => 0,
        });
        let here = ways(text, &segment, api.case_insensitive);
        cuts = cuts.iter().flat_map(|a| here.iter().map(move |b| [a.clone(), b.clone()].concat())).collect();
    }
    let shape = template.split('{').map(|text| text.split_once('}').map_or(text, |(_, after)| after));
    let shape = shape.collect::<Vec<_>>().join("{}");
    let shape = if api.case_insensitive { shape.to_ascii_lowercase() } else { shape };
    (!cuts.is_empty()).then_some(Fit { method, kinds, shape, cuts })
}

/// Every way to cut `text` along `template`.
fn ways(template: &str, text: &str, case_insensitive: bool) -> Cuts {
    if let Some(after) = template.strip_prefix('{') {
        let (name, after) = after.split_once('}').unwrap();
        let ends = (1..=text.len()).filter(|end| text.is_char_boundary(*end));
        let rests = ends.flat_map(|end| ways(after, &text[end..], case_insensitive).into_iter().map(move |r| (end, r)));
        return rests.map(|(end, rest)| [vec![(name.to_owned(), text[..end].to_owned())], rest].concat()).collect();
    }
    match (template.chars().next(), text.chars().next()) {
        (None, None) => vec![Vec::new()],
        (Some(a), Some(b)) if a == b || case_insensitive && a.eq_ignore_ascii_case(&b) => {
            ways(&template[a.len_utf8()..], &text[b.len_utf8()..], case_insensitive)
        }
        _ => Vec::new(),
    }
}

fn is_pattern_of(pattern: &str, method: &MethodModel) -> bool {
    let (service, name) = pattern.split_once(':').unwrap();
    is_glob_of(service, &method.service) && is_glob_of(name, &method.name)
}

fn is_glob_of(pattern: &str, text: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(after) => (0..=text.len()).any(|at| is_glob_of(after, &text[at..])),
        None => match (pattern.chars().next(), text.chars().next()) {
            (None, None) => true,
            (Some(a), Some(b)) => a == b && is_glob_of(&pattern[1..], &text[1..]),
            _ => false,
        },
    }
}

fn violations(
    world: &World,
    ask: &Ask,
    api: &ApiModel,
    method: &MethodModel,
    cuts: &Cuts,
    query: Option<&str>,
) -> Vec<&'static str> {
    let token = &world.token;
    let has = |scope: String| token.scopes.contains(&scope);
    let by_name = has(full(api, method));
    let everything = has("*".into()) && api.slug != "hallpass";
    let mut rules = Vec::new();
    if !by_name && !has(format!("{}/{}:*", api.slug, method.service)) && !has(format!("{}/*", api.slug)) && !everything
    {
        rules.push("scope");
    }
    let least = api.least_roles.iter().rev().map(|line| line.split_once(' ').unwrap());
    let least = least.filter(|(_, pattern)| is_pattern_of(pattern, method)).map(|(role, _)| Role::parse(role).unwrap());
    if least.into_iter().next().is_some_and(|least| world.account.role < least) {
        rules.push("role");
    }
    let client: Option<IpAddr> = ask.client.as_ref().map(|client| client.parse().unwrap());
    let listed = client.is_some_and(|client| token.addresses.iter().any(|net| is_in(client, net)));
    if !token.addresses.is_empty() && !listed {
        rules.push("address");
    }
    match resource(api, method, cuts, query) {
        Err(()) => rules.push("unclear"),
        Ok(_) if token.allow.is_empty() => {}
        Ok(Named::No) if by_name || token.allow.contains(&format!("{}/{}:*", api.slug, method.service)) => {}
        Ok(Named::As(id))
            if [id.as_str(), "*"]
                .iter()
                .any(|id| token.allow.contains(&format!("{}/{}:{id}", api.slug, method.service))) => {}
        Ok(_) => rules.push("resource"),
    }
    rules
}

enum Named {
    /// The method names no resource.
    No,
    /// It should, and this request does not, or not clearly.
    Unclear,
    As(String),
}

fn resource(api: &ApiModel, method: &MethodModel, cuts: &Cuts, query: Option<&str>) -> Result<Named, ()> {
    let in_path: Vec<&str> = method.path.split('{').skip(1).filter_map(|text| text.split('}').next()).collect();
    let of_operator = api.resources.iter().rev().map(|line| line.split_once(' ').unwrap());
    let of_operator = of_operator.filter(|(service, _)| *service == method.service).map(|(_, name)| name).next();
    let by_query = |name: &str| match query.map(|query| in_query(query, name)) {
        Some(Err(())) => Err(()),
        Some(Ok(Some(value))) => Ok(Named::As(value)),
        Some(Ok(None)) | None => Ok(Named::Unclear),
    };
    let by_path = |name: &str| {
        let mut values = cuts[0].iter().filter(|(of, _)| of == name).map(|(_, value)| value.clone());
        match (values.next(), values.next()) {
            (Some(value), None) if cuts.len() == 1 => Ok(Named::As(value)),
            _ => Ok(Named::Unclear),
        }
    };
    match of_operator.map(|name| (name, name.strip_prefix('?'))) {
        Some((_, Some(name))) if method.in_query.iter().any(|of| of == name) => by_query(name),
        Some((name, None)) if in_path.contains(&name) => by_path(name),
        // The description does not have it: the first of the path, else a parameter of the query all the same.
        other => match (in_path.first(), other) {
            (Some(first), _) => by_path(first),
            (None, Some((_, Some(name)))) => by_query(name),
            (None, _) => Ok(Named::No),
        },
    }
}

/// Bit by bit. An IPv4 address that is written as an IPv6 one is that IPv4 address.
fn is_in(client: IpAddr, net: &str) -> bool {
    let bits = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => {
            address.octets().iter().flat_map(|byte| (0..8).map(move |n| byte >> (7 - n) & 1)).collect()
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            octets.iter().flat_map(|byte| (0..8).map(move |n| byte >> (7 - n) & 1)).collect::<Vec<u8>>()
        }
    };
    let (address, length) = net.split_once('/').unwrap_or((net, "128"));
    let address: IpAddr = address.parse().unwrap();
    let mapped = address.is_ipv6() && address.to_canonical().is_ipv4();
    let (net, client) = (bits(address), bits(client));
    let length: usize = length.parse::<usize>().unwrap() - if mapped && length != "128" { 96 } else { 0 };
    net.len() == client.len() && net.iter().zip(&client).take(length).all(|(a, b)| a == b)
}
