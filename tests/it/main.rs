mod capture;
mod capture_corpus;
mod corpus;
mod meter;
mod meter_twin;
mod wire;
