//! A new nation's directory: configuration, keys, certificates. Starts nothing, listens nowhere.

use std::path::Path;

use host::{Config, PeerName};

use crate::clock;
use crate::error::{RunError, RunErrorKind};
use crate::layout::make_dir;
use crate::options::RunOptions;
use crate::tls::authority;

/// Makes a nation in an empty or new directory: `nation.toml` (the one given, or the commented
/// example), the authority, certificates of hub, stations and banks, MAC keys. Returns what was
/// made, below the directory.
pub fn init(options: &RunOptions) -> Result<Vec<String>, RunError> {
    let dir = &options.dir;
    if is_used(dir)? {
        let remedy = "name a new directory; in one that holds a nation, --renew makes what is \
                      missing below keys/";
        let place = dir.display().to_string();
        return Err(RunError::new(RunErrorKind::File, "the directory is not empty", place, remedy));
    }
    let (config, text) = options.decide()?;
    make_dir(dir).map_err(|error| RunError::file("make the directory", dir, &error))?;
    options.keep(text.as_deref())?;
    let mut made = vec!["nation.toml".to_owned()];
    made.extend(keys(options, &config)?);
    Ok(made)
}

/// Makes what is missing below `keys/` of a nation that is there, and renews certificates that end
/// within 30 days. Running roles take new certificates by themselves.
pub fn renew(options: &RunOptions) -> Result<Vec<String>, RunError> {
    let config = existing(options)?;
    keys(options, &config)
}

/// Makes a certificate and its key for a peer of a nation that is there: a terminal, a retailer, or
/// any other by its DNS name. One of the same name is replaced.
pub fn certify(options: &RunOptions, peer: &PeerName) -> Result<Vec<String>, RunError> {
    existing(options)?;
    let role = match peer {
        PeerName::Hub => "hub".to_owned(),
        PeerName::Station(name) => format!("station-{name}"),
        PeerName::Bank(id) => format!("bank-{id}"),
        PeerName::Terminal(name) => format!("terminal-{name}"),
        PeerName::Retailer(name) => format!("retailer-{name}"),
    };
    authority::certify(&options.layout(), &role, peer, clock::read().wall)?;
    Ok(vec![format!("keys/tls-{role}.crt"), format!("keys/tls-{role}.key")])
}

fn keys(options: &RunOptions, config: &Config) -> Result<Vec<String>, RunError> {
    let made = authority::ensure(&options.layout(), config, clock::read().wall)?;
    Ok(made.into_iter().map(|file| format!("keys/{file}")).collect())
}

fn existing(options: &RunOptions) -> Result<Config, RunError> {
    let kept = options.layout().config();
    if kept.exists() {
        return options.configuration();
    }
    let remedy = "make one with `bongsu init DIR`";
    let place = kept.display().to_string();
    Err(RunError::new(RunErrorKind::File, "there is no nation here", place, remedy))
}

fn is_used(dir: &Path) -> Result<bool, RunError> {
    match std::fs::read_dir(dir) {
        Ok(mut list) => Ok(list.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(RunError::file("read the directory", dir, &error)),
    }
}
