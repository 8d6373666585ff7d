//! What `ledger verify` checks, by name.

/// A check of a ledger. Names are what scripts rely on and are never used again for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Check {
    /// Every frame's checksum, the hash chain, segments, head, and the files of snapshots.
    Chain,
    /// Every record can be read, and its transfers end as it says.
    Records,
    /// All credits are all debits, posted and pending, by two reckonings that agree.
    Conservation,
    /// No account with a limit is beyond it after any transfer; what was refused did not fit.
    Limits,
    /// Every hold is ended once at most, by one post or void, and belongs to a payment under way.
    Pairing,
    /// Every payment has come to what its transfers have moved.
    Payments,
    /// Every snapshot holds the state that the records before it make.
    Snapshots,
    /// Every index beside a segment is what the segment makes.
    Indexes,
    /// Files of an archive are those that were made, and its tables are what its records say.
    Archive,
}

impl Check {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 9] = [
        Self::Chain,
        Self::Records,
        Self::Conservation,
        Self::Limits,
        Self::Pairing,
        Self::Payments,
        Self::Snapshots,
        Self::Indexes,
        Self::Archive,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Records => "records",
            Self::Conservation => "conservation",
            Self::Limits => "limits",
            Self::Pairing => "pairing",
            Self::Payments => "payments",
            Self::Snapshots => "snapshots",
            Self::Indexes => "indexes",
            Self::Archive => "archive",
        }
    }

    /// What is counted in it.
    pub const fn counted(self) -> &'static str {
        match self {
            Self::Chain => "frames",
            Self::Records => "records",
            Self::Conservation => "accounts",
            Self::Limits => "transfers",
            Self::Pairing => "holds",
            Self::Payments => "payments",
            Self::Snapshots => "snapshots",
            Self::Indexes => "indexes",
            Self::Archive => "files",
        }
    }
}

/// How much was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Frames of the chain.
    pub frames: u64,
    /// Records.
    pub records: u64,
    /// Accounts.
    pub accounts: u64,
    /// Transfers.
    pub transfers: u64,
    /// Holds.
    pub holds: u64,
    /// Payments.
    pub payments: u64,
    /// Snapshots, and other states that were kept.
    pub snapshots: u64,
    /// Indexes.
    pub indexes: u64,
    /// Files of an archive.
    pub files: u64,
    /// Records about payments that had ended too long before to be judged, or whose own records
    /// were put away.
    pub unjudged: u64,
}

impl Checked {
    /// How much a check has looked at.
    pub fn of(&self, check: Check) -> u64 {
        match check {
            Check::Chain => self.frames,
            Check::Records => self.records,
            Check::Conservation => self.accounts,
            Check::Limits => self.transfers,
            Check::Pairing => self.holds,
            Check::Payments => self.payments,
            Check::Snapshots => self.snapshots,
            Check::Indexes => self.indexes,
            Check::Archive => self.files,
        }
    }
}

/// What a record breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Broken {
    /// Which check fails.
    pub(crate) check: Check,
    /// How.
    pub(crate) what: String,
}
