//! Traefik, which no package brings along: its configuration in the README is read, and the requests that its
//! documentation promises for it are sent. The program itself is not run.

use serde_json::Value;

use super::stage::{Client, Reply, printed};
use super::{DESCRIPTION, INVALID, ONE, START, STOP};
use crate::support::Site;

type Headers = Vec<(String, String)>;

struct Traefik(Value);

impl Traefik {
    fn read() -> Traefik {
        Traefik(yaml_serde::from_str(&printed("Traefik", "yaml", &[])).unwrap())
    }

    fn middleware(&self, name: &str) -> &Value {
        &self.0["http"]["middlewares"][name]
    }

    /// Names that a middleware sets to nothing, which removes them.
    fn removed(&self, by: &str) -> Vec<&str> {
        let headers = self.middleware(by)["headers"]["customRequestHeaders"].as_object().unwrap();
        headers.iter().filter(|(_, value)| *value == "").map(|(name, _)| name.as_str()).collect()
    }

    /// What Hallpass hears of a client's request: all of its headers but those that are removed, and `X-Forwarded-…` as
    /// Traefik makes them where it does not trust the client's.
    fn ask(&self, site: &Site, query: &str, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
        let forward = &self.middleware("hallpass")["forwardAuth"];
        assert_eq!(
            (&forward["trustForwardHeader"], &forward["authRequestHeaders"]),
            (&Value::Bool(false), &Value::Null)
        );
        let path = forward["address"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap();
        let removed = self.removed("hallpass-before");
        let stays = |name: &str| {
            !name.to_lowercase().starts_with("x-forwarded-") && !removed.iter().any(|no| no.eq_ignore_ascii_case(name))
        };
        let own = [
            ("Host", "127.0.0.1:8080"),
            ("X-Forwarded-Method", method),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "api.example.com"),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Uri", target),
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-Server", "traefik"),
            ("X-Real-Ip", "203.0.113.9"),
            ("Accept-Encoding", "gzip"),
        ];
        let sent = own.iter().chain(headers.iter().filter(|(name, _)| stays(name)));
        let sent: String = sent.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        Client::of(site.address).ask(format!("GET {path}{query} HTTP/1.1\r\n{sent}\r\n").as_bytes())
    }
}

#[test]
fn what_traefik_asks_is_judged() {
    let (site, traefik) = (Site::start(), Traefik::read());
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[]);
    let form = owner.token_form("stopper", &["control:stopenv", "env:readEnv"]);
    let bearer = format!("Bearer {}", owner.generate_from(&form.with(&[("ip_allow", "203.0.113.9")])));
    let answer = |method, target: &str| traefik.ask(&site, "", method, target, &[("Authorization", &bearer)]);
    let status = |method, target: &str| answer(method, target).status;

    for (method, target) in [("POST", STOP), ("POST", &format!("{STOP}?a=%2F..&b")), ("GET", ONE), ("HEAD", ONE)] {
        assert_eq!(status(method, target), 200, "{method} {target}");
    }
    for (method, target) in [("DELETE", ONE), ("POST", ONE), ("GET", STOP), ("POST", START), ("OPTIONS", STOP)] {
        assert_eq!(status(method, target), 403, "{method} {target}");
    }
    assert!(answer("POST", START).all("WWW-Authenticate")[0].ends_with(r#"scope="control:startenv""#));
    let nobody = traefik.ask(&site, "", "POST", STOP, &[("Authorization", "Bearer hp_x")]);
    assert_eq!((nobody.status, nobody.all("WWW-Authenticate")), (401, vec![INVALID]));
    for end in ["/..%2fx", "//", ";x", "%2f", "/%2e%2e/startenv", "/../startenv", "%00", "?_method=GET", "/."] {
        assert_eq!(status("POST", &format!("{STOP}{end}")), 403, "{end}");
    }
    owner.remove("stopper");
    assert_eq!(status("POST", STOP), 401);
}

#[test]
fn what_a_client_forges_does_not_help_with_traefik() {
    let (site, traefik) = (Site::start(), Traefik::read());
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[]);
    let value = owner.generate("stopper", &["control:stopenv"]);
    let bearer = format!("Bearer {value}");
    let status = |target, forged| traefik.ask(&site, "", "POST", target, &[("Authorization", &bearer), forged]).status;
    for forged in [
        ("X-Forwarded-Method", "POST"),
        ("X-Forwarded-Uri", STOP),
        ("X-Original-Method", "POST"),
        ("X-Original-URI", STOP),
        ("X-Original-URL", STOP),
        ("X-Forwarded-Host", "other.test"),
    ] {
        assert_eq!([status(START, forged), status(STOP, forged)], [403, 200], "{forged:?}");
    }
    for forged in [
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
        assert_eq!(status(STOP, forged), 403, "{forged:?}");
    }
}

#[test]
fn traefik_hands_on_every_identity_header_and_no_token() {
    let (site, traefik) = (Site::start(), Traefik::read());
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[]);
    let bearer = format!("Bearer {}", owner.generate("stopper", &["control:stopenv"]));
    let passed: Headers = traefik.ask(&site, "", "POST", STOP, &[("Authorization", &bearer)]).headers;
    let mut sent: Vec<_> = passed.iter().map(|(name, _)| name.to_lowercase()).collect();
    sent.retain(|name| name.starts_with("x-hallpass-"));
    sent.sort();
    let listed = traefik.middleware("hallpass")["forwardAuth"]["authResponseHeaders"].as_array().unwrap();
    let mut listed: Vec<_> = listed.iter().map(|name| name.as_str().unwrap().to_lowercase()).collect();
    listed.sort();
    assert_eq!((sent.len(), sent), (7, listed));

    let order = &traefik.0["http"]["routers"]["api"]["middlewares"];
    assert_eq!(*order, serde_json::json!(["hallpass-before", "hallpass", "hallpass-after"]));
    assert_eq!(traefik.removed("hallpass-after"), ["Authorization", "X-API-Key"]);
}

#[test]
fn of_several_apis_the_one_in_traefik_s_address_is_meant() {
    let (site, traefik) = (Site::start(), Traefik::read());
    let owner = site.owner();
    owner.import("jelastic", DESCRIPTION, &[]);
    owner.import("other", DESCRIPTION, &[("hosts", "api.example.com")]);
    let bearer = format!("Bearer {}", owner.generate("stopper", &["jelastic/control:stopenv"]));
    for (query, expected) in [("?api=jelastic", 200), ("?api=other", 403), ("?api=none", 403)] {
        let asked = traefik.ask(&site, query, "POST", STOP, &[("Authorization", &bearer)]);
        assert_eq!(asked.status, expected, "{query}");
    }
}
