//! Settings: by flag, by environment (`HALLPASS_…`), by file, in that order; each with its default. The README's table is
//! checked against [`Settings`].

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

use crate::db::Place;
use crate::error::Error;
use crate::limits::Limits;
use crate::policy::Policy;

/// What can be set. The same names, with `-` for `_`, in the settings file (TOML).
#[derive(Args, Deserialize, Default, Clone)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// Settings file (TOML) [default: hallpass.toml, if there is one]
    #[arg(long, env = "HALLPASS_CONFIG", value_name = "FILE", global = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Folder for what Hallpass keeps [default: hallpass-data]
    #[arg(long, env = "HALLPASS_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: hallpass.db in the data folder]
    #[arg(long, env = "HALLPASS_DATABASE_URL", value_name = "URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,

    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "HALLPASS_LISTEN", value_name = "ADDRESS", global = true)]
    pub listen: Option<String>,

    /// Address under which people reach the pages [default: http:// and the listening address]
    #[arg(long, env = "HALLPASS_PUBLIC_URL", value_name = "URL", global = true)]
    pub public_url: Option<String>,

    /// Allow a public URL without TLS that is not this machine
    #[arg(long, env = "HALLPASS_PLAIN_HTTP", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", global = true)]
    pub plain_http: Option<bool>,

    /// Networks of the proxies whose forwarded headers are believed, comma-separated [default: 127.0.0.0/8,::1/128]
    #[arg(long, env = "HALLPASS_TRUSTED_PROXIES", value_name = "CIDRS", global = true)]
    pub trusted_proxies: Option<String>,

    /// Word before the underscore of every value [default: hp]
    #[arg(long, env = "HALLPASS_PREFIX", value_name = "WORD", global = true)]
    pub prefix: Option<String>,

    /// Seconds without news of a shared database after which verification refuses [default: 5]
    #[arg(long, env = "HALLPASS_MAX_STALENESS", value_name = "SECONDS", global = true)]
    pub max_staleness: Option<u32>,

    /// Threads that hash passwords, 19 MiB each [default: one for each core]
    #[arg(long, env = "HALLPASS_HASHING_THREADS", value_name = "N", global = true)]
    pub hashing_threads: Option<usize>,

    /// Connections at once; further ones wait [default: 16000]
    #[arg(long, env = "HALLPASS_MAX_CONNECTIONS", value_name = "N", global = true)]
    pub max_connections: Option<usize>,

    /// Networks that may read /metrics, comma-separated [default: 127.0.0.0/8,::1/128]
    #[arg(long, env = "HALLPASS_METRICS_FROM", value_name = "CIDRS", global = true)]
    pub metrics_from: Option<String>,

    /// Days that events stay in the audit log [default: for ever]
    #[arg(long, env = "HALLPASS_AUDIT_DAYS", value_name = "DAYS", global = true)]
    pub audit_days: Option<u32>,

    /// Least level of log lines: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "HALLPASS_LOG", value_name = "LEVEL", global = true)]
    pub log: Option<String>,

    /// Log lines as text or json [default: text]
    #[arg(long, env = "HALLPASS_LOG_FORMAT", value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,

    /// The operator's limits; in the file, until they are saved on the page
    #[arg(skip)]
    pub policy: Option<Policy>,
}

/// Settings that have been read, checked and completed.
#[derive(Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub database: Place,
    pub listen: String,
    pub public_url: Url,
    pub trusted_proxies: Vec<IpNet>,
    pub prefix: String,
    pub max_staleness: chrono::TimeDelta,
    pub hashing_threads: Option<std::num::NonZeroUsize>,
    pub limits: Limits,
    pub metrics_from: Vec<IpNet>,
    pub audit_days: Option<u32>,
    pub log: tracing::Level,
    pub log_json: bool,
    pub policy: Policy,
}

const USUAL_FILE: &str = "hallpass.toml";

impl Settings {
    /// Flags and environment over the file over the defaults. The error is one sentence.
    pub fn complete(self) -> Result<Config, String> {
        let file = self.read_file()?;
        let over =
            |flag: Option<String>, file: Option<String>, usual: &str| flag.or(file).unwrap_or_else(|| usual.into());

        let data_dir = self.data_dir.or(file.data_dir).unwrap_or_else(|| "hallpass-data".into());
        let database = match self.database_url.or(file.database_url) {
            Some(url) => Place::parse(&url)?,
            None => Place::Sqlite(data_dir.join("hallpass.db").to_string_lossy().into_owned()),
        };
        let listen = over(self.listen, file.listen, "127.0.0.1:8080");
        let plain_http = self.plain_http.or(file.plain_http).unwrap_or(false);
        let public_url = public_url(self.public_url.or(file.public_url), &listen, plain_http)?;
        let trusted = over(self.trusted_proxies, file.trusted_proxies, "127.0.0.0/8,::1/128");
        let metrics_from = over(self.metrics_from, file.metrics_from, "127.0.0.0/8,::1/128");
        let policy = file.policy.unwrap_or_default();
        policy.check().map_err(of_policy)?;
        let hashing_threads = match self.hashing_threads.or(file.hashing_threads) {
            None => None,
            Some(threads) => Some(
                std::num::NonZeroUsize::new(threads)
                    .filter(|threads| threads.get() <= 256)
                    .ok_or("hashing_threads has to be between 1 and 256.")?,
            ),
        };
        Ok(Config {
            data_dir,
            database,
            listen,
            public_url,
            trusted_proxies: networks("trusted_proxies", &trusted)?,
            prefix: prefix(over(self.prefix, file.prefix, "hp"))?,
            max_staleness: chrono::TimeDelta::seconds(self.max_staleness.or(file.max_staleness).unwrap_or(5).into()),
            hashing_threads,
            limits: limits(self.max_connections.or(file.max_connections))?,
            metrics_from: networks("metrics_from", &metrics_from)?,
            audit_days: match self.audit_days.or(file.audit_days) {
                Some(0 | 36_501..) => return Err("audit_days has to be between 1 and 36500.".into()),
                days => days,
            },
            log: level(&over(self.log, file.log, "info"))?,
            log_json: match over(self.log_format, file.log_format, "text").as_str() {
                "text" => false,
                "json" => true,
                other => return Err(format!("log_format is “{other}”, but it has to be text or json.")),
            },
            policy,
        })
    }

    fn read_file(&self) -> Result<Settings, String> {
        let (path, named) = match &self.config {
            Some(path) => (path.clone(), true),
            None => (PathBuf::from(USUAL_FILE), false),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|cause| {
                let place =
                    cause.span().map(|span| 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count());
                let place = place.map(|line| format!(", line {line}")).unwrap_or_default();
                format!(
                    "The settings file {}{place} cannot be read: {}.",
                    path.display(),
                    cause.message().trim_end_matches('.')
                )
            }),
            Err(cause) if !named && cause.kind() == std::io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(cause) => Err(format!("The settings file {} cannot be read: {cause}.", path.display())),
        }
    }
}

impl Config {
    /// Cookies are `Secure` and `__Host-` unless the pages are served without TLS.
    pub fn has_tls(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    pub fn trusts(&self, peer: std::net::IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// The first problem, at its name in the file.
fn of_policy(error: Error) -> String {
    let Error::Invalid(problems) = error else { return error.to_string() };
    let worded = problems.first().map(|problem| {
        let name = match problem.field {
            "confirm_minutes" => "confirm",
            field if field.starts_with("max_lifetime_") => "max_lifetime_by_role",
            field => field,
        };
        format!("policy.{name}: {}", problem.sentence)
    });
    worded.unwrap_or_default()
}

fn public_url(given: Option<String>, listen: &str, plain_http: bool) -> Result<Url, String> {
    let text = given.unwrap_or_else(|| format!("http://{listen}"));
    let wrong = || format!("The public URL {text} has to be http:// or https:// and a host, without path.");
    let url = Url::parse(&text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.path() != "/" || url.query().is_some() {
        return Err(wrong());
    }
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !here && !plain_http {
        return Err(format!(
            "The public URL {text} has no TLS: passwords would cross the network in the clear. \
             Put Hallpass behind https, or set plain_http if that network is yours alone."
        ));
    }
    Ok(url)
}

fn limits(connections: Option<usize>) -> Result<Limits, String> {
    let usual = Limits::STANDARD;
    match connections.unwrap_or(usual.connections) {
        connections @ 10..=1_000_000 => Ok(Limits { connections, ..usual }),
        _ => Err("max_connections has to be between 10 and 1000000.".into()),
    }
}

fn networks(setting: &str, text: &str) -> Result<Vec<IpNet>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            crate::types::parse_net(entry).ok_or(format!("{setting}: “{entry}” is not a network, such as 10.0.0.0/8."))
        })
        .collect()
}

fn prefix(word: String) -> Result<String, String> {
    match (1..=10).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        true => Ok(word),
        false => Err(format!("prefix is “{word}”, but it has to be 1 to 10 lower case letters and digits.")),
    }
}

fn level(word: &str) -> Result<tracing::Level, String> {
    match word {
        "error" | "warn" | "info" | "debug" | "trace" => word.parse().map_err(|_| String::new()),
        _ => Err(format!("log is “{word}”, but it has to be error, warn, info, debug or trace.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(change: impl FnOnce(&mut Settings)) -> Result<Config, String> {
        let mut settings = Settings { config: Some("/dev/null".into()), ..Settings::default() };
        change(&mut settings);
        settings.complete()
    }

    #[test]
    fn without_settings_it_listens_on_this_machine_alone_and_trusts_only_it() {
        let config = complete(|_| {}).unwrap();
        assert_eq!((config.listen.as_str(), config.public_url.as_str()), ("127.0.0.1:8080", "http://127.0.0.1:8080/"));
        assert!(config.trusts("127.0.0.1".parse().unwrap()) && config.trusts("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!config.trusts("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn each_wrong_setting_is_one_sentence() {
        for change in [
            (|s| s.public_url = Some("http://pass.example.org".into())) as fn(&mut Settings),
            |s| s.public_url = Some("ftp://x".into()),
            |s| s.database_url = Some("mysql://x".into()),
            |s| s.trusted_proxies = Some("10.0.0.0/33".into()),
            |s| s.prefix = Some("HP-".into()),
            |s| s.log = Some("loud".into()),
            |s| s.log_format = Some("xml".into()),
            |s| s.hashing_threads = Some(0),
            |s| s.max_connections = Some(0),
            |s| s.audit_days = Some(0),
            |s| s.metrics_from = Some("everybody".into()),
            |s| s.config = Some("/nowhere/hallpass.toml".into()),
        ] {
            let sentence = complete(change).err().unwrap();
            assert!(sentence.ends_with('.') && sentence.lines().count() == 1, "{sentence}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hallpass.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nprefix = \"abc\"\n[policy]\nmax_lifetime = 180\n").unwrap();
        let config = complete(|s| {
            s.config = Some(file);
            s.listen = Some("127.0.0.1:2".into());
        });
        let config = config.unwrap();
        assert_eq!(
            (config.listen.as_str(), config.prefix.as_str(), config.policy.max_lifetime),
            ("127.0.0.1:2", "abc", 180)
        );
    }

    #[test]
    fn an_unknown_name_in_the_file_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hallpass.toml");
        std::fs::write(&file, "prefix = \"abc\"\nlisten_on = \"x\"\n").unwrap();
        let sentence = complete(|s| s.config = Some(file)).err().unwrap();
        assert!(sentence.contains("line 2") && sentence.contains("listen_on"), "{sentence}");
    }
}
