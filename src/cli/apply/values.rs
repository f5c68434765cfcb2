//! Where the values of new tokens go: to the end of a file that its owner alone may read, or to standard output.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use crate::cli::client::Failure;
use crate::cli::output;
use crate::secret::Secret;

pub enum Values {
    Output,
    File { path: String, file: File },
}

impl Values {
    /// Opened before anything is changed.
    pub fn open(to: &str) -> Result<Values, Failure> {
        if to == "-" {
            return Ok(Values::Output);
        }
        let failed =
            |cause: std::io::Error| Failure::from(format!("{to} cannot be written: {cause}. Nothing was done."));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(to).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() || about.permissions().mode() & 0o077 != 0 {
            let sentence = format!("Others may read {to}: values go to a file of mode 0600 alone. Nothing was done.");
            return Err(sentence.into());
        }
        Ok(Values::File { path: to.to_owned(), file })
    }

    /// `OWNER`, `NAME` and `VALUE`, set apart by tabs, which are in no name.
    pub fn keep(&mut self, owner: &str, name: &str, value: &Secret) -> Result<(), Failure> {
        let line = format!("{owner}\t{name}\t{}\n", value.reveal());
        match self {
            Values::Output => output::print(&line),
            Values::File { path, file } => {
                let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
                written.map_err(|cause| format!("{path} cannot be written: {cause}.").into())
            }
        }
    }
}
