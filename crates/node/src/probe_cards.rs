//! The cards of synthetic payments (R-FIRES). The configuration holds no card numbers: in `demo`
//! the simulated banks' probe accounts are known, elsewhere a key file names the cards.

use std::io::ErrorKind;
use std::path::Path;

use host::ProbeCard;
use host::config::{Config, ParticipantSection, Profile};
use keys::Expiry;
use scheme::Pan;

use crate::error::{RunError, RunErrorKind};
use crate::layout::Layout;

/// The file that names them, below the directory of keys: `CARD YYMM` a line.
const FILE: &str = "probe-cards.key";

/// The cards of the file, if there is one; else those of the simulated banks, in `demo`.
pub(crate) fn cards(layout: &Layout, config: &Config) -> Result<Vec<ProbeCard>, RunError> {
    let path = layout.keys().join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => read(&text, config, &path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(simulated(config)),
        Err(error) => Err(RunError::file("read the probe cards", &path, &error)),
    }
}

fn simulated(config: &Config) -> Vec<ProbeCard> {
    if config.profile != Profile::Demo {
        return Vec::new();
    }
    let simulation = &config.simulation;
    let card = |bank: &ParticipantSection| {
        let pan = parties::bank::pan(*bank.iins.first()?, simulation.probe_account)?;
        Some(ProbeCard { issuer: bank.id, pan, expiry: simulation.expiry })
    };
    config.participants.iter().filter_map(card).collect()
}

fn read(text: &str, config: &Config, path: &Path) -> Result<Vec<ProbeCard>, RunError> {
    let lines = text.lines().enumerate().map(|(at, line)| (at.saturating_add(1), line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            // The line itself is never told: it is a card.
            let refused = |message: &str| {
                let place = format!("{}:{number}", path.display());
                let remedy = "write a card number and its expiry a line: `NUMBER YYMM`";
                RunError::new(RunErrorKind::Keys, message, place, remedy)
            };
            let (pan, expiry) = line.split_once(' ').ok_or_else(|| refused("no expiry"))?;
            let pan = Pan::parse(pan.as_bytes()).ok().filter(|pan| pan.check().is_ok());
            let pan = pan.ok_or_else(|| refused("no card number"))?;
            let digits = expiry.trim().as_bytes();
            let expiry = Expiry::try_from(digits).ok();
            let expiry = expiry.filter(|digits| digits.iter().all(u8::is_ascii_digit));
            let expiry = expiry.ok_or_else(|| refused("no expiry"))?;
            let issuer = issuer(config, &pan).ok_or_else(|| refused("no bank has such cards"))?;
            Ok(ProbeCard { issuer: issuer.id, pan, expiry })
        })
        .collect()
}

/// The bank of the longest prefix.
fn issuer<'c>(config: &'c Config, pan: &Pan) -> Option<&'c ParticipantSection> {
    let prefixes = config
        .participants
        .iter()
        .flat_map(|bank| bank.iins.iter().map(move |iin| (iin.to_string(), bank)));
    let fitting = prefixes.filter(|(iin, _)| pan.digits().starts_with(iin.as_bytes()));
    fitting.max_by_key(|(iin, _)| iin.len()).map(|(_, bank)| bank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probe_cards_are_the_files_else_the_simulated_banks() {
        let layout = Layout::new(&crate::testing::temp_dir("probe-cards"));
        let mut config = Config::example();
        let simulated = cards(&layout, &config).unwrap();
        let banks: Vec<_> = config.participants.iter().map(|bank| bank.id).collect();
        assert_eq!(simulated.iter().map(|card| card.issuer).collect::<Vec<_>>(), banks);
        for (card, bank) in simulated.iter().zip(&config.participants) {
            let digits = std::str::from_utf8(card.pan.digits()).unwrap();
            assert!(digits.starts_with(&format!("{}000000096", bank.iins[0])));
        }
        config.profile = Profile::Production;
        assert!(cards(&layout, &config).unwrap().is_empty(), "only demo has simulated banks");
        std::fs::create_dir_all(layout.keys()).unwrap();
        let file = layout.keys().join(FILE);
        std::fs::write(&file, "# ours\n\n940802000000000963 3112\n").unwrap();
        let error = cards(&layout, &config).unwrap_err();
        assert!(error.place.ends_with(":3") && error.message == "no card number", "{error}");
        assert!(!error.to_string().contains("94080200"), "{error}");
        let pan = parties::bank::pan(config.participants[1].iins[0], 12).unwrap();
        let digits = String::from_utf8(pan.digits().to_vec()).unwrap();
        std::fs::write(&file, format!("# ours\n\n{digits} 3112\n")).unwrap();
        let found = cards(&layout, &config).unwrap();
        assert_eq!((found.len(), found[0].issuer, &found[0].expiry), (1, banks[1], b"3112"));
        for bad in [digits.clone(), format!("{digits} 31"), "4111111111111111 3112".to_owned()] {
            std::fs::write(&file, bad).unwrap();
            assert_eq!(cards(&layout, &config).unwrap_err().kind, RunErrorKind::Keys);
        }
    }
}
