//! One test program: fast, and without network, clock or sleep.

#![cfg(test)]

mod aws;
mod capture;
mod capture_corpus;
mod corpus;
#[cfg(all(feature = "live", target_os = "linux"))]
mod watch;
