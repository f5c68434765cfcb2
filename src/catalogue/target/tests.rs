//! Each rule for targets, a table of hostile ones, and what holds for any target at all.

use proptest::prelude::*;

use super::*;

const STRICT: TargetOptions = TargetOptions { trailing_dot: false, utf8_paths: false };
const DOTS: TargetOptions = TargetOptions { trailing_dot: true, utf8_paths: false };
const UTF8: TargetOptions = TargetOptions { trailing_dot: false, utf8_paths: true };

fn read(target: &[u8], options: TargetOptions) -> Result<(Vec<String>, bool), Refused> {
    let (path, _) = split(target)?;
    let segments = segments(path, options)?;
    Ok((segments.iter().map(str::to_owned).collect(), segments.has_trailing_slash()))
}

fn plain(segments: &[&str], slash: bool) -> Result<(Vec<String>, bool), Refused> {
    Ok((segments.iter().map(|segment| segment.to_string()).collect(), slash))
}

#[test]
fn a_path_is_split_into_decoded_segments() {
    assert_eq!(read(b"/v1/zones/example.org?x=/../%zz", STRICT), plain(&["v1", "zones", "example.org"], false));
    assert_eq!(read(b"/a%20b", STRICT), Err(Refused::EncodedSpace));
    assert_eq!(read(b"/%61%2Db/%7Bx%7D/%40%26%3d%2b", STRICT), plain(&["a-b", "{x}", "@&=+"], false));
    assert_eq!(read(b"/a:b@c!$&'()*+,=-._~z", STRICT), plain(&["a:b@c!$&'()*+,=-._~z"], false));
}

#[test]
fn a_trailing_slash_is_another_path() {
    assert_eq!(read(b"/a", STRICT), plain(&["a"], false));
    assert_eq!(read(b"/a/", STRICT), plain(&["a"], true));
    assert_eq!(read(b"/%61/", STRICT), plain(&["a"], true));
    assert_ne!(segments("/a", STRICT), segments("/a/", STRICT));
}

#[test]
fn the_root_is_no_segment_and_a_trailing_slash() {
    assert_eq!(read(b"/", STRICT), plain(&[], true));
    assert_eq!(read(b"/?a", STRICT), plain(&[], true));
}

#[test]
fn the_query_begins_at_the_first_question_mark() {
    assert_eq!(split(b"/a?b?c=d/e"), Ok(("/a", Some("b?c=d/e"))));
    assert_eq!(split(b"/a?"), Ok(("/a", Some(""))));
    assert_eq!(split(b"/a"), Ok(("/a", None)));
    assert_eq!(split(br#"/a?f[x]=1&j={"k":"\\|^`"}&p=100%"#).map(|(path, _)| path), Ok("/a"));
}

#[test]
fn eight_kibibytes_are_read_and_a_byte_more_is_not() {
    assert_eq!(LONGEST_TARGET, 8_192);
    let longest = [b"/".as_slice(), &vec![b'a'; LONGEST_TARGET - 1]].concat();
    assert!(split(&longest).is_ok());
    let longer = [longest.as_slice(), b"a"].concat();
    assert_eq!(split(&longer), Err(Refused::TooLong));
    let query = [b"/?".as_slice(), &vec![b'a'; LONGEST_TARGET - 1]].concat();
    assert_eq!(split(&query), Err(Refused::TooLong));
}

/// Neither with nor without options is any of these read.
const HOSTILE: &[(&[u8], Refused)] = {
    use Refused::*;
    &[
        (b"", NotOriginForm),
        (b"*", NotOriginForm),
        (b"a", NotOriginForm),
        (b"?a", NotOriginForm),
        (b" /a", NotOriginForm),
        (b"\t/a", NotOriginForm),
        (b"%2Fa", NotOriginForm),
        (b"\\a", NotOriginForm),
        (b"../a", NotOriginForm),
        (b"http://host/a", NotOriginForm),
        (b"https://host", NotOriginForm),
        (b"host:443", NotOriginForm),
        (b"user@host:80", NotOriginForm),
        (b"javascript:/a", NotOriginForm),
        (b"//host/a", EmptySegment),
        (b"//", EmptySegment),
        (b"///", EmptySegment),
        (b"/a//b", EmptySegment),
        (b"/a//", EmptySegment),
        (b"/a/./b", DotSegment),
        (b"/.", DotSegment),
        (b"/./", DotSegment),
        (b"/..", DotSegment),
        (b"/../", DotSegment),
        (b"/a/../b", DotSegment),
        (b"/a/..", DotSegment),
        (b"/.../a", DotSegment),
        (b"/a/%2e%2e/b", DotSegment),
        (b"/a/%2E./b", DotSegment),
        (b"/a/.%2e", DotSegment),
        (b"/%2e", DotSegment),
        (b"/a..", TrailingDot),
        (b"/a%2e%2E/b", TrailingDot),
        (b"/a/..%2fadmin", EncodedSlash),
        (b"/a%2Fb", EncodedSlash),
        (b"/a%2f", EncodedSlash),
        (b"/%2F%2Fhost", EncodedSlash),
        (b"/a%5Cb", EncodedBackslash),
        (b"/a%5c..%5cb", EncodedBackslash),
        (b"/a\\b", Backslash),
        (b"/..\\a", Backslash),
        (b"/a%252fb", EncodedPercent),
        (b"/a%25", EncodedPercent),
        (b"/%252e%252e/a", EncodedPercent),
        (b"/%25%32%66", EncodedPercent),
        (b"/a;b", Semicolon),
        (b"/a;/b", Semicolon),
        (b"/..;/a", Semicolon),
        (b"/a;jsessionid=1", Semicolon),
        (b"/a%3Bb", EncodedSemicolon),
        (b"/..%3b/a", EncodedSemicolon),
        (b"/a%3Fb=c", EncodedQuestionMark),
        (b"/a%3f", EncodedQuestionMark),
        (b"/a%23b", EncodedFragment),
        (b"/a#b", Fragment),
        (b"/a#/../b", Fragment),
        (b"/#", Fragment),
        (b"/a%3Ab", EncodedColon),
        (b"/a%3a", EncodedColon),
        (b"/a%00", EncodedControl),
        (b"/a%00.json", EncodedControl),
        (b"/%0d%0aX:y", EncodedControl),
        (b"/a%09b", EncodedControl),
        (b"/a%1f", EncodedControl),
        (b"/a%7F", EncodedControl),
        (b"/a%20", EncodedSpace),
        (b"/%20", EncodedSpace),
        (b"/a\x00b", Control),
        (b"/a\tb", Control),
        (b"/a\r\nb", Control),
        (b"/a\x7f", Control),
        (b"/a b", Space),
        (b"/a HTTP/1.1", Space),
        (b"/a/ ", Space),
        (b"/\xc3\xa9", RawNonAscii),
        (b"/a\xff", RawNonAscii),
        (b"/\xc0\xaf", RawNonAscii),
        (b"/\xef\xbc\x8f", RawNonAscii),
        (b"/a%", BrokenPercent),
        (b"/a%2", BrokenPercent),
        (b"/a%2/b", BrokenPercent),
        (b"/a%zz", BrokenPercent),
        (b"/a%2g", BrokenPercent),
        (b"/a%%41", BrokenPercent),
        (b"/a%u002f", BrokenPercent),
        (b"/a%+1", BrokenPercent),
        (b"/a%2?f", BrokenPercent),
        (b"/a<b", MustBeEncoded),
        (b"/a>b", MustBeEncoded),
        (b"/a\"b", MustBeEncoded),
        (b"/a[b]", MustBeEncoded),
        (b"/a^b", MustBeEncoded),
        (b"/a`b", MustBeEncoded),
        (b"/{id}", MustBeEncoded),
        (b"/a|b", MustBeEncoded),
        (b"/a?b c", Query),
        (b"/a?b#c", Query),
        (b"/a?b\x00", Query),
        (b"/a?b\r\nX: y", Query),
        (b"/a?\x7f", Query),
        (b"/a?\xc3\xa9", Query),
        (b"/a?\xff", RawNonAscii),
        (b"/a?_method=DELETE", MethodInQuery),
        (b"/a?x=1&_METHOD=DELETE", MethodInQuery),
        (b"/a?%5fmethod=DELETE", MethodInQuery),
        (b"/a?+_method=DELETE", MethodInQuery),
        (b"/a?x;_method=DELETE", MethodInQuery),
    ]
};

#[test]
fn hostile_targets_are_refused_for_their_reason_whatever_the_options() {
    let all = TargetOptions { trailing_dot: true, utf8_paths: true };
    for (target, reason) in HOSTILE {
        assert_eq!(read(target, all), Err(*reason), "{}", target.escape_ascii());
        assert!(read(target, STRICT).is_err(), "{}", target.escape_ascii());
    }
    assert!(HOSTILE.len() >= 100);
}

#[test]
fn segments_refuses_by_itself_what_split_would() {
    for (target, _) in HOSTILE {
        let Ok(text) = std::str::from_utf8(target) else {
            continue;
        };
        if !text.contains('?') {
            assert!(segments(text, STRICT).is_err(), "{text:?}");
        }
    }
    assert_eq!(segments("/a?b", STRICT), Err(Refused::MustBeEncoded));
}

#[test]
fn a_trailing_dot_needs_the_option_and_is_one() {
    assert_eq!(read(b"/zones/example.org.", STRICT), Err(Refused::TrailingDot));
    assert_eq!(read(b"/zones/example.org%2E/x", STRICT), Err(Refused::TrailingDot));
    assert_eq!(read(b"/zones/example.org./x", DOTS), plain(&["zones", "example.org.", "x"], false));
    assert_eq!(read(b"/zones/example.org%2e", DOTS), plain(&["zones", "example.org."], false));
    assert_eq!(read(b"/zones/example.org..", DOTS), Err(Refused::TrailingDot));
    assert_eq!(read(b"/.well-known/a.b", STRICT), plain(&[".well-known", "a.b"], false));
}

#[test]
fn encoded_utf8_needs_the_option() {
    assert_eq!(read(b"/caf%C3%A9", STRICT), Err(Refused::EncodedNonAscii));
    assert_eq!(read(b"/caf%C3%A9/%E2%82%AC", UTF8), plain(&["café", "€"], false));
    assert_eq!(read(b"/%F0%9F%98%80", UTF8), plain(&["😀"], false));
    assert_eq!(read(b"/%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D", UTF8), plain(&["हिन्"], false));
    assert_eq!(read(b"/it's%C3%A9", UTF8), plain(&["it'sé"], false));
}

#[test]
fn octets_that_are_no_utf8_are_refused_even_with_the_option() {
    for target in [
        "/%ff",
        "/%80",
        "/%c0%af",
        "/%c0%ae%c0%ae/a",
        "/%e0%80%af",
        "/%f0%80%80%af",
        "/%c1%9c",
        "/%ed%a0%80",
        "/%f4%90%80%80",
        "/%f8%88%80%80%af",
        "/%c3/%a9",
        "/%c3a",
    ] {
        assert_eq!(read(target.as_bytes(), UTF8), Err(Refused::NotUtf8), "{target}");
        assert_eq!(read(target.as_bytes(), STRICT), Err(Refused::EncodedNonAscii), "{target}");
    }
}

#[test]
fn what_cannot_be_seen_or_folds_to_ascii_is_refused_even_with_the_option() {
    for c in [
        '\u{80}',
        '\u{85}',
        '\u{A0}',
        '\u{AD}',
        '\u{A5}',
        '\u{131}',
        '\u{17F}',
        '\u{301}',
        '\u{37E}',
        '\u{200B}',
        '\u{200D}',
        '\u{2024}',
        '\u{2028}',
        '\u{202E}',
        '\u{2044}',
        '\u{2066}',
        '\u{20A9}',
        '\u{2100}',
        '\u{212A}',
        '\u{2215}',
        '\u{2216}',
        '\u{3000}',
        '\u{E000}',
        '\u{FB01}',
        '\u{FE52}',
        '\u{FE68}',
        '\u{FEFF}',
        '\u{FF0E}',
        '\u{FF0F}',
        '\u{FF3C}',
        '\u{FF05}',
        '\u{FFFF}',
        '\u{1D41A}',
        '\u{E0061}',
        '\u{10FFFF}',
    ] {
        let encoded: String = c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(read(format!("/{encoded}x").as_bytes(), UTF8), Err(Refused::Unclear), "{:x}", u32::from(c));
    }
}

#[test]
fn the_table_of_what_folds_is_in_order() {
    assert!(FOLDS_TO_ASCII.iter().all(|(first, last)| first <= last));
    assert!(FOLDS_TO_ASCII.windows(2).all(|pair| pair[0].1 < pair[1].0));
}

/// By the Unicode of the normaliser, which may be newer than that of the table.
#[test]
fn nothing_that_the_option_lets_through_has_ascii_in_it_once_a_program_normalises() {
    let normaliser = icu_normalizer::ComposingNormalizerBorrowed::new_nfkc();
    let let_through = ('\u{80}'..=char::MAX).filter(|c| is_clear(&c.to_string()));
    let turned = let_through.filter(|c| {
        let lower: String = c.to_lowercase().collect();
        let looks = [c.to_string(), lower];
        looks
            .iter()
            .any(|text| normaliser.normalize(text).chars().any(|c| c.is_ascii() || "\u{2044}\u{2215}".contains(c)))
    });
    assert_eq!(turned.map(|c| format!("{:x} {c}", u32::from(c))).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_query_value_is_decoded_once() {
    let value = |query, name| query_value(query, name).map(|value| value.map(Cow::into_owned));
    assert_eq!(value("id=a&x=b", "id"), Ok(Some("a".into())));
    assert_eq!(value("x=b&id=a+b%2Bc%252F", "id"), Ok(Some("a b+c%2F".into())));
    assert_eq!(value("i%64=a", "id"), Ok(Some("a".into())));
    assert_eq!(value("id=a=b", "id"), Ok(Some("a=b".into())));
    assert_eq!(value("id", "id"), Ok(Some(String::new())));
    assert_eq!(value("&&id=%C3%A9&", "id"), Ok(Some("é".into())));
    assert_eq!(value("x=1&idx=2&i=3", "id"), Ok(None));
    assert_eq!(value("", "id"), Ok(None));
    assert_eq!(value("filter[id]=a&filter[name]=b", "filter[id]"), Ok(Some("a".into())));
}

#[test]
fn a_parameter_that_is_there_twice_for_any_program_is_refused() {
    for query in [
        "id=a&id=a",
        "id=a&id=b",
        "id&id",
        "id=a&i%64=b",
        "id=a&ID=b",
        "Id=a",
        "id=a&id[]=b",
        "id[]=b&id=a",
        "id[0]=b",
        "id%5B%5D=b&id=a",
        "id=a&+id=b",
        "id=a&%20id=b",
    ] {
        assert_eq!(query_value(query, "id"), Err(Refused::DoubledParameter), "{query}");
    }
    for query in ["user_id=a&user.id=b", "user_id=a&user+id=b", "user_id=a&user%2eid=b"] {
        assert_eq!(query_value(query, "user_id"), Err(Refused::DoubledParameter), "{query}");
    }
    assert_eq!(query_value("filter[id]=a&filter[id][]=b", "filter[id]"), Err(Refused::DoubledParameter));
}

#[test]
fn a_query_that_programs_cut_differently_has_no_value() {
    for query in
        ["x=1;id=b&id=a", "id=a;b", "id=%", "id=%2", "id=%zz", "%zz=1&id=a", "id=%ff", "id=a%00b", "id%00=a", "id=%0a"]
    {
        assert_eq!(query_value(query, "id"), Err(Refused::UnclearParameter), "{query}");
    }
    assert_eq!(query_value("user_id=a&user[id=b", "user_id"), Err(Refused::UnclearParameter));
}

#[test]
fn every_refusal_is_a_sentence() {
    for (_, refused) in HOSTILE {
        let sentence = refused.to_string();
        assert!(sentence.starts_with("The ") && sentence.ends_with('.'), "{sentence}");
    }
}

/// Pieces that targets are made of, honest ones more often, so that a good part of what they make is read.
fn target() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => Just("/"),
        6 => prop::sample::select(vec!["a", "b.c", "x-1", "%41", "%2d", "%7b", "~", ":", "@", "=", "+", "%C3%A9", "%e2%82%ac"]),
        1 => prop::sample::select(vec![
            ".", "..", "%2e", "%2E%2E", "%2f", "%5c", "\\", ";", "%3b", "%", "%2", "%25", "%00", " ", "#", "?", "é", "//",
            "%c3", "%ef%bc%8f", "\u{7f}", "{", "%3a",
        ]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn options() -> impl Strategy<Value = TargetOptions> {
    any::<(bool, bool)>().prop_map(|(trailing_dot, utf8_paths)| TargetOptions { trailing_dot, utf8_paths })
}

/// A reader that knows no rules: it splits first and decodes what it can.
fn plain_reader(path: &str) -> Vec<Vec<u8>> {
    let decode = |segment: &str| {
        let (mut bytes, mut decoded) = (segment.as_bytes(), Vec::new());
        while let [first, rest @ ..] = bytes {
            let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
            match hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(byte) => (decoded.push(byte), bytes = &rest[2..]).1,
                None => (decoded.push(*first), bytes = rest).1,
            }
        }
        decoded
    };
    path.split('/').map(decode).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), options in options()) {
        let _ = read(&bytes, options);
        let _ = read(&[b"/".as_slice(), &bytes].concat(), options);
        let text = String::from_utf8_lossy(&bytes);
        let _ = segments(&text, options);
        let _ = query_value(&text, "id");
    }

    #[test]
    fn what_is_read_has_no_segment_that_climbs_or_hides_a_slash(target in target(), options in options()) {
        if let Ok((segments, _)) = read(target.as_bytes(), options) {
            for segment in segments {
                prop_assert!(!segment.is_empty() && segment != "." && segment != "..");
                prop_assert!(!segment.contains(['/', '\\', '%', ';', '?', '#', ' ']));
                prop_assert!(!segment.chars().any(char::is_control));
                prop_assert!(options.trailing_dot || !segment.ends_with('.'));
                prop_assert!(options.utf8_paths || segment.is_ascii());
            }
        }
    }

    #[test]
    fn what_is_read_is_read_alike_by_a_plain_parser(target in target(), options in options()) {
        if let Ok((segments, slash)) = read(target.as_bytes(), options) {
            let path = target.split('?').next().unwrap();
            let mut expected: Vec<Vec<u8>> = vec![Vec::new()];
            expected.extend(segments.iter().map(|segment| segment.clone().into_bytes()));
            expected.extend(slash.then(Vec::new));
            prop_assert_eq!(plain_reader(path), expected);
        }
    }

    #[test]
    fn what_is_read_and_encoded_again_is_read_the_same(target in target(), options in options()) {
        if let Ok((segments, slash)) = read(target.as_bytes(), options) {
            let mut again = String::new();
            for segment in &segments {
                again.push('/');
                for byte in segment.bytes() {
                    match byte {
                        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => again.push(byte.into()),
                        byte => again.push_str(&format!("%{byte:02X}")),
                    }
                }
            }
            if slash { again.push('/') }
            prop_assert_eq!(read(again.as_bytes(), options), Ok((segments, slash)));
        }
    }

    #[test]
    fn a_query_value_is_what_every_common_parser_takes(
        pairs in prop::collection::vec(("(id|ID|id\\[\\]|x|i%64|\\+id)", "[ab+%]{0,2}"), 0..4),
    ) {
        let query = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let named = |name: &str| name == "id" || name == "i%64";
        let like = |name: &str| named(name) || name == "ID" || name == "id[]" || name == "+id";
        let found = query_value(&query, "id");
        let alike = pairs.iter().filter(|(name, _)| like(name)).count();
        match found {
            Ok(Some(_)) => {
                prop_assert_eq!(alike, 1);
                prop_assert!(pairs.iter().any(|(name, _)| named(name)));
            }
            Ok(None) => prop_assert_eq!(alike, 0),
            Err(Refused::DoubledParameter) => prop_assert!(alike > 1 || pairs.iter().any(|(name, _)| like(name) && !named(name))),
            Err(_) => prop_assert!(query.contains('%')),
        }
    }
}

#[test]
fn cutting_a_parameter_leaves_every_other_byte() {
    let cut = |target| without_parameters(target, &["session", "access_token"]);
    for (target, left) in [
        ("/a", "/a"),
        ("/a?", "/a?"),
        ("/a?session=v", "/a"),
        ("/a?session=v&b=%20+c", "/a?b=%20+c"),
        ("/a?b=1&session=v&c", "/a?b=1&c"),
        ("/a?b=1&sess%69on=v", "/a?b=1"),
        ("/a?Session=v&sessions=1&x=session=v", "/a?Session=v&sessions=1&x=session=v"),
        ("/session=v?access_token=v&session", "/session=v"),
    ] {
        assert_eq!(cut(target), left, "{target}");
    }
}
