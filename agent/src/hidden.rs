//! Commands that cfg gives itself: `cfg effect FOLDER` and `cfg guard …`. They are not in its help.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Runs a hidden command where these arguments, without the program's name, are one. To be called first in `main`,
/// while the process has one thread.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let word = arguments.next()?;
    match word.to_str()? {
        "effect" => {
            let folder = arguments.next()?;
            // Who kills every `cfg` by its name means the agent, not what must outlive it.
            rustix::thread::set_name(c"cfg-effect").ok();
            Some(match crate::effect::run_inside(Path::new(&folder)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("cfg effect: {error:#}");
                    ExitCode::FAILURE
                }
            })
        }
        "guard" => {
            let arguments: Result<Vec<String>, _> = arguments.map(OsString::into_string).collect();
            let code = match arguments {
                Ok(arguments) => crate::guard::run_inside(&arguments),
                Err(_) => 64,
            };
            Some(ExitCode::from(code))
        }
        _ => None,
    }
}
