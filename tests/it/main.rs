mod capture;
mod capture_corpus;
mod corpus;
mod wire;
