//! A payment's story as JSON: `GET /api/v1/payments/ID`.

use host::story::{Move, Story, StoryStep, What};
use serde::Serialize;

use super::PaymentJson;

/// A payment and all that is recorded of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StoryJson {
    /// Where it stands.
    pub payment: PaymentJson,
    /// RFC 3339, UTC: when our first hop took it in; null if its first record was not found.
    pub first_received: Option<String>,
    /// The payment that it refunds.
    pub refunds: Option<String>,
    /// Oldest first.
    pub steps: Vec<StepJson>,
    /// Whether the journal was read to its end.
    pub complete: bool,
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StepJson {
    /// Journal record.
    pub record: u64,
    /// Journal frame.
    pub frame: u64,
    /// RFC 3339, UTC.
    pub at: String,
    /// `opened`, `posted`, ...
    pub what: &'static str,
    /// DE39.
    pub response_code: Option<String>,
    /// DE44.
    pub text: Option<String>,
    /// DE38.
    pub approval_code: Option<String>,
    /// Decimal.
    pub amount: Option<String>,
    /// Another payment.
    pub payment: Option<String>,
    /// The kind of a finding.
    pub finding: Option<&'static str>,
    /// What it moved.
    pub moves: Vec<MoveJson>,
}

/// Money that moved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MoveJson {
    /// `hold`, `post`, `void`, `return`, `completion`.
    pub leg: &'static str,
    /// Account that is debited.
    pub debit: String,
    /// Account that is credited.
    pub credit: String,
    /// Decimal.
    pub amount: String,
}

impl From<&Story> for StoryJson {
    fn from(story: &Story) -> Self {
        Self {
            payment: story.payment.clone().into(),
            first_received: story.first_received.map(|at| at.to_string()),
            refunds: story.refunds.clone(),
            steps: story.steps.iter().map(StepJson::from).collect(),
            complete: story.complete,
        }
    }
}

impl From<&StoryStep> for StepJson {
    fn from(step: &StoryStep) -> Self {
        let mut json = Self {
            record: step.record,
            frame: step.frame,
            at: step.at.to_string(),
            what: "",
            response_code: None,
            text: None,
            approval_code: None,
            amount: None,
            payment: None,
            finding: None,
            moves: step.moves.iter().map(MoveJson::from).collect(),
        };
        json.say(&step.what);
        json
    }
}

impl StepJson {
    fn say(&mut self, what: &What) {
        self.what = match what {
            What::Opened => "opened",
            What::Refused { code, text } => self.coded("refused", code, text),
            What::Declined { code, text } => self.coded("declined", code, text),
            What::Voided { code, text } => self.coded("voided", code, text),
            What::Held { approval } => {
                self.approval_code = Some(approval.clone());
                "held"
            }
            What::Posted { approval } => {
                self.approval_code = Some(approval.clone());
                "posted"
            }
            What::Completed { amount, late } => {
                self.amount = Some(amount.clone());
                if *late { "completed_late" } else { "completed" }
            }
            What::Reversed { amount, code, in_flight } => {
                self.amount = Some(amount.clone());
                self.response_code = Some(code.clone());
                if *in_flight { "reversed_in_flight" } else { "reversed" }
            }
            What::Refund { id, amount } => {
                (self.payment, self.amount) = (Some(id.clone()), Some(amount.clone()));
                "refund"
            }
            What::Acknowledged { code } => {
                self.response_code = Some(code.clone());
                "acknowledged"
            }
            What::Finding { kind } => {
                self.finding = Some(kind);
                "finding"
            }
        };
    }

    fn coded(&mut self, what: &'static str, code: &str, text: &str) -> &'static str {
        self.response_code = Some(code.to_owned());
        self.text = Some(text.to_owned()).filter(|text| !text.is_empty());
        what
    }
}

impl From<&Move> for MoveJson {
    fn from(moved: &Move) -> Self {
        let Move { leg, debit, credit, amount } = moved.clone();
        Self { leg, debit, credit, amount }
    }
}
