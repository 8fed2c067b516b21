//! What a command asked of the kernel, as strace saw it, held against the law of a dry run: it creates, writes, renames,
//! removes, starts and stops nothing, and says what it has to say on its standard output and error.
//!
//! What is not known to be harmless is an offence.

mod bus;
mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use anyhow::{Context as _, Result, ensure};

use crate::Host;
use line::{Call, described};

/// Calls that change nothing but the process that makes them, and are not even looked at.
const HARMLESS: &str = "access alarm arch_prctl brk capget capset chdir clock_getres clock_gettime clock_nanosleep close close_range \
    dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 exit exit_group faccessat \
    faccessat2 fadvise64 fchdir fcntl fgetxattr flistxattr fstat fstatfs futex getcwd getdents64 getegid geteuid \
    getgid getgroups getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid \
    getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr lgetxattr listxattr \
    llistxattr lseek lstat madvise membarrier mlock mmap mprotect mremap munmap nanosleep newfstatat pause \
    pidfd_open pipe pipe2 poll ppoll prctl pread64 preadv prlimit64 pselect6 read readlink readlinkat readv \
    recvfrom recvmmsg recvmsg restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend \
    rt_sigtimedwait sched_getaffinity sched_yield select set_robust_list set_tid_address setfsgid setfsuid setgid \
    setgroups setitimer setpgid setregid setresgid setresuid setreuid setrlimit setsid setuid shutdown sigaltstack \
    stat statfs statx sysinfo time timer_create timer_delete timer_settime timerfd_create timerfd_settime times \
    umask uname wait4 waitid";

/// Methods of D-Bus that only ask, by the end of their names. `LoadUnit` has systemd read a unit file.
const ASKING: &str = ".Hello .Get .GetAll .LoadUnit .GetUnit .GetUnitFileState .GetNameOwner .ListUnits .ListUnitsByPatterns \
    .ListUnitFiles .ListUnitFilesByPatterns";

/// The buses of a host: D-Bus's own, and systemd's for root.
const BUSES: &[&str] = &[
    "/run/dbus/system_bus_socket",
    "/var/run/dbus/system_bus_socket",
    "/run/systemd/private",
];

/// What a command asked of the kernel.
#[derive(Debug)]
pub struct Trace {
    /// What each process and thread did, by its number.
    processes: BTreeMap<u32, String>,
    /// Which of them was the command itself.
    first: u32,
}

impl Trace {
    /// The words that, before a command, have it traced into this folder, as that user.
    pub fn words(folder: &str, user: &str) -> Vec<String> {
        let harmless: Vec<String> = HARMLESS
            .split_ascii_whitespace()
            .map(|name| format!("?{name}"))
            .collect();
        let unseen = format!("trace=!{}", harmless.join(","));
        let to = format!("{folder}/t");
        let options = [
            "strace",
            "-ff",
            "-qqq",
            "--signal=none",
            "-y",
            "-s",
            "1048576",
            "-e",
        ];
        let words = options
            .into_iter()
            .chain([unseen.as_str(), "-u", user, "-o", &to]);
        words.map(str::to_owned).collect()
    }

    /// What was traced into this folder of a host.
    pub fn read(host: &Host, folder: &str) -> Result<Trace> {
        let numbers = host.sh(&format!("cd {folder} && ls -tr t.* | cut -d. -f2"))?;
        let mut processes = BTreeMap::new();
        for number in numbers.lines() {
            let text = host.read_file(&format!("{folder}/t.{number}"))?;
            processes.insert(number.parse().context("a trace without a number")?, text);
        }
        let first = *processes.keys().next().context("nothing was traced")?;
        Ok(Trace { processes, first })
    }

    /// Whether these words stand anywhere in it.
    pub fn has(&self, words: &str) -> bool {
        self.processes.values().any(|text| text.contains(words))
    }

    /// Every call that a dry run may not make, with the process that made it. With a server it may talk to that, and to nobody else.
    pub fn offences(&self, server: Option<SocketAddrV4>) -> Result<Vec<String>> {
        let mut law = Law::of(self, server)?;
        let mut offences = Vec::new();
        for (number, text) in &self.processes {
            law.enter(*number);
            for line in text.lines() {
                let call = Call::of(line)?;
                if let Some(why) = law.offence(&call).with_context(|| line.to_owned())? {
                    offences.push(format!("{number} {why}: {line}"));
                }
            }
        }
        Ok(offences)
    }
}

/// What lies behind a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Bus,
    Kernel,
    /// Between processes of the command.
    Own,
    /// The server that the machine is enrolled at.
    Server,
}

/// What is known of all processes, and of the one that is judged.
struct Law {
    first: u32,
    server: Option<SocketAddrV4>,
    parents: BTreeMap<u32, u32>,
    peers: BTreeMap<String, Peer>,
    /// Sockets by which a route is asked for: nothing may be sent by them.
    datagrams: BTreeSet<String>,
    /// Those that make themselves mounts of their own, which their children have too.
    shut_in: BTreeSet<u32>,
    now: u32,
    started: bool,
}

impl Law {
    fn of(trace: &Trace, server: Option<SocketAddrV4>) -> Result<Law> {
        let mut law = Law {
            first: trace.first,
            server,
            parents: BTreeMap::new(),
            peers: BTreeMap::new(),
            datagrams: BTreeSet::new(),
            shut_in: BTreeSet::new(),
            now: trace.first,
            started: false,
        };
        for (number, text) in &trace.processes {
            for line in text.lines() {
                let call = Call::of(line)?;
                match call.name {
                    "clone" | "clone3" | "fork" | "vfork" => {
                        if let Ok(child) = call.result.parse() {
                            law.parents.insert(child, *number);
                        }
                    }
                    "unshare" if call.arguments.contains("CLONE_NEWNS") && !call.failed() => {
                        law.shut_in.insert(*number);
                    }
                    "socket" | "socketpair" | "connect" => law.note_peer(&call),
                    _ => {}
                }
            }
        }
        Ok(law)
    }

    fn note_peer(&mut self, call: &Call<'_>) {
        // Who does not wait for a connection is told that it is under way.
        if call.failed() && !call.result.starts_with("-1 EINPROGRESS") {
            return;
        }
        match call.name {
            "socket" if call.arguments.starts_with("AF_NETLINK") => {
                self.peers
                    .insert(described(call.result).to_owned(), Peer::Kernel);
            }
            "socket" if is_datagram(call) => {
                self.datagrams.insert(described(call.result).to_owned());
            }
            "socketpair" => {
                let ends = call
                    .arguments
                    .split_once('[')
                    .map(|(_, ends)| ends)
                    .unwrap_or_default();
                for end in ends.split(", ") {
                    self.peers.insert(described(end).to_owned(), Peer::Own);
                }
            }
            "connect"
                if BUSES
                    .iter()
                    .any(|bus| call.arguments.contains(&format!("sun_path=\"{bus}\""))) =>
            {
                self.peers.insert(call.subject().to_owned(), Peer::Bus);
            }
            "connect" if self.is_to_server(call) => {
                self.peers.insert(call.subject().to_owned(), Peer::Server);
            }
            _ => {}
        }
    }

    fn enter(&mut self, number: u32) {
        self.now = number;
        self.started = false;
    }

    /// Whether this process, or one that it comes from, is a guard in mounts of its own.
    fn is_guard(&self) -> bool {
        let mut at = Some(self.now);
        while let Some(number) = at {
            if self.shut_in.contains(&number) {
                return true;
            }
            at = self.parents.get(&number).copied();
        }
        false
    }

    /// What is wrong with a call, if something is.
    fn offence(&mut self, call: &Call<'_>) -> Result<Option<&'static str>> {
        if call.failed() && self.is_guard() {
            return Ok(None); // it tried, where it cannot
        }
        let may = match call.name {
            "clone" | "clone3" | "fork" | "vfork" => true,
            "execve" => return self.program(call),
            "open" | "openat" | "openat2" => opens(call)?,
            "write" | "writev" | "pwrite64" | "sendto" | "sendmsg" | "sendmmsg" => {
                return self.sends(call);
            }
            // Of files without a name, and in memory.
            "ftruncate" | "fallocate" | "sendfile" | "fchmod" | "flock" => {
                is_nameless(call.subject())
            }
            "memfd_create" | "socketpair" => true,
            "socket" => {
                ["AF_UNIX", "AF_NETLINK"]
                    .iter()
                    .any(|family| call.arguments.starts_with(family))
                    || is_datagram(call)
                    || self.server.is_some() && is_stream(call)
            }
            // Any port, for the question of the route below.
            "bind" => [
                "sa_family=AF_NETLINK",
                "sin_port=htons(0)",
                "sin6_port=htons(0)",
            ]
            .iter()
            .any(|name| call.arguments.contains(name)),
            "setsockopt" => true,
            "connect" => self.connects(call)?,
            "ioctl" => [
                "TCGETS",
                "FIONREAD",
                "FIONBIO",
                "FIOCLEX",
                "TIOCGWINSZ",
                "TIOCGPGRP",
            ]
            .iter()
            .any(|word| call.arguments.contains(word)),
            // Who shuts a guard in ends what it leaves, whose child that has become.
            "kill" => self.ends_own_child(call) || self.shut_in.contains(&self.now),
            "unshare" | "mount" | "chroot" => return Ok(self.shuts_in(call)),
            _ => false,
        };
        Ok((!may).then_some("not for a dry run"))
    }

    /// Programs are cfg itself, a guard, or one that only tells.
    fn program(&mut self, call: &Call<'_>) -> Result<Option<&'static str>> {
        let first = self.now == self.first && !self.started;
        if call.failed() {
            return Ok(None); // on its way along PATH
        }
        self.started = true;
        if first || self.is_guard() {
            return Ok(None);
        }
        let texts = call.texts()?;
        let argv: Vec<&str> = texts.iter().skip(1).map(String::as_str).collect();
        let has = |word: &str| argv.contains(&word);
        let name = texts[0].rsplit('/').next().unwrap_or_default();
        let verb = argv
            .iter()
            .skip(1)
            .find(|word| !word.starts_with('-'))
            .copied()
            .unwrap_or_default();
        let asks = match name {
            "exe" => argv.get(1) == Some(&"guard"),
            "apt-get" => has("--simulate") && has("Dir::Log::Planner=/dev/null"),
            "apt-cache" => has("policy"),
            "dpkg" => argv.iter().any(|word| word.starts_with("--print-")),
            "dpkg-query" | "getent" => true,
            "systemctl" => ["show", "list-units"].contains(&verb),
            // apt asks it what it can do, and it is given nothing to fetch: it connects to nobody.
            "http" | "https" | "file" | "copy" | "store" | "gpgv" => {
                texts[0].starts_with("/usr/lib/apt/methods/")
            }
            _ => false,
        };
        Ok((!asks).then_some("a program that may do more than tell"))
    }

    fn sends(&self, call: &Call<'_>) -> Result<Option<&'static str>> {
        let to = call.subject();
        if !to.starts_with("socket:") {
            let may = is_nameless(to) || is_own_map(to) && self.is_guard();
            return Ok((!may).then_some("it writes"));
        }
        match self.peers.get(to) {
            Some(Peer::Server) if self.datagrams.contains(to) => Ok(Some("it sends a datagram")),
            Some(Peer::Own | Peer::Server) => Ok(None),
            Some(Peer::Kernel) => {
                let types = call.arguments.matches("nlmsg_type=").count();
                let asking = call.arguments.matches("nlmsg_type=RTM_GET").count();
                Ok((types == 0 || types != asking).then_some("it tells the kernel something"))
            }
            Some(Peer::Bus) => {
                let sent = sent(call)?;
                let other = bus::methods(&sent)?.into_iter().find(|method| {
                    !ASKING
                        .split_ascii_whitespace()
                        .any(|end| method.ends_with(end))
                });
                Ok(other.map(|_| "a method that may do more than tell"))
            }
            None => Ok(Some("it sends to a stranger")),
        }
    }

    fn connects(&self, call: &Call<'_>) -> Result<bool> {
        let local = call.arguments.contains("sa_family=AF_UNIX");
        // The cache of names is asked by whoever looks one up, and is not there.
        let nobody = call.failed()
            && call
                .texts()?
                .iter()
                .any(|path| path == "/var/run/nscd/socket");
        // A datagram's connect asks for the route and sends nothing.
        let asks = !local && self.datagrams.contains(call.subject());
        let known = self.peers.get(call.subject());
        Ok(nobody || asks || known == Some(&Peer::Bus) || !local && self.is_to_server(call))
    }

    fn is_to_server(&self, call: &Call<'_>) -> bool {
        self.server.is_some_and(|server| {
            let (port, address) = (server.port(), server.ip());
            let whom = format!("sin_port=htons({port}), sin_addr=inet_addr(\"{address}\")");
            call.arguments.contains(&whom)
        })
    }

    fn ends_own_child(&self, call: &Call<'_>) -> bool {
        let target = call
            .arguments
            .split(',')
            .next()
            .and_then(|number| number.parse().ok());
        target.is_some_and(|child: u32| self.parents.get(&child) == Some(&self.now))
    }

    /// What a guard does to itself: mounts of its own, and all of them read-only.
    fn shuts_in(&self, call: &Call<'_>) -> Option<&'static str> {
        let only = |allowed: &[&str], words: &str| {
            words.split('|').all(|word| allowed.contains(&word.trim()))
        };
        let may = match call.name {
            "unshare" => only(
                &["CLONE_NEWNS", "CLONE_NEWUSER", "CLONE_NEWIPC"],
                call.arguments,
            ),
            "chroot" => self.is_guard(),
            _ => {
                let flags = call.arguments.split(", ").nth(3).unwrap_or_default();
                let private = only(&["MS_REC", "MS_PRIVATE"], flags);
                let read_only = flags.contains("MS_RDONLY")
                    && flags.contains("MS_REMOUNT")
                    && flags.contains("MS_BIND");
                // A device that holds nothing, over itself.
                let texts = call.texts().unwrap_or_default();
                let same = texts.len() > 1 && texts[0] == texts[1];
                let node = flags == "MS_BIND" && same && texts[0].contains("/dev/");
                self.is_guard() && (private || read_only || node)
            }
        };
        (!may).then_some("not for a dry run")
    }
}

/// Nothing, or nothing that anybody else could open by its name.
fn is_nameless(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default();
    ["pipe:[", "anon_inode:", "/memfd:"]
        .iter()
        .any(|start| file.starts_with(start))
        || file == "/dev/null"
        || name.starts_with('#') && name.ends_with(">(deleted)")
}

/// Who is who in a user namespace that was just made.
fn is_own_map(file: &str) -> bool {
    file.starts_with("/proc/")
        && ["/setgroups", "/uid_map", "/gid_map"]
            .iter()
            .any(|end| file.ends_with(end))
}

fn is_datagram(call: &Call<'_>) -> bool {
    call.arguments.starts_with("AF_INET") && call.arguments.contains("SOCK_DGRAM")
}

fn is_stream(call: &Call<'_>) -> bool {
    call.arguments.starts_with("AF_INET") && call.arguments.contains("SOCK_STREAM")
}

/// For reading; `/dev/null`; a file without a name; a guard's own maps of users.
fn opens(call: &Call<'_>) -> Result<bool> {
    let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"];
    if !writes.iter().any(|flag| call.arguments.contains(flag)) {
        return Ok(true);
    }
    let texts = call.texts()?;
    let path = texts.first().map(String::as_str).unwrap_or_default();
    Ok(path == "/dev/null"
        || call.arguments.contains("O_TMPFILE")
        || path.starts_with("/proc/self/") && is_own_map(path))
}

/// The bytes that a call sent.
fn sent(call: &Call<'_>) -> Result<Vec<u8>> {
    let strings = call.strings()?;
    let vectors = call.arguments.matches("iov_base=").count();
    let mut bytes = match call.name {
        "write" | "pwrite64" | "sendto" => strings.into_iter().next().unwrap_or_default(),
        _ => strings.into_iter().take(vectors).flatten().collect(),
    };
    let length: usize = call.result.parse().context("how much was sent")?;
    ensure!(length <= bytes.len(), "more was sent than strace showed");
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
