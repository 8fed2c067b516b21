//! The cluster that the shipped roles make: three masters and three agents, on addresses that nobody knows before they boot.

mod client;
mod clock;
mod copies;
mod cuts;
mod early;
mod faults;
mod holders;
mod hostile;
mod machines;
mod masters;
mod membership;
mod one_pass;
mod rolling;
mod rolls;
mod samples;
