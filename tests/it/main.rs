//! The integration tests, in one binary.

mod policy;
mod policy_laws;
mod policy_mistakes;
