// Drives a station's terminals port with iso_8583 (npm), dialect iso87-ascii-bin: its own length
// prefix, binary bitmaps, and always a secondary bitmap, empty or not.
//
// Usage: client.js HOST:PORT
// Prints `ok` or `FAIL` for each check; exits 1 if any failed.
'use strict';
const net = require('net');
const Iso = require('iso_8583');

const TERMINAL = 'PYO00002', RETAILER = 'PYO-SHOP-000001', ACQUIRER = '100001';
const CARD = '9408020000000015'; // Harbour Bank, account 000000001: another bank than the acquirer
const EMPTY = '940802000000098'; // Harbour Bank, account 98, without its Luhn digit
const WAIT_MS = 35_000; // a terminal waits at least this long (R-TIME)

let failed = 0;
let stan = Math.floor(Date.now() / 1000) * 10 % 900_000; // other numbers in every run of one day

const luhn = digits => {
  const sum = [...digits].reverse().reduce((all, digit, i) => {
    const n = Number(digit) * (2 - (i % 2));
    return all + (n > 9 ? n - 9 : n);
  }, 0);
  return digits + ((10 - (sum % 10)) % 10);
};

// MMDDhhmmss, `hours` east of UTC.
const time = hours => new Date(Date.now() + hours * 3_600_000)
  .toISOString().replace(/\D/g, '').slice(4, 14);
const header = mti => ({ 0: mti, 7: time(0), 11: String(++stan).padStart(6, '0'), 41: TERMINAL });
const purchase = (pan, amountMinor) => {
  const local = time(9); // Asia/Pyongyang
  return {
    ...header('0200'), 2: pan, 3: '000000', 4: String(amountMinor).padStart(12, '0'),
    12: local.slice(4), 13: local.slice(0, 4), 14: '3112', 32: ACQUIRER, 42: RETAILER, 49: '408',
  };
};
const pick = (message, ...fields) => Object.fromEntries(fields.map(f => [f, message[f]]));

const [, host, port] = process.argv[2].match(/^(.*):(\d+)$/);
const socket = net.connect(Number(port), host);
let received = Buffer.alloc(0);
let waiting = null;
let gone = null;
const settle = (error, answer) => {
  const { resolve, reject, timer } = waiting;
  waiting = null;
  clearTimeout(timer);
  if (error) reject(error); else resolve(answer);
};
socket.on('data', data => {
  received = Buffer.concat([received, data]);
  if (received.length < 2) return;
  const end = 2 + received.readUInt16BE(0);
  if (received.length < end || !waiting) return;
  const frame = received.subarray(0, end);
  received = received.subarray(end);
  try {
    const answer = new Iso().getIsoJSON(frame, {});
    settle(answer.error ? new Error(JSON.stringify(answer)) : null, answer);
  } catch (error) {
    settle(error);
  }
});
for (const event of ['error', 'close']) {
  socket.on(event, why => {
    gone = gone || new Error(why instanceof Error ? why.message : 'closed instead of an answer');
    if (waiting) settle(gone);
  });
}

const ask = message => new Promise((resolve, reject) => {
  if (gone) return reject(gone);
  const timer = setTimeout(() => settle(new Error(`no answer in ${WAIT_MS} ms`)), WAIT_MS);
  waiting = { resolve, reject, timer };
  const packed = new Iso(message).getBufferMessage();
  if (!Buffer.isBuffer(packed)) return settle(new Error(JSON.stringify(packed)));
  socket.write(packed);
});

// One exchange; every expected field must have its value (undefined: absent).
const check = async (name, message, expected) => {
  let got = {};
  let wrong;
  try {
    got = await ask(message);
    const fields = Object.keys(expected).filter(f => got[f] !== expected[f]);
    if (fields.length === 0) {
      console.log(`ok npm-iso_8583 ${name}`);
      return got;
    }
    expected = pick(expected, ...fields);
    wrong = JSON.stringify(pick(got, ...fields));
  } catch (error) {
    wrong = error.message;
  }
  failed += 1;
  console.log(`FAIL npm-iso_8583 ${name}: expected ${JSON.stringify(expected)} got ${wrong}`);
  return got;
};

(async () => {
  const echo = { ...header('0800'), 70: '301' };
  await check('echo', echo, { 0: '0810', 39: '00', ...pick(echo, 7, 11, 70) });

  const sale = purchase(CARD, 1375);
  const same = pick(sale, 2, 3, 4, 7, 11, 12, 13, 32, 41, 42, 49);
  const first = await check('purchase', sale, { 0: '0210', 39: '00', ...same });

  const again = { 37: first[37] || 'a DE37', 38: first[38] || 'a DE38' };
  const repeat = { ...sale, 0: '0201' };
  await check('repeat', repeat, { 0: '0210', 39: '00', ...same, ...again });

  // A reversal with the trace number of its purchase, as many terminals send it.
  const reversal = {
    ...sale, 0: '0420', 7: time(0), 37: first[37] || '000000000000', 39: '17',
    90: `0200${sale[11]}${sale[7]}${ACQUIRER.padStart(11, '0')}${'0'.repeat(11)}`,
  };
  delete reversal[14];
  await check('reversal', reversal, { 0: '0430', 39: '00', ...pick(reversal, 4, 11) });

  const after = { 0: '0210', 39: '94', 44: 'REVERSED', 11: sale[11] };
  await check('repeat-after-reversal', repeat, after);

  const empty = purchase(luhn(EMPTY), 500);
  const declined = { 0: '0210', 39: '51', 38: undefined, ...pick(empty, 2, 4, 11, 41) };
  await check('declined', empty, declined);

  socket.destroy();
  process.exitCode = failed ? 1 : 0;
})();
