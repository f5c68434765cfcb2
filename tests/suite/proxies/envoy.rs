//! Envoy as the README sets it up, and what is its own.

use super::stage::{Kind, Places, Scene, printed};
use super::{DESCRIPTION, STOP};
use crate::support::Site;
use std::path::Path;

pub const KIND: Kind = Kind { name: "envoy", program: "/opt/envoy/envoy/_bin/envoy", prepare, is_direct: true };

fn prepare(folder: &Path, places: &Places) -> Vec<String> {
    let port = |port| format!("port_value: {port} }}");
    let configuration = printed(
        "Envoy",
        "yaml",
        &[
            ("domains: [api.example.com]", "domains: [api.test]".into()),
            (&port(8080), port(places.hallpass.port())),
            (&port(9000), port(places.api.port())),
            ("{ address: 0.0.0.0, port_value: 80 }", format!("{{ address: 127.0.0.1, {}", port(places.proxy.port()))),
        ],
    );
    std::fs::write(folder.join("envoy.yaml"), configuration).unwrap();
    // A number of its own for the memory that it shares with a successor.
    ["-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"].map(Into::into).into()
}

#[test]
#[ignore = "needs Envoy"]
fn of_several_apis_the_configured_host_chooses_and_not_the_client_s() {
    let site = Site::start();
    let owner = site.owner();
    let mut scene = Scene::of(&KIND, &site, &owner);
    owner.import("hosted", DESCRIPTION, &[("hosts", "api.example.com")]);
    scene.value = owner.generate("hosted", &["hosted/control:stopenv"]);
    for more in ["", "X-Forwarded-Host: other.test\r\n"] {
        scene.expect(200, &scene.request("POST", STOP, more, ""));
        assert_eq!(scene.api.last().all("X-Hallpass-Method"), ["hosted/control:stopenv"]);
    }
    scene.value = owner.generate("other", &["jelastic/control:stopenv"]);
    scene.expect_refused(&scene.post(STOP));
}
