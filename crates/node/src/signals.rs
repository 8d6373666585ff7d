//! SIGHUP as a flag; SIGTERM and SIGINT as bytes on a socket, for a loop that waits for sockets
//! anyway.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::error::RunError;

/// From now on SIGHUP sets the flag: certificates are to be read again.
pub(crate) fn reload_signal() -> Result<Arc<AtomicBool>, RunError> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&flag))
        .map_err(|error| RunError::system("take signals", error))?;
    Ok(flag)
}

/// From now on each of the two signals is one byte to be read here. SIGPIPE is ignored by the Rust
/// runtime already.
pub(crate) fn stop_signals() -> Result<UnixStream, RunError> {
    let failed = |error| RunError::system("take signals", error);
    let (reader, writer) = UnixStream::pair().map_err(failed)?;
    for signal in [SIGTERM, SIGINT] {
        let end = writer.try_clone().map_err(failed)?;
        pipe::register(signal, end).map_err(failed)?;
    }
    Ok(reader)
}
