//! How many strangers may be at the door at once. Beyond that they are turned away, never made to wait:
//! whoever waits would make others wait.

use crate::told::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// From anywhere.
const MOST: usize = 4096;
/// From one address (of IPv6: one network of 64 bits, since one machine has all of it).
const MOST_FROM_ONE: usize = 512;

/// Those at the door.
#[derive(Clone, Debug, Default)]
pub struct Guests(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One at the door, until dropped.
#[derive(Debug)]
pub struct Ticket {
    guests: Guests,
    address: IpAddr,
}

impl Guests {
    /// Lets one more come to the door; none where there are too many.
    pub fn admit(&self, address: IpAddr) -> Option<Ticket> {
        let address = network(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from_there = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.all >= MOST || from_there >= MOST_FROM_ONE {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, from_there + 1);
        Some(Ticket {
            guests: self.clone(),
            address,
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others() {
        let guests = Guests::default();
        let one = |last: u16| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]);
        let held: Vec<Ticket> = (0..MOST_FROM_ONE)
            .map(|at| guests.admit(one(u16::try_from(at).unwrap())).unwrap())
            .collect();
        assert!(guests.admit(one(9)).is_none());
        assert!(guests.admit([10, 0, 0, 1].into()).is_some());
        drop(held);
        assert!(guests.admit(one(9)).is_some());
        assert!(guests.0.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn there_is_an_end() {
        let guests = Guests::default();
        let address = |at: usize| IpAddr::from((at as u32).to_be_bytes());
        let held: Vec<Ticket> = (0..MOST)
            .filter_map(|at| guests.admit(address(at)))
            .collect();
        assert_eq!(held.len(), MOST);
        assert!(guests.admit(address(MOST)).is_none());
    }
}
