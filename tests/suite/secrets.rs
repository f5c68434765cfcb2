//! The value of a token is in exactly one answer and nowhere else: not in tables, side files, logs or later pages.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::support::{PASSWORD, Site};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_value_is_in_one_answer_and_in_no_table_file_log_or_later_page() {
    let captured = Captured::default();
    let writer = captured.clone();
    // Everything that any crate would say, far below what telemetry lets through.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("canary", &["zones:listZones"]);
    let form = maria.get("/admin/accounts/new").form("/admin/accounts/new");
    let page = maria.post("/admin/accounts/new", &form.with(&[("name", "Jan"), ("email", "jan@example.com")]));
    let link = maria.confirm(&page, "/admin/accounts/new").attribute("#value", "value");
    let key = link.rsplit('/').next().unwrap();
    let jan = site.visitor();
    for path in [format!("/invite/{key}"), format!("/invite/{key}?x={key}"), format!("/invite/{key}x")] {
        jan.get(&path);
    }
    let form = jan.get(&format!("/invite/{key}")).form(&format!("/invite/{key}"));
    jan.post(&format!("/invite/{key}"), &form.clone().with(&[("password", "short")]));
    assert_eq!(jan.post(&format!("/invite/{key}"), &form.with(&[("password", PASSWORD)])).status, 303);
    jan.get(&format!("/invite/{key}"));
    let cookie = maria.cookie("hallpass").unwrap();
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    assert_eq!(site.verify(&value, "DELETE", "/api/v1/zones/a").status, 403);
    site.ask(
        "/verify",
        &[("X-Original-Method", "GET"), ("X-Original-URI", &format!("/api/v1/zones?access_token={value}"))],
    );
    // A value where a client's own words are kept.
    site.verify(&value, "GET", &format!("/api/v1/nothing/{value}/b?x={value}"));
    site.verify(&value, "GET", &format!("/api/v1/nothing/{}/{}", "a".repeat(270), value.replace('_', "%5F")));
    site.ask(
        "/verify",
        &[
            ("X-Original-Method", "GET"),
            ("X-Original-URI", "/api/v1/zones"),
            ("Authorization", &format!("Bearer {value}")),
            ("User-Agent", &format!("curl {value}")),
            ("X-Forwarded-For", &value),
        ],
    );
    let mistyped = format!("{}{}", &value[..44], if value.ends_with('a') { 'b' } else { 'a' });
    site.verify(&mistyped, "GET", "/api/v1/zones");
    maria.get(&format!("/settings/tokens?q={value}"));
    maria.get(&format!("/nothing/{value}?x={value}"));
    hallpass::jobs::flush_usage(&site.app).unwrap();

    assert!(maria.get("/settings/activity").body.contains("/api/v1/nothing/hp_…/b"));
    for path in [
        "/settings/tokens",
        "/settings/activity",
        "/settings/activity.csv",
        "/admin/accounts",
        "/settings/tokens/new",
        "/admin/apis/pdns",
        "/login",
    ] {
        assert!(!maria.get(path).body.contains(&value), "{path}");
    }
    let secrets = [value.as_str(), &value[8..], PASSWORD, &cookie, key];
    for table in [
        "settings",
        "teams",
        "accounts",
        "members",
        "invitations",
        "account_words",
        "guesses",
        "sessions",
        "confirmations",
        "apis",
        "services",
        "methods",
        "access_sets",
        "tokens",
        "generations",
        "uses",
        "events",
        "chain",
        "calls",
        "callers",
        "refusals",
    ] {
        for row in site.rows(table) {
            for secret in secrets {
                assert!(!row.contains(secret), "{table}: {row}");
            }
        }
    }
    for entry in std::fs::read_dir(site.folder.as_ref().unwrap().path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
    let log = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("hallpass")).collect();
    assert!(ours.len() > 10, "the log was captured");
    for line in ours {
        for secret in secrets {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
