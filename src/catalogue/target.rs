//! The target of a request, read as strictly as a forward-auth decision needs: what two parsers may read differently
//! is refused, never repaired (RFC 9112 section 3.2.1, RFC 3986 section 3.3).

use std::borrow::Cow;

/// In bytes, path and query together.
pub const LONGEST_TARGET: usize = 8 * 1024;

/// What one API allows beyond the strict reading. Both are off unless its operator turned them on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetOptions {
    /// A segment may end in one `.`, as the ids of DNS zones do.
    pub trailing_dot: bool,
    /// Encoded octets may spell valid, printable UTF-8. Raw octets beyond ASCII stay refused.
    pub utf8_paths: bool,
}

/// The decoded segments of a path: none is empty, `.` or `..`, and none holds a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments<'a> {
    /// Decoded, without the first and the last slash. Encoded slashes are refused, so that every slash left separates.
    text: Cow<'a, str>,
    trailing_slash: bool,
}

impl Segments<'_> {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').filter(|segment| !segment.is_empty())
    }

    /// `/a/` and `/a` are two paths. The root is no segment and a trailing slash.
    pub fn has_trailing_slash(&self) -> bool {
        self.trailing_slash
    }

    /// The segments joined by slashes, for a matcher that walks along and for a parameter that takes several.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Why a target is not read. The sentences stand in the explanation that a token's owner gets, so none repeats what
/// the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("The request target is longer than 8,192 bytes.")]
    TooLong,
    #[error("The request target does not begin with a slash: only a path with an optional query is read.")]
    NotOriginForm,
    #[error("The path has a control character.")]
    Control,
    #[error("The path has a space that is not encoded.")]
    Space,
    #[error("The path has a character outside ASCII that is not encoded.")]
    RawNonAscii,
    #[error("The path has a fragment (#).")]
    Fragment,
    #[error("The path has a backslash.")]
    Backslash,
    #[error("The path has a semicolon.")]
    Semicolon,
    #[error("The path has a character that must be encoded.")]
    MustBeEncoded,
    #[error("The path has a percent sign without two hexadecimal digits after it.")]
    BrokenPercent,
    #[error("The path has an encoded slash.")]
    EncodedSlash,
    #[error("The path has an encoded backslash.")]
    EncodedBackslash,
    #[error("The path has an encoded percent sign: what is encoded twice is not decoded twice.")]
    EncodedPercent,
    #[error("The path has an encoded semicolon.")]
    EncodedSemicolon,
    #[error("The path has an encoded question mark.")]
    EncodedQuestionMark,
    #[error("The path has an encoded number sign (#).")]
    EncodedFragment,
    #[error("The path has an encoded colon.")]
    EncodedColon,
    #[error("The path has an encoded space.")]
    EncodedSpace,
    #[error("The path has an encoded control character.")]
    EncodedControl,
    #[error("The path has an encoded character outside ASCII, which this API does not allow (option `utf8_paths`).")]
    EncodedNonAscii,
    #[error("The path has encoded octets that are not valid UTF-8.")]
    NotUtf8,
    #[error("The path has a character that cannot be seen or that some programs read as another one.")]
    Unclear,
    #[error("The path has an empty segment (two slashes in a row).")]
    EmptySegment,
    #[error("The path has a segment of dots only.")]
    DotSegment,
    #[error("The path has a segment that ends in a dot, which this API does not allow (option `trailing_dot`).")]
    TrailingDot,
    #[error("The query has a space, a control character, a fragment (#) or a character outside ASCII: encode it.")]
    Query,
    #[error("The query has a parameter `_method`, by which some programs take another HTTP method.")]
    MethodInQuery,
    #[error("The query has a parameter twice that may be there once, or a second one that some programs read as it.")]
    DoubledParameter,
    #[error("The query cannot be read for certain: it has a semicolon, a broken encoding or an open bracket.")]
    UnclearParameter,
}

/// Raw path and raw query of a target in origin form, cut at the first `?`; neither is decoded.
pub fn split(uri: &[u8]) -> Result<(&str, Option<&str>), Refused> {
    if uri.len() > LONGEST_TARGET {
        return Err(Refused::TooLong);
    }
    if uri.first() != Some(&b'/') {
        return Err(Refused::NotOriginForm);
    }
    let text = std::str::from_utf8(uri).map_err(|_| Refused::RawNonAscii)?;
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    check_path(path)?;
    query.map_or(Ok(()), check_query)?;
    Ok((path, query))
}

/// Each `%HH` decoded once, then split on `/`. Refuses by itself what `split` would have refused in a path.
pub fn segments(raw_path: &str, options: TargetOptions) -> Result<Segments<'_>, Refused> {
    let inside = raw_path.strip_prefix('/').ok_or(Refused::NotOriginForm)?;
    let mut text = decode_path(inside, options)?;
    let trailing_slash = inside.is_empty() || inside.ends_with('/');
    if inside.ends_with('/') {
        text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix('/').unwrap_or(text)),
            Cow::Owned(mut text) => {
                text.pop();
                Cow::Owned(text)
            }
        };
    }
    // The root alone has no segment; in `//` the one between the slashes is empty and refused.
    if !inside.is_empty() {
        text.split('/').try_for_each(|segment| check_segment(segment, options))?;
    }
    Ok(Segments { text, trailing_slash })
}

/// The decoded value of the one parameter `name`: `+` is a space and `%HH` is decoded once. `None` where it is absent.
/// An allow list is judged by it, so a query from which another program could take another value is refused: `;` as
/// a separator, `id[]=`, `ID=`, and PHP's `.` and space for `_`.
pub fn query_value<'a>(query: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, Refused> {
    if query.contains(';') {
        return Err(Refused::UnclearParameter);
    }
    let mut found = None;
    for pair in query.split('&') {
        let (raw_name, raw_value) = pair.split_once('=').unwrap_or((pair, ""));
        let this = decode_form(raw_name)?;
        if this.contains('[') && !this.contains(']') {
            return Err(Refused::UnclearParameter);
        }
        if this == name && found.is_none() {
            found = Some(decode_form(raw_value)?);
        } else if may_be_read_as(&this, name) {
            return Err(Refused::DoubledParameter);
        }
    }
    Ok(found)
}

/// A target without the parameters of those names in its query; all else stays as it was, byte for byte.
pub fn without_parameters(target: &str, names: &[&str]) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let stays = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !decode_form(name).is_ok_and(|name| names.contains(&name.as_ref()))
    };
    let kept: Vec<&str> = query.split('&').filter(stays).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// The second look is only for the reason.
fn check_path(path: &str) -> Result<(), Refused> {
    if path.bytes().all(is_plain) { Ok(()) } else { octets(path).try_for_each(|octet| octet.map(drop)) }
}

/// `/`, unreserved, sub-delims except `;`, `:` and `@`.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\''
        | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

enum Octet {
    Plain(u8),
    Encoded(u8),
}

/// The grammar `(/(unreserved | sub-delims except ";" | ":" | "@" | %HH)*)+`, octet by octet.
fn octets(path: &str) -> impl Iterator<Item = Result<Octet, Refused>> {
    let mut bytes = path.bytes();
    std::iter::from_fn(move || {
        Some(match bytes.next()? {
            b'%' => pair(bytes.next(), bytes.next()).map(Octet::Encoded).ok_or(Refused::BrokenPercent),
            byte if is_plain(byte) => Ok(Octet::Plain(byte)),
            b' ' => Err(Refused::Space),
            b'#' => Err(Refused::Fragment),
            b'\\' => Err(Refused::Backslash),
            b';' => Err(Refused::Semicolon),
            0..=0x1F | 0x7F => Err(Refused::Control),
            0x80.. => Err(Refused::RawNonAscii),
            _ => Err(Refused::MustBeEncoded),
        })
    })
}

pub(super) fn pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high?)? * 16 + digit(low?)?)
}

fn decode_path(inside: &str, options: TargetOptions) -> Result<Cow<'_, str>, Refused> {
    if !inside.contains('%') {
        check_path(inside)?;
        return Ok(Cow::Borrowed(inside));
    }
    let mut decoded = Vec::with_capacity(inside.len());
    for octet in octets(inside) {
        decoded.push(match octet? {
            Octet::Plain(byte) => byte,
            Octet::Encoded(byte) => check_encoded(byte, options)?,
        });
    }
    // Strict: overlong forms, surrogates and a sequence that a slash interrupts are all invalid.
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Refused::NotUtf8)
}

fn check_encoded(byte: u8, options: TargetOptions) -> Result<u8, Refused> {
    match byte {
        b' ' => Err(Refused::EncodedSpace),
        b'/' => Err(Refused::EncodedSlash),
        b'\\' => Err(Refused::EncodedBackslash),
        b'%' => Err(Refused::EncodedPercent),
        b';' => Err(Refused::EncodedSemicolon),
        b'?' => Err(Refused::EncodedQuestionMark),
        b'#' => Err(Refused::EncodedFragment),
        b':' => Err(Refused::EncodedColon),
        0..=0x1F | 0x7F => Err(Refused::EncodedControl),
        0x80.. if !options.utf8_paths => Err(Refused::EncodedNonAscii),
        _ => Ok(byte),
    }
}

fn check_segment(segment: &str, options: TargetOptions) -> Result<(), Refused> {
    if segment.is_empty() {
        return Err(Refused::EmptySegment);
    }
    // Three dots and more go up two folders and more in some file systems, whatever the option says.
    if segment.bytes().all(|byte| byte == b'.') {
        return Err(Refused::DotSegment);
    }
    if segment.ends_with('.') && (!options.trailing_dot || segment.ends_with("..")) {
        return Err(Refused::TrailingDot);
    }
    if !segment.is_ascii() && !is_clear(segment) {
        return Err(Refused::Unclear);
    }
    Ok(())
}

/// Nothing that is invisible, unassigned or private, no mark that would sit on the slash before it, and nothing that
/// folds to ASCII, or `%EF%BC%8F` would be a slash to a program that normalises.
pub(crate) fn is_clear(segment: &str) -> bool {
    let beyond: String = segment.chars().map(|c| if c.is_ascii() { 'a' } else { c }).collect();
    beyond.escape_debug().eq(beyond.chars())
        && !segment.chars().any(|c| FOLDS_TO_ASCII.iter().any(|(first, last)| (*first..=*last).contains(&c)))
}

/// Blocks around every character whose NFKC form or simple case folding has ASCII in it, and what the code pages of
/// Windows turn into `\`, `/` and `:`. A little wider than need be: a refused sign is a nuisance, a slash is not.
const FOLDS_TO_ASCII: [(char, char); 42] = [
    ('\u{A0}', '\u{BE}'),
    ('\u{130}', '\u{133}'),
    ('\u{13F}', '\u{140}'),
    ('\u{149}', '\u{149}'),
    ('\u{17F}', '\u{17F}'),
    ('\u{1C4}', '\u{1CC}'),
    ('\u{1F1}', '\u{1F3}'),
    ('\u{2B0}', '\u{2B8}'),
    ('\u{2D8}', '\u{2E3}'),
    ('\u{37A}', '\u{385}'),
    ('\u{1D2C}', '\u{1D65}'),
    ('\u{1D9C}', '\u{1DA0}'),
    ('\u{1DBB}', '\u{1DBB}'),
    ('\u{1E9A}', '\u{1E9A}'),
    ('\u{1FBD}', '\u{20A9}'),
    ('\u{2100}', '\u{2189}'),
    ('\u{2215}', '\u{2216}'),
    ('\u{2236}', '\u{2236}'),
    ('\u{2460}', '\u{24EA}'),
    ('\u{29F5}', '\u{29F9}'),
    ('\u{2A74}', '\u{2A76}'),
    ('\u{2C7C}', '\u{2C7D}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{309B}', '\u{309C}'),
    ('\u{3200}', '\u{325F}'),
    ('\u{32B1}', '\u{32CF}'),
    ('\u{3358}', '\u{33FF}'),
    ('\u{A7F1}', '\u{A7F4}'),
    ('\u{FB00}', '\u{FB06}'),
    ('\u{FB29}', '\u{FB29}'),
    ('\u{FC5E}', '\u{FC63}'),
    ('\u{FDFA}', '\u{FDFB}'),
    ('\u{FE10}', '\u{FE7E}'),
    ('\u{FF01}', '\u{FF5E}'),
    ('\u{FFE3}', '\u{FFE3}'),
    ('\u{107A5}', '\u{107A5}'),
    ('\u{1CCD6}', '\u{1CCF9}'),
    ('\u{1D400}', '\u{1D6A3}'),
    ('\u{1D7CE}', '\u{1D7FF}'),
    ('\u{1F100}', '\u{1F16C}'),
    ('\u{1F190}', '\u{1F190}'),
    ('\u{1FBF0}', '\u{1FBF9}'),
];

/// Looser than RFC 3986, since real clients leave brackets and quotes as they are. What a parameter means is judged
/// only where one is read, in `query_value`.
fn check_query(query: &str) -> Result<(), Refused> {
    if query.bytes().any(|byte| !(0x21..=0x7E).contains(&byte) || byte == b'#') {
        return Err(Refused::Query);
    }
    let mut names = query.split(['&', ';']).map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    // A name that cannot be decoded is one that programs guess at, each in its own way.
    if names.any(|name| decode_form(name).map_or(true, |name| may_be_read_as(&name, "_method"))) {
        return Err(Refused::MethodInQuery);
    }
    Ok(())
}

fn decode_form(text: &str) -> Result<Cow<'_, str>, Refused> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => pair(bytes.next(), bytes.next()).ok_or(Refused::UnclearParameter)?,
            byte => byte,
        });
    }
    // A control character ends the text for some programs: `id%00x` is `id` to them.
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(Refused::UnclearParameter);
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Refused::UnclearParameter)
}

/// Is `this` the parameter `name` to some program: in another case, with a bracket behind it, or misspelt as PHP
/// mends it?
fn may_be_read_as(this: &str, name: &str) -> bool {
    fn mended(name: &str) -> impl Iterator<Item = u8> {
        let bytes = name.trim_start().bytes();
        bytes.map(|byte| if matches!(byte, b'.' | b' ') { b'_' } else { byte.to_ascii_lowercase() })
    }
    let mut left = mended(this);
    mended(name).all(|byte| left.next() == Some(byte)) && matches!(left.next(), None | Some(b'['))
}

#[cfg(test)]
mod tests;
