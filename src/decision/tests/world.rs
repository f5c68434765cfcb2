//! Random worlds for the decision: APIs, an account, a token with its values, and requests that nearly fit.

use crate::scope::OWN_API;
use crate::types::Role;

/// Random choices, drawn one after the other. What shrinks towards 0 shrinks towards the first and plainest choice.
pub struct Tape(std::vec::IntoIter<u16>);

impl Tape {
    pub fn new(choices: Vec<u16>) -> Tape {
        Tape(choices.into_iter())
    }

    pub fn below(&mut self, most: usize) -> usize {
        usize::from(self.0.next().unwrap_or(0)) % most.max(1)
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub fn some(&mut self, from: &[&str], most: usize) -> Vec<String> {
        (0..self.below(most + 1)).map(|_| self.pick(from).to_owned()).collect()
    }
}

#[derive(Clone, Debug)]
pub struct World {
    pub apis: Vec<ApiModel>,
    pub account: AccountModel,
    pub token: TokenModel,
}

#[derive(Clone, Debug)]
pub struct ApiModel {
    pub slug: String,
    pub hosts: Vec<String>,
    pub server_host: Option<String>,
    pub base_path: Option<String>,
    pub server_base_path: String,
    pub case_insensitive: bool,
    pub trailing_dot: bool,
    pub utf8_paths: bool,
    pub greedy: Vec<String>,
    pub least_roles: Vec<String>,
    pub resources: Vec<String>,
    pub methods: Vec<MethodModel>,
}

#[derive(Clone, Debug)]
pub struct MethodModel {
    pub service: String,
    pub name: String,
    pub http_method: String,
    pub path: String,
    pub in_query: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct AccountModel {
    pub role: Role,
    pub enabled: bool,
    /// Whether the index was ever told of it.
    pub known: bool,
}

/// Ends are milliseconds from the moment of the question.
#[derive(Clone, Debug)]
pub struct TokenModel {
    pub scopes: Vec<String>,
    pub allow: Vec<String>,
    pub addresses: Vec<String>,
    pub rate: Option<u32>,
    pub enabled: bool,
    pub removed: bool,
    pub expires_in: Option<i64>,
    /// Of its two values the former one.
    pub former_ends_in: Option<i64>,
    /// An older state of the token, with every right, that is told before (`Some(false)`) or too late (`Some(true)`).
    pub older_fact_is_late: Option<bool>,
}

impl Default for TokenModel {
    fn default() -> TokenModel {
        TokenModel {
            scopes: Vec::new(),
            allow: Vec::new(),
            addresses: Vec::new(),
            rate: None,
            enabled: true,
            removed: false,
            expires_in: None,
            former_ends_in: None,
            older_fact_is_late: None,
        }
    }
}

/// A request, in words that need no other text to live.
#[derive(Clone, Debug)]
pub struct Ask {
    pub presented: Presented,
    pub api: Option<String>,
    pub host: Option<String>,
    pub http_method: String,
    pub target: String,
    pub client: Option<String>,
}

/// Which text is sent as the credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presented {
    Current,
    Former,
    /// Of a token that may do everything.
    Stranger,
    /// A value of ours that nobody has.
    Unissued,
    /// The current one, with a slip.
    Slip(u16),
    Empty,
    Nothing,
}

const SERVICES: [&str; 2] = ["s", "t"];
const PARAMETERS: [&str; 3] = ["p", "q", "id"];
const ADDRESSES: [&str; 6] = ["10.0.0.7", "10.0.0.8", "10.1.0.0", "2001:db8::7", "2001:db9::7", "192.0.2.1"];
pub const UNREADABLE_NET: &str = "10.0.0.0/33";
const NETS: [&str; 9] = [
    "10.0.0.7",
    "10.0.0.0/29",
    "10.0.0.0/16",
    "2001:db8::/32",
    "2001:db8::7",
    "0.0.0.0/0",
    "::/0",
    "::ffff:10.0.0.7",
    "::ffff:10.0.0.0/109",
];
/// Parts of segments of requests; nothing else fills a parameter.
const VALUES: [&str; 10] = ["a", "b", "ab", "a.b", "A", "1", "aab", "a..b", "é", "a."];
const SEGMENTS: [&str; 18] = [
    "a", "{p}", "b", "{q}", "{id}", "A", "ab", "a.b", "é", "a%2Db", "x:y", "{p}.{q}", "{p}.b", "a{p}", "A{q}", "{p}b",
    "{p}{q}", "{p}a{p}",
];
/// Templates that cannot be served.
pub const BROKEN: [&str; 7] = ["/a//b", "/{p", "/a}", "/{}", "/a/../b", "/%2F", "/a b"];
const HTTP_METHODS: [&str; 5] = ["GET", "GET", "HEAD", "DELETE", "get"];

impl World {
    pub fn draw(tape: &mut Tape) -> World {
        let slugs: &[&str] = tape.pick(&[&["pdns"][..], &["pdns", "other"], &["pdns", "other", OWN_API], &[OWN_API]]);
        let apis: Vec<ApiModel> = slugs.iter().map(|slug| ApiModel::draw(tape, slug)).collect();
        let account = AccountModel {
            role: tape.pick(&[Role::Owner, Role::Admin, Role::Contributor, Role::Viewer]),
            enabled: !tape.once_in(30),
            known: !tape.once_in(40),
        };
        let token = TokenModel::draw(tape, &apis);
        World { apis, account, token }
    }

    /// The same APIs, with a token that may do everything.
    pub fn of_stranger(&self) -> World {
        let token = TokenModel {
            scopes: self.apis.iter().map(|api| format!("{}/*", api.slug)).collect(),
            ..TokenModel::default()
        };
        World { token, account: AccountModel { role: Role::Owner, enabled: true, known: true }, ..self.clone() }
    }

    /// A request for one of the methods, mostly with something wrong.
    pub fn ask(&self, tape: &mut Tape) -> Ask {
        let api = &self.apis[tape.below(self.apis.len())];
        let method = &api.methods[tape.below(api.methods.len())];
        let base = api.base_path.as_ref().unwrap_or(&api.server_base_path);
        let mut target = format!("{base}{}", fill(tape, method, &api.greedy));
        if tape.once_in(2) {
            target.push_str(&query(tape));
        }
        for _ in 0..tape.pick(&[0, 0, 0, 1, 1, 2]) {
            target = mutate(tape, &target);
        }
        let host = match tape.below(5) {
            0 | 1 => None,
            2 => api.hosts.first().cloned(),
            3 => api.server_host.clone(),
            _ => Some(tape.pick(&["api.example.org", "API.example.org:8443", "elsewhere.example", "h1:80"]).to_owned()),
        };
        Ask {
            presented: match tape.below(24) {
                0..=15 => Presented::Current,
                16..=18 => Presented::Former,
                19 | 20 => Presented::Stranger,
                21 => Presented::Slip(tape.below(usize::from(u16::MAX)) as u16),
                22 => Presented::Unissued,
                _ => tape.pick(&[Presented::Nothing, Presented::Empty]),
            },
            api: match tape.below(12) {
                0..=7 => Some(api.slug.clone()),
                8..=10 => None,
                _ => Some("nowhere".into()),
            },
            host,
            http_method: match tape.once_in(5) {
                false => method.http_method.clone(),
                true => tape.pick(&["GET", "HEAD", "DELETE", "POST", "get", "Get"]).to_owned(),
            },
            target,
            client: if tape.once_in(6) { None } else { Some(tape.pick(&ADDRESSES).to_owned()) },
        }
    }
}

impl ApiModel {
    fn draw(tape: &mut Tape, slug: &str) -> ApiModel {
        let hosts = tape.some(&["api.example.org", "api.example.org:8443", "h1", "H2.example"], 2);
        let methods = 1 + tape.below(7);
        let methods = (0..methods).map(|nth| MethodModel::draw(tape, nth)).collect();
        let patterns = ["s:m1", "s:*", "*:m2", "*:*", "t:m3", "s:m*1"];
        let roles = ["viewer", "contributor", "admin", "owner"];
        let roles = (0..tape.below(3)).map(|_| format!("{} {}", tape.pick(&roles), tape.pick(&patterns))).collect();
        let named = (0..tape.below(3)).map(|_| {
            let mark = tape.pick(&["", "?"]);
            format!("{} {mark}{}", tape.pick(&SERVICES), tape.pick(&PARAMETERS))
        });
        let resources = named.collect();
        ApiModel {
            slug: slug.to_owned(),
            hosts,
            server_host: tape.pick(&[None, Some("api.example.org".into()), Some("h1".into())]),
            base_path: tape.pick(&[None, Some("".into()), Some("/1.0".into())]),
            server_base_path: tape.pick(&["", "/v1", "/V1"]).to_owned(),
            case_insensitive: tape.once_in(3),
            trailing_dot: tape.once_in(3),
            utf8_paths: tape.once_in(3),
            greedy: if tape.once_in(2) { tape.some(&patterns, 2) } else { Vec::new() },
            least_roles: roles,
            resources,
            methods,
        }
    }
}

impl MethodModel {
    fn draw(tape: &mut Tape, nth: usize) -> MethodModel {
        let path = match tape.once_in(25) {
            true => tape.pick(&BROKEN).to_owned(),
            false => {
                let segments: Vec<&str> = (0..tape.below(4)).map(|_| tape.pick(&SEGMENTS)).collect();
                let slash = if segments.is_empty() || !tape.once_in(6) { "" } else { "/" };
                format!("/{}{slash}", segments.join("/"))
            }
        };
        MethodModel {
            service: tape.pick(&SERVICES).to_owned(),
            name: format!("m{nth}"),
            http_method: tape.pick(&HTTP_METHODS).to_owned(),
            path,
            in_query: tape.some(&PARAMETERS, 1),
        }
    }
}

impl TokenModel {
    fn draw(tape: &mut Tape, apis: &[ApiModel]) -> TokenModel {
        let scopes = (0..1 + tape.below(3)).map(|_| {
            let api = &apis[tape.below(apis.len())];
            let method = &api.methods[tape.below(api.methods.len())];
            let (slug, service, name) = (&api.slug, &method.service, &method.name);
            match tape.below(8) {
                0 => format!("{slug}/*"),
                1 => format!("{slug}/{service}:*"),
                2 => "*".to_owned(),
                3 => tape.pick(&["pdns/s:", "s:m1", "pdns/S:m1", "other/*", "pdns/s:m", "**", "pdns"]).to_owned(),
                _ => format!("{slug}/{service}:{name}"),
            }
        });
        let scopes = scopes.collect();
        let allow = (0..if tape.once_in(2) { 1 + tape.below(4) } else { 0 }).map(|_| {
            let api = &apis[tape.below(apis.len())];
            let id = match tape.below(6) {
                0 => "*",
                1 => "ab/a",
                _ => tape.pick(&VALUES),
            };
            format!("{}/{}:{id}", api.slug, tape.pick(&SERVICES))
        });
        let allow = allow.collect();
        let ends = [None, Some(1), Some(0), Some(-1), Some(86_400_000)];
        TokenModel {
            scopes,
            allow,
            addresses: match tape.below(30) {
                0..=20 => Vec::new(),
                21..=28 => tape.some(&NETS, 3),
                _ => vec![UNREADABLE_NET.to_owned()],
            },
            rate: tape.pick(&[None, None, None, Some(1), Some(2)]),
            enabled: !tape.once_in(30),
            removed: tape.once_in(30),
            expires_in: if tape.once_in(4) { tape.pick(&ends) } else { None },
            former_ends_in: tape.pick(&[Some(1), Some(86_400_000), Some(0), Some(-1)]),
            older_fact_is_late: tape.pick(&[None, Some(false), Some(true)]),
        }
    }
}

/// A path that the template was made for, encoded here and there.
fn fill(tape: &mut Tape, method: &MethodModel, greedy: &[String]) -> String {
    let mut path = String::new();
    let mut rest = method.path.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push_str(tape.pick(&VALUES));
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    path.push_str(rest);
    if !greedy.is_empty() && tape.once_in(2) {
        path.push_str(tape.pick(&["/a", "/ab/a"]));
    }
    let mut encoded = String::new();
    for c in path.chars() {
        match c {
            'é' => encoded.push_str("%C3%A9"),
            c if c.is_ascii_alphanumeric() && tape.once_in(12) => encoded.push_str(&format!("%{:02x}", c as u32)),
            c => encoded.push(c),
        }
    }
    encoded
}

fn query(tape: &mut Tape) -> String {
    let names = ["p", "q", "id", "P", "q[]", "q.", "%69d", "+id", "x", "_method", "%5FMethod", "x%zz", "x[", "id%00"];
    let values = ["a", "b", "ab", "a%2Eb", "A", "a+b", "%zz", "%C3%A9", "", "1;id=1", "%FF"];
    let pairs = (0..1 + tape.below(2)).map(|_| {
        let name = if tape.once_in(3) { tape.pick(&names) } else { tape.pick(&PARAMETERS) };
        format!("{name}={}", tape.pick(&values))
    });
    format!("?{}", pairs.collect::<Vec<_>>().join("&"))
}

const INSERTED: [&str; 52] = [
    "/",
    "//",
    "/./",
    "/../",
    "%2e%2e",
    "%2F",
    "%2f",
    "%5C",
    "\\",
    ";",
    ";x=1",
    "%3B",
    "%00",
    "%20",
    " ",
    "%",
    "%2",
    "%zz",
    "%25",
    "%252e",
    "%c0%af",
    "%C3%A9",
    "%EF%BC%8F",
    "%E2%88%95",
    "%CC%81",
    "%E2%80%AE",
    "é",
    ".",
    "..",
    "#",
    "%23",
    "%3F",
    "?",
    "%3A",
    ":",
    "@",
    "%40",
    "+",
    "%2B",
    "\t",
    "|",
    "\"",
    "<",
    "%7F",
    "%0d%0a",
    "~",
    "%7E",
    "'",
    "%D0%B6",
    "%F0%9F%98%80",
    "...",
    "&",
];

fn mutate(tape: &mut Tape, target: &str) -> String {
    let places: Vec<usize> = target.char_indices().map(|(at, _)| at).chain([target.len()]).collect();
    let at = places[tape.below(places.len())];
    let (before, after) = target.split_at(at);
    let first = after.chars().next();
    let behind = first.map_or("", |c| &after[c.len_utf8()..]);
    match tape.below(12) {
        0 => format!("{target}/"),
        1 => {
            let other = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            format!("{before}{}{behind}", first.map(other).map(String::from).unwrap_or_default())
        }
        2 => format!("{before}{}{behind}", first.map(|c| format!("%{:02X}", c as u32)).unwrap_or_default()),
        3 => format!("{before}{behind}"),
        4 => target.rsplit_once('/').map_or("", |(start, _)| start).to_owned(),
        5 => format!("{target}/{}", tape.pick(&VALUES)),
        6 => format!("{}{target}", tape.pick(&["http://h", "/", "*", "/v1", "/a/.."])),
        7 => {
            // Around the longest that is read.
            let long = 8191 + tape.below(3);
            let mark = if target.contains('?') { '&' } else { '?' };
            let fill = "x".repeat(long.saturating_sub(target.len() + 1));
            format!("{target}{mark}{fill}")
        }
        _ => format!("{before}{}{after}", tape.pick(&INSERTED)),
    }
}
