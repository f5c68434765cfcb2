//! Every list by the API: `limit` is what a page holds, `total` what the list holds, and `next` leads through all of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Site;

/// More than a page has where nothing is asked for.
const ROWS: usize = 60;

/// The lists that the description has, by path.
fn lists(site: &Site) -> Vec<String> {
    let told = site.api("", "GET", "/api/openapi.json", Value::Null).json();
    let paths = told["paths"].as_object().unwrap().iter().filter(|(_, methods)| {
        let answer = &methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        answer.as_str().is_some_and(|named| named.ends_with("List"))
    });
    paths.map(|(path, _)| path.clone()).collect()
}

/// More than [`ROWS`] of everything, and the value of a token that may see it.
fn filled() -> (Site, String) {
    let site = Site::with(hallpass::policy::Policy { tokens_per_account: 1_000, ..Default::default() });
    let wide = site.owner_with_zones().generate("wide", &["*", "hallpass/*"]);
    let make = |method: &str, path: &str, body: Value| {
        let made = site.api(&wide, method, path, body);
        assert!(matches!(made.status, 200 | 201), "{path}: {}", made.body);
    };
    for nth in 0..ROWS {
        // In no order of their names, and some with the same one where that may be.
        let name = format!("n{:02}", (nth * 37) % ROWS);
        make("POST", "/api/v1/tokens", json!({ "name": name, "scopes": ["zones:listZones"] }));
        make("POST", "/api/v1/teams", json!({ "name": name }));
        make("POST", "/api/v1/service-accounts", json!({ "name": name, "role": "viewer" }));
        let person = json!({ "name": "Jan Peters", "email": format!("{name}@example.com"), "role": "viewer" });
        make("POST", "/api/v1/accounts", person);
        site.log_in("maria@example.com");
        let paths: Value =
            (0..2).map(|n| (format!("/p{n}"), json!({ "get": { "operationId": format!("get{n}") } }))).collect();
        let api = json!({ "openapi": "3.0.0", "info": { "title": name, "version": "1" }, "paths": paths });
        make("PUT", &format!("/api/v1/apis/{name}"), api);
    }
    (site, wide)
}

#[test]
fn every_list_is_walked_from_its_first_row_to_its_last() {
    let (site, wide) = filled();
    let paths = lists(&site);
    assert_eq!(paths.len(), 9, "{paths:?}");
    for path in paths {
        let page = |query: &str| {
            let answer = site.api(&wide, "GET", &format!("{path}?{query}"), Value::Null);
            assert_eq!(answer.status, 200, "{path}?{query}: {}", answer.body);
            let told = answer.json();
            (told["items"].as_array().unwrap().clone(), told["next"].as_str().map(str::to_owned), told["total"].clone())
        };
        let total = page("limit=1").2.as_u64().unwrap() as usize;
        assert!(total >= ROWS, "{path}: {total}");
        assert_eq!(page("").0.len(), 50, "{path}");
        assert_eq!(page("limit=200").0.len(), total.min(200), "{path}");
        for limit in [1, 7, 50, total, 200] {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let (items, next, told) = page(&format!("limit={limit}{after}"));
                assert_eq!(told, total, "{path} limit={limit}{after}");
                assert!(
                    items.len() == limit || next.is_none() && items.len() < limit,
                    "{path} limit={limit}: {}",
                    items.len()
                );
                seen.extend(items.iter().map(Value::to_string));
                let Some(next) = next else { break };
                after = format!("&after={}", url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
            }
            assert_eq!(
                (seen.len(), seen.iter().collect::<BTreeSet<_>>().len()),
                (total, total),
                "{path} limit={limit}"
            );
        }
    }
}

#[test]
fn a_search_is_counted_and_walked_like_a_whole_list() {
    let (site, wide) = filled();
    for (path, q) in [
        ("/api/v1/tokens", "n1"),
        ("/api/v1/teams", "n1"),
        ("/api/v1/service-accounts", "n1"),
        ("/api/v1/accounts", "n1"),
    ] {
        let page = |query: &str| site.api(&wide, "GET", &format!("{path}?q={q}{query}"), Value::Null).json();
        let first = page("&limit=6");
        assert_eq!((&first["total"], first["items"].as_array().unwrap().len()), (&json!(10), 6), "{path}");
        let rest = page(&format!("&limit=6&after={}", first["next"].as_str().unwrap()));
        assert_eq!((&rest["total"], rest["items"].as_array().unwrap().len()), (&json!(10), 4), "{path}");
        assert_eq!(rest["next"], Value::Null, "{path}");
    }
}
