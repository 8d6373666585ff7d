//! What an engine answers to each event: TigerBeetle 0.16.78's numbers, names and precedence.

/// Defines the statuses of one operation: variant, number, name, in order of precedence.
macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$row_doc:meta])* $status:ident = $number:expr, $text:expr;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum $name {
            $($(#[$row_doc])* $status = $number,)*
        }

        impl $name {
            /// Every status, in order of precedence.
            pub const ALL: &[Self] = &[$(Self::$status),*];

            /// The number as TigerBeetle's wire has it.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// The status of a number.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$status),)*
                    _ => None,
                }
            }

            /// The name as TigerBeetle has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$status => $text,)*
                }
            }

            /// Whether the event took effect.
            pub const fn is_ok(self) -> bool {
                matches!(self, Self::Ok)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

statuses! {
    /// What became of an account that was to be created, in TigerBeetle's order of precedence:
    /// the first that holds is the answer.
    AccountStatus {
        /// The account was created.
        Ok = 0, "ok";
        /// Another event of its chain was refused.
        LinkedEventFailed = 1, "linked_event_failed";
        /// The batch ended inside its chain.
        LinkedEventChainOpen = 2, "linked_event_chain_open";
        /// The batch imports, this event does not.
        ImportedEventExpected = 22, "imported_event_expected";
        /// Imports are not taken here.
        ImportedEventNotExpected = 23, "imported_event_not_expected";
        /// The engine sets the timestamp.
        TimestampMustBeZero = 3, "timestamp_must_be_zero";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampOutOfRange = 24, "imported_event_timestamp_out_of_range";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampMustNotAdvance = 25, "imported_event_timestamp_must_not_advance";
        /// A reserved field is set. Never from `Books`: `Account` has none.
        ReservedField = 4, "reserved_field";
        /// A flag without a meaning is set.
        ReservedFlag = 5, "reserved_flag";
        /// The id is 0.
        IdMustNotBeZero = 6, "id_must_not_be_zero";
        /// The id is `u128::MAX`.
        IdMustNotBeIntMax = 7, "id_must_not_be_int_max";
        /// The id has another account, with other flags (a closed account counts as such).
        ExistsWithDifferentFlags = 15, "exists_with_different_flags";
        /// The id has another account, with another `user_data_128`.
        ExistsWithDifferentUserData128 = 16, "exists_with_different_user_data_128";
        /// The id has another account, with another `user_data_64`.
        ExistsWithDifferentUserData64 = 17, "exists_with_different_user_data_64";
        /// The id has another account, with another `user_data_32`.
        ExistsWithDifferentUserData32 = 18, "exists_with_different_user_data_32";
        /// The id has another account, of another ledger.
        ExistsWithDifferentLedger = 19, "exists_with_different_ledger";
        /// The id has another account, with another code.
        ExistsWithDifferentCode = 20, "exists_with_different_code";
        /// This very account is there already.
        Exists = 21, "exists";
        /// Both limits at once.
        FlagsAreMutuallyExclusive = 8, "flags_are_mutually_exclusive";
        /// An account begins at zero.
        DebitsPendingMustBeZero = 9, "debits_pending_must_be_zero";
        /// An account begins at zero.
        DebitsPostedMustBeZero = 10, "debits_posted_must_be_zero";
        /// An account begins at zero.
        CreditsPendingMustBeZero = 11, "credits_pending_must_be_zero";
        /// An account begins at zero.
        CreditsPostedMustBeZero = 12, "credits_posted_must_be_zero";
        /// The ledger is 0.
        LedgerMustNotBeZero = 13, "ledger_must_not_be_zero";
        /// The code is 0.
        CodeMustNotBeZero = 14, "code_must_not_be_zero";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampMustNotRegress = 26, "imported_event_timestamp_must_not_regress";
    }
}

statuses! {
    /// What became of a transfer that was to be created, in TigerBeetle's order of precedence:
    /// the first that holds is the answer.
    TransferStatus {
        /// The transfer happened.
        Ok = 0, "ok";
        /// Another event of its chain was refused.
        LinkedEventFailed = 1, "linked_event_failed";
        /// The batch ended inside its chain.
        LinkedEventChainOpen = 2, "linked_event_chain_open";
        /// The batch imports, this event does not.
        ImportedEventExpected = 56, "imported_event_expected";
        /// Imports are not taken here.
        ImportedEventNotExpected = 57, "imported_event_not_expected";
        /// The engine sets the timestamp.
        TimestampMustBeZero = 3, "timestamp_must_be_zero";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampOutOfRange = 58, "imported_event_timestamp_out_of_range";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampMustNotAdvance = 59, "imported_event_timestamp_must_not_advance";
        /// A flag without a meaning is set.
        ReservedFlag = 4, "reserved_flag";
        /// The id is 0.
        IdMustNotBeZero = 5, "id_must_not_be_zero";
        /// The id is `u128::MAX`.
        IdMustNotBeIntMax = 6, "id_must_not_be_int_max";
        /// The id has another transfer, with other flags.
        ExistsWithDifferentFlags = 36, "exists_with_different_flags";
        /// The id has another transfer, with another `pending_id`.
        ExistsWithDifferentPendingId = 40, "exists_with_different_pending_id";
        /// The id has another transfer, with another `timeout`.
        ExistsWithDifferentTimeout = 44, "exists_with_different_timeout";
        /// The id has another transfer, with another `debit_account_id`.
        ExistsWithDifferentDebitAccountId = 37, "exists_with_different_debit_account_id";
        /// The id has another transfer, with another `credit_account_id`.
        ExistsWithDifferentCreditAccountId = 38, "exists_with_different_credit_account_id";
        /// The id has another transfer, with another `amount`.
        ExistsWithDifferentAmount = 39, "exists_with_different_amount";
        /// The id has another transfer, with another `user_data_128`.
        ExistsWithDifferentUserData128 = 41, "exists_with_different_user_data_128";
        /// The id has another transfer, with another `user_data_64`.
        ExistsWithDifferentUserData64 = 42, "exists_with_different_user_data_64";
        /// The id has another transfer, with another `user_data_32`.
        ExistsWithDifferentUserData32 = 43, "exists_with_different_user_data_32";
        /// The id has another transfer, with another `ledger`.
        ExistsWithDifferentLedger = 67, "exists_with_different_ledger";
        /// The id has another transfer, with another `code`.
        ExistsWithDifferentCode = 45, "exists_with_different_code";
        /// This very transfer happened already.
        Exists = 46, "exists";
        /// The id was refused for a reason that may have passed since; it is never used again.
        IdAlreadyFailed = 68, "id_already_failed";
        /// A post or void with a flag that only another kind of transfer has.
        FlagsAreMutuallyExclusive = 7, "flags_are_mutually_exclusive";
        /// The debit account is 0.
        DebitAccountIdMustNotBeZero = 8, "debit_account_id_must_not_be_zero";
        /// The debit account is `u128::MAX`.
        DebitAccountIdMustNotBeIntMax = 9, "debit_account_id_must_not_be_int_max";
        /// The credit account is 0.
        CreditAccountIdMustNotBeZero = 10, "credit_account_id_must_not_be_zero";
        /// The credit account is `u128::MAX`.
        CreditAccountIdMustNotBeIntMax = 11, "credit_account_id_must_not_be_int_max";
        /// An account does not trade with itself.
        AccountsMustBeDifferent = 12, "accounts_must_be_different";
        /// Only a post or void names a pending transfer.
        PendingIdMustBeZero = 13, "pending_id_must_be_zero";
        /// A post or void names no pending transfer.
        PendingIdMustNotBeZero = 14, "pending_id_must_not_be_zero";
        /// The pending id is `u128::MAX`.
        PendingIdMustNotBeIntMax = 15, "pending_id_must_not_be_int_max";
        /// A transfer cannot post or void itself.
        PendingIdMustBeDifferent = 16, "pending_id_must_be_different";
        /// Only a pending transfer has a timeout.
        TimeoutReservedForPendingTransfer = 17, "timeout_reserved_for_pending_transfer";
        /// Only a pending transfer closes an account.
        ClosingTransferMustBePending = 64, "closing_transfer_must_be_pending";
        /// The ledger is 0.
        LedgerMustNotBeZero = 19, "ledger_must_not_be_zero";
        /// The code is 0.
        CodeMustNotBeZero = 20, "code_must_not_be_zero";
        /// There is no such debit account. Poisons the id.
        DebitAccountNotFound = 21, "debit_account_not_found";
        /// There is no such credit account. Poisons the id.
        CreditAccountNotFound = 22, "credit_account_not_found";
        /// The accounts are of two ledgers.
        AccountsMustHaveTheSameLedger = 23, "accounts_must_have_the_same_ledger";
        /// The transfer is of another ledger than its accounts.
        TransferMustHaveTheSameLedgerAsAccounts = 24,
            "transfer_must_have_the_same_ledger_as_accounts";
        /// There is no such pending transfer. Poisons the id.
        PendingTransferNotFound = 25, "pending_transfer_not_found";
        /// The transfer named was never a pending one.
        PendingTransferNotPending = 26, "pending_transfer_not_pending";
        /// The pending transfer debits another account.
        PendingTransferHasDifferentDebitAccountId = 27,
            "pending_transfer_has_different_debit_account_id";
        /// The pending transfer credits another account.
        PendingTransferHasDifferentCreditAccountId = 28,
            "pending_transfer_has_different_credit_account_id";
        /// The pending transfer is of another ledger.
        PendingTransferHasDifferentLedger = 29, "pending_transfer_has_different_ledger";
        /// The pending transfer has another code.
        PendingTransferHasDifferentCode = 30, "pending_transfer_has_different_code";
        /// More than is pending.
        ExceedsPendingTransferAmount = 31, "exceeds_pending_transfer_amount";
        /// A void releases all that is pending, or nothing.
        PendingTransferHasDifferentAmount = 32, "pending_transfer_has_different_amount";
        /// It was posted before.
        PendingTransferAlreadyPosted = 33, "pending_transfer_already_posted";
        /// It was voided before.
        PendingTransferAlreadyVoided = 34, "pending_transfer_already_voided";
        /// Its timeout has passed.
        PendingTransferExpired = 35, "pending_transfer_expired";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampMustNotRegress = 60, "imported_event_timestamp_must_not_regress";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampMustPostdateDebitAccount = 61,
            "imported_event_timestamp_must_postdate_debit_account";
        /// Never from `Books`: it does not import.
        ImportedEventTimestampMustPostdateCreditAccount = 62,
            "imported_event_timestamp_must_postdate_credit_account";
        /// Never from `Books`: it does not import.
        ImportedEventTimeoutMustBeZero = 63, "imported_event_timeout_must_be_zero";
        /// The debit account is closed. Poisons the id.
        DebitAccountAlreadyClosed = 65, "debit_account_already_closed";
        /// The credit account is closed. Poisons the id.
        CreditAccountAlreadyClosed = 66, "credit_account_already_closed";
        /// The debit account's pending debits would overflow.
        OverflowsDebitsPending = 47, "overflows_debits_pending";
        /// The credit account's pending credits would overflow.
        OverflowsCreditsPending = 48, "overflows_credits_pending";
        /// The debit account's posted debits would overflow.
        OverflowsDebitsPosted = 49, "overflows_debits_posted";
        /// The credit account's posted credits would overflow.
        OverflowsCreditsPosted = 50, "overflows_credits_posted";
        /// The debit account's pending and posted debits together would overflow.
        OverflowsDebits = 51, "overflows_debits";
        /// The credit account's pending and posted credits together would overflow.
        OverflowsCredits = 52, "overflows_credits";
        /// It would expire after the last instant that a timestamp can name.
        OverflowsTimeout = 53, "overflows_timeout";
        /// The debit account may not go below zero. Poisons the id.
        ExceedsCredits = 54, "exceeds_credits";
        /// The credit account may not go above zero. Poisons the id.
        ExceedsDebits = 55, "exceeds_debits";
        /// Was `amount_must_not_be_zero`; no longer given by anyone.
        Deprecated18 = 18, "deprecated_18";
    }
}
impl TransferStatus {
    /// Whether the same request could have another outcome at another time. Its id is then
    /// remembered as failed, so that a late duplicate of it cannot succeed.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::DebitAccountNotFound
                | Self::CreditAccountNotFound
                | Self::PendingTransferNotFound
                | Self::ExceedsCredits
                | Self::ExceedsDebits
                | Self::DebitAccountAlreadyClosed
                | Self::CreditAccountAlreadyClosed
        )
    }

    /// Whether an event that is given again may be answered so, where the answer to the first was
    /// `first`: the same, or that its id is known.
    pub const fn repeats(self, first: Self) -> bool {
        match first {
            Self::Ok => matches!(self, Self::Ok | Self::Exists),
            _ if first.is_transient() => {
                self as u32 == first as u32 || matches!(self, Self::IdAlreadyFailed)
            }
            _ => self as u32 == first as u32,
        }
    }
}
