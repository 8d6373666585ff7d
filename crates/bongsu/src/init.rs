//! `bongsu init`: a new nation's directory, and its certificates later on.

use std::path::PathBuf;

use clap::Args;
use host::PeerName;
use node::RunOptions;
use serde_json::json;

use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Write a starter nation: commented configuration, keys, certificates of a private authority
///
/// The directory must be new or empty. Prints what was made, and what to do next. The authority's
/// key, keys/ca.key, makes anybody a peer of the nation: keep it where no role runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu init /tmp/nation
  bongsu init /tmp/nation --renew
  bongsu init /tmp/nation --renew --config changed.toml
  bongsu init /tmp/nation --for pyo00001.terminal.bongsu.internal")]
pub(crate) struct Init {
    /// The nation's directory
    dir: PathBuf,
    /// Configuration to start from; by default the example nation's, which is commented. With
    /// --renew: one whose keys are made, as before `config apply`, instead of the nation's own
    #[arg(long, value_name = "FILE", conflicts_with = "peer")]
    config: Option<PathBuf>,
    /// In a nation that is there: make missing keys, renew certificates of less than 30 days
    #[arg(long)]
    renew: bool,
    /// In a nation that is there: make a certificate for the peer of this name
    #[arg(long = "for", value_name = "NAME", conflicts_with = "renew")]
    peer: Option<String>,
    #[command(flatten)]
    format: FormatArg,
}

impl Init {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let options = RunOptions {
            dir: self.dir.clone(),
            config: self.config,
            port_base: 0,
            http: None,
            traffic: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let dir = self.dir.display().to_string();
        let (made, next) = match (self.renew, self.peer) {
            (true, _) => (node::renew(&options)?, renewed()),
            (false, Some(peer)) => (node::certify(&options, &name(&peer)?)?, certified()),
            (false, None) => (node::init(&options)?, begun(&dir)),
        };
        match self.format.format {
            Format::Json => {
                output::json(&json!({ "dir": dir, "made": made, "next": next }))?;
            }
            Format::Text => {
                let nothing = "nothing: all is there, and no certificate ends within 30 days";
                let made = if made.is_empty() { nothing.to_owned() } else { made.join("\n  ") };
                let next = next.join("\n  ");
                output::text(&format!("made in {dir}\n  {made}\nnext\n  {next}"))?;
            }
        }
        Ok(Exit::Fine)
    }
}

fn name(text: &str) -> Result<PeerName, Failure> {
    PeerName::parse(text).ok_or_else(|| {
        Failure::new("name", format!("\"{text}\" names no peer of a nation"))
            .at("--for")
            .todo("write NAME.terminal.bongsu.internal, or station, bank, retailer; or hub")
    })
}

fn begun(dir: &str) -> Vec<String> {
    vec![
        format!("read and change {dir}/nation.toml; then `bongsu config check {dir}/nation.toml`"),
        format!("try it on this machine: `bongsu up --dir {dir}`"),
        format!(
            "for a machine of its own, give each role {dir}/nation.toml, keys/ca.crt and its own \
             keys/tls-*; a bank and the hub also keys/mac-*"
        ),
        format!("move {dir}/keys/ca.key to where no role runs, and keep a copy"),
    ]
}

fn renewed() -> Vec<String> {
    vec!["copy each role's new files to its machine: it takes them without a restart".to_owned()]
}

fn certified() -> Vec<String> {
    vec!["give the peer these two files and keys/ca.crt".to_owned()]
}
