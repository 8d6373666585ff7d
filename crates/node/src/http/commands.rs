//! What changes something: only on the role's Unix socket, whose file lets in its owner alone, and
//! through the same bounded desk as every question.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::Response;
use axum::routing::post;
use host::Config;
use host::config::FILE_BYTES_MAX;
use host::view::{self, BusinessChange, Reply};
use serde::Deserialize;

use super::Pages;
use super::refusal::Refusal;
use super::routes::{body, json};
use crate::channels;
use crate::json::ChangeJson;

type Shared = State<Arc<Pages>>;

/// The routes of commands, to be put beside those of pages.
pub(super) fn router(pages: Arc<Pages>) -> Router {
    Router::new()
        .route("/api/v1/config/diff", post(diff))
        .route("/api/v1/config/apply", post(apply))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX))
        .with_state(pages)
}

#[derive(Deserialize)]
struct Author {
    author: Option<String>,
}

/// Where the file differs from the journal.
async fn diff(State(pages): Shared, file: Bytes) -> Result<Response, Refusal> {
    answer(&pages, "/api/v1/config/diff", business(&pages, &file).await?).await
}

/// Journals the difference and its author.
async fn apply(
    State(pages): Shared,
    Query(Author { author }): Query<Author>,
    file: Bytes,
) -> Result<Response, Refusal> {
    let change = business(&pages, &file).await?;
    let change = author.and_then(|author| change.by(&author)).ok_or_else(|| {
        let remedy = "say who changes it, in at most 64 bytes";
        Refusal::query("author", "it is missing, empty, too long or holds control codes", remedy)
    })?;
    answer(&pages, "/api/v1/config/apply", change).await
}

async fn business(pages: &Pages, file: &[u8]) -> Result<BusinessChange, Refusal> {
    let remedy = "see `bongsu config check FILE`";
    let text = std::str::from_utf8(file)
        .map_err(|error| Refusal::query("body", error.to_string(), remedy))?;
    let config = Config::parse(text, "the file")
        .map_err(|errors| Refusal::query("body", errors.to_string(), remedy))?;
    let change = BusinessChange::of(&config);
    let Some(keys) = pages.keys.clone() else { return Ok(change) };
    let banks: Vec<_> = config.participants.iter().map(|bank| bank.id).collect();
    // Files are read where no page waits for them.
    let read = tokio::task::spawn_blocking(move || channels::macs_now(&keys, &banks)).await;
    Ok(change.with_macs(read.unwrap_or_default()))
}

async fn answer(pages: &Pages, path: &str, change: BusinessChange) -> Result<Response, Refusal> {
    let body = match pages.ask_host(view::Query::Change(change)).await? {
        Reply::Change(view) => body(&ChangeJson::from(view)),
        Reply::Overview(_)
        | Reply::Accounts(_)
        | Reply::Payments(_)
        | Reply::Metrics(_)
        | Reply::NotHere => None,
    };
    body.map(json).ok_or_else(|| Refusal::not_here(path))
}
