//! One path template, read into segments, and how a segment of a request is cut along it.

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::target::pair;

/// More are refused, so that a walk along templates stays shallow.
pub(super) const MOST_SEGMENTS: usize = 64;

/// Why a template cannot be served. No request is ever matched to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it does not begin with a slash")]
    NoSlash,
    #[error("it has an empty segment (two slashes in a row)")]
    EmptySegment,
    #[error("it has a brace without its partner, or one inside another")]
    Braces,
    #[error("it has a parameter without a name")]
    NoName,
    #[error("its fixed text has a character or an encoding that is refused in every request's path")]
    Unreachable,
    #[error("it is to take the rest of the path, but does not end in a segment that is one parameter")]
    NotGreedy,
    #[error("it has more than 64 segments")]
    TooManySegments,
}

/// Whether fixed text is compared byte by byte or without regard to ASCII case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Exact,
    Ignored,
}

impl Case {
    fn same(self, a: &str, b: &str) -> bool {
        match self {
            Case::Exact => a == b,
            Case::Ignored => a.eq_ignore_ascii_case(b),
        }
    }
}

/// A template. Its fixed text is decoded and, where case is ignored, in lower case.
#[derive(Debug)]
pub(super) struct Pattern {
    pub segments: Vec<Segment>,
    pub trailing_slash: bool,
}

#[derive(Debug)]
pub(super) enum Segment {
    Literal(Box<str>),
    Mixed(Shape, Vec<Box<str>>),
    Parameter(Box<str>),
    /// The last one only: takes one segment or more.
    Greedy(Box<str>),
}

/// A segment of fixed text and parameters without their names, such as `{base}...{head}`: the literal (perhaps empty)
/// before, between and after them, so that there is one literal more than there are parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape(Vec<Box<str>>);

/// What a path gave to the parameters of a pattern, in the order in which they stand.
pub(super) struct Captured<'p, 's> {
    pub parameters: SmallVec<[(&'p str, &'s str); 2]>,
    /// Another reading of the same template would have cut a segment elsewhere.
    pub ambiguous: bool,
}

impl Pattern {
    pub(super) fn read(template: &str, greedy: bool, case: Case) -> Result<Pattern, Unreadable> {
        let inside = template.strip_prefix('/').ok_or(Unreadable::NoSlash)?;
        let trailing_slash = inside.is_empty() || inside.ends_with('/');
        let mut segments = Vec::new();
        // The root alone has no segment; in `//` the one between the slashes is empty.
        if !inside.is_empty() {
            let text = inside.strip_suffix('/').unwrap_or(inside);
            segments = text.split('/').map(|text| Segment::read(text, case)).collect::<Result<_, _>>()?;
        }
        if segments.len() > MOST_SEGMENTS {
            return Err(Unreadable::TooManySegments);
        }
        if greedy {
            match segments.pop() {
                Some(Segment::Parameter(name)) if !trailing_slash => segments.push(Segment::Greedy(name)),
                _ => return Err(Unreadable::NotGreedy),
            }
        }
        Ok(Pattern { segments, trailing_slash })
    }

    /// What is left of it to keep when it has its place among all others.
    pub(super) fn captures(self) -> Captures {
        let captures = self.segments.into_iter().enumerate().filter_map(|(nth, segment)| {
            let capture = match segment {
                Segment::Literal(_) => return None,
                Segment::Parameter(name) => Capture::One(name.into()),
                Segment::Greedy(name) => Capture::Rest(name.into()),
                Segment::Mixed(shape, names) => Capture::Cut(Box::new((shape, names))),
            };
            Some((nth, capture))
        });
        Captures(captures.collect())
    }
}

/// The parameters of a pattern, each with the number of its segment. In one piece for the usual single one: every verdict
/// reads it.
#[derive(Debug)]
pub(super) struct Captures(SmallVec<[(usize, Capture); 1]>);

#[derive(Debug)]
enum Capture {
    One(SmolStr),
    /// That segment and all behind it.
    Rest(SmolStr),
    Cut(Box<(Shape, Vec<Box<str>>)>),
}

impl Captures {
    /// `text` is a path that the pattern was found to match, without its first and last slash.
    pub(super) fn of<'p, 's>(&'p self, text: &'s str, case: Case) -> Captured<'p, 's> {
        let mut captured = Captured { parameters: SmallVec::new(), ambiguous: false };
        let (mut rest, mut passed) = (text, 0);
        for (nth, capture) in &self.0 {
            while passed < *nth {
                rest = rest.split_once('/').map_or("", |(_, after)| after);
                passed += 1;
            }
            let this = rest.split('/').next().unwrap_or_default();
            match capture {
                Capture::One(name) => captured.parameters.push((name, this)),
                Capture::Rest(name) => captured.parameters.push((name, rest)),
                Capture::Cut(of) => {
                    let (shape, names) = &**of;
                    let values = shape.cut(this, case);
                    captured.ambiguous |= shape.cut_from_the_right(this, case) != values;
                    captured.parameters.extend(names.iter().map(|name| &**name).zip(values));
                }
            }
        }
        captured
    }
}

impl Segment {
    fn read(text: &str, case: Case) -> Result<Segment, Unreadable> {
        if text.is_empty() {
            return Err(Unreadable::EmptySegment);
        }
        let mut literals = Vec::new();
        let mut names: Vec<Box<str>> = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(Unreadable::Braces)?;
            if name.is_empty() {
                return Err(Unreadable::NoName);
            }
            if name.contains('{') {
                return Err(Unreadable::Braces);
            }
            literals.push(read_literal(literal, case)?);
            names.push(name.into());
            rest = after;
        }
        let last = read_literal(rest, case)?;
        if names.is_empty() {
            // A request's `.`, `..` and `...` are refused before anything is compared.
            let dots = last.bytes().all(|byte| byte == b'.');
            return if dots { Err(Unreadable::Unreachable) } else { Ok(Segment::Literal(last)) };
        }
        literals.push(last);
        match (names.pop(), literals.iter().all(|literal| literal.is_empty())) {
            (Some(name), true) if names.is_empty() => Ok(Segment::Parameter(name)),
            (name, _) => {
                names.extend(name);
                Ok(Segment::Mixed(Shape(literals), names))
            }
        }
    }
}

/// Decoded once, as requests are, and held to what a request's decoded segment can be at all.
fn read_literal(text: &str, case: Case) -> Result<Box<str>, Unreadable> {
    if text.contains('}') {
        return Err(Unreadable::Braces);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => pair(bytes.next(), bytes.next()).ok_or(Unreadable::Unreachable)?,
            byte => byte,
        });
    }
    if decoded.iter().any(|byte| matches!(byte, 0..=b' ' | 0x7F | b'/' | b'\\' | b'%' | b';' | b'?' | b'#')) {
        return Err(Unreadable::Unreachable);
    }
    if case == Case::Ignored {
        decoded.make_ascii_lowercase();
    }
    String::from_utf8(decoded).map(String::into_boxed_str).map_err(|_| Unreadable::Unreachable)
}

impl Shape {
    pub(super) fn fits(&self, segment: &str, case: Case) -> bool {
        self.each_value(segment, case, |_| {})
    }

    /// Each parameter takes as little as it can, from the left, and the last one what is left; none is empty.
    fn cut<'s>(&self, segment: &'s str, case: Case) -> Vec<&'s str> {
        let mut values = Vec::with_capacity(self.0.len());
        self.each_value(segment, case, |value| values.push(value));
        values
    }

    /// Taking the leftmost place for each literal leaves the most for the next one: where this finds no cut, there is
    /// none, and nothing has to be tried again. That holds the cost at the product of the two lengths.
    fn each_value<'s>(&self, segment: &'s str, case: Case, mut take: impl FnMut(&'s str)) -> bool {
        let Some((between, mut rest)) = self.inside(segment, case) else {
            return false;
        };
        for literal in between {
            let Some((value, after)) = places(rest, literal, case).next() else {
                return false;
            };
            take(value);
            rest = after;
        }
        take(rest);
        !rest.is_empty()
    }

    /// The opposite cut: the first parameter takes the most. Where both agree, there is only one.
    fn cut_from_the_right<'s>(&self, segment: &'s str, case: Case) -> Vec<&'s str> {
        let mut values = Vec::with_capacity(self.0.len());
        let Some((between, mut rest)) = self.inside(segment, case) else {
            return values;
        };
        for literal in between.iter().rev() {
            let last = places(rest, literal, case).filter(|(_, value)| !value.is_empty()).last();
            let Some((before, value)) = last else { return values };
            values.push(value);
            rest = before;
        }
        values.push(rest);
        values.reverse();
        values
    }

    /// The literals between parameters, and the segment without the literals at its ends.
    fn inside<'s>(&self, segment: &'s str, case: Case) -> Option<(&[Box<str>], &'s str)> {
        let (first, others) = self.0.split_first()?;
        let (last, between) = others.split_last()?;
        let (start, rest) = segment.split_at_checked(first.len())?;
        let (rest, end) = rest.split_at_checked(rest.len().checked_sub(last.len())?)?;
        (case.same(start, first) && case.same(end, last)).then_some((between, rest))
    }
}

/// Every place of `literal` in `text` with something before it, from the left: what is before it and what is after.
fn places<'s>(text: &'s str, literal: &str, case: Case) -> impl Iterator<Item = (&'s str, &'s str)> {
    text.char_indices().skip(1).filter_map(move |(at, _)| {
        let (before, from) = text.split_at_checked(at)?;
        let (this, after) = from.split_at_checked(literal.len())?;
        case.same(this, literal).then_some((before, after))
    })
}
