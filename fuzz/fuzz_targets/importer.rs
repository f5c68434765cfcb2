//! The importer: whatever is read keeps the promises of `Description`, is read the same again, and its templates serve the
//! requests that they were made for.

#![no_main]

use std::collections::HashSet;

use hallpass::catalogue::description::{self, Description, MAX_PATH_BYTES};
use hallpass::catalogue::paths::{Flaw, PathOptions, Paths, Template};
use hallpass::catalogue::target::{TargetOptions, segments, split};
use libfuzzer_sys::fuzz_target;

fn is_word(text: &str, others: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn check(read: &Description) {
    assert!(!read.servers.is_empty());
    let mut names = HashSet::new();
    let services: HashSet<&str> = read.services.iter().map(|service| service.name.as_str()).collect();
    for service in &read.services {
        assert!(is_word(&service.name, "._-", 64) && service.name == service.name.to_ascii_lowercase(), "{service:?}");
        assert!(read.methods.iter().any(|method| method.service == service.name), "{service:?} is empty");
    }
    for method in &read.methods {
        assert!(services.contains(method.service.as_str()), "{method:?}");
        assert!(is_word(&method.name, "._/-", 128), "{method:?}");
        assert!(names.insert((&method.service, method.name.to_ascii_lowercase())), "{method:?} is there twice");
        assert!(method.path.starts_with('/') && method.path.len() <= MAX_PATH_BYTES, "{method:?}");
        assert!(!method.path.chars().any(char::is_control), "{method:?}");
        assert_eq!(method.http_method, method.http_method.to_ascii_uppercase());
        assert!(method.summary.chars().count() <= 200 && !method.summary.chars().any(char::is_control), "{method:?}");
        let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        assert!(method.docs_url.as_ref().is_none_or(web), "{method:?}");
    }
    for server in &read.servers {
        assert!(server.base_path.is_empty() || server.base_path.starts_with('/') && !server.base_path.ends_with('/'));
        assert!(server.host.as_ref().is_none_or(|host| *host == host.to_lowercase() && !host.is_empty()));
    }
}

fn check_templates(read: &Description) {
    let templates = read.methods.iter().enumerate().map(|(id, method)| Template {
        id,
        http_method: &method.http_method,
        path: &method.path,
        greedy: false,
    });
    let (paths, flaws) = Paths::build(templates, PathOptions { case_insensitive: false });
    let is_left_out = |id| flaws.iter().any(|flaw| matches!(flaw, Flaw::Unreadable { id: of, .. } if *of == id));
    for (id, method) in read.methods.iter().enumerate().filter(|(id, _)| !is_left_out(*id)) {
        let pieces = method.path.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, after)| after));
        let filled = pieces.collect::<Vec<_>>().join("x1");
        let options = TargetOptions { trailing_dot: true, utf8_paths: true };
        let Ok((path, _)) = split(filled.as_bytes()) else { continue };
        let Ok(segments) = segments(path, options) else { continue };
        assert!(paths.find(&method.http_method, &segments).is_some(), "{id}: {filled:?} of {method:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    // Two slips in one file are as good as one.
    let first = description::read(data);
    assert_eq!(first, description::read(data));
    match first {
        Ok(read) => {
            check(&read);
            check_templates(&read);
        }
        Err(problem) => {
            assert!(!problem.place.is_empty() && !problem.sentence.is_empty());
            assert!(problem.to_string().len() < 4096, "{problem}");
        }
    }
});
