//! The binary itself: starting, stopping, what goes wrong in one sentence, the operator's commands.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

use crate::support::{PASSWORD, ZONES};

fn hallpass(folder: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallpass"));
    command
        .current_dir(folder.path())
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &tempfile::TempDir, arguments: &[&str], input: &str) -> Output {
    let mut child = hallpass(folder, arguments).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A started server, its first two lines, ended when dropped.
struct Served(Child, String);

impl Served {
    fn start(folder: &tempfile::TempDir) -> Served {
        let mut child = hallpass(folder, &["--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let both = format!("{}\n{}", lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
        Served(child, both)
    }

    fn address(&self) -> String {
        self.1.split("listens on ").nth(1).unwrap().lines().next().unwrap().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn without_any_setting_it_makes_its_folder_listens_and_prints_the_set_up_link() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder);
    assert!(served.1.contains("There is no account yet. Set up the first owner at http://127.0.0.1:"), "{}", served.1);
    assert!(served.1.contains("/setup?code="));
    let mode = |path: &str| folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("hallpass-data"), 0o700);
    for file in std::fs::read_dir(folder.path().join("hallpass-data")).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    let ready = ureq::get(format!("{}readyz", served.address())).call().unwrap();
    assert_eq!(ready.status(), 200);
}

#[test]
fn sigterm_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::start(&folder);
    let kill = Command::new("kill").args(["-TERM", &served.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let mut log = String::new();
    served.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let ended = served.0.wait().unwrap();
    assert!(ended.success() && log.contains("stopping"), "{ended}: {log}");
}

#[test]
fn what_goes_wrong_at_start_is_one_sentence_and_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    std::fs::write(folder.path().join("a-file"), "x").unwrap();
    std::fs::write(folder.path().join("wrong.toml"), "[policy]\ndefault_lifetime = 400\n").unwrap();
    std::fs::write(
        folder.path().join("not.db"),
        "this is no database, but a text of some length that SQLite reads as one page",
    )
    .unwrap();
    for (arguments, part) in [
        (vec!["--listen", busy.as_str()], "another program is listening there"),
        (vec!["--listen", "nowhere", "--public-url", "http://127.0.0.1"], "cannot listen on nowhere"),
        (vec!["--data-dir", "a-file/data"], "The data folder a-file/data cannot be made"),
        (vec!["--database-url", "sqlite:/nowhere/at/all.db"], "The database file /nowhere/at/all.db cannot be opened"),
        (vec!["--database-url", "sqlite:not.db"], "The database file not.db cannot be opened"),
        (vec!["--database-url", "postgres://nobody:hunter2@127.0.0.1:1/none"], "PostgreSQL cannot be reached"),
        (vec!["--database-url", "mysql://x"], "has to be sqlite:PATH or postgres://"),
        (
            vec!["--config", "wrong.toml"],
            "policy.default_lifetime: 400 days is more than the longest lifetime, 365 days.",
        ),
        (vec!["--public-url", "http://pass.example.org"], "has no TLS"),
    ] {
        let output = run(&folder, &arguments, "");
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains(part) && said.trim_end().lines().count() == 1, "{arguments:?}: {said}");
        assert!(!said.contains("hunter2") && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn an_operator_adds_lists_and_disables_people_with_the_password_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let input = format!("{PASSWORD}\n");
    let added = run(&folder, &["account", "add", "maria@example.com", "--role", "owner"], &input);
    assert_eq!(text(&added.stdout), "Added maria@example.com as owner.\n", "{}", text(&added.stderr));
    run(&folder, &["account", "add", "jan@example.com", "--role", "viewer"], &input);
    let list = text(&run(&folder, &["account", "list"], "").stdout);
    assert!(list.contains("maria@example.com") && list.contains("owner") && list.contains("jan@example.com"), "{list}");
    assert_eq!(
        text(&run(&folder, &["account", "disable", "jan@example.com"], "").stdout),
        "Disabled jan@example.com.\n"
    );
    assert_eq!(
        text(&run(&folder, &["account", "passwd", "maria@example.com"], "six purple kettles sing\n").stdout),
        "Changed the password of maria@example.com.\n"
    );
    assert_eq!(
        text(&run(&folder, &["account", "enable", "jan@example.com"], "").stdout),
        "Enabled jan@example.com. Service accounts stay disabled.\n"
    );
    assert_eq!(
        text(&run(&folder, &["account", "role", "jan@example.com", "contributor"], "").stdout),
        "jan@example.com has the role contributor now.\n"
    );
    let invited = run(&folder, &["account", "invite", "ana@example.com", "--name", "Ana"], "");
    let link = text(&invited.stdout);
    assert!(link.contains("/invite/") && link.lines().count() == 1, "{link}{}", text(&invited.stderr));
    let again = text(&run(&folder, &["account", "invite", "ana@example.com"], "").stdout);
    assert!(again.contains("/invite/") && again != link);
    let list = text(&run(&folder, &["account", "list"], "").stdout);
    assert!(list.contains("invited") && list.contains("TEAMS") && list.contains("active"), "{list}");
    for (arguments, input, part) in [
        (vec!["account", "role", "maria@example.com", "viewer"], "", "last owner"),
        (vec!["account", "role", "jan@example.com", "emperor"], "", "the roles are"),
        (vec!["account", "invite", "no address"], "", "not an e-mail address"),
        (vec!["account", "add", "MARIA@example.com"], input.as_str(), "already an account with this e-mail"),
        (vec!["account", "add", "eve@example.com"], "short\n", "at least 15 characters"),
        (vec!["account", "disable", "nobody@example.com"], "", "There is no account nobody@example.com."),
        (vec!["account", "disable", "maria@example.com"], "", "last owner"),
    ] {
        let refused = run(&folder, &arguments, input);
        assert!(!refused.status.success());
        assert!(text(&refused.stderr).contains(part), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_description_is_imported_from_a_file_or_standard_input_and_replaced_only_with_a_yes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("zones.json"), ZONES).unwrap();
    let first = run(&folder, &["api", "import", "pdns", "zones.json", "--case-insensitive"], "");
    assert_eq!(text(&first.stdout), "Imported DNS as pdns: 8 methods in 3 services.\n", "{}", text(&first.stderr));
    let again = run(&folder, &["api", "import", "pdns", "zones.json"], "");
    assert!(text(&again.stderr).contains("Say --yes"), "{}", text(&again.stderr));
    let piped = run(&folder, &["api", "import", "pdns", "-", "--yes"], &ZONES.replace("listZones", "allZones"));
    let said = text(&piped.stdout);
    assert!(said.contains("Added 1, removed 1, changed 0.") && said.contains("+ zones:allZones"), "{said}");
    for (slug, from, part) in [
        ("PDNS", "zones.json", "1 to 40"),
        ("x", "nothing.json", "nothing.json cannot be read"),
        ("x", "http://127.0.0.1:1/a.json", "cannot be read"),
    ] {
        let refused = run(&folder, &["api", "import", slug, from], "");
        assert!(!refused.status.success());
        assert!(text(&refused.stderr).contains(part), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_running_server_hears_of_what_the_command_line_changes() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder);
    std::fs::write(folder.path().join("zones.json"), ZONES).unwrap();
    run(&folder, &["account", "add", "maria@example.com", "--role", "owner"], &format!("{PASSWORD}\n"));
    run(&folder, &["api", "import", "pdns", "zones.json"], "");
    // Set-up is over as soon as there is an account, whoever made it.
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    assert_eq!(agent.get(format!("{}setup", served.address())).call().unwrap().status(), 404);
}
