//! Handing in what a run did; kept for later where the server cannot be reached.

use super::channel::CallError;
use super::server::Server;
use super::spool::{REPORT_LIMIT, Spool, Weight};
use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

/// The document as a value.
pub fn value(document: &impl Serialize) -> Value {
    serde_json::to_value(document).expect("a document has only string keys")
}

/// Puts a report behind those that wait.
///
/// # Errors
/// Of the file system.
pub fn keep(spool: &Spool, document: &Value) -> anyhow::Result<()> {
    let weight = if document["result"] == "converged" {
        Weight::Quiet
    } else {
        Weight::Telling
    };
    spool
        .push(&bounded(document), weight)
        .context("keeping the report")
}

/// Sends what waits, oldest first, as long as the server takes it.
///
/// # Errors
/// Where the disk fails, or the server will never take one: that one is given up.
pub async fn flush(server: &Server, spool: &Spool) -> anyhow::Result<()> {
    while let Some(waiting) = spool.first().context("reading the reports that wait")? {
        match server.report(waiting.document.clone()).await {
            Ok(()) => spool.done(&waiting).context("a report that was sent")?,
            Err(CallError::Away { .. } | CallError::Refused(_)) => return Ok(()),
            Err(error @ CallError::Said { .. }) => {
                spool
                    .done(&waiting)
                    .context("a report that was not taken")?;
                return Err(anyhow::Error::new(error).context("a report was not taken"));
            }
        }
    }
    Ok(())
}

/// The document, without its diffs where it would be too long, and without its changes where it still is.
fn bounded(document: &Value) -> Vec<u8> {
    let whole = document.to_string().into_bytes();
    if whole.len() <= REPORT_LIMIT {
        return whole;
    }
    let mut short = document.clone();
    for change in short["changes"].as_array_mut().into_iter().flatten() {
        change["diff"] = Value::Null;
    }
    let without_diffs = short.to_string().into_bytes();
    if without_diffs.len() <= REPORT_LIMIT {
        return without_diffs;
    }
    short["changes"] = Value::Array(Vec::new());
    short.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_fits_into_a_message() {
        let small = json!({"result": "applied", "changes": [{"diff": "x"}]});
        assert_eq!(bounded(&small), small.to_string().into_bytes());
        let long = json!({"result": "applied", "changes": [{"diff": "x".repeat(REPORT_LIMIT)}]});
        let shown: Value = serde_json::from_slice(&bounded(&long)).unwrap();
        assert_eq!(
            shown,
            json!({"result": "applied", "changes": [{"diff": null}]})
        );
        let many = json!({"result": "failed", "changes": [{"after": "x".repeat(REPORT_LIMIT)}]});
        let shown: Value = serde_json::from_slice(&bounded(&many)).unwrap();
        assert_eq!(shown, json!({"result": "failed", "changes": []}));
    }
}
