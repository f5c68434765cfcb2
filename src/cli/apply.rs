//! `hallpass apply FILE`: makes what a file declares. First a plan, then the changes; a second time there is nothing to change.

mod compare;
mod doing;
mod file;
mod plan;
mod there;
mod tokens;
mod values;

use std::io::{IsTerminal, Write};

use clap::Args;

use super::client::{Client, Exit, Failure, Where};
use super::output;
use doing::Doer;
use plan::{Deed, Plan, Step};
use there::There;
use values::Values;

/// Below its help.
pub const EXAMPLE: &str = "\
A file:
  service_accounts:
    - name: backup
      role: token_creator
  tokens:
    - name: nightly
      owner: backup
      scopes: [zones:listZones, zones:readZone]
      allow: [zones:example.org]
      lifetime: 90d
  managed: [backup]

What an entry leaves out stays as it is, and what is not in the file is left alone.
--prune removes tokens alone, and only those of owners under managed.

Examples:
  hallpass apply hallpass.yaml --dry-run
  hallpass apply hallpass.yaml --yes --values values.tsv
  hallpass apply hallpass.yaml --yes --prune";

#[derive(Args)]
pub struct Apply {
    /// YAML file, or - for standard input
    file: String,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before the changes
    #[arg(short, long)]
    yes: bool,
    /// Where the values of new tokens go: to the end of a file that nobody else may read, or - for standard output
    #[arg(long, value_name = "FILE")]
    values: Option<String>,
    /// Remove tokens that the file does not name, of the owners that it says it manages
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    to: Where,
}

pub fn run(apply: &Apply) -> Result<(), Failure> {
    let (file, folder) = file::read(&apply.file)?;
    let client = Client::signed_in(&apply.to)?;
    let there = There::look(&client)?;
    let plan = compare::plan(&there, &file, &folder, apply.prune)?;
    say(apply, &plan.told())?;
    if apply.dry_run || plan.steps.is_empty() {
        return Ok(());
    }
    let values = match &apply.values {
        _ if !plan.generates() => None,
        Some(to) => Some(to),
        None => {
            let sentence = "Say where the values of new tokens go: --values FILE, or --values - for standard output. \
                Nothing was changed.";
            return Err(sentence.to_owned().into());
        }
    };
    must_agree(apply)?;
    let mut values = values.map(|to| Values::open(to)).transpose()?;
    let mut doer = Doer::new(&there);
    for (nth, step) in plan.steps.iter().enumerate() {
        carry_out(&mut doer, step, values.as_mut()).map_err(|failure| stopped(failure, step, nth, &plan))?;
        say(apply, &format!("{} {}\n", done(step), output::plain(&step.what)))?;
    }
    let count = |deed| plan.count(deed);
    let (created, edited, removed) = (count(Deed::Create), count(Deed::Edit), count(Deed::Remove));
    say(apply, &format!("Done: {created} created, {edited} edited, {removed} removed.\n"))
}

/// Where values go to standard output, nothing else does.
fn say(apply: &Apply, text: &str) -> Result<(), Failure> {
    match apply.values.as_deref() {
        Some("-") => {
            eprint!("{text}");
            Ok(())
        }
        _ => output::print(text),
    }
}

fn must_agree(apply: &Apply) -> Result<(), Failure> {
    if apply.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err("There is no terminal to ask on: say --yes to make these changes. Nothing was changed."
            .to_owned()
            .into());
    }
    eprint!("Make these changes? [y/N] ");
    let mut line = String::new();
    let asked = std::io::stderr().flush().and_then(|()| std::io::stdin().read_line(&mut line));
    asked.map_err(|cause| Failure::from(format!("The answer cannot be read: {cause}.")))?;
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err("Nothing was changed.".to_owned().into()),
    }
}

/// A value is kept before anything else happens; a token whose value cannot be kept is taken back.
fn carry_out(doer: &mut Doer<'_>, step: &Step, values: Option<&mut Values>) -> Result<(), Failure> {
    let Some(made) = doer.act(&step.act)? else { return Ok(()) };
    let kept = values.map_or(Ok(()), |values| values.keep(&made.owner, &made.name, &made.value));
    if let Err(failure) = kept {
        doer.undo(&made)?;
        return Err(Failure { sentence: format!("{} The token was removed again.", failure.sentence), ..failure });
    }
    if made.is_enabled { Ok(()) } else { doer.disable(&made.id) }
}

fn stopped(failure: Failure, step: &Step, done: usize, plan: &Plan) -> Failure {
    let (what, sentence, all) = (&step.what, &failure.sentence, plan.steps.len());
    let lost = match failure.exit == Exit::Away && matches!(step.act, plan::Act::Generate { .. }) {
        true => " If this token was made after all, regenerate it: its value is lost.",
        false => "",
    };
    let told = format!("{done} of {all} changes were made and stay; apply the file again for the rest.{lost}");
    Failure { sentence: format!("{what}: {sentence}\n{told}"), ..failure }
}

fn done(step: &Step) -> &'static str {
    match step.deed {
        Deed::Create => "Created",
        Deed::Edit => "Edited",
        Deed::Remove => "Removed",
    }
}
