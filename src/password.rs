//! What a password may be (NIST SP 800-63B-4 3.1.1.2, ASVS 6.2.1 to 6.2.12); hashing it is in `hasher`.
//! The text is taken byte for byte as typed: never trimmed, cut, normalised or shown.

mod hasher;
#[cfg(test)]
mod tests;

pub use hasher::{BUSY_RETRY_SECONDS, Cost, HashError, Hasher, Salt, Verdict, cores};

use std::collections::BTreeSet;
use std::fmt;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Longest password in characters (ASVS 6.2.9 asks for 64 at least), and in bytes, so that 1024 emoji are still bounded.
pub const MOST_CHARACTERS: usize = 1024;
pub const MOST_BYTES: usize = 4 * MOST_CHARACTERS;

/// The typed text of a password. `Debug` hides it, and the memory is wiped when it is dropped.
pub struct Password {
    text: String,
}

impl Password {
    pub fn new(text: String) -> Self {
        Self { text }
    }

    /// The same text once more: for the hash that follows a right but cheaply hashed password.
    pub fn again(&self) -> Self {
        Self::new(self.text.to_string())
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it is short enough to be hashed. Bytes come first: counting characters of megabytes is work as well.
    fn fits(&self) -> bool {
        self.text.len() <= MOST_BYTES && self.text.chars().count() <= MOST_CHARACTERS
    }

    fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// Why a new password is refused; `Display` is the sentence that the person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordProblem {
    #[error("A password has to have at least {least} characters; this one has {has}.")]
    TooShort { least: usize, has: usize },
    #[error("A password can have at most 1,024 characters. Choose a shorter one.")]
    TooLong,
    #[error(
        "This password is too easy to guess. Use four or more words that do not belong together, or let a password manager make one."
    )]
    TooEasy,
}

/// Only this many characters are judged: the work stays small, and below the lengths at which the estimator's own
/// powers overflow (28 turns on a number pad).
const JUDGED: usize = 28;

/// Fewer guesses than this are too few for the password as typed. Ten times the upper step of the usual scale, because
/// `Password-2024-!!` reaches that step.
const LEAST_GUESSES: u64 = 100_000_000_000;

/// The same, once everything between letters and digits is taken out. It is what two well-known parts come to, so that
/// dashes and dots do not turn `admin-2024-password` into a passphrase, and three words stay one.
const LEAST_GUESSES_JOINED: u64 = 100_000_000;

/// Known beginnings, middles and whole passwords which are made of several words; the estimator knows single words only.
/// The product's own name belongs to what an attacker tries first (ASVS 6.2.11).
const PHRASES: [&str; 23] = [
    "hallpass",
    "thisismypassword",
    "mypasswordis",
    "mypassword",
    "passwordis",
    "iloveyou",
    "iloveyouforever",
    "iloveyousomuch",
    "letmeinplease",
    "changemeplease",
    "changethis",
    "openthedoor",
    "thequickbrownfox",
    "jumpsoverthelazydog",
    "tobeornottobe",
    "thatisthequestion",
    "maytheforcebewithyou",
    "nevergonnagiveyouup",
    "loremipsumdolorsitamet",
    "helloworld",
    "accesstoken",
    "supersecret",
    "secretpassword",
];

/// Judges a new password. `least` is the policy's `password_min`, in characters; `context` holds what is known of the
/// person (e-mail, name), which must not make up the password.
pub fn judge(password: &Password, least: usize, context: &[&str]) -> Result<(), PasswordProblem> {
    if !password.fits() {
        return Err(PasswordProblem::TooLong);
    }
    let has = password.text.chars().count();
    if has < least {
        return Err(PasswordProblem::TooShort { least, has });
    }
    let judged: Zeroizing<String> = Zeroizing::new(once(&password.text).chars().take(JUDGED).collect());
    if too_easy(&judged, context) { Err(PasswordProblem::TooEasy) } else { Ok(()) }
}

/// The part that a text repeats from end to end, or all of it: said again, it is no harder to guess. Before the cut,
/// because half of a repetition looks like something new.
fn once(text: &str) -> &str {
    let starts = text.char_indices().map(|(start, _)| start).skip(1);
    let period = starts
        .take_while(|start| 2 * start <= text.len())
        .find(|start| text.get(*start..).is_some_and(|rest| text.starts_with(rest)));
    period.and_then(|period| text.get(..period)).unwrap_or(text)
}

fn too_easy(judged: &str, context: &[&str]) -> bool {
    let words = known_words(context);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let plain = Zeroizing::new(without_rare_symbols(judged));
    let guesses = |text: &str| zxcvbn::zxcvbn(text, &words).guesses();
    walks(judged, 1)
        || walks(judged, 2)
        || guesses(&plain) < LEAST_GUESSES
        || guesses(&joined(&plain, "")) < LEAST_GUESSES_JOINED
        || guesses(&joined(&plain, "@$")) < LEAST_GUESSES_JOINED
}

/// The context as typed, in words, and run together, before the known phrases: the earlier, the fewer guesses it counts.
/// Bounded, because each word costs time at every judgement.
fn known_words(context: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in context {
        let text: String = text.chars().take(100).collect::<String>().to_lowercase();
        let parts: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|part| part.len() >= 3).collect();
        words.push(parts.concat());
        words.extend(parts.iter().take(8).map(|part| (*part).to_owned()));
        // An e-mail longer than what is judged must match as far as that goes.
        words.push(text.chars().take(JUDGED).collect());
    }
    words.retain(|word| word.chars().count() >= 3);
    words.into_iter().chain(PHRASES.iter().map(|phrase| (*phrase).to_owned())).collect()
}

/// The estimator tries every reading of symbols as letters, and their number multiplies: 20 different symbols cost 74 ms.
/// What hardly ever stands for a letter is shown to it as a sign that never does, and `!` and `$` as well beside many
/// kinds of digits.
fn without_rare_symbols(text: &str) -> String {
    let kinds: BTreeSet<char> = text.chars().filter(|c| "0123456789!$".contains(*c)).collect();
    let shown = |c: char| match c {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        '|' => '\\',
        '+' => '=',
        '%' => '&',
        '!' if kinds.len() > 7 => '?',
        '$' if kinds.len() > 7 => '#',
        other => other,
    };
    text.chars().map(shown).collect()
}

/// Letters and digits alone, and inside of them what is in `kept`: `@` and `$` may stand for letters or between words.
/// With more than three kinds of separators they are no decoration but the password itself, and all of it is kept.
fn joined(text: &str, kept: &str) -> Zeroizing<String> {
    let kinds: BTreeSet<char> = text.chars().filter(|c| !c.is_alphanumeric()).collect();
    if kinds.len() > 3 {
        return Zeroizing::new(text.to_owned());
    }
    let inner = text.trim_matches(|c: char| !c.is_alphanumeric());
    Zeroizing::new(inner.chars().filter(|c| c.is_alphanumeric() || kept.contains(*c)).collect())
}

/// Whether three of four characters stand in runs of three or more that follow one line: a key and its neighbours, or
/// the alphabet. With `strands` of two, in `1a2b3c` the digits are one line and the letters another.
fn walks(text: &str, strands: usize) -> bool {
    let keys: Vec<char> = text.chars().map(unshifted).collect();
    let in_runs = |line: &Line, first: usize| -> usize {
        let strand: Vec<char> = keys.iter().copied().skip(first).step_by(strands).collect();
        strand.chunk_by(|a, b| a == b || line.joins(*a, *b)).map(<[char]>::len).filter(|length| *length >= 3).sum()
    };
    LINES.iter().any(|line| 4 * (0..strands).map(|first| in_runs(line, first)).sum::<usize>() >= 3 * keys.len())
}

/// The key of a character on a US keyboard; the shifted digits of other keyboards are close enough.
fn unshifted(c: char) -> char {
    let shifted = "!@#$%^&*()".chars().zip("1234567890".chars()).find(|(symbol, _)| *symbol == c);
    shifted.map_or_else(|| c.to_ascii_lowercase(), |(_, digit)| digit)
}

enum Line {
    Alphabet,
    Keyboard([&'static str; 4]),
}

/// The keyboards are the US, the German and the French one, its digits as if they stood where the others have them.
const LINES: [Line; 4] = [
    Line::Alphabet,
    Line::Keyboard(["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"]),
    Line::Keyboard(["1234567890", "qwertzuiopü+", "asdfghjklöä#", "yxcvbnm,.-"]),
    Line::Keyboard(["1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn,;:!"]),
];

impl Line {
    fn joins(&self, a: char, b: char) -> bool {
        match self {
            Line::Alphabet => {
                a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() && u32::from(a).abs_diff(u32::from(b)) == 1
            }
            Line::Keyboard(rows) => match (key(rows, a), key(rows, b)) {
                (Some((row, x)), Some((other_row, other_x))) => match row.abs_diff(other_row) {
                    0 => x.abs_diff(other_x) == 4,
                    1 => x.abs_diff(other_x) <= 3,
                    _ => false,
                },
                _ => false,
            },
        }
    }
}

/// Row, and distance from the left in quarters of a key: each row is set off from the one above it.
fn key(rows: &[&str; 4], c: char) -> Option<(usize, usize)> {
    let mut rows = rows.iter().zip([0, 2, 3, 5]).enumerate();
    rows.find_map(|(row, (keys, offset))| Some((row, 4 * keys.chars().position(|k| k == c)? + offset)))
}
