//! The rows: words of Puppet, Ansible, Salt, Chef and CFEngine, by where in a role they are written.

/// A word of another tool, of any of these, and what to write instead.
pub(super) type Row = (&'static [&'static str], &'static str);

/// Words for `params`.
pub(super) const PARAMS: &[&str] = &[
    "vars",
    "var",
    "variables",
    "defaults",
    "parameters",
    "pillar",
    "attributes",
];

/// Words for `include`.
pub(super) const INCLUDE: &[&str] = &[
    "roles",
    "classes",
    "class",
    "depends",
    "dependencies",
    "import",
    "imports",
    "inherits",
    "inherit",
    "extends",
    "require",
    "requires",
];

/// Words for `each`.
pub(super) const EACH: &[&str] = &[
    "with_items",
    "with_dict",
    "loop",
    "for_each",
    "foreach",
    "count",
    "items",
];

/// Words for `when`.
pub(super) const WHEN: &[&str] = &["if", "condition", "only_when"];

/// What people write for kinds, and for keys at the top of a role.
pub(super) const TOP: &[Row] = &[
    (
        &["pkg", "apt", "apt_package", "dpkg", "deb"],
        "a package is [package]",
    ),
    (
        &["copy", "template", "cookbook_file"],
        "that is a [file], with `source` or `template`: a file beside role.toml",
    ),
    (
        &["download", "get_url", "remote_file", "fetch"],
        "that is a [file] with `url` and `sha256`",
    ),
    (&["dir", "folder"], "that is a [directory]"),
    (&["symlink", "ln"], "that is a [link]"),
    (
        &[
            "lineinfile",
            "blockinfile",
            "replace",
            "ini_file",
            "ini_setting",
            "augeas",
            "file_line",
            "concat",
            "xml",
        ],
        "a part of a file is an [edit]",
    ),
    (
        &["host"],
        "a line of /etc/hosts is an [edit] of lines; what a machine has of its own is in fleet.toml: [node.\"NAME\"]",
    ),
    (&["unarchive", "extract", "tar"], "that is an [archive]"),
    (
        &[
            "exec", "shell", "script", "cmd", "execute", "bash", "raw", "run",
        ],
        "that is a [command]",
    ),
    (
        &["git", "vcsrepo", "subversion", "svn", "hg"],
        "there is no kind for it: a [command] with `creates`, or an [archive] of what is released",
    ),
    (
        &["cron", "cron_d", "at", "schedule"],
        "there is no kind for it: a [service.\"NAME.timer\"] with a `unit`, or a [file] in /etc/cron.d",
    ),
    (
        &[
            "systemd",
            "systemd_unit",
            "systemd_service",
            "unit",
            "daemon",
            "svc",
            "timer",
            "socket",
        ],
        "that is a [service], for units of every sort: [service.\"NAME.timer\"]",
    ),
    (
        &[
            "apt_repository",
            "apt_key",
            "apt_source",
            "repo",
            "pkgrepo",
            "yumrepo",
        ],
        "that is a [repository], with its key as `signed_by`",
    ),
    (
        &["ssh_authorized_key", "authorized_key", "ssh_auth"],
        "that is `authorized_keys` of a [user]",
    ),
    (&["filesystem", "fstab"], "that is a [mount]"),
    (PARAMS, "what can be set from outside is in [params]"),
    (INCLUDE, "roles that this one is made of are in `include`"),
    (
        &["tasks", "handlers", "resources", "states", "steps"],
        "a role has no list of steps: each resource is a table, as [package.nginx]; `after` and `restart_on` tie them",
    ),
    (&["name", "role"], "a role is called as its folder"),
    (
        &["hosts", "node", "nodes", "machines"],
        "which machine has a role is said where it enrols; what is set for one machine is in fleet.toml",
    ),
    (
        &["become", "sudo"],
        "cfg runs as root; a [command] has `user`",
    ),
];

const OF_SERVICE: &str =
    "the other one says that: `restart_on` or `reload_on` of a [service], `on` of a [command]";
const GUARDS: &str = "a [command] alone has guards; `when` goes by params, facts and the fleet";

/// Keys of all kinds.
pub(super) const KEYS: &[Row] = &[
    (
        &["notify", "notifies", "listen", "watch_in", "onchanges_in"],
        OF_SERVICE,
    ),
    (
        &["require", "requires", "depends", "depends_on", "require_in"],
        "what comes before it is in `after`: after = [\"package:nginx\"]",
    ),
    (
        &["before", "required_by"],
        "the other one says that, by its `after`",
    ),
    (EACH, "one resource an item is `each`"),
    (WHEN, "that is `when`"),
    (
        &["onlyif", "not_if", "creates", "unless", "only_if"],
        GUARDS,
    ),
    (
        &[
            "register",
            "changed_when",
            "failed_when",
            "ignore_errors",
            "retries",
            "delegate_to",
        ],
        "no resource reads what another has printed; what fails is told at the end, and what does not need it goes on",
    ),
    (
        &["become", "become_user", "sudo", "runas"],
        "cfg runs as root; a [command] has `user`",
    ),
    (
        &["tags", "tag"],
        "a run of a part is cfg apply --only KIND:GLOB",
    ),
    (
        &["backup"],
        "leave it out: cfg keeps by itself what was there before",
    ),
];

/// Keys of what has a mode and an owner.
pub(super) const OWNED: &[Row] = &[
    (&["user", "uid"], "that is `owner`"),
    (&["gid"], "that is `group`"),
    (
        &["perms", "permissions", "perm", "chmod", "file_mode"],
        "that is `mode`",
    ),
    (
        &["force"],
        "leave it out: a link or an empty directory in the way is replaced, all else is a failure",
    ),
];

/// Keys of files alone.
pub(super) const FILE: &[Row] = &[
    (
        &["src", "from", "local_source"],
        "that is `source`, or `template` where it is rendered: a file beside role.toml",
    ),
    (&["contents", "text", "body", "data"], "that is `content`"),
    (
        &["checksum", "sha256sum", "source_hash"],
        "that is `sha256`",
    ),
    (
        &["replace", "overwrite", "no_clobber"],
        "what keeps a file that is there is create_only = true",
    ),
    (&["target", "to"], "a link is a [link]"),
    (
        &["recurse", "recursive"],
        "a tree of files is a [directory] with a `source`",
    ),
    (
        &["line", "lines", "regexp", "match", "block", "insertafter"],
        "a part of a file is an [edit]",
    ),
    (
        &["vars", "context", "variables"],
        "templates read `params`, `facts`, `fleet` and `item`",
    ),
];

/// Keys of directories alone.
pub(super) const DIRECTORY: &[Row] = &[
    (
        &["recurse", "recursive"],
        "with `source` a whole tree is brought, and `purge` removes what is not in the role",
    ),
    (
        &["src", "from"],
        "that is `source`, a folder beside role.toml",
    ),
    (&["clean", "delete"], "that is `purge`"),
    (
        &["dir_mode", "directory_mode"],
        "`mode` is that of the folders; files of a tree get 0755 where they may be executed, else 0644",
    ),
    (
        &["parents", "makedirs"],
        "leave it out: missing parents are made",
    ),
];

/// Keys of links alone.
pub(super) const LINK: &[Row] = &[
    (
        &["to", "source", "src", "points_to", "link_to"],
        "that is `target`",
    ),
    (
        &["force"],
        "leave it out: a link or an empty directory in the way is replaced, all else is a failure",
    ),
];

/// Keys of edits alone.
pub(super) const EDIT: &[Row] = &[
    (&["creates"], "that is `create`"),
    (&["file", "dest", "filename"], "that is `path`"),
    (
        &["line"],
        "lines are an array: lines = [{ line = \"…\", match = \"…\" }]",
    ),
    (
        &["regexp", "regex", "match", "search_string", "pattern"],
        "it stands beside its line: lines = [{ line = \"…\", match = \"…\" }]",
    ),
    (
        &[
            "section", "option", "key", "value", "values", "changes", "setting",
        ],
        "values are in `set`, by section and key: set = { SECTION = { KEY = \"…\" } }",
    ),
    (
        &["block", "content", "template"],
        "each line of it is one of `lines`",
    ),
];

/// Keys of packages alone.
pub(super) const PACKAGE: &[Row] = &[
    (
        &["update_cache", "refresh", "cache_valid_time"],
        "leave it out: cfg refreshes apt's index where it must",
    ),
    (&["pin", "held"], "that is `hold`"),
    (
        &["pkgs", "packages"],
        "each package is a line of [package]: nginx = \"*\"",
    ),
    (&["provider"], "leave it out: packages are Debian's"),
];

/// Keys of repositories alone.
pub(super) const REPOSITORY: &[Row] = &[
    (
        &["url", "urls", "location", "baseurl", "repo"],
        "that is `uris`, an array",
    ),
    (
        &["dist", "release", "distribution"],
        "that is `suites`, an array",
    ),
    (&["comps", "repos"], "that is `components`, an array"),
    (
        &[
            "key",
            "gpgkey",
            "key_url",
            "keyserver",
            "keyring",
            "gpg_key",
        ],
        "that is `signed_by`, a file beside role.toml",
    ),
    (
        &["arch", "architecture", "archs"],
        "that is `architectures`, an array",
    ),
];

/// Keys of services alone.
pub(super) const SERVICE: &[Row] = &[
    (
        &["enable", "enabled_at_boot", "boot", "onboot"],
        "that is `enabled`",
    ),
    (&["mask"], "that is `masked`"),
    (
        &["subscribe", "watch", "onchanges", "subscribes", "restart"],
        "that is `restart_on`, or `reload_on`: restart_on = [\"file:/etc/nginx/**\"]",
    ),
    (
        &["daemon_reload", "daemon-reload"],
        "leave it out: systemd reads its units again where it must",
    ),
    (
        &["hasrestart", "hasstatus", "provider", "pattern"],
        "leave it out: systemd knows",
    ),
    (
        &["content", "template", "source", "unit_file", "src"],
        "its unit file is `unit`: a file beside role.toml",
    ),
];

/// Keys of users alone.
pub(super) const USER: &[Row] = &[
    (
        &["password", "passwd"],
        "that is `password_hash`, as in /etc/shadow",
    ),
    (
        &[
            "ssh_key",
            "ssh_keys",
            "authorized_key",
            "ssh_authorized_keys",
            "keys",
        ],
        "that is `authorized_keys`, an array",
    ),
    (
        &["managehome", "create_home", "createhome", "manage_home"],
        "leave it out: a home is made with the user, unless it is `system`",
    ),
    (&["group", "primary_group"], "that is `gid`"),
    (
        &["append", "membership", "remove_groups"],
        "`groups` are added to those there are; exact_groups = true takes others away",
    ),
    (
        &["comment", "gecos", "fullname"],
        "leave it out: cfg leaves that as it is",
    ),
    (
        &["purge_ssh_keys"],
        "leave it out: `authorized_keys` are exactly those",
    ),
];

/// Keys of groups alone.
pub(super) const GROUP: &[Row] = &[(
    &["members", "users", "addusers"],
    "a member is said by `groups` of its [user]",
)];

/// Keys of commands alone.
pub(super) const COMMAND: &[Row] = &[
    (
        &["command", "cmd", "shell", "argv", "exec", "script", "args"],
        "that is `run`",
    ),
    (&["onlyif"], "that is `only_if`"),
    (&["not_if"], "that is `unless`"),
    (
        &["refreshonly", "subscribe", "watch", "onchanges"],
        "that is `on`, which names what it is run for: on = [\"file:/etc/app.conf\"]",
    ),
    (&["environment"], "that is `env`, a table"),
    (
        &["chdir", "dir", "directory", "working_directory"],
        "that is `cwd`",
    ),
    (&["become_user", "runas", "run_as"], "that is `user`"),
    (
        &["path"],
        "the program is named by its whole path, or by `env`: env = { PATH = \"…\" }",
    ),
    (
        &["returns", "success_codes"],
        "leave it out: 0 is success, and a shell can say more: \"… || [ $? = 3 ]\"",
    ),
];

/// Keys of mounts alone.
pub(super) const MOUNT: &[Row] = &[
    (&["src", "source"], "that is `device`"),
    (&["type", "fs_type"], "that is `fstype`"),
    (&["opts"], "that is `options`"),
    (&["passno"], "that is `pass`"),
];

/// Keys of archives alone.
pub(super) const ARCHIVE: &[Row] = &[
    (
        &["src"],
        "that is `source`, a file beside role.toml, or `url`",
    ),
    (
        &["strip_components", "strip-components", "extra_opts"],
        "that is `strip`, a number",
    ),
    (&["checksum", "source_hash"], "that is `sha256`"),
    (&["remote_src"], "what is fetched has a `url`"),
    (&["creates"], "leave it out: cfg marks what it has unpacked"),
];

/// Words for the states of things.
pub(super) const STATES: &[Row] = &[
    (
        &[
            "installed",
            "install",
            "created",
            "exists",
            "exist",
            "file",
            "touch",
        ],
        "write \"present\"",
    ),
    (
        &["removed", "remove", "uninstalled", "deleted"],
        "write \"absent\"",
    ),
    (
        &["directory", "dir", "folder"],
        "a directory is a kind of its own, [directory]; its state is \"present\"",
    ),
    (
        &["link", "symlink"],
        "a link is a kind of its own, [link]; its state is \"present\"",
    ),
    (&["started", "start", "active", "up"], "write \"running\""),
    (&["stop", "inactive", "down"], "write \"stopped\""),
    (
        &["restarted", "reloaded"],
        "`restart_on` and `reload_on` say for what it is restarted; its state is \"running\"",
    ),
    (
        &["present"],
        "a service is \"running\" or \"stopped\"; its unit comes with a package, or is its `unit`",
    ),
    (&["absent"], "write \"stopped\", and enabled = false"),
    (&["enabled"], "that is enabled = true"),
    (&["disabled"], "that is enabled = false"),
    (&["masked"], "that is masked = true"),
    (&["latest"], "that is version = \"latest\""),
    (&["held", "hold"], "that is hold = true"),
    (
        &["remounted"],
        "write \"mounted\": other options are mounted anew",
    ),
];
