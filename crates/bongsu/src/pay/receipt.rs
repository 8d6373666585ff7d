//! What came of a payment: a receipt for people, one object for scripts.

use scheme::{CardRef, Pan, Sealed, Token};
use serde_json::{Value, json};
use wire::iso8583::Message;

use super::order::{Kind, Order};
use super::terminal::Answer;
use crate::output::{self, Paint};
use crate::words;

/// A request and its answer.
pub(crate) struct Receipt<'a> {
    pub(crate) order: &'a Order,
    pub(crate) answer: &'a Answer,
}

impl Receipt<'_> {
    /// Whether DE39 is 00; an answer without DE39 approves nothing.
    pub(crate) fn is_approved(&self) -> bool {
        self.response_code() == Some("00")
    }

    fn response_code(&self) -> Option<&str> {
        self.field(39)
    }

    /// A text element without its padding, if there is anything in it.
    fn field(&self, de: u8) -> Option<&str> {
        self.answer.message.text(de).map(str::trim_end).filter(|text| !text.is_empty())
    }

    fn amount(&self) -> Option<String> {
        let Order { currency, amount, kind, .. } = self.order;
        kind.has_amount().then(|| currency.show(*amount))
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let message: &Message = &self.answer.message;
        let mut receipt = json!({
            "mti": message.mti().to_string(),
            "response_code": self.response_code(),
            "approved": self.is_approved(),
            "rrn": self.field(37),
            "approval_code": self.field(38),
            "stan": self.order.stan.to_string(),
            "amount": self.amount(),
            "currency": self.order.currency.alpha(),
            "elapsed_ms": self.answer.elapsed_ms,
            "kind": self.order.kind.name(),
            "terminal": self.order.terminal.as_str(),
            "retailer": self.retailer(),
            "text": self.field(44),
            "balances": self.balances().map(|all| all.iter().map(document).collect::<Value>()),
            "at": self.order.at.to_string(),
        });
        if words::acknowledges(message.mti()) {
            receipt["acknowledged"] = self.is_approved().into();
        }
        receipt
    }

    /// DE39 in words, and what to do.
    fn verdict(&self) -> (String, words::Next) {
        let Some(code) = self.response_code() else {
            return ("the answer has no response code".to_owned(), words::Next::PutRight);
        };
        let mti = self.answer.message.mti();
        if code == "00" && words::acknowledges(mti) {
            let original = self.order.original.rrn.map(|rrn| rrn.as_str().trim_end().to_owned());
            let rrn = original.as_deref().or(self.field(37)).unwrap_or("RRN");
            let why = format!("{}; see bongsu ledger payment {rrn}", words::acknowledged(mti));
            return (why, words::Next::Done);
        }
        let (why, next) =
            words::refusal(code, self.field(44)).unwrap_or_else(|| words::response(code));
        (why.to_owned(), next)
    }

    fn retailer(&self) -> Option<&str> {
        let sent = self.order.retailer.as_ref().map(|retailer| retailer.as_str());
        self.field(42).or(sent)
    }

    /// The parts of DE54.
    fn parts(&self) -> Option<Vec<&str>> {
        let text = self.answer.message.get(54)?;
        text.chunks(20).map(|part| std::str::from_utf8(part).ok()).collect()
    }

    fn balances(&self) -> Option<Vec<words::Balance<'_>>> {
        self.parts()?.into_iter().map(words::Balance::parse).collect()
    }

    fn balances_in_words(&self) -> Option<String> {
        let words: Option<Vec<String>> = self.parts()?.into_iter().map(words::balance).collect();
        words.map(|words| words.join(", "))
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let order = self.order;
        let (why, next) = self.verdict();
        let verdict = match (order.kind, self.is_approved()) {
            (Kind::Echo, true) => output::paint(Paint::Good, "ANSWERED"),
            (Kind::Reversal | Kind::Complete, true) => output::paint(Paint::Good, "ACKNOWLEDGED"),
            (_, true) => output::paint(Paint::Good, "APPROVED"),
            (_, false) => output::paint(Paint::Bad, "DECLINED"),
        };
        let mut rows: Vec<(&str, String)> = Vec::new();
        let mut row = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
        row("retailer", self.retailer().map(str::to_owned));
        row("terminal", Some(order.terminal.to_string()));
        row("card", order.pan.as_ref().filter(|_| order.kind != Kind::Echo).map(masked));
        row("amount", self.amount().map(|amount| format!("{amount} {}", order.currency.alpha())));
        row("balance", self.balances_in_words());
        row("response", self.response_code().map(|code| format!("{code}, {why}")));
        row("text", self.field(44).map(str::to_owned));
        row("RRN", self.field(37).map(str::to_owned));
        row("approval", self.field(38).map(str::to_owned));
        row("trace", Some(order.stan.to_string()));
        row("local time", Some(order.local().to_string().replace('T', " ")));
        row("sent at", Some(order.at.to_string()));
        row("answered in", Some(format!("{} ms", self.answer.elapsed_ms)));
        // A balance may be asked for again and again.
        if order.kind != Kind::Echo && !(order.kind == Kind::Balance && self.is_approved()) {
            row("next", Some(next.words().to_owned()));
        }
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|(name, value)| vec![format!("  {name}"), value]).collect();
        format!("{} {verdict}\n{}", order.kind.name().to_uppercase(), output::columns(&rows, &[]))
    }
}

fn document(balance: &words::Balance<'_>) -> Value {
    json!({
        "account": balance.account,
        "type": balance.kind,
        "currency": balance.currency,
        "amount": balance.amount,
    })
}

/// First eight and last four digits, as everywhere.
fn masked(pan: &Pan) -> String {
    CardRef {
        first8: pan.first8(),
        last4: pan.last4(),
        pan_len: u8::try_from(pan.digits().len()).unwrap_or(0),
        token: Token::default(),
        sealed: Sealed::EMPTY,
    }
    .masked()
}
