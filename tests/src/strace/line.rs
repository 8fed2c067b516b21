//! One line of strace's output: a call, what it was given, and what came of it.

use anyhow::{Context as _, Result};

/// A system call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    /// As strace writes them, between the parentheses.
    pub(super) arguments: &'a str,
    /// `0`, `3</etc/passwd>`, `-1 ENOENT (No such file or directory)`, `?`.
    pub(super) result: &'a str,
}

impl<'a> Call<'a> {
    /// Reads a line.
    pub(super) fn of(line: &'a str) -> Result<Call<'a>> {
        let what = || format!("not a call: {line}");
        let (name, rest) = line.split_once('(').with_context(what)?;
        // Strings may hold anything, but what comes after the last mark is the result.
        let (arguments, result) = match rest.rsplit_once(") = ") {
            Some(parts) => parts,
            None => {
                // strace aligns short lines.
                let (arguments, result) = rest.rsplit_once(" = ").with_context(what)?;
                let arguments = arguments.trim_end().strip_suffix(')').with_context(what)?;
                (arguments, result)
            }
        };
        Ok(Call {
            name,
            arguments,
            result,
        })
    }

    pub(super) fn failed(&self) -> bool {
        self.result.starts_with("-1 ")
    }

    /// What the file descriptor is that a call begins with: `/etc/passwd`, `pipe:[7]`, `socket:[9]`. A file without a
    /// name is `NAME(deleted)`.
    pub(super) fn subject(&self) -> &'a str {
        described(self.arguments)
    }

    /// The strings that it was given, in order, unescaped.
    pub(super) fn strings(&self) -> Result<Vec<Vec<u8>>> {
        strings(self.arguments)
    }

    /// As text.
    pub(super) fn texts(&self) -> Result<Vec<String>> {
        let strings = self.strings()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(strings.into_iter().map(text).collect())
    }
}

/// What strace says in `<>` after a file descriptor.
pub(super) fn described(text: &str) -> &str {
    let Some((before, rest)) = text.split_once('<') else {
        return "";
    };
    if !before.bytes().all(|byte| byte.is_ascii_digit()) {
        return "";
    }
    let Some(end) = rest.find('>') else {
        return "";
    };
    match rest[end..].starts_with(">(deleted)") {
        true => &rest[..end + ">(deleted)".len()],
        false => &rest[..end],
    }
}

fn strings(text: &str) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'"' {
            continue;
        }
        let mut string = Vec::new();
        loop {
            match bytes.next().context("a string without an end")? {
                b'"' => break,
                b'\\' => string.push(escaped(&mut bytes)?),
                other => string.push(other),
            }
        }
        anyhow::ensure!(bytes.peek() != Some(&b'.'), "strace cut a string: {text}");
        all.push(string);
    }
    Ok(all)
}

fn escaped(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Result<u8> {
    let first = bytes.next().context("a string ends with a backslash")?;
    Ok(match first {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'0'..=b'7' => {
            let mut value = u32::from(first - b'0');
            for _ in 0..2 {
                let Some(digit) = bytes.peek().filter(|byte| (b'0'..=b'7').contains(byte)) else {
                    break;
                };
                value = value * 8 + u32::from(digit - b'0');
                bytes.next();
            }
            u8::try_from(value).context("an octal number above a byte")?
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_arguments_and_a_result() {
        let call = Call::of(r#"write(3</tmp/#7>(deleted), "a) = \"\1\0012\n", 6) = 6"#).unwrap();
        assert_eq!((call.name, call.result), ("write", "6"));
        assert_eq!(call.subject(), "/tmp/#7>(deleted)");
        assert_eq!(call.strings().unwrap(), [b"a) = \"\x01\x012\n"]);
        let call = Call::of("brk(NULL)                               = 0x55").unwrap();
        assert_eq!((call.name, call.arguments), ("brk", "NULL"));
        assert!(Call::of("something else").is_err());
        let cut = Call::of(r#"write(3, "abc"..., 600) = 600"#).unwrap();
        assert!(cut.strings().is_err());
    }
}
