//! What can go wrong on the way to a cluster.

use std::time::Duration;

use ledger::limits::BATCH_MAX;
use ledger::{Account, AccountStatus, Engine, Transfer, TransferStatus};
use ledger_tigerbeetle::{Memory, Server, ServerError, TigerBeetle, TigerBeetleError};
use scheme::Timestamp;

use crate::{cluster, start};

fn account(id: u128) -> Account {
    Account { id, ledger: 408, code: 1, ..Account::default() }
}

fn transfer(id: u128) -> Transfer {
    Transfer {
        id,
        debit_account_id: 1,
        credit_account_id: 2,
        amount: 1,
        ledger: 408,
        code: 1,
        ..Transfer::default()
    }
}

/// A whole batch goes through, one event more does not leave; nothing is nothing.
#[test]
fn batches_are_as_long_as_a_message() {
    let engine = cluster();
    let base = 1 << 101;
    let accounts: Vec<Account> = (1..=BATCH_MAX as u128).map(|n| account(base + n)).collect();
    assert_eq!(engine.create_accounts(&accounts).unwrap(), vec![AccountStatus::Ok; BATCH_MAX]);
    let own = |n: u128| Transfer {
        debit_account_id: base + 1,
        credit_account_id: base + 2,
        ..transfer(base + n)
    };
    let mut transfers: Vec<Transfer> = (1..=BATCH_MAX as u128 + 1).map(own).collect();
    let too_long = Err(TigerBeetleError::BatchTooLong { events: BATCH_MAX + 1 });
    assert_eq!(engine.create_transfers(&transfers), too_long);
    transfers[0].flags = ledger::TransferFlags::IMPORTED;
    assert_eq!(engine.create_transfers(&transfers), too_long);
    transfers.remove(0);
    let statuses = engine.create_transfers(&transfers).unwrap();
    assert_eq!(statuses, vec![TransferStatus::Ok; BATCH_MAX]);
    let ids: Vec<u128> = (0..BATCH_MAX as u128).map(|n| base + n).collect();
    assert_eq!(engine.transfers(&ids).unwrap().len(), BATCH_MAX - 2);
    assert_eq!(engine.accounts(&ids).unwrap().len(), BATCH_MAX - 1);
    assert_eq!(engine.accounts(&ids[1..2]).unwrap()[0].debits_posted, BATCH_MAX as u128);
    assert_eq!(engine.transfers(&[0, u128::MAX]), Ok(Vec::new()));
    assert_eq!(engine.transfers(&[]), Ok(Vec::new()));
    assert_eq!(engine.create_transfers(&[]), Ok(Vec::new()));
}

/// Several threads share a session; each gets its own answers.
#[test]
fn callers_share_a_session() {
    let engine = cluster();
    std::thread::scope(|scope| {
        for thread in 0..8u128 {
            scope.spawn(move || {
                let base = 1 << 100 | thread << 32;
                let made = engine.create_accounts(&[account(base + 1), account(base + 2)]);
                assert_eq!(made.unwrap(), [AccountStatus::Ok; 2]);
                for n in 0..50 {
                    let good = Transfer {
                        debit_account_id: base + 1,
                        credit_account_id: base + 2,
                        ..transfer(base + n)
                    };
                    let bad = Transfer { code: 0, ..good };
                    let answer = engine.create_transfers(&[bad, good]).unwrap();
                    let expected = [TransferStatus::CodeMustNotBeZero, TransferStatus::Ok];
                    assert_eq!(answer, expected);
                    let found = engine.accounts(&[base + 2]).unwrap();
                    assert_eq!(found[0].credits_posted, n + 1);
                }
            });
        }
    });
}

/// A cluster that is not there is an error, not a wait without end; so is one that ends.
#[test]
fn silence_is_an_error() {
    let refused = TigerBeetle::connect(0, "127.0.0.1:1:2");
    assert!(matches!(refused, Err(TigerBeetleError::Start { .. })), "{refused:?}");
    let server = start();
    let mut engine = TigerBeetle::connect(0, server.address()).unwrap();
    let (now, mut accounts, mut transfers) = (Timestamp(1), Vec::new(), Vec::new());
    let two = [account(1), account(2)];
    Engine::create_accounts(&mut engine, now, &two, &mut accounts).unwrap();
    assert_eq!(accounts, [AccountStatus::Ok; 2]);
    Engine::create_transfers(&mut engine, now, &[transfer(7)], &mut transfers).unwrap();
    assert_eq!(transfers, [TransferStatus::Ok]);
    assert_eq!(engine.account(2).unwrap().unwrap().credits_posted, 1);
    assert_eq!((engine.account(3), engine.transfer(8)), (Ok(None), Ok(None)));
    assert_eq!(engine.transfer(7).unwrap().unwrap().amount, 1);
    drop(server);
    let engine = engine.waiting(Duration::from_secs(3));
    let silent = engine.create_transfers(&[transfer(1)]);
    assert!(matches!(silent, Err(TigerBeetleError::NoAnswer { .. })), "{silent:?}");
    assert_eq!(engine.create_transfers(&[transfer(2)]), Err(TigerBeetleError::Stopped));
    assert_eq!(engine.accounts(&[1]), Err(TigerBeetleError::Stopped));
}

#[test]
fn a_server_that_is_none_is_named() {
    let folder = std::env::temp_dir();
    let none = Server::start("/nonexistent/tigerbeetle".as_ref(), &folder, Memory::Little);
    assert!(matches!(none, Err(ServerError::Program { .. })), "{none:?}");
    let other = Server::start("/bin/false".as_ref(), &folder, Memory::Little);
    assert!(matches!(other, Err(ServerError::Format { .. })), "{other:?}");
    let mute = Server::start("/bin/true".as_ref(), &folder, Memory::Little);
    assert!(matches!(mute, Err(ServerError::Start { .. })), "{mute:?}");
}
