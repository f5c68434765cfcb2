//! nginx as the README sets it up, and what is its own.

use super::stage::{Kind, Places, Scene, printed};
use crate::support::Site;
use std::path::Path;

pub const KIND: Kind = Kind { name: "nginx", program: "/usr/sbin/nginx", prepare, is_direct: false };

fn prepare(folder: &Path, places: &Places) -> Vec<String> {
    let server = printed(
        "nginx",
        "nginx",
        &[
            ("server 127.0.0.1:8080;", format!("server {};", places.hallpass)),
            ("server 127.0.0.1:9000;", format!("server {};", places.api)),
            ("listen 80;", format!("listen {};", places.proxy)),
        ],
    );
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
