//! The channels of one process: which doors and calls are secure, with which keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use host::config::{Channels, Profile};
use host::view::MacsRead;
use host::{Config, Door, Level, LinkMacs};
use keys::LinkMac;
use scheme::ParticipantId;

use crate::clock;
use crate::error::RunError;
use crate::event_loop::Reactor;
use crate::key_files;
use crate::layout::Layout;
use crate::limits::{CERTIFICATE_DAYS_LOW, HANDSHAKE_WAIT};
use crate::process::Process;
use crate::tls::{Handshakes, Material, Setting, authority, files};

/// Whether a door has TLS. Terminals are plain in the demo alone.
pub(crate) fn is_secure(config: &Config, door: Door) -> bool {
    match (door, config.profile) {
        (Door::Banks | Door::Trunk, _) => config.channels == Channels::Secure,
        (Door::Terminals, Profile::Demo) => false,
        (Door::Terminals, Profile::Production) => true,
    }
}

/// In the demo what is not there is made; anything else gets its keys from `bongsu init`.
pub(crate) fn prepare(layout: &Layout, config: &Config) -> Result<(), RunError> {
    match (config.channels, config.profile) {
        (Channels::Plain, _) | (_, Profile::Production) => Ok(()),
        // What the journals were written with is lost: that is for `key_files::vault` to say.
        (Channels::Secure, Profile::Demo) if key_files::are_lost(layout)? => Ok(()),
        (Channels::Secure, Profile::Demo) => {
            authority::ensure(layout, config, clock::read().wall).map(|_| ())
        }
    }
}

/// The thread of handshakes of a role that has secure doors or calls.
pub(crate) fn handshakes(
    process: &Process,
    reactor: &Reactor,
) -> Result<Option<Handshakes>, RunError> {
    let config = &process.config;
    if config.channels == Channels::Plain {
        return Ok(None);
    }
    let keys = process.layout.keys();
    let role = process.role.to_string();
    let material = Material::load(&keys, &role)?;
    let days = material.days_left(clock::read().wall);
    if days.is_some_and(|days| days < CERTIFICATE_DAYS_LOW.cast_signed()) {
        let values = [("days_left", days.into()), ("do", "renew it: `bongsu init --renew`".into())];
        process.log.say(Level::Warn, "certificate_ends_soon", &values);
    }
    let setting = Setting {
        material,
        keys,
        role,
        wait: HANDSHAKE_WAIT,
        reload: process.reload(),
        event_loop: reactor.waker(),
        counts: reactor.counts(),
        log: Arc::clone(&process.log),
    };
    Handshakes::start(setting).map(Some)
}

/// What to do about MAC keys that are not there when the hub starts.
const MAC_KEYS_DO: &str = "make it with `bongsu init DIR --renew`, and say `bongsu config apply`";

/// The MAC keys of these banks, as `DIR/keys` has them now.
pub(crate) fn macs_now(keys: &Path, banks: &[ParticipantId]) -> MacsRead {
    let read = |bank: &ParticipantId| {
        let keys = key_files::mac_keys(keys, *bank).map_err(|error| error.to_string());
        (*bank, keys.map(|(from, to)| LinkMac::hub_side(&from, &to)))
    };
    banks.iter().map(read).collect()
}

/// The hub's MAC keys of all banks. A bank without them is refused when it connects, and keeps
/// nobody else waiting.
pub(crate) fn macs(process: &Process) -> Result<LinkMacs, RunError> {
    if process.config.channels == Channels::Plain {
        return Ok(LinkMacs::Off);
    }
    let keys = process.layout.keys();
    let mut macs = BTreeMap::new();
    for bank in &process.config.participants {
        let paths = [files::mac_from_bank(&keys, bank.id), files::mac_to_bank(&keys, bank.id)];
        if let Some(missing) = paths.iter().find(|path| !path.exists()) {
            let values = [
                ("bank", bank.id.to_string().into()),
                ("where", missing.display().to_string().into()),
                ("do", MAC_KEYS_DO.into()),
            ];
            process.log.say(Level::Error, "no_mac_keys", &values);
            continue;
        }
        let (from, to) = key_files::mac_keys(&keys, bank.id)?;
        macs.insert(bank.id, LinkMac::hub_side(&from, &to));
    }
    Ok(LinkMacs::On(macs))
}
