//! Talks to a running Hallpass over its REST API: where it is, as whom, and what its refusals mean for the exit code.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

use super::hosts::Hosts;
use crate::api::json::{List, Problem};
use crate::secret::Secret;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the largest answer.
const LARGEST: u64 = 64 << 20;
/// Rows that are asked for at a time.
const PAGE: &str = "200";
const UNCONFIRMED: &str = "urn:hallpass:unconfirmed";

/// Which Hallpass is meant.
#[derive(Args, Clone, Default)]
pub struct Where {
    /// Address of Hallpass [default: that of the last sign-in]
    #[arg(long, env = "HALLPASS_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Value to call it with, instead of that of the last sign-in
    #[arg(long, env = "HALLPASS_TOKEN", value_name = "VALUE", hide_env_values = true, hide = true)]
    pub token: Option<String>,
}

/// Why a command failed: one sentence, and the code that scripts tell it by.
pub struct Failure {
    pub exit: Exit,
    pub sentence: String,
}

/// The exit codes, as the README has them; 2 is a command line that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Refused for what was asked, or anything else.
    Refused = 1,
    /// Not signed in, or the token is dead.
    SignedOut = 3,
    /// Signed in, but not allowed; or the password is wrong.
    Forbidden = 4,
    Missing = 5,
    /// Hallpass cannot be reached, or cannot answer now.
    Away = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What fails before anything is sent, or by its own hand.
impl From<String> for Failure {
    fn from(sentence: String) -> Failure {
        Failure { exit: Exit::Refused, sentence }
    }
}

impl Failure {
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Failure {
        Failure { exit, sentence: sentence.into() }
    }
}

pub struct Client {
    agent: ureq::Agent,
    base: Url,
    value: Option<Secret>,
    /// Once it was asked for.
    password: RefCell<Option<Secret>>,
}

/// What a call sends along.
#[derive(Clone, Copy)]
enum Sent<'a> {
    Nothing,
    Json(&'a [u8]),
    /// With its content type.
    Document(&'a [u8], &'static str),
}

/// An answer that is no failure.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Client {
    /// The Hallpass that is meant, as who is signed in there.
    pub fn signed_in(to: &Where) -> Result<Client, Failure> {
        let hosts = Hosts::read()?;
        let base = match &to.url {
            Some(typed) => address(typed)?,
            None => match hosts.current() {
                Some(host) => address(host)?,
                None => {
                    let sentence = "No Hallpass is known here. Say hallpass login URL, or set HALLPASS_URL.";
                    return Err(Failure::new(Exit::SignedOut, sentence));
                }
            },
        };
        let value = match &to.token {
            Some(value) => Secret::new(value.trim().to_owned()),
            None => hosts.value(base.as_str()).ok_or_else(|| {
                let sentence =
                    format!("You are not signed in to {base}. Say hallpass login {base}, or set HALLPASS_TOKEN.");
                Failure::new(Exit::SignedOut, sentence)
            })?,
        };
        Ok(Client { value: Some(value), ..Client::stranger(base) })
    }

    /// Nobody yet, at that address.
    pub fn stranger(base: Url) -> Client {
        if base.scheme() == "http" && !is_this_machine(&base) {
            eprintln!("{base} is not encrypted: passwords and values can be read on the way.");
        }
        // The certificates of the machine, so that an operator's own authority is known here too.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            // A value is sent to the address that was asked for and to no other.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("hallpass/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Client { agent: config.into(), base, value: None, password: RefCell::default() }
    }

    pub fn with(self, value: Secret) -> Client {
        Client { value: Some(value), ..self }
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call("GET", path, Sent::Nothing, false)?.json()
    }

    /// All pages of a list.
    pub fn every<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<T>, Failure> {
        let (mut items, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut asked = url::form_urlencoded::Serializer::new(String::new());
            asked.append_pair("limit", PAGE).extend_pairs(query);
            if let Some(after) = &after {
                asked.append_pair("after", after);
            }
            let page: List<T> = self.get(&format!("{path}?{}", asked.finish()))?;
            items.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// A change. The password is asked for where Hallpass asks for it.
    pub fn send<T: DeserializeOwned>(&self, method: &str, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.call(method, path, Sent::Json(&json(body)?), false)?.json()
    }

    /// The same, which may be sent again without being done twice.
    pub fn send_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.call("POST", path, Sent::Json(&json(body)?), true)?.json()
    }

    /// An API's description, JSON or YAML.
    pub fn put_document<T: DeserializeOwned>(&self, path: &str, text: &[u8]) -> Result<T, Failure> {
        let is_json = text.trim_ascii_start().starts_with(b"{");
        let kind = if is_json { "application/json" } else { "application/yaml" };
        self.call("PUT", path, Sent::Document(text, kind), false)?.json()
    }

    pub fn delete(&self, path: &str) -> Result<(), Failure> {
        self.call("DELETE", path, Sent::Nothing, false).map(drop)
    }

    pub fn post_nothing(&self, path: &str) -> Result<(), Failure> {
        self.call("POST", path, Sent::Nothing, false).map(drop)
    }

    fn call(&self, method: &str, path: &str, body: Sent<'_>, once: bool) -> Result<Answer, Failure> {
        let key = once.then(idempotency_key).transpose()?;
        let mut answer = self.try_once(method, path, body, key.as_deref())?;
        let asks = |answer: &Result<Answer, Problem>| matches!(answer, Err(problem) if problem.r#type == UNCONFIRMED);
        if asks(&answer) && self.password.borrow().is_none() {
            let password = ask_password("Your password, to confirm: ")?;
            self.password.replace(Some(password));
            answer = self.try_once(method, path, body, key.as_deref())?;
        }
        answer.map_err(|problem| refused(&self.base, problem))
    }

    fn try_once(
        &self,
        method: &str,
        path: &str,
        body: Sent<'_>,
        key: Option<&str>,
    ) -> Result<Result<Answer, Problem>, Failure> {
        let uri = format!("{}/{}", self.base.as_str().trim_end_matches('/'), path.trim_start_matches('/'));
        let mut request = ureq::http::Request::builder().method(method).uri(uri).header("Accept", "application/json");
        if let Some(value) = &self.value {
            request = request.header("Authorization", format!("Bearer {}", value.reveal()));
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        // A question needs none.
        if let Some(password) = self.password.borrow().as_ref().filter(|_| method != "GET") {
            request = request.header("X-Confirm-Password", password.reveal().as_bytes());
        }
        let unfit = |_| Failure::from("This cannot be sent: there is a line break or the like in it.".to_owned());
        let answered = match body {
            Sent::Json(body) => {
                let request = request.header("Content-Type", "application/json").body(body).map_err(unfit)?;
                self.agent.run(request)
            }
            Sent::Document(body, kind) => {
                self.agent.run(request.header("Content-Type", kind).body(body).map_err(unfit)?)
            }
            Sent::Nothing if method == "POST" => self.agent.run(request.body(Vec::new()).map_err(unfit)?),
            Sent::Nothing => self.agent.run(request.body(()).map_err(unfit)?),
        };
        let mut answered = answered.map_err(|cause| self.unreachable(&cause))?;
        let status = answered.status().as_u16();
        let body = answered.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.map_err(|cause| self.unreachable(&cause))?;
        match status {
            200..=299 => Ok(Ok(Answer { status, body })),
            300..=399 => {
                let to = answered.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
                Err(Failure::new(Exit::Away, format!("{} leads to {to}. Name that address instead.", self.base)))
            }
            _ => match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => Ok(Err(problem)),
                Err(_) => {
                    let sentence =
                        format!("{} answered {status}, but not as Hallpass does. Is that its address?", self.base);
                    Err(Failure::new(Exit::Away, sentence))
                }
            },
        }
    }

    fn unreachable(&self, cause: &ureq::Error) -> Failure {
        let base = &self.base;
        let sentence = match cause {
            ureq::Error::HostNotFound => format!("There is no host {}.", base.host_str().unwrap_or_default()),
            ureq::Error::Timeout(_) => format!("{base} did not answer in time."),
            ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
                format!("Nothing answers at {base}. Is Hallpass running there?")
            }
            other => {
                let text = other.to_string();
                match text.contains("certificate") || text.contains("Certificate") {
                    true => format!("The certificate of {base} is not to be trusted: {text}."),
                    false => format!("{base} cannot be reached: {text}."),
                }
            }
        };
        Failure::new(Exit::Away, sentence)
    }
}

impl Answer {
    fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            let sentence =
                format!("The answer ({}) cannot be read: {cause}. Is this Hallpass of another version?", self.status);
            Failure::new(Exit::Away, sentence)
        })
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|cause| cause.to_string().into())
}

/// All that is wrong, in the words of the answer.
fn refused(base: &Url, problem: Problem) -> Failure {
    let exit = match problem.status {
        401 => Exit::SignedOut,
        403 => Exit::Forbidden,
        404 => Exit::Missing,
        502..=504 => Exit::Away,
        _ => Exit::Refused,
    };
    let fields = problem.errors.iter().map(|error| format!("{}: {}", error.field, error.message));
    let told: Vec<String> = if problem.errors.is_empty() { vec![problem.detail.clone()] } else { fields.collect() };
    let mut sentence = told.join("\n");
    if let Some(reference) = &problem.reference {
        sentence.push_str(&format!(" (reference {reference}: look it up under Activity)"));
    }
    if exit == Exit::SignedOut {
        sentence.push_str(&format!(" Sign in again with hallpass login {base}."));
    }
    Failure { exit, sentence }
}

/// `https://` is meant where no scheme is typed; what follows the path is left away.
pub fn address(typed: &str) -> Result<Url, Failure> {
    let typed = typed.trim();
    let full = if typed.contains("://") { typed.to_owned() } else { format!("https://{typed}") };
    let parsed = Url::parse(&full).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url =
        parsed.ok_or_else(|| Failure::from(format!("{typed} is no address, such as https://hallpass.example.org.")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("An address holds no password here. Say hallpass login with the bare address.".to_owned().into());
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn idempotency_key() -> Result<String, Failure> {
    let key = crate::secret::Random::of_the_machine().base62(24).map_err(|error| Failure::from(error.to_string()))?;
    Ok(key.to_string())
}

/// From the terminal without echo, or the next line of standard input.
pub fn ask_password(prompt: &str) -> Result<Secret, Failure> {
    let failed = |cause: std::io::Error| Failure::from(format!("The password cannot be read: {cause}."));
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).map(Secret::new).map_err(failed);
    }
    let line = ask_line("")?;
    match line.is_empty() {
        true => Err(Failure::new(
            Exit::Forbidden,
            "A password is needed: there is no terminal to ask for it, and nothing on standard input.",
        )),
        false => Ok(Secret::new(line)),
    }
}

/// The next line of standard input, after a prompt where somebody sits there.
pub fn ask_line(prompt: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("{prompt}");
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|cause| Failure::from(format!("Standard input cannot be read: {cause}.")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_unless_said_otherwise_and_has_no_password() {
        let read = |typed| address(typed).map(String::from).map_err(|failure| failure.sentence);
        assert_eq!(read("hallpass.example.org").unwrap(), "https://hallpass.example.org/");
        assert_eq!(read(" http://127.0.0.1:8080/?a=b#c ").unwrap(), "http://127.0.0.1:8080/");
        assert_eq!(read("https://example.org/hallpass").unwrap(), "https://example.org/hallpass");
        for wrong in ["", "ftp://example.org", "https://", "https://a:b@example.org", "exa mple.org"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
