//! Whole servers, on real sockets, on a real directory and a real Azurite.

mod attacks;
mod authority;
mod azurite;
mod certificates;
mod channel;
mod cohorts;
mod credentials;
mod durable;
mod home;
mod intruders;
mod logged;
mod papers;
mod place;
mod program;
mod release;
mod sieges;
mod slots;
mod stores;
mod streams;
mod world;
