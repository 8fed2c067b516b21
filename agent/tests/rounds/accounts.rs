//! Users and groups, by the system's own tools. Only root can.

use crate::case::{Case, names};

const KEY: &str = "ssh-ed25519 AAAA x";
const ADA: &str = "mkdir -p home/ada; chown 1001:1001 home/ada; \
    printf 'root:x:0:0::/root:/bin/sh\\nada:x:1001:1001::/home/ada:/bin/sh\\n' > etc/passwd; \
    printf 'root:x:0:\\nada:x:1001:\\n' > etc/group; \
    printf 'root:*:1::::::\\nada:!:1::::::\\n' > etc/shadow; printf 'root:*::\\nada:!::\\n' > etc/gshadow; ";

fn with_ada(script: &str) -> Option<Case> {
    let root = rustix::process::geteuid().is_root();
    root.then(|| Case::new(&format!("{ADA}{script}")))
}

#[test]
fn a_primary_group_stays_until_its_user_leaves_it() {
    let Some(case) = with_ada("true") else { return };
    let (code, ran) = case.role("web", "[group.ada]\nstate = \"absent\"\n");
    let told = ran["failures"][0]["message"].as_str().unwrap();
    assert!(
        code == 1 && told.contains("primary group of ada: give"),
        "{ran:#}"
    );
    case.leaves();
    for user in ["state = \"absent\"", "gid = \"x\""] {
        let Some(case) = with_ada("true") else { return };
        let role = format!("[group.ada]\nstate = \"absent\"\n[user.ada]\n{user}\n[group.x]\n");
        let (code, ran) = case.role("web", &role);
        assert_eq!(code, 0, "{ran:#}");
    }
}

#[test]
fn keys_come_back_byte_for_byte() {
    let own = "mkdir -m 700 home/ada/.ssh; printf '# mine\\nssh-rsa B y\\n' > home/ada/.ssh/authorized_keys; \
        chmod 644 home/ada/.ssh/authorized_keys; chown -R 1001:1001 home/ada/.ssh";
    let keys = format!("authorized_keys = [{KEY:?}]");
    for there in ["true", "mkdir -m 700 home/ada/.ssh", own] {
        // The second time it has the user already when it comes to say what his keys are.
        for first in [None, Some("shell = \"/bin/sh\"")] {
            let Some(case) = with_ada(there) else { return };
            if let Some(first) = first {
                case.role("web", &format!("[user.ada]\n{first}\n"));
            }
            let (_, ran) = case.role("next", &format!("[user.ada]\n{keys}\n"));
            assert_eq!(names(&ran), ["update user:ada"]);
            case.leaves();
        }
    }
    let Some(case) = with_ada("true") else { return };
    case.role(
        "web",
        "[user.ada]\nauthorized_keys = []\nshell = \"/bin/dash\"\n",
    );
    case.leaves();
}

#[test]
fn a_home_that_a_role_gave_stays_and_it_is_told() {
    let Some(case) = with_ada("true") else { return };
    let role = format!("[user.ada]\nhome = \"/srv/ada\"\nauthorized_keys = [{KEY:?}]\n");
    case.role("web", &role);
    case.desk.role("none", "description = \"x\"\n");
    let (_, output) = case.desk.apply("none", &["--prune", "--json"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("/srv/ada stays: a home is never removed"),
        "{said}"
    );
    assert!(!case.desk.path("root/home/ada/.ssh").exists());
}

#[test]
fn what_no_tool_will_change_is_foretold() {
    let twice = "echo 'ada:x:1001:1001::/home/ada:/bin/sh' >> etc/passwd";
    let Some(case) = with_ada(twice) else { return };
    let (code, ran) = case.role("web", "[user.ada]\nshell = \"/bin/dash\"\n");
    let told = ran["failures"][0]["message"].as_str().unwrap();
    assert!(
        code == 1 && told.contains("2 lines for ada: leave one"),
        "{ran:#}"
    );
    case.leaves();
}

#[test]
fn a_system_user_with_keys_has_a_home_that_the_role_names_too() {
    let Some(case) = with_ada("mkdir srv") else {
        return;
    };
    let role = format!(
        "[user.deploy]\nsystem = true\nhome = \"/srv/deploy\"\nauthorized_keys = [{KEY:?}]\n\
         [directory.\"/srv/deploy\"]\nowner = \"deploy\"\n"
    );
    let (code, ran) = case.role("web", &role);
    assert_eq!(code, 0, "{ran:#}");
    // Who is there already, and whose home nobody has said, has none for keys: so a dry run says.
    let (code, ran) = case.role(
        "next",
        &format!("{role}[user.ada]\nauthorized_keys = [{KEY:?}]\n"),
    );
    assert_eq!(code, 0, "{ran:#}");
    std::fs::remove_dir_all(case.desk.path("root/home/ada")).unwrap();
    let (code, ran) = case.role(
        "next",
        &format!("{role}[user.ada]\nauthorized_keys = [{KEY:?}]\n"),
    );
    let told = ran["failures"][0]["message"].as_str().unwrap();
    assert!(code == 1 && told.contains("cannot hold keys"), "{ran:#}");
}

/// A folder that cfg made on the way to a file is the home of who comes as the file goes.
#[test]
fn the_home_of_who_comes_stays() {
    let Some(case) = with_ada("true") else { return };
    let (code, ran) = case.role("web", "[file.\"/home/ops/.bashrc\"]\ncontent = \"2\"\n");
    assert_eq!(code, 0, "{ran:#}");
    let user = format!("[user.ops]\nauthorized_keys = [{KEY:?}]\n");
    let (code, ran) = case.role("next", &user);
    assert_eq!(code, 0, "{ran:#}");
    assert_eq!(
        names(&ran),
        ["create user:ops", "remove file:/home/ops/.bashrc"]
    );
}
