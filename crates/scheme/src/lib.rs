//! The vocabulary of the scheme: every word that the rule book names, as a type that can only hold
//! what the rule book allows. Nothing here decides anything.
//!
//! Values enter through fallible constructors and stay valid; formatting is the field's own
//! (digits, fixed width). Amounts are integers of minor units, times are integers, no floats.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

extern crate alloc;

mod card;
mod code;
mod digits;
mod ident;
mod key;
pub mod limits;
mod money;
mod payment_id;
mod reason;
mod text;
mod time;

pub use card::{CardRef, Pan, PanError, Sealed, Token};
pub use code::{
    DE_COUNT, Mti, MtiClass, MtiFunction, PaymentKind, Processing, ResponseCode, TransactionKind,
};
pub use digits::{digits, number};
pub use ident::{ApprovalCode, Iin, ParticipantId, RetailerId, Rrn, Stan, StationId, TerminalId};
pub use key::key_hash;
pub use money::{Amount, AmountError, Currency};
pub use payment_id::{Leg, PaymentId, PaymentSeed, transfer_id_of_record};
pub use reason::Reason;
pub use text::{FixedText, TextError};
pub use time::{
    BusinessDate, CivilDateTime, LocalTime, MonthTime, TimeError, Timestamp, Zone, ZoneChange,
};
