//! Where objects begin and end.

use memchr::{memchr, memchr3};

use super::inside::{Inside, Name, Text, Token};
use super::{BYTE_ORDER_MARK, Input, MAX_FRAMES, Object, Taken};

/// The longest name of a member that can be a wrapper's.
const MAX_WRAPPER: usize = 32;

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

/// What a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Begun,
    /// One object, and nothing else.
    Object,
    Several,
}

/// Tells objects apart. All places are in what is held of the input.
pub(super) struct Scanner {
    state: State,
    inside: Inside,
    frames: Vec<Frame>,
    /// From here on the input is needed.
    pub(super) begin: usize,
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
    pub(super) fn new() -> Self {
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

    pub(super) fn shift(&mut self, by: usize) {
        self.begin = self.begin.saturating_sub(by);
        self.at = self.at.saturating_sub(by);
        self.line_begin = self.line_begin.saturating_sub(by);
        if let Text::Name(begin) = &mut self.inside.text {
            *begin = begin.saturating_sub(by);
        }
        self.refused = None;
    }

    pub(super) fn pending(&self, filled: usize) -> Option<usize> {
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

    pub(super) fn run(&mut self, input: &Input<'_>, give: &mut impl FnMut(u64, Object<'_>) -> Taken) {
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

impl Scanner {
    /// Where the object begins of which the end was not read and the text is kept.
    pub(super) fn open(&self) -> Option<usize> {
        (self.state == State::Inside && self.inside.is_kept).then_some(self.begin)
    }
}
