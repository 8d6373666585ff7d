//! `/openapi.json`: what there is, for tools (OpenAPI 3.1). Shapes are those of `crate::json`; keys
//! may be added, so that none is closed.

use axum::body::Bytes;
use serde_json::{Value, json};

/// The document.
pub(super) fn document(version: &str) -> Bytes {
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bongsu",
            "version": version,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Reads one role. Amounts are decimal strings, times RFC 3339 in UTC, \
                            ids strings; keys are added, never renamed.",
        },
        "paths": {
            "/": page("The page for people: the hub's, a station's own"),
            "/payments": page("Hub: the list of payments for people"),
            "/api": text("What this role has"),
            "/openapi.json": path("This document", &[], "Document"),
            "/healthz": text("200 while the process answers"),
            "/readyz": text("200 while the role does its work"),
            "/metrics": text("Counters in the Prometheus text format"),
            "/api/v1/overview": path("Totals; at the hub the nation's", &[], "Overview"),
            "/api/v1/stations": path("Stations and their fires", &[], "Stations"),
            "/api/v1/accounts": path("Hub: every account of the ledger", &[], "Accounts"),
            "/api/v1/payments": path("Hub: payments, newest first", &LIST, "Payments"),
            "/api/v1/payments/{id}": path(
                "Hub: all that the journal tells of a payment",
                &[("id", "path", "The payment's id, 32 hexadecimal digits")],
                "Story",
            ),
            "/book": path("A simulated bank: its own book", &[], "Book"),
        },
        "components": { "schemas": schemas() },
    });
    // A value of our own always is JSON.
    serde_json::to_vec(&document).map(Bytes::from).unwrap_or_default()
}

type Parameter = (&'static str, &'static str, &'static str);

const LIST: [Parameter; 8] = [
    ("rrn", "query", "Reference (DE37)"),
    ("stan", "query", "Trace number (DE11)"),
    ("terminal", "query", "Terminal (DE41)"),
    ("date", "query", "Business date, YYYY-MM-DD"),
    ("from", "query", "Taken in at or after this (RFC 3339, or a date in UTC)"),
    ("to", "query", "Taken in before this"),
    ("cursor", "query", "`next` of the answer before"),
    ("limit", "query", "At most so many, 1 to 500; 50 if absent"),
];

/// A list that may not be all there is.
fn payments() -> Value {
    let payments = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Payment" } });
    json!({
        "type": "object",
        "required": ["payments", "complete"],
        "properties": {
            "payments": payments,
            "next": { "type": ["string", "null"] },
            "complete": { "type": "boolean" },
        },
    })
}

fn text(summary: &str) -> Value {
    let content = json!({ "text/plain": { "schema": { "type": "string" } } });
    json!({ "get": { "summary": summary, "responses": {
        "200": { "description": summary, "content": content },
        "503": failure(),
    } } })
}

fn page(summary: &str) -> Value {
    let content = json!({ "text/html": { "schema": { "type": "string" } } });
    json!({ "get": { "summary": summary, "responses": {
        "200": { "description": summary, "content": content },
        "default": failure(),
    } } })
}

fn path(summary: &str, parameters: &[Parameter], shape: &str) -> Value {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, place, what)| {
            json!({ "name": name, "in": place, "required": *place == "path",
                    "description": what, "schema": { "type": "string" } })
        })
        .collect();
    let schema = json!({ "$ref": format!("#/components/schemas/{shape}") });
    json!({ "get": { "summary": summary, "parameters": parameters, "responses": {
        "200": { "description": summary, "content": { "application/json": { "schema": schema } } },
        "default": failure(),
    } } })
}

fn failure() -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Failure" });
    json!({ "description": "What went wrong, where, and what to do",
            "content": { "application/json": { "schema": schema } } })
}

fn schemas() -> Value {
    let list = |key: &str, item: &str| {
        let items = json!({ "$ref": format!("#/components/schemas/{item}") });
        json!({ "type": "object", "required": [key],
                "properties": { key: { "type": "array", "items": items } } })
    };
    let object = |required: &[&str]| json!({ "type": "object", "required": required });
    json!({
        "Overview": object(&["nation", "role", "fires", "state", "stations", "banks", "minutes",
                             "day", "payments_per_s", "approval_rate", "p99_ms", "saf_depth",
                             "findings", "business_date", "cycle"]),
        "Stations": list("stations", "Station"),
        "Station": object(&["name", "fires", "state", "terminals_online", "links", "trunk",
                            "payments_per_s", "approval_rate", "p99_ms", "saf_depth"]),
        "Accounts": list("accounts", "Account"),
        "Account": object(&["id", "owner", "kind", "currency", "debits_pending", "debits_posted",
                            "credits_pending", "credits_posted", "balance"]),
        "Payments": payments(),
        "Payment": object(&["rrn", "status", "kind", "amount", "currency", "response_code",
                            "approval_code", "stan", "station", "terminal", "acquirer", "issuer",
                            "business_date", "stand_in", "synthetic", "returned",
                            "reversal_acknowledged", "at", "id"]),
        "Story": object(&["payment", "steps", "complete"]),
        "Book": object(&[]),
        "Document": object(&["openapi", "info", "paths", "components"]),
        "Failure": object(&["error"]),
    })
}
