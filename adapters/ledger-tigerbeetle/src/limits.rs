//! Limits of the engine, each with its reason.

use std::time::Duration;

/// How long an answer is waited for, unless said otherwise. A disk that stalls holds a commit up
/// for seconds at most, a view change takes a few; a cluster that is silent for this long has lost
/// its quorum.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How long a server is waited for until it says its port: it reads a gigabyte of empty log first,
/// which took half a minute on a disk that others kept busy.
pub const START_WITHIN: Duration = Duration::from_secs(180);

/// How long a server is waited for once its standard input is closed, before it is killed. There
/// is nothing that it must still write.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Most bytes of a server's log that an error quotes.
pub const QUOTED_MAX: usize = 2_000;
