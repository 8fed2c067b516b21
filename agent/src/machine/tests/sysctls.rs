//! Settings of the kernel, as far as they are files; the kernel itself is for real hosts.

use super::*;
use cfg_catalog::resource::sysctl::{KernelValue, Sysctl};

fn setting(value: Option<&str>) -> Sysctl {
    Sysctl {
        spares: false,
        name: "net.ipv4.conf.eth0/100.forwarding".into(),
        state: match value {
            Some(_) => Presence::Present,
            None => Presence::Absent,
        },
        value: value.map(str::to_owned),
    }
}

#[test]
fn below_a_root_a_setting_is_its_file() {
    let tree = Tree::new();
    let file = "/etc/sysctl.d/90-cfg-net.ipv4.conf.eth0:100.forwarding.conf";
    tree.hands().sysctl(&setting(Some("1"))).unwrap();
    assert_eq!(tree.read(file), "net.ipv4.conf.eth0/100.forwarding = 1\n");
    let seen = tree.machine.sysctl(&setting(Some("1")));
    assert_eq!(seen.kernel, KernelValue::Unjudged);
    let PathState::File(seen) = seen.file else {
        panic!("{:?}", seen.file);
    };
    assert_eq!(seen.content, None, "nothing differs");

    tree.hands().sysctl(&setting(None)).unwrap();
    assert_eq!(tree.names("/etc/sysctl.d"), [""; 0]);
}

#[test]
fn the_kernel_is_asked_by_name() {
    let machine = Machine::new(&Root::open(std::path::Path::new("/")).unwrap());
    let of = |name: &str| {
        let sysctl = Sysctl {
            spares: false,
            name: name.into(),
            ..setting(None)
        };
        machine.sysctl(&sysctl).kernel
    };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(
        of("kernel.osrelease"),
        KernelValue::Is(release.trim().into())
    );
    assert_eq!(of("kernel.no_such_thing"), KernelValue::Missing);
    let ports = of("net.ipv4.ip_local_port_range");
    assert!(
        matches!(&ports, KernelValue::Is(value) if !value.contains('\t')),
        "{ports:?}"
    );
}
