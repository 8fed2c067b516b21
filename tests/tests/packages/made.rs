//! Small repositories of made-up packages, on the host itself.

use anyhow::Result;
use cfg_tests::Host;

/// Makes `/srv/NAME`, a source in `sources.list.d` that needs no key; `release` are lines of its Release file.
pub fn repository(
    host: &Host,
    name: &str,
    release: &str,
    packages: &[(&str, &str, &str)],
) -> Result<()> {
    host.run(["mkdir", "-p", &format!("/srv/{name}")])?;
    host.write_file(&format!("/srv/{name}/Packages"), "")?;
    for (package, version, more) in packages {
        add(host, name, package, version, more)?;
    }
    host.sh(&format!(
        "cd /srv/{name} && printf '{release}SHA256:\\n %s %s Packages\\n' \
         $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) >Release"
    ))?;
    host.write_file(
        &format!("/etc/apt/sources.list.d/{name}.list"),
        format!("deb [trusted=yes] file:/srv/{name} ./\n"),
    )
}

/// Adds a package that has nothing in it; `more` are lines of its control file.
fn add(host: &Host, repository: &str, package: &str, version: &str, more: &str) -> Result<()> {
    let deb = format!("{package}_{version}.deb");
    let control = format!(
        "Package: {package}\nVersion: {version}\nArchitecture: all\nMaintainer: m <m@example.org>\n\
         Description: made up\n{more}"
    );
    host.write_file("/srv/made/DEBIAN/control", &control)?;
    host.sh(&format!(
        "cd /srv/{repository} && dpkg-deb --root-owner-group --build /srv/made {deb} >&2 && \
         {{ cat /srv/made/DEBIAN/control; \
         printf 'Filename: ./{deb}\\nSize: %s\\nSHA256: %s\\n\\n' \
         $(stat -c %s {deb}) $(sha256sum {deb} | cut -d' ' -f1); }} >>Packages"
    ))?;
    Ok(())
}

/// The version that dpkg has of a package that is there, else nothing.
pub fn version(host: &Host, package: &str) -> Result<String> {
    let format = "${db:Status-Abbrev}${Version}";
    let said = host
        .exec(["dpkg-query", "-W", "-f", format, package])?
        .stdout;
    Ok(said.strip_prefix("ii ").unwrap_or_default().to_owned())
}
