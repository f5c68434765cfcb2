//! Writes a YAML description as JSON text, with aliases and merge keys filled in, so that one reader serves both.
//! Every byte written counts against a budget: an alias bomb is refused while it is still small.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::Problem;
use super::syntax::line_and_column;

/// Bytes of JSON and nodes visited, merged ones that were thrown away again included.
const BUDGET: usize = 2 * super::MAX_BYTES;
/// Upper bound of what the parser must hold at once, about 130 bytes each.
const MAX_NODES: usize = 1_600_000;
/// The parser's work grows with open brackets times signs; this is about a second of it.
const MAX_BRACKET_WORK: usize = 200_000_000;

pub(super) fn to_json(text: &str) -> Result<String, Problem> {
    refuse_costly(text)?;
    let mut sheet = Sheet { out: Vec::with_capacity(text.len()), spent: 0 };
    let read = Node(&mut sheet).deserialize(yaml_serde::Deserializer::from_str(text));
    let spent = sheet.spent;
    read.map_err(|error| explained(&error, spent))?;
    String::from_utf8(sheet.out).map_err(|_| Problem::new("line 1, column 1", "The text is not UTF-8."))
}

/// Measures a text before it is parsed: the parser itself has no limits of memory or time.
fn refuse_costly(text: &str) -> Result<(), Problem> {
    let bytes = text.as_bytes();
    let (mut nodes, mut open, mut work) = (0usize, 0usize, 0usize);
    for (at, byte) in bytes.iter().enumerate() {
        let spaced = || bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
        match byte {
            b'[' | b'{' => (nodes, open) = (nodes + 1, open + 1),
            b']' | b'}' => (nodes, open) = (nodes + 1, open.saturating_sub(1)),
            b',' => nodes += 1,
            b':' => nodes += 3,
            b'-' if spaced() => nodes += 2,
            b'?' if spaced() => nodes += 4,
            _ => continue,
        }
        work += open;
        if nodes > MAX_NODES || work > MAX_BRACKET_WORK {
            let place = line_and_column(text.get(..at).unwrap_or_default());
            return Err(Problem::new(
                place,
                "Up to here there are more YAML nodes than can be read; import it as JSON.",
            ));
        }
    }
    Ok(())
}

fn explained(error: &yaml_serde::Error, spent: usize) -> Problem {
    let place = error.location().map_or_else(
        || "line 1, column 1".to_owned(),
        |location| format!("line {}, column {}", location.line(), location.column()),
    );
    let message = error.to_string();
    let sentence = if spent > BUDGET || message.contains("repetition limit") {
        format!("The YAML aliases (`*name`) repeat so much that more than {} MiB come of them.", BUDGET >> 20)
    } else if message.contains("recursion limit") {
        "The YAML is nested too deeply (more than 128 levels), or an alias holds itself.".to_owned()
    } else if message.contains("more than one document") {
        "There is more than one YAML document (`---`) in the text; an API description is one.".to_owned()
    } else {
        let reason = message.split(" at line ").next().unwrap_or_default();
        format!("This is not valid YAML: {}.", super::prose::beginning(reason, 300))
    };
    Problem::new(place, sentence)
}

/// The JSON written so far. `spent` only ever grows, also where what was written is dropped again.
struct Sheet {
    out: Vec<u8>,
    spent: usize,
}

impl Sheet {
    fn put<E: Error>(&mut self, json: &[u8]) -> Result<(), E> {
        self.spent += json.len();
        if self.spent > BUDGET {
            return Err(E::custom("too much"));
        }
        self.out.extend_from_slice(json);
        Ok(())
    }

    fn text<E: Error>(&mut self, text: &str) -> Result<(), E> {
        // Before it is escaped: one escaped copy beyond the budget would already be too much.
        if self.spent + text.len() > BUDGET {
            self.spent = BUDGET + 1;
            return Err(E::custom("too much"));
        }
        let json = serde_json::to_vec(text).map_err(E::custom)?;
        self.put(&json)
    }
}

/// Writes one YAML node and all under it.
struct Node<'s>(&'s mut Sheet);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.put(if value { b"true" } else { b"false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.put(value.to_string().as_bytes())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.put(value.to_string().as_bytes())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        self.0.text(&value.to_string())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        self.0.text(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        // JSON has no number for `.nan` and `.inf`.
        self.0.put(if value.is_finite() { format!("{value:?}") } else { "null".to_owned() }.as_bytes())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.text(value)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.put(b"null")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.0.put(b"null")
    }

    /// A value with a tag of its own (`!Ref x`) is read as the bare value.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (_tag, value) = tagged.variant::<String>()?;
        value.newtype_variant_seed(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.put(b"[")?;
        let mut first = true;
        while list.next_element_seed(Element(self.0, first))?.is_some() {
            first = false;
        }
        self.0.put(b"]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let sheet = self.0;
        sheet.put(b"{")?;
        let mut written = HashSet::new();
        let mut merged = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "<<" {
                merged.extend(map.next_value_seed(Merge(sheet))?);
                continue;
            }
            if written.contains(&key) {
                return Err(A::Error::custom(format_args!("the key `{key}` is written twice")));
            }
            open_entry(sheet, &key, written.is_empty())?;
            map.next_value_seed(Node(sheet))?;
            written.insert(key);
        }
        // What the map says itself wins, wherever the merge key stands; then the first merged map.
        for (key, json) in merged {
            if !written.contains(&key) {
                open_entry(sheet, &key, written.is_empty())?;
                sheet.put(&json)?;
                written.insert(key);
            }
        }
        sheet.put(b"}")
    }
}

fn open_entry<E: Error>(sheet: &mut Sheet, key: &str, first: bool) -> Result<(), E> {
    if !first {
        sheet.put(b",")?;
    }
    sheet.text(key)?;
    sheet.put(b":")
}

/// A list entry with its comma, which is only known to be needed when there is an entry.
struct Element<'s>(&'s mut Sheet, bool);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.1 {
            self.0.put(b",")?;
        }
        Node(self.0).deserialize(deserializer)
    }
}

/// What stands behind `<<`: a map, or a list of maps; as entries, strongest first (YAML merge key, 2005).
struct Merge<'s>(&'s mut Sheet);

type Entries = Vec<(String, Vec<u8>)>;

impl<'de> DeserializeSeed<'de> for Merge<'_> {
    type Value = Entries;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Merge<'_> {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map or a list of maps after the merge key `<<`")
    }

    fn visit_unit<E: Error>(self) -> Result<Entries, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(more) = list.next_element_seed(Merge(self.0))? {
            entries.extend(more);
        }
        Ok(entries)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut own = Vec::new();
        let mut merged = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            self.0.put(b"")?;
            if key == "<<" {
                merged.extend(map.next_value_seed(Merge(self.0))?);
            } else {
                let json = detached(self.0, |sheet| map.next_value_seed(Node(sheet)))?;
                // The key and the entry itself are held, too.
                self.0.spent += key.len() + 48;
                own.push((key, json));
            }
        }
        own.extend(merged);
        Ok(own)
    }
}

/// Lets `write` fill a sheet of its own that counts against the same budget.
fn detached<E>(sheet: &mut Sheet, write: impl FnOnce(&mut Sheet) -> Result<(), E>) -> Result<Vec<u8>, E> {
    let mut apart = Sheet { out: Vec::new(), spent: sheet.spent };
    let result = write(&mut apart);
    sheet.spent = apart.spent;
    result.map(|()| apart.out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_aliases_and_merge_keys_are_filled_in() {
        let yaml = "a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  y: 3\nc:\n  <<: [*b, {x: 9, z: 4}]\nd: *a\n";
        let json = r#"{"a":{"x":1,"y":2},"b":{"y":3,"x":1},"c":{"y":3,"x":1,"z":4},"d":{"x":1,"y":2}}"#;
        assert_eq!(to_json(yaml).unwrap(), json);
    }

    #[test]
    fn every_kind_of_value_becomes_json() {
        let yaml = "200: ok\n1.5: [~, true, -1, 2.0, .inf, 0x10, \"a\\\"b\\n\", !Ref t, 340282366920938463463374607431768211455]\n";
        let json = "{\"200\":\"ok\",\"1.5\":[null,true,-1,2.0,null,16,\"a\\\"b\\n\",\"t\",\"340282366920938463463374607431768211455\"]}";
        assert_eq!(to_json(yaml).unwrap(), json);
    }

    #[test]
    fn a_merged_map_with_only_merged_entries_is_valid_json() {
        assert_eq!(to_json("a: &a {x: 1}\nb: {<<: *a}\nc: {<<: {}}\n").unwrap(), r#"{"a":{"x":1},"b":{"x":1},"c":{}}"#);
    }

    #[test]
    fn a_doubled_key_is_refused_with_its_line() {
        let problem = to_json("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert!(problem.sentence.contains("the key `a` is written twice"), "{problem}");
        assert!(problem.place.starts_with("line "), "{problem}");
    }

    #[test]
    fn alias_bombs_are_refused_in_values_and_in_merges() {
        let list = |nine: &str| format!("[{}]", [nine; 9].join(","));
        let mut values = "a0: &a0 lol\n".to_owned();
        let mut merges = "a0: &a0 {k: lol}\n".to_owned();
        for level in 1..12 {
            let nine = list(&format!("*a{}", level - 1));
            values += &format!("a{level}: &a{level} {nine}\n");
            merges += &format!("a{level}: &a{level} {{<<: {nine}}}\n");
        }
        for bomb in [values, merges] {
            let problem = to_json(&bomb).unwrap_err();
            assert!(problem.sentence.contains("aliases"), "{problem}");
        }
    }

    #[test]
    fn an_alias_that_holds_itself_and_deep_nesting_are_refused() {
        for text in ["a: &a [*a]\n".to_owned(), "a: &a {<<: *a}\n".to_owned(), "[".repeat(150) + &"]".repeat(150)] {
            let problem = to_json(&text).unwrap_err();
            assert!(problem.sentence.contains("nested too deeply"), "{problem}");
        }
    }

    #[test]
    fn texts_that_would_keep_the_parser_busy_are_refused_unparsed() {
        for text in ["[".repeat(100_000), "? ".repeat(1_000_000), "a: [".to_owned() + &"a,".repeat(3_000_000)] {
            let problem = to_json(&text).unwrap_err();
            assert!(problem.sentence.contains("more YAML nodes"), "{problem}");
        }
    }

    #[test]
    fn two_documents_are_refused() {
        assert!(to_json("a: 1\n---\nb: 2\n").unwrap_err().sentence.contains("more than one YAML document"));
    }
}
