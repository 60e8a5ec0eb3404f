//! Objects of JSON text (RFC 8259), one after another, without ever holding more than one.
//!
//! Logs come in four shapes, and in mixtures of them after a `cat`:
//!
//! - an object a line (NDJSON);
//! - objects one after another, over several lines each or many on one line;
//! - an array of objects;
//! - an object that wraps such an array in a member named in [`WRAPPERS`]: `{"records": [...]}`. Its other members are
//!   stepped over. Wrappers and arrays may lie in one another, [`MAX_FRAMES`] deep.
//!
//! **Positions.** An object that stands for itself has the number of the line on which it begins. An object in an array has
//! its number among all objects in arrays of the input, malformed ones included, since such an array is often one line:
//! `jq -c '.records[]' PT1H.json | sed -n 41p` shows number 41. Both count from one.
//!
//! **What is not an object** is malformed, and counted once a line, or once an element of an array. After it reading goes on
//! at the next line, or at the next brace that can begin an object: strings hold no line ends, and no object begins where a
//! comma or the name of a member is due. Where lines were objects before, every line that begins with a brace is one again.
//!
//! **Speed.** Once a whole line was an object, lines are given as they are, without a look inside, as long as the taker takes
//! them; what it refuses is looked at again, brace by brace. This does not stand on [`lines`](super::lines), because an array
//! of any length can be one line.

use std::io::{self, Read};

use memchr::{memchr, memchr3};

use super::lines::More;

/// How much is read at once.
const BLOCK: usize = 256 * 1024;

/// The longest object that is read, unless a format says otherwise. Longer ones are stepped over and counted.
pub(super) const MAX_OBJECT: usize = 1024 * 1024;

/// The most arrays and wrappers within one another around an object.
pub(super) const MAX_FRAMES: usize = 8;

/// Members whose value is an array of the objects meant: of Azure and Event Hubs, of agents and the Cloud Logging export, of
/// OCI's search, of AWS's log subscriptions, of Cloud Logging's and Pub/Sub's interfaces.
const WRAPPERS: [&[u8]; 6] = [b"records", b"events", b"results", b"logEvents", b"entries", b"receivedMessages"];

/// The one member whose value, an object, may wrap too: `{"data": {"results": [...]}}`, as OCI's command line writes it.
const OUTER_WRAPPER: &[u8] = b"data";

/// The longest name of a member that can be a wrapper's.
const MAX_WRAPPER: usize = 32;

/// UTF-8's.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What stands at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object<'a> {
    /// From brace to brace: UTF-8 without NUL. Nothing else is promised of what is between.
    Text(&'a [u8]),
    /// No object, or one that was given and refused.
    Malformed,
    /// An object longer than the limit.
    TooLong,
}

/// Whether an object was taken. Of [`Object::Malformed`] and [`Object::TooLong`] the answer is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// It is not of the format: it is given again as malformed, unless it turns out to wrap others.
    No,
}

/// Reads objects.
pub(super) struct Objects {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    filled: usize,
    /// Whether all that is held is ASCII without NUL.
    plain: bool,
    /// How many octets were read.
    offset: u64,
    ended: bool,
    /// The longest object that is read.
    limit: usize,
    scanner: Scanner,
}

impl Objects {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self::with_limit(reader, MAX_OBJECT)
    }

    /// Reads objects of up to `limit` octets. Memory grows to as much where there are such, and not before.
    pub(super) fn with_limit(reader: Box<dyn Read + Send>, limit: usize) -> Self {
        let scanner = Scanner::new();
        Self { reader, buffer: vec![0; 2 * BLOCK], filled: 0, plain: true, offset: 0, ended: false, limit, scanner }
    }

    /// How many octets were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the object begins of which the end was not read, or how far was read where an array has not ended. After the
    /// end of the input: where it breaks off.
    pub(super) fn pending(&self) -> Option<u64> {
        self.scanner.pending(self.filled).map(|begin| self.offset - (self.filled - begin) as u64)
    }

    /// Reads a block and gives every object that ends in it, and all that is none, with its position.
    pub(super) fn read(&mut self, mut give: impl FnMut(u64, Object<'_>) -> Taken) -> io::Result<More> {
        if self.ended {
            return Ok(More::No);
        }
        self.make_room();
        let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let count = loop {
            match self.reader.read(space) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(More::Later),
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        };
        let block = space.get(..count).unwrap_or_default();
        let is_plain = block.is_ascii() && memchr(0, block).is_none();
        self.plain = is_plain && (self.plain || self.filled == 0);
        self.offset += count as u64;
        self.filled += count;
        self.ended = count == 0;
        let input = Input {
            text: self.buffer.get(..self.filled).unwrap_or_default(),
            plain: self.plain,
            is_last: self.ended,
            limit: self.limit,
        };
        self.scanner.run(&input, &mut give);
        Ok(if self.ended { More::No } else { More::Perhaps })
    }

    /// Drops what was given, and grows for an object that does not end.
    fn make_room(&mut self) {
        if self.buffer.len() - self.filled >= BLOCK {
            return;
        }
        let done = self.scanner.begin.min(self.filled);
        self.buffer.copy_within(done..self.filled, 0);
        self.scanner.shift(done);
        self.filled -= done;
        if self.buffer.len() - self.filled < BLOCK {
            self.buffer.resize(self.filled + 2 * BLOCK, 0);
        }
    }
}

/// What is held of the input.
struct Input<'a> {
    text: &'a [u8],
    plain: bool,
    is_last: bool,
    limit: usize,
}

impl<'a> Input<'a> {
    /// From brace to brace, where it can be read as text.
    fn object(&self, begin: usize, end: usize) -> Object<'a> {
        let text = self.text.get(begin..end).unwrap_or_default();
        if text.len() > self.limit {
            Object::TooLong
        } else if self.plain || (memchr(0, text).is_none() && std::str::from_utf8(text).is_ok()) {
            Object::Text(text)
        } else {
            Object::Malformed
        }
    }
}

/// What is around an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Array,
    /// An array that is the value of a member; how deep in the wrapper, one or two.
    Wrapper(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    /// Looking for the end of a line that may be an object.
    Line,
    /// In what is no object: up to the end of the line, or of the array's element.
    Strange,
    Inside,
}

/// The last token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Comma,
    Colon,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Wrapper,
    OuterWrapper,
    Other,
}

impl Name {
    fn of(text: &[u8]) -> Self {
        if WRAPPERS.contains(&text) {
            Self::Wrapper
        } else if text == OUTER_WRAPPER {
            Self::OuterWrapper
        } else {
            Self::Other
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// Not in a string.
    Outside,
    /// In a string that is a value, or the name of a member too deep to matter.
    Within,
    /// In the name of a member, from here on.
    Name(usize),
}

/// What a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Begun,
    /// One object, and nothing else.
    Object,
    Several,
}

/// Inside an object.
#[derive(Clone, Copy, Debug)]
struct Inside {
    depth: u32,
    /// A bit a depth: whether it is an object's. What is deeper than 128 is not told apart.
    objects: u128,
    last: Token,
    text: Text,
    after_backslash: bool,
    /// The last name at a depth of one or two.
    name: Name,
    in_outer_wrapper: bool,
    /// Whether the text is kept. Not of a wrapper, and not of what is too long.
    is_kept: bool,
}

impl Inside {
    const OBJECT: Self = Self {
        depth: 1,
        objects: 1,
        last: Token::Open,
        text: Text::Outside,
        after_backslash: false,
        name: Name::Other,
        in_outer_wrapper: false,
        is_kept: true,
    };

    /// A wrapper, after its array.
    fn wrapper(depth: u32) -> Self {
        let in_outer_wrapper = depth == 2;
        Self { depth, objects: u128::MAX, last: Token::Value, in_outer_wrapper, is_kept: false, ..Self::OBJECT }
    }

    /// Whether the innermost brackets are an object's; `None` where they are too deep.
    fn in_object(&self) -> Option<bool> {
        (1..=128).contains(&self.depth).then(|| self.objects >> (self.depth - 1) & 1 == 1)
    }

    fn open(&mut self, is_object: u128) {
        if self.depth < 128 {
            self.objects = self.objects & !(1 << self.depth) | is_object << self.depth;
        }
        self.depth = self.depth.saturating_add(1);
        self.last = Token::Open;
    }

    /// Whether a value can begin here.
    fn wants_value(&self) -> bool {
        match self.in_object() {
            Some(true) => self.last == Token::Colon,
            Some(false) => matches!(self.last, Token::Open | Token::Comma),
            None => true,
        }
    }
}

/// Tells objects apart. All places are in what is held of the input.
struct Scanner {
    state: State,
    inside: Inside,
    frames: Vec<Frame>,
    /// From here on the input is needed.
    begin: usize,
    at: usize,
    /// The line at `at`, and how many elements of arrays were begun.
    line: u64,
    elements: u64,
    /// The line on which the object begins, and where that line is in the input.
    first_line: u64,
    line_begin: usize,
    /// What this line was so far.
    content: Content,
    /// Whether lines are given unseen.
    by_line: bool,
    /// Whether they ever were.
    has_lines: bool,
    /// The line that was refused.
    refused: Option<(usize, usize)>,
}

impl Scanner {
    fn new() -> Self {
        Self {
            state: State::Between,
            inside: Inside::OBJECT,
            frames: Vec::new(),
            begin: 0,
            at: 0,
            line: 1,
            elements: 0,
            first_line: 1,
            line_begin: 0,
            content: Content::Nothing,
            by_line: false,
            has_lines: false,
            refused: None,
        }
    }

    fn shift(&mut self, by: usize) {
        self.begin = self.begin.saturating_sub(by);
        self.at = self.at.saturating_sub(by);
        self.line_begin = self.line_begin.saturating_sub(by);
        if let Text::Name(begin) = &mut self.inside.text {
            *begin = begin.saturating_sub(by);
        }
        self.refused = None;
    }

    fn pending(&self, filled: usize) -> Option<usize> {
        match self.state {
            State::Inside if self.inside.is_kept => Some(self.begin),
            State::Inside => Some(filled),
            State::Line if self.begin < filled => Some(self.begin),
            _ if !self.frames.is_empty() => Some(filled),
            _ => None,
        }
    }

    fn position(&self) -> u64 {
        if self.frames.is_empty() { self.first_line } else { self.elements }
    }

    /// Takes note that something begins here, an object or not.
    fn start(&mut self) {
        self.begin = self.at;
        self.content = if self.content == Content::Nothing { Content::Begun } else { Content::Several };
        self.first_line = self.line;
        if !self.frames.is_empty() {
            self.elements += 1;
        }
    }

    fn newline(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_begin = self.at;
        if self.content == Content::Object {
            (self.by_line, self.has_lines) = (true, true);
        }
        self.content = Content::Nothing;
    }

    fn run(&mut self, input: &Input<'_>, give: &mut impl FnMut(u64, Object<'_>) -> Taken) {
        loop {
            let goes_on = match self.state {
                State::Between => self.between(input, give),
                State::Line => self.whole_line(input, give),
                State::Strange => self.strange(input),
                State::Inside => self.inside(input, give),
            };
            if !goes_on {
                break;
            }
        }
        match self.state {
            State::Inside if self.inside.is_kept => {
                if self.at - self.begin > input.limit {
                    give(self.position(), Object::TooLong);
                    self.inside.is_kept = false;
                } else if input.is_last && self.has_lines && self.frames.is_empty() && self.first_line < self.line {
                    // The line has ended, the object has not.
                    give(self.position(), Object::Malformed);
                    (self.state, self.begin) = (State::Between, self.at);
                }
            }
            State::Line if self.at - self.begin > input.limit => {
                give(self.line, Object::TooLong);
                self.state = State::Strange;
            }
            _ => {}
        }
        let is_needed = match self.state {
            State::Inside => self.inside.is_kept,
            State::Line => true,
            State::Between | State::Strange => false,
        };
        if !is_needed {
            self.begin = match self.inside.text {
                Text::Name(begin) if self.state == State::Inside && self.at - begin <= MAX_WRAPPER => begin,
                _ => self.at,
            };
        }
    }

    /// Whether there was something to do.
    fn between(&mut self, input: &Input<'_>, give: &mut impl FnMut(u64, Object<'_>) -> Taken) -> bool {
        let Some(octet) = input.text.get(self.at) else { return false };
        if self.by_line && self.frames.is_empty() {
            self.begin = self.at;
            self.state = State::Line;
            return true;
        }
        match (octet, self.frames.last()) {
            (b'\n', _) => self.newline(),
            // The record separator is that of JSON text sequences (RFC 7464).
            (b' ' | b'\t' | b'\r' | b',' | 0x1e, _) => self.at += 1,
            (b'{', _) => {
                self.start();
                self.at += 1;
                (self.state, self.inside) = (State::Inside, Inside::OBJECT);
            }
            (b'[', _) if self.frames.len() < MAX_FRAMES => {
                self.at += 1;
                self.content = Content::Several;
                self.frames.push(Frame::Array);
            }
            (b']', Some(frame)) => {
                if let Frame::Wrapper(depth) = *frame {
                    (self.state, self.inside) = (State::Inside, Inside::wrapper(depth));
                }
                self.frames.pop();
                self.at += 1;
            }
            _ => {
                let rest = input.text.get(self.at..).unwrap_or_default();
                if rest.starts_with(BYTE_ORDER_MARK) {
                    self.at += BYTE_ORDER_MARK.len();
                } else if BYTE_ORDER_MARK.starts_with(rest) && !input.is_last {
                    return false;
                } else {
                    self.start();
                    give(self.position(), Object::Malformed);
                    self.state = State::Strange;
                }
            }
        }
        true
    }

    fn whole_line(&mut self, input: &Input<'_>, give: &mut impl FnMut(u64, Object<'_>) -> Taken) -> bool {
        let rest = input.text.get(self.at..).unwrap_or_default();
        let end = match memchr(b'\n', rest) {
            Some(length) => self.at + length,
            None if input.is_last => input.text.len(),
            None => {
                self.at = input.text.len();
                return false;
            }
        };
        let line = input.text.get(self.begin..end).unwrap_or_default().trim_ascii_end();
        if line.starts_with(b"{") && line.ends_with(b"}") {
            let last = self.begin + line.len();
            let taken = match input.object(self.begin, last) {
                Object::Text(text) => give(self.line, Object::Text(text)),
                other => {
                    give(self.line, other);
                    Taken::Yes
                }
            };
            if taken == Taken::No {
                self.refused = Some((self.begin, last));
                return self.look_closer();
            }
        } else if !line.is_empty() {
            return self.look_closer();
        }
        self.state = State::Between;
        self.at = end;
        if end < input.text.len() {
            self.newline();
        }
        true
    }

    fn look_closer(&mut self) -> bool {
        self.by_line = false;
        self.at = self.begin;
        self.line_begin = self.begin;
        self.state = State::Between;
        true
    }

    fn strange(&mut self, input: &Input<'_>) -> bool {
        let rest = input.text.get(self.at..).unwrap_or_default();
        let end = if self.frames.is_empty() {
            memchr(b'\n', rest)
        } else {
            rest.iter().position(|octet| matches!(octet, b'\n' | b',' | b']' | b'{'))
        };
        self.at += end.unwrap_or(rest.len());
        if end.is_some() {
            self.state = State::Between;
        }
        end.is_some()
    }

    fn inside(&mut self, input: &Input<'_>, give: &mut impl FnMut(u64, Object<'_>) -> Taken) -> bool {
        while let Some(octet) = input.text.get(self.at) {
            if self.inside.text != Text::Outside {
                if !self.string(input) {
                    if self.at < input.text.len() {
                        self.broken(give);
                        return true;
                    }
                    return false;
                }
                continue;
            }
            match octet {
                b'"' => {
                    let is_name = self.inside.depth <= 2
                        && self.inside.in_object() == Some(true)
                        && self.inside.last != Token::Colon;
                    self.at += 1;
                    self.inside.text = if is_name { Text::Name(self.at) } else { Text::Within };
                    continue;
                }
                b'{' => {
                    let begins_line = self.has_lines && self.frames.is_empty() && self.at == self.line_begin;
                    if begins_line || !self.inside.wants_value() {
                        self.broken(give);
                        return true;
                    }
                    if self.inside.depth == 1 {
                        self.inside.in_outer_wrapper = self.inside.name == Name::OuterWrapper;
                    }
                    self.inside.open(1);
                }
                b'[' => {
                    if self.is_wrapper() {
                        self.frames.push(Frame::Wrapper(self.inside.depth));
                        self.at += 1;
                        self.state = State::Between;
                        return true;
                    }
                    self.inside.open(0);
                }
                b'}' | b']' => {
                    if self.inside.in_object().is_some_and(|is_object| is_object != (*octet == b'}')) {
                        self.broken(give);
                        return true;
                    }
                    self.inside.depth -= 1;
                    self.inside.last = Token::Value;
                    if self.inside.depth == 0 {
                        self.at += 1;
                        self.finish(input, give);
                        return true;
                    }
                }
                b':' => self.inside.last = Token::Colon,
                b',' => self.inside.last = Token::Comma,
                b'\n' => {
                    self.newline();
                    continue;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => self.inside.last = Token::Value,
            }
            self.at += 1;
        }
        false
    }

    /// Goes to the end of a string. Not so far where the input ends before, or the line does.
    fn string(&mut self, input: &Input<'_>) -> bool {
        loop {
            let rest = input.text.get(self.at..).unwrap_or_default();
            if self.inside.after_backslash {
                match rest.first() {
                    None | Some(b'\n') => return false,
                    Some(_) => self.at += 1,
                }
                self.inside.after_backslash = false;
                continue;
            }
            let Some(length) = memchr3(b'"', b'\\', b'\n', rest) else {
                self.at = input.text.len();
                return false;
            };
            self.at += length;
            match rest.get(length) {
                Some(b'"') => {
                    if let Text::Name(begin) = self.inside.text {
                        self.inside.name = Name::of(input.text.get(begin..self.at).unwrap_or_default());
                    }
                    self.inside.text = Text::Outside;
                    self.inside.last = Token::Value;
                    self.at += 1;
                    return true;
                }
                Some(b'\\') => {
                    self.inside.after_backslash = true;
                    self.at += 1;
                }
                _ => return false,
            }
        }
    }

    fn is_wrapper(&mut self) -> bool {
        let is_named = self.inside.last == Token::Colon && self.inside.name == Name::Wrapper;
        let is_there = self.inside.depth == 1 || (self.inside.depth == 2 && self.inside.in_outer_wrapper);
        if !is_named || !is_there || self.frames.len() >= MAX_FRAMES {
            return false;
        }
        if self.inside.is_kept && !self.frames.is_empty() {
            // It was counted as an element, and is none.
            self.elements -= 1;
        }
        true
    }

    /// The object cannot go on like this: what comes is looked at as if it stood between objects.
    fn broken(&mut self, give: &mut impl FnMut(u64, Object<'_>) -> Taken) {
        if self.inside.is_kept {
            give(self.position(), Object::Malformed);
        }
        self.state = State::Between;
    }

    fn finish(&mut self, input: &Input<'_>, give: &mut impl FnMut(u64, Object<'_>) -> Taken) {
        self.state = State::Between;
        if !self.inside.is_kept {
            return;
        }
        let position = self.position();
        let is_refused = self.refused.take() == Some((self.begin, self.at));
        match input.object(self.begin, self.at) {
            Object::Text(text) if !is_refused && give(position, Object::Text(text)) == Taken::Yes => {}
            Object::Text(_) => {
                give(position, Object::Malformed);
            }
            other => {
                give(position, other);
            }
        }
        if self.frames.is_empty() && self.first_line == self.line && self.content == Content::Begun {
            self.content = Content::Object;
        }
    }
}

/// Gives the text of the objects in the head of an input, from brace to brace, as long as the taker wants another; the last
/// can be cut off.
pub(super) fn first(head: &[u8], mut look: impl FnMut(&[u8]) -> bool) {
    let begin = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    if !matches!(begin.first(), Some(b'{' | b'[')) && !head.contains(&b'{') {
        return;
    }
    let mut scanner = Scanner::new();
    let input = Input { text: head, plain: false, is_last: false, limit: MAX_OBJECT };
    let mut goes_on = true;
    scanner.run(&input, &mut |_, object| {
        if let Object::Text(text) = object
            && goes_on
        {
            goes_on = look(text);
        }
        Taken::Yes
    });
    if goes_on && scanner.state == State::Inside && scanner.inside.is_kept {
        look(head.get(scanner.begin..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives as many octets at a time as it is told to.
    struct Chunked(Vec<u8>, usize, usize);

    impl Read for Chunked {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.2.min(into.len()).min(self.0.len() - self.1);
            into[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 += count;
            Ok(count)
        }
    }

    /// What is given: texts as they are, `!` for malformed, `#` for too long. Takes what serde takes and has no `refuse`.
    fn read(text: &[u8], chunk: usize) -> (Vec<(u64, String)>, Option<u64>) {
        let mut objects = Objects::new(Box::new(Chunked(text.to_vec(), 0, chunk)));
        let mut all = Vec::new();
        let mut give = |position, object: Object<'_>| {
            let said = match object {
                Object::Text(text) => {
                    let value: Result<serde_json::Value, _> = serde_json::from_slice(text);
                    if value.is_err() || text.windows(6).any(|part| part == b"refuse") {
                        return Taken::No;
                    }
                    String::from_utf8(text.to_vec()).unwrap()
                }
                Object::Malformed => "!".to_owned(),
                Object::TooLong => "#".to_owned(),
            };
            all.push((position, said));
            Taken::Yes
        };
        while objects.read(&mut give).unwrap() == More::Perhaps {}
        assert_eq!(objects.read(&mut give).unwrap(), More::No);
        (all, objects.pending())
    }

    #[track_caller]
    fn check(text: &str, expected: &[(u64, &str)], cut: Option<u64>) {
        for chunk in [1, 2, 3, 7, 1 << 20] {
            let (read, pending) = read(text.as_bytes(), chunk);
            let read: Vec<_> = read.iter().map(|(position, said)| (*position, said.as_str())).collect();
            assert_eq!((read.as_slice(), pending), (expected, cut), "{text} by {chunk}");
        }
    }

    #[test]
    fn shapes() {
        check("", &[], None);
        check("{\"a\":1}\n\n  {\"b\":\"}{\"}\r\n{}", &[(1, "{\"a\":1}"), (3, "{\"b\":\"}{\"}"), (4, "{}")], None);
        check("\u{feff}{\"a\":1}{\"b\":2} {\"c\":3}\n", &[(1, "{\"a\":1}"), (1, "{\"b\":2}"), (1, "{\"c\":3}")], None);
        check("{\n\"a\":\n[1,{}]}\n{\"b\":2}\n", &[(1, "{\n\"a\":\n[1,{}]}"), (4, "{\"b\":2}")], None);
        check("[{\"a\":1},\n{\"b\":{}}]\n", &[(1, "{\"a\":1}"), (2, "{\"b\":{}}")], None);
        let records = r#"{"x":{"records":[0]},"records":[{"records":2},{"b":[{}]}],"y":"\"]"} {"events":[]} {"c":3}"#;
        check(records, &[(1, "{\"records\":2}"), (2, "{\"b\":[{}]}"), (1, "{\"c\":3}")], None);
        check(
            r#"[{"records":[{"a":1}],"t":[{}]},{"b":2}] {"data":{"results":[{"c":3}],"s":{"events":[]}}}"#,
            &[(1, "{\"a\":1}"), (2, "{\"b\":2}"), (3, "{\"c\":3}")],
            None,
        );
        // Wrappers a line.
        check(
            "{\"logEvents\":[{\"a\":1}]}\n{\"logEvents\":[{\"b\":2}]}\n",
            &[(1, "{\"a\":1}"), (2, "{\"b\":2}")],
            None,
        );
        // Lines were objects before: wrappers and several on a line are found where the taker refuses them.
        check(
            "{\"a\":1}\n{\"refuse\":0,\"records\":[{\"b\":2}]}\n{\"c\":3}{\"d\":4}\n{\"e\":5}\n",
            &[(1, "{\"a\":1}"), (1, "{\"b\":2}"), (3, "{\"c\":3}"), (3, "{\"d\":4}"), (4, "{\"e\":5}")],
            None,
        );
    }

    #[test]
    fn what_is_no_object() {
        check("junk\n{\"a\":1}\n\0\n{\"b\":2}", &[(1, "!"), (2, "{\"a\":1}"), (3, "!"), (4, "{\"b\":2}")], None);
        check("{\"a\":1}\n{\"b\":\n{\"c\":3}\n", &[(1, "{\"a\":1}"), (2, "!"), (3, "{\"c\":3}")], None);
        check("{\"a\":1}\n{\"b\":\"x\n{\"c\":3}\n{\"d\":\"", &[(1, "{\"a\":1}"), (2, "!"), (3, "{\"c\":3}")], Some(24));
        check("{\"a\":1}\n{\"b\":2\n", &[(1, "{\"a\":1}"), (2, "!")], None);
        check("{\"a\":1}\n{\"refuse\":2}\n{nonsense}\n{}", &[(1, "{\"a\":1}"), (2, "!"), (3, "!"), (4, "{}")], None);
        check("[1,{\"a\":1},\"x\",{\"b\":},{}]", &[(1, "!"), (2, "{\"a\":1}"), (3, "!"), (4, "!"), (5, "{}")], None);
    }

    #[test]
    fn what_is_cut_off() {
        check("{\"records\":[{\"a\":1},{\"b\":", &[(1, "{\"a\":1}")], Some(20));
        check("{\"records\":[{\"a\":1}", &[(1, "{\"a\":1}")], Some(19));
        check("{\"records\":[{\"a\":1}]", &[(1, "{\"a\":1}")], Some(20));
        check("[{\"a\":1},", &[(1, "{\"a\":1}")], Some(9));
        check("{\"rec", &[], Some(0));
        // A blob that was cut off and another after it.
        check("{\"records\":[{\"a\":1},{\"b\":{\"records\":[{\"c\":3}]}", &[(1, "{\"a\":1}")], Some(20));
    }

    #[test]
    fn long_and_deep_objects_are_stepped_over() {
        let long = format!("{{\"x\":\"{}\"}}", "x".repeat(3 * MAX_OBJECT));
        let most = format!("{{\"x\":\"{}\"}}", "x".repeat(MAX_OBJECT - 8));
        for (before, between, after, numbers) in
            [("", "\n", "", [1, 2, 3, 4]), ("[", ",", "]", [1, 2, 3, 4]), ("", " ", "", [1, 1, 1, 1])]
        {
            let text = format!("{before}{{}}{between}{long}{between}{most}{between}{{\"a\":1}}{after}");
            for chunk in [10_007, 1 << 30] {
                let (read, pending) = read(text.as_bytes(), chunk);
                let read: Vec<_> = read.iter().map(|(position, said)| (*position, said.len())).collect();
                let expected: Vec<_> = numbers.into_iter().zip([2, 1, MAX_OBJECT, 7]).collect();
                assert_eq!((read, pending), (expected, None), "{between:?} by {chunk}");
            }
        }
        let deep = format!("{}{}", "{\"a\":[".repeat(5_000), "]}".repeat(5_000));
        let text = format!("{deep}\n{{}}\n{deep}\n{}\n{{}}", "[".repeat(100_000));
        check(&text, &[(1, "!"), (2, "{}"), (3, "!"), (1, "!"), (2, "{}")], Some(text.len() as u64));
    }

    #[test]
    fn only_text_is_given() {
        let (given, _) =
            read(b"{\"a\":1}\n{\"b\":\"\xff\"}\n{\"b\":\"\0\"}\n{\"b\":\"\xc3\xa9\"}\n[\"\xff\"]", 1 << 20);
        let given: Vec<_> = given.iter().map(|(position, said)| (*position, said.as_str())).collect();
        assert_eq!(given, [(1, "{\"a\":1}"), (2, "!"), (3, "!"), (4, "{\"b\":\"é\"}"), (1, "!")]);
    }
}
