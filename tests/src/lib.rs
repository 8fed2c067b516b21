//! Real Debian hosts to test on: booted by systemd-nspawn inside a [`Sandbox`] that takes everything with it when it ends.
//!
//! ```no_run
//! use cfg_tests::Sandbox;
//!
//! #[test]
//! fn a_host_answers() -> anyhow::Result<()> {
//!     Sandbox::run(|sandbox| {
//!         let host = sandbox.host("vm-1", "10.77.0.11")?;
//!         host.boot_with_user_data("#cloud-config\nruncmd:\n- [ touch, /made ]\n")?;
//!         host.run(["test", "-e", "/made"])?;
//!         Ok(())
//!     })
//! }
//! ```

mod background;
mod binaries;
mod command;
pub mod desk;
mod disk;
mod host;
mod http;
mod image;
mod installation;
mod local;
pub mod pages;
pub mod readme;
mod sandbox;
mod strace;
pub mod tar;
mod wait;

pub use background::Background;
pub use binaries::{agent_binary, copy_program, server_binary};
pub use command::{Output, output};
pub use desk::Desk;
pub use host::Host;
pub use http::FileServer;
pub use image::Image;
pub use installation::{Catalog, Installation, dry_run, status};
pub use local::{CFG, Local, Run};
pub use sandbox::Sandbox;
pub use strace::Trace;
pub use wait::{becomes, eventually};
