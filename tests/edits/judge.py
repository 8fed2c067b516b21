#!/usr/bin/env python3
"""What other readers make of configuration files, before and after an edit.

judge.py choose DIR      what to edit in the files below DIR: a line of JSON for each try
judge.py check <RESULTS  judges edits: a line of JSON for each result; prints what is wrong, a line each

A try: {"file", "format", "set" or "remove": path, "value", "new"}. A result adds "before" and "after", the texts' files.
Readers: json, configparser, tomllib, ruamel.yaml (in PYTHONPATH), and a shell.
"""
import configparser, json, os, subprocess, sys, tomllib
from ruamel.yaml import YAML

TOP = "\0top"
NEW = "cfg_try"
MOST = 70


def read_ini(text):
    parser = configparser.RawConfigParser(
        strict=False, allow_no_value=True, interpolation=None, default_section="\0none", delimiters=("=", ":")
    )
    parser.optionxform = str
    parser.read_string(f"[{TOP}]\n{text}")
    return {name: dict(parser.items(name)) for name in parser.sections()}


def read_yaml(text):
    return YAML(typ="safe", pure=True).load(text)


def shell(text, then):
    """What a shell has after reading the text."""
    script = f"{text}\n{then}"
    done = subprocess.run(["env", "-i", "PATH=/nonexistent", "/bin/sh", "-c", script], capture_output=True, timeout=20, cwd="/")
    if done.returncode or done.stderr:
        raise ValueError("the shell does not read it alone")
    return done.stdout.decode()


READ = {"json": json.loads, "ini": read_ini, "toml": tomllib.loads, "yaml": read_yaml}


def format_of(path):
    name = os.path.basename(path)
    end = name.rsplit(".", 1)[-1]
    if end in ("json", "toml"):
        return end
    if end in ("yaml", "yml"):
        return "yaml"
    if end in ("service", "socket", "timer", "mount", "ini", "desktop", "cfg") or name.startswith("php.ini"):
        return "ini"
    if "/etc/default/" in path or path.endswith("/grub/default/grub"):
        return "env"
    if any(part in path for part in ("/etc/systemd/", "/etc/fail2ban/", "/etc/NetworkManager/", "/etc/mysql/", "/etc/icingaweb2/")):
        return "ini"
    if end == "conf" and any(part in path for part in ("-common/usr/", "/keystone/", "/sssd", "/uwsgi", "/tuned", "/supervisor")):
        return "ini"
    return "lines"


def scalars(tree, way=()):
    """Paths of scalars in tables."""
    for key, value in tree.items():
        if not isinstance(key, str) or not key or any(c < " " or c == "\x7f" for c in key):
            continue
        if isinstance(value, dict):
            yield from scalars(value, (*way, key))
        elif value is None or isinstance(value, (str, int, float, bool)):
            yield (*way, key)


def choose(path, text, kind):
    if kind == "lines":
        lines = [line for line in text.splitlines() if line.strip() and text.splitlines().count(line) == 1]
        if lines:
            yield {"set": ["cfg was here"], "value": None, "new": True}
            yield {"remove": [lines[len(lines) // 2]]}
        return
    if kind == "env":
        shell(text, "set")
        names = [line.split("=")[0].strip().removeprefix("export ") for line in text.splitlines() if "=" in line]
        names = [name for name in names if name.isidentifier() and name.isascii()]
        for name in names[:2]:
            yield {"set": [name], "value": "it's \"$HOME\" 7", "new": False}
        if names:
            yield {"remove": [names[-1]]}
        yield {"set": [NEW.upper()], "value": "some words", "new": True}
        return
    tree = READ[kind](text)
    if not isinstance(tree, dict):
        return
    paths = list(scalars(tree))
    if kind == "ini":
        paths = [p for p in paths if p[0] != TOP and "]" not in p[0] and p[1].strip() == p[1] and p[1][0] not in "[#;"]
    for path in dict.fromkeys([*paths[:1], *paths[len(paths) // 2 :][:1]]):
        yield {"set": path, "value": "cfg was here" if kind == "ini" else 7, "new": False}
        yield {"set": path, "value": "yes", "new": False}
    if paths:
        yield {"remove": paths[-1]}
        way = paths[len(paths) // 2][:-1]
        yield {"set": [*way, NEW], "value": "on" if kind == "ini" else True, "new": True}


def without(tree, path):
    """The tree without what is at the path, and without tables on the way that are empty then."""
    tree = dict(tree)
    if len(path) == 1:
        tree.pop(path[0], None)
    elif isinstance(tree.get(path[0]), dict):
        inner = without(tree[path[0]], path[1:])
        if inner:
            tree[path[0]] = inner
        else:
            tree.pop(path[0])
    return tree


def at(tree, path):
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return ("there", tree)


def check(result):
    kind = result["format"]
    path = result.get("set") or result["remove"]
    texts = [open(result[which], newline="").read() for which in ("before", "after")]
    value = ("there", result["value"]) if "set" in result else None
    if kind == "lines":
        lines = [[line for line in text.splitlines() if line != path[0]] for text in texts]
        found = texts[1].splitlines().count(path[0])
        return None if lines[0] == lines[1] and found == (1 if "set" in result else 0) else "other lines"
    if kind == "env":
        name = path[0]
        rest = [shell(text, f"unset {name}; set") for text in texts]
        if rest[0] != rest[1]:
            return "other variables"
        found = shell(texts[1], f'printf %s "${{{name}-(unset)}}"')
        return None if found == (result["value"] if value else "(unset)") else f"it is {found!r}"
    before, after = (READ[kind](text) for text in texts)
    if without(before, path) != without(after or {}, path):
        return "other values"
    found = at(after, path)
    if value and isinstance(found and found[1], bool) != isinstance(value[1], bool):
        return f"it is {found!r}"
    return None if found == value else f"it is {found!r}"


def files(root):
    """At most so many of each format, from all packages alike."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or os.path.getsize(path) > 1 << 18 or name.startswith("."):
                continue
            found.setdefault(format_of(path), []).append(path)
    for kind, paths in found.items():
        paths.sort()
        step = max(1, len(paths) / MOST)
        for at in range(min(MOST, len(paths))):
            yield kind, paths[int(at * step)]


def main():
    if sys.argv[1] == "choose":
        for kind, path in sorted(files(sys.argv[2])):
            try:
                text = open(path, newline="").read()
                tries = list(choose(path, text, kind))
            except Exception:  # what the reader does not take is not for us to edit
                continue
            for one in tries:
                print(json.dumps({"file": path, "format": kind, **one}))
    else:
        for line in sys.stdin:
            result = json.loads(line)
            try:
                wrong = check(result)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                path = result.get("set") or result["remove"]
                print(f"{result['format']} {result['file']} {path}: {wrong}")


main()
