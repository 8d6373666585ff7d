//! A simulated nation whose hub has its ledger on a real TigerBeetle 0.16.78: payments of all
//! flows, with the hub killed while the cluster has a batch of it. `TIGERBEETLE` names the server
//! (`cargo xtask tigerbeetle`).
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use ledger::{Account, AccountStatus, Engine, Transfer, TransferStatus};
use ledger_tigerbeetle::{Memory, Server, TigerBeetle};
use nation::scenario::{Fault, Place, Planned, Scenario};
use nation::{Ledger, Outcome, run, run_on};
use scheme::Timestamp;

/// A session, and the server that ends with it.
struct Cluster {
    engine: TigerBeetle,
    _server: Server,
}

impl Engine for Cluster {
    type Error = Infallible;

    fn create_accounts(
        &mut self,
        _now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), Infallible> {
        *out = self.engine.create_accounts(events).unwrap();
        Ok(())
    }

    fn create_transfers(
        &mut self,
        _now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), Infallible> {
        *out = self.engine.create_transfers(events).unwrap();
        Ok(())
    }

    fn account(&self, id: u128) -> Result<Option<Account>, Infallible> {
        Ok(self.engine.accounts(&[id]).unwrap().first().copied())
    }

    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, Infallible> {
        Ok(self.engine.transfers(&[id]).unwrap().first().copied())
    }
}

/// A new cluster that keeps its data in memory, where the system has such a place.
fn cluster(program: &Path) -> Ledger {
    let start = |folder: &Path| Server::start(program, folder, Memory::Little);
    let memory = start(Path::new("/dev/shm"));
    let server = memory.or_else(|_| start(&std::env::temp_dir())).unwrap();
    let engine = TigerBeetle::connect(0, server.address()).unwrap();
    Box::new(Cluster { engine, _server: server })
}

/// Every flow, a cluster 20 ms away, and a hub that dies eight times.
fn scenario() -> Scenario {
    let kill = |n: u64| Fault::Kill { place: Place::Hub, down_ms: 20 + 60 * n };
    let power = |n: u64| Fault::Power { place: Place::Hub, down_ms: 200 * n };
    let mut faults: Vec<Planned> =
        (1..=5).map(|n| Planned { at_ms: 900 * n, fault: kill(n) }).collect();
    faults.extend((1..=3).map(|n| Planned { at_ms: 5_000 + 900 * n, fault: power(n) }));
    faults.push(Planned { at_ms: 4_300, fault: Fault::ClusterAway { ms: 400 } });
    faults.sort_by_key(|planned| planned.at_ms);
    let drawn = Scenario::draw_for(7, 9_000);
    let manners = nation::scenario::Manners::everyday();
    Scenario {
        faults,
        manners,
        rate_per_1000_s: 25_000,
        cluster_us: Some((200, 20_000)),
        cap: None,
        hold_ms: drawn.hold_ms,
        fault_ms: 9_000,
        ..Scenario::peaceful(7)
    }
}

fn check(outcome: &Outcome) {
    assert_eq!(outcome.broken, []);
    assert!(outcome.stats.approved > 100, "{:?}", outcome.stats);
    assert_eq!(outcome.coverage.get("restart"), Some(&8));
    assert_eq!(outcome.coverage.get("cluster compared"), Some(&1));
    let found = ["batch booked after its hub died", "batch lost with its hub"];
    let found = found.map(|name| outcome.coverage.get(name).copied().unwrap_or(0));
    assert!(found.iter().sum::<u64>() > 0, "no batch was under way: {:?}", outcome.coverage);
}

/// The same inputs with books behind the cluster's face give the same run to the last byte, and
/// the balances at the cluster are the hub's (`nation::run`).
#[test]
fn a_nation_on_a_cluster_pays_as_one_on_books() {
    let scenario = scenario();
    let on_books = run(&scenario);
    check(&on_books);
    let Some(program) = std::env::var_os("TIGERBEETLE") else {
        eprintln!("skipped: TIGERBEETLE does not name a server (`cargo xtask tigerbeetle`)");
        return;
    };
    let on_cluster = run_on(&scenario, cluster(&PathBuf::from(program)));
    check(&on_cluster);
    assert_eq!(on_cluster.hash, on_books.hash);
    assert_eq!(on_cluster.stats, on_books.stats);
    assert_eq!(on_cluster.coverage, on_books.coverage);
}
