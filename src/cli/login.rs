//! `hallpass login` and `hallpass logout`: a session of the command line with a running Hallpass.

use super::client::{Client, Exit, Failure, Where, address, ask_line, ask_password};
use super::hosts::Hosts;
use crate::api::json::{Login, Revealed, Whoami};
use crate::secret::Secret;

/// Asks for e-mail address and password, and keeps the session's value in the configuration folder.
pub fn login(url: Option<String>, email: Option<String>) -> Result<(), Failure> {
    let hosts = Hosts::read()?;
    let base = match url.as_deref().or(hosts.current()) {
        Some(typed) => address(typed)?,
        None => return Err("Say where: hallpass login https://hallpass.example.org".to_owned().into()),
    };
    let client = Client::stranger(base);
    let email = email.map_or_else(|| ask_line("E-mail: "), Ok)?;
    let password = ask_password("Password: ")?;
    let login = Login { email, password: password.reveal().to_owned() };
    let made: Revealed = client.send("POST", "/api/v1/auth/login", &login).map_err(|failure| match failure.exit {
        Exit::SignedOut => Failure::new(Exit::SignedOut, "E-mail or password are not right."),
        _ => failure,
    })?;
    let value = Secret::new(made.value.unwrap_or_default());
    keep(client, hosts, value)
}

/// `hallpass token login VALUE`: an access token instead of a session.
pub fn login_with(to: &Where, value: String) -> Result<(), Failure> {
    let hosts = Hosts::read()?;
    let base = match to.url.as_deref().or(hosts.current()) {
        Some(typed) => address(typed)?,
        None => {
            return Err("Say where: hallpass token login VALUE --url https://hallpass.example.org".to_owned().into());
        }
    };
    let value = match value.as_str() {
        "-" => ask_password("Value: ")?,
        _ => Secret::new(value.trim().to_owned()),
    };
    keep(Client::stranger(base), hosts, value)
}

fn keep(client: Client, hosts: Hosts, value: Secret) -> Result<(), Failure> {
    let client = client.with(Secret::new(value.reveal().to_owned()));
    let me: Whoami = client.get("/api/v1/whoami")?;
    let name = me.account.email.unwrap_or(me.account.name);
    hosts.keep(client.base().as_str(), &name, &value)?;
    eprintln!("Signed in to {} as {name}.", client.base());
    Ok(())
}

/// Ends the session there and forgets it here; a token that was signed in with lives on.
pub fn logout(url: Option<String>) -> Result<(), Failure> {
    let hosts = Hosts::read()?;
    let base = match url.as_deref().or(hosts.current()) {
        Some(typed) => address(typed)?,
        None => return Err("You are not signed in anywhere.".to_owned().into()),
    };
    let Some(value) = hosts.value(base.as_str()) else {
        return Err(Failure::new(Exit::SignedOut, format!("You are not signed in to {base}.")));
    };
    let ended = Client::stranger(base.clone()).with(value).post_nothing("/api/v1/auth/logout");
    hosts.forget(base.as_str())?;
    match ended {
        Ok(()) => eprintln!("Signed out of {base}."),
        // A dead session, or a token, which is no session: it is forgotten here all the same.
        Err(failure) if failure.exit != Exit::Away => eprintln!("Forgot the value for {base}."),
        Err(failure) => {
            return Err(Failure::new(
                failure.exit,
                format!("Forgotten here, but not ended there: {}", failure.sentence),
            ));
        }
    }
    Ok(())
}
