//! Rules of the code's shape, read off the sources: who may import what, and that files stay one noun.

use std::path::{Path, PathBuf};

/// From the ground up, as `lib.rs` has it. A file may use what stands before it, and its neighbours in the same row.
const LAYERS: &[&[&str]] = &[
    &["error", "types", "schema"],
    &["policy", "password", "guess", "when", "secret", "scope", "sharded", "db", "telemetry", "limits"],
    &["config"],
    &["actor", "tx", "audit"],
    &["confirm", "repeat"],
    &["catalogue", "refusal", "usage"],
    &["index"],
    &["account", "team", "activity", "token", "session", "app", "decision", "jobs", "metrics", "policy_change"],
    &["http", "door"],
    &["web", "verify", "api", "cli"],
    &["server", "surround"],
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && path.file_name().unwrap() != "tests.rs" {
            found.push(path);
        }
    }
}

/// `(module, path, text without its tests)` of every file.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        let inner = path.strip_prefix(&root).unwrap().to_path_buf();
        let module = inner.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        (module, inner, text)
    };
    found.into_iter().map(read).collect()
}

fn layer(module: &str) -> usize {
    LAYERS.iter().position(|row| row.contains(&module)).unwrap_or_else(|| panic!("{module} has no layer"))
}

#[test]
fn imports_point_downwards_only() {
    for (module, path, text) in files().iter().filter(|(module, ..)| !matches!(module.as_str(), "lib" | "main")) {
        for used in text.split("crate::").skip(1) {
            let names = match used.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap().split(',').map(str::trim).map(str::to_owned).collect(),
                None => vec![used.to_owned()],
            };
            for name in names {
                let used: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // The command line starts the server: the one look upwards.
                let starts = module == "cli" && used == "server";
                assert!(starts || used == *module || layer(&used) <= layer(module), "{} uses {used}", path.display());
                let edges = ["web", "verify", "api", "cli"];
                // One reader of credentials, and one wording of challenges.
                // The client commands read and write the JSON of the API.
                let shares = module == "api" && used == "verify" || module == "cli" && used == "api";
                assert!(
                    shares || used == *module || !edges.contains(&module.as_str()) || !edges.contains(&used.as_str()),
                    "{} uses {used}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_core_knows_no_http_no_html_and_no_environment() {
    let core = layer("http");
    for (module, path, text) in files().iter().filter(|(module, ..)| !matches!(module.as_str(), "lib" | "main")) {
        if layer(module) >= core {
            continue;
        }
        for foreign in ["actix", "askama", "std::env"] {
            assert!(!text.contains(foreign), "{} has {foreign}", path.display());
        }
        assert!(module == "config" || !text.contains("clap"), "{} has clap", path.display());
    }
}

#[test]
fn every_file_says_in_its_first_line_what_it_is() {
    for (_, path, text) in files() {
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}

#[test]
fn templates_name_only_files_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut templates = vec![root.join("templates")];
    while let Some(path) = templates.pop() {
        if path.is_dir() {
            templates.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for used in text.split("assets::url(\"").skip(1) {
            let name = used.split('"').next().unwrap();
            assert!(root.join("static").join(name).exists(), "{} names {name}", path.display());
        }
        for forbidden in [" style=", "<style", " onclick=", "hx-on", "javascript:"] {
            assert!(!text.contains(forbidden), "{} has {forbidden}", path.display());
        }
    }
}

/// `Help text [default: value]` as the settings have it.
fn apart(help: &str) -> (&str, &str) {
    help.split_once(" [default: ").map_or((help, "no"), |(what, usual)| (what, usual.trim_end_matches(']')))
}

#[test]
fn the_readme_s_settings_are_those_of_the_code() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let settings = <hallpass::config::Settings as clap::Args>::augment_args(clap::Command::new("hallpass"));
    let mut rows = 0;
    for argument in settings.get_arguments() {
        let help = argument.get_help().unwrap().to_string();
        let (what, usual) = apart(&help);
        let flag = argument.get_long().unwrap();
        let variable = argument.get_env().unwrap().to_str().unwrap();
        let row = format!("| `--{flag}` | `{variable}` | {usual} | {what} |");
        assert!(readme.contains(&row), "{row}");
        rows += 1;
    }
    assert_eq!(readme.matches("| `--").count(), rows, "no row is left of a setting that is gone");

    let policy = serde_json::to_value(hallpass::policy::Policy::default()).unwrap();
    let limits = readme.split("under `[policy]`").nth(1).unwrap().split("## ").next().unwrap();
    for (name, usual) in policy.as_object().unwrap() {
        let usual = usual.to_string().replace(',', ", ");
        assert!(limits.contains(&format!("| `{name}` | {usual} |")), "{name} {usual}");
    }
    assert_eq!(limits.matches("\n| `").count(), policy.as_object().unwrap().len());
}
