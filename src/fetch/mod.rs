//! Location data from outside: fetched, or imported from files, verified, and kept in a store.
//!
//! [`catalogue`] says what there is, under which licence; `http` (feature `fetch`) brings it, and is the only place of the
//! program that opens a connection; [`Store`] verifies what came by reading it as an audit would, and keeps it. An audit
//! reads the store and nothing else.
//!
//! Nothing half-written is ever seen: content is written beside the store's files, checked, brought to disk and renamed, and
//! counts from the moment when a new manifest that names it takes the place of the old one.

pub mod catalogue;
#[cfg(feature = "fetch")]
mod http;
mod manifest;
mod proof;
#[cfg(feature = "fetch")]
mod proxy;
mod store;
mod unpack;
#[cfg(feature = "fetch")]
mod update;

#[cfg(feature = "fetch")]
pub use http::{Client, HttpError, Limits, Secret, Validators, next_hop};
pub use manifest::{Copy, Held, Past, name_of};
pub use proof::{Proof, ProofError};
#[cfg(feature = "fetch")]
pub use proxy::{Proxies, ProxyError};
pub use store::{Checks, Incoming, Store, StoreError, Taken};
#[cfg(feature = "fetch")]
pub use update::{Renewal, UpdateError, renew};
