//! Where one is signed in: a file in the user's configuration folder that nobody else may read, host by host.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::client::Failure;
use crate::secret::Secret;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hosts {
    /// The address of the last sign-in.
    current: Option<String>,
    hosts: BTreeMap<String, Kept>,
}

/// It holds a value, so that it has no `Debug`.
#[derive(Serialize, Deserialize)]
struct Kept {
    account: String,
    value: String,
}

impl Hosts {
    /// None are known where there is no file.
    pub fn read() -> Result<Hosts, Failure> {
        let path = path()?;
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Hosts::default()),
            Err(cause) => return Err(format!("{} cannot be read: {cause}.", path.display()).into()),
        };
        let mode = std::fs::metadata(&path).map(|about| about.permissions().mode()).unwrap_or_default();
        if mode & 0o077 != 0 {
            eprintln!("Others may read {}: it holds values. Say chmod 600.", path.display());
        }
        serde_json::from_slice(&text)
            .map_err(|cause| format!("{} is damaged: {cause}. Remove it and sign in again.", path.display()).into())
    }

    pub fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    pub fn value(&self, host: &str) -> Option<Secret> {
        self.hosts.get(host).map(|kept| Secret::new(kept.value.clone()))
    }

    /// From now on this host is meant where none is named.
    pub fn keep(mut self, host: &str, account: &str, value: &Secret) -> Result<(), Failure> {
        self.current = Some(host.to_owned());
        self.hosts.insert(host.to_owned(), Kept { account: account.to_owned(), value: value.reveal().to_owned() });
        self.write()
    }

    pub fn forget(mut self, host: &str) -> Result<(), Failure> {
        self.hosts.remove(host);
        if self.current.as_deref() == Some(host) {
            self.current = self.hosts.keys().next().cloned();
        }
        self.write()
    }

    /// Beside the old file and then in its place, so that no half of it is ever read.
    fn write(&self) -> Result<(), Failure> {
        let path = path()?;
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let failed = |cause: std::io::Error| Failure::from(format!("{} cannot be written: {cause}.", path.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let text = serde_json::to_vec_pretty(self).map_err(|cause| Failure::from(cause.to_string()))?;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(failed)?;
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        written.and_then(|()| std::fs::rename(&beside, &path)).map_err(|cause| {
            std::fs::remove_file(&beside).ok();
            failed(cause)
        })
    }
}

/// `hallpass/hosts.json` in `$XDG_CONFIG_HOME`, or in `~/.config`.
fn path() -> Result<PathBuf, Failure> {
    let folders = etcetera::choose_base_strategy()
        .map_err(|cause| Failure::from(format!("There is no home folder: {cause}.")))?;
    Ok(folders.config_dir().join("hallpass").join("hosts.json"))
}
