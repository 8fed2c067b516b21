//! The agent of cfg: how a machine is observed and brought to its role.

pub mod machine;
