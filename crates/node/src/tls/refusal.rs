//! Why a connection did not come about, in a counter's word and in a person's.

use rustls::{CertificateError, Error, PeerIncompatible};

/// A refusal: counted under `why`, logged with `what` and `remedy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// For the counters.
    pub why: &'static str,
    /// What happened, in TLS's own words.
    pub what: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Refusal {
    pub(super) fn new(why: &'static str, what: impl ToString, remedy: &'static str) -> Self {
        Self { why, what: what.to_string(), remedy }
    }

    /// The handshake took too long.
    pub(super) fn late() -> Self {
        let remedy = "check the network and that the peer speaks TLS 1.3 on this port";
        Self::new("tls_timeout", "no handshake in time", remedy)
    }

    /// The peer hung up.
    pub(super) fn ended() -> Self {
        let remedy = "see the peer's own log: it did not like what it was shown";
        Self::new("tls_ended", "the peer closed during the handshake", remedy)
    }

    /// The system.
    pub(super) fn system(error: &std::io::Error) -> Self {
        Self::new("tls_broken", error, "check the network")
    }

    /// Too many at once.
    pub(crate) fn busy() -> Self {
        let remedy = "nothing: the peer calls again; if it goes on, look for who storms this port";
        Self::new("tls_busy", "too many handshakes at once", remedy)
    }

    /// A certificate that does not name one peer of a nation.
    pub(super) fn nameless(what: impl ToString) -> Self {
        let remedy = "make the certificate with one DNS name as in 100001.bank.bongsu.internal";
        Self::new("tls_wrong_name", what, remedy)
    }

    /// An error of TLS.
    pub(crate) fn of(error: &Error) -> Self {
        let (why, remedy) = match error {
            Error::NoCertificatesPresented => {
                ("tls_no_certificate", "give the peer its certificate: both sides must show one")
            }
            Error::InvalidCertificate(error) => certificate(error),
            Error::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::Tls13RequiredForQuic
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => ("tls_version", "let the peer speak TLS 1.3: nothing older is taken"),
            Error::PeerIncompatible(_) => {
                ("tls_incompatible", "let the peer offer TLS 1.3 with its usual cipher suites")
            }
            Error::InvalidMessage(_) => {
                ("tls_garbage", "let the peer speak TLS 1.3 on this port: it sent something else")
            }
            Error::AlertReceived(_) => (
                "tls_alert",
                "see the peer's own log: it refused our certificate; compare both sides' ca.crt",
            ),
            _ => ("tls_error", "see the peer's own log"),
        };
        Self::new(why, error, remedy)
    }
}

fn certificate(error: &CertificateError) -> (&'static str, &'static str) {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "tls_wrong_ca",
            "give the peer a certificate of this nation's authority, and both sides its ca.crt",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("tls_expired", "renew the peer's certificate")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("tls_not_yet", "check both machines' clocks")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ("tls_wrong_name", "check the address: another peer of the nation answers there")
        }
        _ => ("tls_certificate", "make the peer's certificate anew, as `bongsu init` does"),
    }
}
