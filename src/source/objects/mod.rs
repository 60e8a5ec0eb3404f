//! Objects of JSON text (RFC 8259), one after another, without ever holding more than one.
//!
//! Logs come in four shapes, and in mixtures of them after a `cat`:
//!
//! - an object a line (NDJSON);
//! - objects one after another, over several lines each or many on one line;
//! - an array of objects;
//! - an object that wraps such an array in a member named in [`inside`]: `{"records": [...]}`. Its other members are
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

mod inside;
mod scanner;

use std::io::{self, Read};

use memchr::memchr;

use super::lines::More;
use scanner::Scanner;

/// How much is read at once.
const BLOCK: usize = 256 * 1024;

/// The longest object that is read, unless a format says otherwise. Longer ones are stepped over and counted.
pub(super) const MAX_OBJECT: usize = 1024 * 1024;

/// The most arrays and wrappers within one another around an object.
pub(super) const MAX_FRAMES: usize = 8;

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
    if goes_on && let Some(begin) = scanner.open() {
        look(head.get(begin..).unwrap_or_default());
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
