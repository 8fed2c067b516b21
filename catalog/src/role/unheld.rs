//! Packages that apt may move on one member of a cohort and not on another.
//!
//! A catalog cannot tell which package a service runs from. It is told by the version that the role wants, or by a name like that of
//! a service that must run: `zookeeperd` and `zookeeper`, `mesos` and `mesos-master`.

use super::merge::{Merged, MergedRole};
use crate::id::Kind;
use crate::text::declared::is_template;
use crate::text::diagnostic::{Diagnostic, Diagnostics};

/// Warns of those of a role whose members are waited for. Who says `hold = false` has thought of it.
pub fn check(role: &MergedRole<'_>, wrong: &mut Diagnostics) {
    let of_kind = |kind| role.resources.values().filter(move |r| r.kind == kind);
    for package in of_kind(Kind::Package) {
        let serves = || {
            of_kind(Kind::Service)
                .any(|service| runs(service) && alike(&package.name, &service.name))
        };
        let there = says(package, "state").is_none_or(|state| state == "present");
        if package.keys.contains_key("hold") || !there || !(is_pinned(package) || serves()) {
            continue;
        }
        let message = format!(
            "package:{} is not held, and the members of `{}` are waited for: apt may move it on one and not on the others",
            package.name, role.own.name
        );
        wrong.push(
            Diagnostic::warning(package.at.clone(), message)
                .help("hold = true; or hold = false, where each may have its own version"),
        );
    }
}

fn says<'a>(resource: &'a Merged, key: &str) -> Option<&'a str> {
    resource.keys.get(key)?.node.text()
}

fn runs(service: &Merged) -> bool {
    says(service, "state") == Some("running")
}

/// Whether the role wants one version and no other.
fn is_pinned(package: &Merged) -> bool {
    says(package, "version").is_some_and(|version| version != "*")
}

/// Whether one name is the beginning of the other, up to a word's end or the `d` of a daemon.
fn alike(package: &str, service: &str) -> bool {
    if is_template(package) || is_template(service) {
        return false;
    }
    let service = service.trim_end_matches(".service");
    let begins = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|rest| rest == "d" || !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    begins(package, service) || begins(service, package)
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn names_of_packages_and_services() {
        for (package, service, wanted) in [
            ("zookeeperd", "zookeeper", true),
            ("mesos", "mesos-master", true),
            ("docker.io", "docker", true),
            ("marathon", "marathon.service", true),
            ("netcat-openbsd", "zookeeper", false),
            ("mesosphere", "mesos", false),
            ("{{ item }}", "mesos", false),
        ] {
            assert_eq!(alike(package, service), wanted, "{package} {service}");
        }
    }
}
