//! What every proxy stands on: the proxy with the README's configuration, an API behind it that remembers what reached
//! it, and a client that sends nothing but the given bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::DESCRIPTION;
use crate::support::{Person, Site};

const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy as the README sets it up.
pub struct Kind {
    pub name: &'static str,
    /// Where `tests/run` puts it, when it is not in the `PATH`.
    pub program: &'static str,
    /// Writes the printed configuration into the folder; the answer is how the program is called there.
    pub prepare: fn(&Path, &Places) -> Vec<String>,
    /// It asks by the request itself behind a prefix, and not by headers.
    pub is_direct: bool,
}

/// The three addresses in a configuration.
pub struct Places {
    pub hallpass: SocketAddr,
    pub api: SocketAddr,
    pub proxy: SocketAddr,
}

/// A proxy between a client and an API, and a token that may stop and nothing else.
pub struct Scene {
    pub proxy: Proxy,
    pub api: Api,
    pub value: String,
}

impl Scene {
    pub fn of(kind: &Kind, site: &Site, owner: &Person<'_>) -> Scene {
        owner.import("jelastic", DESCRIPTION, &[("case_insensitive", "on")]);
        let value = owner.generate("stopper", &["control:stopenv"]);
        Scene::before(kind, site.address, value)
    }

    /// With whatever listens there in the place of Hallpass.
    pub fn before(kind: &Kind, hallpass: SocketAddr, value: String) -> Scene {
        let api = Api::start();
        let proxy = Proxy::start(kind, hallpass, api.address);
        Scene { proxy, api, value }
    }

    pub fn post(&self, target: &str) -> Vec<u8> {
        self.request("POST", target, "", "")
    }

    /// With the token. `more` are whole header lines.
    pub fn request(&self, method: &str, target: &str, more: &str, body: &str) -> Vec<u8> {
        let (value, length) = (&self.value, body.len());
        let head = format!("{method} {target} HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {value}\r\n{more}");
        format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    pub fn ask(&self, request: &[u8]) -> Reply {
        Client::of(self.proxy.address).ask(request)
    }

    pub fn expect(&self, status: u16, request: &[u8]) {
        assert_eq!(self.ask(request).status, status, "{}", shown(request));
    }

    /// By whomever, and nothing reaches the API.
    pub fn expect_refused(&self, request: &[u8]) -> u16 {
        let before = self.api.count();
        let status = self.ask(request).status;
        assert!(matches!(status, 400 | 401 | 403 | 404 | 414 | 431 | 500..=504), "{status} for {}", shown(request));
        assert_eq!(self.api.count(), before, "{}", shown(request));
        status
    }
}

fn shown(request: &[u8]) -> String {
    request[..request.len().min(2000)].escape_ascii().to_string()
}

/// A connection to the proxy, on which nothing but the given bytes is sent.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn of(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    pub fn ask(&mut self, request: &[u8]) -> Reply {
        let mut sending = self.0.get_ref().try_clone().unwrap();
        std::thread::scope(|scope| {
            // The proxy may answer and close before it has read all: the answer counts.
            scope.spawn(move || sending.write_all(request));
            self.answer(request.starts_with(b"HEAD "))
        })
    }

    fn answer(&mut self, to_head: bool) -> Reply {
        let (line, headers) = loop {
            let head = head(&mut self.0).expect("the proxy closed without an answer");
            // 100 Continue comes before the answer.
            if !head.0.starts_with("HTTP/1.1 1") {
                break head;
            }
        };
        let mut reply = Reply { status: line[9..12].parse().unwrap(), headers, body: String::new() };
        let mut body = Vec::new();
        match reply.all("Content-Length").first().map(|length| length.parse().unwrap()) {
            _ if to_head => {}
            Some(length) => {
                body.resize(length, 0);
                self.0.read_exact(&mut body).unwrap();
            }
            None => drop(self.0.read_to_end(&mut body).unwrap()),
        }
        reply.body = String::from_utf8(body).unwrap();
        reply
    }
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn all(&self, name: &str) -> Vec<&str> {
        all(&self.headers, name)
    }
}

/// What reached the API.
#[derive(Clone)]
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    /// In bytes.
    pub body: u64,
}

impl Received {
    pub fn all(&self, name: &str) -> Vec<&str> {
        all(&self.headers, name)
    }

    /// Without empty ones: a header that has no value may be there or not.
    pub fn said(&self, name: &str) -> Vec<&str> {
        self.all(name).into_iter().filter(|value| !value.is_empty()).collect()
    }
}

fn all<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let named = headers.iter().filter(|(of, _)| of.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}

/// First line and headers; `None` where the other side closed.
fn head(from: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        match String::from_utf8_lossy(&line).trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.remove(0);
    let pairs = lines.iter().filter_map(|line| line.split_once(':'));
    Some((first, pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()))
}

/// Answers 200, or what `?answer=` says, and remembers each request before it answers.
pub struct Api {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Api {
    /// Its threads end with the test program.
    pub fn start() -> Api {
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        let address = listening(move |stream| drop(serve(&stream, &kept)));
        Api { address, received }
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn last(&self) -> Received {
        self.all().pop().expect("nothing reached the API")
    }
}

/// Says this to every request, and closes.
pub fn saying(what: Arc<Mutex<String>>) -> SocketAddr {
    listening(move |mut stream| {
        let mut asked = BufReader::new(stream.try_clone().unwrap());
        if head(&mut asked).is_some() {
            let _ = stream.write_all(what.lock().unwrap().as_bytes());
        }
    })
}

/// A thread for each connection.
fn listening(with: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let with = with.clone();
            std::thread::spawn(move || with(stream));
        }
    });
    address
}

fn serve(stream: &TcpStream, kept: &Mutex<Vec<Received>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut stream = stream;
    while let Some((line, headers)) = head(&mut reader) {
        let length = all(&headers, "Content-Length").first().map_or(0, |length| length.parse().unwrap());
        let body = match all(&headers, "Transfer-Encoding").is_empty() {
            true => skip(&mut reader, length)?,
            false => skip_chunks(&mut reader)?,
        };
        let status = line.split_once("answer=").map_or("200", |(_, rest)| &rest[..3]).to_owned();
        kept.lock().unwrap().push(Received { line, headers, body });
        write!(stream, "HTTP/1.1 {status} So\r\nWWW-Authenticate: Own\r\nContent-Length: 3\r\n\r\nown")?;
    }
    Ok(())
}

fn skip(reader: &mut impl Read, length: u64) -> std::io::Result<u64> {
    std::io::copy(&mut reader.take(length), &mut std::io::sink())
}

fn skip_chunks(reader: &mut impl BufRead) -> std::io::Result<u64> {
    let mut whole = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        whole += skip(reader, length)?;
        reader.read_line(&mut line)?;
        if length == 0 {
            return Ok(whole);
        }
    }
}

/// Ends when it is dropped, by a failing test too.
pub struct Proxy {
    pub address: SocketAddr,
    child: Child,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// A free port may be taken by another program before the proxy has it: then another one is tried.
    fn start(kind: &Kind, hallpass: SocketAddr, api: SocketAddr) -> Proxy {
        let mut said = String::new();
        for _ in 0..3 {
            match Proxy::try_start(kind, hallpass, api) {
                Ok(proxy) => return proxy,
                Err(log) => said = log,
            }
        }
        panic!("{} does not start with the configuration in the README: {said}", kind.name);
    }

    fn try_start(kind: &Kind, hallpass: SocketAddr, api: SocketAddr) -> Result<Proxy, String> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let arguments = (kind.prepare)(folder.path(), &Places { hallpass, api, proxy: address });
        let child = spawn(kind, folder.path(), &arguments);
        let mut proxy = Proxy { address, child, folder };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if proxy.child.try_wait().unwrap().is_some() {
                break;
            }
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(proxy);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let log = std::fs::read(proxy.folder.path().join("said.log")).unwrap_or_default();
        Err(String::from_utf8_lossy(&log).into_owned())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(kind: &Kind, folder: &Path, arguments: &[String]) -> Child {
    let said = std::fs::File::create(folder.join("said.log")).unwrap();
    for program in [kind.name, kind.program] {
        let mut command = Command::new(program);
        // A folder of its own for all that it writes.
        command.args(arguments).current_dir(folder).env("HOME", folder);
        command.env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said.try_clone().unwrap());
        match command.spawn() {
            Ok(child) => return child,
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            Err(cause) => panic!("{program} cannot be started: {cause}."),
        }
    }
    let (name, place) = (kind.name, kind.program);
    panic!("{name} is neither in the PATH nor at {place}: ./tests/run installs it, to try the README's configuration.");
}

/// The one block in that language that the README prints under that heading. Nothing is changed but the given pieces,
/// each of which stands there once.
pub fn printed(heading: &str, language: &str, changes: &[(&str, String)]) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split(&format!("\n## {heading}\n")).nth(1).expect(heading).split("\n## ").next().unwrap();
    let fence = format!("```{language}\n");
    let blocks: Vec<_> = section.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 1, "{heading} has one block in {language}");
    let mut text = format!("{}\n", blocks[0]);
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "{from} stands once under {heading}");
        text = text.replace(from, to);
    }
    text
}
