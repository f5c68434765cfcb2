//! Each rule for headers and credentials, with what a client could add to what the proxy says.

use proptest::prelude::*;

use super::*;

type Header<'a> = (&'a str, &'a str);

fn bytes<'a>(headers: &[Header<'a>]) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone {
    headers.iter().map(|(name, value)| (*name, value.as_bytes()))
}

fn verify<'a>(headers: &[Header<'a>]) -> Result<Asked<'a>, Refused> {
    forwarded(bytes(headers))
}

fn with<'a>(more: &[Header<'a>]) -> Vec<(&'a str, &'a str)> {
    [&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/a?b=c")], more].concat()
}

const ASKED: Asked<'static> = Asked { http_method: "GET", target: "/a?b=c", host: None };

#[test]
fn either_family_of_headers_names_the_request() {
    assert_eq!(verify(&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/a?b=c")]), Ok(ASKED));
    assert_eq!(verify(&[("x-original-uri", "/a?b=c"), ("x-original-method", "GET")]), Ok(ASKED));
    assert_eq!(verify(&[("x-original-method", "GET"), ("x-original-url", "/a?b=c")]), Ok(ASKED));
    assert_eq!(verify(&[("X-Original-METHOD", "GET"), ("X-Original-Url", "/a?b=c")]), Ok(ASKED));
    assert_eq!(
        verify(&with(&[("accept", "*/*"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "x")])),
        Ok(ASKED)
    );
}

#[test]
fn no_family_is_refused_and_no_method_is_assumed() {
    assert_eq!(verify(&[]), Err(Refused::Unnamed));
    assert_eq!(verify(&[("host", "a"), ("x-forwarded-host", "a")]), Err(Refused::Unnamed));
    for half in ["x-forwarded-method", "x-forwarded-uri", "x-original-method", "x-original-uri", "x-original-url"] {
        let value = if half.ends_with("method") { "GET" } else { "/a" };
        assert!(matches!(verify(&[(half, value)]), Err(Refused::Half(..))), "{half}");
    }
}

#[test]
fn a_half_family_beside_a_whole_one_is_refused() {
    for half in ["x-original-method", "x-original-uri", "x-original-url"] {
        let value = if half.ends_with("method") { "GET" } else { "/a?b=c" };
        assert!(matches!(verify(&with(&[(half, value)])), Err(Refused::Half(..))), "{half}");
    }
    let nginx = [("x-original-method", "GET"), ("x-original-uri", "/a")];
    assert!(matches!(verify(&[&nginx[..], &[("x-forwarded-uri", "/a")]].concat()), Err(Refused::Half(..))));
    assert!(matches!(
        verify(&[("x-forwarded-method", "GET"), ("x-original-uri", "/a")]),
        Err(Refused::Half(FORWARDED_METHOD, FORWARDED_URI))
    ));
}

#[test]
fn both_families_pass_only_where_they_agree_to_the_byte() {
    assert_eq!(verify(&with(&[("x-original-method", "GET"), ("x-original-uri", "/a?b=c")])), Ok(ASKED));
    for (method, uri) in [("GET", "/a"), ("GET", "/A?b=c"), ("GET", "/%61?b=c"), ("get", "/a?b=c"), ("POST", "/a?b=c")]
    {
        let asked = with(&[("x-original-method", method), ("x-original-uri", uri)]);
        assert_eq!(verify(&asked), Err(Refused::Contradiction), "{method} {uri}");
    }
}

#[test]
fn both_spellings_of_the_original_address_must_agree() {
    let both = |uri, url| [("x-original-method", "GET"), ("x-original-uri", uri), ("x-original-url", url)];
    assert_eq!(verify(&both("/a?b=c", "/a?b=c")), Ok(ASKED));
    assert_eq!(verify(&both("/a?b=c", "/a")), Err(Refused::Contradiction));
    assert_eq!(verify(&both("/a", "http://host/a")), Err(Refused::Contradiction));
}

#[test]
fn a_doubled_header_is_refused_even_where_both_values_are_the_same() {
    for name in ["x-forwarded-method", "x-forwarded-uri", "X-Forwarded-Uri"] {
        let value = if name.ends_with("method") { "GET" } else { "/a?b=c" };
        assert!(matches!(verify(&with(&[(name, value)])), Err(Refused::Doubled(_))), "{name}");
    }
    let host = [("x-forwarded-host", "a"), ("x-forwarded-host", "a")];
    assert_eq!(verify(&with(&host)), Err(Refused::Doubled(FORWARDED_HOST)));
    let uris = [("x-original-method", "GET"), ("x-original-uri", "/a"), ("x-original-uri", "/a")];
    assert_eq!(verify(&uris), Err(Refused::Doubled(ORIGINAL_URI)));
    let methods = [("x-original-method", "GET"), ("x-original-method", "GET"), ("x-original-url", "/a")];
    assert_eq!(verify(&methods), Err(Refused::Doubled(ORIGINAL_METHOD)));
}

#[test]
fn a_name_that_is_ours_to_a_program_that_reads_signs_alike_is_refused() {
    for name in [
        "x_forwarded_uri",
        "X_Forwarded_Uri",
        "x-forwarded_uri",
        "x_forwarded-method",
        "x_original-method",
        "X-Original_URI",
        "x_original_url",
        "x_forwarded_host",
        "x.forwarded.uri",
        "x~forwarded-uri",
        "x_hallpass_role",
        "x-hallpass_account",
        "X_Hallpass-Account-Kind",
        "x-hallpass-token_id",
    ] {
        assert!(matches!(verify(&with(&[(name, "/a?b=c")])), Err(Refused::Disguised(_))), "{name}");
        assert!(matches!(verify(&[(name, "GET")]), Err(Refused::Disguised(_))), "{name}");
    }
    for name in ["x-forwarded-uris", "xforwardeduri", "x-hallpass-role", "x_hallpas_role", "x_request_id", "x-é"] {
        assert_eq!(verify(&with(&[(name, "/a")])), Ok(ASKED), "{name}");
    }
}

#[test]
fn a_header_that_would_change_the_request_behind_the_proxy_is_refused() {
    for name in [
        "x-http-method-override",
        "X-HTTP-Method-Override",
        "x-http-method",
        "x-method-override",
        "x_http_method_override",
        "x-http_method",
        "x_method-override",
        "x.method.override",
        "x-rewrite-url",
        "x_rewrite_url",
        "x-override-url",
    ] {
        assert!(matches!(verify(&with(&[(name, "GET")])), Err(Refused::Override(_))), "{name}");
        let direct = straight("GET", "/verify/direct/a", &[(name, "")]);
        assert!(matches!(direct, Err(Refused::Override(_))), "{name}");
    }
}

#[test]
fn a_method_is_one_token_in_the_bytes_in_which_it_came() {
    fn method(method: &str) -> Result<&str, Refused> {
        verify(&[("x-forwarded-method", method), ("x-forwarded-uri", "/a")]).map(|asked| asked.http_method)
    }
    let longest = "A".repeat(32);
    for good in ["GET", "get", "PROPFIND", "M-SEARCH", "x!#$%&'*+-.^_`|~9", longest.as_str()] {
        assert_eq!(method(good), Ok(good));
    }
    let longer = "A".repeat(33);
    for bad in [
        "",
        " ",
        "GET ",
        " GET",
        "GET\t",
        "GET,POST",
        "GET, GET",
        "GET POST",
        "GET/",
        "GET:",
        "GET\0",
        "GET\r\n",
        "GÉT",
        "(GET)",
        "\"GET\"",
        "GET;",
        "{GET}",
        longer.as_str(),
    ] {
        assert_eq!(method(bad), Err(Refused::Method), "{bad:?}");
    }
}

#[test]
fn a_target_is_visible_ascii_and_is_handed_on_as_it_is() {
    let target = |target: &'static [u8]| {
        let headers = [("x-forwarded-method", b"GET".as_slice()), ("x-forwarded-uri", target)];
        forwarded(headers.into_iter()).map(|asked| asked.target)
    };
    for good in ["/a", "/a//../%2f;?b#c", "http://host/a", "*", "a,b"] {
        assert_eq!(target(good.as_bytes()), Ok(good));
    }
    for bad in [
        b"".as_slice(),
        b" /a",
        b"/a ",
        b"\t/a",
        b"/a\t",
        b"/a, /b",
        b"/a b",
        b"/a\0",
        b"/a\r\n b",
        b"/a\n\t/b",
        b"/\x7f",
        b"/\xc3\xa9",
        b"/\xff",
    ] {
        assert_eq!(target(bad), Err(Refused::Target), "{}", bad.escape_ascii());
    }
}

#[test]
fn a_forwarded_host_is_one_host_or_none() {
    for good in ["api.example.org", "API.example.org:8443", "127.0.0.1", "[::1]:80", "a_b"] {
        assert_eq!(verify(&with(&[("x-forwarded-host", good)])).map(|asked| asked.host), Ok(Some(good)));
    }
    let longer = "a".repeat(LONGEST_HOST + 1);
    for bad in [
        "",
        " ",
        "a, b",
        "a,b",
        "a b",
        "a ",
        "a/b",
        "http://a",
        "user@a",
        "a?b",
        "a#b",
        "a\\b",
        "a%2eb",
        "é",
        "a\0",
        "a\tb",
        "*",
        longer.as_str(),
    ] {
        assert_eq!(verify(&with(&[("x-forwarded-host", bad)])), Err(Refused::Host), "{bad:?}");
    }
}

fn straight<'a>(http_method: &'a str, target: &'a str, headers: &[Header<'a>]) -> Result<Asked<'a>, Refused> {
    direct(http_method, target, "/verify/direct", bytes(headers))
}

#[test]
fn a_direct_request_is_the_request_line_without_the_prefix() {
    assert_eq!(straight("GET", "/verify/direct/a?b=c", &[]), Ok(ASKED));
    let with_host = straight("GET", "/verify/direct/a?b=c", &[("x-forwarded-host", "a")]);
    assert_eq!(with_host, Ok(Asked { host: Some("a"), ..ASKED }));
    assert_eq!(straight("GET", "/verify/direct//a", &[]).map(|asked| asked.target), Ok("//a"));
    assert_eq!(
        straight("GET", "/verify/direct/verify/direct/a", &[]).map(|asked| asked.target),
        Ok("/verify/direct/a")
    );
    for other in [
        "/verify/direct",
        "/verify/directory",
        "/verify/direct?a",
        "/verify",
        "/Verify/direct/a",
        "x/verify/direct/a",
        "",
    ] {
        assert_eq!(straight("GET", other, &[]), Err(Refused::NotDirect), "{other}");
    }
    assert_eq!(straight("G T", "/verify/direct/a", &[]), Err(Refused::Method));
    assert_eq!(straight("GET", "/verify/direct/a b", &[]), Err(Refused::Target));
}

#[test]
fn headers_beside_a_direct_request_have_to_agree_with_it() {
    let agreeing = [
        ("x-forwarded-method", "GET"),
        ("x-original-method", "GET"),
        ("x-forwarded-uri", "/a?b=c"),
        ("x-original-uri", "/a?b=c"),
        ("x-original-url", "/a?b=c"),
    ];
    assert_eq!(straight("GET", "/verify/direct/a?b=c", &agreeing), Ok(ASKED));
    for (name, value) in agreeing {
        let other = if value == "GET" { "POST" } else { "/a" };
        assert_eq!(straight("GET", "/verify/direct/a?b=c", &[(name, other)]), Err(Refused::Contradiction), "{name}");
        let twice = [(name, value), (name, value)];
        assert!(matches!(straight("GET", "/verify/direct/a?b=c", &twice), Err(Refused::Doubled(_))), "{name}");
    }
    assert!(matches!(straight("GET", "/verify/direct/a", &[("x_forwarded_uri", "/a")]), Err(Refused::Disguised(_))));
}

fn one(value: &str) -> Result<Credential<'_>, Refused> {
    Ok(Credential::One(Cow::Borrowed(value)))
}

fn sent<'a>(headers: &[Header<'a>]) -> Result<Credential<'a>, Refused> {
    credential(bytes(headers), None, false)
}

#[test]
fn a_credential_comes_as_bearer_as_token_or_as_api_key() {
    assert_eq!(sent(&[("authorization", "Bearer hp_1")]), one("hp_1"));
    assert_eq!(sent(&[("Authorization", "bEARER hp_1")]), one("hp_1"));
    assert_eq!(sent(&[("authorization", "Token hp_1")]), one("hp_1"));
    assert_eq!(sent(&[("authorization", "token  hp_1 ")]), one("hp_1"));
    assert_eq!(sent(&[("x-api-key", "hp_1")]), one("hp_1"));
    assert_eq!(sent(&[("cookie", "session=hp_1"), ("proxy-authorization", "Bearer hp_1")]), Ok(Credential::None));
    assert_eq!(sent(&[]), Ok(Credential::None));
}

#[test]
fn an_empty_value_is_a_credential_that_nobody_knows() {
    for headers in [
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "Token")],
        [("x-api-key", "")],
    ] {
        assert_eq!(sent(&headers), one(""), "{headers:?}");
    }
}

#[test]
fn another_scheme_alone_is_no_credential() {
    for value in [
        "Basic aDpw",
        "Digest username=\"a\", realm=\"b\"",
        "hp_1",
        "Bearer:hp_1",
        "Bearerhp_1",
        "Basic a, Bearer hp_1",
        "",
    ] {
        assert_eq!(sent(&[("authorization", value)]), Ok(Credential::None), "{value}");
    }
}

#[test]
fn two_credentials_are_refused_even_where_they_are_the_same() {
    let (bearer, basic, key) =
        (("authorization", "Bearer hp_1"), ("authorization", "Basic aDpw"), ("x-api-key", "hp_1"));
    assert_eq!(sent(&[bearer, bearer]), Err(Refused::Doubled(AUTHORIZATION)));
    assert_eq!(sent(&[basic, bearer]), Err(Refused::Doubled(AUTHORIZATION)));
    assert_eq!(sent(&[bearer, ("AUTHORIZATION", "")]), Err(Refused::Doubled(AUTHORIZATION)));
    assert_eq!(sent(&[key, key]), Err(Refused::Doubled(API_KEY)));
    assert_eq!(sent(&[bearer, key]), Err(Refused::SeveralCredentials));
    assert_eq!(sent(&[key, bearer]), Err(Refused::SeveralCredentials));
    assert_eq!(sent(&[bearer, ("x-api-key", "")]), Err(Refused::SeveralCredentials));
    assert_eq!(sent(&[basic, key]), Err(Refused::SeveralCredentials));
    assert_eq!(sent(&[("x_api_key", "hp_1")]), Err(Refused::Disguised(API_KEY)));
    assert_eq!(sent(&[bearer, ("X-Api_Key", "hp_1")]), Err(Refused::Disguised(API_KEY)));
}

#[test]
fn a_value_is_one_visible_word() {
    for bad in [
        "Bearer a b",
        "Bearer a,b",
        "Bearer a, Bearer b",
        "Bearer\ta",
        "Bearer a\t",
        "Bearer é",
        "Bearer a\0",
        "Bearer a\r\n b",
    ] {
        assert_eq!(sent(&[("authorization", bad)]), Err(Refused::Credential(AUTHORIZATION)), "{bad:?}");
    }
    for bad in ["a b", " a", "a ", "a\tb", "é", "a\0", "a, b"] {
        assert_eq!(sent(&[("x-api-key", bad)]), Err(Refused::Credential(API_KEY)), "{bad:?}");
    }
    let raw = [("authorization", b"Bearer \xff".as_slice())];
    assert_eq!(credential(raw.into_iter(), None, false), Err(Refused::Credential(AUTHORIZATION)));
}

#[test]
fn a_value_in_the_query_counts_only_with_the_policy() {
    let asked = |headers, query, on| credential(bytes(headers), Some(query), on);
    assert_eq!(asked(&[], "access_token=hp_1", false), Ok(Credential::None));
    assert_eq!(asked(&[], "access_token=hp_1", true), one("hp_1"));
    assert_eq!(asked(&[], "x=1&session=hp%5F1", true), one("hp_1"));
    assert_eq!(asked(&[], "x=1", true), Ok(Credential::None));
    assert_eq!(credential(bytes(&[]), None, true), Ok(Credential::None));
    let key: &[Header<'_>] = &[("x-api-key", "hp_1")];
    assert_eq!(asked(key, "session=hp_1&access_token=hp_1", false), one("hp_1"));
    assert_eq!(asked(key, "session=hp_1", true), Err(Refused::SeveralCredentials));
    assert_eq!(asked(&[], "session=hp_1&access_token=hp_1", true), Err(Refused::SeveralCredentials));
    let basic: &[Header<'_>] = &[("authorization", "Basic aDpw")];
    assert_eq!(asked(basic, "session=hp_1", true), Err(Refused::SeveralCredentials));
    let doubled = Err(Refused::Query(target::Refused::DoubledParameter));
    assert_eq!(asked(&[], "session=hp_1&session=hp_1", true), doubled);
    assert_eq!(asked(&[], "access%5ftoken=hp_1&access_token=hp_2", true), doubled);
}

#[test]
fn neither_a_credential_nor_a_query_is_ever_printed() {
    let shown = format!("{:?} {:?}", one("hp_secret"), ASKED);
    assert_eq!(shown, r#"Ok(One(…)) Asked { http_method: "GET", path: "/a", host: None }"#);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_client_adds_never_changes_what_is_judged(
        added in prop::collection::vec(
            ("(?i)x[-_.](forwarded|original)[-_](method|uri|url|host)", "(GET|POST|/a\\?b=c|/admin|[ -~]{0,6})"), 0..4,
        ),
        before in any::<bool>(),
    ) {
        let added: Vec<(&str, &str)> = added.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let proxy = with(&[]);
        let headers = if before { [added.clone(), proxy].concat() } else { [proxy, added.clone()].concat() };
        if let Ok(asked) = verify(&headers) {
            prop_assert_eq!((asked.http_method, asked.target), (ASKED.http_method, ASKED.target));
        }
        let target = format!("/verify/direct{}", ASKED.target);
        if let Ok(asked) = direct("GET", &target, "/verify/direct", bytes(&added)) {
            prop_assert_eq!((asked.http_method, asked.target), (ASKED.http_method, ASKED.target));
        }
    }

    #[test]
    fn no_header_makes_it_panic(
        headers in prop::collection::vec(
            ("(x[-_](forwarded|original)-(method|uri)|authorization|x-api-key|\\PC{0,14})", prop::collection::vec(any::<u8>(), 0..12)), 0..5,
        ),
        query in "\\PC{0,20}",
    ) {
        let list: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let _ = forwarded(list.iter().copied());
        let _ = credential(list.iter().copied(), Some(&query), true);
        let _ = direct(&query, &query, "", list.iter().copied());
    }

    #[test]
    fn a_credential_is_one_value_that_was_sent(
        kinds in prop::collection::vec(
            prop::sample::select(vec!["Bearer hp_1", "token hp_2", "Basic hp_3", "key hp_4", "session hp_5", "access_token hp_6"]), 0..3,
        ),
    ) {
        let mut headers = Vec::new();
        let mut query = Vec::new();
        for kind in &kinds {
            match kind.split_once(' ').unwrap() {
                ("key", value) => headers.push(("x-api-key", value)),
                (name @ ("session" | "access_token"), value) => query.push(format!("{name}={value}")),
                _ => headers.push(("authorization", *kind)),
            }
        }
        let query = query.join("&");
        let found = credential(bytes(&headers), Some(&query), true);
        match kinds.as_slice() {
            [] | ["Basic hp_3"] => prop_assert_eq!(found, Ok(Credential::None)),
            [kind] => prop_assert_eq!(found, one(&kind[kind.len() - 4..])),
            _ => prop_assert!(found.is_err()),
        }
    }
}
