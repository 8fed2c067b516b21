//! Certificates that do not count: above all those not valid by this machine's clock, since whose time it is that may be
//! wrong, a person must see.

use jiff::Timestamp;
use rustls::CertificateError::{self, ExpiredContext, NotValidYetContext};
use rustls::pki_types::UnixTime;
use std::error::Error;
use std::io;

/// What a failure of TLS says, where rustls does not say it so that a person sees what to do.
pub fn told(error: &(dyn Error + 'static)) -> Option<String> {
    match certificate(error)? {
        ExpiredContext { time, not_after } => Some(format!(
            "its certificate ended at {}, and this machine's clock says {}; let it be renewed, or set the clock",
            at(*not_after),
            at(*time)
        )),
        NotValidYetContext { time, not_before } => Some(format!(
            "its certificate begins at {}, and this machine's clock says {}; set the clock, or wait until then",
            at(*not_before),
            at(*time)
        )),
        // A verifier's own word, which rustls shows as Rust has it.
        CertificateError::Other(why) => Some(why.to_string()),
        _ => None,
    }
}

/// What is wrong with the other side's certificate, where a failure is that.
pub fn certificate<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    // The standard library hides what an error of its own was made from.
    let within = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .and_then(|within| within.downcast_ref::<rustls::Error>());
    match within.or_else(|| error.downcast_ref())? {
        rustls::Error::InvalidCertificate(why) => Some(why),
        _ => None,
    }
}

fn at(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => "the end of time".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_times_are_named() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = CertificateError::ExpiredContext {
            time: time(86_400),
            not_after: time(0),
        };
        let early = CertificateError::NotValidYetContext {
            time: time(0),
            not_before: time(86_400),
        };
        for (why, words) in [
            (
                expired,
                "ended at 1970-01-01T00:00:00Z, and this machine's clock says 1970-01-02",
            ),
            (
                early,
                "begins at 1970-01-02T00:00:00Z, and this machine's clock says 1970-01-01",
            ),
        ] {
            let error = rustls::Error::InvalidCertificate(why);
            assert!(told(&error).unwrap().contains(words));
            assert!(told(&io::Error::other(error)).unwrap().contains(words));
        }
        let other = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(told(&io::Error::other(other)), None);
        assert_eq!(told(&io::Error::other("x")), None);
    }
}
