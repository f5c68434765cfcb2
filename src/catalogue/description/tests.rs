//! Descriptions in small, one rule each; and texts that were broken on purpose.

use std::time::{Duration, Instant};

use super::*;

fn ok(text: &str) -> Description {
    read(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem}\n{text}"))
}

/// The problem as an operator sees it.
fn refused(text: &str) -> String {
    read(text.as_bytes()).expect_err(text).to_string()
}

/// A 3.0 description with these paths, and with what else stands at the top.
fn openapi(paths: &str, more: &str) -> String {
    format!(r##"{{"openapi":"3.0.3","info":{{"title":"T","version":"1"}},"paths":{{{paths}}}{more}}}"##)
}

fn parameters(method: &Method) -> Vec<(&str, Place)> {
    method.parameters.iter().map(|parameter| (&*parameter.name, parameter.place)).collect()
}

const ZONES: &str = r##"{
  "openapi": "3.0.0",
  "info": {"title": "DNS <b>zones</b>", "version": "2.1", "description": "ignored"},
  "servers": [{"url": "https://DNS.example.org:443/api/v1/"}],
  "tags": [{"name": "zones", "description": "All *zones*.", "x-displayName": "Zones!"}],
  "paths": {
    "/zones": {
      "get": {"tags": ["zones", "more"], "operationId": "listZones", "summary": "Lists zones",
              "externalDocs": {"url": "https://example.org/docs"}, "responses": {"200": {"x": [1, {"y": null}]}}},
      "post": {"tags": ["zones"], "operationId": "createZone", "description": "Makes one. Slowly.", "deprecated": true}
    },
    "/zones/{zone_id}": {
      "parameters": [{"name": "zone_id", "in": "path"}, {"name": "deep", "in": "query"}],
      "delete": {"tags": ["zones"], "operationId": "deleteZone",
                 "parameters": [{"name": "deep", "in": "query"}, {"$ref": "#/components/parameters/force"}, {"name": "X", "in": "header"}]}
    },
    "x-other": [1, 2]
  },
  "components": {"parameters": {"force": {"name": "force", "in": "query"}}, "schemas": {"a": {"type": "object"}}}
}"##;

#[test]
fn a_path_with_a_control_character_is_refused() {
    let text = r#"{"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {"/a\u0000b": {"get": {}}}}"#;
    let problem = read(text.as_bytes()).unwrap_err();
    assert_eq!(problem.sentence, "A path cannot hold control characters.");
}

#[test]
fn a_json_description_is_read_whole() {
    let read = ok(ZONES);
    assert_eq!((&*read.dialect, &*read.title, &*read.version), ("OpenAPI 3.0.0", "DNS zones", "2.1"));
    assert_eq!(read.servers, [Server { host: Some("dns.example.org".into()), base_path: "/api/v1".into() }]);
    let entry = ServiceEntry { name: "zones".into(), title: "Zones!".into(), summary: "All zones.".into() };
    assert_eq!(read.services, [entry]);
    assert_eq!(read.notes, [""; 0]);
    let [list, create, delete] = &read.methods[..] else { panic!("{:?}", read.methods) };
    assert_eq!((&*list.service, &*list.name, &*list.http_method, &*list.path), ("zones", "listZones", "GET", "/zones"));
    assert_eq!(list.docs_url.as_deref(), Some("https://example.org/docs"));
    assert_eq!((&*list.summary, list.kind, list.deprecated), ("Lists zones", Kind::Read, false));
    assert_eq!((&*create.summary, create.kind, create.deprecated), ("Makes one.", Kind::Write, true));
    assert_eq!(delete.kind, Kind::Delete);
    assert_eq!(parameters(delete), [("zone_id", Place::Path), ("deep", Place::Query), ("force", Place::Query)]);
}

#[test]
fn a_description_survives_being_stored_as_json() {
    let read = ok(ZONES);
    let stored = serde_json::to_string(&read).unwrap();
    assert!(stored.contains(r#""kind":"delete""#) && stored.contains(r#""place":"query""#), "{stored}");
    assert_eq!(serde_json::from_str::<Description>(&stored).unwrap(), read);
}

const YAML: &str = "\
# a comment
openapi: 3.1.0
info: {title: Pets, version: 1.0}
x-shared:
  get: &get
    tags: [pets]
    summary: >-
      Gets a
      thing
  both: &both
    parameters: &parameters
      - {name: limit, in: query}
servers:
  - url: '{scheme}://pets.example.org:{port}/{base}'
    variables:
      scheme: {default: https}
      port: {default: 8443}
      base: {default: v2}
paths:
  /pets:
    get:
      <<: *get
      operationId: listPets
      parameters: *parameters
  /pets/{id}:
    <<: *both
    get:
      operationId: getPet
      <<: [*get, {deprecated: true}]
      summary: Gets a pet
  /empty:
";

#[test]
fn a_yaml_description_with_anchors_and_merge_keys_is_read() {
    let read = ok(YAML);
    assert_eq!((&*read.dialect, &*read.version), ("OpenAPI 3.1.0", "1.0"));
    assert_eq!(read.servers, [Server { host: Some("pets.example.org:8443".into()), base_path: "/v2".into() }]);
    let [list, one] = &read.methods[..] else { panic!("{:?}", read.methods) };
    assert_eq!((&*list.service, &*list.name, &*list.summary), ("pets", "listPets", "Gets a thing"));
    assert_eq!((&*one.name, &*one.summary, one.deprecated), ("getPet", "Gets a pet", true));
    assert_eq!(parameters(list), [("limit", Place::Query)]);
    assert_eq!(parameters(one), [("id", Place::Path), ("limit", Place::Query)]);
}

#[test]
fn yaml_may_begin_like_json() {
    assert_eq!(ok("{openapi: 3.0.0, paths: {/a: {get: {operationId: x}}}}").methods[0].name, "x");
}

#[test]
fn a_swagger_description_is_read() {
    let text = "swagger: 2.0\ninfo: {title: Old}\nhost: Old.example.org:443\nbasePath: /v2/\nschemes: [https]\n\
        parameters: {p: {name: page, in: query}}\npaths:\n  /a/{x}:\n    parameters: [{$ref: '#/parameters/p'}]\n    \
        put: {operationId: doIt, parameters: [{name: body, in: body}]}\n";
    let read = ok(text);
    assert_eq!(read.dialect, "Swagger 2.0");
    assert_eq!(read.servers, [Server { host: Some("old.example.org".into()), base_path: "/v2".into() }]);
    assert_eq!((&*read.methods[0].service, &*read.methods[0].name), ("a", "doIt"));
    assert_eq!(parameters(&read.methods[0]), [("x", Place::Path), ("page", Place::Query)]);
}

#[test]
fn every_http_method_has_its_kind() {
    let verbs = ["get", "head", "options", "trace", "query", "delete", "put", "post", "patch"];
    let operations: Vec<String> = verbs.iter().map(|verb| format!(r#""{verb}":{{}}"#)).collect();
    let read = ok(&openapi(&format!(r#""/a":{{"summary":"x",{}}}"#, operations.join(",")), ""));
    let kinds: Vec<Kind> = read.methods.iter().map(|method| method.kind).collect();
    assert_eq!(kinds[..5], [Kind::Read; 5]);
    assert_eq!(kinds[5], Kind::Delete);
    assert_eq!(kinds[6..], [Kind::Write; 3]);
    assert_eq!(read.methods[4].http_method, "QUERY");
}

#[test]
fn servers_name_hosts_and_base_paths_and_placeholders_only_paths() {
    let cases = [
        ("https://[hoster-api-host]/1.0/", None, "/1.0", 1),
        ("https://{tenant}.example.org/x", None, "/x", 1),
        ("https://<your host>/x", None, "/x", 1),
        ("https://example.com", Some("example.com"), "", 0),
        ("http://user:p@Example.com:8080/a/b/?q#f", Some("example.com:8080"), "/a/b", 0),
        ("http://example.com:80/", Some("example.com"), "", 0),
        ("https://[::1]:8443/v1", Some("[::1]:8443"), "/v1", 0),
        ("https://bücher.example/", Some("xn--bcher-kva.example"), "", 0),
        ("//example.com/v1", Some("example.com"), "/v1", 0),
        ("/api/v3", None, "/api/v3", 0),
        ("/", None, "", 0),
        ("", None, "", 0),
        ("https://example.com:99999/x", None, "/x", 1),
        ("ftp://example.com/x", None, "", 1),
        ("example.com/x", None, "", 1),
    ];
    for (url, host, base_path, notes) in cases {
        let read = ok(&openapi(r#""/a":{"get":{}}"#, &format!(r#","servers":[{{"url":"{url}"}}]"#)));
        let expected = Server { host: host.map(str::to_owned), base_path: base_path.to_owned() };
        assert_eq!((&read.servers[..], read.notes.len()), (&[expected][..], notes), "{url}: {:?}", read.notes);
    }
}

#[test]
fn without_servers_there_is_one_without_host_and_base_path_and_the_same_one_counts_once() {
    let nothing = Server { host: None, base_path: String::new() };
    assert_eq!(ok(&openapi(r#""/a":{"get":{}}"#, "")).servers, [nothing]);
    let twice = r#","servers":[{"url":"https://a.example/"},{"url":"https://A.example"}]"#;
    assert_eq!(ok(&openapi(r#""/a":{"get":{}}"#, twice)).servers.len(), 1);
}

#[test]
fn servers_of_single_paths_and_operations_are_ignored_with_a_note() {
    let read = ok(&openapi(r#""/a":{"servers":[],"get":{"servers":[{"url":"https://b.example"}]}}"#, ""));
    assert_eq!(
        read.notes,
        ["Servers of single paths or operations are ignored (2 in all; the first is #/paths/~1a/servers)."]
    );
}

#[test]
fn path_items_and_parameters_are_followed_by_reference() {
    let paths = r##""/a/{x}":{"$ref":"#/components/pathItems/one"},
        "/b/{x}":{"$ref":"#/paths/~1a~1%7Bx%7D","post":{"operationId":"own"}},
        "/c":{"get":{"operationId":"c","parameters":[{"$ref":"#/components/parameters/a~1b"},{"$ref":"#/paths/~1d/get/parameters/1"}]}},
        "/d":{"get":{"operationId":"d","parameters":[{"name":"h","in":"header"},{"name":"q","in":"query"}]}}"##;
    let components = r##","components":{"parameters":{"a/b":{"$ref":"#/components/parameters/c"},"c":{"name":"n","in":"query"}},
        "pathItems":{"one":{"parameters":[{"name":"p","in":"query"}],"get":{"operationId":"get"},"post":{"operationId":"post"}}}}"##;
    let read = ok(&openapi(paths, components));
    let all: Vec<String> = read.methods.iter().map(|m| format!("{} {} {}", m.http_method, m.path, m.name)).collect();
    let expected = ["GET /a/{x} get", "POST /a/{x} post", "POST /b/{x} own", "GET /b/{x} get", "GET /c c", "GET /d d"];
    assert_eq!(all, expected);
    assert_eq!(parameters(&read.methods[3]), [("x", Place::Path), ("p", Place::Query)]);
    assert_eq!(parameters(&read.methods[4]), [("n", Place::Query), ("q", Place::Query)]);
}

#[test]
fn references_in_a_circle_into_nothing_or_outside_are_refused_with_their_place() {
    let item = |reference: &str| openapi(&format!(r#""/a":{{"$ref":"{reference}"}}"#), "");
    assert_eq!(refused(&item("#/paths/~1a")), "#/paths/~1a/$ref: This reference leads back to itself.");
    assert!(refused(&item("#/paths/~1b")).starts_with("#/paths/~1a/$ref: There is no path item at `#/paths/~1b`"));
    assert!(refused(&item("other.yaml#/x")).contains("`other.yaml#/x` points outside this text"));
    assert!(refused(&item("#/%zz")).contains("percent-encoded"));

    let get = |list: &str, components: &str| {
        let components = format!(r#","components":{{"parameters":{{{components}}}}}"#);
        openapi(&format!(r#""/a":{{"get":{{"parameters":[{list}]}}}}"#), &components)
    };
    let a = r##"{"$ref":"#/components/parameters/a"}"##;
    let circle = r##""a":{"$ref":"#/components/parameters/b"},"b":{"$ref":"#/components/parameters/a"}"##;
    assert_eq!(refused(&get(a, circle)), "#/components/parameters/a/$ref: This reference leads back to itself.");
    assert!(refused(&get(a, "")).starts_with("#/paths/~1a/get/parameters/0/$ref: There is no parameter at"));
    let chain = r##""a":{"$ref":"#/x/y"}"##;
    assert!(refused(&get(a, chain)).starts_with("#/components/parameters/a/$ref: There is no parameter at `#/x/y`"));
}

#[test]
fn parameters_of_a_template_are_listed_first_declared_or_not() {
    let text = openapi(
        r#""/a/{x}/{y}.{z}":{"get":{"parameters":[{"name":"q","in":"query"},{"name":"z","in":"path"},{"name":"stray","in":"path"}]}}"#,
        "",
    );
    let expected = [("x", Place::Path), ("y", Place::Path), ("z", Place::Path), ("q", Place::Query)];
    assert_eq!(parameters(&ok(&text).methods[0]), expected);
}

#[test]
fn a_docs_link_is_a_web_address_or_none() {
    let docs = |url: &str| {
        let operation = format!(r#""/a":{{"get":{{"externalDocs":{{"url":"{url}"}}}}}}"#);
        ok(&openapi(&operation, r#","externalDocs":{"url":"https://api.example"}"#)).methods[0].docs_url.clone()
    };
    assert_eq!(docs("HTTP://example.org/a b").as_deref(), Some("http://example.org/a%20b"));
    for bad in ["javascript:alert(1)", "data:text/html,x", "/relative", "", "file:///etc/passwd"] {
        assert_eq!(docs(bad), None, "{bad}");
    }
}

#[test]
fn templates_that_differ_only_in_parameter_names_are_both_kept() {
    let read = ok(&openapi(r#""/a/{x}":{"get":{}},"/a/{y}":{"get":{}}"#, ""));
    let names: Vec<&str> = read.methods.iter().map(|method| &*method.name).collect();
    assert_eq!(names, ["by-x", "by-y"]);
}

#[test]
fn what_is_no_description_is_refused_each_with_its_own_sentence() {
    let large = " ".repeat(MAX_BYTES + 1);
    let cases = [
        ("", "line 1, column 1: The text is empty"),
        (" \n\t", "line 1, column 1: The text is empty"),
        (&*large, "line 1, column 1: The text is larger than 16 MiB"),
        ("<!DOCTYPE html><p>", "line 1, column 1: This is a web page"),
        ("{\"a\": 1,\n  \"b\" 2}", "line 2, column 7: This is not valid JSON: expected `:`."),
        ("{\"openapi\":\"3.0.0\"", "line 1, column 18: This is not valid JSON: EOF while parsing an object."),
        ("a: b\n  c: d\n", "line 2, column 4: This is not valid YAML: mapping values are not allowed in this context."),
        ("hello there", "line 1, column 1: This is plain text, not the fields of an API description in JSON or YAML."),
        ("# nothing", "line 1, column 1: This is plain text"),
        ("- a\n", "#: An API description must be an object with an `openapi` or `swagger` field, not a list."),
        ("[1]", "#: An API description must be an object with an `openapi` or `swagger` field, not a list."),
        ("{}", "#: There is no `openapi` or `swagger` field at the top"),
        ("{\"asyncapi\":\"2.0.0\"}", "#: There is no `openapi` or `swagger` field at the top"),
        ("{\"swagger\":\"1.2\",\"paths\":[]}", "#/swagger: `1.2` is not a known version"),
        ("{\"openapi\":\"4.0.0\"}", "#/openapi: `4.0.0` is not a known version"),
        ("{\"openapi\":\"3.10.0\"}", "#/openapi: `3.10.0` is not a known version"),
        ("{\"openapi\":\"3.1.0\"}", "#: There is no `paths` field"),
        ("{\"openapi\":\"3.2.0\",\"paths\":{}}", "#/paths: No path has an operation"),
        ("{\"openapi\":\"3.0.0\",\"paths\":{\"zones\":{}}}", "#/paths/zones: A path must begin with `/`."),
    ];
    for (text, expected) in cases {
        let problem = refused(text);
        assert!(problem.starts_with(expected), "{problem}");
    }
    assert_eq!(
        read(b"openapi: 3\n\xFF").unwrap_err().to_string(),
        "line 2, column 1: The text is not UTF-8 from here on."
    );
}

#[test]
fn a_wrong_type_is_refused_with_its_exact_place() {
    let operation = |fields: &str| openapi(&format!(r#""/a/~b":{{"get":{{{fields}}}}}"#), "");
    let cases = [
        (operation(r#""operationId":5"#), "#/paths/~1a~1~0b/get/operationId: This must be text, not the number 5."),
        (operation(r#""operationId":true"#), "#/paths/~1a~1~0b/get/operationId: This must be text, not true."),
        (operation(r#""tags":"x""#), "#/paths/~1a~1~0b/get/tags: This must be a list, not the text \"x\"."),
        (operation(r#""tags":[{}]"#), "#/paths/~1a~1~0b/get/tags/0: This must be text, not an object."),
        (
            operation(r#""deprecated":"no""#),
            "#/paths/~1a~1~0b/get/deprecated: This must be a boolean, not the text \"no\".",
        ),
        (
            operation(r#""parameters":[{"name":"a","in":"query"},5]"#),
            "#/paths/~1a~1~0b/get/parameters/1: This must be an object, not the number 5.",
        ),
        (
            operation(r#""parameters":[{"name":"a"}]"#),
            "#/paths/~1a~1~0b/get/parameters/0: A parameter needs `name` and `in`, or a `$ref` to one that has them.",
        ),
        (operation(r#""summary":"a","summary":"b""#), "#/paths/~1a~1~0b/get: The field `summary` is written twice."),
        (openapi(r#""/a":{"get":null}"#, ""), "#/paths/~1a/get: This must be an object, not null."),
        (openapi(r#""/a":{"get":[]}"#, ""), "#/paths/~1a/get: This must be an object, not a list."),
        (openapi(r#""/a":[]"#, ""), "#/paths/~1a: This must be an object, not a list."),
        (openapi(r#""/a":{"get":{},"get":{}}"#, ""), "#/paths/~1a: The field `get` is written twice."),
        (openapi(r#""/a":{},"/a":{}"#, ""), "#/paths: The key `/a` is written twice."),
        (openapi("", r#","servers":{"url":"x"}"#), "#/servers: This must be a list, not an object."),
        (openapi("", r#","servers":[{"url":1.5}]"#), "#/servers/0/url: This must be text, not the number 1.5."),
        (
            "openapi: 3.0.0\npaths:\n  /a:\n    get: [x]\n".to_owned(),
            "#/paths/~1a/get: This must be an object, not a list.",
        ),
    ];
    for (text, expected) in cases {
        let problem = refused(&text);
        assert!(problem.starts_with(expected), "{problem}\nexpected {expected}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    assert_eq!(ok(&format!("\u{FEFF}{ZONES}")), ok(ZONES));
    assert_eq!(ok(&format!("\u{FEFF}{YAML}")), ok(YAML));
}

#[test]
fn there_is_a_limit_to_operations_templates_and_parameters() {
    let paths = |count: usize| (0..count).map(|n| format!(r#""/p{n}":{{"get":{{}}}}"#)).collect::<Vec<_>>().join(",");
    assert_eq!(ok(&openapi(&paths(MAX_OPERATIONS), "")).methods.len(), MAX_OPERATIONS);
    assert!(
        refused(&openapi(&paths(MAX_OPERATIONS + 1), "")).starts_with("#/paths: There are more than 20000 entries")
    );
    let doubled = paths(MAX_OPERATIONS / 2 + 1).replace(r#""get":{}"#, r#""get":{},"put":{}"#);
    assert!(refused(&openapi(&doubled, "")).starts_with("#/paths/~1p10000/get: There are more than 20000 operations"));

    let path = |bytes: usize| openapi(&format!(r#""/{}":{{"get":{{}}}}"#, "a".repeat(bytes - 1)), "");
    assert_eq!(ok(&path(2_048)).methods.len(), 1);
    assert!(refused(&path(2_049)).ends_with("A path may have at most 2048 bytes."));

    let list = vec![r#"{"name":"q","in":"query"}"#; 1_000].join(",");
    let items =
        (0..401).map(|n| format!(r##""/p{n}":{{"$ref":"#/components/pathItems/i"}}"##)).collect::<Vec<_>>().join(",");
    let components = format!(r#","components":{{"pathItems":{{"i":{{"parameters":[{list}],"get":{{}}}}}}}}"#);
    assert!(refused(&openapi(&items, &components)).contains("There are more than 400000 parameters in all"));
    let verbs = r#""get":{},"put":{},"post":{},"delete":{},"patch":{}"#;
    let shared: Vec<String> = (0..80).map(|n| format!(r#""/p{n}":{{"parameters":[{list}],{verbs}}}"#)).collect();
    assert!(refused(&openapi(&shared.join(","), "")).contains("There are more than 400000 parameters in all"));
    let long = format!(r#""/a":{{"get":{{"parameters":[{{"name":"{}","in":"query"}}]}}}}"#, "n".repeat(257));
    assert!(refused(&openapi(&long, "")).ends_with("The name of a parameter may have at most 256 bytes."));
}

#[test]
fn thousands_of_operations_that_want_one_name_are_told_apart_and_the_notes_stay_short() {
    let paths: Vec<String> = (0..5_000)
        .map(|n| {
            format!(r#""/p{}/{}":{{"get":{{"operationId":"x","tags":["a"]}}}}"#, "-".repeat(n % 1_000 + 1), n / 1_000)
        })
        .collect();
    let read = ok(&openapi(&paths.join(","), ""));
    let names: HashSet<String> = read.methods.iter().map(|method| method.name.to_ascii_lowercase()).collect();
    assert_eq!(names.len(), 5_000);
    assert_eq!(read.notes.len(), MAX_NOTES + 1);
    assert_eq!(read.notes[MAX_NOTES], "4900 more notes of this kind were left out.");
}

#[test]
fn hostile_texts_are_refused_soon() {
    let mut bomb = "openapi: 3.0.0\na0: &a0 {get: {summary: x}}\n".to_owned();
    for level in 1..30 {
        let many = vec![format!("*a{}", level - 1); 9].join(",");
        bomb += &format!("a{level}: &a{level} {{<<: [{many}]}}\n");
    }
    bomb += "paths: {/a: *a29}\n";
    let long = "x".repeat(2_000_000);
    let wide = format!("openapi: 3.0.0\nl: &l {long}\npaths:\n{}", "  ? [1]\n  : *l\n");
    let copies = format!("openapi: 3.0.0\nl: &l {long}\nm: [{}]\n", vec!["*l"; 1_000].join(","));
    let deep = openapi(&format!(r#""/a":{{"get":{{"x":{}1{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000)), "");
    let start = Instant::now();
    assert!(refused(&bomb).contains("aliases"));
    assert!(refused(&copies).contains("aliases"));
    assert!(refused(&wide).contains("YAML"));
    // Skipped without recursion.
    assert_eq!(ok(&deep).methods.len(), 1);
    assert!(refused(&"[".repeat(1_000_000)).contains("not a list"));
    assert!(refused(&"{\"a\":".repeat(1_000_000)).contains("not valid JSON"));
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

/// Every answer to a text must keep these promises, whatever the text.
fn hold_promises(text: &[u8]) {
    match read(text) {
        Err(problem) => {
            assert!(problem.place.starts_with('#') || problem.place.starts_with("line "), "{problem}");
            assert!(problem.sentence.ends_with('.') || problem.sentence.len() > 3, "{problem}");
        }
        Ok(read) => {
            let mut names = HashSet::new();
            for method in &read.methods {
                let sign = |more: &str, c: char| c.is_ascii_alphanumeric() || more.contains(c);
                assert!((1..=64).contains(&method.service.len()), "{method:?}");
                assert!(method.service.chars().all(|c| sign("._-", c)), "{method:?}");
                assert!((1..=128).contains(&method.name.len()), "{method:?}");
                assert!(method.name.chars().all(|c| sign("._/-", c)), "{method:?}");
                assert!(names.insert(format!("{}:{}", method.service, method.name).to_ascii_lowercase()), "{method:?}");
                assert!(method.summary.chars().count() <= 200 && !method.summary.contains('\n'), "{method:?}");
                assert!(read.services.iter().any(|service| service.name == method.service), "{method:?}");
            }
            assert!(!read.servers.is_empty() && !read.methods.is_empty());
        }
    }
}

#[test]
fn truncated_and_mutated_texts_never_panic() {
    // A fixed generator (xorshift): the same texts at every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let signs = b"{}[]:,\"'*&<>!|?-#~%/\\\n\t 0x\xC3\xBC\xFF\x00$";
    for fixture in [ZONES, YAML] {
        for end in (0..fixture.len()).step_by(3) {
            hold_promises(&fixture.as_bytes()[..end]);
        }
        for _ in 0..1_500 {
            let mut text = fixture.as_bytes().to_vec();
            for _ in 0..=random(4) {
                let at = random(text.len());
                match random(4) {
                    0 => text[at] = signs[random(signs.len())],
                    1 => text.insert(at, signs[random(signs.len())]),
                    2 => drop(text.remove(at)),
                    _ => {
                        let piece: Vec<u8> = text[at..].iter().take(random(40)).copied().collect();
                        let to = random(text.len());
                        text.splice(to..to, piece);
                    }
                }
            }
            hold_promises(&text);
        }
    }
    for _ in 0..2_000 {
        let text: Vec<u8> = (0..random(60)).map(|_| signs[random(signs.len())]).collect();
        hold_promises(&text);
    }
}
