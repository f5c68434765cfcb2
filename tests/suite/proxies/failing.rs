//! Hallpass is gone, hangs or talks nonsense: the proxy refuses.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::STOP;
use super::stage::{Kind, Scene, saying};

pub fn without_hallpass_nothing_passes(kind: &Kind) {
    // The near end of a connection holds a port on which nobody listens.
    let far = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(far.local_addr().unwrap()).unwrap();
    let scene = Scene::before(kind, near.local_addr().unwrap(), "hp_x".into());
    assert!(scene.expect_refused(&scene.post(STOP)) >= 500);
    assert!(scene.expect_refused(&scene.request("GET", "/", "", "")) >= 500);
}

pub fn while_hallpass_hangs_nothing_passes(kind: &Kind) {
    // The system takes the connection; nobody ever reads from it.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let scene = Scene::before(kind, hanging.local_addr().unwrap(), "hp_x".into());
    assert!(scene.expect_refused(&scene.post(STOP)) >= 500);
}

pub fn an_answer_that_is_none_of_hallpass_s_lets_nothing_pass(kind: &Kind) {
    let said = Arc::new(Mutex::new(String::new()));
    let scene = Scene::before(kind, saying(said.clone()), "hp_x".into());
    for answer in [
        "",
        "HTTP/1.1 200",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Hallpass-Account: half",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ] {
        *said.lock().unwrap() = answer.to_owned();
        let status = scene.ask(&scene.post(STOP)).status;
        assert!(matches!(status, 302 | 404 | 500..=504), "{status} for {answer}");
        assert_eq!(scene.api.count(), 0, "{answer}");
    }
}
