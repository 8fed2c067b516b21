//! What the agent says to the server, and what it keeps of the answers.

pub mod assignment;
pub mod backoff;
pub mod channel;
pub mod enrol;
pub mod identity;
pub mod kept;
pub mod original;
pub mod probe;
pub mod record;
pub mod renew;
pub mod report;
pub mod server;
pub mod session;
pub mod slot;
pub mod spool;
pub mod sync;
pub mod tls;
pub mod unary;
pub mod watch;
