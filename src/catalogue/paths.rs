//! Path templates → matcher: which operation a request's HTTP method and path are, anchored at both ends. Where two
//! servers would read a request differently, the answer is the narrower one.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::target::Segments;
pub use super::template::Unreadable;
use super::template::{Captures, Case, Pattern, Segment, Shape};

/// One operation to be found.
#[derive(Clone, Copy, Debug)]
pub struct Template<'a> {
    /// The caller's own number for it; the least comes first where several match alike.
    pub id: usize,
    /// Exact bytes, so upper-case for the usual ones.
    pub http_method: &'a str,
    /// In full, with the base path: `/1.0/zones/{id}`.
    pub path: &'a str,
    /// The last parameter takes the rest of the path. To be set for all HTTP methods of a path: where one has it and
    /// another has not, the other is more specific and hides it from every path with one segment left.
    pub greedy: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct PathOptions {
    /// The fixed text of templates is compared with ASCII case folded. Parameters keep their bytes.
    pub case_insensitive: bool,
}

/// What an importer should tell its operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Same HTTP method, and paths that differ in the names of parameters at most. These are ids, the lesser first.
    #[error("two methods have the same HTTP method and path: a request to it needs the right to both")]
    Clash { first: usize, second: usize },
    /// The template is left out. What was meant for it is refused, unless a wider template takes that path too.
    #[error("a path template cannot be served: {why}")]
    Unreadable { id: usize, why: Unreadable },
}

/// The operation that a request is, and what its path gave to the parameters.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'p, 's> {
    pub id: usize,
    /// Names and decoded values in the order of the template; the value of a greedy one may have slashes.
    pub parameters: SmallVec<[(&'p str, &'s str); 2]>,
    /// A mixed segment such as `{base}...{head}` could be cut in another way (`a...b...c`). `parameters` has the
    /// shortest values from the left.
    pub ambiguous: bool,
    /// Operations that match as specifically, by id: clashing templates, or overlapping ones such as `v{n}` and
    /// `{id}.json`. Which of them the API runs is known to the API alone, and a token that may call one could be served
    /// another. So the right to **every** one is needed.
    pub also: Vec<Match<'p, 's>>,
}

impl<'p, 's> Match<'p, 's> {
    /// This one and those in `also`.
    pub fn every(&self) -> impl Iterator<Item = &Match<'p, 's>> {
        std::iter::once(self).chain(&self.also)
    }

    /// For allow lists: the value of a parameter, unless it is absent, doubled or could be read as another one. `None`
    /// is no value to allow.
    pub fn parameter(&self, name: &str) -> Option<&'s str> {
        let mut named = self.parameters.iter().filter(|(this, _)| *this == name);
        let (_, value) = named.next()?;
        (!self.ambiguous && named.next().is_none()).then_some(*value)
    }
}

/// All templates of one API in a trie of segments. A node has one parent, so that a look-up with all its backtracking
/// sees each node at most once: the number of steps is bounded by the segments of all templates, whatever the path is.
/// A step is a comparison, or for a mixed segment at most the product of its length and that of its literals.
#[derive(Debug)]
pub struct Paths {
    root: Node,
    case: Case,
}

#[derive(Debug, Default)]
struct Node {
    /// By the fixed text of a segment.
    literals: HashMap<SmolStr, Node, RandomState>,
    parameter: Option<Box<Node>>,
    here: Routes,
    rare: Option<Box<Rare>>,
}

/// What most nodes have none of: a thousand nodes are to stay in the processor's cache.
#[derive(Debug, Default)]
struct Rare {
    mixed: BTreeMap<Shape, Node>,
    here_and_slash: Routes,
    /// Taken with one segment or more left.
    greedy: Routes,
}

impl Node {
    fn ends(&self, slash: bool) -> Option<&Routes> {
        if slash { self.rare.as_ref().map(|rare| &rare.here_and_slash) } else { Some(&self.here) }
    }
}

/// What a segment of a template is, the most specific first. Greedy ones are no step but an end.
#[derive(Clone, Copy)]
enum Kind {
    Literal,
    Mixed,
    Parameter,
}

/// The templates that end in one place: few, so that all lie side by side. More than one for a method is a clash.
#[derive(Debug, Default)]
struct Routes(Vec<Route>);

#[derive(Debug)]
struct Route {
    http_method: SmolStr,
    id: usize,
    captures: Captures,
}

impl Routes {
    fn of<'p>(&'p self, http_method: &str) -> impl Iterator<Item = &'p Route> {
        self.0.iter().filter(move |route| route.http_method == http_method)
    }

    fn has(&self, http_method: &str) -> bool {
        self.of(http_method).next().is_some()
    }
}

impl Paths {
    /// Flaws come in the order of ids.
    pub fn build<'a>(templates: impl IntoIterator<Item = Template<'a>>, options: PathOptions) -> (Paths, Vec<Flaw>) {
        let case = if options.case_insensitive { Case::Ignored } else { Case::Exact };
        let mut paths = Paths { root: Node::default(), case };
        let mut templates: Vec<Template<'a>> = templates.into_iter().collect();
        templates.sort_by_key(|template| template.id);
        let mut flaws = Vec::new();
        for template in templates {
            match Pattern::read(template.path, template.greedy, case) {
                Ok(pattern) => flaws.extend(paths.add(template, pattern)),
                Err(why) => flaws.push(Flaw::Unreadable { id: template.id, why }),
            }
        }
        (paths, flaws)
    }

    fn add(&mut self, template: Template<'_>, pattern: Pattern) -> Option<Flaw> {
        let mut node = &mut self.root;
        let mut greedy = false;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(SmolStr::new(text)).or_default(),
                Segment::Mixed(shape, _) => node.rare.get_or_insert_default().mixed.entry(shape.clone()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Greedy(_) => {
                    greedy = true;
                    node
                }
            };
        }
        let routes = match (greedy, pattern.trailing_slash) {
            (true, _) => &mut node.rare.get_or_insert_default().greedy,
            (false, true) => &mut node.rare.get_or_insert_default().here_and_slash,
            (false, false) => &mut node.here,
        };
        let first = routes.of(template.http_method).next().map(|route| route.id);
        // An operation that an API serves under one path twice (two servers with one base path) is still one.
        if routes.of(template.http_method).any(|route| route.id == template.id) {
            return None;
        }
        routes.0.push(Route {
            http_method: template.http_method.into(),
            id: template.id,
            captures: pattern.captures(),
        });
        first.map(|first| Flaw::Clash { first, second: template.id })
    }

    /// Literals beat mixed segments beat parameters beat greedy ones, decided segment by segment from the left, and
    /// the most specific template for the *path* decides. Where that one has no such HTTP method there is no match, even
    /// if a wider template has it: with `GET /repos/mine` and `DELETE /repos/{id}`, one server answers
    /// `DELETE /repos/mine` with 405, one runs the second, and one has an operation there that its description hides.
    /// Every match under this rule is the match of servers that look for the HTTP method first, too.
    ///
    /// `HEAD` is a method as any other. Where the deciding template has none, its `GET` stands in, unless a wider
    /// template has a `HEAD` that a server could prefer.
    pub fn find<'p, 's>(&'p self, http_method: &str, segments: &'s Segments<'_>) -> Option<Match<'p, 's>> {
        let head = http_method == "HEAD";
        let mut stands_in = head;
        let mut chosen = Few::default();
        self.walk(segments, &mut |ends| {
            for routes in ends.iter() {
                let takes_get = head && !routes.has(http_method);
                stands_in &= takes_get;
                let taken = if takes_get { "GET" } else { http_method };
                routes.of(taken).for_each(|route| chosen.push(route));
            }
            true
        });
        if stands_in && self.walk(segments, &mut |ends| ends.iter().any(|routes| routes.has("HEAD"))) {
            return None;
        }
        let capture = |route: &'p Route| {
            let captured = route.captures.of(segments.text(), self.case);
            Match { id: route.id, parameters: captured.parameters, ambiguous: captured.ambiguous, also: Vec::new() }
        };
        let first = chosen.first.map(capture)?;
        if chosen.others.is_empty() {
            return Some(first);
        }
        let mut all: Vec<_> = std::iter::once(first).chain(chosen.others.into_iter().map(capture)).collect();
        all.sort_by_key(|one| one.id);
        let mut all = all.into_iter();
        let first = all.next()?;
        Some(Match { also: all.collect(), ..first })
    }

    /// The HTTP methods of the template that decides for this path, in alphabetical order. `None`: no such path.
    pub fn http_methods(&self, segments: &Segments<'_>) -> Option<Vec<&str>> {
        let mut found: Option<Vec<&str>> = None;
        self.walk(segments, &mut |ends| {
            found =
                Some(ends.iter().flat_map(|routes| routes.0.iter().map(|route| route.http_method.as_str())).collect());
            true
        });
        let mut methods = found?;
        methods.sort_unstable();
        methods.dedup();
        Some(methods)
    }

    /// Shows `visit` the ends of all templates that match, the most specific first and equally specific ones together,
    /// until it answers `true`. Tells whether it did.
    fn walk<'p>(&'p self, segments: &Segments<'_>, visit: &mut dyn FnMut(&Few<&'p Routes>) -> bool) -> bool {
        let root = Few { first: Some(&self.root), others: Vec::new() };
        self.walk_on(&root, segments.text(), segments.has_trailing_slash(), visit)
    }

    /// `nodes` are equally specific: the same kinds of segments lead to each.
    fn walk_on<'p>(
        &'p self,
        nodes: &Few<&'p Node>,
        rest: &str,
        slash: bool,
        visit: &mut dyn FnMut(&Few<&'p Routes>) -> bool,
    ) -> bool {
        if rest.is_empty() {
            let ends = nodes.filter_map(|node| node.ends(slash).filter(|routes| !routes.0.is_empty()));
            return ends.first.is_some() && visit(&ends);
        }
        let (this, after) = rest.split_once('/').unwrap_or((rest, ""));
        for kind in [Kind::Literal, Kind::Mixed, Kind::Parameter] {
            let next = self.step(nodes, kind, this);
            if next.first.is_some() && self.walk_on(&next, after, slash, visit) {
                return true;
            }
        }
        // What takes the rest takes no slash at its end: that is another path.
        let ends = nodes.filter_map(|node| {
            let greedy = node.rare.as_ref().filter(|_| !slash).map(|rare| &rare.greedy);
            greedy.filter(|routes| !routes.0.is_empty())
        });
        ends.first.is_some() && visit(&ends)
    }

    fn step<'p>(&'p self, nodes: &Few<&'p Node>, kind: Kind, segment: &str) -> Few<&'p Node> {
        match kind {
            Kind::Literal => {
                let folded = self.fold(segment);
                nodes.filter_map(|node| node.literals.get(&*folded))
            }
            Kind::Mixed => {
                let mut next = Few::default();
                for rare in nodes.iter().filter_map(|node| node.rare.as_ref()) {
                    let fitting = rare.mixed.iter().filter(|(shape, _)| shape.fits(segment, self.case));
                    fitting.for_each(|(_, node)| next.push(node));
                }
                next
            }
            Kind::Parameter => nodes.filter_map(|node| node.parameter.as_deref()),
        }
    }

    fn fold<'s>(&self, segment: &'s str) -> Cow<'s, str> {
        match self.case {
            Case::Ignored => segment.to_ascii_lowercase().into(),
            Case::Exact => segment.into(),
        }
    }
}

/// Some of a thing, nearly always one: no allocation before the second.
struct Few<T> {
    first: Option<T>,
    others: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Few<T> {
        Few { first: None, others: Vec::new() }
    }
}

impl<T: Copy> Few<T> {
    fn push(&mut self, one: T) {
        match self.first {
            None => self.first = Some(one),
            Some(_) => self.others.push(one),
        }
    }

    fn iter(&self) -> impl Iterator<Item = T> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    fn filter_map<U: Copy>(&self, next: impl Fn(T) -> Option<U>) -> Few<U> {
        let mut few = Few { first: self.first.and_then(&next), others: Vec::new() };
        self.others.iter().copied().filter_map(next).for_each(|one| few.push(one));
        few
    }
}

#[cfg(test)]
mod slow_tests;
#[cfg(test)]
mod tests;
