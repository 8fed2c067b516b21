//! The cluster that the shipped roles make: three masters and three agents, on addresses that nobody knows before they boot.

mod early;
mod faults;
mod machines;
mod one_pass;
