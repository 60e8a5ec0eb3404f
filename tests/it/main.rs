//! What the program promises, tested from outside, one file a subject.

#[cfg(test)]
mod aws;
mod capture;
mod capture_corpus;
mod corpus;
