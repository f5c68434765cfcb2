//! The value of a token: shown once, kept as SHA-256 only. Its text is `PREFIX_` + 36 random base62 characters + 6 of CRC-32.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARACTERS: usize = 36;
const CHECK_CHARACTERS: usize = 6;
/// How much of a value is shown in lists, so that a leaked one can be matched to its row.
const START: usize = 8;

/// Where random bytes come from: the operating system, or a test.
#[derive(Clone)]
pub struct Random(std::sync::Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) -> Result<(), String> + Send + Sync;

impl Random {
    pub fn new(fill: impl Fn(&mut [u8]) -> Result<(), String> + Send + Sync + 'static) -> Random {
        Random(std::sync::Arc::new(fill))
    }

    pub fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        (self.0)(bytes).map_err(Error::internal)
    }

    /// Text of that many base62 characters, every character equally likely.
    pub fn base62(&self, characters: usize) -> Result<Zeroizing<String>> {
        self.pick(ALPHABET, 63, characters)
    }

    /// Lower case letters, every one equally likely.
    pub fn letters(&self, characters: usize) -> Result<Zeroizing<String>> {
        self.pick(ALPHABET.last_chunk::<26>().unwrap_or(&[b'a'; 26]), 31, characters)
    }

    /// `mask` has the bits that the alphabet's length needs; what it leaves that is no character is thrown away, never
    /// folded onto others.
    fn pick(&self, alphabet: &[u8], mask: u8, characters: usize) -> Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::with_capacity(characters));
        let mut bytes = Zeroizing::new([0u8; 64]);
        while text.len() < characters {
            self.fill(bytes.as_mut())?;
            let picked = bytes.iter().filter_map(|byte| alphabet.get(usize::from(byte & mask)));
            let missing = characters - text.len();
            text.extend(picked.take(missing).map(|&c| char::from(c)));
        }
        Ok(text)
    }
}

/// Text that must not be printed, logged or stored: it has no `Display`, and `Debug` hides it.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new value. `prefix` is the setting's word without the `_`.
    pub fn generate(prefix: &str, random: &Random) -> Result<Secret> {
        let body = random.base62(RANDOM_CHARACTERS)?;
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + 1 + RANDOM_CHARACTERS + CHECK_CHARACTERS));
        text.push_str(prefix);
        text.push('_');
        text.push_str(&body);
        let check = checksum(&text);
        text.extend(check.map(char::from));
        Ok(Secret(text))
    }

    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The one way out: for the single response that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    pub fn starts_with(&self) -> String {
        self.0.chars().take(START).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The digest of the first value of ours that stands somewhere in a text, as people paste it: behind `Bearer `, in quotes.
pub fn value_in(text: &str, prefix: &str) -> Option<Digest> {
    let starts = text.match_indices(prefix).map(|(start, _)| start);
    let length = prefix.len() + 1 + RANDOM_CHARACTERS + CHECK_CHARACTERS;
    starts.filter_map(|start| text.get(start..start + length)).find_map(|text| Digest::of_value(text, prefix))
}

/// What may be searched for, and so stand in an address: of what begins like a value there is left what lists show of it.
pub fn searchable(text: &str, prefix: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let begin = format!("{prefix}_");
    while let Some(at) = rest.find(&begin) {
        let (before, value) = rest.split_at(at);
        out.push_str(before);
        let run = begin.len() + value.bytes().skip(begin.len()).take_while(u8::is_ascii_alphanumeric).count();
        // `hp_hp_…`: the second may be the value.
        let run = value.match_indices(&begin).nth(1).map_or(run, |(next, _)| run.min(next));
        let (value, behind) = value.split_at(run);
        out.extend(value.chars().take(START));
        rest = behind;
    }
    out.push_str(rest);
    // A name may well have a longer word.
    without_runs(&out, |run| run == RANDOM_CHARACTERS + CHECK_CHARACTERS)
}

/// A client's text without what could be a value of ours: every run of base62 characters that is long enough to be one is cut
/// out, whatever stands before it, so that an encoded `_` or a former prefix hides none.
pub fn without_values(text: &str) -> String {
    without_runs(text, |run| run >= RANDOM_CHARACTERS + CHECK_CHARACTERS)
}

fn without_runs(text: &str, is_value: impl Fn(usize) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let (word, behind) = rest.split_at(run);
        out.push_str(if is_value(run) { "…" } else { word });
        let other = behind.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(behind.len());
        let (between, next) = behind.split_at(other);
        out.push_str(between);
        rest = next;
    }
    out
}

/// SHA-256 of a value (or of a session's key, or of a confirmation's): what is stored and looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(text: &str) -> Digest {
        Digest::of_bytes(text.as_bytes())
    }

    pub fn of_bytes(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// Of a value as a program sent it; `None` when it cannot be one of ours, which costs no look-up.
    pub fn of_value(text: &str, prefix: &str) -> Option<Digest> {
        is_well_formed(text, prefix).then(|| Digest::of(text))
    }

    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            hex
        })
    }

    pub fn from_hex(hex: &str) -> Option<Digest> {
        let mut bytes = [0; 32];
        let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
        if pairs.len() != bytes.len() {
            return None;
        }
        let half = |digit: u8| char::from(digit).to_digit(16).and_then(|half| u8::try_from(half).ok());
        for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = half(high)? * 16 + half(low)?;
        }
        Some(Digest(bytes))
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

fn is_well_formed(text: &str, prefix: &str) -> bool {
    let Some(body) = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')) else {
        return false;
    };
    if body.len() != RANDOM_CHARACTERS + CHECK_CHARACTERS || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    text.split_at_checked(text.len() - CHECK_CHARACTERS)
        .is_some_and(|(before, check)| checksum(before) == check.as_bytes())
}

/// CRC-32 (ISO-HDLC) as six base62 characters, most significant first. Every request has one checked: it makes no text.
fn checksum(text: &str) -> [u8; CHECK_CHARACTERS] {
    let mut left = crc32fast::hash(text.as_bytes()) as usize;
    let mut check = [b'0'; CHECK_CHARACTERS];
    for place in check.iter_mut().rev() {
        *place = ALPHABET.get(left % ALPHABET.len()).copied().unwrap_or(b'0');
        left /= ALPHABET.len();
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> Random {
        let next = std::sync::atomic::AtomicU8::new(7);
        Random::new(move |bytes| {
            for byte in bytes {
                *byte = next.fetch_add(11, std::sync::atomic::Ordering::Relaxed);
            }
            Ok(())
        })
    }

    #[test]
    fn a_value_is_45_characters_of_prefix_base62_and_checksum() {
        let value = Secret::generate("hp", &counting()).unwrap();
        let text = value.reveal();
        assert_eq!(text.len(), 45);
        assert!(text.starts_with("hp_"));
        assert!(text[3..].bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(value.starts_with(), &text[..8]);
        assert!(Digest::of_value(text, "hp").is_some());
    }

    #[test]
    fn one_changed_character_anywhere_fails_the_checksum() {
        let value = Secret::generate("hp", &counting()).unwrap();
        for nth in 3..45 {
            let mut bytes = value.reveal().as_bytes().to_vec();
            bytes[nth] = if bytes[nth] == b'a' { b'b' } else { b'a' };
            let text = String::from_utf8(bytes).unwrap();
            assert!(Digest::of_value(&text, "hp").is_none(), "{nth}");
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_not_ascii_is_no_value() {
        let value = Secret::generate("hp", &counting()).unwrap();
        let text = value.reveal();
        for wrong in ["", "hp_", &text[..44], &format!("{text}a"), &text.replace("hp_", "xx_"), "hp_é", &"ü".repeat(30)]
        {
            assert!(Digest::of_value(wrong, "hp").is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_checksum_is_crc_32_in_base62_with_leading_zeros() {
        // CRC-32 of "123456789" is 0xCBF43926 = 3421780262: the check value of the catalogue of CRCs.
        assert_eq!(&checksum("123456789"), b"3jZRME");
    }

    #[test]
    fn no_value_is_left_in_a_client_s_text_and_what_is_shorter_stays() {
        let value = Secret::generate("hp", &counting()).unwrap();
        let text = value.reveal();
        for (path, expected) in [
            (format!("/a/{text}/b"), "/a/hp_…/b"),
            (format!("/{}", text.replace('_', "%5F")), "/hp%…"),
            (format!("{text}{text}"), "hp_…_…"),
            (
                "/zones/0123456789012345678901234567890123456789a".into(),
                "/zones/0123456789012345678901234567890123456789a",
            ),
            ("/é/ü".into(), "/é/ü"),
            (String::new(), ""),
        ] {
            assert_eq!(without_values(&path), expected);
        }
    }

    #[test]
    fn a_value_is_found_however_it_was_pasted_and_never_stays_in_a_search() {
        let value = Secret::generate("hp", &counting()).unwrap();
        let text = value.reveal();
        for pasted in [
            text.to_owned(),
            format!("Bearer {text}"),
            format!("HALLPASS_TOKEN={text}"),
            format!("\"{text}\","),
            format!("hp_hp_ ü{text}ü"),
            format!("hp_{text}a"),
        ] {
            assert!(value_in(&pasted, "hp").is_some(), "{pasted}");
            assert!(!searchable(&pasted, "hp").contains(&text[..9]), "{pasted}");
        }
        for piece in [&text[..44], &text[..20], &text[1..]] {
            assert!(value_in(piece, "hp").is_none());
            assert!(searchable(piece, "hp").len() <= 8, "{piece}");
        }
        for word in ["ci deploy", "hp_8f3ac", "hp", "GET /zones/{id}", "ключ", &"x".repeat(60)] {
            assert_eq!(searchable(word, "hp"), word);
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let value = Secret::new("hp_canary".into());
        assert_eq!(format!("{value:?} {:?}", value.digest()), "Secret(…) Digest(…)");
    }

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = Digest::of("anything");
        assert_eq!(Digest::from_hex(&digest.hex()), Some(digest));
        for wrong in ["zz", &"+f".repeat(32), &digest.hex()[..62], &format!("{}00", digest.hex()), &"ü".repeat(32)] {
            assert_eq!(Digest::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn characters_are_picked_by_the_bytes_that_are_drawn_and_by_no_others() {
        let all = Random::new(|bytes| {
            bytes.iter_mut().zip(0..).for_each(|(byte, nth)| *byte = nth);
            Ok(())
        });
        let mut bytes = [0; 3];
        all.fill(&mut bytes).unwrap();
        assert_eq!(bytes, [0, 1, 2]);
        let alphabet = String::from_utf8(ALPHABET.to_vec()).unwrap();
        assert_eq!(*all.base62(62).unwrap(), alphabet);
        assert_eq!(*all.base62(100).unwrap(), format!("{alphabet}{}", &alphabet[..38]));
        assert_eq!(*all.letters(26).unwrap(), "abcdefghijklmnopqrstuvwxyz");
        assert_eq!(*all.letters(30).unwrap(), "abcdefghijklmnopqrstuvwxyzabcd");
    }

    #[test]
    fn without_random_bytes_there_is_no_value() {
        let broken = Random::new(|_| Err("none".into()));
        assert!(broken.fill(&mut [0]).is_err() && broken.base62(1).is_err() && broken.letters(1).is_err());
        assert!(Secret::generate("hp", &broken).is_err());
    }

    #[test]
    fn a_digest_is_its_32_bytes() {
        let bytes: [u8; 32] = std::array::from_fn(|nth| nth as u8);
        assert_eq!(Digest::from_bytes(bytes).bytes(), &bytes);
        assert_eq!(Digest::from_bytes(bytes).hex(), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        assert_eq!(Digest::from_hex(&"Af".repeat(32)).unwrap().bytes(), &[0xaf; 32]);
    }
}
