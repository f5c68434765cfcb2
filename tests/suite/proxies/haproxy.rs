//! HAProxy and its script as the README sets them up, and what is their own.

use super::STOP;
use super::stage::{Kind, Places, Scene, printed, saying};
use crate::support::Site;
use std::path::Path;
use std::sync::Arc;

pub const KIND: Kind = Kind { name: "haproxy", program: "/usr/sbin/haproxy", prepare, is_direct: false };

fn prepare(folder: &Path, places: &Places) -> Vec<String> {
    let script = printed(
        "HAProxy",
        "lua",
        &[("http://127.0.0.1:8080/verify\"", format!("http://{}/verify\"", places.hallpass))],
    );
    std::fs::write(folder.join("hallpass.lua"), script).unwrap();
    let configuration = printed(
        "HAProxy",
        "haproxy",
        &[
            ("/etc/haproxy/hallpass.lua", folder.join("hallpass.lua").to_str().unwrap().to_owned()),
            ("bind :80 ", format!("bind {} ", places.proxy)),
            ("server api 127.0.0.1:9000", format!("server api {}", places.api)),
        ],
    );
    std::fs::write(folder.join("haproxy.cfg"), configuration).unwrap();
    ["-db", "-f", "haproxy.cfg"].map(Into::into).into()
}

/// With a piece of one of the two files changed.
fn changed(file: &str, from: &str, to: &str, folder: &Path, places: &Places) -> Vec<String> {
    let arguments = prepare(folder, places);
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}");
    std::fs::write(folder.join(file), text.replace(from, to)).unwrap();
    arguments
}

#[test]
fn a_header_that_is_refused_cannot_be_hidden_among_more_than_the_script_s_client_sends() {
    // Its client leaves out what is over this number, and says nothing.
    fn few(folder: &Path, places: &Places) -> Vec<String> {
        changed("haproxy.cfg", "global\n", "global\n    tune.http.maxhdr 30\n", folder, places)
    }
    for (kind, most) in [(Kind { prepare: few, ..KIND }, 30), (KIND, 101)] {
        let site = Site::start();
        let scene = Scene::of(&kind, &site, &site.owner());
        let among = |name: &str, count: usize, more: &str| {
            let others = format!("{name}: 1\r\n").repeat(count);
            [format!("{others}{more}"), format!("{more}{others}")].map(|more| scene.request("POST", STOP, &more, ""))
        };
        // Host, Authorization and Content-Length come on top.
        for name in ["User-Agent", "X-A"] {
            among(name, most - 4, "").iter().for_each(|request| scene.expect(200, request));
            for count in most - 12..most - 3 {
                for request in among(name, count, "X-HTTP-Method: DELETE\r\n") {
                    scene.expect_refused(&request);
                }
            }
        }
    }
}

#[test]
fn a_whole_address_is_asked_about_as_its_path() {
    let site = Site::start();
    let scene = Scene::of(&KIND, &site, &site.owner());
    // As HAProxy has every HTTP/2 request, too.
    scene.expect(200, &scene.post(&format!("http://api.test{STOP}?a=%2e")));
    assert_eq!(scene.api.last().line, format!("POST {STOP}?a=%2e HTTP/1.1"));
}

#[test]
fn a_yes_that_does_not_say_who_asks_is_none() {
    let bare = "HTTP/1.1 200 OK\r\nX-Hallpass-Account: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let scene = Scene::before(&KIND, saying(Arc::new(bare.to_owned().into())), "hp_x".into());
    scene.expect(503, &scene.post(STOP));
    assert_eq!(scene.api.count(), 0);
}

#[test]
fn a_script_that_fails_lets_nothing_pass() {
    fn broken(folder: &Path, places: &Places) -> Vec<String> {
        changed("hallpass.lua", "if answer.status == 200", "if answer.nothing.status == 200", folder, places)
    }
    let site = Site::start();
    let scene = Scene::of(&Kind { prepare: broken, ..KIND }, &site, &site.owner());
    scene.expect(503, &scene.post(STOP));
    assert_eq!(scene.api.count(), 0);
}
