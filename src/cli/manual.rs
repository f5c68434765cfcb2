//! `hallpass completions` and `hallpass man`: the command line told to shells and to `man`.

use std::path::Path;

use super::client::Failure;
use super::output;

pub fn completions(mut command: clap::Command, shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "hallpass", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// One page for each command: `hallpass.1`, `hallpass-token.1`, `hallpass-token-create.1` …
pub fn write(command: clap::Command, folder: &Path) -> Result<(), Failure> {
    let failed = |cause: std::io::Error| {
        Failure::from(format!("The man pages cannot be written to {}: {cause}.", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command, folder).map_err(failed)
}
