//! The lines of passwd, group and shadow. Whoever wrote them: what is not a whole line is passed over, as libc does.

/// A line of /etc/passwd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswdLine {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// A line of /etc/group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupLine {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// All users, in the order of the file; the first of a name counts.
pub(crate) fn passwd(bytes: &[u8]) -> Vec<PasswdLine> {
    lines(bytes)
        .filter_map(|fields| {
            let [name, _, uid, gid, _, home, shell] = fields[..] else {
                return None;
            };
            Some(PasswdLine {
                name: name_of(name)?,
                uid: number(uid)?,
                gid: number(gid)?,
                home: home.into(),
                shell: shell.into(),
            })
        })
        .collect()
}

/// All groups, in the order of the file; the first of a name counts.
pub(crate) fn group(bytes: &[u8]) -> Vec<GroupLine> {
    lines(bytes)
        .filter_map(|fields| {
            let [name, _, gid, members] = fields[..] else {
                return None;
            };
            let members = members.split(',').filter(|member| !member.is_empty());
            Some(GroupLine {
                name: name_of(name)?,
                gid: number(gid)?,
                members: members.map(Into::into).collect(),
            })
        })
        .collect()
}

/// The hash of this user in /etc/shadow; none where there is no line or no hash in it.
pub(crate) fn hash_in_shadow(bytes: &[u8], user: &str) -> Option<String> {
    let line = lines(bytes).find(|fields| fields.len() >= 2 && fields[0] == user)?;
    (!line[1].is_empty()).then(|| line[1].into())
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Vec<&str>> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(':').collect())
}

/// A name; the lines that begin with `+` or `-` are NIS's and name nobody.
fn name_of(field: &str) -> Option<String> {
    (!field.is_empty() && !field.starts_with(['+', '-'])).then(|| field.into())
}

/// A number of a user or group. The highest means "none" to the kernel and so names nobody.
pub(crate) fn number(field: &str) -> Option<u32> {
    if !field.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    field.parse().ok().filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_lines_name_nobody() {
        let text = b"root:x:0:0:root:/root:/bin/sh\n\
            short:x:1\n\
            long:x:1:1:a:b:c:d\n\
            +nis::::::\n\
            -bad:x:7:7::/:/bin/sh\n\
            sign:x:+7:7::/:/bin/sh\n\
            none:x:4294967295:7::/:/bin/sh\n\
            big:x:4294967296:7::/:/bin/sh\n\
            :x:7:7::/:/bin/sh\n\
            \xff:x:8:8::/:/bin/sh\n\
            #hash:x:9:9::/:/bin/sh\n\
            last:x:10:11:,,,:/home/last:";
        let names: Vec<_> = passwd(text).into_iter().map(|l| (l.name, l.uid)).collect();
        assert_eq!(names, [("root".into(), 0), ("last".into(), 10)]);
    }

    #[test]
    fn members_and_hashes() {
        let groups = group(b"adm:x:4:syslog,,ubuntu\nempty:x:5:\nbad:x:x:\n");
        let seen: Vec<_> = groups.into_iter().map(|g| (g.name, g.members)).collect();
        let adm = vec!["syslog".to_string(), "ubuntu".into()];
        assert_eq!(seen, [("adm".into(), adm), ("empty".into(), vec![])]);

        let shadow = b"a:!:1:0:99999:7:::\nb::1::::::\nc\n";
        assert_eq!(hash_in_shadow(shadow, "a").as_deref(), Some("!"));
        assert_eq!(hash_in_shadow(shadow, "b"), None);
        assert_eq!(hash_in_shadow(shadow, "c"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for line in passwd(&bytes) {
                prop_assert!(!line.name.contains([':', '\n']));
            }
            group(&bytes);
            hash_in_shadow(&bytes, "root");
        }
    }
}
