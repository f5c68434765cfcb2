//! The processes of a run: Hallpass as it is shipped, the bare handler, nginx before either, and wrk.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};

use hallpass::door::Server;
use hallpass::limits::Limits;

use super::fill::Stock;

/// As an answer of `/verify` has them, with values of like length.
const HEADERS: [(&str, &str); 14] = [
    ("x-hallpass-account", "person-12345@example.com"),
    ("x-hallpass-account-kind", "person"),
    ("x-hallpass-role", "owner"),
    ("x-hallpass-teams", ""),
    ("x-hallpass-token-id", "019ab000-0000-7000-8000-000000000000"),
    ("x-hallpass-token-name", "nightly-0012345"),
    ("x-hallpass-method", "s12:m0345"),
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

/// One round of wrk.
pub struct Figures {
    pub rate: f64,
    /// Microseconds.
    pub p50: f64,
    pub p99: f64,
    pub requests: u64,
}

/// Ends when it is dropped.
pub struct Process(Child);

impl Drop for Process {
    /// Asked first: nginx killed would leave its worker behind.
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        for _ in 0..100 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// `server` is `actix` or `door`.
    pub fn bare(server: &str, port: usize) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let bare = Process(command.args(["bare", server, &format!("127.0.0.1:{port}")]).spawn().unwrap());
        until_answered(port, "/verify", "204");
        bare
    }

    /// Resident megabytes, now and at most.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let of = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024 / 1_000_000
        };
        (of("VmRSS:"), of("VmHWM:"))
    }
}

/// What a verification cannot be faster than: an answer with as many headers, from actix-web's own server or from ours.
pub fn bare(server: &str, address: &str) {
    async fn answer() -> HttpResponse {
        let mut answer = HttpResponse::NoContent();
        for (name, value) in HEADERS {
            answer.insert_header((HeaderName::from_static(name), HeaderValue::from_static(value)));
        }
        answer.finish()
    }
    if server == "door" {
        let listener = std::net::TcpListener::bind(address).unwrap();
        let server = Server::new(listener, Limits::STANDARD, || App::new().route("/verify", web::to(answer))).unwrap();
        return actix_web::rt::System::new().block_on(server.run()).unwrap();
    }
    let server = HttpServer::new(|| App::new().route("/verify", web::to(answer)))
        .tcp_nodelay(true)
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .bind(address)
        .unwrap();
    actix_web::rt::System::new().block_on(server.run()).unwrap();
}

/// Since the start of the program: until it answers every question, and until it has every token in memory.
pub struct Start {
    pub ready: Duration,
    pub whole: Duration,
}

/// The program as it is shipped, with its usual settings.
pub fn hallpass(stock: &Stock, port: usize) -> (Process, Start) {
    let log = std::fs::File::create(stock.lines.with_extension("log")).unwrap();
    let folder = stock.lines.with_extension("data");
    let began = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_hallpass"))
        .env("HALLPASS_CONFIG", "/dev/null")
        .env("HALLPASS_DATA_DIR", folder)
        .env("HALLPASS_DATABASE_URL", &stock.url)
        .env("HALLPASS_LISTEN", format!("127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let process = Process(child.unwrap());
    until_answered(port, "/readyz", "200");
    let ready = began.elapsed();
    until(port, "/metrics", |said| said.contains("\nhallpass_index_whole 1\n"));
    (process, Start { ready, whole: began.elapsed() })
}

/// nginx with one server that asks the bare handler (`front`) and one that asks Hallpass (`front` + 1); `None` where there
/// is no nginx.
pub fn nginx(folder: &Path, front: usize, bare: usize, hallpass: usize) -> Option<Process> {
    let folder = folder.join("nginx");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ok"), "ok").unwrap();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = kinds.iter().map(|kind| format!("{kind}_temp_path {kind};\n")).collect();
    let server = |name: &str, listen: usize, asks: usize| {
        format!(
            "upstream {name} {{ server 127.0.0.1:{asks}; keepalive 32; }}\n\
             server {{ listen 127.0.0.1:{listen}; keepalive_requests 1000000000; root {};\n\
             auth_request /_ask; auth_request_set $account $upstream_http_x_hallpass_account;\n\
             location / {{ try_files /ok =404; }}\n\
             location = /_ask {{ internal; proxy_pass http://{name}/verify; proxy_pass_request_body off;\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Content-Length \"\";\n\
             proxy_set_header X-Original-Method $request_method; proxy_set_header X-Original-URI $request_uri;\n\
             proxy_set_header X-Forwarded-For $remote_addr; }} }}\n",
            folder.display()
        )
    };
    let servers = server("bare", front, bare) + &server("hallpass", front + 1, hallpass);
    let around =
        "daemon off; worker_processes 1; pid nginx.pid; error_log error.log; events { worker_connections 1024; }";
    let whole = format!("{around}\nhttp {{ access_log off;\n{folders}{servers}}}\n");
    std::fs::write(folder.join("nginx.conf"), whole).unwrap();
    let start = |program: &str| {
        Command::new(program).arg("-p").arg(&folder).args(["-c", "nginx.conf", "-e", "error.log"]).spawn()
    };
    let process = Process(start("nginx").or_else(|_| start("/usr/sbin/nginx")).ok()?);
    until_answered(front + 1, "/", "401");
    Some(process)
}

fn until_answered(port: usize, path: &str, status: &str) {
    until(port, path, |said| said.starts_with(&format!("HTTP/1.1 {status}")));
}

fn until(port: usize, path: &str, is_it: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        let mut said = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port as u16)) {
            let _ = write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
            let _ = stream.read_to_string(&mut said);
        }
        if is_it(&said) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("port {port} never said that of {path}");
}

const SCRIPT: &str = r#"
local requests, last, count = {}, 0, 0
function init(arguments)
  for line in io.lines(arguments[1]) do
    if count == tonumber(arguments[3]) then break end
    local value, path = line:match("(%S+) (%S+)")
    local asked = "/verify HTTP/1.1\r\nX-Original-Method: GET\r\nX-Original-URI: " .. path .. "\r\nX-Forwarded-For: 203.0.113.9"
    if arguments[2] == "proxied" then asked = path .. " HTTP/1.1" end
    count = count + 1
    requests[count] = "GET " .. asked .. "\r\nHost: bench\r\nUser-Agent: wrk\r\nAuthorization: Bearer " .. value .. "\r\n\r\n"
  end
end
function request()
  last = last % count + 1
  return requests[last]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("FIGURES %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.status + e.connect + e.read + e.write + e.timeout))
end
"#;

/// One thread and 32 connections for so many seconds, with so many values in rotation; no answer may be a refusal.
pub fn wrk(folder: &Path, stock: &Stock, sent: usize, port: usize, is_proxied: bool, seconds: usize) -> Figures {
    let script = folder.join("requests.lua");
    std::fs::write(&script, SCRIPT).unwrap();
    let said = Command::new("wrk")
        .args(["-t1", "-c32", &format!("-d{seconds}s"), "-s"])
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}/verify"))
        .arg("--")
        .arg(&stock.lines)
        .arg(if is_proxied { "proxied" } else { "direct" })
        .arg(sent.to_string())
        .output()
        .expect("wrk, from the package of that name");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let line =
        said.lines().find_map(|line| line.strip_prefix("FIGURES ")).unwrap_or_else(|| panic!("wrk said: {said}"));
    let figures: Vec<f64> = line.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let [requests, duration, p50, p99, wrong] = figures[..] else { panic!("{said}") };
    assert_eq!(wrong, 0.0, "requests failed: {said}");
    Figures { rate: requests / (duration / 1e6), p50, p99, requests: requests as u64 }
}
