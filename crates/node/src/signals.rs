//! SIGTERM and SIGINT as bytes on a socket, for a loop that waits for sockets anyway.

use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::error::RunError;

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
