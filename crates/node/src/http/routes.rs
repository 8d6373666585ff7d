//! The routes of every role; a role that has nothing to say at one answers 404 there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use host::limits::QUERY_PAYMENTS_MAX;
use host::view::{self, Overview, PaymentFilter, Reply};
use scheme::{BusinessDate, CivilDateTime, Stan, TerminalId};
use serde::Serialize;

use super::refusal::Refusal;
use super::{Pages, metrics};
use crate::driven::{Answer, Question};
use crate::json::{AccountsJson, OverviewJson, PaymentsJson, StationsJson};
use crate::limits::{OVERVIEW_AGE, PAYMENTS_DEFAULT};
use crate::role::RoleName;

type Shared = State<Arc<Pages>>;

pub(super) fn router(pages: Arc<Pages>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .route("/api/v1/overview", get(overview))
        .route("/api/v1/stations", get(stations))
        .route("/api/v1/accounts", get(accounts))
        .route("/api/v1/payments", get(payments))
        .route("/book", get(book))
        .fallback(|uri: Uri| async move { Refusal::not_here(uri.path()) })
        .method_not_allowed_fallback(|uri: Uri| async move { Refusal::method(uri.path()) })
        .with_state(pages)
}

/// Whether a role has a route.
type Has = fn(&RoleName) -> bool;

/// What the index says of each route, and who has it.
const ROUTES: [(&str, &str, Has); 8] = [
    ("/healthz", "200 while the process answers", |_| true),
    ("/readyz", "200 while the role does its work", |_| true),
    ("/metrics", "counters in the Prometheus text format", |_| true),
    ("/api/v1/overview", "totals", |role| !matches!(role, RoleName::Bank(_))),
    ("/api/v1/stations", "stations and their fires", |role| {
        matches!(role, RoleName::Hub | RoleName::Station(_))
    }),
    ("/api/v1/accounts", "accounts of the ledger", |role| *role == RoleName::Hub),
    ("/api/v1/payments", "payments: ?rrn= stan= terminal= date= limit=", |role| {
        *role == RoleName::Hub
    }),
    ("/book", "the simulated bank's own book", |role| matches!(role, RoleName::Bank(_))),
];

async fn index(State(pages): Shared) -> String {
    let mut text = format!("bongsu {}, {}\n\n", pages.version, pages.role);
    for (path, what, has) in ROUTES {
        if has(&pages.role) {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{path:<18}{what}");
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
            Answer::Host(reply) => Ok(reply),
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
    let Query(parameters) = query.map_err(|rejection| {
        Refusal::query("query", rejection.body_text(), "write it as name=value&name=value")
    })?;
    let filter = filter(&parameters)?;
    let body = match pages.ask_host(view::Query::Payments(filter)).await? {
        Reply::Payments(list) => {
            body(&PaymentsJson { payments: list.into_iter().map(Into::into).collect() })
        }
        Reply::Overview(_)
        | Reply::Accounts(_)
        | Reply::Metrics(_)
        | Reply::Change(_)
        | Reply::NotHere => None,
    };
    body.map(json).ok_or_else(|| Refusal::not_here("/api/v1/payments"))
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

/// `rrn=|stan=|terminal=|date=|limit=`, each at most once, all of them to fit.
fn filter(parameters: &[(String, String)]) -> Result<PaymentFilter, Refusal> {
    let mut filter = PaymentFilter { limit: PAYMENTS_DEFAULT, ..PaymentFilter::default() };
    for (place, (name, value)) in parameters.iter().enumerate() {
        if parameters[..place].iter().any(|(earlier, _)| earlier == name) {
            return Err(Refusal::query(name, "given twice", "give it once"));
        }
        let bad = |remedy| Refusal::query(name, format!("`{value}` does not fit"), remedy);
        match name.as_str() {
            "rrn" => {
                let fits = !value.is_empty() && value.len() <= 12 && value.is_ascii();
                let rrn = fits.then(|| value.clone());
                filter.rrn = Some(rrn.ok_or_else(|| bad("up to 12 characters (DE37)"))?);
            }
            "stan" => {
                let stan = value.parse().ok().and_then(Stan::new);
                filter.stan = Some(stan.ok_or_else(|| bad("a number up to 999999 (DE11)"))?.get());
            }
            "terminal" => {
                let terminal = TerminalId::new(value.as_bytes());
                filter.terminal = Some(terminal.map_err(|_| bad("up to 8 characters (DE41)"))?);
            }
            "date" => {
                let date = date(value).ok_or_else(|| bad("a business date YYYY-MM-DD"))?;
                filter.date = Some(date);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|n| (1..=QUERY_PAYMENTS_MAX).contains(n));
                filter.limit = limit.ok_or_else(|| bad("a number from 1 to 500"))?;
            }
            _ => {
                let known = "known are rrn, stan, terminal, date, limit";
                return Err(Refusal::query(name, "unknown parameter", known));
            }
        }
    }
    Ok(filter)
}

/// YYYY-MM-DD, a day that exists, within the 16 bits of a business date.
fn date(text: &str) -> Option<BusinessDate> {
    let digits = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok())?
    };
    let civil = CivilDateTime {
        year: digits(0, 4).filter(|year| (1970..2149).contains(year))?,
        month: u8::try_from(digits(5, 7)?).ok().filter(|month| (1..=12).contains(month))?,
        day: u8::try_from(digits(8, 10)?).ok().filter(|day| (1..=31).contains(day))?,
        hour: 0,
        minute: 0,
        second: 0,
    };
    let date = BusinessDate::of(civil);
    (date.to_string() == text).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &[(&str, &str)]) -> Result<PaymentFilter, Refusal> {
        let owned: Vec<_> = query.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        filter(&owned)
    }

    #[test]
    fn a_filter_takes_what_fits_and_names_what_does_not() {
        let all = [("rrn", "632600000001"), ("stan", "42"), ("terminal", "PYO00001")];
        let filter = of(&all).unwrap();
        assert_eq!(filter.rrn.as_deref(), Some("632600000001"));
        assert_eq!((filter.stan, filter.limit), (Some(42), PAYMENTS_DEFAULT));
        assert_eq!(filter.terminal.unwrap().to_string(), "PYO00001");
        let date = of(&[("date", "2026-11-22"), ("limit", "500")]).unwrap();
        // 2026-11-22 is day 20,779 (GNU date: `date -ud 2026-11-22 +%s` / 86400).
        assert_eq!((date.date, date.limit), (Some(BusinessDate(20_779)), 500));
        for (name, value) in [
            ("rrn", ""),
            ("rrn", "1234567890123"),
            ("stan", "1000000"),
            ("stan", "-1"),
            ("terminal", "123456789"),
            ("date", "2026-02-30"),
            ("date", "2026-2-3"),
            ("date", "2026-11-22x"),
            ("date", "+026-11-22"),
            ("date", "9999-01-01"),
            ("limit", "0"),
            ("limit", "501"),
            ("cursor", "1"),
        ] {
            assert!(of(&[(name, value)]).is_err(), "{name}={value}");
        }
        assert!(of(&[("stan", "1"), ("stan", "1")]).is_err());
    }
}
