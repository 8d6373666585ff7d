//! Where keys and certificates lie below `DIR/keys` (`docs/formats/directory.md`).

use std::path::{Path, PathBuf};

use scheme::ParticipantId;

/// The authority's certificate: whom it signs is of this nation.
pub fn authority_certificate(keys: &Path) -> PathBuf {
    keys.join("ca.crt")
}

/// The authority's own key. Needed to make certificates and for nothing else.
pub fn authority_key(keys: &Path) -> PathBuf {
    keys.join("ca.key")
}

/// A role's certificate, by the role's name: `hub`, `station-nampo`, `bank-100001`.
pub fn certificate(keys: &Path, role: &str) -> PathBuf {
    keys.join(format!("tls-{role}.crt"))
}

/// A role's private key.
pub fn private_key(keys: &Path, role: &str) -> PathBuf {
    keys.join(format!("tls-{role}.key"))
}

/// MAC key of what a bank sends to the hub.
pub fn mac_from_bank(keys: &Path, bank: ParticipantId) -> PathBuf {
    keys.join(format!("mac-{bank}-from-bank.key"))
}

/// MAC key of what the hub sends to a bank.
pub fn mac_to_bank(keys: &Path, bank: ParticipantId) -> PathBuf {
    keys.join(format!("mac-{bank}-to-bank.key"))
}
