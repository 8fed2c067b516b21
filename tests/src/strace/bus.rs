//! What is asked of D-Bus, from the bytes that were sent: the names of the methods that are called.

use anyhow::{Context as _, Result, bail, ensure};

/// The methods called by what one `send` carried, as `INTERFACE.MEMBER`. It must hold whole messages.
pub(super) fn methods(sent: &[u8]) -> Result<Vec<String>> {
    let mut rest = after_greeting(sent);
    let mut called = Vec::new();
    while !rest.is_empty() {
        let (message, after) = split(rest)?;
        called.extend(method(message)?);
        rest = after;
    }
    Ok(called)
}

/// What comes after the lines in which a client says who it is.
fn after_greeting(sent: &[u8]) -> &[u8] {
    let mut rest = sent.strip_prefix(b"\0").unwrap_or(sent);
    let begins = |rest: &[u8]| {
        ["AUTH", "DATA", "NEGOTIATE_UNIX_FD", "BEGIN", "CANCEL"]
            .iter()
            .any(|word| rest.starts_with(word.as_bytes()))
    };
    while begins(rest) {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            break;
        };
        rest = &rest[end + 2..];
    }
    rest
}

fn number(bytes: &[u8], at: usize, big: bool) -> Result<usize> {
    let four: [u8; 4] = bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .context("a message of D-Bus ends too soon")?;
    let number = if big {
        u32::from_be_bytes(four)
    } else {
        u32::from_le_bytes(four)
    };
    Ok(number as usize)
}

fn is_big(bytes: &[u8]) -> Result<bool> {
    match bytes.first() {
        Some(b'l') => Ok(false),
        Some(b'B') => Ok(true),
        _ => bail!("no message of D-Bus"),
    }
}

/// The first message, and what comes after it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let big = is_big(bytes)?;
    let (body, fields) = (number(bytes, 4, big)?, number(bytes, 12, big)?);
    let length = (16 + fields).next_multiple_of(8) + body;
    ensure!(length <= bytes.len(), "a message of D-Bus in pieces");
    Ok(bytes.split_at(length))
}

/// The method that a message calls; none where it calls none.
fn method(message: &[u8]) -> Result<Option<String>> {
    const CALL: u8 = 1;
    const INTERFACE: u8 = 2;
    const MEMBER: u8 = 3;
    let big = is_big(message)?;
    if message[1] != CALL {
        return Ok(None);
    }
    let end = 16 + number(message, 12, big)?;
    let (mut interface, mut member) = (String::new(), String::new());
    let mut at = 16;
    while at < end {
        at = at.next_multiple_of(8);
        let code = message[at];
        let kind = *message.get(at + 2).context("a field without a type")?;
        at += 4; // its code; the type's length, letter and nul
        let text = match kind {
            b's' | b'o' => {
                let from = at.next_multiple_of(4) + 4;
                let length = number(message, from - 4, big)?;
                at = from + length + 1;
                message.get(from..from + length)
            }
            b'g' => {
                let length = usize::from(*message.get(at).context("no signature")?);
                at += length + 2;
                None
            }
            b'u' => {
                at = at.next_multiple_of(4) + 4;
                None
            }
            other => bail!("a field of D-Bus of type {}", char::from(other)),
        };
        let text = || String::from_utf8_lossy(text.unwrap_or_default()).into_owned();
        match code {
            INTERFACE => interface = text(),
            MEMBER => member = text(),
            _ => {}
        }
    }
    ensure!(!member.is_empty(), "a call of D-Bus without a name");
    Ok(Some(format!("{interface}.{member}")))
}

/// A call without arguments.
#[cfg(test)]
pub(super) fn call(interface: &str, member: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    for (code, kind, text) in [(1, b'o', "/"), (2, b's', interface), (3, b's', member)] {
        while fields.len() % 8 != 0 {
            fields.push(0);
        }
        fields.extend([code, 1, kind, 0]);
        fields.extend((text.len() as u32).to_le_bytes());
        fields.extend(text.as_bytes());
        fields.push(0);
    }
    let mut message = vec![b'l', 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0];
    message.extend((fields.len() as u32).to_le_bytes());
    message.extend(fields);
    while message.len() % 8 != 0 {
        message.push(0);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_from_what_is_sent() {
        let mut sent = b"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n".to_vec();
        sent.extend(call("org.freedesktop.DBus", "Hello"));
        sent.extend(call("org.freedesktop.systemd1.Manager", "StartUnit"));
        let methods = methods(&sent).unwrap();
        assert_eq!(
            methods,
            [
                "org.freedesktop.DBus.Hello",
                "org.freedesktop.systemd1.Manager.StartUnit"
            ]
        );
    }

    #[test]
    fn what_is_no_whole_message_is_an_error() {
        let whole = call("a.b", "Hello");
        assert!(methods(&whole[..whole.len() - 1]).is_err());
        assert!(methods(b"something else").is_err());
    }
}
