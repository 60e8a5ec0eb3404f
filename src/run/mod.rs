//! Drivers: who reads, who folds, and where the merge is.

pub mod batch;
