//! Drivers: who reads, who folds, and where the merge is.

pub mod batch;
#[cfg(feature = "live")]
pub mod collect;
pub mod evidence;
pub mod follow;
#[cfg(feature = "live")]
pub mod live;
mod slice;
#[cfg(feature = "live")]
pub mod supervise;
#[cfg(feature = "live")]
pub mod watch;
