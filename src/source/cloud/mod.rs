//! Flow logs of cloud providers: text, a line a record.

pub mod aws;
mod fields;
mod layout;
