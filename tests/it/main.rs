//! What the program promises, tested from outside, one file a subject.

#[cfg(test)]
mod capture;
#[cfg(test)]
mod capture_corpus;
#[cfg(test)]
mod capture_file;
#[cfg(test)]
mod capture_source;
