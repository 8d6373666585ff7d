"""Reads the ledger's exported tables with DuckDB (PyPI): CSV and Parquet must hold the same.

Usage: read.py DIR, where transfers and payments lie as .csv and .parquet, and accounts.json is what
`bongsu ledger accounts --format json` printed at the same time.
Prints `ok` or `FAIL` for each check; exits 1 if any failed.
"""

import json
import sys

import duckdb

DIR = sys.argv[1]
db = duckdb.connect()
db.execute("set timezone = 'UTC'")
failed = 0


def one(sql):
    return db.execute(sql).fetchone()[0]


def same_table(table):
    parquet = f"read_parquet('{DIR}/{table}.parquet')"
    types = {name: kind for name, kind, *_ in db.execute(f"describe select * from {parquet}").fetchall()}
    casts = ", ".join(f"""nullif("{name}", '')::{kind} as "{name}\"""" for name, kind in types.items())
    csv = f"(select {casts} from read_csv('{DIR}/{table}.csv', all_varchar = true, header = true))"
    # CSV has one word for an empty text and for none.
    texts = (
        f"""nullif("{name}", '') as "{name}\"""" if kind == "VARCHAR" else f'"{name}"'
        for name, kind in types.items()
    )
    parquet = f"(select {', '.join(texts)} from {parquet})"
    rows = one(f"select count(*) from {parquet}")
    assert rows > 0, f"{table} has no rows"
    assert rows == one(f"select count(*) from {csv}"), f"{table}: other numbers of rows"
    for left, right in ((parquet, csv), (csv, parquet)):
        differ = one(f"select count(*) from (select * from {left} except all select * from {right})")
        assert differ == 0, f"{table}: {differ} rows differ"
    return types


def parquet_is_csv():
    types = same_table("transfers")
    assert types["amount"] == "DECIMAL(18,2)" and types["business_date"] == "DATE", types
    assert types["at"].startswith("TIMESTAMP") and types["record"] == "BIGINT", types
    types = same_table("payments")
    assert types["synthetic"] == "BOOLEAN" and types["card"] == "VARCHAR", types


def sums_are_accounts():
    """By double entry alone: what is posted to and from each account is what the hub says it is."""
    with open(f"{DIR}/accounts.json", encoding="utf-8") as file:
        accounts = json.load(file)["accounts"]
    parquet = f"read_parquet('{DIR}/transfers.parquet')"
    checked = 0
    for account in accounts:
        kind, owner = account["kind"], account["owner"]
        name = kind if kind == "settlement" else f"{kind}:{owner}"
        for side, key in (("debit", "debits_posted"), ("credit", "credits_posted")):
            found = one(
                f"select coalesce(sum(amount), 0)::varchar from {parquet}"
                f" where state = 'posted' and {side} = '{name}'"
            )
            assert float(found) == float(account[key]), f"{name} {key}: {found}, {account[key]}"
            checked += float(found) > 0
    assert checked > 0, "nothing was posted"


def payments_are_transfers():
    """What a payment that stands is said to be of is what its posted transfers have moved to its acquirer."""
    payments, transfers = (f"read_parquet('{DIR}/{table}.parquet')" for table in ("payments", "transfers"))
    joined = f"""from (select id, status, amount, row_number() over (partition by id order by record desc) as age
          from {payments}) as stands
        join (select payment, sum(amount) as moved from {transfers}
          where state = 'posted' and not leg like 'reverse%' group by payment) as legs on legs.payment = stands.id
        where age = 1 and status in ('posted', 'reversed')"""
    assert one(f"select count(*) {joined}") > 0, "nothing was posted"
    differ = one(f"select count(*) {joined} and amount <> moved")
    assert differ == 0, f"{differ} payments are of another amount than their transfers"
    assert one(f"select count(*) from {transfers} where business_date is null") == 0, "a transfer is of no day"


for check in (parquet_is_csv, sums_are_accounts, payments_are_transfers):
    label = check.__name__.replace("_", "-")
    try:
        check()
        print(f"ok duckdb {label}")
    except Exception as why:  # whatever it is, it is told
        failed += 1
        print(f"FAIL duckdb {label}: {why}".replace("\n", " "))
sys.exit(1 if failed else 0)
