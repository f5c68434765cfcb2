//! Each rule of matching.

use super::super::target::{Segments, TargetOptions, segments};
use super::*;

pub(super) const EXACT: PathOptions = PathOptions { case_insensitive: false };
const FOLDED: PathOptions = PathOptions { case_insensitive: true };

/// `GET /a/{b}`, with `*` at the end for a greedy one; the id is the place in the list.
fn build(templates: &[&str], options: PathOptions) -> (Paths, Vec<Flaw>) {
    let read = templates.iter().enumerate().map(|(id, text)| {
        let (http_method, path) = text.split_once(' ').unwrap();
        let (path, greedy) = path.strip_suffix('*').map_or((path, false), |path| (path, true));
        Template { id, http_method, path, greedy }
    });
    Paths::build(read, options)
}

pub(super) fn at(path: &str) -> Segments<'_> {
    segments(path, TargetOptions { trailing_dot: true, utf8_paths: true }).unwrap()
}

/// The ids of every match, or none.
fn find(paths: &Paths, request: &str) -> Vec<usize> {
    let (http_method, path) = request.split_once(' ').unwrap();
    paths.find(http_method, &at(path)).iter().flat_map(Match::every).map(|one| one.id).collect()
}

fn values(paths: &Paths, request: &str) -> Vec<(String, String)> {
    let (http_method, path) = request.split_once(' ').unwrap();
    let segments = at(path);
    let found = paths.find(http_method, &segments).unwrap();
    found.parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

pub(super) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn a_template_is_anchored_at_both_ends() {
    let (paths, flaws) = build(&["GET /v1/a/{id}"], EXACT);
    assert_eq!(flaws, []);
    assert_eq!(find(&paths, "GET /v1/a/7"), [0]);
    for other in ["GET /v1/a", "GET /v1/a/7/b", "GET /a/7", "GET /x/v1/a/7", "GET /v1", "GET /", "GET /v1/a/7/"] {
        assert_eq!(find(&paths, other), [0usize; 0], "{other}");
    }
}

#[test]
fn a_trailing_slash_matches_only_a_template_with_one() {
    let (paths, _) = build(&["GET /a", "GET /b/", "GET /{x}/c/"], EXACT);
    assert_eq!(find(&paths, "GET /a"), [0]);
    assert_eq!(find(&paths, "GET /a/"), [0usize; 0]);
    assert_eq!(find(&paths, "GET /b"), [0usize; 0]);
    assert_eq!(find(&paths, "GET /b/"), [1]);
    assert_eq!(find(&paths, "GET /z/c"), [0usize; 0]);
    assert_eq!(find(&paths, "GET /z/c/"), [2]);
}

#[test]
fn the_root_is_a_path_of_its_own() {
    let (paths, _) = build(&["GET /", "GET /{x}"], EXACT);
    assert_eq!(find(&paths, "GET /"), [0]);
    assert_eq!(find(&paths, "GET /a"), [1]);
    let (paths, _) = build(&["GET /{x}", "GET /{y}*"], EXACT);
    assert_eq!(find(&paths, "GET /"), [0usize; 0]);
}

#[test]
fn literals_beat_mixed_segments_beat_parameters_beat_greedy_ones() {
    let all = ["GET /x/{a}*", "GET /x/{a}", "GET /x/{a}.json", "GET /x/me.json"];
    let (paths, _) = build(&all, EXACT);
    assert_eq!(find(&paths, "GET /x/me.json"), [3]);
    assert_eq!(find(&paths, "GET /x/you.json"), [2]);
    assert_eq!(find(&paths, "GET /x/you"), [1]);
    assert_eq!(find(&paths, "GET /x/you/too"), [0]);
    assert_eq!(find(&paths, "GET /x/.json"), [1]);
}

#[test]
fn the_leftmost_difference_decides() {
    let (paths, _) = build(&["GET /{x}/b/c", "GET /a/{y}/{z}"], EXACT);
    assert_eq!(find(&paths, "GET /a/b/c"), [1]);
    assert_eq!(find(&paths, "GET /z/b/c"), [0]);
}

#[test]
fn a_literal_that_leads_nowhere_gives_way_to_a_parameter() {
    let (paths, _) = build(&["GET /a/b", "GET /a/{x}/c", "GET /{x}/b/{y}/d", "GET /a/b.c", "GET /a/{p}.c/e"], EXACT);
    assert_eq!(find(&paths, "GET /a/b/c"), [1]);
    assert_eq!(find(&paths, "GET /a/b/z/d"), [2]);
    assert_eq!(find(&paths, "GET /a/b.c/e"), [4]);
    assert_eq!(find(&paths, "GET /a/b/z"), [0usize; 0]);
}

#[test]
fn a_parameter_is_one_decoded_segment() {
    let (paths, _) = build(&["GET /repos/{owner}/{repo}"], EXACT);
    assert_eq!(values(&paths, "GET /repos/a%2Bb/x.y"), owned(&[("owner", "a+b"), ("repo", "x.y")]));
    assert_eq!(find(&paths, "GET /repos/a/b/c"), [0usize; 0]);
}

#[test]
fn a_greedy_parameter_takes_the_rest_but_no_slash_at_the_end() {
    let (paths, _) = build(&["GET /r/{o}/contents/{path}*", "GET /r/{o}/contents/{a}/raw"], EXACT);
    assert_eq!(values(&paths, "GET /r/me/contents/src/a%2Db/c"), owned(&[("o", "me"), ("path", "src/a-b/c")]));
    assert_eq!(values(&paths, "GET /r/me/contents/one"), owned(&[("o", "me"), ("path", "one")]));
    assert_eq!(find(&paths, "GET /r/me/contents/x/raw"), [1]);
    assert_eq!(find(&paths, "GET /r/me/contents/x/y/raw"), [0]);
    assert_eq!(find(&paths, "GET /r/me/contents"), [0usize; 0]);
    assert_eq!(find(&paths, "GET /r/me/contents/"), [0usize; 0]);
    assert_eq!(find(&paths, "GET /r/me/contents/src/"), [0usize; 0]);
}

#[test]
fn the_http_method_is_compared_byte_by_byte() {
    let (paths, _) = build(&["GET /a"], EXACT);
    for other in ["get /a", "Get /a", "GETS /a", "POST /a", "OPTIONS /a", "TRACE /a"] {
        assert_eq!(find(&paths, other), [0usize; 0], "{other}");
    }
    assert!(paths.find("GET ", &at("/a")).is_none());
    assert!(paths.find("", &at("/a")).is_none());
}

#[test]
fn a_wider_template_lends_no_http_method_to_a_narrower_path() {
    let (paths, _) = build(&["GET /repos/mine", "DELETE /repos/{id}", "PUT /{any}*"], EXACT);
    assert_eq!(find(&paths, "GET /repos/mine"), [0]);
    assert_eq!(find(&paths, "DELETE /repos/mine"), [0usize; 0]);
    assert_eq!(find(&paths, "DELETE /repos/yours"), [1]);
    assert_eq!(find(&paths, "PUT /repos/mine"), [0usize; 0]);
    assert_eq!(find(&paths, "PUT /repos/yours"), [0usize; 0]);
    assert_eq!(find(&paths, "PUT /else"), [2]);
}

#[test]
fn head_is_taken_for_get_where_the_path_has_no_head() {
    let (paths, _) = build(&["GET /a", "GET /b", "HEAD /b", "HEAD /c", "POST /d"], EXACT);
    assert_eq!(find(&paths, "HEAD /a"), [0]);
    assert_eq!(find(&paths, "HEAD /b"), [2]);
    assert_eq!(find(&paths, "HEAD /c"), [3]);
    assert_eq!(find(&paths, "GET /c"), [0usize; 0]);
    assert_eq!(find(&paths, "HEAD /d"), [0usize; 0]);
    assert_eq!(find(&paths, "head /a"), [0usize; 0]);
}

#[test]
fn a_head_of_a_wider_template_neither_answers_for_a_narrower_get_nor_lets_it_answer() {
    let (paths, _) = build(&["GET /repos/mine", "HEAD /repos/{id}", "GET /repos/{id}"], EXACT);
    assert_eq!(find(&paths, "HEAD /repos/mine"), [0usize; 0]);
    assert_eq!(find(&paths, "HEAD /repos/yours"), [1]);
    assert_eq!(find(&paths, "GET /repos/mine"), [0]);
}

#[test]
fn a_head_of_a_narrower_template_does_not_reach_beyond_it() {
    let (paths, _) = build(&["HEAD /repos/mine", "GET /repos/{id}"], EXACT);
    assert_eq!(find(&paths, "HEAD /repos/mine"), [0]);
    assert_eq!(find(&paths, "GET /repos/mine"), [0usize; 0]);
    assert_eq!(find(&paths, "HEAD /repos/yours"), [1]);
}

#[test]
fn mixed_segments_need_their_fixed_text_and_something_for_each_parameter() {
    let (paths, _) = build(
        &["GET /c/{base}...{head}", "GET /r/report.{format}", "GET /i/{id}.json", "GET /v{n}/x", "GET /q/a{x}b{y}c"],
        EXACT,
    );
    assert_eq!(values(&paths, "GET /c/main...dev"), owned(&[("base", "main"), ("head", "dev")]));
    assert_eq!(values(&paths, "GET /r/report.pdf"), owned(&[("format", "pdf")]));
    assert_eq!(values(&paths, "GET /i/7.json"), owned(&[("id", "7")]));
    assert_eq!(values(&paths, "GET /i/.json.json"), owned(&[("id", ".json")]));
    assert_eq!(values(&paths, "GET /v2/x"), owned(&[("n", "2")]));
    assert_eq!(values(&paths, "GET /q/aXbYc"), owned(&[("x", "X"), ("y", "Y")]));
    for other in [
        "/c/main..dev",
        "/c/...dev",
        "/r/report",
        "/r/xreport.pdf",
        "/i/.json",
        "/i/7.jso",
        "/i/7.jsonx",
        "/i/json",
        "/v/x",
        "/w2/x",
        "/q/abYc",
        "/q/aXbc",
        "/q/abc",
        "/q/aXbY",
        "/q/c",
    ] {
        assert_eq!(find(&paths, &format!("GET {other}")), [0usize; 0], "{other}");
    }
}

#[test]
fn an_ambiguous_cut_is_the_shortest_from_the_left_and_told() {
    let (paths, _) = build(&["GET /c/{base}...{head}", "GET /d/{a}{b}", "GET /e/{a}-{b}-{c}.x"], EXACT);
    for (path, expected, ambiguous) in [
        ("/c/a...b", vec![("base", "a"), ("head", "b")], false),
        ("/c/a...b...c", vec![("base", "a"), ("head", "b...c")], true),
        ("/c/a....b", vec![("base", "a"), ("head", ".b")], true),
        ("/d/xy", vec![("a", "x"), ("b", "y")], false),
        ("/d/xyz", vec![("a", "x"), ("b", "yz")], true),
        ("/d/%C3%A9%C3%A8", vec![("a", "é"), ("b", "è")], false),
        ("/e/1-2-3.x", vec![("a", "1"), ("b", "2"), ("c", "3")], false),
        ("/e/1-2-3-4.x", vec![("a", "1"), ("b", "2"), ("c", "3-4")], true),
    ] {
        let segments = at(path);
        let found = paths.find("GET", &segments).unwrap();
        assert_eq!((found.parameters.to_vec(), found.ambiguous), (expected, ambiguous), "{path}");
    }
}

#[test]
fn an_allow_list_gets_no_value_that_could_be_another() {
    let (paths, _) = build(&["GET /c/{base}...{head}", "GET /{id}/x/{id}"], EXACT);
    let (clear, unclear, doubled) = (at("/c/a...b"), at("/c/a...b...c"), at("/1/x/2"));
    assert_eq!(paths.find("GET", &clear).unwrap().parameter("base"), Some("a"));
    assert_eq!(paths.find("GET", &clear).unwrap().parameter("id"), None);
    assert_eq!(paths.find("GET", &unclear).unwrap().parameter("base"), None);
    assert_eq!(paths.find("GET", &doubled).unwrap().parameter("id"), None);
}

#[test]
fn templates_that_differ_in_names_only_clash_and_are_found_together_by_id() {
    let templates =
        ["GET /s/{digest}", "DELETE /s/{x}", "GET /s/{id}", "GET /s/{id}/", "GET /s/{third}", "GET /t/{id}"];
    let (paths, flaws) = build(&templates, EXACT);
    assert_eq!(flaws, [Flaw::Clash { first: 0, second: 2 }, Flaw::Clash { first: 0, second: 4 }]);
    assert_eq!(find(&paths, "GET /s/7"), [0, 2, 4]);
    assert_eq!(find(&paths, "DELETE /s/7"), [1]);
    let (segments, found) = (at("/s/7"), |segments| paths.find("GET", segments));
    let found = found(&segments).unwrap();
    assert_eq!(found.parameters.as_slice(), [("digest", "7")]);
    assert_eq!(found.also[0].parameters.as_slice(), [("id", "7")]);
}

#[test]
fn the_order_in_which_templates_come_does_not_matter() {
    let mut templates: Vec<Template<'_>> = ["/{a}", "/{b}", "/{c}.x", "/y{d}"]
        .into_iter()
        .enumerate()
        .map(|(id, path)| Template { id, http_method: "GET", path, greedy: false })
        .collect();
    let (paths, flaws) = Paths::build(templates.clone(), EXACT);
    templates.reverse();
    let (reversed, same_flaws) = Paths::build(templates, EXACT);
    assert_eq!(flaws, same_flaws);
    for request in ["GET /1", "GET /y.x", "GET /1.x"] {
        assert_eq!(find(&paths, request), find(&reversed, request));
    }
    assert_eq!(find(&reversed, "GET /y.x"), [2, 3]);
}

#[test]
fn one_operation_under_one_path_twice_does_not_clash_with_itself() {
    let twice = Template { id: 7, http_method: "GET", path: "/a/{b}", greedy: false };
    let (paths, flaws) = Paths::build([twice, twice], EXACT);
    assert_eq!(flaws, []);
    assert_eq!(find(&paths, "GET /a/b"), [7]);
}

#[test]
fn overlapping_mixed_segments_are_found_together() {
    let templates = ["GET /{id}.json", "GET /v{n}", "DELETE /v{n}", "GET /{id}.json/c", "GET /v{n}/{c}"];
    let (paths, flaws) = build(&templates, EXACT);
    assert_eq!(flaws, []);
    assert_eq!(find(&paths, "GET /v1.json"), [0, 1]);
    assert_eq!(find(&paths, "GET /x.json"), [0]);
    assert_eq!(find(&paths, "DELETE /v1.json"), [2]);
    assert_eq!(find(&paths, "GET /v1.json/c"), [3]);
    assert_eq!(find(&paths, "GET /v1.json/d"), [4]);
}

#[test]
fn case_is_exact_unless_the_option_folds_ascii() {
    let templates = ["POST /1.0/Env/rest/StopEnv", "POST /1.0/{Name}/V{n}.Txt", "POST /É"];
    let (exact, _) = build(&templates, EXACT);
    assert_eq!(find(&exact, "POST /1.0/Env/rest/StopEnv"), [0]);
    assert_eq!(find(&exact, "POST /1.0/env/rest/stopenv"), [0usize; 0]);
    assert_eq!(find(&exact, "POST /1.0/x/v1.txt"), [0usize; 0]);
    let (folded, _) = build(&templates, FOLDED);
    assert_eq!(find(&folded, "POST /1.0/eNV/REST/stopenv"), [0]);
    assert_eq!(values(&folded, "POST /1.0/MiXed/v1A.tXT"), owned(&[("Name", "MiXed"), ("n", "1A")]));
    assert_eq!(find(&folded, "post /1.0/env/rest/stopenv"), [0usize; 0]);
    assert_eq!(find(&folded, "POST /%C3%89"), [2]);
    assert_eq!(find(&folded, "POST /%C3%A9"), [0usize; 0]);
    let (_, flaws) = build(&["GET /a", "GET /A", "GET /x{a}", "GET /X{b}"], FOLDED);
    assert_eq!(flaws, [Flaw::Clash { first: 0, second: 1 }, Flaw::Clash { first: 2, second: 3 }]);
    assert_eq!(build(&["GET /a", "GET /A"], EXACT).1, []);
}

#[test]
fn encoded_octets_in_templates_are_decoded_once() {
    let (paths, flaws) = build(&["GET /a%2db/%7Bx%7D", "GET /c%3Ad", "GET /%C3%A9/{x}", "GET /è"], EXACT);
    assert_eq!(flaws, []);
    assert_eq!(find(&paths, "GET /a-b/%7bx%7d"), [0]);
    assert_eq!(find(&paths, "GET /c:d"), [1]);
    assert_eq!(find(&paths, "GET /%c3%a9/1"), [2]);
    assert_eq!(find(&paths, "GET /%C3%A8"), [3]);
}

#[test]
fn templates_that_cannot_be_served_are_told_and_match_nothing() {
    use Unreadable::*;
    let deep = format!("/a{}", "/{x}".repeat(64));
    let cases = [
        ("", NoSlash),
        ("a", NoSlash),
        ("{a}", NoSlash),
        ("http://h/a", NoSlash),
        ("//", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a//", EmptySegment),
        ("/{a", Braces),
        ("/a}", Braces),
        ("/{a}}", Braces),
        ("/{{a}}", Braces),
        ("/{a/b}", Braces),
        ("/{a{b}", Braces),
        ("/{}", NoName),
        ("/a{}b", NoName),
        ("/.", Unreachable),
        ("/..", Unreachable),
        ("/a/%2e%2e/b", Unreachable),
        ("/...", Unreachable),
        ("/a%2Fb", Unreachable),
        ("/a%", Unreachable),
        ("/a%2", Unreachable),
        ("/%ff", Unreachable),
        ("/a b", Unreachable),
        ("/a?b=c", Unreachable),
        ("/a#b", Unreachable),
        ("/a;b", Unreachable),
        ("/{a};{b}", Unreachable),
        ("/a\\b", Unreachable),
        ("/%25", Unreachable),
        ("/a\n", Unreachable),
        ("/a%00", Unreachable),
        ("/a%7f", Unreachable),
        (&deep, TooManySegments),
    ];
    for (path, why) in cases {
        let (paths, flaws) = Paths::build([Template { id: 5, http_method: "GET", path, greedy: false }], EXACT);
        assert_eq!(flaws, [Flaw::Unreadable { id: 5, why }], "{path}");
        assert!(paths.root.literals.is_empty() && paths.root.parameter.is_none() && paths.root.rare.is_none());
    }
    for path in ["/", "/a", "/{a}/b", "/{a}/", "/{a}.b"] {
        let (_, flaws) = Paths::build([Template { id: 5, http_method: "GET", path, greedy: true }], EXACT);
        assert_eq!(flaws, [Flaw::Unreadable { id: 5, why: NotGreedy }], "{path}");
    }
    assert_eq!(build(&[&format!("GET {}", "/{x}".repeat(64))], EXACT).1, []);
}

#[test]
fn the_http_methods_of_a_path_tell_a_wrong_method_from_no_such_path() {
    let (paths, _) = build(&["GET /a/b", "PUT /a/b", "DELETE /a/{x}", "GET /v{n}", "GET /{n}.x", "POST /{n}.x"], EXACT);
    assert_eq!(paths.http_methods(&at("/a/b")), Some(vec!["GET", "PUT"]));
    assert_eq!(paths.http_methods(&at("/a/c")), Some(vec!["DELETE"]));
    assert_eq!(paths.http_methods(&at("/v1.x")), Some(vec!["GET", "POST"]));
    assert_eq!(paths.http_methods(&at("/a")), None);
    assert_eq!(paths.http_methods(&at("/a/b/")), None);
}

#[test]
fn backtracking_meets_each_template_once() {
    let every =
        |bits: usize| (0..10).map(move |at| if bits >> at & 1 == 0 { "/a" } else { "/{x}" }).collect::<String>();
    let templates: Vec<String> = (0..1024).map(every).collect();
    let list = templates.iter().enumerate();
    let (paths, flaws) =
        Paths::build(list.map(|(id, path)| Template { id, http_method: "GET", path, greedy: false }), EXACT);
    assert_eq!(flaws, []);
    let mut met = 0;
    assert!(!paths.walk(&at(&"/a".repeat(10)), &mut |ends| {
        met += ends.iter().count();
        false
    }));
    assert_eq!(met, 1024);
    assert_eq!(find(&paths, &format!("GET {}", "/a".repeat(10))), [0]);
    assert_eq!(find(&paths, &format!("GET {}", "/b".repeat(10))), [1023]);
}

#[test]
fn sixty_four_segments_of_traps_end_in_a_moment() {
    let mut templates = Vec::new();
    for at in 1..63 {
        templates.push(format!("/{}", [vec!["a"; at], vec!["{x}"], vec!["a"; 63 - at]].concat().join("/")));
        templates.push(format!("/{}", [vec!["{p}a{q}"; at], vec!["{x}"], vec!["a"; 63 - at]].concat().join("/")));
        templates
            .push(format!("/{}", [vec!["{p}a{q}a"; at], vec!["{x}b"], vec!["{p}aa{q}"; 63 - at]].concat().join("/")));
    }
    let list = templates.iter().enumerate();
    let (paths, flaws) =
        Paths::build(list.map(|(id, path)| Template { id, http_method: "GET", path, greedy: false }), EXACT);
    assert_eq!(flaws, []);
    let trap = format!("{}/z", format!("/{}", "a".repeat(60)).repeat(63));
    assert_eq!(find(&paths, &format!("GET {trap}")), [0usize; 0]);
    assert_eq!(find(&paths, &format!("GET {}/z", "/a".repeat(63))), [0usize; 0]);
    assert_eq!(find(&paths, &format!("GET {}", "/a".repeat(64))), [183]);
    assert_eq!(find(&paths, &format!("GET {}", "/a".repeat(4096))), [0usize; 0]);
}
