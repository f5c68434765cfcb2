//! The small types that every noun uses: instants, ids, words with a fixed choice, lists of lines.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Text, Timestamp};
use diesel::sqlite::Sqlite;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC, to the millisecond: what both databases keep without loss.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub struct Stamp(NaiveDateTime);

impl Stamp {
    pub fn utc(self) -> DateTime<Utc> {
        self.0.and_utc()
    }

    pub fn millis(self) -> i64 {
        self.0.and_utc().timestamp_millis()
    }

    /// RFC 3339 with milliseconds and `Z`.
    pub fn rfc3339(self) -> String {
        self.utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }

    pub fn plus(self, span: chrono::TimeDelta) -> Stamp {
        Stamp(self.0.checked_add_signed(span).unwrap_or(NaiveDateTime::MAX))
    }

    pub fn minus(self, span: chrono::TimeDelta) -> Stamp {
        Stamp(self.0.checked_sub_signed(span).unwrap_or(NaiveDateTime::MIN))
    }
}

impl From<DateTime<Utc>> for Stamp {
    fn from(instant: DateTime<Utc>) -> Stamp {
        Stamp(instant.naive_utc().trunc_subsecs(3))
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Stamp, D::Error> {
        DateTime::<Utc>::deserialize(from).map(Stamp::from)
    }
}

impl<DB: Backend> ToSql<Timestamp, DB> for Stamp
where
    NaiveDateTime: ToSql<Timestamp, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl FromSql<Timestamp, Pg> for Stamp {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Stamp> {
        <NaiveDateTime as FromSql<Timestamp, Pg>>::from_sql(bytes).map(Stamp)
    }
}

/// Start reads a million of them: what we have written is taken apart by hand, all else by the general rules.
impl FromSql<Timestamp, Sqlite> for Stamp {
    fn from_sql(mut bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Stamp> {
        match as_written(bytes.read_text()) {
            Some(written) => Ok(Stamp(written)),
            None => <NaiveDateTime as FromSql<Timestamp, Sqlite>>::from_sql(bytes).map(Stamp),
        }
    }
}

/// `2026-11-23 10:00:00`, with or without `.123`.
fn as_written(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once(' ')?;
    let (time, millis) = match time.split_once('.') {
        Some((time, millis)) if millis.len() == 3 => (time, millis.parse().ok()?),
        Some(_) => return None,
        None => (time, 0),
    };
    let mut date = date.splitn(3, '-');
    let date = NaiveDate::from_ymd_opt(date.next()?.parse().ok()?, number(date.next()?)?, number(date.next()?)?)?;
    let mut time = time.splitn(3, ':');
    date.and_hms_milli_opt(number(time.next()?)?, number(time.next()?)?, number(time.next()?)?, millis)
}

/// Of two digits.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.len() == 2)
}

/// A list kept as text, one entry per line: scopes, allow lists, addresses. Entries are never empty.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Lines(String);

impl Lines {
    pub const EMPTY: &Lines = &Lines(String::new());

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.0.as_str();
        let line = move || {
            let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            let (line, after) = rest.split_at_checked(end).filter(|_| !rest.is_empty())?;
            rest = after.get(1..).unwrap_or_default();
            Some(line)
        };
        std::iter::from_fn(line).filter(|entry| !entry.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.iter().count()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both have the same entries, in whatever order.
    pub fn is_same_set(&self, other: &Lines) -> bool {
        let set = |lines: &Lines| -> BTreeSet<String> { lines.iter().map(str::to_owned).collect() };
        self == other || set(self) == set(other)
    }
}

impl<T: AsRef<str>> FromIterator<T> for Lines {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Lines {
        let mut text = String::new();
        for entry in entries {
            let entry = entry.as_ref().trim();
            if entry.is_empty() {
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(entry);
        }
        Lines(text)
    }
}

impl Serialize for Lines {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Lines, D::Error> {
        Ok(Vec::<String>::deserialize(from)?.iter().collect())
    }
}

/// Text columns that carry a type of ours: what the type is in SQL is what its `as_str` says.
macro_rules! text_column {
    ($name:ident) => {
        impl<DB: Backend> ToSql<Text, DB> for $name
        where
            str: ToSql<Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.as_str().to_sql(out)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_column!(Lines);

impl<DB: Backend> FromSql<Text, DB> for Lines
where
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Lines> {
        String::from_sql(bytes).map(Lines)
    }
}

/// UUIDv7 as text, made by us, so that the struct that is inserted is the row.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, AsExpression, FromSqlRow, Serialize, Deserialize)]
        #[diesel(sql_type = Text)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// In 16 bytes; `None` for what was typed and is no id of ours.
            pub fn uuid(&self) -> Option<uuid::Uuid> {
                uuid::Uuid::try_parse(&self.0).ok()
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> $name {
                $name(id.hyphenated().to_string())
            }
        }

        /// Whatever was typed; what is no id finds no row. NUL, which PostgreSQL takes in no text, is in no id either.
        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(text.replace('\0', " "))
            }
        }

        text_column!($name);

        impl<DB: Backend> FromSql<Text, DB> for $name
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<$name> {
                String::from_sql(bytes).map($name)
            }
        }
    )*};
}

ids!(AccountId, TeamId, TokenId, SessionId, ApiId, AccessSetId, EventId);

/// An enum whose variants are words: in SQL, JSON, forms and on the command line alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, AsExpression, FromSqlRow, Serialize, Deserialize)]
        #[diesel(sql_type = Text)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),*];

            pub fn as_str(&self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }

            pub fn parse(word: &str) -> Option<$name> {
                match word {
                    $($word => Some($name::$variant),)*
                    _ => None,
                }
            }
        }

        text_column!($name);

        impl<DB: Backend> FromSql<Text, DB> for $name
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<$name> {
                let word = String::from_sql(bytes)?;
                $name::parse(&word).ok_or_else(|| format!("`{word}` is no {}", stringify!($name)).into())
            }
        }
    };
}

words! {
    /// What an account is: a person signs in, a service account only holds tokens.
    AccountKind { Person = "person", Service = "service" }
}

words! {
    /// What an account may do, from least to most; the table is in `actor.rs`.
    Role { Viewer = "viewer", TokenCreator = "token_creator", Contributor = "contributor", Admin = "admin", Owner = "owner" }
}

words! {
    /// What a person is in a team.
    TeamRole { Member = "member", Manager = "manager" }
}

words! {
    /// Who may move a token's expiry further away: the token's owner, or administrators alone.
    Extender { Owner = "owner", Admin = "admin" }
}

words! {
    TokenKind { Personal = "personal", Service = "service", Session = "session" }
}

words! {
    /// What a method does to the API's data; from the HTTP method unless the operator says otherwise.
    MethodKind { Read = "read", Write = "write", Delete = "delete" }
}

words! {
    /// Status of a token, the first that applies (product contract, section 2).
    Status {
        Removed = "removed",
        Expired = "expired",
        Disabled = "disabled",
        Frozen = "frozen",
        Grace = "grace",
        Expiring = "expiring",
        Active = "active",
    }
}

/// `10.0.0.0/8`, `2001:db8::/32`, or one address. What is IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) is that IPv4 network,
/// as clients' addresses are: it would else hold none of them.
pub fn parse_net(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    match (net.addr().to_canonical(), net.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if net.addr().is_ipv6() => IpNet::new(address.into(), length).ok(),
        _ => Some(net),
    }
}

/// Control characters, and those that turn or hide the text around them: no name may hold one.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv4_addresses_is_the_same_in_either_notation() {
        for (typed, meant) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.7", "10.0.0.7/32"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("10.0.0.7", "10.0.0.7/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:db8::/96", "2001:db8::/96"),
            ("2001:db8::7", "2001:db8::7/128"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(parse_net(typed).map(|net| net.to_string()).as_deref(), Some(meant), "{typed}");
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0", "::ffff:10.0.0.0/129", "example.org"] {
            assert_eq!(parse_net(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_instant_is_read_as_it_was_written_and_nothing_else_is() {
        for moment in
            ["2026-11-23 10:00:00", "2026-11-23 23:59:59.999", "2024-02-29 00:00:00.001", "9999-12-31 00:00:00"]
        {
            let read = as_written(moment).unwrap();
            assert_eq!(read.format("%F %T%.f").to_string(), moment);
        }
        for other in [
            "",
            "2026-11-23",
            "2026-11-23T10:00:00",
            "2026-11-23 10:00:00.1234",
            "2026-02-30 10:00:00",
            "2026-11-23 10:00",
            "2461369.5",
        ] {
            assert_eq!(as_written(other), None, "{other}");
        }
    }
}
