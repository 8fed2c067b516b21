//! What time it is, as cfg tells it: in whole seconds.

use jiff::Timestamp;
use std::time::SystemTime;

/// Now.
pub fn now() -> Timestamp {
    whole(Timestamp::now())
}

/// That time; none where it is beyond what can be written.
pub fn of(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok().map(whole)
}

/// The second that it lies in.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn seconds_are_whole() {
        assert_eq!(now().subsec_nanosecond(), 0);
        let time = of(UNIX_EPOCH + Duration::from_millis(1_999)).unwrap();
        assert_eq!(time.to_string(), "1970-01-01T00:00:01Z");
    }
}
