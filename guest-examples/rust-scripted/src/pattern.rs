//! Regular expressions of forms: whether a text matches one, and texts that do.
//!
//! A generator of schemas writes patterns of a few dozen characters. This reads the syntax of ECMA-262 that they use,
//! look-around included, and matches by backtracking within a bound of steps.

/// The longest text that is matched: recursion goes as deep as a text is long.
const LONGEST: usize = 256;
/// The most steps of one match.
const STEPS: u32 = 50_000;
/// The deepest that groups may nest.
const NESTING: u32 = 32;
/// The most that a repetition without an upper bound is repeated beyond its lower bound.
const EXTRA: usize = 64;

/// Characters to prefer where a set has many; a password wants one of each kind.
const PREFERRED: &str = "aA1-b_2B.c3C@/: +!#%=";

/// A part of a regular expression.
enum Node {
    /// One of these characters, or any other one.
    Set(Set),
    Start,
    End,
    /// A place between a word and what is none; or any other place.
    Boundary(bool),
    Group(Box<Node>, Option<usize>),
    /// The text of a group again.
    Again(usize),
    All(Vec<Node>),
    One(Vec<Node>),
    Repeat(Box<Node>, usize, usize),
    Look {
        ahead: bool,
        wanted: bool,
        node: Box<Node>,
    },
}

/// A set of characters.
#[derive(Default)]
struct Set {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Set {
    fn has(&self, character: char) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != self.negated
    }
}

const DIGITS: &[(char, char)] = &[('0', '9')];
const WORDS: &[(char, char)] = &[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
const SPACES: &[(char, char)] =
    &[('\t', '\r'), (' ', ' '), ('\u{a0}', '\u{a0}'), ('\u{2028}', '\u{2029}'), ('\u{feff}', '\u{feff}')];
const LINE_ENDS: &[(char, char)] = &[('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')];

/// The pictures of the emoji, about.
const PICTURES: &[(char, char)] = &[('\u{1f300}', '\u{1faff}'), ('\u{2600}', '\u{27bf}')];

/// The sets of Unicode properties, as far as they are ASCII or emoji.
const PROPERTIES: &[(&str, &[(char, char)])] = &[
    ("L", &[('a', 'z'), ('A', 'Z')]),
    ("Letter", &[('a', 'z'), ('A', 'Z')]),
    ("Alphabetic", &[('a', 'z'), ('A', 'Z')]),
    ("Lu", &[('A', 'Z')]),
    ("Ll", &[('a', 'z')]),
    ("N", DIGITS),
    ("Nd", DIGITS),
    ("Emoji", PICTURES),
    ("Emoji_Presentation", PICTURES),
    ("Extended_Pictographic", PICTURES),
    ("Emoji_Component", &[('\u{1f3fb}', '\u{1f3ff}'), ('\u{200d}', '\u{200d}'), ('\u{fe0f}', '\u{fe0f}')]),
    ("Regional_Indicator", &[('\u{1f1e6}', '\u{1f1ff}')]),
];

/// A regular expression.
pub(crate) struct Pattern {
    node: Node,
    groups: usize,
}

impl Pattern {
    /// Reads a pattern; none where its syntax is not known here.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { rest: text.chars().collect(), place: 0, groups: 0, depth: 0 };
        let node = parser.choice()?;
        (parser.place == parser.rest.len()).then_some(Self { node, groups: parser.groups })
    }

    /// Whether the pattern is found in a text; none where that takes too long to tell.
    pub(crate) fn is_match(&self, text: &str) -> Option<bool> {
        let text: Vec<char> = text.chars().collect();
        if text.len() > LONGEST {
            return None;
        }
        let mut steps = STEPS;
        for start in 0..=text.len() {
            let mut run = Run { text: &text, groups: vec![None; self.groups], steps };
            let found = run.matches(&self.node, start, &mut |_, _| true);
            steps = run.steps;
            if steps == 0 {
                return None;
            }
            if found {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Texts that may match, the plainest first. Look-around is not heeded, so each must be held against the pattern.
    pub(crate) fn samples(&self) -> impl Iterator<Item = String> {
        let ways = (0..EXTRA).flat_map(|extra| [(0, extra), (1, extra), (2, extra)]);
        ways.map(move |(way, extra)| {
            let mut sample = Sample { out: String::new(), way, extra, groups: vec![String::new(); self.groups] };
            sample.write(&self.node);
            sample.out
        })
    }
}

/// Reads a pattern.
struct Parser {
    rest: Vec<char>,
    place: usize,
    groups: usize,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.place).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.place += usize::from(next.is_some());
        next
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_next = self
            .rest
            .get(self.place..)
            .is_some_and(|rest| text.chars().eq(rest.iter().copied().take(text.chars().count())));
        if is_next {
            self.place += text.chars().count();
        }
        is_next
    }

    fn choice(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > NESTING {
            return None;
        }
        let mut nodes = vec![self.sequence()?];
        while self.eat("|") {
            nodes.push(self.sequence()?);
        }
        self.depth -= 1;
        Some(Node::One(nodes))
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while self.peek().is_some_and(|next| next != '|' && next != ')') {
            let atom = self.atom()?;
            nodes.push(self.repeated(atom)?);
        }
        Some(Node::All(nodes))
    }

    fn repeated(&mut self, atom: Node) -> Option<Node> {
        let before = self.place;
        let (least, most) = match self.next() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                let least = self.number()?;
                let most = if !self.eat(",") {
                    least
                } else if self.peek() == Some('}') {
                    usize::MAX
                } else {
                    self.number()?
                };
                if !self.eat("}") {
                    return None;
                }
                (least, most)
            }
            _ => {
                self.place = before;
                return Some(atom);
            }
        };
        // A lazy repetition matches the same texts.
        self.eat("?");
        Some(Node::Repeat(Box::new(atom), least, most))
    }

    fn number(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.place += 1;
        }
        digits.parse().ok()
    }

    fn atom(&mut self) -> Option<Node> {
        Some(match self.next()? {
            '^' => Node::Start,
            '$' => Node::End,
            '.' => Node::Set(Set { ranges: LINE_ENDS.to_vec(), negated: true }),
            '[' => Node::Set(self.set()?),
            '(' => self.group()?,
            '\\' => match self.next()? {
                'b' => Node::Boundary(true),
                'B' => Node::Boundary(false),
                'A' => Node::Start,
                'z' | 'Z' => Node::End,
                digit @ '1'..='9' => Node::Again(digit.to_digit(10)? as usize - 1),
                escape => Node::Set(self.escape(escape)?),
            },
            '*' | '+' | '?' => return None,
            character => Node::Set(single(character)),
        })
    }

    fn group(&mut self) -> Option<Node> {
        let looks = [("?=", true, true), ("?!", true, false), ("?<=", false, true), ("?<!", false, false)];
        let look = looks.into_iter().find(|(mark, ..)| self.eat(mark));
        let mut group = None;
        if look.is_none() && !self.eat("?:") {
            if self.eat("?<") || self.eat("?P<") {
                while self.next()? != '>' {}
            } else if self.peek() == Some('?') {
                return None;
            }
            group = Some(self.groups);
            self.groups += 1;
        }
        let node = Box::new(self.choice()?);
        if !self.eat(")") {
            return None;
        }
        Some(match look {
            Some((_, ahead, wanted)) => Node::Look { ahead, wanted, node },
            None => Node::Group(node, group),
        })
    }

    /// The set of an escape.
    fn escape(&mut self, escape: char) -> Option<Set> {
        let named = |ranges: &[(char, char)], negated| Some(Set { ranges: ranges.to_vec(), negated });
        match escape {
            'd' => named(DIGITS, false),
            'D' => named(DIGITS, true),
            'w' => named(WORDS, false),
            'W' => named(WORDS, true),
            's' => named(SPACES, false),
            'S' => named(SPACES, true),
            'p' | 'P' => {
                let mut name = String::new();
                if !self.eat("{") {
                    return None;
                }
                loop {
                    match self.next()? {
                        '}' => break,
                        character => name.push(character),
                    }
                }
                let (_, ranges) = PROPERTIES.iter().find(|(property, _)| *property == name)?;
                named(ranges, escape == 'P')
            }
            'n' => Some(single('\n')),
            'r' => Some(single('\r')),
            't' => Some(single('\t')),
            'f' => Some(single('\u{c}')),
            'v' => Some(single('\u{b}')),
            'x' => self.code(2),
            'u' if self.eat("{") => {
                let digits = self.rest.get(self.place..)?.iter().position(|next| *next == '}')?;
                let set = self.code(digits);
                self.eat("}");
                set
            }
            'u' => self.code(4),
            character if !character.is_ascii_alphanumeric() => Some(single(character)),
            _ => None,
        }
    }

    fn code(&mut self, digits: usize) -> Option<Set> {
        let text: String = self.rest.get(self.place..self.place.checked_add(digits)?)?.iter().collect();
        self.place += digits;
        u32::from_str_radix(&text, 16).ok().and_then(char::from_u32).map(single)
    }

    fn set(&mut self) -> Option<Set> {
        let mut set = Set { ranges: Vec::new(), negated: self.eat("^") };
        while !self.eat("]") {
            let first = self.member()?;
            let is_range = self.peek() == Some('-') && self.rest.get(self.place + 1).is_some_and(|next| *next != ']');
            match first.ranges.as_slice() {
                [(first, same)] if first == same && is_range => {
                    self.eat("-");
                    match self.member()?.ranges.as_slice() {
                        [(last, same)] if last == same => set.ranges.push((*first, *last)),
                        _ => return None,
                    }
                }
                ranges if !first.negated => set.ranges.extend(ranges),
                _ => set.ranges.extend(others(&first.ranges)),
            }
        }
        Some(set)
    }

    fn member(&mut self) -> Option<Set> {
        match self.next()? {
            '\\' => match self.next()? {
                'b' => Some(single('\u{8}')),
                escape => self.escape(escape),
            },
            character => Some(single(character)),
        }
    }
}

fn single(character: char) -> Set {
    Set { ranges: vec![(character, character)], negated: false }
}

/// The ASCII characters outside of some ranges: what `[\S]` has, as far as samples need it.
fn others(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let outside = |character: &char| !ranges.iter().any(|(first, last)| (*first..=*last).contains(character));
    let ascii = ('\0'..='\u{7f}').filter(outside).map(|character| (character, character));
    ascii.chain([('\u{80}', char::MAX)]).collect()
}

/// One attempt to match.
struct Run<'a> {
    text: &'a [char],
    groups: Vec<Option<(usize, usize)>>,
    steps: u32,
}

/// What follows a node: whether the rest matches from a place on.
type Then<'a, 't> = &'a mut dyn FnMut(&mut Run<'t>, usize) -> bool;

impl<'t> Run<'t> {
    fn matches(&mut self, node: &Node, at: usize, then: Then<'_, 't>) -> bool {
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 {
            return false;
        }
        match node {
            Node::Set(set) => self.text.get(at).is_some_and(|next| set.has(*next)) && then(self, at + 1),
            Node::Start => at == 0 && then(self, at),
            Node::End => at == self.text.len() && then(self, at),
            Node::Boundary(wanted) => {
                let is_word = |place: Option<usize>| {
                    let next = place.and_then(|place| self.text.get(place));
                    next.is_some_and(|next| next.is_ascii_alphanumeric() || *next == '_')
                };
                (is_word(at.checked_sub(1)) != is_word(Some(at))) == *wanted && then(self, at)
            }
            Node::Group(node, group) => self.matches(node, at, &mut |run, end| {
                let before = group.map(|group| (group, run.groups.get(group).copied().flatten()));
                run.set_group(*group, Some((at, end)));
                let found = then(run, end);
                if let (false, Some((group, before))) = (found, before) {
                    run.set_group(Some(group), before);
                }
                found
            }),
            Node::Again(group) => {
                let again =
                    self.groups.get(*group).copied().flatten().and_then(|(start, end)| self.text.get(start..end));
                let again = again.unwrap_or_default();
                let end = at + again.len();
                self.text.get(at..end) == Some(again) && then(self, end)
            }
            Node::All(nodes) => self.all(nodes, at, then),
            Node::One(nodes) => nodes.iter().any(|node| self.matches(node, at, then)),
            Node::Repeat(node, least, most) => self.repeat((node, *least, *most), at, then),
            Node::Look { ahead: true, wanted, node } => {
                self.matches(node, at, &mut |_, _| true) == *wanted && then(self, at)
            }
            Node::Look { ahead: false, wanted, node } => {
                let found = (0..=at).any(|start| self.matches(node, start, &mut |_, end| end == at));
                found == *wanted && then(self, at)
            }
        }
    }

    fn set_group(&mut self, group: Option<usize>, text: Option<(usize, usize)>) {
        if let Some(place) = group.and_then(|group| self.groups.get_mut(group)) {
            *place = text;
        }
    }

    fn all(&mut self, nodes: &[Node], at: usize, then: Then<'_, 't>) -> bool {
        match nodes {
            [] => then(self, at),
            [first, rest @ ..] => self.matches(first, at, &mut |run, at| run.all(rest, at, then)),
        }
    }

    fn repeat(&mut self, (node, least, most): (&Node, usize, usize), at: usize, then: Then<'_, 't>) -> bool {
        let rest = (node, least.saturating_sub(1), most.saturating_sub(usize::from(most != usize::MAX)));
        let again = most > 0
            && self.matches(node, at, &mut |run, end| {
                // What matches nothing would be repeated without end.
                (end > at || least > 0) && run.repeat(rest, end, then)
            });
        again || (least == 0 && then(self, at))
    }
}

/// One text that may match.
struct Sample {
    out: String,
    /// 0 takes the first of what may stand in a place, 1 and 2 take another each time.
    way: usize,
    /// How often a repetition is repeated beyond its lower bound.
    extra: usize,
    groups: Vec<String>,
}

impl Sample {
    fn write(&mut self, node: &Node) {
        if self.out.len() > LONGEST {
            return;
        }
        match node {
            Node::Set(set) => self.out.extend(self.pick(set)),
            Node::Start | Node::End | Node::Boundary(_) | Node::Look { .. } => {}
            Node::Group(node, group) => {
                let start = self.out.len();
                self.write(node);
                let written = self.out.get(start..).unwrap_or_default().to_owned();
                if let Some(place) = group.and_then(|group| self.groups.get_mut(group)) {
                    *place = written;
                }
            }
            Node::Again(group) => {
                let again = self.groups.get(*group).cloned().unwrap_or_default();
                self.out.push_str(&again);
            }
            Node::All(nodes) => nodes.iter().for_each(|node| self.write(node)),
            Node::One(nodes) => {
                let place = if self.way == 2 { nodes.len().saturating_sub(1) } else { 0 };
                if let Some(node) = nodes.get(place) {
                    self.write(node);
                }
            }
            Node::Repeat(node, least, most) => {
                for _ in 0..least.saturating_add(self.extra).min(*most).min(LONGEST) {
                    self.write(node);
                }
            }
        }
    }

    /// A character of a set.
    fn pick(&self, set: &Set) -> Option<char> {
        let ranges = set.ranges.iter().map(|(first, _)| *first).filter(|_| !set.negated);
        let mut known = PREFERRED.chars().chain(ranges).filter(|character| set.has(*character));
        match self.way {
            0 => known.next(),
            _ => {
                let known: Vec<char> = known.collect();
                let place = self.out.chars().count().checked_rem(known.len())?;
                known.get(place).copied()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;

    #[test]
    fn texts_match_as_by_ecma() {
        let rows: [(&str, &[&str], &[&str]); 14] = [
            ("^[a-z]+$", &["a", "abc"], &["", "A", "a1"]),
            ("b", &["abc"], &["ac"]),
            (r"^\d{3}-\d{4}$", &["123-4567"], &["1234567", "123-456"]),
            ("^(a|bc)*?d?$", &["", "abcd", "bcbc"], &["b", "dd"]),
            (r"^(?!\.)(?!.*\.\.)[\w.]+$", &["a.b"], &[".a", "a..b"]),
            (r"^(?=.*[A-Z])(?=.*\d).{4,}$", &["aA1a"], &["aaaa", "A1"]),
            (r"(a)\1", &["baa"], &["aba"]),
            (r"^[^\s,]+$", &["a-b"], &["a b", "a,b"]),
            (r"\bcat\b", &["a cat."], &["cats"]),
            (r"(?<=@)x(?<!y)$", &["@x"], &["x"]),
            (r"^\u00e9\x41\/[\]\-]$", &["éA/]", "éA/-"], &["éA/["]),
            ("^(?:)*$", &[""], &["a"]),
            (r"^(?<year>\d{4})$", &["2025"], &["25"]),
            ("^.$", &["😀"], &["\n", "ab"]),
        ];
        for (pattern, good, bad) in rows {
            let parsed = Pattern::parse(pattern).unwrap();
            for text in good {
                assert_eq!(parsed.is_match(text), Some(true), "{pattern} {text}");
            }
            for text in bad {
                assert_eq!(parsed.is_match(text), Some(false), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_or_takes_too_long_is_unknown() {
        for pattern in ["(", "a)", "[a", "(?i)a", r"\p{Greek}", "a{2", "*", r"\q", &"(".repeat(40)] {
            assert!(Pattern::parse(pattern).is_none(), "{pattern}");
        }
        let slow = Pattern::parse("^(a+)+$").unwrap();
        assert_eq!(slow.is_match(&format!("{}!", "a".repeat(60))), None);
        assert_eq!(slow.is_match(&"a".repeat(300)), None);
    }

    #[test]
    fn samples_match() {
        let rows = [
            ("^[A-Z]{2}[0-9]{4}$", "AA1111"),
            (r"^\+[1-9]\d{6,14}$", "+1111111"),
            ("^(red|green)-(?:a|b)$", "red-a"),
            ("^(?=.*[A-Z])(?=.*\\d)(?=.*[!#])[A-Za-z\\d!#]{8,}$", "aA1b2Bc3C!"),
            ("x", "x"),
            (r"^(\w)\1$", "aa"),
            ("^[^a]$", "A"),
        ];
        for (pattern, expected) in rows {
            let parsed = Pattern::parse(pattern).unwrap();
            let sample = parsed.samples().find(|sample| parsed.is_match(sample) == Some(true));
            assert_eq!(sample.as_deref(), Some(expected), "{pattern}");
        }
    }
}
