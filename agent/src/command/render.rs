//! `cfg render`

use super::{Call, local, output, runtime, shown};
use crate::error::{Error, Exit};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Render {
    /// The catalog: the folder that holds a folder for each role.
    #[arg(long, value_name = "DIR", requires = "role")]
    catalog: PathBuf,
    #[command(flatten)]
    choice: local::Choice,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

impl Render {
    pub fn run(self, call: &Call) -> Result<Exit, Error> {
        let config = call.config()?;
        let taken = runtime()?.block_on(self.choice.role(&self.catalog, &config, None))?;
        let desired = taken.role.render(&taken.contents)?;
        if self.json {
            let resources: Vec<Value> = desired
                .resources
                .iter()
                .map(|resource| {
                    let place = json!({"file": resource.place.file, "line": resource.place.line});
                    json!({"resource": resource.id, "place": place, "keys": shown::keys(resource)})
                })
                .collect();
            let waiting = desired.waiting.all();
            let waiting: Vec<Value> = waiting
                .map(|(id, whom)| json!({"resource": id, "detail": whom.to_string()}))
                .collect();
            output::print_json(&json!({
                "version": 1, "role": desired.role, "resources": resources, "waiting": waiting,
            }))?;
            return Ok(Exit::Done);
        }
        let mut text = String::new();
        for resource in &desired.resources {
            text.push_str(&format!(
                "# {}:{}\n{}\n",
                resource.place.file,
                resource.place.line,
                shown::toml(resource)?
            ));
        }
        for (id, whom) in desired.waiting.all() {
            text.push_str(&format!("# {id}: {whom}\n"));
        }
        output::print(text.trim_end_matches('\n'))?;
        output::print("\n")?;
        Ok(Exit::Done)
    }
}
