//! `hallpass api import`: a description from a file, standard input or an address.

use std::io::{IsTerminal, Read, Write};
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::open;
use crate::actor::Actor;
use crate::app::App;
use crate::catalogue::description::MAX_BYTES;
use crate::catalogue::options::ApiOptions;
use crate::catalogue::store::{self, Difference, Draft};
use crate::config::Config;
use crate::types::Lines;

/// How long an address may take for the whole description.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Subcommand)]
pub enum Command {
    /// Import a description, or replace the one of a known API
    #[command(
        after_help = "Examples:\n  hallpass api import dns pdns.json --host api.example.org --kind \"read *:search\"\n  hallpass api import pdns - --yes < pdns.json"
    )]
    Import {
        /// Short name of the API: it stands in scopes
        slug: String,
        /// File, - for standard input, or http(s) address
        from: String,
        #[command(flatten)]
        options: Options,
        /// Replace a known description without asking
        #[arg(long)]
        yes: bool,
    },
}

/// What is not given stays as it is for a known API.
#[derive(Args)]
pub struct Options {
    /// Host names that mean this API
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// What stands before every path; / for nothing
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// Letter case in paths makes no difference
    #[arg(long)]
    case_insensitive: bool,
    /// A segment may end in a dot
    #[arg(long)]
    trailing_dot: bool,
    /// Percent-encoded UTF-8 may stand in paths
    #[arg(long)]
    utf8_paths: bool,
    /// Methods whose last parameter takes the rest of the path
    #[arg(long, value_name = "SERVICE:METHOD")]
    greedy: Vec<String>,
    /// Kind of methods, such as "read *:get*"
    #[arg(long, value_name = "KIND PATTERN")]
    kind: Vec<String>,
    /// Least role for methods, such as "admin billing:*"
    #[arg(long, value_name = "ROLE PATTERN")]
    least_role: Vec<String>,
    /// Parameter that names a service's resource, such as "zones zone_id"
    #[arg(long, value_name = "SERVICE PARAMETER")]
    resource: Vec<String>,
}

impl Options {
    fn over(self, known: ApiOptions) -> ApiOptions {
        let lines = |given: Vec<String>, known: Lines| {
            if given.is_empty() { known } else { given.iter().collect() }
        };
        ApiOptions {
            hosts: lines(self.host, known.hosts),
            base_path: self.base_path.map(|path| if path == "/" { String::new() } else { path }).or(known.base_path),
            case_insensitive: self.case_insensitive || known.case_insensitive,
            trailing_dot: self.trailing_dot || known.trailing_dot,
            utf8_paths: self.utf8_paths || known.utf8_paths,
            greedy: lines(self.greedy, known.greedy),
            kinds: lines(self.kind, known.kinds),
            least_roles: lines(self.least_role, known.least_roles),
            resources: lines(self.resource, known.resources),
        }
    }
}

pub fn run(config: &Config, command: Command) -> Result<(), String> {
    let Command::Import { slug, from, options, yes } = command;
    let text = read(&from)?;
    let app = open(config)?;
    app.follow().map_err(|error| error.to_string())?;
    import(&app, &slug, &text, options, yes)
}

fn import(app: &Arc<App>, slug: &str, text: &[u8], options: Options, yes: bool) -> Result<(), String> {
    let catalogue = app.catalogue();
    let known = catalogue.api(slug);
    let options = options.over(known.map(|api| api.options.clone()).unwrap_or_default());
    let draft = store::draft(&catalogue, slug, text, options).map_err(|error| error.to_string())?;
    if let Some(api) = known {
        show(&store::difference(Some(api), &draft));
        if !yes && !agreed()? {
            return Err("Nothing was changed.".into());
        }
    }
    app.write_now(|tx| store::import(tx, &Actor::operator(), &draft)).map_err(|error| error.to_string())?;
    report(&draft);
    Ok(())
}

fn show(difference: &Difference) {
    println!(
        "Added {}, removed {}, changed {}.",
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len()
    );
    difference.added.iter().for_each(|name| println!("  + {name}"));
    difference.removed.iter().for_each(|name| println!("  - {name}"));
    difference.changed.iter().for_each(|(name, was, becomes)| println!("  ~ {name}: {was} -> {becomes}"));
}

fn agreed() -> Result<bool, String> {
    if !std::io::stdin().is_terminal() {
        return Err("This API is imported already. Say --yes to replace its description.".into());
    }
    print!("Replace the description? [y/N] ");
    let mut line = String::new();
    let asked = std::io::stdout().flush().and_then(|()| std::io::stdin().read_line(&mut line));
    asked.map_err(|cause| format!("The answer cannot be read: {cause}."))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn report(draft: &Draft) {
    let described = &draft.description;
    println!(
        "Imported {} as {}: {} methods in {} services.",
        described.title,
        draft.slug,
        described.methods.len(),
        described.services.len()
    );
    described.notes.iter().for_each(|note| println!("Note: {note}"));
}

/// From a file, standard input (`-`) or an address.
pub fn read(from: &str) -> Result<Vec<u8>, String> {
    let most = MAX_BYTES as u64 + 1;
    let failed = |cause: &dyn std::fmt::Display| format!("{from} cannot be read: {cause}.");
    let mut text = Vec::new();
    if from.starts_with("https://") || from.starts_with("http://") {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
        let answer = agent.get(from).call().map_err(|cause| failed(&cause))?;
        let mut body = answer.into_body().into_reader().take(most);
        body.read_to_end(&mut text).map_err(|cause| failed(&cause))?;
    } else if from == "-" {
        std::io::stdin().take(most).read_to_end(&mut text).map_err(|cause| failed(&cause))?;
    } else {
        let file = std::fs::File::open(from).map_err(|cause| failed(&cause))?;
        file.take(most).read_to_end(&mut text).map_err(|cause| failed(&cause))?;
    }
    Ok(text)
}
