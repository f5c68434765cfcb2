//! The nginx configuration that the README prints, as printed: nginx runs it between a client that says whatever it
//! likes, byte by byte, and an API that writes down what reached it.

mod stage;

use crate::support::Site;
use stage::{Client, Reply, Scene};

/// Jelastic's manner: all is POST, under `/1.0`, on a host that stands for the reader's own.
const DESCRIPTION: &str = r#"{
  "openapi": "3.0.0",
  "info": { "title": "Environments", "version": "8.0" },
  "servers": [{ "url": "https://[api-host]/1.0/" }],
  "paths": {
    "/environment/control/rest/startenv": { "post": { "operationId": "startenv", "tags": ["control"], "responses": {} } },
    "/environment/control/rest/stopenv": { "post": { "operationId": "stopenv", "tags": ["control"], "responses": {} } },
    "/environment/file/rest/write": { "post": { "operationId": "write", "tags": ["file"], "responses": {} } }
  }
}"#;

const STOP: &str = "/1.0/environment/control/rest/stopenv";
const START: &str = "/1.0/environment/control/rest/startenv";
const CHALLENGE: &str = r#"Bearer realm="hallpass""#;

#[test]
fn a_named_method_passes_in_any_letter_case_and_the_api_learns_who_asks() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    for path in [STOP, "/1.0/Environment/Control/Rest/StopEnv", "/1.0/ENVIRONMENT/control/REST/st%6fpenv"] {
        let target = format!("{path}?envName=x&y=%2F..%2f");
        scene.expect(200, &scene.post(&target));
        let received = scene.api.last();
        assert_eq!(received.line, format!("POST {target} HTTP/1.1"));
        for (name, value) in [
            ("X-Hallpass-Account", &["maria@example.com"][..]),
            ("X-Hallpass-Account-Kind", &["person"]),
            ("X-Hallpass-Role", &["owner"]),
            ("X-Hallpass-Teams", &[]),
            ("X-Hallpass-Token-Name", &["stopper"]),
            ("X-Hallpass-Method", &["control:stopenv"]),
            ("X-Forwarded-For", &["127.0.0.1"]),
            ("Host", &["api.test"]),
            ("Authorization", &[]),
        ] {
            assert_eq!(received.all(name), value, "{name}");
        }
        assert_eq!(received.all("X-Hallpass-Token-Id").len(), 1);
    }
}

#[test]
fn another_method_is_refused_and_the_client_reads_the_scope_that_is_missing() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    let refused = scene.nginx.ask(&scene.post(START));
    let missing = format!(r#"{CHALLENGE}, error="insufficient_scope", scope="control:startenv""#);
    refused_with(&refused, 403, &missing);
    let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["reference"].as_str().unwrap().len(), 8, "{problem}");

    let unknown = format!(r#"{CHALLENGE}, error="insufficient_scope""#);
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let refused = scene.nginx.ask(&scene.request(method, STOP, "", ""));
        refused_with(&refused, 403, &unknown);
        assert_eq!(refused.body.is_empty(), method == "HEAD");
    }
    assert_eq!(scene.api.count(), 0);
}

#[test]
fn without_a_living_token_there_is_one_challenge() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    let (start, last) = scene.value.split_at(scene.value.len() - 1);
    let mistyped = format!("{start}{}", if last == "0" { "1" } else { "0" });
    let invalid = format!(r#"{CHALLENGE}, error="invalid_token""#);
    for (sent, challenge) in [
        (String::new(), CHALLENGE),
        ("Authorization: Basic bWFyaWE6eA==\r\n".into(), CHALLENGE),
        (format!("X_API_Key: {}\r\n", scene.value), CHALLENGE),
        (format!("Authorization: Bearer {mistyped}\r\n"), &invalid),
        ("Authorization: Bearer\r\n".into(), &invalid),
    ] {
        for method in ["POST", "HEAD"] {
            let request = format!("{method} {STOP} HTTP/1.1\r\nHost: api.test\r\n{sent}Content-Length: 0\r\n\r\n");
            let refused = scene.nginx.ask(request.as_bytes());
            refused_with(&refused, 401, challenge);
        }
    }
    assert_eq!(scene.api.count(), 0);
}

#[test]
fn a_removed_token_is_refused_at_the_very_next_request_of_the_same_connection() {
    let site = Site::start();
    let owner = site.owner();
    let scene = Scene::of(&site, &owner);
    let mut client = Client::of(scene.nginx.address);
    assert_eq!(client.ask(&scene.post(STOP)).status, 200);
    owner.remove("stopper");
    let refused = client.ask(&scene.post(STOP));
    let invalid = format!(r#"{CHALLENGE}, error="invalid_token""#);
    refused_with(&refused, 401, &invalid);
    assert_eq!(scene.api.count(), 1);
}

/// Ends of a good target, and what stands before one, that make it doubtful. None has a space.
const BEHIND: &str = r"/ // %2f %2F %00 %00.json ;x ;jsessionid=1 %3bx %3fx . %2e %20 + \ %5c #x ?a#b % %zz %c0%af %252f
    %0d%0aX:y é ?é /.. /../startenv /%2e%2e/startenv /..;/startenv /x/..%2f ?_method=DELETE ?x&%5fmethod=GET";
const BEFORE: &str = "/ // /. /x/.. /x/%2e%2e /%2e //api.test ? * x http://api.test? http://api.test/? http:// http:/";
const SIDEWAYS: &str = "/../stopenv /..%2fstopenv /%2e%2e%2fstopenv ?/../stopenv %23/../stopenv ;/../stopenv";

#[test]
fn a_target_that_two_programs_may_read_differently_never_reaches_the_api() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    let mut targets: Vec<_> = BEHIND.split_whitespace().map(|end| format!("{STOP}{end}")).collect();
    targets.extend(["\u{1}", "\u{7f}", " x", "\tx"].map(|end| format!("{STOP}{end}")));
    targets.extend(BEFORE.split_whitespace().map(|start| format!("{start}{STOP}")));
    targets.extend(SIDEWAYS.split_whitespace().map(|end| format!("{START}{end}")));
    let long = "a".repeat(9000);
    targets.extend([format!("{STOP}?{long}"), format!("/{long}"), STOP[1..].into(), "*".into()]);
    targets.extend([format!("http://api.test{START}"), "http://api.test".into()]);
    for target in targets {
        let status = scene.nginx.ask(&scene.post(&target)).status;
        assert!(matches!(status, 400 | 403 | 414), "{status} for {target}");
        assert_eq!(scene.api.count(), 0, "{target}");
    }
    scene.expect(200, &scene.post(STOP));
}

#[test]
fn an_absolute_target_is_judged_and_passed_on_as_its_path() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    for before in ["http://api.test", "HTTP://other.test", "https://api.test:99"] {
        scene.expect(200, &scene.post(&format!("{before}{STOP}?a=%2e")));
        assert_eq!(scene.api.last().line, format!("POST {STOP}?a=%2e HTTP/1.1"));
    }
}

#[test]
fn headers_that_name_another_request_do_not_move_the_decision() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    for forged in [
        format!("X-Original-URI: {STOP}\r\n"),
        format!("X-Original-URI: {START}\r\nx-original-uri: {STOP}\r\n"),
        format!("X-Original-URL: {STOP}\r\n"),
        format!("X-Forwarded-Method: POST\r\nX-Forwarded-Uri: {STOP}\r\n"),
        format!("X_Original_URI: {STOP}\r\n"),
        "Connection: X-Original-Method, X-Original-URI, Authorization\r\n".into(),
        "X-Forwarded-Host: other.test\r\n".into(),
    ] {
        scene.expect(403, &scene.request("POST", START, &forged, ""));
    }
    scene.expect(403, &scene.request("GET", STOP, "X-Original-Method: POST\r\n", ""));
    scene.expect(404, &scene.request("POST", "/_hallpass", "", ""));
    assert_eq!(scene.api.count(), 0);
}

const FORGED: &str = "X-Hallpass-Account x-hallpass-account X-Hallpass-Account-Kind X-HALLPASS-ROLE X-Hallpass-Teams
    X-Hallpass-Token-Id X-Hallpass-Token-Name X-Hallpass-Method X_Hallpass_Role X.Hallpass.Role X-Forwarded-For
    X-Forwarded-For X_Forwarded_For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Method X-Forwarded-Uri
    X-Forwarded-Prefix X-Original-Method X-Original-URI X-Original-URL X_Original_URL X-Real-IP Forwarded
    X_HTTP_Method_Override Upgrade";

#[test]
fn nothing_that_a_client_may_forge_reaches_the_api() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    let mut forged: String = FORGED.split_whitespace().map(|name| format!("{name}: forged\r\n")).collect();
    forged.push_str("Connection: Upgrade, X-Hallpass-Account, Authorization\r\nX-Custom: kept\r\n");
    scene.expect(200, &scene.request("POST", STOP, &forged, ""));
    let received = scene.api.last();
    let left: Vec<_> = received.headers.iter().filter(|(_, value)| value.contains("forged")).collect();
    assert!(left.is_empty(), "{left:?}");
    for (name, value) in [
        ("X-Hallpass-Account", &["maria@example.com"][..]),
        ("X-Hallpass-Role", &["owner"]),
        ("X-Hallpass-Teams", &[]),
        ("X-Forwarded-For", &["127.0.0.1"]),
        ("Connection", &["close"]),
        ("X-Custom", &["kept"]),
    ] {
        assert_eq!(received.all(name), value, "{name}");
    }
}

#[test]
fn an_address_in_a_header_does_not_open_a_token_that_is_bound_to_one() {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(&site, &owner);
    let bound = |name, address| owner.token_form(name, &["control:stopenv"]).with(&[("ip_allow", address)]);
    scene.value = owner.generate_from(&bound("elsewhere", "203.0.113.9"));
    for forged in ["X-Forwarded-For: 203.0.113.9\r\n", "Forwarded: for=203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n"] {
        scene.expect(403, &scene.request("POST", STOP, forged, ""));
    }
    scene.value = owner.generate_from(&bound("here", "127.0.0.1"));
    scene.expect(200, &scene.request("POST", STOP, "X-Forwarded-For: 203.0.113.9, x\r\n", ""));
}

#[test]
fn overrides_and_second_credentials_and_second_hosts_are_refused() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    let value = &scene.value;
    for (more, status) in [
        ("X-HTTP-Method-Override: DELETE\r\n".into(), &[403][..]),
        ("X-HTTP-Method: DELETE\r\n".into(), &[403]),
        ("x-method-override: POST\r\n".into(), &[403]),
        ("X-Rewrite-URL: /x\r\n".into(), &[403]),
        ("X-Override-URL: /x\r\n".into(), &[403]),
        (format!("X-API-Key: {value}\r\n"), &[403]),
        // nginx 1.22 answers this one itself.
        (format!("Authorization: Bearer {value}\r\n"), &[400, 403]),
        ("Host: other.test\r\n".into(), &[400]),
        ("Transfer-Encoding: chunked\r\n".into(), &[400]),
    ] {
        let answered = scene.nginx.ask(&scene.request("POST", STOP, &more, "a=b")).status;
        assert!(status.contains(&answered), "{answered} for {more}");
    }
    assert_eq!(scene.api.count(), 0);

    let alone = format!("POST {STOP} HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {value}\r\nContent-Length: 0\r\n\r\n");
    scene.expect(200, alone.as_bytes());
    assert!(scene.api.last().all("X-API-Key").is_empty());
}

#[test]
fn a_body_reaches_the_api_whole_and_only_with_a_token_that_may() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    let large = "x".repeat(10 * 1024 * 1024);
    scene.expect(200, &scene.request("POST", STOP, "", &large));
    assert_eq!(scene.api.last().body, large.len());

    let chunked = |target: &str| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {}\r\n", scene.value);
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").into_bytes()
    };
    scene.expect(200, &chunked(STOP));
    assert_eq!(scene.api.last().body, 11);

    scene.expect(403, &scene.request("POST", START, "", &large));
    scene.expect(403, &chunked(START));
    assert_eq!(scene.api.count(), 2);
}

#[test]
fn one_connection_carries_passes_and_refusals_in_turn() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    let mut client = Client::of(scene.nginx.address);
    let nobody = format!("GET {STOP} HTTP/1.1\r\nHost: api.test\r\n\r\n").into_bytes();
    for turn in 0..5 {
        assert_eq!(client.ask(&scene.request("POST", STOP, "", "a=b")).status, 200, "turn {turn}");
        assert_eq!(client.ask(&scene.request("POST", START, "", "a=b")).status, 403, "turn {turn}");
        assert_eq!(client.ask(&nobody).status, 401, "turn {turn}");
    }
    assert_eq!(scene.api.count(), 5);
}

#[test]
fn refusals_of_the_api_itself_pass_unchanged() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    for status in [401, 403, 500] {
        let answer = scene.nginx.ask(&scene.post(&format!("{STOP}?answer={status}")));
        assert_eq!((answer.status, answer.body.as_str()), (status, "own"));
        assert_eq!(answer.all("WWW-Authenticate"), ["Own"]);
    }
}

#[test]
fn a_token_over_its_rate_is_told_when_to_come_back() {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(&site, &owner);
    let form = owner.token_form("rare", &["control:stopenv"]).with(&[("rate_per_minute", "1")]);
    scene.value = owner.generate_from(&form);
    scene.expect(200, &scene.post(STOP));
    let refused = scene.nginx.ask(&scene.post(STOP));
    assert_eq!((refused.status, refused.all("WWW-Authenticate")), (429, vec![]));
    let wait: u32 = refused.all("Retry-After")[0].parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(scene.api.count(), 1);
}

#[test]
fn without_hallpass_nothing_passes() {
    let site = Site::start();
    let scene = Scene::of(&site, &site.owner());
    scene.expect(200, &scene.post(STOP));
    drop(site);
    scene.expect(500, &scene.post(STOP));
    scene.expect(500, &scene.request("GET", "/", "", ""));
    assert_eq!(scene.api.count(), 1);
}

/// One challenge and no more, with a problem as JSON.
fn refused_with(refused: &Reply, status: u16, challenge: &str) {
    assert_eq!((refused.status, refused.all("WWW-Authenticate")), (status, vec![challenge]));
    assert_eq!(refused.all("Content-Type"), ["application/problem+json"]);
}
