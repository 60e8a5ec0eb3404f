//! Flow logs of cloud providers: text, JSON and Parquet.

pub mod aws;
#[cfg(feature = "parquet")]
pub mod aws_parquet;
pub mod azure;
pub mod cloudwatch;
mod fields;
pub mod gcp;
mod intake;
mod json;
mod layout;
pub mod oci;
mod twice;
