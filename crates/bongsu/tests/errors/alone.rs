//! Every role runs alone on its own configuration.

use std::process::Command;

use crate::rig::{CARD, EXAMPLE, OTHER_CARD, PROGRAM, Place, Role, count};

const BANKS: [&str; 4] = ["100001", "100002", "100003", "100004"];

/// As on a machine of its own: a directory with the keys that the manual says to copy, and a file.
fn machine(place: &Place, name: &str, tls: &str, banks: &[&str]) {
    let (from, to) = (place.dir.join("made/keys"), place.dir.join(name).join("keys"));
    std::fs::create_dir_all(&to).unwrap();
    let copy = |file: &str| {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    };
    copy("ca.crt");
    if !tls.is_empty() {
        copy(&format!("tls-{tls}.crt"));
        copy(&format!("tls-{tls}.key"));
    }
    for bank in banks {
        copy(&format!("mac-{bank}-to-bank.key"));
        copy(&format!("mac-{bank}-from-bank.key"));
    }
    // Other terminals than the example's: a role that reads anything else knows them not.
    let text = EXAMPLE.replace("\"PYO000", "\"PYX000");
    std::fs::write(place.dir.join(format!("{name}.toml")), text).unwrap();
}

fn start(place: &Place, name: &str, role: &[&str]) -> Role {
    let config = place.path(&format!("{name}.toml"));
    place.start(name, &[role, &["--config", &config]].concat())
}

#[test]
fn every_role_runs_alone_on_its_own_configuration_and_pays() {
    let place = Place::new("alone");
    let made = Command::new(PROGRAM).args(["init", &place.path("made")]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    machine(&place, "hub", "hub", &BANKS);
    machine(&place, "station", "station-pyongyang", &[]);
    machine(&place, "shops", "", &[]);
    let hub = start(&place, "hub", &["hub"]);
    let station = start(&place, "station", &["station", "pyongyang"]);
    let mut banks = Vec::new();
    for bank in BANKS {
        let name = format!("bank-{bank}");
        machine(&place, &name, &name, &[bank]);
        banks.push(start(&place, &name, &["bank", bank]));
    }
    assert_eq!(place.paid("station", CARD)["terminal"], "PYX00001");
    place.paid("station", OTHER_CARD);
    let config = place.path("shops.toml");
    let shops = place.shops("shops", &["--traffic", "40", "--config", &config]);
    let dir = place.dir.join("shops");
    crate::rig::eventually("shops' payments", || {
        count(&dir, &node::RoleName::Shops, "approved").is_some_and(|count| count > 10)
    });
    shops.stop();
    station.stop();
    banks.into_iter().for_each(Role::stop);
    hub.stop();
    let (code, report) = place.verify("hub");
    assert_eq!((code, &report["ok"]), (0, &true.into()), "{report}");
}
