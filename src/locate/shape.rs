//! Whether a record of a `MaxMind` DB file can be decoded on any stack.
//!
//! The `maxminddb` crate follows a record down to 512 maps, arrays and pointers within one another, by recursion: more than
//! the stack of a thread need hold. Sound records have four (the names of subdivisions), and no pointer that leads to
//! another: "it is not valid for a pointer to point to another pointer" (<https://maxmind.github.io/MaxMind-DB/>).

/// The most maps and arrays within one another.
const MAX_NESTED: u32 = 16;

/// The most values of a record, as for the crate.
const MAX_VALUES: u32 = 1 << 16;

const POINTER: u8 = 1;
const MAP: u8 = 7;
const ARRAY: u8 = 11;
const CONTAINER: u8 = 12;
const END: u8 = 13;
const FLAG: u8 = 14;

/// Looks at the record at an offset of the data section, and says what is wrong with its shape. Where it is cut, nothing
/// that follows is looked at, as nothing is decoded that follows.
pub(super) fn check(data: &[u8], offset: usize) -> Result<(), String> {
    match (Shape { data, values: MAX_VALUES }).value(offset, MAX_NESTED) {
        Ok(_) | Err(Fault::Cut) => Ok(()),
        Err(Fault::Deep) => Err(format!("a record is nested deeper than {MAX_NESTED} maps and arrays")),
        Err(Fault::Many) => Err(format!("a record holds more than {MAX_VALUES} values")),
        Err(Fault::Chain) => Err("a pointer points to a pointer".to_owned()),
    }
}

enum Fault {
    Cut,
    Deep,
    Many,
    Chain,
}

struct Shape<'a> {
    data: &'a [u8],
    /// How many values more there may be.
    values: u32,
}

/// What stands at the head of a value.
struct Head {
    kind: u8,
    /// Octets of what is a text or a number; entries; or where a pointer leads.
    size: usize,
    /// Where the head ends.
    end: usize,
}

impl Shape<'_> {
    /// Looks at a value that `more` maps and arrays may be in, and gives its end.
    fn value(&mut self, at: usize, more: u32) -> Result<usize, Fault> {
        let head = self.head(at).ok_or(Fault::Cut)?;
        if head.kind == POINTER {
            if self.head(head.size).ok_or(Fault::Cut)?.kind == POINTER {
                return Err(Fault::Chain);
            }
            self.value(head.size, more)?;
            return Ok(head.end);
        }
        self.values = self.values.checked_sub(1).ok_or(Fault::Many)?;
        let count = match head.kind {
            MAP => head.size.saturating_mul(2),
            ARRAY => head.size,
            // They hold nothing; the size of a flag is its value.
            CONTAINER | END | FLAG => return Ok(head.end),
            _ => return Ok(head.end.saturating_add(head.size)),
        };
        let more = more.checked_sub(1).ok_or(Fault::Deep)?;
        let mut at = head.end;
        for _ in 0..count {
            at = self.value(at, more)?;
        }
        Ok(at)
    }

    fn head(&self, at: usize) -> Option<Head> {
        let mut rest = self.data.get(at..)?;
        let whole = rest.len();
        let mut octet = || {
            let (first, after) = rest.split_first()?;
            rest = after;
            Some(usize::from(*first))
        };
        let control = octet()?;
        let kind = match (control >> 5) as u8 {
            0 => MAP.saturating_add(octet()? as u8),
            kind => kind,
        };
        let mut number = |octets: usize, high: usize| (0..octets).try_fold(high, |high, _| Some(high << 8 | octet()?));
        let size = match (kind, control & 0x1f) {
            (POINTER, low) => match low >> 3 {
                0 => number(1, low & 7)?,
                1 => number(2, low & 7)? + 2048,
                2 => number(3, low & 7)? + 526_336,
                _ => number(4, 0)?,
            },
            (_, 29) => number(1, 0)? + 29,
            (_, 30) => number(2, 0)? + 285,
            (_, 31) => number(3, 0)? + 65_821,
            (_, size) => size,
        };
        Some(Head { kind, size, end: at + (whole - rest.len()) })
    }
}
