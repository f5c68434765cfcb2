//! Every example that the help of a command or the README prints runs as printed, in a home folder of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use hallpass::types::Role;

use crate::proxies::stage::Api;
use crate::support::{PASSWORD, Site, ZONES};
use crate::terminal::Terminal;

const ADDRESS: &str = "https://hallpass.example.org";

/// A site with what the examples speak of, and somebody signed in there.
struct Scene {
    site: Site,
    terminal: Terminal,
    api: Api,
    value: String,
}

impl Scene {
    fn new() -> Scene {
        let site = Site::start();
        let maria = site.owner_with_zones();
        site.person("jan@example.com", Role::Contributor);
        let value = maria.generate("deploy", &["hallpass/*", "*"]);
        maria.generate("old", &["zones:listZones"]);
        let terminal = Terminal::signed_in(&site, "maria@example.com");
        terminal.write("pdns.json", ZONES);
        terminal.write("backup.yaml", "service_accounts: [{ name: backup, role: token_creator }]");
        terminal.done(&["apply", "backup.yaml", "--yes"]);
        Scene { site, terminal, api: Api::start(), value }
    }

    /// As a shell runs it; nothing but the address stands for another.
    fn command(&self, script: &str) -> Command {
        let home = self.terminal.home.path();
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_hallpass")).parent().unwrap();
        let mut command = Command::new("bash");
        let script = script.replace(ADDRESS, self.site.url("").as_str());
        command.args(["-euo", "pipefail", "-c", &script]).current_dir(home).env_clear();
        command.env("HOME", home).env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
        command.env("HALLPASS_DATABASE_URL", self.site.database_url()).env("HALLPASS_LISTEN", "127.0.0.1:0");
        command.env("VALUE", &self.value);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, mut command: Command, script: &str) -> String {
        let mut child = command.spawn().unwrap();
        // What is asked for is the password, each time.
        let _ = child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n{PASSWORD}\n").as_bytes());
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}\n{err}");
        out.into_owned()
    }
}

fn help(of: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hallpass")).args(of).arg("--help").output().unwrap();
    assert!(output.status.success(), "{of:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of a part of a help, without what they are indented by.
fn part(help: &str, heading: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(|line| line[2..].to_owned()).collect()
}

/// Every command with its help; those that only lead on to others have no examples.
fn commands() -> Vec<(Vec<String>, String)> {
    let (mut found, mut open) = (Vec::new(), vec![Vec::new()]);
    while let Some(path) = open.pop() {
        let text = help(&path);
        // A command's name stands two columns in, its description further in where it is folded.
        for line in part(&text, "Commands:").iter().filter(|line| !line.starts_with(' ')) {
            let name = line.split_whitespace().next().unwrap().to_owned();
            open.push(path.iter().cloned().chain([name]).collect());
        }
        found.push((path, text));
    }
    found
}

#[test]
fn every_example_of_every_help_runs_as_printed() {
    let all = commands();
    assert!(all.len() > 25, "{}", all.len());
    for (path, text) in all {
        let examples = [part(&text, "Example:"), part(&text, "Examples:")].concat();
        let leads_on = !part(&text, "Commands:").is_empty() && !path.is_empty();
        assert_eq!(examples.is_empty(), leads_on, "hallpass {} has an example", path.join(" "));
        if leads_on {
            continue;
        }
        let scene = Scene::new();
        let file = part(&text, "A file:");
        if !file.is_empty() {
            scene.terminal.write("hallpass.yaml", &file.join("\n"));
        }
        for example in &examples {
            let is_its_own = example.contains(&format!("hallpass {}", path.join(" ")));
            assert!(is_its_own, "{example} stands under {}", path.join(" "));
            match path.first().map(String::as_str) {
                None | Some("serve") => serves(&scene, example),
                _ => drop(scene.run(scene.command(example), example)),
            }
        }
    }
}

/// A server goes on until it is told to stop.
fn serves(scene: &Scene, example: &str) {
    // The port may be another program's.
    let script = format!("exec {}", example.replace("127.0.0.1:8080", "127.0.0.1:0"))
        .replace(ADDRESS, "https://kept.example.org");
    let mut child = scene.command(&script).spawn().unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next();
    let _ = child.kill();
    let _ = child.wait();
    assert!(line.is_some_and(|line| line.unwrap().contains("listens on https://kept.example.org/")), "{example}");
}

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The blocks of the README in a language, each with the heading that it stands under.
fn blocks(readme: &str, language: &str) -> Vec<(String, String)> {
    let (mut found, mut heading, mut block) = (Vec::new(), String::new(), None::<String>);
    for line in readme.lines() {
        match (&mut block, line) {
            (Some(text), "```") => {
                found.push((heading.clone(), std::mem::take(text)));
                block = None;
            }
            (Some(text), line) => text.push_str(&format!("{line}\n")),
            (None, line) if line == format!("```{language}") => block = Some(String::new()),
            (None, line) if line.starts_with('#') => heading = line.trim_start_matches('#').trim().to_owned(),
            _ => {}
        }
    }
    found
}

#[test]
fn every_script_of_the_readme_runs_as_printed() {
    let readme = readme();
    let file = blocks(&readme, "yaml").into_iter().find(|(heading, _)| heading == "A file for all of it").unwrap().1;
    let scripts = blocks(&readme, "sh");
    let headings: Vec<&str> = scripts.iter().map(|(heading, _)| heading.as_str()).collect();
    let known = ["Asking about a token", "REST API", "A file for all of it", "In CI", "Rotation"];
    assert_eq!(headings, known);
    for (heading, script) in &scripts {
        let scene = Scene::new();
        scene.terminal.write("hallpass.yaml", &file);
        scene.terminal.write("deploy.value", &scene.value);
        let mut command = scene.command(script);
        command.env("HALLPASS_URL", scene.site.url("")).env("HALLPASS_EMAIL", "maria@example.com");
        command.env("HALLPASS_PASSWORD", PASSWORD).env("CALLER", &scene.value);
        command.env("API_URL", format!("http://{}", scene.api.address)).env("JOB", "417");
        command.env("HALLPASS_TOKEN", &scene.value);
        let out = scene.run(command, script);
        let alive = |value: &str| scene.site.verify(value, "GET", "/api/v1/zones").status == 200;
        match heading.as_str() {
            "Asking about a token" => assert!(out.contains(r#""active":true"#), "{out}"),
            "A file for all of it" => {
                let values = scene.terminal.read("values.tsv");
                let value = values.lines().next().unwrap().split('\t').nth(2).unwrap();
                assert_eq!((values.lines().count(), alive(value)), (2, true), "{values}");
                assert!(out.ends_with("0 to create, 0 to edit, 0 to remove, 7 as the file says.\n"), "{out}");
            }
            "In CI" => {
                let sent = scene.api.last();
                let value = sent.all("Authorization")[0].trim_start_matches("Bearer ").to_owned();
                let told = scene.site.texts("SELECT name AS text FROM tokens WHERE removed_at IS NOT NULL");
                assert_eq!((value.len(), alive(&value), told), (45, false, vec!["ci-417".to_owned()]));
            }
            "Rotation" => {
                let kept = scene.terminal.read("deploy.value");
                assert!(alive(kept.trim()) && alive(&scene.value) && kept.trim() != scene.value);
            }
            _ => {}
        }
    }
}

/// What stands indented is how commands are called, with choices and names in capitals.
#[test]
fn the_readme_names_only_commands_and_flags_that_there_are() {
    let all = commands();
    let mut count = 0;
    for line in readme().lines().filter_map(|line| line.strip_prefix("    hallpass ")) {
        // The words of the command, as far as they are some.
        let words: Vec<&str> = line.split_whitespace().map(|word| word.split('|').next().unwrap()).collect();
        let fits = |path: &[String]| path.iter().zip(&words).all(|(of, word)| of == word) && path.len() <= words.len();
        let (path, text) = all.iter().filter(|(path, _)| fits(path)).max_by_key(|(path, _)| path.len()).unwrap();
        assert!(!path.is_empty() || words[0].starts_with('['), "{line}");
        for flag in line.split(['[', ']', ' ', '|']).filter(|word| word.starts_with("--")) {
            assert!(text.contains(flag), "{flag} of {line}");
        }
        count += 1;
    }
    assert!(count > 15, "{count}");
}
