//! A slow obvious matcher, and that `Paths` agrees with it on random templates and paths.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::tests::{EXACT, at, owned};
use super::*;

/// What `find` should say, template by template and cut by cut.
struct Slow<'a> {
    templates: &'a [(String, String, bool)],
    options: PathOptions,
    segments: Vec<String>,
    slash: bool,
}

type Found = (usize, Vec<(String, String)>, bool);
/// Kinds of segments, least first; shape; cuts of the path, shortest from the left first.
type Candidate = (Vec<u8>, String, Vec<Vec<(String, String)>>);

impl Slow<'_> {
    fn find(&self, http_method: &str) -> Vec<Found> {
        let all: Vec<_> =
            (0..self.templates.len()).filter_map(|id| self.candidate(id).map(|found| (id, found))).collect();
        let Some(best) = all.iter().map(|(_, (kinds, ..))| kinds.clone()).min() else {
            return Vec::new();
        };
        let has = |id: usize, wanted: &str| self.templates[id].0 == wanted;
        let best: Vec<_> = all.iter().filter(|(_, (kinds, ..))| *kinds == best).collect();
        let wider_head = all.iter().any(|(id, _)| has(*id, "HEAD"));
        let best_head = best.iter().any(|(id, _)| has(*id, "HEAD"));
        let shapes: BTreeSet<&String> = best.iter().map(|(_, (_, shape, _))| shape).collect();
        let mut found = Vec::new();
        for shape in shapes {
            let here: Vec<_> = best.iter().filter(|(_, (_, this, _))| this == shape).collect();
            let own = here.iter().any(|(id, _)| has(*id, http_method));
            let instead = http_method == "HEAD" && !own && (best_head || !wider_head);
            let taken = if instead { "GET" } else { http_method };
            for (id, (_, _, cuts)) in here.into_iter().filter(|(id, _)| has(*id, taken)) {
                found.push((*id, cuts[0].clone(), cuts.len() > 1));
            }
        }
        found.sort();
        found
    }

    fn candidate(&self, id: usize) -> Option<Candidate> {
        let (_, path, greedy) = &self.templates[id];
        let template: Vec<&str> = path.trim_matches('/').split('/').filter(|text| !text.is_empty()).collect();
        let slash = path.ends_with('/');
        let long_enough =
            if *greedy { self.segments.len() >= template.len() } else { self.segments.len() == template.len() };
        if slash != self.slash || !long_enough {
            return None;
        }
        let (mut kinds, mut cuts) = (Vec::new(), vec![Vec::new()]);
        for (at, text) in template.iter().enumerate() {
            let last = *greedy && at + 1 == template.len();
            let segment = if last { self.segments[at..].join("/") } else { self.segments[at].clone() };
            let bare = text.starts_with('{') && text.find('}') == Some(text.len() - 1);
            kinds.push(if last {
                3
            } else if bare {
                2
            } else {
                u8::from(text.contains('{'))
            });
            let here = self.cuts(text, &segment);
            cuts = cuts.iter().flat_map(|a| here.iter().map(move |b| [a.clone(), b.clone()].concat())).collect();
        }
        let shape = path.split('{').map(|text| text.split_once('}').map_or(text, |(_, after)| after));
        let shape = shape.collect::<Vec<_>>().join("{}");
        let shape = if self.options.case_insensitive { shape.to_ascii_lowercase() } else { shape };
        (!cuts.is_empty()).then_some((kinds, shape, cuts))
    }

    /// Every way to cut `text` along `pattern`.
    fn cuts(&self, pattern: &str, text: &str) -> Vec<Vec<(String, String)>> {
        if let Some(after) = pattern.strip_prefix('{') {
            let (name, after) = after.split_once('}').unwrap();
            let ends = text.char_indices().skip(1).map(|(at, _)| at).chain((!text.is_empty()).then_some(text.len()));
            let mut all = Vec::new();
            for end in ends {
                for rest in self.cuts(after, &text[end..]) {
                    all.push([vec![(name.to_owned(), text[..end].to_owned())], rest].concat());
                }
            }
            return all;
        }
        let (Some(a), Some(b)) = (pattern.chars().next(), text.chars().next()) else {
            return if pattern.is_empty() && text.is_empty() { vec![Vec::new()] } else { Vec::new() };
        };
        let same = a == b || self.options.case_insensitive && a.eq_ignore_ascii_case(&b);
        if same { self.cuts(&pattern[a.len_utf8()..], &text[b.len_utf8()..]) } else { Vec::new() }
    }
}

fn templates() -> impl Strategy<Value = Vec<(String, String, bool)>> {
    let segment = prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "A", "ab", "a.b", "é"]),
        2 => prop::sample::select(vec!["{p}", "{q}"]),
        2 => prop::sample::select(vec!["{p}.{q}", "{p}.b", "a{p}", "A{q}", "{p}b", "{p}{q}", "{p}..{q}", "a{p}b{q}", "{p}a{q}b{r}"]),
    ];
    let path =
        (prop::collection::vec(segment, 0..4), any::<[bool; 3]>()).prop_map(|(segments, [slash, rest, also])| {
            let bare = segments.last().is_some_and(|last| ["{p}", "{q}"].contains(last));
            let slash = segments.is_empty() || slash && also;
            let path = format!("/{}{}", segments.join("/"), if slash && !segments.is_empty() { "/" } else { "" });
            (path, rest && bare && !slash)
        });
    let method = prop::sample::select(vec!["GET", "GET", "HEAD", "DELETE"]);
    let one = (method, path).prop_map(|(method, (path, greedy))| (method.to_owned(), path, greedy));
    prop::collection::vec(one, 1..14)
}

fn path() -> impl Strategy<Value = (Vec<String>, bool)> {
    let segment =
        prop::sample::select(vec!["a", "b", "A", "ab", "a.b", "aab", "a..b", "a.b.b", "aabab", "aB", "x", "é", "aéb"]);
    let segments = prop::collection::vec(segment.prop_map(str::to_owned), 0..5);
    (segments, prop::bool::weighted(0.2)).prop_map(|(segments, slash)| (segments.clone(), slash || segments.is_empty()))
}

fn encode(segments: &[String], slash: bool) -> String {
    let mut path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
    if slash {
        path.push('/');
    }
    path.replace('é', "%C3%A9")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn find_agrees_with_a_slow_obvious_matcher(
        templates in templates(), asked in prop::collection::vec(path(), 8), case_insensitive in any::<bool>(),
    ) {
        let options = PathOptions { case_insensitive };
        let list = templates.iter().enumerate();
        let list = list.map(|(id, (http_method, path, greedy))| Template { id, http_method, path, greedy: *greedy });
        let (paths, flaws) = Paths::build(list, options);
        let unreadable = flaws.iter().any(|flaw| matches!(flaw, Flaw::Unreadable { .. }));
        prop_assert!(!unreadable);
        for (segments, slash) in asked {
            let path = encode(&segments, slash);
            let read = at(&path);
            let slow = Slow { templates: &templates, options, segments, slash };
            for http_method in ["GET", "HEAD", "DELETE", "POST"] {
                let found = paths.find(http_method, &read);
                let found: Vec<_> = found
                    .iter()
                    .flat_map(Match::every)
                    .map(|one| (one.id, owned(&one.parameters), one.ambiguous))
                    .collect();
                prop_assert_eq!(found, slow.find(http_method), "{} {}", http_method, path);
            }
        }
    }

    #[test]
    fn no_template_makes_it_panic(path in "[/{}a%2f.é]{0,12}", greedy in any::<bool>(), asked in path()) {
        let (paths, _) = Paths::build([Template { id: 0, http_method: "GET", path: &path, greedy }], EXACT);
        let _ = paths.find("GET", &at(&encode(&asked.0, asked.1)));
    }

    #[test]
    fn a_match_spells_the_path_that_was_asked(templates in templates(), asked in path()) {
        let list = templates.iter().enumerate();
        let list = list.map(|(id, (http_method, path, greedy))| Template { id, http_method, path, greedy: *greedy });
        let (paths, _) = Paths::build(list, EXACT);
        let path = encode(&asked.0, asked.1);
        let read = at(&path);
        for one in paths.find("GET", &read).iter().flat_map(Match::every) {
            let mut spelt = templates[one.id].1.clone();
            for (name, value) in &one.parameters {
                spelt = spelt.replacen(&format!("{{{name}}}"), value, 1);
            }
            prop_assert_eq!(spelt.replace('é', "%C3%A9"), path.clone());
            prop_assert!(one.parameters.iter().all(|(_, value)| !value.is_empty()));
        }
    }
}
