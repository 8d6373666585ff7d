// Drives a station's terminals port with jPOS (Maven Central): ISO87APackager over PostChannel,
// dialect iso87-ascii. A sparse terminal: it leaves out DE12, DE13, DE32, DE42 and DE49, which the
// station fills from its clock and register.
//
// Usage: java -cp 'JARS/*' Client.java HOST:PORT
// Prints `ok` or `FAIL` for each check; exits 1 if any failed.

import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.TreeMap;
import org.jpos.iso.ISOMsg;
import org.jpos.iso.channel.PostChannel;
import org.jpos.iso.packager.ISO87APackager;

public class Client {
    static final String TERMINAL = "PYO00003";
    static final String ACQUIRER = "100001";
    /** Harbour Bank, account 000000001: another bank than the acquirer. */
    static final String CARD = "9408020000000015";
    /** Harbour Bank, account 98, without its Luhn digit. */
    static final String EMPTY = "940802000000098";
    /** A terminal waits at least this long (R-TIME). */
    static final int WAIT_MS = 35_000;

    static PostChannel channel;
    static int failed = 0;
    /** Other numbers in every run of one day. */
    static int stan = (int) (System.currentTimeMillis() / 1000 * 10 % 900_000);

    static String luhn(String digits) {
        int sum = 0;
        for (int i = 0; i < digits.length(); i++) {
            int n = (digits.charAt(digits.length() - 1 - i) - '0') * (2 - i % 2);
            sum += n > 9 ? n - 9 : n;
        }
        return digits + (10 - sum % 10) % 10;
    }

    static ISOMsg header(String mti) throws Exception {
        ISOMsg message = new ISOMsg(mti);
        stan += 1;
        ZonedDateTime now = ZonedDateTime.now(ZoneOffset.UTC);
        message.set(7, now.format(DateTimeFormatter.ofPattern("MMddHHmmss")));
        message.set(11, String.format("%06d", stan));
        message.set(41, TERMINAL);
        return message;
    }

    static ISOMsg purchase(String pan, int amountMinor) throws Exception {
        ISOMsg message = header("0200");
        message.set(2, pan);
        message.set(3, "000000");
        message.set(4, String.format("%012d", amountMinor));
        message.set(14, "3112");
        return message;
    }

    /** What an answer must have: the MTI, DE39, and these fields of its request. */
    static Map<Integer, String> expect(String mti, String code, ISOMsg request, int... echoed) {
        Map<Integer, String> expected = new TreeMap<>(Map.of(0, mti, 39, code));
        for (int field : echoed) {
            expected.put(field, request.getString(field));
        }
        return expected;
    }

    /** One exchange; every expected field must have its value (null: absent). */
    static ISOMsg check(String name, ISOMsg request, Map<Integer, String> expected) {
        ISOMsg got = new ISOMsg();
        Map<Integer, String> wrong = new TreeMap<>();
        String what;
        try {
            channel.send(request);
            got = channel.receive();
            for (Map.Entry<Integer, String> field : expected.entrySet()) {
                String value = got.getString(field.getKey());
                if (!java.util.Objects.equals(value, field.getValue())) {
                    wrong.put(field.getKey(), value);
                }
            }
            if (wrong.isEmpty()) {
                System.out.println("ok jpos " + name);
                return got;
            }
            expected.keySet().retainAll(wrong.keySet());
            what = wrong.toString();
        } catch (Exception error) {
            what = error.toString();
        }
        failed += 1;
        System.out.println("FAIL jpos " + name + ": expected " + expected + " got " + what);
        return got;
    }

    static String or(String value, String otherwise) {
        return value == null ? otherwise : value;
    }

    public static void main(String[] arguments) throws Exception {
        int colon = arguments[0].lastIndexOf(':');
        int port = Integer.parseInt(arguments[0].substring(colon + 1));
        channel = new PostChannel(arguments[0].substring(0, colon), port, new ISO87APackager());
        channel.setTimeout(WAIT_MS);
        channel.connect();

        ISOMsg echo = header("0800");
        echo.set(70, "301");
        check("echo", echo, expect("0810", "00", echo, 7, 11, 70));

        ISOMsg sale = purchase(CARD, 1490);
        Map<Integer, String> approved = expect("0210", "00", sale, 2, 3, 4, 7, 11, 41);
        approved.put(32, ACQUIRER);
        ISOMsg first = check("purchase", sale, approved);

        ISOMsg repeat = (ISOMsg) sale.clone();
        repeat.setMTI("0201");
        Map<Integer, String> again = expect("0210", "00", sale, 2, 3, 4, 7, 11, 41);
        again.put(37, or(first.getString(37), "a DE37"));
        again.put(38, or(first.getString(38), "a DE38"));
        check("repeat", repeat, again);

        // A reversal with a trace number of its own: only DE90 names the purchase.
        ISOMsg reversal = header("0420");
        reversal.set(2, CARD);
        reversal.set(3, sale.getString(3));
        reversal.set(4, sale.getString(4));
        reversal.set(39, "17");
        reversal.set(90, "0200" + sale.getString(11) + sale.getString(7)
            + String.format("%011d", Integer.parseInt(ACQUIRER)) + "0".repeat(11));
        check("reversal", reversal, expect("0430", "00", reversal, 4, 11));

        Map<Integer, String> after = expect("0210", "94", sale, 11);
        after.put(44, "REVERSED");
        check("repeat-after-reversal", repeat, after);

        ISOMsg empty = purchase(luhn(EMPTY), 500);
        Map<Integer, String> declined = expect("0210", "51", empty, 2, 4, 11, 41);
        declined.put(38, null);
        check("declined", empty, declined);

        channel.disconnect();
        System.exit(failed == 0 ? 0 : 1);
    }
}
