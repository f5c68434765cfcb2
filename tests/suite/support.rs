//! A running Hallpass with its own database and clock (`Site`), people who click (`Person`), and what a page says (`Page`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use hallpass::app::{App, Clock, Parts};
use hallpass::config::{Config, Settings};
use hallpass::db::{Db, Place};
use hallpass::password::{Cost, Hasher};
use hallpass::policy::Policy;
use hallpass::secret::Random;
use scraper::{Html, Selector};

pub const PASSWORD: &str = "seven green bicycles ride";

/// Two services, reading, writing and deleting, a resource in the path, docs links.
pub const ZONES: &str = include_str!("zones.openapi.json");

pub struct Site {
    pub app: Arc<App>,
    pub address: SocketAddr,
    /// Kept for as long as the site: its database may be in it.
    pub folder: Option<tempfile::TempDir>,
    place: Place,
    setup_code: String,
    clock: Arc<AtomicI64>,
    handle: hallpass::door::Handle,
    thread: Option<std::thread::JoinHandle<()>>,
    scratch: Option<(String, String)>,
}

impl Site {
    pub fn start() -> Site {
        Site::with(Policy::default())
    }

    pub fn with(policy: Policy) -> Site {
        Site::configured(policy, config())
    }

    pub fn configured(policy: Policy, config: Config) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let (place, scratch) = database(&folder);
        Site::on(place, policy, config, start_of_tests(), Some(folder), scratch).filled()
    }

    /// On SQLite, whatever the suite runs on.
    pub fn on_sqlite() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(folder.path().join("hallpass.db").to_string_lossy().into_owned());
        Site::on(place, Policy::default(), config(), start_of_tests(), Some(folder), None).filled()
    }

    /// Another process on the same database, with the same clock.
    pub fn beside(&self) -> Site {
        self.beside_unfilled().filled()
    }

    /// One that has only just started: not every token is in its memory yet.
    pub fn beside_unfilled(&self) -> Site {
        Site::on(self.place.clone(), (*self.app.policy()).clone(), config(), self.clock.clone(), None, None)
    }

    fn filled(self) -> Site {
        self.app.fill().unwrap();
        self
    }

    fn on(
        place: Place,
        policy: Policy,
        config: Config,
        clock: Arc<AtomicI64>,
        folder: Option<tempfile::TempDir>,
        scratch: Option<(String, String)>,
    ) -> Site {
        let ticking = clock.clone();
        let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        let app = App::new(Parts {
            db: Db::open(&place, 4).unwrap(),
            policy,
            prefix: "hp".into(),
            hasher: Hasher::new(NonZeroUsize::new(2).unwrap(), cheap, || [7; 16]).unwrap(),
            random: Random::of_the_machine(),
            clock: Clock::new(move || DateTime::from_timestamp_millis(ticking.load(Ordering::SeqCst)).unwrap()),
        });
        app.follow().unwrap();
        let bound = hallpass::server::bind(app.clone(), config).unwrap();
        let (address, handle) = (bound.address, bound.server.handle());
        let server = bound.server;
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(server.run()).unwrap();
        });
        let setup_code = bound.setup_code.unwrap_or_default();
        Site { app, address, folder, place, setup_code, clock, handle, thread: Some(thread), scratch }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    /// Time passes, and the job that follows the database runs as it would have.
    pub fn pass(&self, span: TimeDelta) {
        self.pass_unheard(span);
        self.app.follow().unwrap();
    }

    /// Time passes without any news from the database.
    pub fn pass_unheard(&self, span: TimeDelta) {
        self.clock.fetch_add(span.num_milliseconds(), Ordering::SeqCst);
    }

    /// As `--database-url` takes it.
    pub fn database_url(&self) -> String {
        match &self.place {
            Place::Sqlite(path) => format!("sqlite:{path}"),
            Place::Postgres(url) => url.clone(),
        }
    }

    /// Changes the database behind the program's back.
    pub fn sql(&self, sql: &str) {
        use diesel::connection::SimpleConnection;
        self.app.db.write(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
    }

    /// What SIGTERM does.
    pub fn begin_to_stop(&self) {
        drop(self.handle.stop(true));
    }

    pub fn setup_code(&self) -> &str {
        &self.setup_code
    }

    /// Somebody with an empty cookie jar.
    pub fn visitor(&self) -> Person<'_> {
        Person { site: self, cookies: Mutex::default(), headers: Mutex::default() }
    }

    /// Sets up: the first owner, signed in, in Berlin.
    pub fn owner(&self) -> Person<'_> {
        let maria = self.visitor();
        let form = maria.get("/setup").form("/setup").with(&[
            ("code", self.setup_code.as_str()),
            ("name", "Maria Keller"),
            ("email", "maria@example.com"),
            ("password", PASSWORD),
            ("time_zone", "Europe/Berlin"),
        ]);
        let answer = maria.post("/setup", &form);
        assert_eq!(answer.status, 303, "{}", answer.text());
        maria
    }

    /// An owner with the fixture of zones imported.
    pub fn owner_with_zones(&self) -> Person<'_> {
        let maria = self.owner();
        maria.import("pdns", ZONES, &[]);
        maria
    }

    /// Another person, added by the operator, signed in.
    pub fn person(&self, email: &str, role: hallpass::types::Role) -> Person<'_> {
        use hallpass::account::{PersonDraft, add_person};
        let draft = PersonDraft { name: email.split('@').next().unwrap().into(), email: email.into(), role };
        let phc = self.app.hasher.hash_blocking(&hallpass::password::Password::new(PASSWORD.into())).unwrap();
        let new = draft.with(phc, None);
        self.app.write_now(|tx| add_person(tx, &hallpass::actor::Actor::operator(), new)).unwrap();
        let person = self.visitor();
        assert_eq!(person.sign_in(email, PASSWORD).status, 303);
        person
    }

    /// What the proxy would ask for one request.
    pub fn verify(&self, value: &str, method: &str, uri: &str) -> Answer {
        let bearer = format!("Bearer {value}");
        self.ask("/verify", &[("X-Original-Method", method), ("X-Original-URI", uri), ("Authorization", &bearer)])
    }

    pub fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.call().unwrap())
    }

    /// What a program posts, with the value of its token (`""` for none).
    pub fn post(&self, path: &str, value: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = agent().post(self.url(path)).header("content-type", "application/x-www-form-urlencoded");
        if !value.is_empty() {
            request = request.header("authorization", format!("Bearer {value}"));
        }
        Answer::of(request.send(body.as_str()).unwrap())
    }

    /// A call to the API by a program with that value (`""` for none); a body is JSON unless a header says otherwise.
    pub fn call(&self, value: &str, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        if !value.is_empty() {
            request = request.header("authorization", format!("Bearer {value}"));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, text) in headers.iter().filter(|(_, text)| !text.is_empty()) {
            request = request.header(*name, *text);
        }
        Answer::of(match body {
            Some(body) => agent().run(request.body(body.to_vec()).unwrap()).unwrap(),
            None => agent().run(request.body(()).unwrap()).unwrap(),
        })
    }

    /// The same with JSON, and without further headers.
    pub fn api(&self, value: &str, method: &str, path: &str, body: serde_json::Value) -> Answer {
        let body = (!body.is_null()).then(|| body.to_string());
        self.call(value, method, path, &[], body.as_deref().map(str::as_bytes))
    }

    /// Signs a program in; the answer is the value of its session token.
    pub fn log_in(&self, email: &str) -> String {
        let answer =
            self.api("", "POST", "/api/v1/auth/login", serde_json::json!({ "email": email, "password": PASSWORD }));
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()["value"].as_str().unwrap().to_owned()
    }

    /// Every row of a table as text.
    pub fn rows(&self, table: &str) -> Vec<String> {
        let columns = match self.app.db.is_shared() {
            true => format!("SELECT CAST(row_to_json(t) AS TEXT) AS text FROM {table} t"),
            false => {
                let of = format!("SELECT name AS text FROM pragma_table_info('{table}')");
                let joined = self
                    .texts(&of)
                    .iter()
                    .map(|name| format!("coalesce({name}, '')"))
                    .collect::<Vec<_>>()
                    .join("||' '||");
                format!("SELECT {joined} AS text FROM {table}")
            }
        };
        self.texts(&columns)
    }

    /// Rows of a query with one text column.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        let rows = self.app.db.read(|conn| Ok(diesel::sql_query(sql).load::<Row>(conn)?)).unwrap();
        rows.into_iter().map(|row| row.text).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let stopping = self.handle.stop(false);
        let _ = std::thread::spawn(move || actix_web::rt::System::new().block_on(stopping)).join();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some((server, name)) = self.scratch.take() {
            let mut conn = PgConnection::establish(&server).unwrap();
            let _ = diesel::sql_query(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).execute(&mut conn);
        }
    }
}

/// Monday, 23 November 2026, 09:40 UTC: every test begins at the same moment.
fn start_of_tests() -> Arc<AtomicI64> {
    let start: DateTime<Utc> = "2026-11-23T09:40:00Z".parse().unwrap();
    Arc::new(AtomicI64::new(start.timestamp_millis()))
}

pub fn config() -> Config {
    let settings = Settings {
        config: Some("/dev/null".into()),
        listen: Some("127.0.0.1:0".into()),
        public_url: Some("http://127.0.0.1:8080".into()),
        ..Settings::default()
    };
    settings.complete().unwrap()
}

/// A fresh SQLite file, or a fresh database on the PostgreSQL server of `TEST_DATABASE_URL`.
pub fn database(folder: &tempfile::TempDir) -> (Place, Option<(String, String)>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    match std::env::var("TEST_DATABASE_URL") {
        Err(_) => (Place::Sqlite(folder.path().join("hallpass.db").to_string_lossy().into_owned()), None),
        Ok(server) => {
            let name = format!("hallpass_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let mut conn = PgConnection::establish(&server).unwrap();
            diesel::sql_query(format!("CREATE DATABASE {name}")).execute(&mut conn).unwrap();
            let (base, _) = server.rsplit_once('/').unwrap();
            (Place::Postgres(format!("{base}/{name}")), Some((server, name)))
        }
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .build()
        .into()
}

/// A browser without JavaScript: keeps cookies, follows no redirect by itself.
pub struct Person<'s> {
    pub site: &'s Site,
    cookies: Mutex<BTreeMap<String, String>>,
    /// Sent with every request.
    headers: Mutex<BTreeMap<String, String>>,
}

impl Person<'_> {
    pub fn header(&self, name: &str, value: &str) {
        self.headers.lock().unwrap().insert(name.into(), value.into());
    }

    pub fn without_header(&self, name: &str) {
        self.headers.lock().unwrap().remove(name);
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.into(), value.into());
    }

    pub fn get(&self, path: &str) -> Answer {
        let mut request = agent().get(self.site.url(path));
        for (name, value) in self.all_headers() {
            request = request.header(name, value);
        }
        self.keep(request.call().unwrap())
    }

    pub fn post(&self, path: &str, form: &Form) -> Answer {
        let mut request = agent().post(self.site.url(path)).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in self.all_headers() {
            request = request.header(name, value);
        }
        self.keep(request.send(form.encoded().as_str()).unwrap())
    }

    /// By any HTTP method. Those that have no form send nothing.
    pub fn send(&self, method: &str, path: &str, form: &Form) -> Answer {
        if method == "POST" {
            return self.post(path, form);
        }
        // An answer to HEAD is announced as compressed and has no body to be unpacked.
        let request = ureq::http::Request::builder().method(method).uri(self.site.url(path));
        let mut request = request.header("accept-encoding", "identity");
        for (name, value) in self.all_headers() {
            request = request.header(name, value);
        }
        self.keep(agent().run(request.body(()).unwrap()).unwrap())
    }

    /// With a file in the field `file`.
    pub fn upload(&self, path: &str, form: &Form, file: &[u8]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in &form.0 {
            body.extend(format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        body.extend(b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\n");
        body.extend(b"Content-Type: application/json\r\n\r\n");
        body.extend(file);
        body.extend(b"\r\n--x--\r\n");
        let mut request = agent().post(self.site.url(path)).header("content-type", "multipart/form-data; boundary=x");
        for (name, value) in self.all_headers() {
            request = request.header(name, value);
        }
        self.keep(request.send(body.as_slice()).unwrap())
    }

    fn all_headers(&self) -> Vec<(String, String)> {
        let cookies = self.cookies.lock().unwrap();
        let cookie = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut headers: Vec<_> = self.headers.lock().unwrap().clone().into_iter().collect();
        headers.push(("cookie".into(), cookie));
        headers
    }

    fn keep(&self, answer: ureq::http::Response<ureq::Body>) -> Answer {
        let answer = Answer::of(answer);
        let mut cookies = self.cookies.lock().unwrap();
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = value.split_once(';').unwrap_or((value, ""));
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => cookies.remove(name),
                false => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    pub fn sign_in(&self, email: &str, password: &str) -> Answer {
        let form = self.get("/login").form("/login").with(&[("email", email), ("password", password)]);
        self.post("/login", &form)
    }

    /// Imports a description by the page, with the owner's password.
    pub fn import(&self, slug: &str, description: &str, options: &[(&str, &str)]) {
        let form = self.get("/admin/apis/new").form("/admin/apis/new").with(&[("slug", slug)]).with(options);
        let preview = self.upload("/admin/apis/new", &form, description.as_bytes());
        assert_eq!(preview.status, 200, "{}", preview.text());
        let form = preview.form("/admin/apis/import").with(&[("password", PASSWORD)]);
        let answer = self.post("/admin/apis/import", &form);
        assert_eq!(answer.status, 303, "{}", answer.text());
    }

    /// The filled generate form, ready to be posted.
    pub fn token_form(&self, name: &str, scopes: &[&str]) -> Form {
        let form =
            self.get("/settings/tokens/new").form("/settings/tokens/new").with(&[("name", name), ("set", "custom")]);
        scopes.iter().fold(form, |form, scope| form.and("m", scope))
    }

    /// Generates a token by the pages; the answer is its value.
    pub fn generate(&self, name: &str, scopes: &[&str]) -> String {
        self.generate_from(&self.token_form(name, scopes))
    }

    pub fn generate_from(&self, form: &Form) -> String {
        let revealed = self.confirm(&self.post("/settings/tokens/new", form), "/settings/tokens/new/confirm");
        assert_eq!(revealed.status, 200, "{}", revealed.text());
        revealed.attribute("#value", "value")
    }

    /// Gives the password to a confirm page.
    pub fn confirm(&self, page: &Answer, action: &str) -> Answer {
        assert_eq!(page.status, 200, "{}", page.text());
        self.post(action, &page.form(action).with(&[("password", PASSWORD)]))
    }

    /// The id of a token in the list.
    pub fn id_of(&self, name: &str) -> String {
        let list = self.get("/settings/tokens");
        let rows = list.html();
        let rows = rows.select(&selector("tbody tr")).collect::<Vec<_>>();
        let row = rows.iter().find(|row| row.text().any(|text| text.trim() == name));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the list"));
        row.select(&selector("input[name=id]")).next().unwrap().attr("value").unwrap().to_owned()
    }

    pub fn remove(&self, name: &str) {
        self.press("remove", &[name]);
    }

    /// Presses a button of the toolbar for these tokens and confirms it.
    pub fn press(&self, verb: &str, names: &[&str]) {
        let page = self.ask_for(verb, names);
        let answer = self.confirm(&page, &format!("/settings/tokens/{verb}"));
        assert_eq!(answer.status, 303, "{}", answer.text());
    }

    /// Presses a button of the toolbar for these tokens.
    pub fn ask_for(&self, verb: &str, names: &[&str]) -> Answer {
        let form = self.get("/settings/tokens").form("/settings/tokens/action").and("do", verb);
        let form = names.iter().fold(form, |form, name| form.and("id", &self.id_of(name)));
        self.post("/settings/tokens/action", &form)
    }

    /// The address of a token's own page.
    pub fn page_of(&self, name: &str) -> String {
        format!("/settings/tokens/{}", self.id_of(name))
    }

    /// The edit form of a token as its page has it.
    pub fn edit_form(&self, name: &str) -> Form {
        let address = self.page_of(name);
        self.get(&address).form(&address)
    }

    /// Edits a token and confirms it.
    pub fn edit(&self, name: &str, change: impl FnOnce(Form) -> Form) {
        let address = self.page_of(name);
        let page = self.post(&address, &change(self.edit_form(name)));
        let answer = self.confirm(&page, &format!("{address}/confirm"));
        assert_eq!(answer.status, 303, "{}", answer.text());
    }

    /// Asks for a new value; the answer is the confirm page, or the form again.
    pub fn ask_to_regenerate(&self, name: &str, fields: &[(&str, &str)]) -> Answer {
        let action = format!("{}/regenerate", self.page_of(name));
        let form = self.get(&self.page_of(name)).form(&action).with(fields);
        self.post(&action, &form)
    }

    /// Regenerates a token; the answer is its new value.
    pub fn regenerate(&self, name: &str, grace: &str) -> String {
        let page = self.ask_to_regenerate(name, &[("grace", grace)]);
        let revealed = self.confirm(&page, &format!("{}/regenerate/confirm", self.page_of(name)));
        assert_eq!(revealed.status, 200, "{}", revealed.text());
        revealed.attribute("#value", "value")
    }
}

#[derive(Clone, Debug)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// With these fields set, in place of what was there.
    pub fn with(mut self, fields: &[(&str, &str)]) -> Form {
        for (name, value) in fields {
            self.0.retain(|(of, _)| of != name);
            self.0.push((name.to_string(), value.to_string()));
        }
        self
    }

    /// With one more field.
    pub fn and(mut self, name: &str, value: &str) -> Form {
        self.0.push((name.into(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Form {
        self.0.retain(|(of, _)| of != name);
        self
    }

    fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    fn of(mut answer: ureq::http::Response<ureq::Body>) -> Answer {
        let headers = answer.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Answer {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: answer.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().unwrap(),
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value)
    }

    pub fn html(&self) -> Html {
        Html::parse_document(&self.body)
    }

    /// The fields of a form as a browser would post them untouched.
    pub fn form(&self, action: &str) -> Form {
        let html = self.html();
        let forms = html.select(&selector("form")).collect::<Vec<_>>();
        let form = forms.iter().find(|form| form.attr("action").unwrap_or_default().split('?').next() == Some(action));
        let form = form.unwrap_or_else(|| panic!("no form for {action} in {}", self.text()));
        let mut fields = Vec::new();
        let of_form = |input: &scraper::ElementRef<'_>| match input.attr("form") {
            Some(id) => form.attr("id") == Some(id),
            None => input.ancestors().any(|above| above.id() == form.id()),
        };
        let inputs = selector("input[name], textarea[name], select[name]");
        for input in html.select(&inputs).filter(of_form) {
            let name = input.attr("name").unwrap().to_owned();
            let value = match input.value().name() {
                "textarea" => input.text().collect(),
                "select" => {
                    let chosen = input.select(&selector("option[selected]")).next();
                    chosen
                        .or_else(|| input.select(&selector("option")).next())
                        .unwrap()
                        .attr("value")
                        .unwrap()
                        .to_owned()
                }
                _ if matches!(input.attr("type"), Some("checkbox" | "radio")) && input.attr("checked").is_none() => {
                    continue;
                }
                _ if matches!(input.attr("type"), Some("file" | "submit")) || input.attr("disabled").is_some() => {
                    continue;
                }
                _ => input.attr("value").unwrap_or_default().to_owned(),
            };
            fields.push((name, value));
        }
        Form(fields)
    }

    /// What a person reads, white space folded.
    pub fn text(&self) -> String {
        let html = self.html();
        let main = html.select(&selector("main")).next();
        let text: String = match main {
            Some(main) => main.text().collect::<Vec<_>>().join(" "),
            None => self.body.clone(),
        };
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub fn attribute(&self, css: &str, name: &str) -> String {
        let html = self.html();
        let found = html.select(&selector(css)).next().unwrap_or_else(|| panic!("no {css} in {}", self.text()));
        found.attr(name).unwrap_or_default().to_owned()
    }

    /// The sentence under a field.
    pub fn error_of(&self, field: &str) -> String {
        let html = self.html();
        let text: String = html.select(&selector(&format!("#{field}-err"))).flat_map(|e| e.text()).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap()
}
