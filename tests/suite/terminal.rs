//! A person at a terminal: the real binary in a home folder of its own.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{PASSWORD, Site};

/// A person at a terminal of their own: a home folder.
pub struct Terminal {
    pub home: tempfile::TempDir,
}

pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Terminal {
    pub fn new() -> Terminal {
        Terminal { home: tempfile::tempdir().unwrap() }
    }

    pub fn signed_in(site: &Site, email: &str) -> Terminal {
        let terminal = Terminal::new();
        let said = terminal.run(&["login", &site.url("/")], &format!("{email}\n{PASSWORD}\n"));
        assert_eq!(said.code, 0, "{}", said.err);
        terminal
    }

    pub fn run(&self, arguments: &[&str], input: &str) -> Said {
        self.run_with(&[], arguments, input)
    }

    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hallpass"))
            .current_dir(self.home.path())
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever does not read it has ended before.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A file in the home folder, which is where commands run.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.home.path().join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap()
    }

    /// A command that succeeds; a change is confirmed by the password.
    pub fn done(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments, &format!("{PASSWORD}\n{PASSWORD}\n"));
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out
    }

    pub fn fact(&self, id: &str, term: &str) -> String {
        let told = self.done(&["token", "describe", id]);
        let line = told.lines().find_map(|line| line.strip_prefix(term)).unwrap_or_default();
        line.trim().to_owned()
    }
}

/// `id  …` of what was printed.
pub fn told<'t>(text: &'t str, term: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(term)).unwrap_or_else(|| panic!("no {term} in {text}")).trim()
}
