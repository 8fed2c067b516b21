//! The README's first command, in a fresh clone, as an ordinary user and as root.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cfg_tests::output;

/// Clones the project for `nobody`, gives them the toolchain and the crates that were downloaded, and runs the tour as them,
/// building all of it; then as root. A mount of its own, so that the toolchain may lie in root's home.
const FRESH: &str = r#"
set -eu
dir=$1 project=$2
cargo_home=${CARGO_HOME:-$(dirname "$(dirname "$(command -v cargo)")")}
mkdir -p "$dir/home" "$dir/cargo/registry" "$dir/toolchain"
cp -a "$cargo_home/registry/cache" "$cargo_home/registry/index" "$dir/cargo/registry/"
mount --bind "$(rustc --print sysroot)" "$dir/toolchain"
git clone --quiet --no-hardlinks -c safe.directory='*' "$project" "$dir/clone"
chown -R nobody: "$dir/home" "$dir/cargo" "$dir/clone"
chmod 755 "$dir"
export HOME=$dir/home CARGO_HOME=$dir/cargo CARGO_NET_OFFLINE=true PATH=$dir/toolchain/bin:$PATH
unset CARGO_TARGET_DIR
ip link set lo up
setpriv --reuid nobody --regid nogroup --clear-groups env CFG_TOUR="$dir/home/tour" CFG_TOUR_PORT=17443 "$dir/clone/tests/tour"
echo "as root"
CFG_TOUR="$dir/tour" CFG_TOUR_PORT=17453 "$dir/clone/tests/tour"
"#;

#[test]
fn the_first_command_works_in_a_fresh_clone() -> Result<()> {
    let dir = tempfile::tempdir_in("/var/tmp").context("scratch folder")?;
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shown = output(
        Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--propagation=private",
                "bash",
                "-c",
                FRESH,
                "tour",
            ])
            .args([dir.path(), &project]),
    )?
    .success()?;
    let (nobody, root) = shown.split_once("\nas root\n").context("two tours")?;
    for tour in [nobody, root] {
        ensure!(
            tour.matches("(exit code 2)").count() == 2,
            "two dry runs with changes: {tour}"
        );
        ensure!(
            tour.matches("(exit code 0)").count() == 2,
            "a run, and one with nothing to do: {tour}"
        );
        ensure!(tour.contains("nothing changed"), "{tour}");
        ensure!(tour.contains("package:zookeeperd"), "{tour}");
    }
    Ok(())
}
