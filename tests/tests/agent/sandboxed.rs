//! What the unit keeps from the agent's process, tried from inside it, and what it leaves.

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{Host, Sandbox};
use serde_json::Value;

/// Tries each thing in a process of its own, and says how it went: `works`, or the name of the error.
const PROBE: &str = r#"
import ctypes, errno, json, os, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

def file(path, mode=0o644):
    with open(path, "w") as out:
        out.write("x")
    os.chmod(path, mode)
    os.remove(path)

def low_port():
    socket.socket(socket.AF_INET).bind(("127.0.0.1", 81))

def device():
    os.mknod("/root/probe-null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    os.remove("/root/probe-null")

def setting(path, value):
    with open(path, "w") as out:
        out.write(value)

def mounts():
    call("unshare", 0x20000)
    call("mount", b"none", b"/", None, 0x44000, None)
    call("mount", b"none", b"/mnt", b"tmpfs", 0, None)

def other_user():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)

tries = {
    "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "low port": low_port,
    "device": device,
    "personality": lambda: call("personality", 8),
    "trace": lambda: call("ptrace", 0, 0, 0, 0),
    "host name of its own": lambda: call("unshare", 0x4000000),
    "network of its own": lambda: call("unshare", 0x40000000),
    "processes of its own": lambda: call("unshare", 0x20000000),
    "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "mounts of its own": mounts,
    "file in /etc": lambda: file("/etc/probe"),
    "file in /usr": lambda: file("/usr/bin/probe", 0o6755),
    "file in /home": lambda: file("/home/probe"),
    "file in /run": lambda: file("/run/probe"),
    "other user": other_user,
    "owner": lambda: os.chown("/root/probe.py", 1, 1),
    "root": lambda: os.chroot("/var"),
    "setting": lambda: setting("/proc/sys/net/ipv4/conf/all/forwarding", "1"),
    "address": lambda: socket.socket(socket.AF_INET6),
    "bus": lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"),
}
outcomes = {}
for name, attempt in tries.items():
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempt()
            outcome = "works"
        except OSError as error:
            outcome = errno.errorcode[error.errno]
        os.write(theirs, outcome.encode())
        os._exit(0)
    os.close(theirs)
    outcomes[name] = os.read(ours, 100).decode()
    os.close(ours)
    os.waitpid(child, 0)
with open("/proc/self/status") as status:
    lines = dict(line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line)
outcomes["no new privileges"] = lines["NoNewPrivs"].strip()
outcomes["system calls filtered"] = lines["Seccomp"].strip()
with open("/run/probe.json", "w") as out:
    json.dump(outcomes, out)
"#;

/// Keeps the unit's sandbox, and runs the probe in it.
const PROBE_IN_UNIT: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nRestart=no\nNotifyAccess=none\n\
    ExecStart=\nExecStart=/usr/bin/python3 /root/probe.py\n";
const DROP_IN: &str = "/run/systemd/system/cfg-agent.service.d/probe.conf";

/// What any service may do and the agent may not; what it gets for it.
const KEPT_FROM_IT: &[(&str, &str)] = &[
    ("packet socket", "EAFNOSUPPORT"),
    ("low port", "EACCES"),
    ("device", "EPERM"),
    ("personality", "EPERM"),
    ("trace", "EPERM"),
    ("host name of its own", "EPERM"),
    ("network of its own", "EPERM"),
    ("processes of its own", "EPERM"),
    ("real time", "EPERM"),
];

/// What its work needs.
const LEFT_TO_IT: &[&str] = &[
    "mounts of its own",
    "file in /etc",
    "file in /usr",
    "file in /home",
    "file in /run",
    "other user",
    "owner",
    "root",
    "setting",
    "address",
    "bus",
];

/// systemd's own judgement, of 100, as Debian 12 measures it. What remains is what a role may ask for, by the process itself:
/// any file with any owner and mode, mounts, the kernel's settings, users, and a server to talk to; and it must see the
/// machine as it is. One word more or less in the unit is three to five of these.
const EXPOSURE: &str = "61";

/// The settings, the mount and the files of the role, by the daemon and nobody else.
pub fn does_its_work(host: &Host) -> Result<()> {
    assert_eq!(host.read_file("/proc/sys/net/ipv4/ip_forward")?, "1\n");
    let kind = host.run(["findmnt", "--noheadings", "--output", "FSTYPE", "/srv/data"])?;
    assert_eq!(
        kind.trim(),
        "tmpfs",
        "mounted for all, not for itself alone"
    );
    let stat = host.run(["stat", "--format=%a %U", "/usr/local/bin/as-root"])?;
    assert_eq!(stat.trim(), "4755 worker");
    Ok(())
}

/// Its properties, and the state that its own words to systemd gave it.
pub fn is_what_systemd_was_told(host: &Host) -> Result<()> {
    let shown = host.run(["systemctl", "show", "cfg-agent"])?;
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "ActiveState=active",
        "SubState=running",
        "UnitFileState=enabled",
        "NoNewPrivileges=yes",
        "Restart=always",
    ] {
        ensure!(
            shown.lines().any(|shown| shown == line),
            "no {line} in {shown}"
        );
    }
    let status = shown
        .lines()
        .find_map(|line| line.strip_prefix("StatusText="));
    let status = status.context("it tells systemd nothing")?;
    ensure!(status.starts_with("site: "), "{status}");
    let judged = host.exec([
        "systemd-analyze",
        "security",
        "--no-pager",
        "--threshold",
        EXPOSURE,
        "cfg-agent.service",
    ])?;
    ensure!(judged.status == 0, "more exposed than {EXPOSURE}: {judged}");
    Ok(())
}

/// Each thing in the unit's sandbox, beside the same in a service that has none.
pub fn keeps_the_rest_from_it(sandbox: &Sandbox, host: &Host) -> Result<()> {
    host.write_file("/root/probe.py", PROBE)?;
    host.run([
        "systemd-run",
        "--quiet",
        "--wait",
        "--collect",
        "python3",
        "/root/probe.py",
    ])?;
    let plain = outcomes(host)?;
    host.write_file(DROP_IN, PROBE_IN_UNIT)?;
    host.sh("systemctl daemon-reload && systemctl restart cfg-agent")?;
    let inside = outcomes(host)?;
    host.sh(&format!(
        "rm {DROP_IN} && systemctl daemon-reload && systemctl start cfg-agent"
    ))?;
    for (what, error) in KEPT_FROM_IT {
        ensure!(
            plain[what] == "works",
            "{what} tells nothing here: {}",
            plain[what]
        );
        ensure!(inside[what] == *error, "{what}: {}", inside[what]);
    }
    for what in LEFT_TO_IT {
        ensure!(inside[what] == "works", "{what}: {}", inside[what]);
    }
    ensure!(inside["no new privileges"] == "1" && plain["no new privileges"] == "0");
    ensure!(inside["system calls filtered"] == "2", "{inside:#}");
    sandbox.step("its sandbox keeps from it what it should, and nothing else");
    Ok(())
}

fn outcomes(host: &Host) -> Result<Value> {
    let text = host.read_file("/run/probe.json")?;
    host.run(["rm", "/run/probe.json"])?;
    serde_json::from_str(&text).with_context(|| text.clone())
}
