//! The nation's private authority: makes what is not there, replaces nothing but its own
//! certificates that end soon.

use std::path::Path;

use host::{Config, PeerName};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use scheme::{CivilDateTime, Timestamp};

use super::{files, validity};
use crate::error::{RunError, RunErrorKind};
use crate::layout::{Layout, make_dir, write_whole};
use crate::limits::{
    AUTHORITY_DAYS, CERTIFICATE_DAYS, CERTIFICATE_DAYS_LOW, CLOCK_ALLOWANCE_DAYS, PREDECESSOR_WAIT,
};
use crate::lock::Lock;
use crate::role::RoleName;

/// The authority's distinguished name: the issuer's in every certificate, so it never changes.
const NAME: &str = "Bongsu private authority";
const DAY_S: u64 = 86_400;

/// Makes, below `DIR/keys`, what a nation's channels need and is not there: the authority, a
/// certificate for hub, stations and banks, and the banks' MAC keys. Certificates of less than 30
/// days are renewed. Without the authority's key nothing is made: this directory then got its files
/// from elsewhere. Returns what was made, for a person.
pub fn ensure(layout: &Layout, config: &Config, now: Timestamp) -> Result<Vec<String>, RunError> {
    let keys = layout.keys();
    make_dir(&keys).map_err(|error| RunError::file("make the directory", &keys, &error))?;
    // Roles that start together make one authority.
    let _lock = Lock::take(&keys.join("lock"), "keys", PREDECESSOR_WAIT)?;
    let mut made = Vec::new();
    let (certificate, key) = (files::authority_certificate(&keys), files::authority_key(&keys));
    if !key.exists() && !certificate.exists() {
        make_authority(&keys, now)?;
        made.push("ca.crt".to_owned());
    }
    if key.exists() {
        let params = authority_params(now);
        let issuer = Issuer::from_params(&params, authority_pair(&keys)?);
        for (role, name) in peers(config) {
            let path = files::certificate(&keys, &role);
            if is_good(&path, now) && files::private_key(&keys, &role).exists() {
                continue;
            }
            issue(&keys, &role, &name, &issuer, now)?;
            made.push(format!("tls-{role}.crt"));
        }
        for bank in &config.participants {
            if crate::key_files::make_mac_keys(&keys, bank.id)? {
                made.push(format!("mac-{}-*.key", bank.id));
            }
        }
    }
    Ok(made)
}

/// Makes a certificate and its key for one peer under that role's file names, in the place of what
/// was there.
pub fn certify(
    layout: &Layout,
    role: &str,
    name: &PeerName,
    now: Timestamp,
) -> Result<(), RunError> {
    let keys = layout.keys();
    let pair = authority_pair(&keys)?;
    let _lock = Lock::take(&keys.join("lock"), "keys", PREDECESSOR_WAIT)?;
    let params = authority_params(now);
    issue(&keys, role, name, &Issuer::from_params(&params, pair), now)
}

fn authority_pair(keys: &Path) -> Result<KeyPair, RunError> {
    let path = files::authority_key(keys);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| RunError::file("read the authority's key", &path, &error))?;
    KeyPair::from_pem(&text).map_err(|error| failed(&path, &error))
}

/// Hub, stations and banks: the role's name and the name in its certificate.
fn peers(config: &Config) -> Vec<(String, PeerName)> {
    let stations = config.stations.iter().map(|station| {
        (RoleName::Station(station.name.clone()), PeerName::Station(station.name.clone()))
    });
    let banks =
        config.participants.iter().map(|bank| (RoleName::Bank(bank.id), PeerName::Bank(bank.id)));
    let hub = (RoleName::Hub, PeerName::Hub);
    std::iter::once(hub)
        .chain(stations)
        .chain(banks)
        .map(|(role, name)| (role.to_string(), name))
        .collect()
}

/// Whether the file holds a certificate that does not end soon.
fn is_good(path: &Path, now: Timestamp) -> bool {
    let ends = CertificateDer::from_pem_file(path).ok().and_then(|own| validity::ends(&own));
    ends.is_some_and(|ends| ends.seconds() >= now.seconds() + CERTIFICATE_DAYS_LOW * DAY_S)
}

fn make_authority(keys: &Path, now: Timestamp) -> Result<(), RunError> {
    let path = files::authority_certificate(keys);
    let pair = KeyPair::generate().map_err(|error| failed(&path, &error))?;
    let certificate =
        authority_params(now).self_signed(&pair).map_err(|error| failed(&path, &error))?;
    // The key first: a certificate without it would stop every later step.
    keep(&files::authority_key(keys), &pair.serialize_pem())?;
    keep(&path, &certificate.pem())
}

pub(super) fn authority_params(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, NAME);
    // It signs peers, and no authority signs below it.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    within(&mut params, now, AUTHORITY_DAYS);
    params
}

/// Makes a key and a certificate for `name` and keeps them under the role's file names.
pub(super) fn issue(
    keys: &Path,
    role: &str,
    name: &PeerName,
    issuer: &Issuer<'_, KeyPair>,
    now: Timestamp,
) -> Result<(), RunError> {
    let path = files::certificate(keys, role);
    let mut params = peer_params(&name.to_string()).map_err(|error| failed(&path, &error))?;
    within(&mut params, now, CERTIFICATE_DAYS);
    let pair = KeyPair::generate().map_err(|error| failed(&path, &error))?;
    let certificate = params.signed_by(&pair, issuer).map_err(|error| failed(&path, &error))?;
    keep(&files::private_key(keys, role), &pair.serialize_pem())?;
    keep(&path, &certificate.pem())
}

/// A peer is server and client: a hub is called and calls nobody yet, but a certificate lives long.
pub(super) fn peer_params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Valid from yesterday, for clocks that are behind, and for so many days.
pub(super) fn within(params: &mut CertificateParams, now: Timestamp, days: u64) {
    let date = |seconds: u64| {
        let civil = CivilDateTime::from_seconds(seconds);
        date_time_ymd(i32::from(civil.year), civil.month, civil.day)
    };
    params.not_before = date(now.seconds().saturating_sub(CLOCK_ALLOWANCE_DAYS * DAY_S));
    params.not_after = date(now.seconds().saturating_add(days * DAY_S));
}

/// A file of mode 0600, whole or not at all.
fn keep(path: &Path, text: &str) -> Result<(), RunError> {
    write_whole(path, text.as_bytes())
        .map_err(|error| RunError::file("write the key file", path, &error))
}

fn failed(path: &Path, error: &rcgen::Error) -> RunError {
    let place = path.display().to_string();
    let remedy = "check the file; what the authority has made is in the backup of the keys";
    RunError::new(RunErrorKind::Keys, error.to_string(), place, remedy)
}
