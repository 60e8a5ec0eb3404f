//! One test program: fast, and without network, clock or sleep.

mod capture;
mod capture_corpus;
mod cli;
mod layers;
mod laws;
