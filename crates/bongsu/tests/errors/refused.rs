//! What is refused before anything is touched: ports, directories, other writers, files.

use std::net::TcpListener;

use crate::rig::{CARD, EXAMPLE, Place, refusal, says};

#[test]
fn a_taken_port_is_named_with_its_door_and_nothing_is_made() {
    let place = Place::new("port");
    let listen = |port: u16| TcpListener::bind(("127.0.0.1", place.base + port)).unwrap();
    let taken = [9583, 8080, 8584].map(listen);
    let at = |port: u16| format!("127.0.0.1:{}", place.base + port);
    for (role, doors) in [
        (&["up"][..], vec![("hub banks", 9583), ("hub http", 8080)]),
        (&["hub"], vec![("hub banks", 9583), ("hub http", 8080)]),
        (&["station", "nampo"], vec![("station-nampo terminals", 8584)]),
    ] {
        let error = place.refusal("new", role);
        assert_eq!(error["kind"], "port_in_use", "{error}");
        for (door, port) in doors {
            says(&error, "where", &[&format!("{door} {}", at(port))]);
        }
        says(&error, "do", &["ss -ltnp", "--port-base"]);
        assert!(!place.dir.join("new").exists(), "{role:?}");
    }
    drop(taken);
    place.start("new", &["hub"]).stop();
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let place = Place::new("file");
    std::fs::write(place.dir.join("file"), "").unwrap();
    for role in [&["up"][..], &["hub"], &["station", "nampo"], &["bank", "100001"], &["shops"]] {
        for dir in ["file", "file/below"] {
            let error = place.refusal(dir, role);
            assert_eq!(error["kind"], "file", "{error}");
            says(&error, "where", &[&place.path("file")]);
            says(&error, "do", &["is a file", "choose another"]);
        }
    }
    assert_eq!(std::fs::read(place.dir.join("file")).unwrap(), b"");
}

#[test]
fn a_second_writer_is_refused_by_name_and_the_first_goes_on() {
    let place = Place::new("second");
    let roles = [&["hub"][..], &["station", "pyongyang"], &["bank", "100002"]];
    let running = roles.map(|role| place.start("n", role));
    place.paid("n", CARD);
    for (role, first) in roles.iter().zip(&running) {
        let error = place.refusal("n", role);
        assert_eq!(error["kind"], "locked", "{error}");
        says(&error, "message", &[&format!("process {} ({}", first.child.id(), role[0])]);
        says(&error, "where", &[&place.path("n"), "/lock"]);
        says(&error, "do", &["stop it", "--dir"]);
    }
    // A whole nation on the same directory: its hub finds the port first.
    let error = place.refusal("n", &["up"]);
    assert!(["locked", "port_in_use"].contains(&error["kind"].as_str().unwrap()), "{error}");
    place.paid("n", CARD);
    running.into_iter().rev().for_each(crate::rig::Role::stop);
    assert_eq!(place.verify("n").0, 0);
}

#[test]
fn all_errors_of_a_file_are_told_at_once_to_every_role() {
    let place = Place::new("config");
    let broken = format!("{EXAMPLE}\n[nonsense]\na = 1\n")
        .replacen("[nation]", "[nation]\nx = 1", 1)
        .replacen("zone = \"", "zone = \"Nowhere/", 1);
    let file = place.path("broken.toml");
    std::fs::write(&file, &broken).unwrap();
    let line = |what: &str| 1 + broken.lines().position(|line| line.starts_with(what)).unwrap();
    let places = [("x = 1", 1), ("zone = \"Nowhere", 8), ("[nonsense]", 2)]
        .map(|(what, column)| format!("{file}:{}:{column}: ", line(what)));
    for role in [&["up"][..], &["hub"], &["station", "nampo"], &["bank", "100001"], &["shops"]] {
        let error = place.refusal("new", &[role, &["--config", &file]].concat());
        assert_eq!((&error["kind"], &error["where"]), (&"config".into(), &file.clone().into()));
        says(&error, "message", &places.each_ref().map(String::as_str));
        says(&error, "message", &["nation.x: there is no such key; remove it; keys of [nation]"]);
        assert_eq!(error["message"].as_str().unwrap().lines().count(), 3, "{error}");
        says(&error, "do", &["bongsu config explain", "bongsu config check"]);
        assert!(!place.dir.join("new").exists(), "{role:?}");
    }
    // Names that the file does not have: those that it has are told.
    let error = place.refusal("new", &["station", "nowhere"]);
    assert_eq!(
        (&error["kind"], &error["where"]),
        (&"unknown_role".into(), &"station-nowhere".into())
    );
    says(&error, "do", &["stations: pyongyang, nampo, pyongsong, sariwon"]);
    let error = place.refusal("new", &["bank", "5"]);
    says(&error, "do", &["banks: 100001, 100002"]);
    let mut absent = place.command("new", &["hub", "--config", "/nowhere.toml"]);
    absent.args(["--format", "json"]);
    let error = refusal(absent);
    assert_eq!((&error["kind"], &error["where"]), (&"file".into(), &"/nowhere.toml".into()));
    says(&error, "message", &["No such file"]);
}
