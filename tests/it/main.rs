//! Everything that is tested from outside, in one binary.

mod fixtures;
mod samples;
//! One test program: fast, and without network, clock or sleep.

#![cfg(test)]

mod capture;
mod capture_corpus;
mod capture_file;
mod capture_source;
mod cli;
mod corpus;
mod layers;
mod laws;
