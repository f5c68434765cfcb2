//! Values: what is taken for one is one by the letter, none is left in a text that is cut, and digests are read exactly.

#![no_main]

use hallpass::secret::{Digest, Random, Secret, searchable, value_in, without_values};
use libfuzzer_sys::fuzz_target;

const PREFIX: &str = "hp";
const BODY: usize = 42;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Bit by bit, as RFC 1952 tells it.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

fn is_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != PREFIX.len() + 1 + BODY
        || !text.starts_with("hp_")
        || !bytes[3..].iter().all(u8::is_ascii_alphanumeric)
    {
        return false;
    }
    let (before, check) = bytes.split_at(bytes.len() - 6);
    let mut left = u64::from(crc32(before));
    for digit in check.iter().rev() {
        if *digit != ALPHABET[(left % 62) as usize] {
            return false;
        }
        left /= 62;
    }
    left == 0
}

fn holds_value(text: &str) -> bool {
    (0..text.len()).filter_map(|at| text.get(at..at + PREFIX.len() + 1 + BODY)).any(is_value)
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    assert_eq!(Digest::of_value(&text, PREFIX).is_some(), is_value(&text), "{text:?}");

    // Every piece of it, with a value of ours in one place.
    let seed = data.to_vec();
    let random = Random::new(move |bytes| {
        for (nth, byte) in bytes.iter_mut().enumerate() {
            *byte = seed.get(nth).copied().unwrap_or(nth as u8);
            // Nothing but what is thrown away would be drawn for ever.
            *byte = if *byte & 63 > 61 { nth as u8 & 31 } else { *byte };
        }
        Ok(())
    });
    let value = Secret::generate(PREFIX, &random).unwrap();
    let value = value.reveal();
    assert!(is_value(value));
    let nth = data.first().map_or(0, |byte| usize::from(*byte) % value.len());
    let slip = data.last().map_or('a', |byte| char::from(ALPHABET[usize::from(*byte) % 62]));
    let slipped = format!("{}{slip}{}", &value[..nth], &value[nth + 1..]);
    assert_eq!(Digest::of_value(&slipped, PREFIX).is_some(), slipped == value, "{slipped}");

    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let (before, after) = text.split_at(places[nth % places.len()]);
    for whole in
        [text.to_string(), format!("{before}{value}{after}"), format!("{value}{text}"), format!("{text}{value}")]
    {
        assert_eq!(value_in(&whole, PREFIX).is_some(), holds_value(&whole), "{whole:?}");
        let shown = searchable(&whole, PREFIX);
        assert!(!holds_value(&shown), "{shown:?} of {whole:?}");
        let cut = without_values(&whole);
        assert!(!cut.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| run.len() >= BODY), "{cut:?}");
        assert_eq!(without_values(&cut), cut);
    }
    if let Some(digest) = Digest::from_hex(&text) {
        assert_eq!(digest.hex(), text.to_ascii_lowercase());
    }
});
