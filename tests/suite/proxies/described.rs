//! Traefik and Envoy, which Debian does not package: their configurations in the README are read, and the requests that
//! their documentation promises for them are sent. The programs themselves are not run.

use serde_json::Value;

use super::stage::{Client, Reply, printed};
use super::{DESCRIPTION, INVALID, ONE, START, STOP};
use crate::support::Site;

type Headers = Vec<(String, String)>;

/// What a client says to the proxy.
struct Said<'a> {
    method: &'a str,
    target: &'a str,
    headers: Headers,
}

impl<'a> Said<'a> {
    fn new(method: &'a str, target: &'a str, value: &str) -> Said<'a> {
        Said { method, target, headers: vec![] }.and("Authorization", &format!("Bearer {value}"))
    }

    fn and(mut self, name: &str, value: &str) -> Said<'a> {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// A proxy as far as its configuration and its documentation say what it asks.
trait Described {
    fn read() -> Self;
    /// Request line without its version, and headers.
    fn question(&self, said: &Said<'_>) -> (String, Headers);
}

struct Traefik(Value);

impl Traefik {
    fn middleware(&self, name: &str) -> &Value {
        &self.0["http"]["middlewares"][name]
    }

    /// Names that a middleware sets to nothing, which removes them.
    fn removed(&self, by: &str) -> Vec<&str> {
        let headers = self.middleware(by)["headers"]["customRequestHeaders"].as_object().unwrap();
        headers.iter().filter(|(_, value)| *value == "").map(|(name, _)| name.as_str()).collect()
    }
}

impl Described for Traefik {
    fn read() -> Traefik {
        Traefik(yaml_serde::from_str(&printed("Traefik", "yaml", &[])).unwrap())
    }

    /// All headers of the client but those for one hop; `X-Forwarded-…` are Traefik's own.
    fn question(&self, said: &Said<'_>) -> (String, Headers) {
        let ask = &self.middleware("hallpass")["forwardAuth"];
        assert_eq!((&ask["trustForwardHeader"], &ask["authRequestHeaders"]), (&Value::Bool(false), &Value::Null));
        let address = ask["address"].as_str().unwrap();
        let removed = self.removed("hallpass-before");
        let stays = |name: &str| {
            !name.to_lowercase().starts_with("x-forwarded-") && !removed.iter().any(|no| no.eq_ignore_ascii_case(name))
        };
        let mut headers: Headers = said.headers.iter().filter(|(name, _)| stays(name)).cloned().collect();
        for (name, value) in [
            ("X-Forwarded-Method", said.method),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "api.example.com"),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Uri", said.target),
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-Server", "traefik"),
            ("X-Real-Ip", "203.0.113.9"),
            ("Accept-Encoding", "gzip"),
        ] {
            headers.push((name.into(), value.into()));
        }
        (format!("GET {}", address.strip_prefix("http://127.0.0.1:8080").unwrap()), headers)
    }
}

struct Envoy(Value);

impl Envoy {
    fn connections(&self) -> &Value {
        &self.0["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    }

    fn ask(&self) -> &Value {
        &self.connections()["http_filters"][0]["typed_config"]
    }
}

impl Described for Envoy {
    fn read() -> Envoy {
        Envoy(yaml_serde::from_str(&printed("Envoy", "yaml", &[])).unwrap())
    }

    /// The client's method and path behind the prefix; of its headers `Authorization` and those that are allowed,
    /// doubled ones joined by a comma; Envoy's own address at the end of `X-Forwarded-For`.
    fn question(&self, said: &Said<'_>) -> (String, Headers) {
        let early = &self.connections()["early_header_mutation_extensions"][0]["typed_config"]["mutations"];
        let removed = |name: &str| early.as_array().unwrap().iter().any(|one| one["remove"] == name);
        let patterns = self.ask()["allowed_headers"]["patterns"].as_array().unwrap();
        let allowed = |name: &str| name == "authorization" || patterns.iter().any(|one| one["exact"] == name);
        assert!(allowed("x-forwarded-for"));
        let mut headers: Headers = vec![
            ("host".into(), "api.example.com".into()),
            ("content-length".into(), "0".into()),
            ("x-envoy-internal".into(), "true".into()),
            ("x-forwarded-for".into(), "203.0.113.9,127.0.0.1".into()),
        ];
        for (name, value) in &said.headers {
            let name = name.to_lowercase();
            if removed(&name) || !allowed(&name) {
                continue;
            }
            match headers.iter_mut().find(|(there, _)| *there == name) {
                Some((_, there)) => there.push_str(&format!(",{value}")),
                None => headers.push((name, value.clone())),
            }
        }
        let service = &self.ask()["http_service"];
        for added in service["authorization_request"]["headers_to_add"].as_array().unwrap() {
            headers.push((added["key"].as_str().unwrap().into(), added["value"].as_str().unwrap().into()));
        }
        (format!("{} {}{}", said.method, service["path_prefix"].as_str().unwrap(), said.target), headers)
    }
}

fn ask(site: &Site, question: (String, Headers)) -> Reply {
    let (line, headers) = question;
    let host = if headers.iter().any(|(name, _)| name == "host") { "" } else { "Host: 127.0.0.1:8080\r\n" };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Client::of(site.address).ask(format!("{line} HTTP/1.1\r\n{host}{headers}\r\n").as_bytes())
}

fn what_is_asked_is_judged<P: Described>() {
    let (site, proxy) = (Site::start(), P::read());
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[]);
    let form = owner.token_form("stopper", &["control:stopenv", "env:readEnv"]);
    let value = owner.generate_from(&form.with(&[("ip_allow", "203.0.113.9")]));
    let answer = |method: &str, target: &str| ask(&site, proxy.question(&Said::new(method, target, &value)));
    let status = |method: &str, target: &str| answer(method, target).status;

    assert_eq!(status("POST", &format!("{STOP}?a=%2F..&b")), 200);
    assert_eq!(status("GET", ONE), 200);
    assert_eq!(status("HEAD", ONE), 200);
    for (method, target) in [("DELETE", ONE), ("POST", ONE), ("GET", STOP), ("POST", START), ("OPTIONS", STOP)] {
        assert_eq!(status(method, target), 403, "{method} {target}");
    }
    let refused = answer("POST", START);
    assert!(refused.all("WWW-Authenticate")[0].ends_with(r#"scope="control:startenv""#));
    let nobody = ask(&site, proxy.question(&Said::new("POST", STOP, "hp_x")));
    assert_eq!((nobody.status, nobody.all("WWW-Authenticate")), (401, vec![INVALID]));
    for end in ["/..%2fx", "//", ";x", "%2f", "/%2e%2e/startenv", "/../startenv", "%00", "?_method=GET", "/."] {
        let status = status("POST", &format!("{STOP}{end}"));
        assert!(matches!(status, 400 | 403), "{status} for {end}");
    }
    owner.remove("stopper");
    assert_eq!(status("POST", STOP), 401);
}

#[test]
fn what_traefik_asks_is_judged() {
    what_is_asked_is_judged::<Traefik>();
}

#[test]
fn what_envoy_asks_is_judged() {
    what_is_asked_is_judged::<Envoy>();
}

fn what_a_client_forges_does_not_help<P: Described>(passed_over: &[&str]) {
    let (site, proxy) = (Site::start(), P::read());
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[]);
    let value = owner.generate("stopper", &["control:stopenv"]);
    let bearer = format!("Bearer {value}");
    for (name, forged) in [
        ("X-Forwarded-Method", "POST"),
        ("X-Forwarded-Uri", STOP),
        ("X-Original-Method", "POST"),
        ("X-Original-URI", STOP),
        ("X-Original-URL", STOP),
        ("X-Forwarded-Host", "other.test"),
    ] {
        let said = |target| Said::new("POST", target, &value).and(name, forged);
        assert_eq!(ask(&site, proxy.question(&said(START))).status, 403, "{name}");
        assert_eq!(ask(&site, proxy.question(&said(STOP))).status, 200, "{name}");
    }
    for (name, forged) in [
        ("Authorization", bearer.as_str()),
        ("X-API-Key", &value),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "DELETE"),
        ("X-Rewrite-URL", "/"),
        ("X-Override-URL", "/"),
        ("X_Hallpass_Role", "owner"),
        ("X_Forwarded_Uri", STOP),
        ("X_Original_URI", STOP),
        ("X_API_Key", &value),
    ] {
        let expected = if passed_over.contains(&name) { 200 } else { 403 };
        let said = Said::new("POST", STOP, &value).and(name, forged);
        assert_eq!(ask(&site, proxy.question(&said)).status, expected, "{name}");
    }
}

#[test]
fn what_a_client_forges_does_not_help_with_traefik() {
    what_a_client_forges_does_not_help::<Traefik>(&[]);
}

#[test]
fn what_a_client_forges_does_not_help_with_envoy() {
    // Envoy refuses those itself before it asks.
    let envoy = Envoy::read();
    let options = &envoy.connections()["common_http_protocol_options"];
    assert_eq!(options["headers_with_underscores_action"], "REJECT_REQUEST");
    what_a_client_forges_does_not_help::<Envoy>(&["X_Hallpass_Role", "X_Forwarded_Uri", "X_Original_URI", "X_API_Key"]);
}

#[test]
fn every_identity_header_is_listed_for_traefik_and_fits_envoy_s_prefix() {
    let site = Site::start();
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[]);
    let value = owner.generate("stopper", &["control:stopenv"]);
    let (traefik, envoy) = (Traefik::read(), Envoy::read());
    let passed = ask(&site, traefik.question(&Said::new("POST", STOP, &value)));
    let mut sent: Vec<_> = passed.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    sent.retain(|name| name.starts_with("x-hallpass-"));
    sent.sort();
    let listed = traefik.middleware("hallpass")["forwardAuth"]["authResponseHeaders"].as_array().unwrap();
    let mut listed: Vec<_> = listed.iter().map(|name| name.as_str().unwrap().to_lowercase()).collect();
    listed.sort();
    assert_eq!((sent.len(), &sent), (7, &listed));
    let answer = &envoy.ask()["http_service"]["authorization_response"];
    assert_eq!(answer["allowed_upstream_headers"]["patterns"], serde_json::json!([{ "prefix": "x-hallpass-" }]));
}

#[test]
fn no_token_reaches_the_api_and_nothing_passes_unasked() {
    let (traefik, envoy) = (Traefik::read(), Envoy::read());
    let router = &traefik.0["http"]["routers"]["api"];
    assert_eq!(router["middlewares"], serde_json::json!(["hallpass-before", "hallpass", "hallpass-after"]));
    assert_eq!(traefik.removed("hallpass-after"), ["Authorization", "X-API-Key"]);

    let connections = envoy.connections();
    let host = &connections["route_config"]["virtual_hosts"][0];
    assert_eq!(host["request_headers_to_remove"], serde_json::json!(["authorization", "x-api-key"]));
    assert_eq!(connections["http_filters"][0]["name"], "envoy.filters.http.ext_authz");
    assert_eq!(envoy.ask()["failure_mode_allow"], false);
    for name in ["normalize_path", "merge_slashes"] {
        assert_eq!(connections[name], false, "{name}");
    }
    assert_eq!(connections["path_with_escaped_slashes_action"], "REJECT_REQUEST");
    assert_eq!(connections["use_remote_address"], true);
}

#[test]
fn of_several_apis_traefik_names_one_in_the_address_and_envoy_by_its_host() {
    let (site, traefik, envoy) = (Site::start(), Traefik::read(), Envoy::read());
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[("hosts", "api.example.com")]);
    owner.import("other", DESCRIPTION, &[("hosts", "other.example.com")]);
    let value = owner.generate("stopper", &["jelastic/control:stopenv"]);
    let said = || Said::new("POST", STOP, &value).and("X-Forwarded-Host", "other.example.com");
    for (slug, expected) in [("jelastic", 200), ("other", 403), ("none", 403)] {
        let (line, headers) = traefik.question(&said());
        assert_eq!(ask(&site, (format!("{line}?api={slug}"), headers)).status, expected, "{slug}");
    }
    let passed = ask(&site, envoy.question(&said()));
    assert_eq!((passed.status, passed.all("X-Hallpass-Method")), (200, vec!["jelastic/control:stopenv"]));
    let (line, mut headers) = envoy.question(&said());
    headers.retain(|(name, _)| name != "x-forwarded-host");
    assert_eq!(ask(&site, (line, headers)).status, 403, "with two APIs and no name it is neither");
}
