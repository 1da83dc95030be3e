import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/** pgjdbc with its defaults: a statement gets a name when it is executed for the fifth time (prepareThreshold=5). */
public class UseJdbc {
    interface Body {
        void run() throws Exception;
    }

    interface ClientBody {
        void run(int number) throws Exception;
    }

    interface ConnectionBody {
        void run(Connection c) throws Exception;
    }

    static final int CLIENTS = Integer.parseInt(System.getenv().getOrDefault("CLIENTS", "30"));
    static final String URL = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE");
    static int passed;
    static int failed;

    static Connection connect(String... more) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", System.getenv("PGUSER"));
        p.setProperty("password", System.getenv("PGPASSWORD"));
        for (int i = 0; i < more.length; i += 2) {
            p.setProperty(more[i], more[i + 1]);
        }
        return DriverManager.getConnection(URL, p);
    }

    static void run(String what, Body body) {
        long began = System.nanoTime();
        try {
            body.run();
            passed++;
            System.out.printf("ok %s (%.1f s)%n", what, (System.nanoTime() - began) / 1e9);
        } catch (Throwable why) {
            failed++;
            System.out.println("FAILED " + what + ": " + why);
            why.printStackTrace(System.out);
        }
    }

    /** body for each client, all at once. */
    static void crowd(int clients, ClientBody body) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(clients);
        List<Future<?>> ends = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            int number = i;
            ends.add(threads.submit(() -> {
                body.run(number);
                return null;
            }));
        }
        threads.shutdown();
        Exception first = null;
        for (Future<?> end : ends) {
            try {
                end.get();
            } catch (Exception why) {
                first = first == null ? why : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }

    static void same(Object found, Object wanted) {
        if (!found.equals(wanted)) {
            throw new AssertionError("found " + found + ", wanted " + wanted);
        }
    }

    static void fails(String sqlstate, Body body) throws Exception {
        try {
            body.run();
        } catch (SQLException why) {
            if (!sqlstate.equals(why.getSQLState())) {
                throw why;
            }
            return;
        }
        throw new AssertionError("nothing failed, where " + sqlstate + " should have");
    }

    static int number(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getInt(1);
        }
    }

    static void execute(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
        }
    }

    static void preparedStatements(int number) throws Exception {
        try (Connection c = connect();
                PreparedStatement add = c.prepareStatement("INSERT INTO item (id, owner, name) VALUES (?, ?, ?)");
                PreparedStatement get = c.prepareStatement("SELECT id, name FROM item WHERE id = ?")) {
            for (int n = 0; n < 30; n++) {
                int key = number * 1000 + n;
                add.setInt(1, key);
                add.setInt(2, number);
                add.setString(3, "item " + key);
                same(add.executeUpdate(), 1);
                get.setInt(1, key);
                try (ResultSet r = get.executeQuery()) {
                    r.next();
                    same(r.getInt(1), key);
                    same(r.getString(2), "item " + key);
                }
            }
        }
    }

    static void manyTexts(int number) throws Exception {
        try (Connection c = connect()) {
            for (int round = 0; round < 6; round++) {
                for (int text = 0; text < 60; text++) {
                    try (PreparedStatement s = c.prepareStatement("SELECT ?::int + " + text)) {
                        s.setInt(1, number);
                        ResultSet r = s.executeQuery();
                        r.next();
                        same(r.getInt(1), number + text);
                    }
                }
            }
        }
    }

    static void transfers(int number) throws Exception {
        try (Connection c = connect();
                PreparedStatement move = c.prepareStatement("UPDATE account SET money = money + ? WHERE id = ?")) {
            c.setAutoCommit(false);
            for (int n = 0; n < 20; n++) {
                int a = (number + n) % 10;
                int b = (number + 3 * n + 1) % 10;
                move.setInt(1, -1);
                move.setInt(2, Math.min(a, b));
                move.executeUpdate();
                Savepoint here = c.setSavepoint();
                fails("23502", () -> execute(c, "UPDATE account SET money = NULL WHERE id = " + Math.min(a, b)));
                c.rollback(here);
                move.setInt(1, 1);
                move.setInt(2, Math.max(a, b));
                move.executeUpdate();
                if (n % 5 == 4) {
                    c.rollback();
                } else {
                    c.commit();
                }
            }
        }
    }

    static void autosave(int number) throws Exception {
        for (String mode : new String[] { "always", "conservative" }) {
            try (Connection c = connect("autosave", mode)) {
                c.setAutoCommit(false);
                for (int n = 0; n < 8; n++) {
                    if (mode.equals("always")) {
                        fails("22012", () -> number(c, "SELECT 1 / 0"));
                    }
                    same(number(c, "SELECT " + number), number);
                }
                c.commit();
            }
        }
    }

    static void batches(int number) throws Exception {
        for (String rewrite : new String[] { "false", "true" }) {
            int first = 1_000_000 + number * 1000 + (rewrite.equals("true") ? 500 : 0);
            try (Connection c = connect("reWriteBatchedInserts", rewrite);
                    PreparedStatement add = c.prepareStatement("INSERT INTO item (id, owner, name) VALUES (?, ?, ?)")) {
                c.setAutoCommit(false);
                for (int n = 0; n < 300; n++) {
                    add.setInt(1, first + n);
                    add.setInt(2, number);
                    add.setString(3, "batch");
                    add.addBatch();
                }
                same(add.executeBatch().length, 300);
                c.commit();
                add.setInt(1, first);
                add.setInt(2, number);
                add.setString(3, "again");
                add.addBatch();
                try {
                    add.executeBatch();
                    throw new AssertionError("a key went in twice");
                } catch (BatchUpdateException why) {
                    same(why.getSQLState(), "23505");
                }
                c.rollback();
                same(number(c, "SELECT count(*) FROM item WHERE id >= " + first + " AND id < " + (first + 300)), 300);
            }
        }
    }

    static void generatedKeys(int number) throws Exception {
        try (Connection c = connect();
                PreparedStatement add = c.prepareStatement("INSERT INTO generated (owner) VALUES (?)",
                        Statement.RETURN_GENERATED_KEYS)) {
            for (int n = 0; n < 8; n++) {
                add.setInt(1, number);
                add.executeUpdate();
                ResultSet keys = add.getGeneratedKeys();
                keys.next();
                same(number(c, "SELECT owner FROM generated WHERE id = " + keys.getInt(1)), number);
            }
        }
    }

    static void cursors(int number) throws Exception {
        try (Connection c = connect();
                PreparedStatement s = c.prepareStatement("SELECT n FROM generate_series(1, ?) n")) {
            c.setAutoCommit(false);
            s.setFetchSize(50);
            for (int round = 0; round < 7; round++) {
                s.setInt(1, 300 + number);
                int count = 0;
                try (ResultSet r = s.executeQuery()) {
                    while (r.next()) {
                        same(r.getInt(1), ++count);
                    }
                }
                same(count, 300 + number);
                c.commit();
            }
        }
    }

    static void copies(int number) throws Exception {
        try (Connection c = connect()) {
            CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
            StringBuilder text = new StringBuilder();
            for (int n = 0; n < 500; n++) {
                text.append(2_000_000 + number * 1000 + n).append('\t').append(number).append("\tcopied\n");
            }
            same(copy.copyIn("COPY item (id, owner, name) FROM STDIN", new StringReader(text.toString())), 500L);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            copy.copyOut("COPY (SELECT id, owner, name FROM item WHERE owner = " + number
                    + " AND name = 'copied' ORDER BY id) TO STDOUT", out);
            same(out.toString(), text.toString());
            fails("22P02", () -> copy.copyIn("COPY item (id) FROM STDIN", new StringReader("x\n")));
            same(number(c, "SELECT 1"), 1);
        }
    }

    static void largeObjects(int number) throws Exception {
        try (Connection c = connect()) {
            c.setAutoCommit(false);
            LargeObjectManager lobs = c.unwrap(PGConnection.class).getLargeObjectAPI();
            byte[] data = new byte[300_000];
            Arrays.fill(data, (byte) number);
            long oid = lobs.createLO(LargeObjectManager.READWRITE);
            LargeObject lob = lobs.open(oid, LargeObjectManager.WRITE);
            lob.write(data);
            lob.close();
            c.commit();
            lob = lobs.open(oid, LargeObjectManager.READ);
            lob.seek(1000);
            same(Arrays.equals(lob.read(200_000), Arrays.copyOfRange(data, 1000, 201_000)), true);
            same(lob.size(), 300_000);
            lob.close();
            lobs.delete(oid);
            c.commit();
        }
    }

    static void cancel(int number) throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            Thread other = new Thread(() -> {
                try {
                    Thread.sleep(400);
                    s.cancel();
                } catch (Exception why) {
                    throw new RuntimeException(why);
                }
            });
            other.start();
            fails("57014", () -> s.execute("SELECT pg_sleep(20)"));
            other.join();
            s.setQueryTimeout(1);
            fails("57014", () -> s.execute("SELECT pg_sleep(20)"));
            same(number(c, "SELECT " + number), number);
        }
    }

    static void sessionState(int number) throws Exception {
        try (Connection c = connect("ApplicationName", "client " + number, "options", "-c statement_timeout=54321")) {
            c.setReadOnly(number % 2 == 0);
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            c.setAutoCommit(false); // read-only is said to the server at the start of a transaction
            for (int n = 0; n < 8; n++) {
                try (Statement s = c.createStatement();
                        ResultSet r = s.executeQuery("SELECT current_setting('application_name'), "
                                + "current_setting('statement_timeout'), current_setting('transaction_isolation'), "
                                + "current_setting('transaction_read_only')")) {
                    r.next();
                    same(r.getString(1) + r.getString(2) + r.getString(3) + r.getString(4),
                            "client " + number + "54321msserializable" + (number % 2 == 0 ? "on" : "off"));
                }
                c.commit();
            }
        }
    }

    static void metadata(int number) throws Exception {
        try (Connection c = connect(); ResultSet r = c.getMetaData().getColumns(null, "public", "item", null)) {
            int count = 0;
            while (r.next()) {
                count++;
            }
            same(count, 4);
        }
    }

    /** Columns are added around pgweir. pgjdbc prepares anew when it is told that a plan may not change its result. */
    static void schemaChanges(int number) throws Exception {
        if (number == 0) {
            try (Connection c = DriverManager.getConnection("jdbc:" + System.getenv("DIRECT_URL").replaceFirst("//.*@", "//"),
                    System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
                for (int n = 0; n < 4; n++) {
                    Thread.sleep(200);
                    execute(c, "ALTER TABLE changing ADD COLUMN new_" + n + " int DEFAULT " + n);
                }
            }
            return;
        }
        try (Connection c = connect();
                PreparedStatement s = c.prepareStatement("SELECT * FROM changing WHERE id >= ?")) {
            int columns = 0;
            while (columns < 5) {
                s.setInt(1, 1);
                ResultSet r = s.executeQuery();
                r.next();
                same(r.getMetaData().getColumnCount() >= columns, true);
                columns = r.getMetaData().getColumnCount();
                for (int n = 1; n <= columns; n++) {
                    same(r.getInt(n), n == 1 ? 1 : n - 2);
                }
            }
        }
    }

    static void severalStatements(int number) throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            for (int n = 0; n < 8; n++) {
                s.execute("SELECT " + number + "; UPDATE account SET money = money WHERE id = 99; SELECT 'b'");
                s.getResultSet().next();
                same(s.getMoreResults(), false);
                same(s.getUpdateCount(), 0);
                same(s.getMoreResults(), true);
            }
        }
    }

    static final int SESSION_CLIENTS = 20;

    static void hears(Connection c, String wanted) throws SQLException {
        PGConnection pg = c.unwrap(PGConnection.class);
        PGNotification[] heard = pg.getNotifications();
        for (int n = 0; n < 1000 && (heard == null || heard.length == 0); n++) {
            execute(c, "SELECT pg_sleep(0.05)");
            heard = pg.getNotifications();
        }
        same(heard.length, 1);
        same(heard[0].getName() + " " + heard[0].getParameter(), wanted);
    }

    /** Its first value as text; an empty text when there is no row. */
    static String valueOf(Connection c, String sql, String[] parameters) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql.replaceAll(parameters.length > 0 ? "\\$[0-9]" : "$^", "?"))) {
            for (int i = 0; i < parameters.length; i++) {
                s.setString(i + 1, parameters[i]);
            }
            if (!s.execute()) {
                return "";
            }
            ResultSet r = s.getResultSet();
            return r.next() ? r.getString(1) : "";
        }
    }

    /** All that a session can hold; see session.steps. */
    static void wholeSession(int number) throws Exception {
        try (Connection c = DriverManager.getConnection(
                URL.substring(0, URL.lastIndexOf('/') + 1) + System.getenv("SESSION_DATABASE"),
                System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
            for (String line : Files.readAllLines(Path.of(System.getenv("SESSION_STEPS")))) {
                String step = line.strip().replace("{n}", Integer.toString(number));
                if (step.isEmpty() || step.startsWith("#")) {
                    continue;
                }
                if (step.startsWith("hears ")) {
                    hears(c, step.substring("hears ".length()));
                    continue;
                }
                String[] halves = step.split(" -> ", 2);
                String[] parts = halves[0].split(" <- ", 2);
                String wanted = halves.length > 1 ? halves[1] : null;
                try {
                    String found = valueOf(c, parts[0], parts.length > 1 ? parts[1].split(", ") : new String[0]);
                    if (wanted != null && !wanted.equals("?")) {
                        same(parts[0] + ": " + found, parts[0] + ": " + wanted);
                    }
                } catch (SQLException why) {
                    if (!"?".equals(wanted)) {
                        throw new SQLException(step, why);
                    }
                }
            }
        }
    }

    public static void main(String[] arguments) {
        run("schema", () -> {
            try (Connection c = connect()) {
                execute(c, "CREATE TABLE item (id int PRIMARY KEY, owner int, name text, body bytea);"
                        + "CREATE TABLE generated (id serial PRIMARY KEY, owner int);"
                        + "CREATE TABLE changing AS SELECT 1 AS id;"
                        + "CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);"
                        + "INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n");
            }
        });
        run("statements that it names after five times", () -> crowd(CLIENTS, UseJdbc::preparedStatements));
        run("many texts", () -> crowd(6, UseJdbc::manyTexts));
        run("transactions and savepoints", () -> crowd(CLIENTS, UseJdbc::transfers));
        run("no money is lost", () -> {
            try (Connection c = connect()) {
                same(number(c, "SELECT sum(money) FROM account"), 1000);
            }
        });
        run("autosave", () -> crowd(CLIENTS, UseJdbc::autosave));
        run("batches", () -> crowd(CLIENTS, UseJdbc::batches));
        run("generated keys", () -> crowd(CLIENTS, UseJdbc::generatedKeys));
        run("cursors by fetch size", () -> crowd(CLIENTS, UseJdbc::cursors));
        run("COPY", () -> crowd(CLIENTS, UseJdbc::copies));
        run("large objects", () -> crowd(10, UseJdbc::largeObjects));
        run("cancel and query timeout", () -> crowd(5, UseJdbc::cancel));
        run("read-only, isolation, startup options", () -> crowd(CLIENTS, UseJdbc::sessionState));
        run("metadata", () -> crowd(10, UseJdbc::metadata));
        run("schema changes", () -> crowd(CLIENTS, UseJdbc::schemaChanges));
        run("several statements in one", () -> crowd(CLIENTS, UseJdbc::severalStatements));
        run("tables for the whole session", () -> {
            try (Connection c = connect()) {
                execute(c, "CREATE TABLE tenant_row (tenant text);"
                        + "INSERT INTO tenant_row SELECT 'tenant' || n FROM generate_series(0, 30) n;"
                        + "ALTER TABLE tenant_row ENABLE ROW LEVEL SECURITY;"
                        + "ALTER TABLE tenant_row FORCE ROW LEVEL SECURITY;"
                        + "CREATE POLICY own ON tenant_row USING (tenant = current_setting('app.tenant', true));"
                        + "CREATE TABLE serial_row (id serial PRIMARY KEY, owner int)");
            }
        });
        run("the whole session, 20 clients on 3 servers", () -> crowd(SESSION_CLIENTS, UseJdbc::wholeSession));
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
