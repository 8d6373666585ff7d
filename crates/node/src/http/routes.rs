//! The routes of every role; a role that has nothing to say at one answers 404 there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use host::view::{self, Overview, PaymentFilter, PaymentView, Reply};
use serde::Serialize;

use super::filter::{cursor_of, filter, payment_id};
use super::refusal::Refusal;
use super::{Pages, metrics};
use crate::driven::{Answer, Question};
use crate::json::{AccountsJson, OverviewJson, PaymentsJson, StationsJson, StoryJson};
use crate::limits::{LATEST_SHOWN, OVERVIEW_AGE};
use crate::role::RoleName;

type Shared = State<Arc<Pages>>;

pub(super) fn router(pages: Arc<Pages>) -> Router {
    Router::new()
        .merge(super::pages::router())
        .route("/api", get(index))
        .route("/openapi.json", get(openapi))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .route("/api/v1/overview", get(overview))
        .route("/api/v1/stations", get(stations))
        .route("/api/v1/accounts", get(accounts))
        .route("/api/v1/payments", get(payments))
        .route("/api/v1/payments/{id}", get(story))
        .route("/book", get(book))
        .fallback(|uri: Uri| async move { Refusal::not_here(uri.path()) })
        .method_not_allowed_fallback(|uri: Uri| async move { Refusal::method(uri.path()) })
        .layer(from_fn_with_state(Arc::clone(&pages), super::pages::dress))
        .with_state(pages)
}

/// What there is, for tools (OpenAPI 3.1).
async fn openapi(State(pages): Shared) -> Response {
    json(super::openapi::document(&pages.version))
}

/// Whether a role has a route.
type Has = fn(&RoleName) -> bool;

/// What the index says of each route, and who has it.
pub(super) const ROUTES: [(&str, &str, Has); 13] = [
    ("/", "the page for people", has_page),
    ("/payments", "the list of payments for people; below it each one's story", is_hub),
    ("/api", "this list", |_| true),
    ("/openapi.json", "the same for tools (OpenAPI 3.1)", |_| true),
    ("/healthz", "200 while the process answers", |_| true),
    ("/readyz", "200 while the role does its work", |_| true),
    ("/metrics", "counters in the Prometheus text format", |_| true),
    ("/api/v1/overview", "totals", |role| !matches!(role, RoleName::Bank(_))),
    ("/api/v1/stations", "stations and their fires", has_page),
    ("/api/v1/accounts", "accounts of the ledger", is_hub),
    ("/api/v1/payments", "payments: ?rrn= stan= terminal= date= from= to= cursor= limit=", is_hub),
    ("/api/v1/payments/{id}", "all that the journal tells of a payment", is_hub),
    ("/book", "the simulated bank's own book", |role| matches!(role, RoleName::Bank(_))),
];

fn is_hub(role: &RoleName) -> bool {
    *role == RoleName::Hub
}

fn has_page(role: &RoleName) -> bool {
    matches!(role, RoleName::Hub | RoleName::Station(_))
}

async fn index(State(pages): Shared) -> String {
    let mut text = format!("bongsu {}, {}\n\n", pages.version, pages.role);
    for (path, what, has) in ROUTES {
        if has(&pages.role) {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{path:<22} {what}");
        }
    }
    text
}

impl Pages {
    async fn ask(&self, question: Question) -> Result<Answer, Refusal> {
        let answer = self.desk.ask(question).await;
        answer.map_err(|why| Refusal::no_answer(why, self.role.to_string()))
    }

    pub(super) async fn ask_host(&self, query: view::Query) -> Result<Reply, Refusal> {
        match self.ask(Question::Host(query)).await? {
            Answer::Host(reply) => Ok(*reply),
            Answer::Book(_) | Answer::Shops(_) | Answer::Ready(_) | Answer::NotHere => {
                Ok(Reply::NotHere)
            }
        }
    }
}

/// Alive: the event loop answers.
async fn healthz(State(pages): Shared) -> Result<&'static str, Refusal> {
    pages.ask(Question::Ready).await.map(|_| "ok\n")
}

/// Ready: the role does its work.
async fn readyz(State(pages): Shared) -> Result<&'static str, Refusal> {
    match pages.ask(Question::Ready).await? {
        Answer::Ready(true) => Ok("ready\n"),
        Answer::Ready(false)
        | Answer::Host(_)
        | Answer::Book(_)
        | Answer::Shops(_)
        | Answer::NotHere => Err(Refusal::not_ready(pages.role.to_string())),
    }
}

async fn scrape(State(pages): Shared) -> Result<Response, Refusal> {
    let reply = match pages.role {
        RoleName::Hub | RoleName::Station(_) => pages.ask_host(view::Query::Metrics).await?,
        RoleName::Bank(_) | RoleName::Shops => Reply::NotHere,
    };
    let list = match reply {
        Reply::Metrics(list) => list,
        Reply::Overview(_)
        | Reply::Accounts(_)
        | Reply::Payments(_)
        | Reply::Change(_)
        | Reply::NotHere => Vec::new(),
    };
    let text = metrics::render(list, &pages.turns, pages.commits.as_deref());
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

impl Pages {
    /// The latest payments, as old as the totals at most. Call it without holding either.
    pub(super) async fn latest(&self) -> Result<Arc<[PaymentView]>, Refusal> {
        let mut kept = self.latest.lock().await;
        if let Some((at, list)) = kept.as_ref()
            && at.elapsed() < OVERVIEW_AGE
        {
            return Ok(Arc::clone(list));
        }
        let filter = PaymentFilter { limit: LATEST_SHOWN, ..PaymentFilter::default() };
        let Reply::Payments(page) = self.ask_host(view::Query::Payments(filter)).await? else {
            return Err(Refusal::not_here("/"));
        };
        let list: Arc<[PaymentView]> = page.payments.into();
        *kept = Some((Instant::now(), Arc::clone(&list)));
        Ok(list)
    }

    /// The totals of a hub or station, at most 250 ms old. Whoever waits here while another asks
    /// gets that one's answer.
    pub(super) async fn standing(&self) -> Result<Arc<Overview>, Refusal> {
        let mut kept = self.overview.lock().await;
        if let Some((at, overview)) = kept.as_ref()
            && at.elapsed() < OVERVIEW_AGE
        {
            return Ok(Arc::clone(overview));
        }
        let Reply::Overview(overview) = self.ask_host(view::Query::Overview).await? else {
            return Err(Refusal::not_here("/api/v1/overview"));
        };
        let overview = Arc::new(overview);
        *kept = Some((Instant::now(), Arc::clone(&overview)));
        Ok(overview)
    }
}

async fn overview(State(pages): Shared) -> Result<Response, Refusal> {
    let body = match pages.role {
        RoleName::Hub | RoleName::Station(_) => {
            body(&OverviewJson::from(&*pages.standing().await?))
        }
        RoleName::Shops => match pages.ask(Question::Shops).await? {
            Answer::Shops(totals) => body(&totals),
            Answer::Host(_) | Answer::Book(_) | Answer::Ready(_) | Answer::NotHere => None,
        },
        RoleName::Bank(_) => None,
    };
    body.map(json).ok_or_else(|| Refusal::not_here("/api/v1/overview"))
}

async fn stations(State(pages): Shared) -> Result<Response, Refusal> {
    let body = match pages.role {
        RoleName::Hub | RoleName::Station(_) => {
            body(&StationsJson::from(&*pages.standing().await?))
        }
        RoleName::Shops | RoleName::Bank(_) => None,
    };
    body.map(json).ok_or_else(|| Refusal::not_here("/api/v1/stations"))
}

async fn accounts(State(pages): Shared) -> Result<Response, Refusal> {
    let body = match pages.ask_host(view::Query::Accounts).await? {
        Reply::Accounts(list) => {
            body(&AccountsJson { accounts: list.into_iter().map(Into::into).collect() })
        }
        Reply::Overview(_)
        | Reply::Payments(_)
        | Reply::Metrics(_)
        | Reply::Change(_)
        | Reply::NotHere => None,
    };
    body.map(json).ok_or_else(|| Refusal::not_here("/api/v1/accounts"))
}

async fn payments(
    State(pages): Shared,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let filter = filter(&parameters(query)?)?;
    let body = match pages.ask_host(view::Query::Payments(filter)).await? {
        Reply::Payments(page) => {
            let payments = page.payments.into_iter().map(Into::into).collect();
            let (next, complete) = (page.next.map(cursor_of), !page.incomplete);
            body(&PaymentsJson { payments, next, complete })
        }
        Reply::Overview(_)
        | Reply::Accounts(_)
        | Reply::Metrics(_)
        | Reply::Change(_)
        | Reply::NotHere => None,
    };
    body.map(json).ok_or_else(|| Refusal::not_here("/api/v1/payments"))
}

/// A payment's whole story, out of the journal.
async fn story(State(pages): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    let path = format!("/api/v1/payments/{id}");
    let id = payment_id(&id).ok_or_else(|| Refusal::no_payment(&path))?;
    let story = pages.story(id, &path).await?;
    body(&StoryJson::from(&story)).map(json).ok_or_else(|| Refusal::not_here(&path))
}

/// Names and values of a URL's query.
pub(super) fn parameters(
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Vec<(String, String)>, Refusal> {
    query.map(|Query(parameters)| parameters).map_err(|rejection| {
        Refusal::query("query", rejection.body_text(), "write it as name=value&name=value")
    })
}

async fn book(State(pages): Shared) -> Result<Response, Refusal> {
    let body = match pages.ask(Question::Book).await? {
        Answer::Book(book) => body(&book),
        Answer::Host(_) | Answer::Shops(_) | Answer::Ready(_) | Answer::NotHere => None,
    };
    body.map(json).ok_or_else(|| Refusal::not_here("/book"))
}

/// Our own shapes always are JSON; if one were not, the page is missing, not the process.
pub(super) fn body(shape: &impl Serialize) -> Option<Bytes> {
    serde_json::to_vec(shape).ok().map(Bytes::from)
}

pub(super) fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
