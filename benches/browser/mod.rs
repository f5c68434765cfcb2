//! A person at the pages, without scripts, for the benches: signs in, opens a page as often as it is timed, drains a file.

#![allow(dead_code, reason = "no bench does everything")]

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallpass::account::{PersonDraft, set_up};
use hallpass::actor::{Actor, Via};
use hallpass::app::App;
use hallpass::config::Settings;
use hallpass::password::Password;
use hallpass::types::{AccountId, Role};

pub const PASSWORD: &str = "seven green bicycles ride";

/// The first owner, whom [`Browser::signed_in`] is.
pub fn maria(app: &App) -> AccountId {
    let draft = PersonDraft { name: "Maria Keller".into(), email: "maria@example.com".into(), role: Role::Owner };
    let phc = app.hasher.hash_blocking(&Password::new(PASSWORD.into())).unwrap();
    let operator = Actor { via: Via::Setup, ..Actor::operator() };
    app.write_now(|tx| set_up(tx, &operator, draft.with(phc, None))).unwrap().id
}

/// A running server; the answer is its address.
pub fn serve(app: &Arc<App>) -> String {
    let settings = Settings {
        config: Some("/dev/null".into()),
        listen: Some("127.0.0.1:0".into()),
        public_url: Some("http://127.0.0.1:8080".into()),
        ..Settings::default()
    };
    let bound = hallpass::server::bind(app.clone(), settings.complete().unwrap()).unwrap();
    let base = format!("http://{}", bound.address);
    std::thread::spawn(move || actix_web::rt::System::new().block_on(bound.server.run()).unwrap());
    base
}

pub struct Browser {
    base: String,
    agent: ureq::Agent,
    cookies: String,
}

impl Browser {
    pub fn signed_in(base: &str) -> Browser {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let mut login = agent.get(format!("{base}/login")).call().unwrap();
        let visitor = cookies(&login);
        let page = login.body_mut().read_to_string().unwrap();
        let form = encoded(&[
            ("form_token", input(&page, "form_token")),
            ("email", "maria@example.com"),
            ("password", PASSWORD),
        ]);
        let answer = agent
            .post(format!("{base}/login"))
            .header("cookie", &visitor)
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form)
            .unwrap();
        assert_eq!(answer.status(), 303, "signing in");
        Browser { base: base.to_owned(), cookies: cookies(&answer), agent }
    }

    pub fn get(&self, path: &str) -> String {
        self.open(path).body_mut().with_config().limit(u64::MAX).read_to_string().unwrap()
    }

    fn open(&self, path: &str) -> ureq::http::Response<ureq::Body> {
        let answer = self.agent.get(format!("{}{path}", self.base)).header("cookie", &self.cookies);
        let answer = answer.header("accept-encoding", "identity").call().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer
    }

    /// Sends the fields with the form token of a page; the answer is the status and the page.
    pub fn post(&self, path: &str, of: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let mut all = vec![("form_token", input(of, "form_token"))];
        all.extend(fields);
        let request = self.agent.post(format!("{}{path}", self.base)).header("cookie", &self.cookies);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut answer = request.send(encoded(&all)).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// How long a page takes that is opened so often, sorted.
    pub fn spans(&self, path: &str, rounds: usize) -> Spans {
        Spans::of(rounds, || drop(self.get(path)))
    }

    /// Reads all of a file and keeps nothing; the answer is its bytes.
    pub fn drain(&self, path: &str) -> usize {
        let mut answer = self.open(path);
        let mut reader = answer.body_mut().with_config().limit(u64::MAX).reader();
        let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return bytes,
                read => bytes += read,
            }
        }
    }
}

/// Sorted.
pub struct Spans(Vec<Duration>);

impl Spans {
    pub fn of(rounds: usize, mut once: impl FnMut()) -> Spans {
        let mut spans: Vec<Duration> = (0..rounds)
            .map(|_| {
                let began = Instant::now();
                once();
                began.elapsed()
            })
            .collect();
        spans.sort();
        Spans(spans)
    }

    /// Milliseconds; 50 is the median, 100 the slowest.
    pub fn at(&self, share: usize) -> f64 {
        self.0[(self.0.len() * share / 100).min(self.0.len() - 1)].as_secs_f64() * 1e3
    }
}

/// The most that this process had of memory, in MB.
pub fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// The value of the first hidden field of that name.
pub fn input<'a>(page: &'a str, name: &str) -> &'a str {
    let field = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
    field.split('"').next().unwrap()
}

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn cookies<T>(answer: &ureq::http::Response<T>) -> String {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|value| value.split(';').next()).collect::<Vec<_>>().join("; ")
}
