//! What the test of nginx stands on: nginx with the README's configuration, an API behind it that remembers what
//! reached it, and a client that sends nothing but the given bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::DESCRIPTION;
use crate::support::{Person, Site};

/// nginx between a client and an API, and a token that may stop and nothing else.
pub struct Scene {
    pub nginx: Nginx,
    pub api: Api,
    pub value: String,
}

impl Scene {
    pub fn of(site: &Site, owner: &Person<'_>) -> Scene {
        owner.import("jelastic", DESCRIPTION, &[("case_insensitive", "on")]);
        let value = owner.generate("stopper", &["control:stopenv"]);
        let api = Api::start();
        let nginx = Nginx::start(site.address, api.address);
        Scene { nginx, api, value }
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

    pub fn expect(&self, status: u16, request: &[u8]) {
        assert_eq!(self.nginx.ask(request).status, status, "{}", request[..request.len().min(2000)].escape_ascii());
    }
}

/// A connection to nginx, on which nothing but the given bytes is sent.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn of(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(BufReader::new(stream))
    }

    pub fn ask(&mut self, request: &[u8]) -> Reply {
        // nginx may answer and close before it has read all: the answer counts.
        let _ = self.0.get_mut().write_all(request);
        let (line, headers) = head(&mut self.0).expect("nginx closed without an answer");
        let mut reply = Reply { status: line[9..12].parse().unwrap(), headers, body: String::new() };
        if !request.starts_with(b"HEAD ") {
            let length = reply.all("Content-Length")[0].parse().unwrap();
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).unwrap();
            reply.body = String::from_utf8(body).unwrap();
        }
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
    pub body: usize,
}

impl Received {
    pub fn all(&self, name: &str) -> Vec<&str> {
        all(&self.headers, name)
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
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Api {
    /// Its thread ends with the test program.
    pub fn start() -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = serve(&stream, &kept);
            }
        });
        Api { address, received }
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub fn last(&self) -> Received {
        self.received.lock().unwrap().last().expect("nothing reached the API").clone()
    }
}

fn serve(stream: &TcpStream, kept: &Mutex<Vec<Received>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream);
    let Some((line, headers)) = head(&mut reader) else {
        return Ok(());
    };
    let length = all(&headers, "Content-Length").first().map_or(0, |length| length.parse().unwrap());
    let body = std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let status = line.split_once("answer=").map_or("200", |(_, rest)| &rest[..3]).to_owned();
    kept.lock().unwrap().push(Received { line, headers, body: usize::try_from(body).unwrap() });
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} So\r\nWWW-Authenticate: Own\r\nContent-Length: 3\r\n\r\nown")
}

/// Ends when it is dropped, by a failing test too.
pub struct Nginx {
    pub address: SocketAddr,
    child: Child,
    folder: tempfile::TempDir,
}

impl Nginx {
    /// A free port may be taken by another program before nginx has it: then another one is tried.
    pub fn start(hallpass: SocketAddr, api: SocketAddr) -> Nginx {
        let mut said = String::new();
        for _ in 0..3 {
            match Nginx::try_start(hallpass, api) {
                Ok(nginx) => return nginx,
                Err(log) => said = log,
            }
        }
        panic!("nginx does not start with the configuration in the README: {said}");
    }

    fn try_start(hallpass: SocketAddr, api: SocketAddr) -> Result<Nginx, String> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = printed(hallpass, api, address);
        // A folder of its own for all that nginx writes; the rest is as a package installs it.
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders: String = kinds.iter().map(|kind| format!("{kind}_temp_path {kind};\n")).collect();
        let around = "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {}\n";
        let whole = format!("{around}http {{\naccess_log off;\n{folders}{server}\n}}\n");
        std::fs::write(folder.path().join("nginx.conf"), whole).unwrap();
        let child = spawn(folder.path());
        let mut nginx = Nginx { address, child, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if nginx.child.try_wait().unwrap().is_some() {
                break;
            }
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(nginx);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Err(std::fs::read_to_string(nginx.folder.path().join("error.log")).unwrap_or_default())
    }

    pub fn ask(&self, request: &[u8]) -> Reply {
        Client::of(self.address).ask(request)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &std::path::Path) -> Child {
    for program in ["nginx", "/usr/sbin/nginx"] {
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "error.log"]);
        match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => return child,
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            Err(cause) => panic!("{program} cannot be started: {cause}."),
        }
    }
    panic!(
        "nginx is neither in the PATH nor in /usr/sbin: install it, this test runs the README's configuration with it."
    );
}

/// The one whole configuration in the README. Nothing is changed but the two addresses that its reader changes too, and
/// where nginx listens.
fn printed(hallpass: SocketAddr, api: SocketAddr, nginx: SocketAddr) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks = readme.split("```nginx\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
    let whole: Vec<_> = blocks.filter(|block| block.contains("server {") && block.contains("auth_request")).collect();
    assert_eq!(whole.len(), 1, "the README has one nginx configuration with auth_request");
    let mut text = whole[0].to_owned();
    for (from, to) in [
        ("server 127.0.0.1:8080;", format!("server {hallpass};")),
        ("server 127.0.0.1:9000;", format!("server {api};")),
        ("listen 80;", format!("listen {nginx};")),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from} stands once in the README's configuration");
        text = text.replace(from, &to);
    }
    text
}
