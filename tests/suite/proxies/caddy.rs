//! Caddy as the README sets it up, and what is its own.

use super::STOP;
use super::stage::{Kind, Places, Scene, printed};
use crate::support::Site;
use std::path::Path;

pub const KIND: Kind = Kind { name: "caddy", program: "/usr/bin/caddy", prepare, is_direct: false };

fn prepare(folder: &Path, places: &Places) -> Vec<String> {
    let site = printed(
        "Caddy",
        "caddyfile",
        &[
            ("forward_auth 127.0.0.1:8080 ", format!("forward_auth {} ", places.hallpass)),
            ("reverse_proxy 127.0.0.1:9000", format!("reverse_proxy {}", places.api)),
            ("api.example.com {", format!("http://:{} {{\n\tbind {}", places.proxy.port(), places.proxy.ip())),
        ],
    );
    // No port for its administration, which another Caddy may have.
    std::fs::write(folder.join("Caddyfile"), format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}")).unwrap();
    ["run", "--config", "Caddyfile", "--adapter", "caddyfile"].map(Into::into).into()
}

#[test]
fn the_client_s_query_does_not_become_that_of_the_question() {
    let site = Site::start();
    let scene = Scene::of(&KIND, &site, &site.owner());
    scene.expect(200, &scene.post(&format!("{STOP}?api=other&deny=403")));
    assert_eq!(scene.api.last().line, format!("POST {STOP}?api=other&deny=403 HTTP/1.1"));
}
