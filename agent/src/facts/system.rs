//! The machine itself: names, operating system, processors, memory.

use super::{FactError, bad, text};
use cfg_catalog::facts::Os;
use std::path::Path;

/// The kernel's host name, whole.
pub fn hostname() -> Result<String, FactError> {
    let name = nix::unistd::gethostname().map_err(|errno| FactError::System {
        what: "the host name",
        source: errno.into(),
    })?;
    name.into_string()
        .ok()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| bad("/proc/sys/kernel/hostname", "the host name is not text"))
}

/// A host name up to its first dot.
pub fn short(hostname: &str) -> &str {
    hostname.split('.').next().unwrap_or(hostname)
}

/// The full name: the host name where it has dots, else what /etc/hosts makes of it, else the host name again.
pub fn fqdn(hostname: &str, hosts: &str) -> String {
    if hostname.contains('.') {
        return hostname.into();
    }
    let full = format!("{hostname}.");
    hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>())
        .filter(|names| names.contains(&hostname))
        .find_map(|names| names.into_iter().find(|name| name.starts_with(&full)))
        .unwrap_or(hostname)
        .into()
}

/// The operating system, from the first os-release there is.
pub fn os() -> Result<Os, FactError> {
    let path = ["/etc/os-release", "/usr/lib/os-release"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/etc/os-release"));
    Ok(os_of(&text(path)?))
}

fn os_of(release: &str) -> Os {
    let value = |key: &str| {
        release
            .lines()
            .filter_map(|line| line.trim().split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| unquote(value))
            .unwrap_or_default()
    };
    Os {
        id: Some(value("ID"))
            .filter(|id| !id.is_empty())
            .unwrap_or("linux".into()),
        version: value("VERSION_ID"),
        codename: value("VERSION_CODENAME"),
    }
}

/// A value of os-release without its quotes and backslashes.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        });
    }
    plain
}

/// Debian's word for the architecture that this program was built for.
pub fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "i386",
        "arm" => "armhf",
        "powerpc64" => "ppc64el",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// How many processors are online.
pub fn cpus() -> Result<u32, FactError> {
    let path = Path::new("/sys/devices/system/cpu/online");
    let list = text(path)?;
    count_of(&list).ok_or_else(|| {
        bad(
            path,
            format!("\"{}\" is not a list of processors", list.trim()),
        )
    })
}

/// How many numbers there are in the kernel's `0-3,7`.
fn count_of(list: &str) -> Option<u32> {
    list.trim().split(',').try_fold(0u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// Memory in MiB.
pub fn memory_mb() -> Result<u64, FactError> {
    let path = Path::new("/proc/meminfo");
    memory_of(&text(path)?).ok_or_else(|| bad(path, "it has no MemTotal in kB"))
}

fn memory_of(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kb / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1 vm.example.net vm # vm.other.net vm\n\
                     10.0.0.1 vmx.example.net vmx";
        for (hostname, hosts, full) in [
            ("vm", hosts, "vm.example.net"),
            ("vmx", hosts, "vmx.example.net"),
            ("other", hosts, "other"),
            ("a.b.c", hosts, "a.b.c"),
            ("vm", "127.0.1.1 vm vm.late.net", "vm.late.net"),
            ("vm", "127.0.1.1 vm", "vm"),
            ("vm", "", "vm"),
        ] {
            assert_eq!(fqdn(hostname, hosts), full, "{hostname} in {hosts:?}");
        }
        assert_eq!(short("a.b.c"), "a");
    }

    #[test]
    fn os_release() {
        let os = os_of(
            "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n",
        );
        assert_eq!(
            (&*os.id, &*os.version, &*os.codename),
            ("debian", "12", "bookworm")
        );
        let os = os_of("ID='we\\$ird'\n");
        assert_eq!((&*os.id, &*os.version), ("we$ird", ""));
        assert_eq!(os_of("").id, "linux", "as os-release(5) says");
    }

    #[test]
    fn processors() {
        for (list, count) in [
            ("0\n", Some(1)),
            ("0-3\n", Some(4)),
            ("0-3,7,9-10", Some(7)),
            ("", None),
            ("3-1", None),
            ("x", None),
        ] {
            assert_eq!(count_of(list), count, "{list:?}");
        }
    }

    #[test]
    fn memory() {
        assert_eq!(
            memory_of("MemTotal:        8000000 kB\nMemFree: 1 kB"),
            Some(7812)
        );
        assert_eq!(memory_of("MemFree: 1 kB"), None);
    }
}
