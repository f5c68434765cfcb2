//! What was called with tokens: counted, refused calls found again, bounded; and the pages and files that show it.

use chrono::TimeDelta;
use hallpass::types::Role;

use crate::support::{Answer, Person, Site};

const ACTIVITY: &str = "/settings/activity";

fn flush(site: &Site) {
    hallpass::jobs::flush_usage(&site.app).unwrap();
}

fn reference(answer: &Answer) -> String {
    answer.json()["reference"].as_str().unwrap().to_owned()
}

/// Rows of the log that the page shows.
fn rows(page: &Answer) -> Vec<String> {
    let html = page.html();
    let rows = scraper::Selector::parse("[aria-label='Activity log'] tbody tr").unwrap();
    html.select(&rows)
        .map(|row| row.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn link(page: &Answer, rel: &str) -> String {
    page.attribute(&format!("a[rel={rel}]"), "href")
}

fn counters(site: &Site) -> Vec<String> {
    site.texts(
        "SELECT day || ' ' || method || ' ' || accepted || ' ' || refused AS text FROM calls ORDER BY day, method",
    )
}

fn callers(site: &Site) -> Vec<String> {
    site.texts("SELECT ip || ' ' || accepted || ' ' || refused AS text FROM callers ORDER BY ip")
}

fn from(site: &Site, value: &str, address: &str) -> u16 {
    let bearer = format!("Bearer {value}");
    let headers = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/api/v1/zones"),
        ("Authorization", bearer.as_str()),
        ("X-Forwarded-For", address),
    ];
    site.ask("/verify", &headers).status
}

#[test]
fn calls_are_counted_by_day_and_method_and_added_up_over_flushes_and_processes() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones", "zones:readZone"]);
    site.verify(&value, "GET", "/api/v1/zones");
    site.verify(&value, "GET", "/api/v1/zones");
    site.verify(&value, "GET", "/api/v1/zones/a");
    site.verify(&value, "DELETE", "/api/v1/zones/a");
    site.verify(&value, "GET", "/api/v1/nothing");
    flush(&site);
    let other = site.beside();
    other.verify(&value, "GET", "/api/v1/zones");
    flush(&other);
    let today = [
        "2026-11-23  0 1",
        "2026-11-23 pdns/zones:deleteZone 0 1",
        "2026-11-23 pdns/zones:listZones 3 0",
        "2026-11-23 pdns/zones:readZone 1 0",
    ];
    assert_eq!(counters(&site), today);
    site.pass(TimeDelta::hours(15));
    maria.sign_in("maria@example.com", crate::support::PASSWORD);
    site.verify(&value, "GET", "/api/v1/zones");
    flush(&site);
    flush(&site);
    assert_eq!(counters(&site), [&today[..], &["2026-11-24 pdns/zones:listZones 1 0"]].concat());

    let page = maria.get(ACTIVITY).text();
    for part in ["5 accepted in 30 days", "2 refused", "1 token in use", "zones:listZones 4 0", "No known method 0 1"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(
        page.contains("Calls per day, 26 Oct to 24 Nov. 5 accepted, 2 refused. Most were refused on 23 Nov"),
        "{page}"
    );
}

#[test]
fn an_account_without_calls_has_a_sentence_in_place_of_the_chart() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let page = maria.get(ACTIVITY);
    assert!(page.text().contains("No calls in the last 30 days"), "{}", page.text());
    assert!(!page.body.contains("<svg class=\"chart\""));
}

#[test]
fn a_call_over_its_rate_is_a_refused_one_and_can_be_looked_up() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.token_form("slow", &["zones:listZones"]).with(&[("rate_per_minute", "1")]);
    let value = maria.generate_from(&form);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    let refused = site.verify(&value, "GET", "/api/v1/zones");
    assert_eq!(refused.status, 429);
    flush(&site);
    assert_eq!(counters(&site), ["2026-11-23 pdns/zones:listZones 1 1"]);
    let found = rows(&maria.get(&format!("{ACTIVITY}?q={}", reference(&refused))));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("zones:listZones: The token has used up its requests for now."), "{found:?}");
    assert!(found[0].ends_with("429"), "{found:?}");
}

#[test]
fn a_refusal_is_found_by_its_reference_and_leads_to_allowing_the_method() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let id = maria.id_of("ci");
    let refused = site.verify(&value, "DELETE", "/api/v1/zones/a?x=1");
    let other = site.verify(&value, "GET", "/api/v1/nothing");
    flush(&site);
    let page = maria.get(&format!("{ACTIVITY}?q={}", reference(&refused)));
    let [row] = &rows(&page)[..] else { panic!("{:?}", rows(&page)) };
    for part in [
        "23 Nov, 10:40:00 Call refused ci",
        "zones:deleteZone: The method is not among the token's scopes. Allow this…",
        "DELETE /api/v1/zones/a",
        &format!("Reference {}, DELETE", reference(&refused)),
    ] {
        assert!(row.contains(part), "{part} in {row}");
    }
    assert!(row.ends_with(" 403"), "{row}");
    let allow = format!("/settings/tokens/{id}?allow=zones%3AdeleteZone");
    assert!(page.body.contains(&format!("href=\"{allow}\"")), "{}", page.body);
    // Words of the row find it too; what is refused by another rule has no such link.
    let page = maria.get(&format!("{ACTIVITY}?q=NOTHING+catalogue&show=refused"));
    assert!(rows(&page)[0].contains(&reference(&other)), "{:?}", rows(&page));
    assert!(!page.body.contains("Allow this"));
    assert_eq!(rows(&maria.get(&format!("{ACTIVITY}?show=changes&q={}", reference(&refused)))).len(), 0);
}

#[test]
fn a_removed_token_is_named_but_leads_nowhere() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let id = maria.id_of("ci");
    site.verify(&value, "DELETE", "/api/v1/zones/a");
    maria.remove("ci");
    flush(&site);
    let page = maria.get(ACTIVITY);
    assert!(rows(&page).iter().any(|row| row.contains("Token removed ci")), "{:?}", rows(&page));
    assert!(!page.body.contains(&format!("/settings/tokens/{id}\"")) && !page.body.contains("Allow this"));
    assert_eq!(maria.get(&format!("/settings/tokens/{id}/activity")).status, 200);
}

#[test]
fn changes_are_told_in_words_and_one_s_own_are_by_you() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones", "zones:readZone"]);
    let jan = site.visitor();
    jan.sign_in("maria@example.com", "a wrong password at all");
    let page = maria.get(&format!("{ACTIVITY}?show=changes"));
    let shown = rows(&page);
    let has = |parts: &[&str]| shown.iter().any(|row| parts.iter().all(|part| row.contains(part)));
    assert!(has(&["Token generated ci", "Custom, 2 methods, expires 21 Feb 2027", "You"]), "{shown:?}");
    assert!(has(&["Signed in", "You"]), "{shown:?}");
    assert!(has(&["Sign-in refused", "somebody"]), "{shown:?}");
    assert!(has(&["Account set up", "maria@example.com, owner", "You"]), "{shown:?}");
    assert!(!page.text().contains('{'), "{}", page.text());
}

#[test]
fn another_s_token_is_not_there_and_its_activity_not_shown() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("secret-name", &["zones:listZones"]);
    let id = maria.id_of("secret-name");
    let refused = site.verify(&value, "DELETE", "/api/v1/zones/a");
    site.verify(&value, "GET", "/api/v1/zones");
    flush(&site);
    let jan = site.person("jan@example.com", Role::Contributor);
    for path in ["activity", "activity.csv"] {
        assert_eq!(jan.get(&format!("/settings/tokens/{id}/{path}")).status, 404);
        assert_eq!(jan.get(&format!("/settings/tokens/nothing/{path}")).status, 404);
    }
    for query in ["", "?q=secret", &format!("?q={}", reference(&refused)), "?show=refused"] {
        for path in [ACTIVITY, "/settings/activity.csv"] {
            let page = jan.get(&format!("{path}{query}"));
            assert_eq!(page.status, 200);
            assert!(!page.body.contains("secret-name") && !page.body.contains("deleteZone"), "{path}{query}");
        }
    }
    assert!(jan.get(ACTIVITY).text().contains("No calls in the last 30 days"));
    let admin = site.person("boss@example.com", Role::Admin);
    let page = admin.get(&format!("/settings/tokens/{id}/activity"));
    assert_eq!(page.status, 200);
    assert!(
        rows(&page).iter().any(|row| row.contains("Token generated") && row.ends_with("Maria Keller")),
        "{:?}",
        rows(&page)
    );
    assert!(admin.get(ACTIVITY).text().contains("No calls in the last 30 days"));
}

#[test]
fn one_token_s_activity_is_of_that_token_alone() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let (one, two) = (maria.generate("one", &["zones:listZones"]), maria.generate("two", &["zones:readZone"]));
    site.verify(&one, "GET", "/api/v1/zones");
    site.verify(&two, "GET", "/api/v1/zones/a");
    site.verify(&two, "DELETE", "/api/v1/zones/a");
    flush(&site);
    let page = maria.get(&format!("/settings/tokens/{}/activity", maria.id_of("one")));
    let text = page.text();
    assert!(text.contains("Activity of one") && text.contains("1 accepted in 30 days"), "{text}");
    assert!(!text.contains("two") && !text.contains("readZone") && !text.contains("deleteZone"), "{text}");
    assert_eq!(rows(&page).len(), 1);
}

/// Refusals one second apart; each flush keeps only so many of one token.
fn refusals(site: &Site, value: &str, many: usize) {
    for nth in 0..many {
        site.pass_unheard(TimeDelta::seconds(1));
        site.app.follow().unwrap();
        site.verify(value, "GET", &format!("/api/v1/nothing/n{nth}x"));
        flush(site);
    }
}

fn walk(person: &Person<'_>, path: &str, rel: &str) -> (Vec<Vec<String>>, String) {
    let (mut pages, mut path) = (Vec::new(), path.to_owned());
    loop {
        let page = person.get(&path);
        pages.push(rows(&page));
        if !page.body.contains(&format!("rel=\"{rel}\"")) {
            return (pages, path);
        }
        path = link(&page, rel);
    }
}

#[test]
fn paging_shows_every_row_once_there_and_back() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    refusals(&site, &value, 118);
    let (pages, last) = walk(&maria, ACTIVITY, "next");
    assert_eq!(
        pages.iter().map(Vec::len).collect::<Vec<_>>(),
        [50, 50, 21],
        "118 refusals, set-up, sign-in, generated"
    );
    let all: Vec<String> = pages.concat();
    let unique: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(unique.len(), all.len());
    assert!(all[0].contains("/n117x") && all[117].contains("/n0x"), "{} {}", all[0], all[117]);
    assert!(maria.get(ACTIVITY).text().contains("1 to 50 of 121"));
    assert!(maria.get(&last).text().contains("101 to 121 of 121"), "{}", maria.get(&last).text());
    let (mut back, first) = walk(&maria, &last, "prev");
    back.reverse();
    assert_eq!(back, pages);
    assert_eq!(first, ACTIVITY);
    assert_eq!(walk(&maria, &format!("{ACTIVITY}?show=refused"), "next").0.iter().map(Vec::len).sum::<usize>(), 118);
    assert_eq!(maria.get(&format!("{ACTIVITY}?after=nonsense%00")).status, 200);
}

#[test]
fn a_search_takes_percent_and_underscore_as_they_are() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for name in ["plain r-s rxc kks", "under_score", "per%cent", "back\\slash"] {
        maria.generate(name, &["zones:listZones"]);
    }
    for (q, expected) in
        [("r_s", "under_score"), ("r%25c", "per%cent"), ("k%5Cs", "back\\slash"), ("UNDER+generate", "under_score")]
    {
        let found = rows(&maria.get(&format!("{ACTIVITY}?show=changes&q={q}")));
        let tokens: Vec<&String> = found.iter().filter(|row| row.contains("Token generated")).collect();
        assert!(tokens.iter().any(|row| row.contains(expected)), "{q}: {tokens:?}");
        assert!(!tokens.iter().any(|row| row.contains("plain")), "{q}: {tokens:?}");
    }
    let none = maria.get(&format!("{ACTIVITY}?q=nothing-like-it"));
    assert!(none.text().contains("Nothing matches “nothing-like-it”"), "{}", none.text());
}

#[test]
fn the_file_has_the_rows_of_the_page_and_no_cell_that_a_spreadsheet_would_run() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("=HYPERLINK(\"http://evil\"), \"x\"", &["zones:listZones"]);
    maria.generate("@SUM(1)", &["zones:listZones"]);
    let refused = site.verify(&value, "DELETE", "/api/v1/zones/a");
    flush(&site);
    let file = maria.get("/settings/activity.csv");
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"hallpass-activity.csv\"");
    assert_eq!(file.header("cache-control"), "no-store");
    let lines: Vec<&str> = file.body.split("\r\n").collect();
    assert_eq!(
        lines[0], r#""time","event","token","detail","request","address","by","result","reference""#,
        "quoted, or a semicolon would begin a cell in some countries"
    );
    assert_eq!(lines.last(), Some(&""));
    assert!(file.body.contains("\"'=HYPERLINK(\"\"http://evil\"\"), \"\"x\"\"\""), "{}", file.body);
    assert!(file.body.contains(r#","'@SUM(1)","#), "{}", file.body);
    for line in &lines {
        for cell in line.split("\",\"") {
            assert!(!cell.trim_matches('"').starts_with(['=', '+', '-', '@']), "{line}");
        }
    }
    let row = lines.iter().find(|line| line.trim_matches('"').ends_with(&reference(&refused))).unwrap();
    assert!(row.starts_with(r#""2026-11-23T09:40:00.000Z","Call refused","#), "{row}");
    assert!(row.contains("DELETE /api/v1/zones/a") && row.contains(r#","403","#), "{row}");
    let narrowed = maria.get("/settings/activity.csv?show=refused&q=deletezone");
    assert_eq!(narrowed.body.split("\r\n").count(), 3, "{}", narrowed.body);
}

#[test]
fn use_is_of_the_value_that_was_sent() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate("ci", &["zones:listZones"]);
    // As regenerating with a grace leaves it.
    let new = hallpass::secret::Secret::generate("hp", &site.app.random).unwrap();
    let (digest, starts) = (new.digest().hex(), new.starts_with());
    site.app
        .write_now(|tx| {
            use diesel::prelude::*;
            let version = tx.version()?;
            for sql in [
                "UPDATE generations SET ends_at = '2026-11-24 09:40:00'".to_owned(),
                format!(
                    "INSERT INTO generations (token_id, number, digest, starts_with, created_at) \
                     SELECT id, 2, '{digest}', '{starts}', created_at FROM tokens"
                ),
                format!("UPDATE tokens SET version = {version}"),
            ] {
                diesel::sql_query(sql).execute(tx.conn)?;
            }
            Ok(())
        })
        .unwrap();
    site.app.follow().unwrap();
    let used = || {
        flush(&site);
        let at = "coalesce(CAST(used_at AS TEXT), 'never')";
        site.texts(&format!("SELECT number || ' ' || substr({at}, 1, 16) AS text FROM generations ORDER BY number"))
            .iter()
            .map(|row| row.replace('T', " "))
            .collect::<Vec<_>>()
    };
    assert_eq!(site.verify(&old, "DELETE", "/api/v1/zones/a").status, 403);
    assert_eq!(used(), ["1 never", "2 never"], "a refused call is no use");
    assert_eq!(site.verify(&old, "GET", "/api/v1/zones").status, 200);
    assert_eq!(used(), ["1 2026-11-23 09:40", "2 never"]);
    site.pass(TimeDelta::minutes(5));
    let version = site.texts("SELECT CAST(version AS TEXT) AS text FROM tokens");
    assert_eq!(site.verify(new.reveal(), "GET", "/api/v1/zones").status, 200);
    assert_eq!(used(), ["1 2026-11-23 09:40", "2 2026-11-23 09:45"]);
    assert_eq!(site.texts("SELECT CAST(version AS TEXT) AS text FROM tokens"), version, "use raises no version");
}

#[test]
fn a_flush_that_the_database_refuses_is_neither_lost_nor_counted_twice() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    site.verify(&value, "GET", "/api/v1/zones");
    let refused = site.verify(&value, "DELETE", "/api/v1/zones/a");
    // The last table of the transaction: all that was written before it has to be taken back.
    let alter = |sql: &str| {
        use diesel::prelude::*;
        site.app.write_now(|tx| Ok(diesel::sql_query(sql).execute(tx.conn).map(|_| ())?)).unwrap();
    };
    alter("ALTER TABLE refusals RENAME TO away");
    assert!(hallpass::jobs::flush_usage(&site.app).is_err());
    assert!(hallpass::jobs::flush_usage(&site.app).is_err());
    assert_eq!(counters(&site), Vec::<String>::new());
    alter("ALTER TABLE away RENAME TO refusals");
    site.verify(&value, "GET", "/api/v1/zones");
    flush(&site);
    flush(&site);
    assert_eq!(counters(&site), ["2026-11-23 pdns/zones:deleteZone 0 1", "2026-11-23 pdns/zones:listZones 2 0"]);
    assert_eq!(site.texts("SELECT reference AS text FROM refusals"), [reference(&refused)]);
}

#[test]
fn what_is_gathered_of_a_purged_token_is_passed_over() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let (gone, there) = (maria.generate("gone", &["zones:listZones"]), maria.generate("there", &["zones:listZones"]));
    for value in [&gone, &there] {
        site.verify(value, "GET", "/api/v1/zones");
        site.verify(value, "GET", "/api/v1/nothing");
    }
    use diesel::prelude::*;
    site.app
        .write_now(|tx| Ok(diesel::sql_query("DELETE FROM tokens WHERE name = 'gone'").execute(tx.conn).map(|_| ())?))
        .unwrap();
    flush(&site);
    assert_eq!(counters(&site), ["2026-11-23  0 1", "2026-11-23 pdns/zones:listZones 1 0"]);
    assert_eq!(site.texts("SELECT token_name AS text FROM refusals"), ["there"]);
}

#[test]
fn a_token_that_calls_from_everywhere_fills_two_hundred_rows_a_day() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    for nth in 0..150 {
        assert_eq!(from(&site, &value, &format!("203.0.113.{nth}")), 200);
    }
    flush(&site);
    for nth in 0..150 {
        from(&site, &value, &format!("198.51.100.{nth}"));
    }
    from(&site, &value, "203.0.113.7");
    flush(&site);
    let rows = callers(&site);
    assert_eq!(rows.len(), 201);
    assert_eq!(rows[0], " 100 0");
    assert!(rows.contains(&"203.0.113.7 2 0".to_owned()));
    let page = maria.get(ACTIVITY).text();
    assert!(page.contains("200 source addresses") && page.contains("Others and unknown 100 0 23 Nov"), "{page}");
}

#[test]
fn of_a_noisy_token_the_newest_refusals_are_kept_and_all_are_counted() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("noisy", &["zones:listZones"]);
    let id: uuid::Uuid = maria.id_of("noisy").parse().unwrap();
    for _ in 0..60 {
        site.pass_unheard(TimeDelta::seconds(5));
        for nth in 0..25 {
            let request = hallpass::refusal::Request { http_method: "GET", target: &format!("/n{nth}"), ip: None };
            let (rule, now) = (hallpass::refusal::Rule::NoMethod, site.app.now());
            let noted = hallpass::refusal::Noted::new(rule, None, &request, now, &site.app.random).unwrap();
            let call = hallpass::usage::Call { token: id, method: "", at: now, ip: None };
            site.app.usage.refused(call, noted);
        }
        flush(&site);
    }
    assert_eq!(site.rows("refusals").len(), 1_000);
    assert_eq!(counters(&site), ["2026-11-23  0 1500"]);
    site.app.follow().unwrap();
    let refused = site.verify(&value, "GET", "/api/v1/nothing");
    flush(&site);
    assert_eq!(site.rows("refusals").len(), 1_000);
    assert_eq!(rows(&maria.get(&format!("{ACTIVITY}?q={}", reference(&refused)))).len(), 1);
}

#[test]
fn paths_of_any_kind_are_cut_to_what_both_databases_keep() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let long = format!("/api/v1/zones/{}", "a/".repeat(3_000));
    for path in ["/api/v1/zones/a%00b", long.as_str(), "/api/v1/<script>", "/api/v1/zones/%zz"] {
        assert_eq!(site.verify(&value, "GET", path).status, 403, "{path:.40}");
    }
    // Through the core, where no header stands in the way of NUL.
    let id: uuid::Uuid = maria.id_of("ci").parse().unwrap();
    let target = format!("/\0nul\r\n{}", "é/".repeat(5_000));
    let request = hallpass::refusal::Request { http_method: "GE\0T", target: &target, ip: None };
    let (rule, now) = (hallpass::refusal::Rule::NoMethod, site.app.now());
    let noted = hallpass::refusal::Noted::new(rule, None, &request, now, &site.app.random).unwrap();
    let call = hallpass::usage::Call { token: id, method: "", at: now, ip: None };
    site.app.usage.refused(call, noted);
    site.app.usage.accepted(call, 1, "agent\0\u{7}");
    flush(&site);
    let paths = site.texts("SELECT http_method || ' ' || path AS text FROM refusals ORDER BY length(path)");
    assert_eq!(paths.len(), 5);
    assert!(paths.iter().all(|path| path.chars().count() <= 304 && !path.chars().any(char::is_control)), "{paths:?}");
    assert_eq!(site.texts("SELECT agent AS text FROM uses"), ["agent"]);
    let page = maria.get(&format!("{ACTIVITY}?show=refused"));
    assert_eq!(rows(&page).len(), 5);
    assert!(!page.body.contains("<script>"));
}

#[test]
fn counters_go_after_90_days_and_refusals_after_a_week() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "365")]));
    let prune = || hallpass::jobs::prune_all(&site.app).unwrap();
    let left = || (site.rows("calls").len(), site.rows("callers").len(), site.rows("refusals").len());
    site.verify(&value, "GET", "/api/v1/nothing");
    flush(&site);
    site.pass(TimeDelta::days(7));
    prune();
    assert_eq!(left(), (1, 1, 1), "at a week to the second it is still there");
    site.pass(TimeDelta::seconds(1));
    prune();
    assert_eq!(left(), (1, 1, 0));
    site.pass(TimeDelta::days(83));
    prune();
    assert_eq!(left(), (1, 1, 0), "the ninetieth day");
    site.verify(&value, "GET", "/api/v1/zones");
    flush(&site);
    site.pass(TimeDelta::days(1));
    prune();
    assert_eq!(counters(&site), ["2027-02-21 pdns/zones:listZones 1 0"]);
    assert_eq!(left(), (1, 1, 0));
}

/// Both go through all tables in the same order: one waits for the other, and neither is broken off.
#[test]
fn two_processes_that_flush_at_once_lose_nothing() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let ids: Vec<_> = (0..20)
        .map(|nth| {
            maria.generate(&format!("t{nth}"), &["zones:listZones"]);
            maria.id_of(&format!("t{nth}")).parse::<uuid::Uuid>().unwrap()
        })
        .collect();
    let other = site.beside();
    let now = site.app.now();
    let busy = |of: &Site, turn: usize| {
        for round in 0..20 {
            for nth in 0..ids.len() {
                let token = ids[(nth * (turn + 1) + round) % ids.len()];
                let call = hallpass::usage::Call { token, method: "pdns/zones:listZones", at: now, ip: None };
                of.app.usage.accepted(call, 1, "agent");
            }
            hallpass::jobs::flush_usage(&of.app).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| busy(&site, 0));
        scope.spawn(|| busy(&other, 2));
    });
    let sum = |table: &str| site.texts(&format!("SELECT CAST(SUM(accepted) AS TEXT) AS text FROM {table}"));
    assert_eq!((sum("calls"), sum("callers")), (vec!["800".to_owned()], vec!["800".to_owned()]));
}
