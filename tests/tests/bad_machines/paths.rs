//! Paths that somebody else has a hand in.

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox};

use crate::machine::{Failed, boot, is_tidy};

/// Sets or clears the immutable flag, as `chattr` does.
fn immutable(host: &Host, path: &str, yes: bool) -> Result<()> {
    let flags = if yes { "flags | 16" } else { "flags & ~16" };
    let script = format!(
        "import fcntl, os, struct\nf = os.open({path:?}, os.O_RDONLY)\n\
         flags = struct.unpack('i', fcntl.ioctl(f, 0x80086601, bytes(4)))[0]\n\
         fcntl.ioctl(f, 0x40086602, struct.pack('i', {flags}))\n"
    );
    host.run(["python3", "-c", &script]).map(drop)
}

#[test]
fn what_a_user_planted_is_not_followed() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        host.sh("install -d -o nobody /srv/app && ln -s /etc /srv/app/conf && ln -s /etc/shadow /srv/app/log && chown -h nobody /srv/app/*")?;
        let shadow = host.sh("stat -c '%i %Y %a %U' /etc/shadow")?;
        let role = "[file.'/srv/app/conf/planted']\ncontent = \"x\"\n[edit.'/srv/app/conf/passwd']\nformat = \"lines\"\nlines = [{ line = \"x\" }]\n\
                    [directory.'/srv/app/conf/dir']\nmode = \"0777\"\n[file.'/srv/app/log']\ncontent = \"ours\"\nmode = \"0666\"\n\
                    [file.'/srv/app/below']\ncontent = \"\"\nafter = ['file:/srv/app/conf/planted']\n[file.'/etc/other']\ncontent = \"\"\n";
        local.write("app/role.toml", role)?;
        let planted = [
            "directory:/srv/app/conf/dir",
            "file:/srv/app/conf/planted",
            "edit:/srv/app/conf/passwd",
        ];
        let failed = Failed::of(&local, &host, "app", &planted)?;
        for resource in planted {
            failed.says(
                resource,
                &[
                    "/srv/app/conf is a link that is not followed",
                    "user 65534 owns it",
                    "let root own link and folder",
                ],
            )?;
        }
        failed.made(&["file:/etc/other create", "file:/srv/app/log update"])?;
        failed.skipped("file:/srv/app/conf/planted", &["file:/srv/app/below"])?;
        ensure!(
            !host.exists("/etc/planted")? && !host.exists("/etc/dir")?,
            "it was followed"
        );
        // A link in the way of the file itself is replaced, and never written through.
        assert_eq!(host.sh("stat -c '%i %Y %a %U' /etc/shadow")?, shadow);
        assert_eq!(
            host.sh("stat -c '%F %a' /srv/app/log")?.trim(),
            "regular file 666"
        );
        is_tidy(&host, "/srv")
    })
}

#[test]
fn what_is_immutable_says_so_and_stays() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        host.write_file("/srv/fixed", "old\n")?;
        host.write_file("/srv/fixed.env", "A=1\n")?;
        host.sh("mkdir /srv/folder; chmod 600 /srv/fixed")?;
        for path in ["/srv/fixed", "/srv/fixed.env", "/srv/folder"] {
            immutable(&host, path, true)?;
        }
        let role = "[file.'/srv/fixed']\ncontent = \"new\\n\"\nmode = \"0644\"\n[edit.'/srv/fixed.env']\nformat = \"env\"\nset = { A = \"2\" }\n\
                    [file.'/srv/folder/below']\ncontent = \"\"\n[file.'/srv/free']\ncontent = \"\"\n";
        local.write("app/role.toml", role)?;
        let fixed = [
            "file:/srv/fixed",
            "file:/srv/folder/below",
            "edit:/srv/fixed.env",
        ];
        let failed = Failed::foretold(&local, &host, "app")?;
        failed.says(
            fixed[0],
            &[
                "/srv/fixed: Operation not permitted",
                "immutable or append-only (see lsattr -d)",
            ],
        )?;
        failed.says(
            fixed[1],
            &["/srv/folder: Operation not permitted", "immutable"],
        )?;
        failed.says(
            fixed[2],
            &["/srv/fixed.env: Operation not permitted", "immutable"],
        )?;
        failed.made(&["file:/srv/free create"])?;
        assert_eq!(host.read_file("/srv/fixed")?, "old\n");
        assert_eq!(host.sh("stat -c %a /srv/fixed")?.trim(), "600");
        assert_eq!(host.read_file("/srv/fixed.env")?, "A=1\n");
        is_tidy(&host, "/srv")?;
        for path in ["/srv/fixed", "/srv/fixed.env", "/srv/folder"] {
            immutable(&host, path, false)?;
        }
        local.apply("app")?.expect(0)?;
        local.dry_run("app")?.expect(0)?;
        Ok(())
    })
}
