//! What a role reads of `DIR/keys` for its channels.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use host::PeerName;
use keys::LinkMac;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig};
use rustls::{ServerConnection, crypto};
use scheme::{ParticipantId, Timestamp};

use super::channel::Channel;
use super::{files, validity};
use crate::error::{RunError, RunErrorKind};
use crate::limits::HANDSHAKE_WAIT;

/// A role's certificate with its key, and the authority that others must be signed by.
#[derive(Clone, Debug)]
pub struct Material {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    /// When the role's own certificate ends.
    ends: Option<Timestamp>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(crypto::CryptoProvider { ..aws_lc_rs::default_provider() })
}

impl Material {
    /// Reads the files of a role, by its name (`hub`, `station-nampo`, `bank-100001`).
    pub fn load(keys: &Path, role: &str) -> Result<Self, RunError> {
        let authority = certificates(&files::authority_certificate(keys))?;
        let path = files::certificate(keys, role);
        let chain = certificates(&path)?;
        let ends = chain.first().and_then(|own| validity::ends(own));
        let key_path = files::private_key(keys, role);
        let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|e| unread(&key_path, &e))?;
        let mut roots = RootCertStore::empty();
        for certificate in authority {
            roots.add(certificate).map_err(|error| {
                let place = files::authority_certificate(keys);
                unfit(&place, error, "put back ca.crt of this nation")
            })?;
        }
        let roots = Arc::new(roots);
        let unfit_own = |error| {
            let remedy = "put back certificate and key as they were made together";
            unfit(&path, error, remedy)
        };
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider()).build();
        let verifier = verifier.map_err(|error| unfit(&path, error, "put back ca.crt"))?;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unfit_own)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(unfit_own)?;
        // A connection lives for days: resumption saves nothing, and its tickets are secrets.
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unfit_own)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(unfit_own)?;
        client.resumption = Resumption::disabled();
        Ok(Self { server: Arc::new(server), client: Arc::new(client), ends })
    }

    /// When the role's own certificate ends.
    pub fn ends(&self) -> Option<Timestamp> {
        self.ends
    }

    /// Whole days until the role's certificate ends; negative once it has.
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        let day_s = 86_400;
        let (ends, now) = (self.ends?.seconds().cast_signed(), now.seconds().cast_signed());
        Some((ends - now).div_euclid(day_s))
    }

    /// The server's side of a new connection.
    pub(super) fn answer(&self) -> Result<Connection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.server)).map(Connection::from)
    }

    /// The client's side of a new connection to the peer of that name.
    pub(super) fn call(&self, peer: &PeerName) -> Result<Connection, rustls::Error> {
        let name = ServerName::try_from(peer.to_string())
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        ClientConnection::new(Arc::clone(&self.client), name).map(Connection::from)
    }
}

/// The calling side for a program with a loop of its own: a measurement, a test.
#[derive(Clone, Debug)]
pub struct ClientSide {
    material: Material,
    peer: PeerName,
}

impl ClientSide {
    /// Calls `peer` with the keys of `role` (`bank-100001`) below `DIR/keys`.
    pub fn load(keys: &Path, role: &str, peer: PeerName) -> Result<Self, RunError> {
        Ok(Self { material: Material::load(keys, role)?, peer })
    }

    /// Connects and shakes hands, waiting as long as that may take. The stream is blocking and has
    /// a read timeout; whoever puts it into a loop of its own changes that.
    ///
    /// What the peer has sent behind its handshake is still in the channel: open nothing first.
    pub fn connect(&self, to: SocketAddr) -> std::io::Result<(std::net::TcpStream, Channel)> {
        self.connect_within(to, HANDSHAKE_WAIT)
    }

    /// [`Self::connect`] with another wait for each answer of the other side.
    pub(super) fn connect_within(
        &self,
        to: SocketAddr,
        wait: Duration,
    ) -> std::io::Result<(std::net::TcpStream, Channel)> {
        let mut stream = std::net::TcpStream::connect_timeout(&to, wait)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(wait))?;
        let mut tls = self.material.call(&self.peer).map_err(std::io::Error::other)?;
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut stream)?;
        }
        Ok((stream, Channel::new(tls)))
    }
}

/// The MAC keys of a bank's link, on the bank's side.
pub fn bank_mac(keys: &Path, bank: ParticipantId) -> Result<LinkMac, RunError> {
    let (from, to) = crate::key_files::mac_keys(keys, bank)?;
    Ok(LinkMac::bank_side(&from, &to))
}

/// Newest change among files; a file that is not there has none.
pub(super) fn changed(keys: &Path, role: &str) -> [Option<SystemTime>; 3] {
    let paths: [PathBuf; 3] = [
        files::authority_certificate(keys),
        files::certificate(keys, role),
        files::private_key(keys, role),
    ];
    paths.map(|path| path.metadata().and_then(|data| data.modified()).ok())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RunError> {
    let list = CertificateDer::pem_file_iter(path).map_err(|error| unread(path, &error))?;
    let list = list.collect::<Result<Vec<_>, _>>().map_err(|error| unread(path, &error))?;
    if list.is_empty() {
        return Err(unfit(path, "no certificate in the file", "put back the file as it was"));
    }
    Ok(list)
}

fn unread(path: &Path, error: &rustls::pki_types::pem::Error) -> RunError {
    let remedy = "make it with `bongsu init DIR --renew`, or copy this role's files and ca.crt \
                  from where they were made";
    let what = match error {
        rustls::pki_types::pem::Error::Io(error) => format!("cannot read the file: {error}"),
        other => other.to_string(),
    };
    unfit(path, what, remedy)
}

fn unfit(path: &Path, what: impl ToString, remedy: &'static str) -> RunError {
    RunError::new(RunErrorKind::Keys, what.to_string(), path.display().to_string(), remedy)
}
