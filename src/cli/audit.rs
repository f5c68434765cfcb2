//! `hallpass audit`: proving that the audit log is as it was written.

use clap::Subcommand;

use super::open;
use crate::audit::chain::Mark;
use crate::audit::prove::{Verdict, prove};
use crate::audit::retention;
use crate::config::Config;

#[derive(Subcommand)]
pub enum Command {
    /// Read every event and name the first that was changed, removed, moved or put in
    #[command(after_help = "Example:\n  hallpass audit verify")]
    Verify {
        /// Hash of a head that was noted earlier: the log has to go on from it
        #[arg(long, value_name = "HASH", requires = "number")]
        head: Option<String>,
        /// Number of that head
        #[arg(long, value_name = "N", requires = "head", value_parser = clap::value_parser!(i64).range(1..))]
        number: Option<i64>,
    },
}

pub fn run(config: &Config, command: Command) -> Result<(), String> {
    let Command::Verify { head, number } = command;
    let noted = head.zip(number).map(|(hash, number)| Mark { hash: hash.trim().to_lowercase(), number });
    let app = open(config)?;
    let looked = app.db.snapshot(|conn| Ok((prove(conn, noted.as_ref())?, retention::moved(conn)?)));
    let (verdict, moved) = looked.map_err(|error| format!("The audit log cannot be read: {error}"))?;
    let proof = match verdict {
        Verdict::Whole(proof) => proof,
        Verdict::Broken(fault) => return Err(fault.to_string()),
    };
    println!("{} events, all as they were written.", proof.events);
    if proof.checkpoint.number > 0 {
        let when = moved.map(|at| format!(" on {}", at.utc().format("%Y-%m-%d"))).unwrap_or_default();
        println!("Checkpoint: number {}, hash {}", proof.checkpoint.number, proof.checkpoint.hash);
        println!("What was before it was deleted for its age{when}.");
    }
    println!("Head: number {}, hash {}", proof.head.number, proof.head.hash);
    if let Some(noted) = noted {
        println!("It goes on from number {}, as noted.", noted.number);
    }
    Ok(())
}
