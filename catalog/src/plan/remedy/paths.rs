//! About what stands at paths, whoever comes there: files and their like, but tables, unit files and keys too.

use super::Words::{Any, Begin, End, Have};
use super::{Row, Rows, said, to_do};
use crate::id::Kind;

const PLACES: &[Kind] = &[
    Kind::File,
    Kind::Directory,
    Kind::Link,
    Kind::Edit,
    Kind::Archive,
];

/// Those whose messages are cfg's own.
const OURS: &[Kind] = &[
    Kind::Repository,
    Kind::Group,
    Kind::User,
    Kind::Directory,
    Kind::File,
    Kind::Link,
    Kind::Edit,
    Kind::Sysctl,
    Kind::Mount,
    Kind::Archive,
    Kind::Service,
];

const NO_JUDGE: &str =
    "correct the program's name, or let a package bring it that the file comes `after`";
const MEND_ARCHIVE: &str =
    "mend the archive; where it is another than was meant, correct its `url` or `source`";
const WHOLE: &str = "write the whole of it by a [file], or leave it out of the role";
const FIXED: &str = "take that away with chattr -i or chattr -a where it is to change; else leave it out of the role";
const DISK: &str = "see the kernel's log, dmesg: the disk may be failing";

/// In order.
pub(super) const ROWS: &[Rows] = &[
    (PLACES, CONTENTS),
    (PLACES, VALIDATE),
    (PLACES, DOWNLOADS),
    (PLACES, KEPT),
    (&[Kind::Archive], ARCHIVES),
    (OURS, WAYS),
    (OURS, IN_THE_WAY),
    (OURS, READING),
    (OURS, REFUSED),
    (&[Kind::Edit], EDITS),
    (&[Kind::Directory], DIRECTORIES),
];

const CONTENTS: &[Row] = &[
    to_do(
        End("the role gives it no content"),
        "give it `content`, `template`, `source` or `url`; or let it come `after` what brings it",
    ),
    to_do(
        End("the role gives the file no content"),
        "name the file that the link leads to, or give it content, which replaces the link",
    ),
    to_do(
        Have("has other names elsewhere"),
        "let root alone write in its folder, or take its other names away: find -samefile lists them",
    ),
];

const VALIDATE: &[Row] = &[
    to_do(Have("its validate command could not be started"), NO_JUDGE),
    to_do(
        Have("its validate command ended with exit code 127"),
        NO_JUDGE,
    ),
    to_do(
        Have("its validate command changed"),
        "let it only read the new file",
    ),
    to_do(
        Have("its validate command put something else"),
        "let it only read the new file",
    ),
    to_do(
        Have("its validate command"),
        "correct what the role writes; what stood there is still in use",
    ),
];

const DOWNLOADS: &[Row] = &[
    said("ca-certificates brings them"),
    to_do(
        Have(" cannot be reached: "),
        "see that this machine reaches it, through a proxy where it must; or correct the `url`",
    ),
    to_do(
        Have(" said \""),
        "correct the `url`, or see to what answers there",
    ),
    to_do(
        Have(" has the SHA-256 "),
        "where what is there now is what is meant, put its digest into the role as `sha256`; else correct the `url`",
    ),
    to_do(
        Have(" broke off: "),
        "run again; where it breaks off each time, see to what answers there",
    ),
    to_do(
        Have(" was not done after an hour"),
        "see to the way there, or let the role fetch it from nearer",
    ),
    to_do(
        End(" redirects"),
        "let the `url` be the one that they lead to: curl -LI shows it",
    ),
    to_do(
        End("which is not HTTPS"),
        "let the `url` be one that stays with HTTPS",
    ),
    to_do(Have(" is no URL: "), "correct the `url`"),
    to_do(
        Have("could not be fetched, or is something else"),
        "try its `url` by hand from this machine, and compare what comes with its `sha256`",
    ),
    to_do(
        Have("writing what was downloaded"),
        "free space where it belongs, and run again",
    ),
];

const KEPT: &[Row] = &[
    to_do(
        Have(": what is kept under this digest is not that"),
        "run again, which fetches it anew; see to the disk where it comes back",
    ),
    to_do(
        Begin("the content of "),
        "run again, which fetches it anew; from a folder, see that the file of the role can be read",
    ),
];

const ARCHIVES: &[Row] = &[
    to_do(
        Have("`strip` leaves nothing of it"),
        "give it a smaller `strip`: tar -t lists the names in it",
    ),
    to_do(
        End("is not in this version"),
        "pack it as tar, gzip, xz, zstd or zip",
    ),
    to_do(Have("the archive is not unpacked"), MEND_ARCHIVE),
    said("move it away"),
];

const WAYS: &[Row] = &[
    to_do(
        Have("is not a directory, and so nothing can be below it"),
        "move it away, or correct the path in the role",
    ),
    said("or let root own link and folder"),
    to_do(
        End("and that does not exist"),
        "make what it leads to, let it come `after` what makes that, or put a directory in the place of the link",
    ),
    to_do(
        Have("its links lead in a circle"),
        "let one of them lead to a directory: namei -l shows the way",
    ),
    to_do(
        Have(": deeper than "),
        "no way is followed so far down: let the role name a shorter one",
    ),
];

const IN_THE_WAY: &[Row] = &[
    said("move it away"),
    to_do(
        End("a directory that is not empty stands there"),
        "move away what is in it, or correct the role: what holds something is not replaced",
    ),
    to_do(
        End("a directory stands there"),
        "remove it (rmdir), or let the role name it as a [directory]",
    ),
    to_do(
        End("a file stands there"),
        "move it away, or let the role name it as a [file]",
    ),
    to_do(
        End("a link stands there"),
        "move it away, or let the role name what it leads to",
    ),
    to_do(
        End(" stands there"),
        "move it away, or correct the path in the role",
    ),
];

const READING: &[Row] = &[
    to_do(
        Have("may not be read by this user"),
        "run cfg as root, or give it a mode and an owner by which this user can read it",
    ),
    to_do(
        End("could not be read"),
        "see who may read it: ls -l; as root cfg can",
    ),
    said("by hand"),
    to_do(
        End("is not a regular file"),
        "put a file in its place: what is read there is followed through no link",
    ),
    to_do(
        End("is not UTF-8"),
        "make it anew with a target in UTF-8, or remove it",
    ),
    to_do(
        Have(" things below it"),
        "move some of it away, or let the role name folders further down",
    ),
    to_do(
        Have(" GiB below it"),
        "move some of it away, or let the role name folders further down",
    ),
    to_do(Have("no file over "), WHOLE),
    to_do(Have("cannot be read, or has more than "), WHOLE),
    to_do(
        End(" bytes"),
        "see what has come into it, and make it smaller",
    ),
];

/// In the words of `errno.rs` of the agent.
const REFUSED: &[Row] = &[
    said("free space"),
    to_do(
        Have("the quota is used up"),
        "free some of it, or have it raised",
    ),
    to_do(
        Have("mounted read-only"),
        "mount it writable (findmnt -T shows what is mounted there), or leave it out of the role",
    ),
    to_do(Have("immutable or append-only"), FIXED),
    to_do(
        Have("this needs root"),
        "run cfg as root, or as whoever may change it",
    ),
    to_do(
        Have("keeps even root from it"),
        "see who does: a sandbox of the process, a security module, or a remote file system",
    ),
    said("or newer is needed"),
    said("run again"),
    to_do(
        Have("it is a mount of its own"),
        "unmount it first, or leave it out of the role",
    ),
    to_do(
        Have("is on another mount"),
        "unmount it first, or leave it out of the role",
    ),
    to_do(
        Have("too many files are open"),
        "raise the limit of open files: ulimit -n, or LimitNOFILE= of the unit",
    ),
    to_do(Have("Input/output error"), DISK),
    to_do(
        Have("its file system has no such thing"),
        "leave out of the role what its file system cannot hold, or let it lie on another one",
    ),
    to_do(
        Have("a name may have 255 bytes"),
        "let the role give it a shorter one",
    ),
    to_do(
        End("is never removed or emptied by cfg"),
        "correct the path in the role",
    ),
];

const EDITS: &[Row] = &[
    said("write the whole file"),
    said("; "),
    said(": `create = true` makes it"),
    said(": let the edit name the file that it leads to"),
    to_do(
        Any,
        "mend that place in it, or write the whole of it by a [file]",
    ),
];

const DIRECTORIES: &[Row] = &[
    to_do(
        Have("it is not empty"),
        "move away what is in it, or name that in the role with `state` absent, too",
    ),
    to_do(
        Have("purge is refused on "),
        "name folders further down, which are the role's alone",
    ),
    to_do(Have(" is never removed"), "correct the path in the role"),
];
