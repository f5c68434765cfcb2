//! HAProxy and its script as the README sets them up, and what is their own.

use super::STOP;
use super::stage::{Kind, Places, Scene, printed};
use crate::support::Site;
use std::path::Path;

pub const KIND: Kind = Kind { name: "haproxy", program: "/usr/sbin/haproxy", prepare };

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

#[test]
fn more_headers_than_its_client_sends_are_refused_and_not_dropped() {
    let site = Site::start();
    let scene = Scene::of(&KIND, &site, &site.owner());
    let many = |count: usize| (0..count).map(|number| format!("X-A{number}: 1\r\n")).collect::<String>();
    scene.expect(200, &scene.request("POST", STOP, &many(80), ""));
    for count in [90, 95, 98, 99, 110] {
        scene.expect_refused(&scene.request("POST", STOP, &many(count), ""));
    }
}

#[test]
fn a_script_that_fails_lets_nothing_pass() {
    fn prepare_broken(folder: &Path, places: &Places) -> Vec<String> {
        let arguments = prepare(folder, places);
        let script = std::fs::read_to_string(folder.join("hallpass.lua")).unwrap();
        let broken = script.replace("if answer.status == 200 then", "if answer.nothing.status == 200 then");
        assert_ne!(script, broken);
        std::fs::write(folder.join("hallpass.lua"), broken).unwrap();
        arguments
    }
    let site = Site::start();
    let scene = Scene::of(&Kind { prepare: prepare_broken, ..KIND }, &site, &site.owner());
    scene.expect(503, &scene.post(STOP));
    assert_eq!(scene.api.count(), 0);
}
