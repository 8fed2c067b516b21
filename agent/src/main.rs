//! `cfg`: the agent and the operator's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // While the process has one thread: what cfg starts of itself wants nothing else of it.
    if let Some(code) = cfg_agent::hidden::run(std::env::args_os().skip(1)) {
        return code;
    }
    cfg_agent::command::main()
}
