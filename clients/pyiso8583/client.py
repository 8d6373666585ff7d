"""Drives a station's terminals port with pyiso8583 (PyPI), dialect iso87-ascii.

Usage: client.py HOST:PORT
Prints `ok` or `FAIL` for each check; exits 1 if any failed.
"""

import datetime
import socket
import struct
import sys
import time

import iso8583
from iso8583.specs import default_ascii as SPEC

TERMINAL, RETAILER, ACQUIRER = "PYO00001", "PYO-SHOP-000001", "100001"
CARD = "9408020000000015"  # Harbour Bank, account 000000001: another bank than the acquirer
EMPTY = "940802000000098"  # Harbour Bank, account 98, without its Luhn digit
PYONGYANG = datetime.timezone(datetime.timedelta(hours=9))
WAIT_S = 35  # a terminal waits at least this long (R-TIME)

failed = 0
stan = int(time.time()) * 10 % 900_000  # other numbers in every run of one day


def luhn(digits):
    doubled = [int(d) * (2 - i % 2) for i, d in enumerate(reversed(digits))]
    return digits + str(-sum(n // 10 + n % 10 for n in doubled) % 10)


def header(mti):
    global stan
    stan += 1
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"t": mti, "7": f"{now:%m%d%H%M%S}", "11": f"{stan:06}", "41": TERMINAL}


def purchase(pan, amount_minor):
    local = datetime.datetime.now(PYONGYANG)
    return header("0200") | {
        "2": pan, "3": "000000", "4": f"{amount_minor:012}",
        "12": f"{local:%H%M%S}", "13": f"{local:%m%d}", "14": "3112",
        "32": ACQUIRER, "42": RETAILER, "49": "408",
    }


def ask(message):
    raw, _ = iso8583.encode(message, SPEC)
    connection.sendall(struct.pack(">H", len(raw)) + raw)
    head = stream.read(2)
    if len(head) < 2:
        raise ConnectionError("closed instead of an answer")
    answer, _ = iso8583.decode(stream.read(*struct.unpack(">H", head)), SPEC)
    return answer


def check(name, expected, run):
    """Runs one exchange; every expected field must have its value (None: absent)."""
    global failed
    try:
        got = run()
        wrong = {f: got.get(f) for f, v in expected.items() if got.get(f) != v}
        if not wrong:
            print(f"ok pyiso8583 {name}", flush=True)
            return got
        expected = {f: expected[f] for f in wrong}
    except Exception as error:  # an answer that can't be read fails this check, not the others
        wrong, got = f"{type(error).__name__}: {error}", {}
    failed += 1
    print(f"FAIL pyiso8583 {name}: expected {expected} got {wrong}", flush=True)
    return got


def echoed(message, *fields):
    return {f: message[f] for f in fields}


host, _, port = sys.argv[1].rpartition(":")
connection = socket.create_connection((host, int(port)), WAIT_S)
stream = connection.makefile("rb")

echo = header("0800") | {"70": "301"}
check("echo", {"t": "0810", "39": "00"} | echoed(echo, "7", "11", "70"), lambda: ask(echo))

sale = purchase(CARD, 1250)
same = echoed(sale, "2", "3", "4", "7", "11", "12", "13", "32", "41", "42", "49")
first = check("purchase", {"t": "0210", "39": "00"} | same, lambda: ask(sale))

again = {"37": first.get("37", "a DE37"), "38": first.get("38", "a DE38")}
repeat = sale | {"t": "0201"}
check("repeat", {"t": "0210", "39": "00"} | same | again, lambda: ask(repeat))

# A reversal with a trace number of its own: only DE90 names the purchase.
original = "0200" + sale["11"] + sale["7"] + ACQUIRER.zfill(11) + "0" * 11
reversal = header("0420") | echoed(sale, "2", "3", "4", "12", "13", "32", "42", "49") | {
    "37": first.get("37", "000000000000"), "39": "17", "90": original,
}
check("reversal", {"t": "0430", "39": "00"} | echoed(reversal, "4", "11"), lambda: ask(reversal))

check("repeat-after-reversal", {"t": "0210", "39": "94", "44": "REVERSED"} | echoed(sale, "11"),
      lambda: ask(repeat))

empty = purchase(luhn(EMPTY), 500)
check("declined", {"t": "0210", "39": "51", "38": None} | echoed(empty, "2", "4", "11", "41"),
      lambda: ask(empty))

sys.exit(1 if failed else 0)
