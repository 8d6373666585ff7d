"""A bank's host and a terminal by other people's programs: Python's ssl (OpenSSL) for TLS, `openssl
mac` for MACs, and ISO 8583 written out by hand. Prints `ok WHAT` or `FAIL WHAT: why`; ends with 0
when all is well.

    peer.py KEYS BANKS-PORT TERMINALS-PORT
"""

import datetime
import socket
import ssl
import struct
import subprocess
import sys

KEYS, BANKS, TERMINALS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
# Length indicators of the elements used here: digits of LL, or the fixed length.
VARIABLE = {2, 32, 44}
FIXED = {3: 6, 4: 12, 7: 10, 11: 6, 12: 6, 13: 4, 14: 4, 15: 4, 37: 12, 38: 6, 39: 2, 41: 8,
         42: 15, 49: 3, 64: 16, 70: 3, 128: 16}
failed = False


def check(what, fine, why=""):
    global failed
    print(f"ok {what}" if fine else f"FAIL {what}: {why}", flush=True)
    failed |= not fine


def pack(mti, fields, mac_key=None):
    fields = dict(fields)
    place = 128 if any(64 < de < 128 for de in fields) else 64
    if mac_key:
        fields[place] = ""
    bits = 0
    for de in fields:
        bits |= 1 << (128 - de)
    if bits & (1 << 64) - 1:
        bitmap = f"{bits | 1 << 127:032X}"
    else:
        bitmap = f"{bits >> 64:016X}"
    text = mti + bitmap
    for de in sorted(fields):
        value = fields[de]
        text += f"{len(value):02}{value}" if de in VARIABLE else value
    if mac_key:
        text += mac(mac_key, text)
    return text


def unpack(text):
    mti, at = text[:4], 20
    bits = int(text[4:20], 16) << 64
    if bits >> 127:
        bits |= int(text[20:36], 16)
        at = 36
    fields = {}
    for de in range(2, 129):
        if bits >> (128 - de) & 1:
            if de in VARIABLE:
                length, at = int(text[at:at + 2]), at + 2
            else:
                length = FIXED[de]
            fields[de], at = text[at:at + length], at + length
    assert at == len(text), text
    return mti, fields


def mac(key, text):
    command = ["openssl", "mac", "-cipher", "AES-128-CBC", "-macopt", f"hexkey:{key}", "CMAC"]
    ran = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    return ran.stdout.decode().strip()[:16].upper()


def mac_key(bank, direction):
    with open(f"{KEYS}/mac-{bank}-{direction}.key", encoding="ascii") as file:
        lines = [line for line in file.read().splitlines() if line and not line.startswith("#")]
    return lines[-1].split(":")[1]


def connect(port, role, **options):
    context = ssl.create_default_context(cafile=f"{KEYS}/ca.crt")
    context.maximum_version = options.get("most", ssl.TLSVersion.TLSv1_3)
    if role:
        context.load_cert_chain(f"{KEYS}/tls-{role}.crt", f"{KEYS}/tls-{role}.key")
    name = options.get("name", "hub.bongsu.internal")
    raw = socket.create_connection(("127.0.0.1", port), timeout=90)
    return context.wrap_socket(raw, server_hostname=name)


def send(line, text):
    line.sendall(struct.pack(">H", len(text)) + text.encode())


def receive(line):
    """The next message; None at the end."""
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        more = line.recv(4096 if len(data) > 1 else 2 - len(data))
        if not more:
            return None
        data += more
    return data[2:].decode()


def stamp():
    now = datetime.datetime.now(datetime.timezone.utc)
    local = now + datetime.timedelta(hours=9)
    return {7: now.strftime("%m%d%H%M%S"), 12: local.strftime("%H%M%S"), 13: local.strftime("%m%d")}


def purchase(stan, terminal, retailer):
    return {2: "9408020000000015", 3: "000000", 4: "000000001250", 11: stan, 14: "3112",
            32: "100001", 41: terminal, 42: retailer, 49: "408", **stamp()}


def bank():
    mine, theirs = mac_key("100001", "from-bank"), mac_key("100001", "to-bank")
    line = connect(BANKS, "bank-100001")
    check("tls 1.3", line.version() == "TLSv1.3", line.version())

    def ask(mti, fields):
        send(line, pack(mti, fields, mine))
        text = receive(line)
        answer_mti, answer = unpack(text)
        place = 128 if 128 in answer else 64
        check(f"mac of our {mti}'s answer", answer.get(place) == mac(theirs, text[:-16]), text)
        return answer_mti, answer

    network = {7: stamp()[7], 11: "000001", 32: "100001", 70: "001"}
    check("sign-on", ask("0800", network)[1][39] == "00")
    network[70], network[11] = "301", "000002"
    check("echo", ask("0800", network)[1][39] == "00")
    mti, answer = ask("0200", purchase("000003", "EXT00001", "EXT-SHOP-000001"))
    check("purchase", (mti, answer[39]) == ("0210", "00"), answer)

    # Nobody answers what is signed with another key; what comes next is the next answer.
    send(line, pack("0200", purchase("000004", "EXT00001", "EXT-SHOP-000001"), theirs))
    network[11] = "000005"
    check("bad mac is silence", ask("0800", network)[1][11] == "000005")

    other = connect(BANKS, "bank-100001")
    send(other, pack("0800", {**network, 32: "100002", 70: "001"}, mine))
    answer = unpack(receive(other))[1]
    check("another's sign-on", answer[39] == "58" and receive(other) is None, answer)


def refused(what, connect_so):
    """TLS 1.3 tells a client of its refusal with the first read."""
    try:
        line = connect_so()
        send(line, pack("0800", {7: stamp()[7], 11: "000001", 70: "301"}))
        text = receive(line)
        check(what, text is None, text)
    except (ssl.SSLError, ConnectionError):
        check(what, True)


def terminal():
    def ask(role, terminal_id, stan):
        line = connect(TERMINALS, role, name="pyongyang.station.bongsu.internal")
        send(line, pack("0200", purchase(stan, terminal_id, "PYO-SHOP-000001")))
        return unpack(receive(line))[1]

    answer = ask("terminal-pyo00001", "PYO00001", "000101")
    check("a terminal pays", answer[39] == "00", answer)
    answer = ask("terminal-pyo00001", "PYO00002", "000102")
    check("as no other", answer[39] == "58", answer)
    answer = ask("retailer-pyo-shop-000001", "PYO00002", "000103")
    check("its retailer may", answer[39] == "00", answer)


def main():
    bank()
    terminal()
    tls12 = {"most": ssl.TLSVersion.TLSv1_2}
    refused("tls 1.2", lambda: connect(BANKS, "bank-100001", **tls12))
    refused("no certificate", lambda: connect(BANKS, None))
    refused("a terminal at the banks' door", lambda: connect(BANKS, "terminal-pyo00001"))
    refused("plain bank", lambda: socket.create_connection(("127.0.0.1", BANKS), timeout=90))
    plain = ("127.0.0.1", TERMINALS)
    refused("plain terminal", lambda: socket.create_connection(plain, timeout=90))
    sys.exit(1 if failed else 0)


main()
