//! Repositories: what apt says of them when it fetches what they have.

use crate::apt::{Apt, Missing, sources, words};
use crate::run::site::Complaint;
use cfg_catalog::resource::{Body, Desired};

/// Refreshes the index where that is due. Gives apt's complaint where it could not be refreshed whole, and what of it is about
/// the role's repositories.
///
/// # Errors
/// Where the sources cannot be read or apt cannot be run.
pub fn refresh(
    apt: &Apt<'_>,
    desired: &Desired,
    missing: Missing,
) -> anyhow::Result<Option<Complaint>> {
    let Some(text) = apt.refresh(missing)? else {
        return Ok(None);
    };
    let of = desired.resources.iter().filter_map(|resource| {
        let Body::Repository(repository) = &resource.body else {
            return None;
        };
        let own = sources::of(repository);
        let about = |line: &&str| own.iter().any(|source| source.is_in(line));
        let lines: Vec<&str> = text.lines().filter(about).collect();
        (!lines.is_empty()).then(|| (resource.id.clone(), lines.join("\n")))
    });
    let complaint = Complaint {
        of: of.collect(),
        text: text.clone(),
    };
    // What others have let go is no reason to fetch all again in each run; what the role names is.
    let all_read = !words::is_of_lock(&text) && !text.contains("could not be read");
    if !complaint.of.is_empty() {
        apt.index().lacks(&complaint.of)?;
    } else if all_read {
        apt.index().refreshed_now()?;
    }
    Ok(Some(complaint))
}
