//! What a request that gets no answer gets: a status and `{"error":{...}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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
            remedy: "ask another role, or see /api/v1/overview",
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
        let Self { status, kind, message, place, remedy } = self;
        let error = Error { kind, message, place, remedy };
        (status, Json(Shown { error })).into_response()
    }
}
