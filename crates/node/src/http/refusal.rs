//! What a request that gets no answer gets: a status and `{"error":{...}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use console::view::{Frame, Trouble};
use serde::Serialize;

use crate::questions::NoAnswer;

/// A refused request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
    place: String,
    remedy: &'static str,
}

#[derive(Serialize)]
struct Shown {
    error: Error,
}

#[derive(Serialize)]
struct Error {
    kind: &'static str,
    message: String,
    #[serde(rename = "where")]
    place: String,
    #[serde(rename = "do")]
    remedy: &'static str,
}

impl Refusal {
    /// A query parameter that does not hold.
    pub(super) fn query(name: &str, message: impl Into<String>, remedy: &'static str) -> Self {
        let (status, kind) = (StatusCode::BAD_REQUEST, "query");
        Self { status, kind, message: message.into(), place: name.to_owned(), remedy }
    }

    /// Nothing at this path, for this role.
    pub(super) fn not_here(path: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "not_here",
            message: "this role has nothing here".to_owned(),
            place: path.to_owned(),
            remedy: "see /api for what it has, or ask another role",
        }
    }

    /// No payment of this id, or not any more.
    pub(super) fn no_payment(path: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "no_payment",
            message: "the hub knows no payment of this id".to_owned(),
            place: path.to_owned(),
            remedy: "look for it in /payments; the hub keeps the last 50 hours at hand",
        }
    }

    /// The journal could not be read.
    pub(super) fn unreadable(path: &str, why: String) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "journal",
            message: why,
            place: path.to_owned(),
            remedy: "see the hub's log, and `bongsu ledger verify`",
        }
    }

    /// As a page says it.
    pub(super) fn trouble(self, frame: Frame) -> Trouble {
        Trouble {
            frame,
            status: self.status.as_u16(),
            message: self.message,
            place: self.place,
            remedy: self.remedy.to_owned(),
        }
    }

    /// Another method than GET.
    pub(super) fn method(path: &str) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            kind: "method",
            message: "this is read with GET".to_owned(),
            place: path.to_owned(),
            remedy: "use GET",
        }
    }

    /// The role runs, but does not do its work yet, or no more.
    pub(super) fn not_ready(role: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: "not_ready",
            message: "the role does not do its work yet".to_owned(),
            place: role,
            remedy: "wait; see /api/v1/overview and the log for what is missing",
        }
    }

    /// The event loop did not answer.
    pub(super) fn no_answer(why: NoAnswer, role: String) -> Self {
        let (kind, message) = match why {
            NoAnswer::Full => ("overload", "too many questions wait for this role"),
            NoAnswer::Late => ("late", "the role did not answer in time"),
            NoAnswer::Stopping => ("stopping", "the role is stopping"),
        };
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind,
            message: message.to_owned(),
            place: role,
            remedy: "ask again in a few seconds",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, kind, message, place, remedy } = self.clone();
        let error = Error { kind, message, place, remedy };
        let mut response = (status, Json(Shown { error })).into_response();
        // A person gets it as a page.
        response.extensions_mut().insert(self);
        response
    }
}
