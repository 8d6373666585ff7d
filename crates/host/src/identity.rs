//! Who a peer is by its certificate: one DNS name, below a domain that no name server knows.

use core::fmt;

use scheme::ParticipantId;

/// The domain of every name of a nation; `internal` is kept from public use (ICANN, 2024).
const DOMAIN: &str = ".bongsu.internal";

/// What a certificate's subject alternative name says. It was proved to the shell; whether the
/// configuration knows such a peer, and what it may do, is the role's to say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerName {
    /// `hub.bongsu.internal`.
    Hub,
    /// `<name>.station.bongsu.internal`.
    Station(String),
    /// `<institution code>.bank.bongsu.internal`.
    Bank(ParticipantId),
    /// `<DE41>.terminal.bongsu.internal`, in lower case.
    Terminal(String),
    /// `<DE42>.retailer.bongsu.internal`, in lower case: all terminals of a retailer.
    Retailer(String),
}

impl PeerName {
    /// Reads a DNS name; upper and lower case are the same (RFC 4343).
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(DOMAIN)?;
        if name == "hub" {
            return Some(Self::Hub);
        }
        let (who, kind) = name.rsplit_once('.')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if who.is_empty() || !who.chars().all(plain) {
            return None;
        }
        match kind {
            "station" => Some(Self::Station(who.to_owned())),
            "bank" => {
                // One bank, one name: no leading zeros.
                let id = who.parse().ok().and_then(ParticipantId::new)?;
                (id.to_string() == who).then_some(Self::Bank(id))
            }
            "terminal" => Some(Self::Terminal(who.to_owned())),
            "retailer" => Some(Self::Retailer(who.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for PeerName {
    /// The DNS name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => write!(f, "hub{DOMAIN}"),
            Self::Station(name) => write!(f, "{name}.station{DOMAIN}"),
            Self::Bank(id) => write!(f, "{id}.bank{DOMAIN}"),
            Self::Terminal(name) => write!(f, "{name}.terminal{DOMAIN}"),
            Self::Retailer(name) => write!(f, "{name}.retailer{DOMAIN}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_text_are_one() {
        let bank = ParticipantId::new(100_002).unwrap();
        let names = [
            (PeerName::Hub, "hub.bongsu.internal"),
            (PeerName::Station("nampo".into()), "nampo.station.bongsu.internal"),
            (PeerName::Bank(bank), "100002.bank.bongsu.internal"),
            (PeerName::Terminal("pyo00001".into()), "pyo00001.terminal.bongsu.internal"),
            (PeerName::Retailer("pyo-shop-1".into()), "pyo-shop-1.retailer.bongsu.internal"),
        ];
        for (name, text) in names {
            assert_eq!(name.to_string(), text);
            assert_eq!(PeerName::parse(text), Some(name.clone()));
            assert_eq!(PeerName::parse(&text.to_uppercase()), Some(name));
        }
        for none in [
            "",
            "hub",
            "hub.bongsu.internal.example",
            "evilhub.bongsu.internal",
            ".station.bongsu.internal",
            "*.station.bongsu.internal",
            "a.b.station.bongsu.internal",
            "nampo.stations.bongsu.internal",
            "0100002.bank.bongsu.internal",
            "bank.bongsu.internal",
            "x.bank.bongsu.internal",
        ] {
            assert_eq!(PeerName::parse(none), None, "{none}");
        }
    }
}
