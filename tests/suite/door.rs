//! Clients that take their time, who may connect, and stopping: driven through sockets, with limits of some 100 ms.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hallpass::limits::Limits;
use hallpass::policy::Policy;

use crate::support::{Site, config};

const SHORT: Duration = Duration::from_millis(150);
/// A limit that is not the one tried.
const LONG: Duration = Duration::from_secs(60);
const FEW: Limits = Limits {
    connections: 100,
    head: LONG,
    idle: LONG,
    body: LONG,
    write: LONG,
    rate: 1_000_000_000,
    look: Duration::from_millis(20),
    farewell: Duration::from_millis(500),
    patience: Duration::from_secs(5),
};
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

fn site(limits: Limits) -> Site {
    let mut config = config();
    config.limits = limits;
    Site::configured(Policy::default(), config)
}

/// The test fails after half the time of the limits that are not tried.
fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(site.address).unwrap();
    stream.set_read_timeout(Some(LONG / 2)).unwrap();
    stream.set_write_timeout(Some(LONG / 2)).unwrap();
    stream
}

fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"ok\n") && !text.ends_with(b"ready\n") {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&some[..count]);
    }
    String::from_utf8(text).unwrap()
}

/// Blocks until the server has closed; who is closed on in the midst of sending may hear of it as a reset.
fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Err(cause) if cause.kind() != ErrorKind::ConnectionReset => panic!("{cause}"),
        _ => String::from_utf8_lossy(&text).into_owned(),
    }
}

#[test]
fn who_connects_and_says_nothing_is_left() {
    let site = site(Limits { head: SHORT, ..FEW });
    assert_eq!(rest(&mut connect(&site)), "");
}

#[test]
fn a_head_that_does_not_end_is_left_the_first_as_well_as_a_later_one() {
    let site = site(Limits { head: SHORT, ..FEW });
    let mut stream = connect(&site);
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert_eq!(rest(&mut stream), "");
    let mut stream = connect(&site);
    stream.write_all(REQUEST).unwrap();
    assert!(answer(&mut stream).starts_with("HTTP/1.1 200"));
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert_eq!(rest(&mut stream), "");
}

#[test]
fn an_idle_connection_is_kept_for_its_time_and_then_closed() {
    let site = site(Limits { idle: SHORT, ..FEW });
    let mut stream = connect(&site);
    stream.write_all(REQUEST).unwrap();
    answer(&mut stream);
    let since = Instant::now();
    assert_eq!(rest(&mut stream), "");
    assert!(since.elapsed() >= SHORT / 2, "{:?}", since.elapsed());
}

fn head_of_a_form(length: usize) -> String {
    let kind = "application/x-www-form-urlencoded";
    format!("POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn a_body_that_does_not_come_is_left() {
    let site = site(Limits { body: SHORT, ..FEW });
    let mut stream = connect(&site);
    stream.write_all(head_of_a_form(4000).as_bytes()).unwrap();
    stream.write_all(b"email=").unwrap();
    assert_eq!(rest(&mut stream), "");
}

#[test]
fn a_body_that_comes_at_the_least_rate_may_take_longer() {
    let site = site(Limits { body: SHORT, rate: 10, ..FEW });
    let mut stream = connect(&site);
    stream.write_all(head_of_a_form(4000).as_bytes()).unwrap();
    stream.write_all(&[b'a'; 2000]).unwrap();
    stream.set_read_timeout(Some(SHORT * 3)).unwrap();
    assert_eq!(stream.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock, "200 s are earned");
    stream.set_read_timeout(Some(LONG / 2)).unwrap();
    stream.write_all(&[b'a'; 2000]).unwrap();
    let mut start = [0; 9];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 ");
}

#[test]
fn who_asks_on_and_on_and_takes_no_answer_is_not_read_from_and_is_left() {
    let site = site(Limits { write: SHORT, ..FEW });
    let mut stream = connect(&site);
    let many = b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let mut sent = 0;
    let cause = loop {
        match stream.write(&many) {
            Ok(count) => sent += count,
            Err(cause) => break cause,
        }
    };
    assert!(matches!(cause.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{cause}");
    assert!(sent < 8_000_000, "{sent}");
}

#[test]
fn who_is_one_too_many_waits_until_another_has_gone() {
    let site = site(Limits { connections: 1, ..FEW });
    let mut first = connect(&site);
    first.write_all(REQUEST).unwrap();
    answer(&mut first);
    let mut second = connect(&site);
    second.write_all(REQUEST).unwrap();
    second.set_read_timeout(Some(SHORT)).unwrap();
    assert_eq!(second.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(first);
    second.set_read_timeout(Some(LONG / 2)).unwrap();
    assert!(answer(&mut second).starts_with("HTTP/1.1 200"));
}

#[test]
fn while_stopping_everybody_is_answered_and_told_that_it_was_the_last_time() {
    let site = site(FEW);
    let mut writing = connect(&site);
    writing.write_all(head_of_a_form(4).as_bytes()).unwrap();
    let mut idle = connect(&site);
    idle.write_all(REQUEST).unwrap();
    assert!(!answer(&mut idle).contains("connection: close"));
    site.begin_to_stop();
    for mut stream in [idle, connect(&site)] {
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let told = rest(&mut stream);
        assert!(told.starts_with("HTTP/1.1 503") && told.contains("connection: close"), "{told}");
    }
    writing.write_all(b"a=bc").unwrap();
    let told = rest(&mut writing);
    assert!(told.starts_with("HTTP/1.1 ") && told.contains("connection: close"), "{told}");
}

#[test]
fn metrics_count_verdicts_for_who_may_read_them() {
    let site = Site::start();
    let owner = site.owner_with_zones();
    let value = owner.generate("ci", &["zones:listZones"]);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    assert_eq!(site.verify(&value, "DELETE", "/nowhere").status, 403);
    let page = site.ask("/metrics", &[]);
    assert_eq!(page.status, 200);
    for line in [
        r#"hallpass_verdicts_total{verdict="pass",rule=""} 1"#,
        r#"hallpass_verdicts_total{verdict="refused",rule="no_method"} 1"#,
        "hallpass_verify_duration_seconds_count 2",
        "hallpass_index_values 1",
        "hallpass_index_accounts 1",
        "hallpass_usage_calls_dropped_total 0",
        "hallpass_feed_age_seconds 0",
    ] {
        assert!(page.body.contains(line), "{line}\n{}", page.body);
    }
    assert!(!page.body.contains(&value) && !page.body.contains("zones"));
    let elsewhere = site.ask("/metrics", &[("x-forwarded-for", "203.0.113.9")]);
    assert_eq!(elsewhere.status, 404);
}
