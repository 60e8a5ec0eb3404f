//! One test program: fast, and without network, clock or sleep.

#![cfg(test)]

mod capture;
mod capture_corpus;
mod capture_file;
mod capture_source;
mod cli;
mod corpus;
mod fixtures;
mod layers;
mod laws;
mod samples;
