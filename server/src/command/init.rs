//! `cfg-server init`.

use crate::config::Config;
use crate::founding;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// What the fleet is called, in certificates and releases.
    #[arg(long, value_name = "NAME", default_value = "fleet")]
    fleet: String,
    /// A name or address of this server, when there is no configuration yet; may be repeated.
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
}

impl Init {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let mut config = config.clone();
        if !self.names.is_empty() {
            config.names.clone_from(&self.names);
        }
        let founded = founding::found(&config, &self.fleet).await?;
        let ca = founded.ca.digest().to_string();
        tell(&config, &ca, founded.token.text())?;
        if !self.names.is_empty() {
            let names: Vec<String> = self.names.iter().map(|name| format!("{name:?}")).collect();
            anstream::eprintln!(
                "Put this into server.toml, so that the server's certificate names it:\n  names = [{}]",
                names.join(", ")
            );
        }
        Ok(())
    }
}

/// What an operator needs next: two lines for scripts too, and for people what to do with them.
pub(super) fn tell(config: &Config, ca: &str, token: &str) -> anyhow::Result<()> {
    let url = config.told()?;
    anstream::println!("ca-sha256: {ca}");
    anstream::println!("operator-token: {token}");
    anstream::eprintln!(
        "The token works once, within an hour. At the operator's desk, with the token in a file \
         (or in CFG_TOKEN, without --token-file):\n  \
         cfg operator init --server {url} --token-file FILE --ca-sha256 {ca}"
    );
    Ok(())
}
