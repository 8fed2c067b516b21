//! `cfg-server`: see the library.

use cfg_server::command::{self, Call};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let call = match Call::try_parse() {
        Ok(call) => call,
        Err(error) => {
            let wrong = error.use_stderr();
            // Help that cannot be printed, to a closed pipe, is no failure of the call.
            drop(error.print());
            return ExitCode::from(if wrong { command::USAGE } else { 0 });
        }
    };
    command::main(call)
}
