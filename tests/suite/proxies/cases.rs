//! What every proxy has to do with the README's configuration. Where a proxy refuses by itself, that is fine.

use std::sync::Arc;

use super::stage::{Api, Client, Kind, Reply, Scene, saying};
use super::{CHALLENGE, DESCRIPTION, INVALID, ONE, START, STOP};
use crate::support::{Person, Site};

pub fn a_named_method_passes_in_any_letter_case_and_the_api_learns_who_asks(kind: &Kind) {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(kind, &site, &owner);
    // A name that a proxy's own language would read something into.
    let name = "{http.request.host} $host %[src] {$HOME}";
    scene.value = owner.generate(name, &["control:stopenv"]);
    for path in [STOP, "/1.0/Environment/Control/Rest/StopEnv", "/1.0/ENVIRONMENT/control/REST/st%6fpenv"] {
        let target = format!("{path}?envName=x&y=%2F..%2f//;+&z={{http.request.host}}$host%5Bsrc%5D&&");
        scene.expect(200, &scene.post(&target));
        let received = scene.api.last();
        assert_eq!(received.line, format!("POST {target} HTTP/1.1"));
        for (name, value) in [
            ("X-Hallpass-Account", &["maria@example.com"][..]),
            ("X-Hallpass-Account-Kind", &["person"]),
            ("X-Hallpass-Role", &["owner"]),
            ("X-Hallpass-Teams", &[]),
            ("X-Hallpass-Token-Name", &["{http.request.host} $host %25[src] {$HOME}"]),
            ("X-Hallpass-Method", &["control:stopenv"]),
            ("X-Forwarded-For", &["127.0.0.1"]),
            ("X-Forwarded-Proto", &["http"]),
            ("Host", &["api.test"]),
            ("Authorization", &[]),
        ] {
            assert_eq!(received.said(name), value, "{name}");
        }
        assert_eq!(received.said("X-Hallpass-Token-Id"), [owner.id_of(name)]);
    }
}

pub fn each_identity_header_of_the_answer_reaches_the_api(kind: &Kind) {
    let names = ["Account", "Account-Kind", "Role", "Teams", "Token-Id", "Token-Name", "Method"];
    let headers: String = names.iter().map(|name| format!("X-Hallpass-{name}: the {name}\r\n")).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
    let scene = Scene::before(kind, saying(Arc::new(answer.into())), "hp_x".into());
    let forged: String = names.iter().map(|name| format!("X-Hallpass-{name}: forged\r\n")).collect();
    scene.expect(200, &scene.request("POST", STOP, &forged, ""));
    let received = scene.api.last();
    for name in names {
        assert_eq!(received.all(&format!("X-Hallpass-{name}")), [format!("the {name}")]);
    }
}

pub fn the_question_is_that_of_the_proxy_and_carries_no_cookie_and_no_body(kind: &Kind) {
    let hallpass = Api::start();
    let scene = Scene::before(kind, hallpass.address, "hp_x".into());
    let more = "Cookie: a=b\r\nX-Forwarded-Host: other.test\r\nExpect: 100-continue\r\nUser-Agent: curl/8\r\n";
    scene.ask(&scene.request("POST", STOP, more, "a=b"));
    let asked = hallpass.last();
    for (name, value) in [
        ("Cookie", &[][..]),
        ("X-Forwarded-Host", if kind.is_direct { &["api.example.com"] } else { &[] }),
        ("X-Forwarded-For", &["127.0.0.1"]),
        ("Authorization", &["Bearer hp_x"]),
        ("User-Agent", &["curl/8"]),
    ] {
        assert_eq!(asked.said(name), value, "{name}");
    }
    let names = ["X-Original-Method", "X-Original-URI", "X-Forwarded-Method", "X-Forwarded-Uri"];
    let named = names.map(|name| asked.said(name)).concat();
    match kind.is_direct {
        true => assert_eq!((asked.line.clone(), named), (format!("POST /verify/direct{STOP} HTTP/1.1"), vec![])),
        false => assert_eq!((asked.line.starts_with("GET /verify"), named), (true, vec!["POST", STOP])),
    }
    assert_eq!(asked.body, 0);
}

pub fn the_client_s_host_chooses_no_api(kind: &Kind) {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(kind, &site, &owner);
    scene.expect(200, &scene.post(STOP));
    owner.import("hosted", DESCRIPTION, &[("hosts", "api.test")]);
    scene.value = owner.generate("hosted", &["hosted/control:stopenv"]);
    scene.expect_refused(&scene.post(STOP));
    scene.expect_refused(&scene.request("POST", STOP, "X-Forwarded-Host: api.test\r\n", ""));
}

pub fn each_http_method_is_judged_as_what_it_is(kind: &Kind) {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(kind, &site, &owner);
    let may = |scene: &mut Scene, scope: &str, allowed: &[&str]| {
        scene.value = owner.generate(scope, &[scope]);
        for method in ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH", "OPTIONS", "get"] {
            let request = scene.request(method, ONE, "", "");
            if !allowed.contains(&method) {
                scene.expect_refused(&request);
                continue;
            }
            scene.expect(200, &request);
            assert_eq!(scene.api.last().line, format!("{method} {ONE} HTTP/1.1"));
        }
    };
    may(&mut scene, "env:readEnv", &["GET", "HEAD"]);
    may(&mut scene, "env:deleteEnv", &["DELETE"]);
    may(&mut scene, "control:stopenv", &[]);
}

pub fn another_method_is_refused_and_the_client_reads_the_scope_that_is_missing(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    let refused = scene.ask(&scene.post(START));
    refused_with(&refused, 403, &format!(r#"{CHALLENGE}, error="insufficient_scope", scope="control:startenv""#));
    assert_eq!(reference(&refused).len(), 8);

    let unknown = format!(r#"{CHALLENGE}, error="insufficient_scope""#);
    let mut client = Client::of(scene.proxy.address);
    for method in ["HEAD", "GET", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let refused = client.ask(&scene.request(method, STOP, "", ""));
        refused_with(&refused, 403, &unknown);
        assert_eq!(refused.body.is_empty(), method == "HEAD");
    }
    assert_eq!(scene.api.count(), 0);
}

pub fn without_a_living_token_there_is_one_challenge(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    let (start, last) = scene.value.split_at(scene.value.len() - 1);
    let mistyped = format!("{start}{}", if last == "0" { "1" } else { "0" });
    for (sent, challenge) in [
        (String::new(), CHALLENGE),
        ("Authorization: Basic bWFyaWE6eA==\r\n".into(), CHALLENGE),
        (format!("X_API_Key: {}\r\n", scene.value), CHALLENGE),
        (format!("Authorization: Bearer {mistyped}\r\n"), INVALID),
        ("Authorization: Bearer\r\n".into(), INVALID),
    ] {
        for method in ["POST", "HEAD"] {
            let request = format!("{method} {STOP} HTTP/1.1\r\nHost: api.test\r\n{sent}Content-Length: 0\r\n\r\n");
            let refused = scene.ask(request.as_bytes());
            refused_with(&refused, 401, challenge);
            assert_eq!(refused.body.is_empty(), method == "HEAD");
        }
    }
    assert_eq!(scene.api.count(), 0);
}

pub fn a_token_over_its_rate_is_told_when_to_come_back(kind: &Kind) {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(kind, &site, &owner);
    let form = owner.token_form("rare", &["control:stopenv"]).with(&[("rate_per_minute", "1")]);
    scene.value = owner.generate_from(&form);
    scene.expect(200, &scene.post(STOP));
    let refused = scene.ask(&scene.post(STOP));
    assert_eq!((refused.status, refused.all("WWW-Authenticate")), (429, vec![]));
    let wait: u32 = refused.all("Retry-After")[0].parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(reference(&refused).len(), 8);
    assert_eq!(scene.api.count(), 1);
}

pub fn a_removed_token_is_refused_at_the_very_next_request_of_the_same_connection(kind: &Kind) {
    let site = Site::start();
    let owner = site.owner();
    let scene = Scene::of(kind, &site, &owner);
    let mut client = Client::of(scene.proxy.address);
    assert_eq!(client.ask(&scene.post(STOP)).status, 200);
    owner.remove("stopper");
    refused_with(&client.ask(&scene.post(STOP)), 401, INVALID);
    assert_eq!(scene.api.count(), 1);
}

/// Ends of a good target, and what stands before one, that make it doubtful. None has a space.
const BEHIND: &str = r"/ // %2f %2F %00 %00.json ;x ;jsessionid=1 %3bx %3fx . %2e %20 + \ %5c #x ?a#b % %zz %c0%af %252f
    %0d%0aX:y é ?é /.. /../startenv /%2e%2e/startenv /..;/startenv /x/..%2f ?_method=DELETE ?x&%5fmethod=GET";
const BEFORE: &str = "/ // /. /x/.. /x/%2e%2e /%2e //api.test ? * x";
const SIDEWAYS: &str =
    "/../stopenv /..%2fstopenv /%2e%2e%2fstopenv ?/../stopenv %23/../stopenv ;/../stopenv #/../stopenv";

pub fn a_target_that_two_programs_may_read_differently_never_reaches_the_api(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    let mut targets: Vec<_> = BEHIND.split_whitespace().map(|end| format!("{STOP}{end}")).collect();
    targets.extend(["\u{1}", "\u{7f}", " x", "\tx"].map(|end| format!("{STOP}{end}")));
    targets.extend(BEFORE.split_whitespace().map(|start| format!("{start}{STOP}")));
    targets.extend(SIDEWAYS.split_whitespace().map(|end| format!("{START}{end}")));
    let long = "a".repeat(9000);
    targets.extend([format!("{STOP}?{long}"), format!("/{long}"), STOP[1..].into(), "*".into(), "/".into()]);
    for target in targets {
        scene.expect_refused(&scene.post(&target));
    }
    scene.expect(200, &scene.post(STOP));
}

pub fn an_absolute_target_is_refused_or_reaches_the_api_as_the_path_that_was_judged(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    for before in ["http://api.test", "HTTP://other.test", "https://api.test:99", "http://", "http:/", "http:", "x:"] {
        let target = format!("{STOP}?a=%2e");
        let status = scene.ask(&scene.post(&format!("{before}{target}"))).status;
        assert!(matches!(status, 200 | 400 | 403 | 404), "{status} for {before}");
        if status == 200 {
            assert_eq!(scene.api.last().line, format!("POST {target} HTTP/1.1"), "{before}");
        }
        scene.expect_refused(&scene.post(&format!("{before}{START}")));
    }
    for target in ["http://api.test", "http://api.test/", "http://api.test?", "http://api.test/?"] {
        scene.expect_refused(&scene.post(target));
        let status = scene.ask(&scene.post(&format!("{target}{STOP}"))).status;
        assert!(matches!(status, 200 | 400 | 403 | 404), "{status} for {target}");
        if status == 200 {
            assert_eq!(scene.api.last().line, format!("POST {STOP} HTTP/1.1"), "{target}");
        }
        scene.expect_refused(&scene.post(&format!("{target}{START}")));
    }
}

pub fn headers_that_name_another_request_do_not_move_the_decision(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    for forged in [
        format!("X-Original-URI: {STOP}\r\n"),
        format!("X-Original-URI: {START}\r\nx-original-uri: {STOP}\r\n"),
        format!("X-Original-URL: {STOP}\r\n"),
        format!("X-Original-Method: POST\r\nX-Original-URI: {STOP}\r\n"),
        format!("X-Forwarded-Method: POST\r\nX-Forwarded-Uri: {STOP}\r\n"),
        format!("X_Original_URI: {STOP}\r\n"),
        format!("X_Forwarded_Uri: {STOP}\r\nX.Forwarded.Uri: {STOP}\r\n"),
        "Connection: X-Original-Method, X-Original-URI, X-Forwarded-Uri, Authorization\r\n".into(),
        "X-Forwarded-Host: other.test\r\n".into(),
    ] {
        scene.expect_refused(&scene.request("POST", START, &forged, ""));
    }
    for forged in ["X-Original-Method: POST\r\n", "X-Forwarded-Method: POST\r\n"] {
        scene.expect_refused(&scene.request("GET", STOP, forged, ""));
    }
}

const FORGED: &str = "X-Hallpass-Account x-hallpass-account X-Hallpass-Account-Kind X-HALLPASS-ROLE X-Hallpass-Teams
    X-Hallpass-Token-Id X-Hallpass-Token-Name X-Hallpass-Method X-Hallpass-Reference X-Forwarded-For X-Forwarded-For
    X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Method X-Forwarded-Uri X-Forwarded-Prefix X-Forwarded-Port
    X-Forwarded-Ssl X-Forwarded-Scheme X-Original-Method X-Original-URI X-Original-URL X-Real-IP Forwarded";
/// A proxy may refuse these by itself.
const DISGUISED: &str = "X_Hallpass_Role X-Hallpass_Role X.Hallpass.Role X_Forwarded_For X.Forwarded.For X_Original_URL
    X_Real_IP X_HTTP_Method_Override X_API_Key X.API.Key Upgrade";

pub fn nothing_that_a_client_may_forge_reaches_the_api(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    let forged: String = FORGED.split_whitespace().map(|name| format!("{name}: forged\r\n")).collect();
    let forged = format!("{forged}X-Custom: kept\r\nCookie: a=b\r\n");
    for connection in ["", "Connection: X-Hallpass-Account, X-Hallpass-Role\r\n", "Connection: X-Forwarded-For\r\n"] {
        let status = scene.ask(&scene.request("POST", STOP, &format!("{forged}{connection}"), "")).status;
        assert!(status == 200 || (status == 400 && !connection.is_empty()), "{status} with {connection}");
        let last = scene.api.last();
        assert_eq!([last.said("X-Custom"), last.said("Cookie")], [["kept"], ["a=b"]]);
    }
    for name in DISGUISED.split_whitespace() {
        let passed = scene.api.count();
        let header = format!("{name}: forged\r\nConnection: Upgrade\r\n");
        let status = scene.ask(&scene.request("POST", STOP, &header, "")).status;
        assert!(matches!(status, 200 | 400 | 403), "{status} with {name}");
        assert_eq!(scene.api.count() - passed, usize::from(status == 200), "{name}");
    }
    for received in scene.api.all() {
        let left: Vec<_> = received.headers.iter().filter(|(_, value)| value.contains("forged")).collect();
        assert!(left.is_empty(), "{left:?}");
        for (name, value) in [
            ("X-Hallpass-Account", &["maria@example.com"][..]),
            ("X-Hallpass-Role", &["owner"]),
            ("X-Hallpass-Teams", &[]),
            ("X-Forwarded-For", &["127.0.0.1"]),
        ] {
            assert_eq!(received.said(name), value, "{name}");
        }
        let connections = received.said("Connection").join(",").to_lowercase();
        assert!(matches!(connections.as_str(), "" | "close" | "keep-alive"), "{connections}");
    }
}

pub fn an_address_in_a_header_does_not_open_a_token_that_is_bound_to_one(kind: &Kind) {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(kind, &site, &owner);
    let bound = |owner: &Person<'_>, name, address| {
        owner.generate_from(&owner.token_form(name, &["control:stopenv"]).with(&[("ip_allow", address)]))
    };
    scene.value = bound(&owner, "elsewhere", "203.0.113.9");
    for forged in ["X-Forwarded-For: 203.0.113.9\r\n", "Forwarded: for=203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n"] {
        scene.expect_refused(&scene.request("POST", STOP, forged, ""));
    }
    scene.value = bound(&owner, "here", "127.0.0.1");
    scene.expect(200, &scene.request("POST", STOP, "X-Forwarded-For: 203.0.113.9, x\r\n", ""));
}

pub fn overrides_and_second_credentials_and_second_hosts_are_refused(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    let value = &scene.value;
    for more in [
        "X-HTTP-Method-Override: DELETE\r\n".into(),
        "X-HTTP-Method: DELETE\r\n".into(),
        "x-method-override: POST\r\n".into(),
        "X-Rewrite-URL: /x\r\n".into(),
        "X-Override-URL: /x\r\n".into(),
        format!("X-API-Key: {value}\r\n"),
        "X-API-Key: other\r\n".into(),
        format!("Authorization: Bearer {value}\r\n"),
        "Authorization: Basic bWFyaWE6eA==\r\n".into(),
    ] {
        scene.expect_refused(&scene.request("POST", STOP, &more, "a=b"));
    }
    let with = |credential: &str| {
        format!("POST {STOP} HTTP/1.1\r\nHost: api.test\r\n{credential}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    };
    scene.expect_refused(&with(&format!("X-API-Key: {value}\r\nX-API-Key: {value}")));
    // Not judged: it only has to be one.
    if scene.ask(&scene.request("POST", STOP, "Host: other.test\r\n", "")).status == 200 {
        assert_eq!(scene.api.last().all("Host"), ["api.test"]);
    }
    for alone in [format!("X-API-Key: {value}"), format!("Authorization: Token {value}")] {
        scene.expect(200, &with(&alone));
        let received = scene.api.last();
        assert!(received.said("X-API-Key").is_empty() && received.said("Authorization").is_empty(), "{alone}");
    }
}

pub fn a_body_reaches_the_api_whole_and_only_with_a_token_that_may(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    let large = "x".repeat(10 * 1024 * 1024);
    scene.expect(200, &scene.request("POST", STOP, "", &large));
    assert_eq!(scene.api.last().body, large.len() as u64);

    let chunked = |target: &str| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {}\r\n", scene.value);
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").into_bytes()
    };
    scene.expect(200, &chunked(STOP));
    assert_eq!(scene.api.last().body, 11);

    scene.expect(403, &scene.request("POST", START, "", &large));
    scene.expect(403, &chunked(START));
    assert_eq!(scene.api.count(), 2);

    // Two lengths: refused, or one of them is gone.
    let both = scene.request("POST", STOP, "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
    if scene.ask(&both).status == 200 {
        let received = scene.api.last();
        assert_eq!((received.all("Content-Length").len(), received.all("Transfer-Encoding").len()), (0, 1));
        assert_eq!(received.body, 5);
    }
}

pub fn one_connection_carries_passes_and_refusals_in_turn(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    let mut client = Client::of(scene.proxy.address);
    let nobody = format!("GET {STOP} HTTP/1.1\r\nHost: api.test\r\n\r\n").into_bytes();
    for turn in 0..5 {
        assert_eq!(client.ask(&scene.request("POST", STOP, "", "")).status, 200, "turn {turn}");
        assert_eq!(client.ask(&scene.request("POST", START, "", "")).status, 403, "turn {turn}");
        assert_eq!(client.ask(&nobody).status, 401, "turn {turn}");
    }
    assert_eq!(scene.api.count(), 5);
}

pub fn refusals_of_the_api_itself_pass_unchanged(kind: &Kind) {
    let site = Site::start();
    let scene = Scene::of(kind, &site, &site.owner());
    for status in [401, 403, 500] {
        let answer = scene.ask(&scene.post(&format!("{STOP}?answer={status}")));
        assert_eq!((answer.status, answer.body.as_str()), (status, "own"));
        assert_eq!(answer.all("WWW-Authenticate"), ["Own"]);
    }
}

/// One challenge and no more, with a problem as JSON.
fn refused_with(refused: &Reply, status: u16, challenge: &str) {
    assert_eq!((refused.status, refused.all("WWW-Authenticate")), (status, vec![challenge]));
    assert_eq!(refused.all("Cache-Control"), ["no-store"]);
    // Envoy sends none in the answer to a HEAD.
    let kind = if refused.body.is_empty() { &[] } else { &["application/problem+json"][..] };
    assert!(refused.all("Content-Type").starts_with(kind));
}

/// The same in the body and in the header.
fn reference(refused: &Reply) -> String {
    let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(problem["status"], refused.status);
    let reference = problem["reference"].as_str().unwrap().to_owned();
    assert_eq!(refused.all("X-Hallpass-Reference"), [reference.as_str()]);
    reference
}
