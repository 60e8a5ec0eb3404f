//! What is said of a text that a user wrote.

/// What is to be said of a place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {}
