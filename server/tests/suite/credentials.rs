//! What opens a container: the account's key, a shared access signature, the machine's identity, a workload's. Each through the
//! program, as an operator sets it, and no word of it in anything that the program says.

use crate::authority::{self, Authority, NO_TOKEN};
use crate::azurite::{ACCOUNT, Azurite, KEY, NEVER, PERMISSIONS, container_sas};
use crate::channel::Identity;
use crate::home::{Home, Serving, text};
use crate::release::Release;
use crate::world::{Desk, csr, guest};
use cfg_wire::EnrollOperatorRequest;
use rcgen::KeyPair;
use std::process::Command;
use tempfile::TempDir;

fn home(azurite: &Azurite, container: &str) -> Home {
    let mut home = Home::new().with(&format!(
        "[store]\nurl = \"azure://{container}\"\naccount = \"{ACCOUNT}\"\nendpoint = \"{}\"\n",
        azurite.endpoint()
    ));
    // All that any part of the program can say.
    home.set("CFG_LOG", "trace");
    home
}

/// Init, a release, a restart that finds it, and user-data: gives all that was said meanwhile.
async fn lives(home: &Home) -> String {
    let init = home.call(&["init"]);
    assert!(init.status.success(), "{}", text(&init.stderr));
    let printed = text(&init.stdout);
    let token = printed
        .lines()
        .find_map(|line| line.strip_prefix("operator-token: "));
    let key = KeyPair::generate().expect("a key");
    let request = EnrollOperatorRequest {
        token: token.expect("the token").to_owned(),
        name: "alice".into(),
        csr: csr("alice", &key),
    };
    let serving = home.serve();
    let answer = guest(home.enrol_address(), &home.ca())
        .enroll_operator(request)
        .await;
    let alice = Identity {
        certificate: answer.expect("alice enrols").into_inner().certificate,
        key: key.serialize_pem(),
    };
    let desk = Desk::at(home.address(), &home.ca(), &alice);
    desk.publish(&Release::of(&["web"], 1)).await;
    let fleet = desk.fleet().await;
    assert_eq!(fleet.sequence, 1);
    let mut said = text(&init.stderr) + &serving.log();
    drop(serving);
    let serving = home.serve();
    let desk = Desk::at(home.address(), &home.ca(), &alice);
    assert_eq!(desk.fleet().await, fleet, "a restart finds it");
    let made = home.call(&["cloud-init", "--role", "web"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    said += &text(&made.stderr);
    said + &serving.log()
}

/// An init that comes to nothing: what it said.
fn fails(home: &Home) -> String {
    let init = home.call(&["init"]);
    let said = text(&init.stderr);
    assert_eq!(init.status.code(), Some(1), "{said}");
    said
}

#[track_caller]
fn says_nothing_of(secrets: &[&str], said: &str) {
    assert!(
        said.contains("TRACE") || said.contains("DEBUG"),
        "all of it is logged: {said}"
    );
    for secret in secrets {
        let line = said.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} is told: {line:?}");
    }
}

/// A SAS, and its signature as it stands there and as it was before it was encoded.
fn signature(sas: &str) -> [String; 2] {
    let (_, signature) = sas.split_once("sig=").expect("it is signed");
    let plain = signature
        .replace("%2B", "+")
        .replace("%2F", "/")
        .replace("%3D", "=");
    [signature.to_owned(), plain]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_key_opens_it() {
    let azurite = Azurite::get();
    let mut home = home(azurite, &azurite.new_container());
    home.set("AZURE_STORAGE_ACCOUNT_KEY", KEY);
    says_nothing_of(&[KEY], &lives(&home).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_access_signature_of_the_container_opens_it() {
    let azurite = Azurite::get();
    let container = azurite.new_container();
    let sas = container_sas(&container, PERMISSIONS, NEVER);
    let mut home = home(azurite, &container);
    home.set("AZURE_STORAGE_SAS_KEY", &sas);
    let said = lives(&home).await;
    let [encoded, plain] = signature(&sas);
    says_nothing_of(&[&encoded, &plain], &said);
}

#[test]
fn a_signature_that_opens_nothing_is_told_without_it() {
    let azurite = Azurite::get();
    let container = azurite.new_container();
    let refuses =
        "refuses the credentials (AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_KEY or an identity)";
    let lacking = "az storage container create";
    let other = azurite.new_container();
    for (sas, container, words) in [
        (
            container_sas(&container, PERMISSIONS, "2020-01-01T00:00:00Z"),
            &container,
            refuses,
        ),
        (container_sas(&container, "rl", NEVER), &container, refuses),
        (
            container_sas(&container, "racwd", NEVER),
            &container,
            refuses,
        ),
        (
            container_sas(&other, PERMISSIONS, NEVER),
            &container,
            refuses,
        ),
        (
            container_sas("not-there", PERMISSIONS, NEVER),
            &"not-there".to_owned(),
            lacking,
        ),
    ] {
        let mut home = home(azurite, container);
        home.set("AZURE_STORAGE_SAS_KEY", &sas);
        let said = fails(&home);
        assert!(said.contains(words), "{sas}: {said}");
        let [encoded, plain] = signature(&sas);
        says_nothing_of(&[&encoded, &plain], &said);
    }
}

#[test]
fn a_store_that_does_not_answer_is_told_without_the_signature() {
    let azurite = Azurite::get();
    let sas = container_sas("any", PERMISSIONS, NEVER);
    let nobody = azurite
        .endpoint()
        .replace("http://127.0.0.1:", "http://127.0.0.2:");
    let mut home = Home::new().with(&format!(
        "[store]\nurl = \"azure://any\"\naccount = \"{ACCOUNT}\"\nendpoint = \"{nobody}\"\n"
    ));
    home.set("CFG_LOG", "trace");
    home.set("AZURE_STORAGE_SAS_KEY", &sas);
    let said = fails(&home);
    let [encoded, plain] = signature(&sas);
    says_nothing_of(&[&encoded, &plain], &said);
}

#[tokio::test(flavor = "multi_thread")]
async fn server_env_is_taken_as_the_readme_says() {
    let azurite = Azurite::get();
    let container = azurite.new_container();
    let home = home(azurite, &container);
    let sas = container_sas(&container, PERMISSIONS, NEVER);
    let env = home.path().join("server.env");
    std::fs::write(&env, format!("AZURE_STORAGE_SAS_KEY='{sas}'\n")).expect("written");
    let script = format!("set -a; . {}; exec \"$0\" \"$@\"", env.display());
    let program = env!("CARGO_BIN_EXE_cfg-server");
    let call = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, program])
            .args(home.words(arguments));
        command
    };
    let init = call(&["init"]).output().expect("it runs");
    assert!(init.status.success(), "{}", text(&init.stderr));
    drop(Serving::start(&mut call(&["run"])));
}

/// An Azurite that takes tokens alone, and the certificate that it and the authority have.
fn identities(home: impl Fn(&Azurite, &str) -> Home) -> (TempDir, Azurite, Home) {
    let papers = tempfile::tempdir().expect("a folder");
    authority::papers(papers.path());
    let azurite = Azurite::of_identities(papers.path());
    let mut home = home(&azurite, &azurite.new_container());
    let certificate = papers.path().join("cert.pem").display().to_string();
    home.set("SSL_CERT_FILE", &certificate);
    (papers, azurite, home)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_identity_opens_it() {
    let (papers, _azurite, mut home) = identities(home);
    let authority = Authority::with_tls(papers.path());
    let file = papers.path().join("federated");
    std::fs::write(&file, "the-word-of-another").expect("written");
    home.set("AZURE_TENANT_ID", "tenant-1");
    home.set("AZURE_CLIENT_ID", "client-1");
    home.set("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string());
    // With the slash that Azure's own webhook writes there.
    home.set(
        "AZURE_AUTHORITY_HOST",
        &format!("https://{}/", authority.address),
    );
    let said = lives(&home).await;
    says_nothing_of(&["the-word-of-another", &authority::mark()], &said);
    let asked = authority.asked();
    assert_eq!(asked.len(), 4, "once a process: {asked:#?}");
    for request in &asked {
        for words in [
            "POST /tenant-1/oauth2/v2.0/token HTTP/1.1\r\n",
            "client_id=client-1",
            "client_assertion=the-word-of-another",
            "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
            "scope=https%3A%2F%2Fstorage.azure.com%2F.default",
            "grant_type=client_credentials",
        ] {
            assert!(request.contains(words), "{words}: {request}");
        }
    }
    authority.life(Some(-60));
    let said = fails(&home);
    assert!(said.contains("refuses the credentials"), "{said}");
    authority.life(None);
    let said = fails(&home);
    assert!(said.contains("Identity not found"), "{said}");
    says_nothing_of(&["the-word-of-another", &authority::mark()], &said);
}

/// Where Azure's machines find their metadata: no address of this machine, so the test gets a network of its own.
const METADATA: &str = "169.254.169.254";
const INSIDE: &str = "CFG_TEST_INSIDE";

fn run_inside(test: &str) {
    let script = format!("ip link set lo up && ip address add {METADATA} dev lo && exec \"$@\"");
    let ran = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test])
        .env(INSIDE, "1")
        .output()
        .expect("it runs");
    let said = text(&ran.stdout) + &text(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_own_identity_opens_it() {
    if std::env::var_os(INSIDE).is_none() {
        return run_inside("credentials::the_machines_own_identity_opens_it");
    }
    let (_papers, _azurite, mut home) = identities(home);
    let metadata = Authority::plain(&format!("{METADATA}:80"));
    let said = lives(&home).await;
    says_nothing_of(&[&authority::mark()], &said);
    let asked = metadata.asked();
    assert_eq!(asked.len(), 4, "once a process: {asked:#?}");
    let request = "GET /metadata/identity/oauth2/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com HTTP/1.1\r\n";
    for asked in &asked {
        assert!(asked.starts_with(request), "{asked}");
        assert!(
            asked
                .to_ascii_lowercase()
                .contains("\r\nmetadata: true\r\n"),
            "{asked}"
        );
    }
    // The log is followed all the time, so that a token which is about to end is soon replaced.
    metadata.life(Some(60));
    let serving = home.serve();
    std::thread::sleep(std::time::Duration::from_secs(3));
    drop(serving);
    assert!(
        metadata.asked().len() > 1,
        "a token near its end is replaced"
    );

    home.set("AZURE_CLIENT_ID", "client-1");
    metadata.life(None);
    let said = fails(&home);
    let description = NO_TOKEN.rsplit('"').nth(1).expect("a word");
    assert!(said.contains(description), "{said}");
    let asked = metadata.asked();
    assert!(
        asked[0].contains("&client_id=client-1 HTTP/1.1"),
        "{asked:?}"
    );
}
