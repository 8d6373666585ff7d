//! Creating an account.

use super::Books;
use crate::{Account, AccountFlags, AccountStatus};

impl Books {
    /// Creates one account, or says why not.
    pub(super) fn open_account(
        &mut self,
        wanted: &Account,
        timestamp: u64,
    ) -> Result<(), AccountStatus> {
        if wanted.flags.has_reserved() {
            return Err(AccountStatus::ReservedFlag);
        }
        match wanted.id {
            0 => return Err(AccountStatus::IdMustNotBeZero),
            u128::MAX => return Err(AccountStatus::IdMustNotBeIntMax),
            id => {
                if let Some(there) = self.account(id) {
                    return Err(compare(wanted, &there));
                }
            }
        }
        check_fields(wanted)?;
        self.add_account(Account { timestamp, ..*wanted });
        Ok(())
    }
}

/// How an account that is there differs from the one wanted.
fn compare(wanted: &Account, there: &Account) -> AccountStatus {
    if wanted.flags != there.flags {
        AccountStatus::ExistsWithDifferentFlags
    } else if wanted.user_data_128 != there.user_data_128 {
        AccountStatus::ExistsWithDifferentUserData128
    } else if wanted.user_data_64 != there.user_data_64 {
        AccountStatus::ExistsWithDifferentUserData64
    } else if wanted.user_data_32 != there.user_data_32 {
        AccountStatus::ExistsWithDifferentUserData32
    } else if wanted.ledger != there.ledger {
        AccountStatus::ExistsWithDifferentLedger
    } else if wanted.code != there.code {
        AccountStatus::ExistsWithDifferentCode
    } else {
        AccountStatus::Exists
    }
}

fn check_fields(wanted: &Account) -> Result<(), AccountStatus> {
    const BOTH: AccountFlags = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
        .union(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS);
    if wanted.flags.contains(BOTH) {
        Err(AccountStatus::FlagsAreMutuallyExclusive)
    } else if wanted.debits_pending != 0 {
        Err(AccountStatus::DebitsPendingMustBeZero)
    } else if wanted.debits_posted != 0 {
        Err(AccountStatus::DebitsPostedMustBeZero)
    } else if wanted.credits_pending != 0 {
        Err(AccountStatus::CreditsPendingMustBeZero)
    } else if wanted.credits_posted != 0 {
        Err(AccountStatus::CreditsPostedMustBeZero)
    } else if wanted.ledger == 0 {
        Err(AccountStatus::LedgerMustNotBeZero)
    } else if wanted.code == 0 {
        Err(AccountStatus::CodeMustNotBeZero)
    } else {
        Ok(())
    }
}
