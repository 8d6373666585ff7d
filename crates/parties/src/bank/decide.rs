//! What a bank decides about a message: a pure function of its book, its configuration, one throw
//! of the dice, and the time. Nothing is changed here.

use scheme::{
    Amount, MtiClass, Pan, ParticipantId, Processing, ResponseCode, Rrn, TerminalId, Timestamp,
};
use wire::iso8583::Message;

use crate::bank::book::{
    AUTHORISATION, Account, Book, EntryKind, Found, Hold, Kept, Standing, entry_kind,
};
use crate::bank::config::BankConfig;
use crate::bank::record::{Decided, Record, RequestKey};
use crate::iso;

/// A decision: the records to make, and what the answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    /// In the order in which they are to be applied.
    pub(crate) records: Vec<Record>,
    /// DE39.
    pub(crate) code: ResponseCode,
    /// DE38, when approved.
    pub(crate) approval: Option<u32>,
    /// DE54: the account's balance, minor units.
    pub(crate) balance: Option<i64>,
    /// Something that the bank's operator should look at.
    pub(crate) oddity: Option<Oddity>,
}

/// What a bank notices and only counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Oddity {
    /// A request under the key of another one, with other content.
    OtherContent,
    /// An original that came after its reversal.
    AfterItsReversal,
    /// A reversal of what is not known.
    UnknownOriginal,
    /// A second reversal.
    SecondReversal,
    /// A reversal with an amount other than its original's, or a completion above its hold.
    OtherAmount,
    /// A second completion of a pre-authorisation.
    SecondCompletion,
}

const FORMAT: &[u8; 2] = b"30";
const UNSUPPORTED: &[u8; 2] = b"12";
const BALANCE: u8 = 31;

/// 0200, 0201: purchase, cash, cashback, refund, balance. 0100, 0101: the same purchase as a
/// pre-authorisation, which holds its amount.
pub(crate) fn request(
    book: &Book,
    config: &BankConfig,
    unlucky: bool,
    now: Timestamp,
    message: &Message,
) -> Verdict {
    let Some(asked) = read(message) else {
        return plain(FORMAT);
    };
    if let Some(kept) = book.request(asked.key) {
        return repeated(config, kept, &asked);
    }
    if book.is_reversed_before(asked.key) {
        return odd(b"94", Oddity::AfterItsReversal);
    }
    match judge(book, config, unlucky, &asked) {
        Ok(account) if asked.transaction == BALANCE => {
            Verdict { balance: book.account(account).map(Account::available), ..plain(b"00") }
        }
        Ok(account) => approve(book, config, now, &asked, account),
        // What is malformed or unsupported is answered alike when it comes again.
        Err(code @ UNSUPPORTED) => plain(code),
        Err(code) if asked.transaction == BALANCE => plain(code),
        Err(code) => Verdict {
            records: vec![Record::Decided(decided(config, now, &asked, code, 0))],
            ..plain(code)
        },
    }
}

/// 0400, 0420 and their repeats: finds the original by DE90 and returns its money once.
pub(crate) fn reversal(book: &Book, now: Timestamp, message: &Message) -> Verdict {
    let well_formed = iso::stan(message).is_some() && iso::sent_at(message).is_some();
    let key = iso::original_key(message).filter(|_| well_formed);
    let Some(key) = key.map(RequestKey::from) else {
        return plain(FORMAT);
    };
    let kept = match book.original(key) {
        Found::Original(kept) => kept,
        Found::Tombstone => return odd(b"00", Oddity::UnknownOriginal),
        Found::Nothing => {
            return Verdict {
                records: vec![Record::Tombstone { key, at: now }],
                ..odd(b"00", Oddity::UnknownOriginal)
            };
        }
    };
    if kept.returned.is_some() || kept.hold == Hold::Completed {
        return odd(b"00", Oddity::SecondReversal);
    }
    if !kept.decided.code.is_approved() {
        return plain(b"00");
    }
    if iso::amount(message).is_some_and(|amount| amount != kept.decided.amount) {
        return odd(b"00", Oddity::OtherAmount);
    }
    let Some(returned) = returned(message, kept.decided.amount) else {
        return plain(FORMAT);
    };
    Verdict {
        records: vec![Record::Reversed { key: kept.decided.key, returned, at: now }],
        ..plain(b"00")
    }
}

/// 0220 and 0221 of the hub: a pre-authorisation was completed, for the whole or a part. What was
/// completed cannot be refused for want of money; more than was held can.
pub(crate) fn completion(book: &Book, now: Timestamp, message: &Message) -> Verdict {
    let named = iso::original_key(message).map(RequestKey::from);
    let own = iso::stan(message).zip(iso::sent_at(message));
    let (Some(named), Some((stan, sent_at)), Some(amount)) = (named, own, iso::amount(message))
    else {
        return plain(FORMAT);
    };
    let key = RequestKey { class: 2, stan, sent_at };
    if let Some(kept) = book.request(key) {
        let same = kept.kind == Some(EntryKind::Completion) && kept.decided.amount == amount;
        return if same { plain(b"00") } else { odd(b"94", Oddity::OtherContent) };
    }
    let kept = match book.original(RequestKey { class: AUTHORISATION, ..named }) {
        Found::Original(kept) if kept.hold != Hold::None => kept,
        Found::Original(_) | Found::Tombstone | Found::Nothing => {
            return odd(b"25", Oddity::UnknownOriginal);
        }
    };
    if kept.hold == Hold::Completed {
        return odd(b"94", Oddity::SecondCompletion);
    }
    // It was reversed before it came: both together move nothing, and end the hold.
    if book.is_reversed_before(key) {
        let records = vec![Record::Released { key: kept.decided.key, at: now }];
        return Verdict { records, ..odd(b"00", Oddity::AfterItsReversal) };
    }
    if amount.is_zero() || amount > kept.decided.amount {
        return odd(b"13", Oddity::OtherAmount);
    }
    let decided = Decided { key, amount, at: now, ..kept.decided };
    Verdict { records: vec![Record::Completed { decided, hold: kept.decided.key }], ..plain(b"00") }
}

/// A hold that nobody has ended in time.
pub(crate) fn overdue(book: &Book, hold_ms: u64, now: Timestamp) -> Option<Record> {
    let (since, key) = book.oldest_hold()?;
    (now >= since.plus_ms(hold_ms)).then_some(Record::Released { key, at: now })
}

/// What is neither of these but wants an answer.
pub(crate) fn unsupported() -> Verdict {
    plain(UNSUPPORTED)
}

/// What can't be read whole.
pub(crate) fn malformed() -> Verdict {
    plain(FORMAT)
}

struct Asked {
    key: RequestKey,
    pan: Option<Pan>,
    transaction: u8,
    amount: Amount,
    terminal: TerminalId,
    acquirer: Option<ParticipantId>,
    rrn: Rrn,
    expiry: Option<Vec<u8>>,
    currency: Option<u64>,
}

/// The fields that a 0200 must carry (R-FIELDS): 2 or 35, 3, 4 (not for a balance), 7, 11, 41.
fn read(message: &Message) -> Option<Asked> {
    let processing =
        iso::number(message, 3).and_then(|n| u32::try_from(n).ok()).and_then(Processing::new)?;
    let class = if message.mti().class() == MtiClass::Authorisation { AUTHORISATION } else { 2 };
    let transaction = processing.transaction();
    let amount = match iso::amount(message) {
        None if transaction == BALANCE && !message.has(4) => Amount::ZERO,
        other => other?,
    };
    let track = message.get(35).map(|track| {
        let end = track.iter().position(|b| !b.is_ascii_digit());
        &track[..end.unwrap_or(track.len())]
    });
    Some(Asked {
        key: RequestKey { class, stan: iso::stan(message)?, sent_at: iso::sent_at(message)? },
        pan: Pan::parse(message.get(2).or(track)?).ok(),
        transaction,
        amount,
        terminal: TerminalId::new(message.get(41)?).ok()?,
        acquirer: iso::number(message, 32).and_then(ParticipantId::new),
        rrn: Rrn::new(message.get(37).unwrap_or_default()).ok()?,
        expiry: message.get(14).map(<[u8]>::to_vec),
        currency: iso::number(message, 49),
    })
}

/// A request under a key that is known: the first answer again, if it is the same request.
fn repeated(config: &BankConfig, kept: &Kept, asked: &Asked) -> Verdict {
    let first = &kept.decided;
    let account = asked.pan.and_then(|pan| config.account(&pan));
    let same = first.account == account
        && first.amount == asked.amount
        && first.transaction == asked.transaction
        && first.terminal == asked.terminal;
    if !same {
        return odd(b"94", Oddity::OtherContent);
    }
    if kept.returned == Some(first.amount) {
        return odd(b"94", Oddity::AfterItsReversal);
    }
    Verdict {
        code: first.code,
        approval: (first.approval != 0).then_some(first.approval),
        ..plain(b"00")
    }
}

/// The account that may be used, or DE39.
fn judge(
    book: &Book,
    config: &BankConfig,
    unlucky: bool,
    asked: &Asked,
) -> Result<u32, &'static [u8; 2]> {
    let balance_only = asked.transaction == BALANCE;
    let kind = entry_kind(asked.transaction);
    // Only a purchase can be held.
    let holds = asked.key.class == AUTHORISATION;
    let unheard_of = holds && kind != Some(EntryKind::Purchase);
    let foreign = asked.currency.is_some_and(|c| c != u64::from(config.currency.numeric()));
    if (kind.is_none() && !balance_only) || foreign || unheard_of {
        return Err(UNSUPPORTED);
    }
    if asked.amount.is_zero() && !balance_only {
        return Err(b"13");
    }
    let number = asked.pan.and_then(|pan| config.account(&pan)).ok_or(b"14")?;
    let account = book.account(number).ok_or(b"14")?;
    if asked.expiry.as_ref().is_some_and(|e| *e != config.expiry) {
        return Err(b"54");
    }
    match account.standing {
        Standing::Blocked => return Err(b"62"),
        Standing::Lost => return Err(b"41"),
        Standing::Open => {}
    }
    if unlucky {
        return Err(b"05");
    }
    let is_debit = !balance_only && kind != Some(EntryKind::Refund);
    let wanted = i64::try_from(asked.amount.minor()).unwrap_or(i64::MAX);
    if is_debit && account.available() < wanted {
        return Err(b"51");
    }
    Ok(number)
}

fn approve(
    book: &Book,
    config: &BankConfig,
    now: Timestamp,
    asked: &Asked,
    account: u32,
) -> Verdict {
    let approval = book.next_approval();
    let decided = decided(config, now, asked, b"00", approval);
    let mut records = vec![Record::Decided(decided)];
    records.extend(refill(book, config, now, asked, account));
    Verdict { records, approval: Some(approval), ..plain(b"00") }
}

/// The bank's own gift to a simulated shop's card that this request leaves too empty.
fn refill(
    book: &Book,
    config: &BankConfig,
    now: Timestamp,
    asked: &Asked,
    account: u32,
) -> Option<Record> {
    let rule = config.refill.filter(|rule| (rule.first..=rule.last).contains(&account))?;
    if entry_kind(asked.transaction) == Some(EntryKind::Refund) {
        return None;
    }
    let before = u64::try_from(book.account(account)?.available()).ok()?;
    let after = before.checked_sub(asked.amount.minor())?;
    if after >= rule.below.minor() {
        return None;
    }
    let amount = rule.to.minor().checked_sub(after).and_then(Amount::new)?;
    Some(Record::Refilled { account, amount, at: now })
}

fn decided(
    config: &BankConfig,
    now: Timestamp,
    asked: &Asked,
    code: &[u8; 2],
    approval: u32,
) -> Decided {
    Decided {
        key: asked.key,
        account: asked.pan.and_then(|pan| config.account(&pan)),
        amount: asked.amount,
        transaction: asked.transaction,
        terminal: asked.terminal,
        acquirer: asked.acquirer,
        rrn: asked.rrn,
        code: ResponseCode::of(code),
        approval,
        at: now,
    }
}

/// The whole amount, or with DE95 (n 42, the first 12 the actual amount) what it leaves.
fn returned(message: &Message, original: Amount) -> Option<Amount> {
    if !message.has(95) {
        return Some(original);
    }
    let actual = message.text(95)?.get(..12).and_then(iso::digits)?;
    original.checked_sub(Amount::new(actual)?)
}

/// An answer with DE39 alone.
fn plain(code: &[u8; 2]) -> Verdict {
    Verdict {
        records: Vec::new(),
        code: ResponseCode::of(code),
        approval: None,
        balance: None,
        oddity: None,
    }
}

fn odd(code: &[u8; 2], oddity: Oddity) -> Verdict {
    Verdict { oddity: Some(oddity), ..plain(code) }
}
