//! One test program: fast, and without network, clock or sleep.

mod cli;
mod layers;
mod laws;
