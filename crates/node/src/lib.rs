//! The shell: sockets, files, clock, event loop, supervisor.
//!
//! How things flow: a process has one event loop that drives its machine with whole read buffers
//! and one write per connection and turn, one commit thread that owns its journal's files, and one
//! thread for pages, metrics and questions, which reach the machine through a bounded queue. `up`
//! is a supervisor of such processes.
//! What bounds it: [`limits`]. Deliberately absent: any decision about a payment, a batch or a
//! recovery. TLS is below everything that a machine sees: [`tls`].
#![forbid(unsafe_code)]

mod adapters;
pub mod backup;
pub mod bench;
mod beside;
mod channels;
pub mod client;
pub mod clock;
pub mod commit;
pub mod disk;
pub mod driven;
pub mod error;
pub mod event_loop;
mod history;
pub mod http;
mod init;
pub mod json;
mod key_files;
pub mod layout;
pub mod ledger;
pub mod limits;
mod lock;
pub mod logging;
pub mod machine;
mod options;
pub mod poison;
mod ports;
mod probe_cards;
mod process;
pub mod questions;
mod role;
mod roles;
mod running;
mod signals;
mod socket_path;
mod supervisor;
#[cfg(test)]
mod testing;
pub mod tls;
mod up;

pub use error::{RunError, RunErrorKind};
pub use init::{certify, init, renew};
pub use layout::Layout;
pub use lock::{Holder, Lock};
pub use options::RunOptions;
pub use role::RoleName;
pub use roles::{run_bank, run_hub, run_shops, run_station};
pub use running::{Running, RunningRole};
pub use up::up;
