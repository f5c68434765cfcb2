//! Turns the texts of a description (HTML, Markdown, Javadoc, any length) into one plain line for a list.

/// Only so much of a text is looked at: many methods may share one long text by reference.
const READ_BYTES: usize = 1024;
/// The longest tag that is taken for one.
const TAG_BYTES: usize = 300;
const LINE_CHARS: usize = 200;

/// The `summary` of an operation, or the first sentence of its `description` where there is none.
pub(super) fn summary(summary: Option<&str>, description: Option<&str>) -> String {
    let line = one_line(summary.unwrap_or_default());
    if !line.is_empty() {
        return line;
    }
    paragraphs(beginning(description.unwrap_or_default(), READ_BYTES))
        .map(plain)
        .find(|text| !text.is_empty())
        .map(|text| shortened(first_sentence(&text)))
        .unwrap_or_default()
}

/// The whole text as one plain line of at most 200 characters.
pub(super) fn one_line(text: &str) -> String {
    shortened(&plain(beginning(text, READ_BYTES)))
}

/// At most `bytes` of the text, cut between two characters.
pub(super) fn beginning(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// The blocks between empty lines; headings stand alone.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim();
    let body = if text.starts_with('#') { text.split_once('\n').map_or(text, |(_, rest)| rest) } else { text };
    body.split("\n\n").flat_map(|part| part.split("\r\n\r\n")).chain((body != text).then_some(text))
}

fn first_sentence(text: &str) -> &str {
    let ends = text.match_indices(['.', '!', '?']).map(|(at, _)| at + 1);
    for end in ends {
        let (before, after) = text.split_at(end);
        let abbreviation = ["e.g.", "i.e.", "etc.", "vs.", "cf.", "incl.", "approx."]
            .iter()
            .any(|word| before.to_ascii_lowercase().ends_with(word));
        if after.starts_with(' ') && !abbreviation {
            return before;
        }
    }
    text
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LINE_CHARS {
        return text.to_owned();
    }
    let mut line: String = text.chars().take(LINE_CHARS - 1).collect();
    line.truncate(line.trim_end().len());
    line.push('…');
    line
}

fn plain(text: &str) -> String {
    let text = decoded(&untagged(text));
    let lines: Vec<String> = text.lines().map(|line| unmarked(unprefixed(line))).collect();
    collapsed(&lines.join(" "))
}

/// Without HTML tags and comments; `<https://…>` is a Markdown link and keeps its text.
fn untagged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let comment = after.starts_with("!--");
        let close = if comment { "-->" } else { ">" };
        let window = if comment { after } else { beginning(after, TAG_BYTES) };
        let tag = window.split_once(close).map(|(tag, _)| tag);
        match tag {
            Some(tag) if tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') => {
                out.push_str(if tag.contains("://") && !tag.contains(' ') { tag } else { gap(tag) });
                rest = after.get(tag.len() + close.len()..).unwrap_or_default();
            }
            _ => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A tag inside a word must not tear it apart, one between two blocks must not glue them together.
fn gap(tag: &str) -> &'static str {
    let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let inline = ["a", "b", "i", "u", "s", "em", "strong", "code", "tt", "span", "sub", "sup", "small", "kbd", "var"];
    if inline.iter().any(|known| known.eq_ignore_ascii_case(name)) { "" } else { " " }
}

fn decoded(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    // `&amp;` last, so that nothing is decoded twice.
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

/// A line without its Markdown marker for a heading, quote, list entry or fence.
fn unprefixed(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with("```") || line.starts_with("~~~") {
        return "";
    }
    let bare = line.trim_start_matches(['#', '>']);
    let bare = if bare.len() == line.len() || bare.is_empty() || bare.starts_with(' ') { bare } else { line };
    let bare = bare.trim_start();
    bare.strip_prefix("- ").or_else(|| bare.strip_prefix("* ")).or_else(|| bare.strip_prefix("+ ")).unwrap_or(bare)
}

/// Without Markdown emphasis, links, images, escapes and Javadoc `{@link …}`; code spans keep what they hold.
fn unmarked(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut code = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let next = after.chars().next();
        let before = out.chars().next_back();
        rest = after;
        match c {
            '`' => code = !code,
            _ if code => out.push(c),
            '\\' if next.is_some_and(|n| n.is_ascii_punctuation()) => {
                out.extend(next);
                rest = after.get(1..).unwrap_or_default();
            }
            '!' if next == Some('[') && link(after).is_some() => {}
            '[' => match link(rest_from(line, rest)) {
                Some((text, tail)) => {
                    out.push_str(text);
                    rest = tail;
                }
                None => out.push(c),
            },
            '{' => match after.strip_prefix('@').and_then(|tag| tag.split_once('}')) {
                Some((tag, tail)) => {
                    out.push_str(tag.split_once(' ').map_or("", |(_, name)| name.trim().trim_start_matches('#')));
                    rest = tail;
                }
                None => out.push(c),
            },
            '*' | '_' if emphasis(c, before, next, after) => {}
            _ => out.push(c),
        }
    }
    out
}

/// The text from one character earlier: `[` was just taken from it.
fn rest_from<'a>(line: &'a str, rest: &'a str) -> &'a str {
    line.get(line.len().saturating_sub(rest.len() + 1)..).unwrap_or(rest)
}

/// `[text](target)…` or `[text][name]…` as the text and what follows.
fn link(from: &str) -> Option<(&str, &str)> {
    let (text, after) = from.strip_prefix('[')?.split_once(']')?;
    let tail = match after.strip_prefix('(') {
        Some(target) => target.split_once(')')?.1,
        None => after.strip_prefix('[')?.split_once(']')?.1,
    };
    Some((text, tail))
}

/// `**bold**`, `_so_`; but neither `2 * 3` nor `snake_case` nor `_id`.
fn emphasis(sign: char, before: Option<char>, next: Option<char>, after: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let space = |c: Option<char>| c.is_none_or(char::is_whitespace);
    if space(before) && space(next) || word(before) && word(next) {
        return false;
    }
    let until = |at: usize| after.get(..at).and_then(|text| text.chars().next_back());
    let closes_later = || after.match_indices(sign).any(|(at, _)| !space(until(at)));
    sign == '*' || word(before) || next == Some(sign) || closes_later()
}

/// Runs of white space become one space; what is invisible or turns the writing direction is left out.
fn collapsed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|&c| !is_invisible(c)).collect();
        if !word.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&word);
        }
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_tags_and_entities_do_not_reach_the_summary() {
        assert_eq!(one_line("Restarts <b>one</b>&nbsp;node.<br/>Slow &amp; loud"), "Restarts one node. Slow & loud");
        assert_eq!(one_line("<script>alert(1)</script><!-- no > --> x"), "alert(1) x");
        assert_eq!(one_line("a < b and &amp;lt; stays"), "a < b and &lt; stays");
    }

    #[test]
    fn markdown_noise_is_dropped_and_names_keep_their_signs() {
        assert_eq!(one_line("## The **big** _one_: [docs](http://x/y), `a_b`"), "The big one: docs, a_b");
        assert_eq!(
            one_line("- snake_case, 2 * 3, _id and ![alt](x.png)\n> more"),
            "snake_case, 2 * 3, _id and alt more"
        );
        assert_eq!(
            one_line("See {@link Group#Apply} or <https://example.org/a>"),
            "See Group#Apply or https://example.org/a"
        );
    }

    #[test]
    fn without_a_summary_the_first_sentence_of_the_description_stands() {
        assert_eq!(
            summary(Some(" "), Some("Stops it, e.g. at night. Then more.\n\nAnd more.")),
            "Stops it, e.g. at night."
        );
        assert_eq!(
            summary(None, Some("# Stop\n\nStops version 1.2 of it\nfor good\n\nmore")),
            "Stops version 1.2 of it for good"
        );
        assert_eq!(summary(None, Some("# Stop")), "Stop");
        assert_eq!(summary(None, None), "");
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        let line = one_line(&"ü".repeat(5_000));
        assert_eq!(line.chars().count(), 200);
        assert!(line.ends_with("ü…"));
        assert_eq!(one_line(&"é".repeat(200)).chars().count(), 200);
        assert!(!one_line(&"é".repeat(200)).contains('…'));
    }

    #[test]
    fn invisible_signs_are_dropped_and_white_space_collapses() {
        assert_eq!(one_line("a\u{202E}b\u{200B} \t\r\n\u{7}c"), "ab c");
    }
}
