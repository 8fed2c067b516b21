//! Lines as strace writes them, each lawful or not.

use super::*;

fn trace(processes: &[(u32, &str)]) -> Trace {
    let processes: BTreeMap<u32, String> = processes
        .iter()
        .map(|(number, text)| (*number, (*text).to_owned()))
        .collect();
    let first = *processes.keys().next().unwrap();
    Trace { processes, first }
}

fn offences(processes: &[(u32, &str)]) -> Vec<String> {
    trace(processes).offences(None).unwrap()
}

#[test]
fn what_a_dry_run_may_do() {
    for lines in [
        r#"execve("/usr/bin/cfg", ["cfg", "apply"], 0x7f /* 9 vars */) = 0"#,
        r#"openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>"#,
        r#"openat(AT_FDCWD</>, "/dev/null", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</dev/null>"#,
        "openat(AT_FDCWD</>, \"/tmp\", O_RDWR|O_EXCL|O_TMPFILE, 0600) = 4</tmp/#77>(deleted)\nwrite(4</tmp/#77>(deleted), \"x\", 1) = 1",
        r#"write(1<pipe:[7]>, "said", 4)           = 4"#,
        "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 9<socket:[5]>\nsendto(9<socket:[5]>, [{nlmsg_len=20, nlmsg_type=RTM_GETLINK, nlmsg_seq=1}, {ifi_family=AF_UNSPEC}], 20, 0, NULL, 0) = 20",
        "clone(child_stack=NULL, flags=SIGCHLD) = 12\nkill(12, SIGINT) = 0",
        "socketpair(AF_UNIX, SOCK_STREAM, 0, [6<socket:[1]>, 7<socket:[2]>]) = 0\nsendto(7<socket:[2]>, \"x\", 1, 0, NULL, 0) = 1",
        "socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 9<socket:[5]>\nconnect(9<socket:[5]>, {sa_family=AF_INET, sin_port=htons(53)}, 16) = 0",
    ] {
        assert_eq!(offences(&[(1, lines)]), [] as [String; 0]);
    }
}

#[test]
fn what_a_dry_run_may_not_do() {
    for line in [
        r#"openat(AT_FDCWD</>, "/etc/x", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3</etc/x>"#,
        r#"openat2(3</etc>, "x", {flags=O_RDWR|O_CREAT, mode=0600, resolve=0}, 24) = -1 EACCES (Permission denied)"#,
        r#"write(3</etc/x>, "x", 1) = 1"#,
        r#"write(3</tmp/#named>, "x", 1) = 1"#,
        r#"unlink("/var/log/apt/eipp.log.xz") = -1 EACCES (Permission denied)"#,
        r#"mkdir("/var/lib/cfg", 0700) = 0"#,
        r#"renameat2(3</etc>, "a", 3</etc>, "b", 0) = 0"#,
        r#"chmod("/etc/x", 0644) = 0"#,
        r#"fchmod(3</etc/x>, 0644) = 0"#,
        r#"flock(3</var/lib/cfg/lock>, LOCK_EX|LOCK_NB) = 0"#,
        r#"utimensat(AT_FDCWD</>, "/etc/x", NULL, 0) = 0"#,
        r#"mount("tmpfs", "/srv", "tmpfs", 0, NULL) = 0"#,
        r#"kill(12, SIGHUP) = 0"#,
        r#"socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3<socket:[4]>"#,
        r#"sendto(3<socket:[4]>, "GET /", 5, 0, NULL, 0) = 5"#,
        r#"connect(3<socket:[4]>, {sa_family=AF_UNIX, sun_path="/run/other"}, 20) = 0"#,
        "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 9<socket:[5]>\nsendto(9<socket:[5]>, [{nlmsg_len=20, nlmsg_type=RTM_NEWADDR}], 20, 0, NULL, 0) = 20",
        r#"a_call_of_tomorrow(1) = 0"#,
    ] {
        assert_eq!(offences(&[(1, line)]).len(), 1, "{line}");
    }
}

#[test]
fn who_is_enrolled_talks_to_the_server_alone() {
    let socket =
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_IP) = 9<socket:[5]>";
    let connect = |to: &str, result: &str| {
        format!("connect(9<socket:[5]>, {{sa_family=AF_INET, {to}}}, 16) = {result}")
    };
    let server = "sin_port=htons(7443), sin_addr=inet_addr(\"10.77.0.1\")";
    let under_way = "-1 EINPROGRESS (Operation now in progress)";
    let sends = r#"sendto(9<socket:[5]>, "hello", 5, MSG_NOSIGNAL, NULL, 0) = 5"#;
    let offences = |lines: &[&str]| {
        // The socket may be made by one thread and used by another.
        let processes: Vec<(u32, &str)> = (1..).zip(lines.iter().copied()).collect();
        let server = Some("10.77.0.1:7443".parse().unwrap());
        trace(&processes).offences(server).unwrap().len()
    };
    assert_eq!(offences(&[sends, &connect(server, under_way), socket]), 0);
    assert_eq!(offences(&[socket, &connect(server, "0"), sends]), 0);
    for other in [
        "sin_port=htons(7444), sin_addr=inet_addr(\"10.77.0.1\")",
        "sin_port=htons(7443), sin_addr=inet_addr(\"10.77.0.2\")",
    ] {
        assert_eq!(offences(&[socket, &connect(other, under_way), sends]), 2);
    }
    let datagram = socket.replace("STREAM", "DGRAM");
    assert_eq!(offences(&[&datagram, &connect(server, "0")]), 0);
    assert_eq!(offences(&[&datagram, &connect(server, "0"), sends]), 1);
}

#[test]
fn programs_only_tell() {
    let started = |argv: &str| {
        let first = "execve(\"/usr/bin/cfg\", [\"cfg\"], 0x7f /* 9 vars */) = 0\nvfork() = 2";
        let program = argv.split(' ').next().unwrap();
        let words: Vec<String> = argv.split(' ').map(|word| format!("\"{word}\"")).collect();
        let line = format!(
            "execve(\"{program}\", [{}], 0x7f /* 9 vars */) = 0",
            words.join(", ")
        );
        offences(&[(1, first), (2, &line)]).len()
    };
    for argv in [
        "/usr/bin/apt-get -o Dir::Log::Planner=/dev/null --simulate install -- hello",
        "/usr/bin/systemctl show --property=Id -- app.service",
        "/usr/bin/getent passwd",
        "/proc/self/exe guard --shut-in -- true",
    ] {
        assert_eq!(started(argv), 0, "{argv}");
    }
    for argv in [
        "/usr/bin/apt-get --simulate install -- hello",
        "/usr/bin/apt-get -o Dir::Log::Planner=/dev/null install -- hello",
        "/usr/bin/systemctl start -- app.service",
        "/usr/bin/touch /etc/x",
        "/proc/self/exe effect /var/lib/cfg/effects/x",
    ] {
        assert_eq!(started(argv), 1, "{argv}");
    }
}

#[test]
fn guards_may_try_where_they_cannot() {
    let agent = "execve(\"/usr/bin/cfg\", [\"cfg\"], 0x7f /* 9 vars */) = 0\nvfork() = 2";
    let guard = "unshare(CLONE_NEWNS) = 0\nmount(NULL, \"/\", NULL, MS_REC|MS_PRIVATE, NULL) = 0\n\
                 mount(NULL, \"/\", NULL, MS_RDONLY|MS_REMOUNT|MS_BIND, \"\") = 0\nvfork() = 3";
    let tries = "execve(\"/usr/bin/touch\", [\"touch\", \"/x\"], 0x7f /* 9 vars */) = 0\n\
                 openat(AT_FDCWD</>, \"/x\", O_WRONLY|O_CREAT, 0666) = -1 EROFS (Read-only file system)";
    let does = "openat(AT_FDCWD</>, \"/x\", O_WRONLY|O_CREAT, 0666) = 3</x>";
    assert_eq!(
        offences(&[(1, agent), (2, guard), (3, tries)]),
        [] as [String; 0]
    );
    assert_eq!(offences(&[(1, agent), (2, guard), (3, does)]).len(), 1);
    // Who is not shut in may not even try.
    assert_eq!(
        offences(&[(1, agent), (2, "vfork() = 3"), (3, tries)]).len(),
        2
    );
    let keeps = "unshare(CLONE_NEWNS) = 0\nunshare(CLONE_NEWIPC) = 0\n\
                 mount(\"/dev/null\", \"/dev/null\", NULL, MS_BIND, NULL) = 0\nkill(7, SIGKILL) = 0";
    assert_eq!(offences(&[(1, agent), (2, keeps)]), [] as [String; 0]);
    let binds = "unshare(CLONE_NEWNS) = 0\nmount(\"/srv\", \"/x\", NULL, MS_BIND, NULL) = 0";
    assert_eq!(offences(&[(1, agent), (2, binds)]).len(), 1);
    let writable = "unshare(CLONE_NEWNS) = 0\nmount(\"tmpfs\", \"/x\", \"tmpfs\", 0, NULL) = 0";
    assert_eq!(offences(&[(1, agent), (2, writable)]).len(), 1);
}

#[test]
fn buses_are_only_asked() {
    let on_bus = |interface: &str, member: &str| {
        let message: String = bus::call(interface, member)
            .iter()
            .map(|byte| format!("\\{byte:03o}"))
            .collect();
        let lines = format!(
            "connect(9<socket:[5]>, {{sa_family=AF_UNIX, sun_path=\"/run/dbus/system_bus_socket\"}}, 29) = 0\n\
             sendmsg(9<socket:[5]>, {{msg_name=NULL, msg_namelen=0, msg_iov=[{{iov_base=\"{message}\", iov_len=999}}], \
             msg_iovlen=1, msg_controllen=0, msg_flags=0}}, MSG_NOSIGNAL) = {}",
            message.len() / 4
        );
        offences(&[(1, &lines)]).len()
    };
    assert_eq!(on_bus("org.freedesktop.DBus.Properties", "GetAll"), 0);
    assert_eq!(on_bus("org.freedesktop.systemd1.Manager", "StartUnit"), 1);
    assert_eq!(on_bus("org.freedesktop.systemd1.Manager", "Reload"), 1);
    assert_eq!(on_bus("org.freedesktop.DBus.Properties", "Set"), 1);
}
