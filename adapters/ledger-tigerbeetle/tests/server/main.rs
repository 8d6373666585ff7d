//! The engine on a real TigerBeetle 0.16.78: the ledger's conformance suite, the differential run,
//! and what can go wrong on the way. `TIGERBEETLE` names the server (`cargo xtask tigerbeetle`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a long run says how far it is")]

mod client;
mod conformance;
mod differential;
#[path = "../../../../crates/ledger/tests/differential/expiry.rs"]
mod expiry;
mod lane;
#[path = "../../../../crates/ledger/tests/differential/notation.rs"]
mod notation;
#[path = "../../../../crates/ledger/tests/conformance/precedence.rs"]
mod precedence;
#[path = "../../../../crates/ledger/tests/differential/rivals.rs"]
mod rivals;
#[path = "../../../../crates/ledger/tests/conformance/script.rs"]
mod script;
#[path = "../../../../crates/ledger/tests/model/swarm.rs"]
mod swarm;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ledger_tigerbeetle::{Memory, Server, TigerBeetle};

/// The server's program.
fn program() -> PathBuf {
    let program = std::env::var_os("TIGERBEETLE");
    PathBuf::from(program.expect("TIGERBEETLE names the server: see `cargo xtask tigerbeetle`"))
}

/// A new server that keeps its data in memory, where the system has such a place.
fn start() -> Server {
    let memory = Path::new("/dev/shm");
    let start = |folder: &Path| Server::start(&program(), folder, Memory::Little);
    start(memory).or_else(|_| start(&std::env::temp_dir())).unwrap()
}

/// The server of all tests, and one session with it. It ends with this process.
fn cluster() -> &'static TigerBeetle {
    static CLUSTER: OnceLock<(Server, TigerBeetle)> = OnceLock::new();
    let (_, engine) = CLUSTER.get_or_init(|| {
        let server = start();
        let engine = TigerBeetle::connect(0, server.address()).unwrap();
        (server, engine)
    });
    engine
}
