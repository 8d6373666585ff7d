//! Pages for people: HTML of crate `console`, beside the JSON for scripts.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use console::{ENGLISH, pages as html, view as page};
use host::view::{PaymentFilter, PaymentPage, Query as Ask, Reply};

use super::filter::{cursor_of, filter, payment_id};
use super::refusal::Refusal;
use super::{Pages, routes, shown};
use crate::limits::{REFRESH_S, STORY_REFRESH_S};
use crate::role::RoleName;

type Shared = State<Arc<Pages>>;

/// The beacon, for the browser's tab.
const ICON: &str = include_str!("icon.svg");

/// Nothing from outside, no script, no inline style.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Arc<Pages>> {
    Router::new()
        .route("/", get(front))
        .route("/payments", get(payments))
        .route("/payments/{id}", get(story))
        .route("/style.css", get(|| async { asset("text/css; charset=utf-8", console::STYLE) }))
        .route("/icon.svg", get(|| async { asset("image/svg+xml", ICON) }))
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    (headers, body).into_response()
}

impl Pages {
    fn frame(&self, nation: &str, at: String, refresh_s: Option<u32>) -> page::Frame {
        let role = match &self.role {
            RoleName::Station(name) => name.clone(),
            role => role.to_string(),
        };
        let (nation, version) = (nation.to_owned(), self.version.clone());
        page::Frame { nation, role, version, at, refresh_s }
    }

    async fn list(&self, filter: PaymentFilter, path: &str) -> Result<PaymentPage, Refusal> {
        match self.ask_host(Ask::Payments(filter)).await? {
            Reply::Payments(page) => Ok(page),
            _ => Err(Refusal::not_here(path)),
        }
    }
}

/// The hub's overview, a station's own page; others say what they have.
async fn front(State(pages): Shared) -> Result<Response, Refusal> {
    if !matches!(pages.role, RoleName::Hub | RoleName::Station(_)) {
        return Ok(Redirect::temporary("/api").into_response());
    }
    let view = pages.standing().await?;
    let frame = pages.frame(&view.nation, view.at.to_string(), Some(REFRESH_S));
    if pages.role == RoleName::Hub {
        let latest = pages.latest().await?;
        let overview = shown::overview(frame, &view, latest.to_vec());
        return Ok(Html(html::overview(&ENGLISH, &overview)).into_response());
    }
    Ok(Html(html::station(&ENGLISH, &shown::own(frame, &view))).into_response())
}

/// The list of payments.
async fn payments(
    State(pages): Shared,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let parameters = routes::parameters(query)?;
    // A form sends its empty fields too.
    let given: Vec<_> = parameters.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let asked = filter(&given)?;
    let list = pages.list(asked, "/payments").await?;
    let view = pages.standing().await?;
    let names = shown::names(&view);
    let value = |wanted: &str| {
        let found = given.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let next = list.next.map(cursor_of).map(|cursor| {
        let kept = given.iter().filter(|(name, _)| name != "cursor");
        let mut parts: Vec<_> = kept.map(|(n, v)| format!("{n}={}", escaped(v))).collect();
        parts.push(format!("cursor={cursor}"));
        parts.join("&")
    });
    let list = page::PaymentList {
        frame: pages.frame(&view.nation, view.at.to_string(), None),
        filters: page::Filters {
            rrn: value("rrn"),
            stan: value("stan"),
            terminal: value("terminal"),
            from: value("from"),
            to: value("to"),
        },
        payments: list.payments.iter().map(|payment| shown::payment(payment, &names)).collect(),
        next,
        incomplete: list.incomplete,
    };
    Ok(Html(html::payments(&ENGLISH, &list)).into_response())
}

/// A payment's whole story.
async fn story(State(pages): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    let path = format!("/payments/{id}");
    let id = payment_id(&id).ok_or_else(|| Refusal::no_payment(&path))?;
    let story = pages.story(id, &path).await?;
    let view = pages.standing().await?;
    let pending = (story.payment.status == "pending").then_some(STORY_REFRESH_S);
    let frame = pages.frame(&view.nation, view.at.to_string(), pending);
    let story = shown::story(frame, &story, &shown::names(&view));
    Ok(Html(html::story(&ENGLISH, &story)).into_response())
}

/// Percent-encodes what is not plain.
fn escaped(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.~".contains(b);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// What every answer carries, and a page for a person whom something was refused.
pub(super) async fn dress(State(pages): Shared, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT);
    let accepts = accepts.and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let person = accepts.contains("text/html") && !request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let refusal = response.extensions().get::<Refusal>().cloned();
    if let Some(refusal) = refusal.filter(|_| person) {
        let frame = pages.frame("Bongsu", String::new(), None);
        let status = response.status();
        response = (status, Html(html::trouble(&ENGLISH, &refusal.trouble(frame)))).into_response();
    }
    let fixed: [(HeaderName, &str); 6] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
