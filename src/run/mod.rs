//! Drivers: who reads, who folds, and where the merge is.

#[cfg(feature = "parquet")]
pub mod archive;
pub mod batch;
#[cfg(feature = "live")]
pub mod collect;
mod digest;
pub mod evidence;
pub mod folder;
pub mod follow;
#[cfg(feature = "live")]
pub mod live;
#[cfg(feature = "parquet")]
mod parts;
mod slice;
#[cfg(feature = "live")]
pub mod supervise;
#[cfg(feature = "live")]
pub mod watch;
