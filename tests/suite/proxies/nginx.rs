//! nginx as the README sets it up, and what is its own.

use std::path::Path;

use hallpass::policy::Policy;

use super::stage::{Kind, Places, Scene, printed};
use super::{START, STOP};
use crate::support::Site;

pub const KIND: Kind = Kind { name: "nginx", program: "/usr/sbin/nginx", prepare, is_direct: false };

/// With the lines for values in the query in the place of those that they replace.
pub const IN_QUERY: Kind = Kind { prepare: prepare_for_values_in_the_query, ..KIND };

fn prepare(folder: &Path, places: &Places) -> Vec<String> {
    start_with(folder, server(places))
}

fn server(places: &Places) -> String {
    printed(
        "nginx",
        "nginx",
        &[
            ("server 127.0.0.1:8080;", format!("server {};", places.hallpass)),
            ("server 127.0.0.1:9000;", format!("server {};", places.api)),
            ("listen 80;", format!("listen {};", places.proxy)),
        ],
    )
}

fn start_with(folder: &Path, server: String) -> Vec<String> {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = kinds.iter().map(|kind| format!("{kind}_temp_path {kind};\n")).collect();
    let around = "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {}\n";
    let whole = format!("{around}http {{\naccess_log off;\n{folders}{server}\n}}\n");
    std::fs::write(folder.join("nginx.conf"), whole).unwrap();
    let prefix = folder.to_str().unwrap();
    ["-p", prefix, "-c", "nginx.conf", "-e", "stderr"].map(Into::into).into()
}

#[test]
fn the_address_of_the_question_cannot_be_reached_from_outside() {
    let site = Site::start();
    let scene = Scene::of(&KIND, &site, &site.owner());
    scene.expect(404, &scene.request("POST", "/_hallpass", "", ""));
    assert_eq!(scene.api.count(), 0);
}

fn prepare_for_values_in_the_query(folder: &Path, places: &Places) -> Vec<String> {
    let usual = server(places);
    let (before, rest) = usual.split_once("    location / {").unwrap();
    let (_, after) = rest.split_once("    }\n").unwrap();
    start_with(folder, format!("{before}{}{after}", printed("Values in the query", "nginx", &[])))
}

#[test]
fn a_value_in_the_query_goes_no_further_than_to_hallpass() {
    let site = Site::with(Policy { value_in_query: true, ..Policy::default() });
    let scene = Scene::of(&IN_QUERY, &site, &site.owner());
    let without = |target: &str| format!("POST {target} HTTP/1.1\r\nHost: api.test\r\nContent-Length: 0\r\n\r\n");
    for (sent, passed_on) in [
        (format!("{STOP}?session={}", scene.value), STOP.to_owned()),
        (format!("{STOP}?a=%20b+c&access_token={}&d", scene.value), format!("{STOP}?a=%20b+c&d")),
    ] {
        scene.expect(200, without(&sent).as_bytes());
        let received = scene.api.last();
        assert_eq!(received.line, format!("POST {passed_on} HTTP/1.1"));
        assert!(received.headers.iter().all(|(_, text)| !text.contains(&scene.value)));
    }
    scene.expect(200, &scene.post(&format!("{STOP}?a=b")));
    assert_eq!(scene.api.last().line, format!("POST {STOP}?a=b HTTP/1.1"));
    scene.expect_refused(without(&format!("{START}?session={}", scene.value)).as_bytes());
}
