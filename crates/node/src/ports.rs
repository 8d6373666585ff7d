//! Where roles listen, and whether anybody else does already.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use host::Config;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use crate::error::{RunError, RunErrorKind};
use crate::limits::PREDECESSOR_LOOK;
use crate::role::RoleName;

/// One address to listen at: `hub banks`, and where.
pub(crate) type Wanted = (String, SocketAddr);

/// The doors and pages of a role; `None` if the configuration does not know it.
pub(crate) fn of(config: &Config, role: &RoleName) -> Option<Vec<Wanted>> {
    let doors = match role {
        RoleName::Hub => {
            let hub = &config.hub;
            vec![("banks", hub.banks), ("trunk", hub.trunk), ("http", hub.http)]
        }
        RoleName::Station(name) => {
            let station = config.station_named(name)?;
            vec![("terminals", station.listen), ("http", station.http)]
        }
        RoleName::Bank(id) => config.participant(*id).map(|_| Vec::new())?,
        RoleName::Shops => Vec::new(),
    };
    Some(doors.into_iter().map(|(door, at)| (format!("{role} {door}"), at)).collect())
}

/// Waits at most `wait` until nobody listens at any of these addresses; the error names all at
/// which somebody still does.
pub(crate) fn all_free(wanted: &[Wanted], wait: Duration) -> Result<(), RunError> {
    let until = Instant::now() + wait;
    loop {
        let mut taken = Vec::new();
        for (what, address) in wanted {
            if is_taken(*address).map_err(|error| refused(what, *address, &error))? {
                taken.push(format!("{what} {address}"));
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(in_use(&taken.join(", ")));
        }
        std::thread::sleep(PREDECESSOR_LOOK);
    }
}

/// Another process listens at these places.
pub(crate) fn in_use(place: &str) -> RunError {
    let message = "another process listens at this address";
    let remedy = "`ss -ltnp` names it: stop it, or choose other ports with --port-base or in the \
                  configuration";
    RunError::new(RunErrorKind::PortInUse, message, place, remedy)
}

/// An address that the system refuses.
pub(crate) fn refused(what: &str, address: SocketAddr, error: &std::io::Error) -> RunError {
    let message = format!("cannot listen here: {error}");
    let remedy = "give an address of this machine and a port that this user may use";
    RunError::new(RunErrorKind::Address, message, format!("{what} {address}"), remedy)
}

/// A bound socket that never listens: nobody who dials meanwhile takes it for the door.
fn is_taken(address: SocketAddr) -> std::io::Result<bool> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // As the door will: what a closed connection left behind is in nobody's way.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    match bind(&socket, &address) {
        Ok(()) => Ok(false),
        Err(Errno::ADDRINUSE) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn every_taken_port_is_named_and_a_closed_one_is_free() {
        // An address of this test's own: whoever else asks for any port gets another one.
        let listen = || TcpListener::bind("127.0.0.77:0").unwrap();
        let (a, b, c) = (listen(), listen(), listen());
        let at = |listener: &TcpListener| listener.local_addr().unwrap();
        let free = at(&c);
        drop(c);
        let wanted = [("hub banks", at(&a)), ("hub http", free), ("station-x http", at(&b))];
        let wanted = wanted.map(|(what, at)| (what.to_owned(), at));
        let error = all_free(&wanted, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind, RunErrorKind::PortInUse);
        assert_eq!(error.place, format!("hub banks {}, station-x http {}", at(&a), at(&b)));
        let waiter = std::thread::spawn({
            let wanted = wanted.clone();
            move || all_free(&wanted, crate::testing::PATIENCE)
        });
        std::thread::sleep(Duration::from_millis(80));
        drop((a, b));
        waiter.join().unwrap().unwrap();
        // 192.0.2.0/24 is no machine's (RFC 5737).
        let elsewhere = [("hub http".to_owned(), ([192, 0, 2, 1], 80).into())];
        let error = all_free(&elsewhere, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind, RunErrorKind::Address);
    }

    #[test]
    fn the_example_listens_at_eleven_addresses_and_knows_its_roles() {
        let config = Config::example();
        let hub = of(&config, &RoleName::Hub).unwrap();
        assert_eq!(hub[0], ("hub banks".to_owned(), ([127, 0, 0, 1], 9583).into()));
        let stations = config.stations.iter().map(|s| RoleName::Station(s.name.clone()));
        let doors: usize = stations.map(|role| of(&config, &role).unwrap().len()).sum();
        assert_eq!(hub.len() + doors, 11);
        assert_eq!(of(&config, &RoleName::Station("nowhere".into())), None);
    }
}
