//! Forward auth from outside: headers, credentials, answers, and what changes reach it.

use chrono::TimeDelta;
use hallpass::policy::Policy;
use hallpass::types::Role;

use crate::support::{Answer, PASSWORD, Site, ZONES};

fn challenge(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("www-authenticate"))
}

#[test]
fn a_pass_names_account_token_and_method_in_seven_headers() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci – déploy", &["zones:readZone"]);
    let pass = site.verify(&value, "GET", "/api/v1/zones/example.org");
    assert_eq!(pass.status, 200);
    for (name, expected) in [
        ("x-hallpass-account", "maria@example.com"),
        ("x-hallpass-account-kind", "person"),
        ("x-hallpass-role", "owner"),
        ("x-hallpass-teams", ""),
        ("x-hallpass-token-name", "ci %E2%80%93 d%C3%A9ploy"),
        ("x-hallpass-method", "zones:readZone"),
        ("cache-control", "no-store"),
    ] {
        assert!(pass.headers.iter().any(|(of, value)| of == name && value == expected), "{name}: {:?}", pass.headers);
    }
    assert_eq!(pass.header("x-hallpass-token-id"), maria.id_of("ci – déploy"));
    assert_eq!(pass.body, "");
}

#[test]
fn without_a_credential_there_is_a_challenge_without_an_error() {
    let site = Site::start();
    site.owner_with_zones();
    let answer = site.ask("/verify", &[("X-Original-Method", "GET"), ("X-Original-URI", "/api/v1/zones")]);
    assert_eq!(challenge(&answer), (401, "Bearer realm=\"hallpass\""));
}

#[test]
fn unknown_expired_removed_and_frozen_get_the_same_answer() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    site.person("boss@example.com", Role::Owner);
    let expired = maria.generate_from(&maria.token_form("expired", &["zones:listZones"]).with(&[("lifetime", "7")]));
    let removed = maria.generate("removed", &["zones:listZones"]);
    maria.remove("removed");
    let frozen = site.person("jan@example.com", Role::Contributor).generate("frozen", &["zones:listZones"]);
    assert_eq!(site.verify(&frozen, "GET", "/api/v1/zones").status, 200);
    site.app
        .write_now(|tx| {
            let jan = hallpass::account::by_email(tx.conn, "jan@example.com")?.unwrap();
            hallpass::account::disable(tx, &hallpass::actor::Actor::operator(), &jan.id)
        })
        .unwrap();
    site.pass(TimeDelta::days(8));
    let unknown = format!("hp_{}", "0".repeat(42));
    let bodies: Vec<_> = [expired.as_str(), &removed, &frozen, &unknown, "hp_x", ""]
        .map(|value| {
            let answer = site.verify(value, "GET", "/api/v1/zones");
            assert_eq!(challenge(&answer), (401, "Bearer realm=\"hallpass\", error=\"invalid_token\""), "{value:.8}");
            answer.body
        })
        .into();
    assert!(bodies.windows(2).all(|two| two[0] == two[1]));
}

#[test]
fn a_refusal_names_the_scope_that_is_missing_and_a_reference() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let refused = site.verify(&value, "DELETE", "/api/v1/zones/example.org");
    assert_eq!(
        challenge(&refused),
        (403, "Bearer realm=\"hallpass\", error=\"insufficient_scope\", scope=\"zones:deleteZone\"")
    );
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let problem = refused.json();
    assert_eq!((problem["status"].as_u64(), problem["title"].as_str()), (Some(403), Some("Forbidden")));
    assert_eq!(problem["reference"].as_str().unwrap().len(), 8);
    for (method, uri) in
        [("GET", "/api/v1/nothing"), ("PUT", "/api/v1/zones"), ("GET", "/zones"), ("get", "/api/v1/zones")]
    {
        let unknown = site.verify(&value, method, uri);
        assert_eq!(
            challenge(&unknown),
            (403, "Bearer realm=\"hallpass\", error=\"insufficient_scope\""),
            "{method} {uri}"
        );
    }
}

#[test]
fn a_path_that_two_programs_could_read_differently_is_refused() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate_from(&maria.token_form("all", &[]).with(&[("set", "full-access")]));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones/a%41b").status, 200);
    for uri in [
        "/api/v1/zones/..%2fadmin",
        "/api/v1/zones/../zones",
        "/api/v1/./zones",
        "/api/v1//zones",
        "//api/v1/zones",
        "/api/v1/zones/",
        "/api/v1/zones/a%20b",
        "/api/v1/zones/a%00b",
        "/api/v1/zones/a%2fb",
        "/api/v1/zones/a%5cb",
        "/api/v1/zones/a%25b",
        "/api/v1/zones/a;b",
        "/api/v1/zones/a%3bb",
        "/api/v1/zones/%2e%2e",
        "/api/v1/zones/a.",
        "/api/v1/zones/%",
        "/api/v1/zones/%zz",
        "/api/v1/zones/%c3%a9",
        "http://x/api/v1/zones",
        "*",
        "api/v1/zones",
        "/api/v1/zones#x",
        "/api/v1/zones\\x",
        "/API/v1/zones",
        "/api/v1/zones%3fx",
        "",
    ] {
        assert_eq!(site.verify(&value, "GET", uri).status, 403, "{uri}");
    }
    let long = format!("/api/v1/zones/{}", "a".repeat(9000));
    assert_eq!(site.verify(&value, "GET", &long).status, 403);
}

#[test]
fn the_question_has_to_be_asked_in_one_way() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let bearer = format!("Bearer {value}");
    let status = |headers: &[(&str, &str)]| {
        let with = [headers, &[("Authorization", bearer.as_str())]].concat();
        site.ask("/verify", &with).status
    };
    let original = [("X-Original-Method", "GET"), ("X-Original-URI", "/api/v1/zones")];
    let forwarded = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/api/v1/zones")];
    assert_eq!(status(&original), 200);
    assert_eq!(status(&forwarded), 200);
    assert_eq!(status(&[original, forwarded].concat()), 200);
    assert_eq!(status(&[]), 403, "nothing is no question");
    assert_eq!(status(&original[..1]), 403);
    assert_eq!(status(&original[1..]), 403);
    assert_eq!(status(&[original[0], original[1], ("X-Forwarded-Method", "POST"), forwarded[1]]), 403);
    assert_eq!(status(&[original[0], original[1], ("X-Original-URI", "/api/v1/zones")]), 403, "doubled");
    assert_eq!(status(&[original[0], original[1], ("X_Original_URI", "/x")]), 403, "an underscore twin");
    assert_eq!(status(&[original[0], original[1], ("X-HTTP-Method-Override", "DELETE")]), 403);
}

#[test]
fn exactly_one_credential_counts_however_it_is_sent() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let status = |headers: &[(&str, &str)]| {
        let with = [&[("X-Original-Method", "GET"), ("X-Original-URI", "/api/v1/zones")], headers].concat();
        site.ask("/verify", &with).status
    };
    let (bearer, token) = (format!("Bearer {value}"), format!("Token {value}"));
    assert_eq!(status(&[("Authorization", &bearer)]), 200);
    assert_eq!(status(&[("Authorization", &token)]), 200);
    assert_eq!(status(&[("X-API-Key", &value)]), 200);
    assert_eq!(status(&[("Authorization", "Basic bWFyaWE6eA==")]), 401);
    assert_eq!(status(&[("Authorization", &bearer), ("X-API-Key", &value)]), 403);
    assert_eq!(status(&[("Authorization", &bearer), ("Authorization", &bearer)]), 403);
    let in_query = site.ask(
        "/verify",
        &[("X-Original-Method", "GET"), ("X-Original-URI", &format!("/api/v1/zones?access_token={value}"))],
    );
    assert_eq!(in_query.status, 401, "in the query only where the policy allows it");
}

#[test]
fn in_the_query_a_value_counts_only_where_the_policy_allows_it() {
    let site = Site::with(Policy { value_in_query: true, ..Policy::default() });
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let pass = site.verify(&value, "GET", "/api/v1/zones?a=%20b");
    assert_eq!(pass.header("x-hallpass-target"), "/api/v1/zones?a=%20b");
    for name in ["access_token", "session"] {
        let uri = format!("/api/v1/zones?a=b&{name}={value}");
        let pass = site.ask("/verify", &[("X-Original-Method", "GET"), ("X-Original-URI", &uri)]);
        assert_eq!(
            (pass.status, pass.header("x-hallpass-target")),
            (200, "/api/v1/zones?a=b"),
            "for the API, without it"
        );
        assert_eq!(site.verify(&value, "GET", &uri).status, 403, "two credentials");
    }
}

#[test]
fn the_api_is_named_or_found_by_its_host_or_the_only_one() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.import("other", &ZONES.replace("dns.example.org", "other.example.org"), &[]);
    let value = maria.generate("ci", &["pdns/zones:listZones"]);
    let bearer = format!("Bearer {value}");
    let base = [("X-Original-Method", "GET"), ("X-Original-URI", "/api/v1/zones"), ("Authorization", bearer.as_str())];
    let status = |path: &str, host: &str| {
        let headers = if host.is_empty() { base.to_vec() } else { [&base[..], &[("X-Forwarded-Host", host)]].concat() };
        site.ask(path, &headers).status
    };
    assert_eq!(status("/verify?api=pdns", ""), 200);
    assert_eq!(status("/verify?api=other", ""), 403);
    assert_eq!(status("/verify?api=none", ""), 403);
    assert_eq!(status("/verify?api=pdns&api=other", ""), 403);
    assert_eq!(status("/verify", "DNS.example.org"), 200);
    assert_eq!(status("/verify", "dns.example.org:443"), 200);
    assert_eq!(status("/verify", "other.example.org"), 403);
    assert_eq!(status("/verify", "unknown.example.org"), 403);
    assert_eq!(status("/verify", ""), 403, "with two APIs and no name it is neither");
    let pass = site.ask("/verify?api=pdns", &base);
    assert_eq!(pass.header("x-hallpass-method"), "pdns/zones:listZones", "with two APIs the name says which");
}

#[test]
fn behind_the_prefix_the_request_line_is_the_question() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let bearer = format!("Bearer {value}");
    assert_eq!(site.ask("/verify/direct/api/v1/zones?x=1", &[("Authorization", &bearer)]).status, 200);
    assert_eq!(site.ask("/verify/direct/api/v1/zones/a", &[("Authorization", &bearer)]).status, 403);
    assert_eq!(
        site.ask("/verify/direct/api/v1/zones", &[("Authorization", &bearer), ("X-Original-URI", "/x")]).status,
        403
    );
}

#[test]
fn an_allow_list_an_address_list_and_a_rate_narrow_a_token() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let scopes = ["zones:readZone", "zones:listZones"];
    let listed = maria.generate_from(&maria.token_form("listed", &scopes).with(&[("allow", "zones:example.org")]));
    assert_eq!(site.verify(&listed, "GET", "/api/v1/zones/example.org").status, 200);
    assert_eq!(site.verify(&listed, "GET", "/api/v1/zones/example.com").status, 403);

    let near =
        maria.generate_from(&maria.token_form("near", &scopes).with(&[("ip_allow", "10.4.0.0/16\n2001:db8::/32")]));
    let bearer = format!("Bearer {near}");
    let from = |address: &str| {
        let base =
            [("X-Original-Method", "GET"), ("X-Original-URI", "/api/v1/zones"), ("Authorization", bearer.as_str())];
        let headers =
            if address.is_empty() { base.to_vec() } else { [&base[..], &[("X-Forwarded-For", address)]].concat() };
        site.ask("/verify", &headers).status
    };
    assert_eq!([from("10.4.9.9"), from("2001:db8::7"), from("::ffff:10.4.0.1")], [200, 200, 200]);
    assert_eq!([from("10.5.0.1"), from("10.4.0.1, 203.0.113.9"), from("nobody"), from("")], [403, 403, 403, 403]);

    let slow = maria.generate_from(&maria.token_form("slow", &scopes).with(&[("rate_per_minute", "2")]));
    assert_eq!([0, 1].map(|_| site.verify(&slow, "GET", "/api/v1/zones").status), [200, 200]);
    let over = site.verify(&slow, "GET", "/api/v1/zones");
    assert_eq!(over.status, 429);
    assert!((1..=30).contains(&over.header("retry-after").parse::<u64>().unwrap()));
    let for_nginx = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/api/v1/zones"),
        ("Authorization", &format!("Bearer {slow}")),
    ];
    assert_eq!(site.ask("/verify?deny=403", &for_nginx).status, 403);
}

#[test]
fn who_is_no_trusted_proxy_is_refused() {
    // The test's own address is loopback, which is trusted by default: a site that trusts another network refuses it.
    let settings = hallpass::config::Settings {
        config: Some("/dev/null".into()),
        listen: Some("127.0.0.1:0".into()),
        trusted_proxies: Some("10.0.0.0/8".into()),
        ..Default::default()
    };
    let site = Site::configured(Policy::default(), settings.complete().unwrap());
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 403);
}

#[test]
fn last_use_is_written_in_batches_and_shown_with_its_address() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let headers = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/api/v1/zones"),
        ("Authorization", &format!("Bearer {value}")),
        ("X-Forwarded-For", "203.0.113.9"),
        ("User-Agent", "curl/8"),
    ];
    site.ask("/verify", &headers);
    assert!(site.texts("SELECT ip AS text FROM uses").is_empty(), "not in the request");
    hallpass::jobs::flush_usage(&site.app).unwrap();
    assert_eq!(site.texts("SELECT ip AS text FROM uses"), ["203.0.113.9"]);
    assert_eq!(site.texts("SELECT agent AS text FROM uses"), ["curl/8"]);
    site.pass(TimeDelta::minutes(4));
    assert!(maria.get("/settings/tokens").text().contains("4 min ago"));
    site.ask("/verify", &headers);
    hallpass::jobs::flush_usage(&site.app).unwrap();
    assert!(maria.get("/settings/tokens").text().contains("just now"));
}

#[test]
fn another_process_on_the_same_database_follows_each_change() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let other = site.beside();
    assert_eq!(other.verify(&value, "GET", "/api/v1/zones").status, 200, "it reads everything at its start");
    let later = maria.generate("later", &["zones:listZones"]);
    maria.remove("ci");
    other.app.follow().unwrap();
    assert_eq!(other.verify(&later, "GET", "/api/v1/zones").status, 200);
    assert_eq!(other.verify(&value, "GET", "/api/v1/zones").status, 401);
    let form = maria.get("/admin/apis/pdns").form("/admin/apis/pdns/remove");
    let page = maria.post("/admin/apis/pdns/remove", &form);
    assert_eq!(maria.confirm(&page, "/admin/apis/pdns/remove").status, 303);
    other.app.follow().unwrap();
    assert_eq!(other.verify(&later, "GET", "/api/v1/zones").status, 403);
    let there = other.visitor();
    assert_eq!(there.sign_in("maria@example.com", PASSWORD).status, 303);
}

#[test]
fn right_after_a_start_a_token_that_is_not_in_memory_yet_is_looked_up() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let values = ["ci", "narrow", "gone", "off", "late"].map(|name| maria.generate(name, &["zones:listZones"]));
    maria.remove("gone");
    site.sql("UPDATE tokens SET enabled = FALSE WHERE name = 'off'");
    let other = site.beside_unfilled();
    let of = |nth: usize| other.verify(&values[nth], "GET", "/api/v1/zones").status;
    let elsewhere = Site::on_sqlite();
    let foreign = elsewhere.owner_with_zones().generate("ci", &["zones:listZones"]);
    assert_eq!((of(0), of(2), of(3)), (200, 401, 401));
    assert_eq!(other.verify(&foreign, "GET", "/api/v1/zones").status, 401);
    assert_eq!(other.verify(&values[1], "DELETE", "/api/v1/zones/1").status, 403);
    maria.remove("narrow");
    other.app.follow().unwrap();
    assert_eq!((of(0), of(1)), (200, 401), "a change is heard of as ever");
    let rename = |from: &str, to: &str| site.sql(&format!("ALTER TABLE {from} RENAME TO {to}"));
    rename("generations", "elsewhere");
    assert_eq!((of(0), of(4)), (200, 503), "in memory, and not to be known");
    rename("elsewhere", "generations");
    assert_eq!(of(4), 200);
    let gauge = |site: &Site| {
        let page = site.ask("/metrics", &[]).body;
        page.lines().find_map(|line| line.strip_prefix("hallpass_index_whole ")).map(str::to_owned)
    };
    assert_eq!(gauge(&other).as_deref(), Some("0"));
    other.app.fill().unwrap();
    assert_eq!(gauge(&other).as_deref(), Some("1"));
    rename("generations", "elsewhere");
    assert_eq!((of(0), of(1), of(2), of(4)), (200, 401, 401, 200), "nobody asks the database any more");
    rename("elsewhere", "generations");
}

#[test]
fn on_a_shared_database_verification_refuses_once_it_has_heard_nothing_for_too_long() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    site.app.follow().unwrap();
    site.pass_unheard(TimeDelta::seconds(5));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    site.pass_unheard(TimeDelta::milliseconds(1));
    // SQLite is this process's own; a PostgreSQL database is shared.
    let expected = if site.app.db.is_shared() { 503 } else { 200 };
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, expected);
    assert_eq!(site.ask("/readyz", &[]).status, expected);
    assert_eq!(site.ask("/healthz", &[]).status, 200);
    site.app.follow().unwrap();
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
}

#[test]
fn a_slip_in_the_resource_option_does_not_open_an_allow_list() {
    for line in ["zones zoneid", "zones ?zone_id", "zones zone_id"] {
        let site = Site::start();
        let maria = site.owner();
        maria.import("pdns", ZONES, &[("resources", line)]);
        let form = maria.token_form("listed", &["zones:readZone"]).with(&[("allow", "zones:example.org")]);
        let value = maria.generate_from(&form);
        assert_eq!(site.verify(&value, "GET", "/api/v1/zones/example.org").status, 200, "{line}");
        assert_eq!(site.verify(&value, "GET", "/api/v1/zones/other.org").status, 403, "{line}");
        assert_eq!(site.verify(&value, "GET", "/api/v1/zones/other.org?zone_id=example.org").status, 403, "{line}");
    }
}

#[test]
fn a_resource_in_the_query_binds_even_when_the_description_forgets_it() {
    let site = Site::start();
    let maria = site.owner();
    maria.import("pdns", ZONES, &[("resources", "search ?q")]);
    let form = maria.token_form("listed", &["search:search"]).with(&[("allow", "search:mine")]);
    let value = maria.generate_from(&form);
    let status = |query: &str| site.verify(&value, "GET", &format!("/api/v1/search{query}")).status;
    assert_eq!((status("?q=mine"), status("?q=other"), status("")), (200, 403, 403));
    let forgetful = ZONES.replace(
        "\"parameters\": [{ \"name\": \"q\", \"in\": \"query\", \"schema\": { \"type\": \"string\" } }]",
        "\"deprecated\": true",
    );
    assert_ne!(forgetful, ZONES);
    let form = maria.get("/admin/apis/pdns/import").form("/admin/apis/pdns/import");
    let page = maria.upload("/admin/apis/pdns/import", &form, forgetful.as_bytes());
    assert!(page.text().contains("No method has the parameter of the resource line"), "{}", page.text());
    assert_eq!(maria.confirm(&page, "/admin/apis/import").status, 303);
    assert_eq!((status("?q=mine"), status("?q=other"), status("")), (200, 403, 403));
}

#[test]
fn hosts_that_an_operator_set_bind_even_for_the_only_api() {
    let site = Site::start();
    let maria = site.owner();
    maria.import("pdns", ZONES, &[("hosts", "b.example")]);
    let value = maria.generate("ci", &["zones:listZones"]);
    let bearer = format!("Bearer {value}");
    let base = [("X-Original-Method", "GET"), ("X-Original-URI", "/api/v1/zones"), ("Authorization", bearer.as_str())];
    assert_eq!(site.ask("/verify", &base).status, 200);
    assert_eq!(site.ask("/verify", &[&base[..], &[("X-Forwarded-Host", "b.example")]].concat()).status, 200);
    assert_eq!(site.ask("/verify", &[&base[..], &[("X-Forwarded-Host", "a.example")]].concat()).status, 403);
}

#[test]
fn a_method_that_a_program_may_read_out_of_the_query_is_refused() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    for query in [
        "_method=DELETE",
        ".method=DELETE",
        "%2Emethod=DELETE",
        "+.method=DELETE",
        "a=1;.method=DELETE",
        "_method%00=DELETE",
        "_METHOD[]=DELETE",
    ] {
        assert_eq!(site.verify(&value, "GET", &format!("/api/v1/zones?{query}")).status, 403, "{query}");
    }
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones?method=x&a.method=y").status, 200);
}
