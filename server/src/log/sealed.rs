//! A document with its SHA-256 in front, so that a torn or damaged one is known as such.

use super::LogError;
use bytes::Bytes;
use cfg_catalog::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format this version writes, and the newest it reads: one more where there is a word that the version before does not know, so
/// that it asks to be upgraded. Of 2 are members who join, machines that are gone, and slots; of 3 are releases whose sequence leaves some
/// out.
pub const FORMAT: u32 = 3;

#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// Seals a document. The digest names what is in it.
pub fn seal<T: Serialize>(document: &T) -> Result<(Digest, Bytes), LogError> {
    let json = serde_json::to_vec(document).map_err(LogError::Unwritable)?;
    let digest = Digest::of(&json);
    let mut bytes = format!("{digest}\n").into_bytes();
    bytes.extend_from_slice(&json);
    bytes.push(b'\n');
    Ok((digest, bytes.into()))
}

/// Opens a sealed document.
///
/// # Errors
/// Where it is not whole, or a newer version wrote it.
pub fn open<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<(Digest, T), LogError> {
    let damaged = |why: String| LogError::Damaged {
        path: path.to_owned(),
        why,
    };
    let (seal, json) = bytes
        .split_at_checked(65)
        .ok_or_else(|| damaged(format!("it has {} bytes", bytes.len())))?;
    let wanted: Digest = std::str::from_utf8(&seal[..64])
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| damaged("it does not begin with a digest".into()))?;
    let json = json.strip_suffix(b"\n").unwrap_or(json);
    if Digest::of(json) != wanted {
        return Err(damaged("its content is not what its digest says".into()));
    }
    let broken = |error: serde_json::Error| damaged(error.to_string());
    let header: Header = serde_json::from_slice(json).map_err(broken)?;
    if header.format > FORMAT {
        return Err(LogError::Newer {
            path: path.to_owned(),
            format: header.format,
        });
    }
    let document = serde_json::from_slice(json).map_err(broken)?;
    Ok((wanted, document))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn whole() {
        let (digest, bytes) = seal(&json!({"format": 1, "x": "y"})).unwrap();
        let (found, document) = open::<Value>("log/1", &bytes).unwrap();
        assert_eq!((found, document["x"].as_str()), (digest, Some("y")));
    }

    #[test]
    fn every_cut_and_every_flip_is_seen() {
        let (_, bytes) = seal(&json!({"format": 1, "x": "y"})).unwrap();
        // The last byte is a newline for people who look at it.
        for end in 0..bytes.len() - 1 {
            let error = open::<Value>("log/1", &bytes[..end]).unwrap_err();
            assert!(matches!(error, LogError::Damaged { .. }), "{end}: {error}");
        }
        for at in (0..64).chain(65..bytes.len()) {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1;
            assert!(open::<Value>("log/1", &flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn newer() {
        let (_, bytes) = seal(&json!({"format": FORMAT + 1, "surprise": []})).unwrap();
        let error = open::<Value>("log/1", &bytes).unwrap_err();
        assert!(error.to_string().contains("upgrade cfg-server"), "{error}");
    }
}
