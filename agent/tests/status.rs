//! `cfg status` of runs that the daemon did not make.

use cfg_tests::Desk;
use serde_json::{Value, json};

fn desk() -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role("web", "[file.\"/etc/motd\"]\ncontent = \"hi\\n\"\n");
    desk
}

const APPLY: &str = "apply --catalog roles --role web --root root --json";

fn last(desk: &Desk) -> Value {
    let (code, status) = desk.json("status --root root --json");
    assert_eq!(code, 0, "{status}");
    status["last_run"].clone()
}

#[test]
fn a_run_from_a_folder_is_the_last_run() {
    let desk = desk();
    assert_eq!(last(&desk), Value::Null);
    for result in ["applied", "converged"] {
        let (code, run) = desk.json(APPLY);
        assert_eq!((code, &run["result"]), (0, &json!(result)));
        let last = last(&desk);
        assert_eq!(last["run"], run["run"]);
        assert_eq!(last["changes"], Value::Null, "{last}");
    }
}

#[test]
fn of_two_the_later_is_the_last() {
    let desk = desk();
    let (_, run) = desk.json(APPLY);
    for (started, newest) in [
        ("2020-01-01T00:00:00Z", false),
        ("2200-01-01T00:00:00Z", true),
    ] {
        let daemon = json!({"started": started, "run": "daemon", "result": "waiting"});
        let record = json!({"contact": null, "reached": null, "peer": null, "changed": null, "last": daemon});
        let state = desk.path("state");
        desk.write(
            &format!("root{}/status.json", state.display()),
            record.to_string(),
        );
        let (code, status) = desk.json("status --root root --json");
        assert_eq!(code, if newest { 3 } else { 0 }, "{status}");
        let last = &status["last_run"]["run"];
        assert_eq!(*last == json!("daemon"), newest, "{status}");
        assert_eq!(*last == run["run"], !newest, "{status}");
    }
}
