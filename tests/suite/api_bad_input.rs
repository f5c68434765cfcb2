//! Every parameter and every member of every call, read off the description, with what nobody should send. What its schema
//! does not allow is refused as a problem that names it; what it allows is no fault; and both databases answer alike.

use hallpass::types::Role;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::{Answer, Site};

/// Of a member or parameter.
fn nasty() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(-9_223_372_036_854_775_808_i64),
        json!(18_446_744_073_709_551_615_u64),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("a\u{0}b"),
        json!("\u{202e}evil"),
        json!("a\nb"),
        json!("%00%ff"),
        json!("'; DROP TABLE tokens; --"),
        json!("x".repeat(10_000)),
        json!("2026-13-45T99:99:99Z"),
        json!("+262143-01-01T00:00:00Z"),
        json!("-9999-01-01"),
        json!("019ab000-0000-7000-8000-000000000000"),
        json!([]),
        json!([null]),
        json!([5]),
        json!(["\u{0}"]),
        json!(["zones:*\n*"]),
        json!([""]),
        json!({}),
        json!({ "person": "\u{0}" }),
        json!({ "team": "x", "person": "y" }),
        json!({ "no_such_member": 1 }),
    ]
}

/// One Hallpass, or two on different databases that have to answer alike.
struct Sites {
    each: Vec<(Site, String)>,
    described: Value,
}

struct Operation {
    path: String,
    method: String,
    told: Value,
}

impl Sites {
    /// Each with a token that has every right, and something of every kind to address.
    fn start() -> Sites {
        let mut each = vec![prepared(Site::start())];
        if std::env::var("TEST_DATABASE_URL").is_ok() {
            each.push(prepared(Site::on_sqlite()));
        }
        let described = each[0].0.api("", "GET", "/api/openapi.json", Value::Null).json();
        Sites { each, described }
    }

    fn operations(&self) -> Vec<Operation> {
        let paths = self.described["paths"].as_object().unwrap();
        let each = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(|(method, told)| Operation {
                path: path.clone(),
                method: method.to_uppercase(),
                told: told.clone(),
            })
        });
        each.filter(|one| one.path.starts_with("/api/v1/")).collect()
    }

    /// The call at an address of things that are there.
    fn send(
        &self,
        operation: &Operation,
        query: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
        told: &str,
    ) -> Answer {
        self.send_to(operation, |site| address(site, &operation.path) + query, headers, body, told)
    }

    fn send_to(
        &self,
        operation: &Operation,
        address: impl Fn(&Site) -> String,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
        told: &str,
    ) -> Answer {
        let answers = self.each.iter().map(|(site, value)| {
            let value = if operation.path.ends_with("/login") { "" } else { value };
            site.call(value, &operation.method, &address(site), headers, body)
        });
        let mut answers: Vec<Answer> = answers.collect();
        let told = format!("{} {} {told}", operation.method, operation.path);
        for answer in &answers {
            assert!(answer.status < 500, "{told}: {} {}", answer.status, answer.body);
            assert_eq!(answer.status, answers[0].status, "{told}: {} {}", answer.body, answers[0].body);
            if answer.status >= 400 {
                assert_eq!(answer.header("content-type"), "application/problem+json", "{told}: {}", answer.body);
                assert!(answer.body.len() < 4_000, "{told}: the answer repeats what came, {} bytes", answer.body.len());
            }
        }
        answers.remove(0)
    }

    /// The schema that a reference leads to, or the schema itself.
    fn at<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            Some(name) => &self.described["components"]["schemas"][name],
            None => schema,
        }
    }

    /// Whether a schema allows a value, as far as our schemas go (JSON Schema 2020-12).
    fn allows(&self, schema: &Value, value: &Value) -> bool {
        let schema = self.at(schema);
        let among =
            |name: &str| schema[name].as_array().map(|all| all.iter().filter(|one| self.allows(one, value)).count());
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is = |name: &&str| match *name {
            "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
            "number" => value.is_number(),
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            _ => value.is_object(),
        };
        if !types.is_empty() && !types.iter().any(is)
            || schema["enum"].as_array().is_some_and(|words| !words.contains(value))
            || among("anyOf") == Some(0)
            || among("oneOf").is_some_and(|fitting| fitting != 1)
        {
            return false;
        }
        let within = |n: f64, least: &str, most: &str| {
            schema[least].as_f64().is_none_or(|least| n >= least) && schema[most].as_f64().is_none_or(|most| n <= most)
        };
        match value {
            Value::Number(number) => within(number.as_f64().unwrap(), "minimum", "maximum"),
            Value::String(text) => {
                within(text.chars().count() as f64, "minLength", "maxLength")
                    && schema["pattern"].as_str().is_none_or(|pattern| Regex::new(pattern).unwrap().is_match(text))
                    && has_format(schema["format"].as_str().unwrap_or_default(), text)
            }
            Value::Array(items) => {
                within(items.len() as f64, "minItems", "maxItems")
                    && (schema["items"].is_null() || items.iter().all(|item| self.allows(&schema["items"], item)))
            }
            Value::Object(members) => {
                let known = |name: &str| &schema["properties"][name];
                let required = schema["required"].as_array().into_iter().flatten();
                required.filter_map(Value::as_str).all(|name| members.contains_key(name))
                    && members.iter().all(|(name, value)| match known(name) {
                        Value::Null => schema["additionalProperties"] != false,
                        of => self.allows(of, value),
                    })
            }
            _ => true,
        }
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "date" => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    }
}

fn prepared(site: Site) -> (Site, String) {
    let maria = site.owner_with_zones();
    let wide = maria.generate("wide", &["*", "hallpass/*"]);
    maria.generate("victim", &["zones:listZones"]);
    site.person("jan@example.com", Role::Contributor);
    for (path, body) in [
        ("/api/v1/teams", json!({ "name": "DNS" })),
        ("/api/v1/service-accounts", json!({ "name": "backup", "role": "viewer" })),
    ] {
        let made = site.api(&wide, "POST", path, body);
        assert_eq!(made.status, 201, "{}", made.body);
    }
    (site, wide)
}

/// A path whose parameters are things that are there, whatever they are named by now: of each kind the one that was made first,
/// so that two databases are asked for the same.
fn address(site: &Site, path: &str) -> String {
    let one = |sql: &str| site.texts(sql).into_iter().next().unwrap_or_else(|| "gone".into());
    let first = |table: &str, of: &str| {
        let told = format!("SELECT min(number) FROM events WHERE subject_id = {table}.id");
        one(&format!("SELECT id AS text FROM {table} WHERE {of} ORDER BY ({told}) LIMIT 1"))
    };
    let jan = "SELECT id AS text FROM accounts WHERE email = 'jan@example.com'";
    let id = match path {
        path if path.contains("/tokens/") => {
            first("tokens", "kind = 'personal' AND name <> 'wide' AND removed_at IS NULL")
        }
        path if path.contains("/teams/") => first("teams", "id <> ''"),
        path if path.contains("/service-accounts/") => first("accounts", "kind = 'service'"),
        _ => one(jan),
    };
    path.replace("{id}", &id).replace("{account}", &one(jan)).replace("{slug}", "pdns")
}

/// Fields that a refusal names.
fn named(answer: &Answer) -> Vec<String> {
    let told = answer.json();
    let errors = told["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().filter_map(|one| one["field"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_member_of_every_body_refuses_what_its_schema_does_not_allow() {
    let sites = Sites::start();
    let (mut tried, mut wrong) = (0, Vec::new());
    for operation in sites.operations() {
        let body = &operation.told["requestBody"]["content"]["application/json"]["schema"];
        let schema = sites.at(body);
        let Some(members) = schema["properties"].as_object() else { continue };
        for (name, member) in members {
            for value in nasty() {
                let mut body = schema["example"].as_object().cloned().unwrap_or_default();
                // One of two that exclude each other.
                for (one, other) in [
                    ("scopes", "access_set"),
                    ("lifetime_days", "expires_at"),
                    ("grace_seconds", "previous_expires_at"),
                ] {
                    if *name == one || *name == other {
                        body.remove(one);
                        body.remove(other);
                    }
                }
                // No name is taken already.
                for (given, text) in [("name", format!("n{tried}")), ("email", format!("n{tried}@example.com"))] {
                    if members.contains_key(given) {
                        body.insert(given.into(), text.into());
                    }
                }
                body.insert(name.clone(), value.clone());
                let told = format!("{name} {value:.60}");
                let answer = sites.send(&operation, "", &[], Some(Value::from(body).to_string().as_bytes()), &told);
                // What would name somebody names nobody.
                let is_nobody = ["owner", "managers"].contains(&name.as_str()) && answer.status == 404;
                if !sites.allows(member, &value) && !is_nobody {
                    let told = format!("{} {} {told}: {}", operation.method, operation.path, answer.body);
                    let is_named = named(&answer)
                        .iter()
                        .any(|field| field.split(['.', '[']).next() == Some(name) || field.starts_with(name.as_str()));
                    // A lifetime is judged as the expiry that it makes; a grace as the moment.
                    let is_told = is_named || matches!(name.as_str(), "lifetime_days" | "grace_seconds");
                    if answer.status != 422 || !is_told {
                        wrong.push(told);
                    }
                }
                tried += 1;
            }
            let raw = |text: &str| format!(r#"{{"{name}":{text}}}"#);
            for (text, statuses) in [
                (r#""\ud800""#.to_owned(), [400, 422]),
                ("1e999".to_owned(), [400, 422]),
                (format!("\"{}\"", "x".repeat(1_000_000)), [413, 413]),
            ] {
                let answer =
                    sites.send(&operation, "", &[], Some(raw(&text).as_bytes()), &format!("{name} {text:.20}"));
                assert!(statuses.contains(&answer.status), "{} {name} {text:.20}: {}", operation.path, answer.body);
            }
        }
    }
    assert!(wrong.is_empty(), "{} are not refused for themselves:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 1_500, "{tried}");
}

#[test]
fn every_body_refuses_what_is_no_object_of_its_own_members() {
    let sites = Sites::start();
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let mut tried = 0;
    for operation in sites.operations() {
        let content = &operation.told["requestBody"]["content"];
        if content.is_null() {
            continue;
        }
        let is_document = content["application/yaml"].is_object();
        let with = |kind: &str, body: &[u8], statuses: &[u16]| {
            let answer = sites.send(&operation, "", &[("content-type", kind)], Some(body), kind);
            assert!(
                statuses.contains(&answer.status),
                "{} {} {kind} {:.40}: {} {}",
                operation.method,
                operation.path,
                String::from_utf8_lossy(body),
                answer.status,
                answer.body
            );
        };
        for (body, statuses) in [
            (deep("{\"name\":", "}"), [400, 422]),
            (deep("[", "]"), [400, 422]),
            ("[".repeat(10_000), [400, 422]),
            (r#"{"name":"\ud800"}"#.into(), [400, 422]),
            (r#"{"\ud800":1}"#.into(), [400, 422]),
            ("[]".into(), [422, 422]),
            ("[null, null]".into(), [422, 422]),
            ("null".into(), [422, 422]),
            ("5".into(), [422, 422]),
            ("\"text\"".into(), [422, 422]),
            (r#"{"no_such_member":1}"#.into(), [422, 422]),
            (
                format!(r#"{{"no_such_member":"{}"}}"#, "x".repeat(1_000_000)),
                if is_document { [422, 422] } else { [413, 413] },
            ),
        ] {
            with("application/json", body.as_bytes(), &statuses);
            tried += 1;
        }
        with("application/json", b"\xff\xfe\x00", &[400, 422]);
        for kind in [
            "text/html",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            ";",
            "application/jsonp",
        ] {
            with(kind, b"{}", &[415]);
        }
    }
    assert!(tried >= 12 * 13, "{tried}");
}

#[test]
fn every_parameter_of_every_query_refuses_what_its_schema_does_not_allow() {
    let sites = Sites::start();
    let mut tried = 0;
    for operation in sites.operations() {
        let body = match &operation.told["requestBody"]["content"] {
            Value::Null => None,
            _ => Some(b"{}".as_slice()),
        };
        let parameters = operation.told["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let refused = |query: &str, must_be: bool| {
                // A removal is not to take away what the next one is tried at.
                if operation.method == "DELETE" && !must_be {
                    return;
                }
                let answer = sites.send(&operation, query, &[], body, &format!("{query:.80}"));
                // What would name a thing names none.
                let is_nothing = ["api", "after", "owner"].contains(&name) && answer.status == 404;
                if must_be && !is_nothing {
                    assert_eq!(
                        (answer.status, named(&answer)),
                        (422, vec![name.to_owned()]),
                        "{} {query:.80}: {}",
                        operation.path,
                        answer.body
                    );
                }
            };
            for value in nasty() {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, &text).finish();
                refused(&format!("?{query}"), !sites.allows(&parameter["schema"], &meant(&parameter["schema"], &text)));
                tried += 1;
            }
            for raw in ["%ff%fe", "%", "%zz", "a&x", "%ED%A0%80"] {
                refused(&format!("?{name}={raw}"), false);
            }
            refused(&format!("?{name}=a&{name}=b"), true);
        }
        if !parameters.iter().any(|parameter| parameter["in"] == "query") {
            continue;
        }
        let answer = sites.send(&operation, "?no_such_parameter=1", &[], body, "unknown parameter");
        assert_eq!((answer.status, named(&answer)), (422, vec!["no_such_parameter".to_owned()]), "{}", operation.path);
    }
    assert!(tried > 500, "{tried}");
}

/// What a text in a query stands for, by the type that is asked for.
fn meant(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().map_or_else(|_| json!(text), |n| json!(n)),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| json!(text), |is| json!(is)),
        _ => json!(text),
    }
}

#[test]
fn every_list_refuses_a_forged_cursor_and_a_limit_that_is_none() {
    let sites = Sites::start();
    let mut lists = 0;
    for operation in sites.operations() {
        let parameters = operation.told["parameters"].as_array().cloned().unwrap_or_default();
        if !parameters.iter().any(|parameter| parameter["name"] == "after") {
            continue;
        }
        lists += 1;
        for limit in ["-1", "0", "201", "65536", "1e2", "+5", "x", ""] {
            let answer = sites.send(&operation, &format!("?limit={limit}"), &[], None, limit);
            // A plus is a blank in a query.
            assert_eq!((answer.status, named(&answer)), (422, vec!["limit".to_owned()]), "{} {limit}", operation.path);
        }
        for cursor in ["forged", "", "%27", "019ab000-0000-7000-8000-00000000000z", "../x", "eyJpZCI6MX0="] {
            let answer = sites.send(&operation, &format!("?after={cursor}"), &[], None, cursor);
            assert!(matches!(answer.status, 404 | 422), "{} {cursor}: {}", operation.path, answer.body);
        }
    }
    assert_eq!(lists, 9);
}

#[test]
fn every_address_refuses_what_is_no_name_of_anything() {
    let sites = Sites::start();
    let ids = ["x", "%00", "%ff", "..%2f..", "'", "%20", "-1", "NULL", "%E2%80%AE", "a%0Ab", &"x".repeat(3_000)];
    for operation in sites.operations().into_iter().filter(|operation| operation.path.contains('{')) {
        for id in ids {
            let body =
                operation.told["requestBody"]["content"].is_object().then_some(br#"{"role":"member"}"#.as_slice());
            let address = |_: &Site| operation.path.replace("{id}", id).replace("{account}", id).replace("{slug}", id);
            let answer = sites.send_to(&operation, address, &[], body, &format!("{id:.20}"));
            assert!(answer.status >= 400, "{} {} {id:.20}: {}", operation.method, operation.path, answer.body);
        }
    }
}

#[test]
fn headers_that_cannot_be_read_are_refused_as_problems() {
    let sites = Sites::start();
    let (site, wide) = &sites.each[0];
    let session = site.log_in("maria@example.com");
    let body = br#"{"scopes":["*"]}"#;
    for value in ["\u{e9}", "a b", "\"", "W/\"\"", &"x".repeat(5_000)] {
        for header in ["idempotency-key", "if-match", "x-confirm-password", "content-type", "x-forwarded-for"] {
            for token in [wide, &session] {
                let answer = site.call(token, "POST", "/api/v1/tokens", &[(header, value)], Some(body));
                assert!(answer.status < 500, "{header}: {value:.20}: {}", answer.body);
                let kind = if answer.status < 400 { "application/json" } else { "application/problem+json" };
                assert_eq!(answer.header("content-type"), kind, "{header}: {value:.20}: {}", answer.body);
            }
        }
    }
}
