mod capture;
mod capture_corpus;
