/*
 * use_libpq.c - libpq: prepared statements, pipelines, single rows, COPY, large objects, cancel, encryption
 * asked for.
 *
 * The crowd is CLIENTS processes; the connection string is empty, so everything comes from the environment
 * (PGHOST …).
 */

#include <libpq-fe.h>
#include <libpq/libpq-fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_CLIENTS 100

typedef void client_body(PGconn *c, int number);

static unsigned passed, failed;

#define WANT(condition, c)                                                                \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, PQerrorMessage(c)); \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* The first value of RES, which must have STATUS. Frees RES; the answer lives until the next call. */
static const char *
value(PGconn *c, PGresult *res, ExecStatusType status)
{
    static char text[64];

    WANT(PQresultStatus(res) == status, c);
    snprintf(text, sizeof text, "%s", PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
    PQclear(res);
    return text;
}

static void
want_sqlstate(PGconn *c, PGresult *res, const char *sqlstate)
{
    const char *found = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    WANT(found != NULL && strcmp(found, sqlstate) == 0, c);
    PQclear(res);
}

static const char *
number_text(int number)
{
    static char texts[2][16];
    static unsigned turn;
    char *text = texts[turn++ % 2];

    snprintf(text, sizeof texts[0], "%d", number);
    return text;
}

static void
prepares(PGconn *c, int number)
{
    char sql[64];

    snprintf(sql, sizeof sql, "SELECT $1::int + %d", number);
    value(c, PQprepare(c, "mine", sql, 0, NULL), PGRES_COMMAND_OK);
    for (int n = 0; n < 50; n++) {
        const char *const values[] = { number_text(n) };

        WANT(atoi(value(c, PQexecPrepared(c, "mine", 1, values, NULL, NULL, 0), PGRES_TUPLES_OK)) ==
                 n + number,
             c);
        WANT(atoi(value(c, PQexecParams(c, "SELECT $1::int", 1, NULL, values, NULL, NULL, 0),
                        PGRES_TUPLES_OK)) == n,
             c);
    }
    PQclear(PQdescribePrepared(c, "mine"));
    want_sqlstate(c, PQprepare(c, "mine", "SELECT 1", 0, NULL), "42P05");
    want_sqlstate(c, PQexecPrepared(c, "yours", 0, NULL, NULL, NULL, 0), "26000");
}

/* Sends three queries and a Sync per round, the second of them wrong in every third round. */
static void
pipelines(PGconn *c, int number)
{
    const char *const mine[] = { number_text(number) };
    const int rounds = 30;

    WANT(PQenterPipelineMode(c) == 1, c);
    for (int n = 0; n < rounds; n++) {
        WANT(PQsendQueryParams(c, "SELECT $1::int", 1, NULL, mine, NULL, NULL, 0) == 1, c);
        WANT(PQsendQueryParams(c, n % 3 == 0 ? "SELECT 1/0" : "SELECT 1", 0, NULL, NULL, NULL, NULL, 0) == 1,
             c);
        WANT(PQsendQueryParams(c, "SELECT $1::int", 1, NULL, mine, NULL, NULL, 0) == 1, c);
        WANT(PQpipelineSync(c) == 1, c);
    }
    for (int n = 0; n < rounds; n++) {
        WANT(atoi(value(c, PQgetResult(c), PGRES_TUPLES_OK)) == number, c);
        WANT(PQgetResult(c) == NULL, c);
        if (n % 3 == 0)
            want_sqlstate(c, PQgetResult(c), "22012");
        else
            value(c, PQgetResult(c), PGRES_TUPLES_OK);
        WANT(PQgetResult(c) == NULL, c);
        value(c, PQgetResult(c), n % 3 == 0 ? PGRES_PIPELINE_ABORTED : PGRES_TUPLES_OK);
        WANT(PQgetResult(c) == NULL, c);
        value(c, PQgetResult(c), PGRES_PIPELINE_SYNC);
    }
    WANT(PQexitPipelineMode(c) == 1, c);
}

static void
single_rows(PGconn *c, int number)
{
    PGresult *res;
    int rows = 0;

    WANT(PQsendQuery(c, "SELECT n FROM generate_series(1, 2000) n") == 1 && PQsetSingleRowMode(c) == 1, c);
    while ((res = PQgetResult(c)) != NULL) {
        if (PQresultStatus(res) == PGRES_SINGLE_TUPLE)
            WANT(atoi(PQgetvalue(res, 0, 0)) == ++rows, c);
        PQclear(res);
    }
    WANT(rows == 2000, c);
    WANT(atoi(value(c, PQexec(c, number % 2 == 0 ? "SELECT 1; SELECT 7" : "SELECT 7"), PGRES_TUPLES_OK)) == 7,
         c);
}

static void
copies(PGconn *c, int number)
{
    char line[64];
    char *row;
    int rows = 0;

    value(c, PQexec(c, "BEGIN; CREATE TEMP TABLE copied (a int, b text) ON COMMIT DROP"), PGRES_COMMAND_OK);
    value(c, PQexec(c, "COPY copied FROM STDIN"), PGRES_COPY_IN);
    for (int n = 0; n < 1000; n++) {
        snprintf(line, sizeof line, "%d\tfrom %d\n", n, number);
        WANT(PQputCopyData(c, line, (int)strlen(line)) == 1, c);
    }
    WANT(PQputCopyEnd(c, NULL) == 1, c);
    value(c, PQgetResult(c), PGRES_COMMAND_OK);
    WANT(PQgetResult(c) == NULL, c);
    value(c, PQexec(c, "COPY copied TO STDOUT"), PGRES_COPY_OUT);
    while (PQgetCopyData(c, &row, 0) > 0) {
        PQfreemem(row);
        rows++;
    }
    value(c, PQgetResult(c), PGRES_COMMAND_OK);
    WANT(PQgetResult(c) == NULL, c);
    WANT(rows == 1000, c);
    value(c, PQexec(c, "COPY copied FROM STDIN"), PGRES_COPY_IN);
    WANT(PQputCopyEnd(c, "given up") == 1, c);
    want_sqlstate(c, PQgetResult(c), "57014");
    WANT(PQgetResult(c) == NULL, c);
    value(c, PQexec(c, "COMMIT"), PGRES_COMMAND_OK);
}

static void
large_objects(PGconn *c, int number)
{
    static char data[100000], back[sizeof data];
    Oid oid;
    int fd;

    memset(data, 'a' + number % 26, sizeof data);
    value(c, PQexec(c, "BEGIN"), PGRES_COMMAND_OK);
    WANT((oid = lo_create(c, InvalidOid)) != InvalidOid, c);
    WANT((fd = lo_open(c, oid, INV_READ | INV_WRITE)) >= 0, c);
    WANT(lo_write(c, fd, data, sizeof data) == (int)sizeof data, c);
    WANT(lo_lseek(c, fd, 0, SEEK_SET) == 0, c);
    WANT(lo_read(c, fd, back, sizeof back) == (int)sizeof back && memcmp(data, back, sizeof back) == 0, c);
    WANT(lo_close(c, fd) == 0 && lo_unlink(c, oid) == 1, c);
    value(c, PQexec(c, "COMMIT"), PGRES_COMMAND_OK);
}

static void
cancels(PGconn *c, int number)
{
    PGcancel *key = PQgetCancel(c);
    char why[256];

    if (number < 5) {
        WANT(PQsendQuery(c, "SELECT pg_sleep(20)") == 1, c);
        usleep(200000);
        WANT(PQcancel(key, why, sizeof why) == 1, c);
        want_sqlstate(c, PQgetResult(c), "57014");
        WANT(PQgetResult(c) == NULL, c);
    }
    WANT(PQcancel(key, why, sizeof why) == 1, c); /* of nothing: nobody is hurt */
    for (int n = 0; n < 20; n++)
        WANT(atoi(value(c, PQexec(c, "SELECT 3"), PGRES_TUPLES_OK)) == 3, c);
    PQfreeCancel(key);
}

static void
resets(PGconn *c, int number)
{
    (void)number;
    PQreset(c);
    WANT(PQstatus(c) == CONNECTION_OK, c);
    WANT(atoi(value(c, PQexec(c, "SELECT 3"), PGRES_TUPLES_OK)) == 3, c);
}

static int
client_count(void)
{
    const char *text = getenv("CLIENTS");
    int count = text != NULL ? atoi(text) : 30;

    return count < 1 || count > MOST_CLIENTS ? 30 : count;
}

static void
crowd(const char *what, client_body *body)
{
    int clients = client_count();
    int bad = 0;
    pid_t pids[MOST_CLIENTS];

    fflush(stdout);
    for (int number = 0; number < clients; number++) {
        pids[number] = fork();
        if (pids[number] == 0) {
            PGconn *c = PQconnectdb("");

            WANT(PQstatus(c) == CONNECTION_OK, c);
            body(c, number);
            PQfinish(c);
            exit(0);
        }
    }
    for (int number = 0; number < clients; number++) {
        int status = 1;

        if (pids[number] < 0 || waitpid(pids[number], &status, 0) < 0 || status != 0)
            bad++;
    }
    if (bad == 0)
        passed++;
    else
        failed++;
    if (bad == 0)
        printf("ok %s\n", what);
    else
        printf("FAILED %s: %d of %d clients\n", what, bad, clients);
}

int
main(void)
{
    crowd("prepared statements", prepares);
    crowd("pipelines, with errors in them", pipelines);
    crowd("single rows", single_rows);
    crowd("COPY", copies);
    crowd("large objects", large_objects);
    crowd("cancel", cancels);
    crowd("reset", resets);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
