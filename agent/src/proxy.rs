//! The proxy that this process was told to use, in the variables that all know.

use std::collections::BTreeMap;

/// In lower case alone: the upper case of the first is what a web server takes from a request.
const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];

/// Those variables that are set, for a program that is to go by the same proxy.
pub fn variables() -> BTreeMap<String, String> {
    let set = NAMES.iter().filter_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then(|| ((*name).to_owned(), value))
    });
    set.collect()
}
