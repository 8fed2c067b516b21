//! What a dry run says the run does, a second run does nothing, and what leaves its role is as it was: kinds that are more than a
//! path.

mod accounts;
mod case;
mod passing;
mod system;
mod units;
