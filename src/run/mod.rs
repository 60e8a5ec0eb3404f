//! Drivers: who reads, who folds, and where the merge is.

#[cfg(feature = "live")]
pub mod live;
#[cfg(feature = "live")]
pub mod supervise;
