//! What is known of the object that is being read: how deep it is, and whether it wraps others.

/// Members whose value is an array of the objects meant: of Azure and Event Hubs, of agents and the Cloud Logging export, of
/// OCI's search, of AWS's log subscriptions, of Cloud Logging's and Pub/Sub's interfaces.
const WRAPPERS: [&[u8]; 6] = [b"records", b"events", b"results", b"logEvents", b"entries", b"receivedMessages"];

/// The one member whose value, an object, may wrap too: `{"data": {"results": [...]}}`, as OCI's command line writes it.
const OUTER_WRAPPER: &[u8] = b"data";

/// The last token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Comma,
    Colon,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Wrapper,
    OuterWrapper,
    Other,
}

impl Name {
    pub(super) fn of(text: &[u8]) -> Self {
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
pub(super) enum Text {
    /// Not in a string.
    Outside,
    /// In a string that is a value, or the name of a member too deep to matter.
    Within,
    /// In the name of a member, from here on.
    Name(usize),
}

/// Inside an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside {
    pub(super) depth: u32,
    /// A bit a depth: whether it is an object's. What is deeper than 128 is not told apart.
    objects: u128,
    pub(super) last: Token,
    pub(super) text: Text,
    pub(super) after_backslash: bool,
    /// The last name at a depth of one or two.
    pub(super) name: Name,
    pub(super) in_outer_wrapper: bool,
    /// Whether the text is kept. Not of a wrapper, and not of what is too long.
    pub(super) is_kept: bool,
}

impl Inside {
    pub(super) const OBJECT: Self = Self {
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
    pub(super) fn wrapper(depth: u32) -> Self {
        let in_outer_wrapper = depth == 2;
        Self { depth, objects: u128::MAX, last: Token::Value, in_outer_wrapper, is_kept: false, ..Self::OBJECT }
    }

    /// Whether the innermost brackets are an object's; `None` where they are too deep.
    pub(super) fn in_object(&self) -> Option<bool> {
        (1..=128).contains(&self.depth).then(|| self.objects >> (self.depth - 1) & 1 == 1)
    }

    pub(super) fn open(&mut self, is_object: u128) {
        if self.depth < 128 {
            self.objects = self.objects & !(1 << self.depth) | is_object << self.depth;
        }
        self.depth = self.depth.saturating_add(1);
        self.last = Token::Open;
    }

    /// Whether a value can begin here.
    pub(super) fn wants_value(&self) -> bool {
        match self.in_object() {
            Some(true) => self.last == Token::Colon,
            Some(false) => matches!(self.last, Token::Open | Token::Comma),
            None => true,
        }
    }
}
