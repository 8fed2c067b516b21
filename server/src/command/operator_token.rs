//! `cfg-server operator-token`: whoever can read the CA's key may let an operator in.

use crate::config::Config;
use crate::founding;

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let (log, ca) = super::opened(config).await?;
    let (secret, _) = log
        .create_token("cfg-server operator-token", founding::operator_token())
        .await?;
    super::init::tell(config, &ca.digest().to_string(), secret.text())
}
