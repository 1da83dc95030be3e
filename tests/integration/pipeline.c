/*
 * pipeline.c - see pipeline.h.
 *
 *     turn -> bytes -> direct connection -> answer until the mark --+
 *                 \--> pgweir            -> as many ReadyForQuery --+-> compared
 *
 * How many ReadyForQuery a turn brings is PostgreSQL's secret (a Sync is ignored during COPY IN). So each
 * turn ends with a mark that it has no other use for: Sync, four times Close of a portal that does not exist,
 * Sync. Close has no effect and succeeds in a failed transaction too.
 *
 * What may differ, and nothing else:
 *
 *   - file, line and routine of an error: one in pgweir's own words has none, and that of a Parse which
 *     pgweir has sent for a Bind's sake names the routine that parses;
 *   - in a failed transaction, on a server that has not got a statement of the client's: there PostgreSQL
 *     parses nothing but COMMIT and ROLLBACK, so a Bind or a Describe of that statement is told 25P02 though
 *     PostgreSQL itself would find a wrong count first, or describe what returns no rows. From there on the
 *     sides are apart;
 *   - after a change of the table: whether a plan is told to be stale (pgweir may have mended it, or have
 *     parsed the statement anew on another server), and the types of a statement's parameters, which a new
 *     Parse derives anew, and with them what a Bind may say. There too the sides are apart;
 *   - which message it was that PostgreSQL did not expect during COPY IN, for it may be one of pgweir's. It
 *     ends the connection anyway;
 *   - a Parse or a Close that pgweir answers itself, among the data of a COPY IN that it does not know of yet:
 *     PostgreSQL ends the connection over it, pgweir goes on. From there on the sides are apart;
 *   - how much is heard before PostgreSQL hangs up.
 */

#include "pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/wire/front.h"
#include "script.h"

#define SILENCE_MS 8000u /* a server that says nothing for so long has nothing to say */
#define MARK_CLOSES 4u

struct side { /* one connection, and what it has answered to the turn at hand */
    int fd;   /* -1: none */
    struct buf in;
    struct buf answer;
    size_t readies;
    size_t closes; /* CloseComplete in a row behind a ReadyForQuery */
    bool is_gone;
    bool is_silent;
};

struct talk {
    struct weir *weir;
    PGconn *super[2];
    struct side direct[TALK_CLIENTS];
    struct side pooled[TALK_CLIENTS];
    struct buf difference;
    bool is_changed;  /* table m */
    bool was_changed; /* ever: servers behind pgweir remember it from one conversation to the next */
    bool is_apart;
};

/* --- lines --- */

static unsigned
hex_digit(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

/* TEXT with \hh and x*N resolved. */
static void
add_plain(struct buf *out, const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '\\' && i + 2 < len && hex_digit(from[i + 1]) < 16 && hex_digit(from[i + 2]) < 16) {
            buf_add_u8(out, (uint8_t)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2])));
            i += 2;
        } else if (i + 2 < len && from[i + 1] == '*' && hex_digit(from[i + 2]) < 10) {
            char *end;
            unsigned long times = strtoul(from + i + 2, &end, 10);

            for (unsigned long n = 0; n < times; n++)
                buf_add_u8(out, (uint8_t)from[i]);
            i = (size_t)(end - from) - 1;
        } else {
            buf_add_u8(out, (uint8_t)from[i]);
        }
    }
}

/* Cuts the next word off *LINE; `-` is the empty one. */
static struct slice
cut_word(const char **line)
{
    size_t len = strcspn(*line, " ");
    struct slice word = slice_of(*line, len);

    *line += len;
    if (**line == ' ')
        (*line)++;
    return slice_is(word, "-") ? slice_of(word.at, 0) : word;
}

static void
add_name(struct buf *body, struct slice word)
{
    add_plain(body, (const char *)word.at, word.len);
    buf_add_u8(body, '\0');
}

/* The next piece of *WORD up to SEPARATOR; false at its end. */
static bool
cut_piece(struct slice *word, char separator, struct slice *piece)
{
    const uint8_t *end;

    if (word->at == NULL)
        return false;
    end = word->len == 0 ? NULL : memchr(word->at, separator, word->len);
    if (end == NULL) {
        *piece = *word;
        *word = slice_of(NULL, 0);
    } else {
        *piece = slice_of(word->at, (size_t)(end - word->at));
        *word = slice_skip(*word, piece->len + 1);
    }
    return true;
}

static unsigned long
number_of(struct slice word)
{
    return strtoul(text("%.*s", (int)word.len, (const char *)word.at), NULL, 10);
}

static void
add_types(struct buf *body, struct slice types)
{
    struct buf oids = { 0 };
    struct slice lie = slice_of(NULL, 0);
    struct slice oid;
    uint16_t count = 0;

    cut_piece(&types, '!', &oid);
    lie = types;
    types = oid;
    while (types.len > 0 && cut_piece(&types, ',', &oid)) {
        buf_add_be32(&oids, (uint32_t)number_of(oid));
        count++;
    }
    buf_add_be16(body, lie.at == NULL ? count : (uint16_t)number_of(lie));
    buf_add(body, buf_slice(&oids));
    buf_release(&oids);
}

static void
add_formats(struct buf *body, struct slice digits)
{
    buf_add_be16(body, (uint16_t)digits.len);
    for (size_t i = 0; i < digits.len; i++)
        buf_add_be16(body, (uint16_t)(digits.at[i] - '0'));
}

static void
add_values(struct buf *body, struct slice values)
{
    struct buf all = { 0 };
    struct slice value;
    uint16_t count = 0;

    for (; values.len > 0 && cut_piece(&values, '|', &value); count++) {
        struct buf one = { 0 };

        if (slice_is(value, "\\N")) {
            buf_add_be32(&all, UINT32_MAX);
            continue;
        }
        add_plain(&one, (const char *)value.at, value.len);
        buf_add_be32(&all, (uint32_t)buf_len(&one));
        buf_add(&all, buf_slice(&one));
        buf_release(&one);
    }
    buf_add_be16(body, count);
    buf_add(body, buf_slice(&all));
    buf_release(&all);
}

static void
add_line(struct buf *out, const char *line)
{
    struct buf body = { 0 };
    const char *rest = line[0] != '\0' && line[1] == ' ' ? line + 2 : line + 1;
    struct slice word;

    switch (line[0]) {
    case 'P':
        add_name(&body, cut_word(&rest));
        word = cut_word(&rest);
        add_name(&body, slice_of_text(rest));
        add_types(&body, word);
        break;
    case 'B':
        add_name(&body, cut_word(&rest));
        add_name(&body, cut_word(&rest));
        add_formats(&body, cut_word(&rest));
        add_values(&body, cut_word(&rest));
        add_formats(&body, cut_word(&rest));
        break;
    case 'C':
    case 'D':
        buf_add(&body, cut_word(&rest));
        add_name(&body, cut_word(&rest));
        break;
    case 'E':
        add_name(&body, cut_word(&rest));
        buf_add_be32(&body, (uint32_t)strtoul(rest, NULL, 10));
        break;
    default:
        script_add(out, line);
        return;
    }
    buf_add_u8(out, (uint8_t)line[0]);
    buf_add_be32(out, (uint32_t)buf_len(&body) + 4);
    buf_add(out, buf_slice(&body));
    buf_release(&body);
}

static void
add_lines(struct buf *out, const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");

        if (len > 0)
            add_line(out, text("%.*s", (int)len, lines));
        lines += len;
        if (*lines == '\n')
            lines++;
    }
}

/* --- connections --- */

static void
side_close(struct side *s)
{
    if (s->fd >= 0)
        close(s->fd);
    buf_release(&s->in);
    buf_release(&s->answer);
    *s = (struct side){ .fd = -1 };
}

static bool
side_wait(struct side *s, short events)
{
    struct pollfd p = { .fd = s->fd, .events = events };
    int n;

    do
        n = poll(&p, 1, (int)SILENCE_MS);
    while (n < 0 && errno == EINTR);
    s->is_silent = n == 0;
    return n > 0;
}

static void
side_take_in(struct side *s)
{
    ssize_t got = recv(s->fd, buf_reserve(&s->in, 65536), 65536, 0);

    if (got > 0)
        buf_commit(&s->in, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        s->is_gone = true;
}

static void
side_send(struct side *s, struct slice bytes, size_t chunk)
{
    while (bytes.len > 0 && !s->is_gone && !s->is_silent) {
        size_t piece = chunk == 0 || chunk > bytes.len ? bytes.len : chunk;
        ssize_t sent = send(s->fd, bytes.at, piece, MSG_NOSIGNAL);

        if (sent > 0) {
            bytes = slice_skip(bytes, (size_t)sent);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) /* reading will tell what it said before it went */
            return;
        if (side_wait(s, POLLIN | POLLOUT))
            side_take_in(s);
    }
}

/* The type of the next message, which moves from `in` to `answer`; 0: it is not coming. */
static int
side_message(struct side *s)
{
    for (;;) {
        struct slice in = buf_slice(&s->in);
        size_t len = in.len < 5 ? 5 : 1 + (size_t)get_be32(in.at + 1);

        if (in.len >= 5 && in.len >= len) {
            int type = in.at[0];

            buf_add(&s->answer, slice_of(in.at, len));
            buf_drop(&s->in, len);
            return type;
        }
        if (s->is_gone || !side_wait(s, POLLIN))
            return 0;
        side_take_in(s);
    }
}

static void
side_forget_answer(struct side *s)
{
    buf_drop(&s->answer, buf_len(&s->answer));
    s->readies = 0;
}

/* On until the answer to the mark (READIES 0), or so many ReadyForQuery. */
static void
side_hear(struct side *s, size_t readies)
{
    size_t closes = 0;
    bool is_behind_ready = false;
    int type;

    do {
        type = side_message(s);
        if (type == 'Z') {
            s->readies++;
            if (readies == 0 ? is_behind_ready && closes == MARK_CLOSES : s->readies == readies)
                return;
            is_behind_ready = true;
            closes = 0;
        } else if (type == '3') {
            closes++;
        } else {
            is_behind_ready = false;
        }
    } while (type != 0);
}

static void
side_open(struct side *s, unsigned port, const char *database)
{
    const struct startup_pair pairs[] = { { "user", "trust_user" }, { "database", database } };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct buf out = { 0 };
    int on = 1;

    side_close(s);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) != 0)
        s->is_gone = true;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    build_startup(&out, 0, pairs, COUNT_OF(pairs));
    side_send(s, buf_slice(&out), 0);
    buf_release(&out);
    side_hear(s, 1);
    CU_ASSERT(!s->is_gone && !s->is_silent); /* logged in */
    side_forget_answer(s);
}

/* --- comparing --- */

static size_t
message_len(struct slice bytes)
{
    return 1 + (size_t)get_be32(bytes.at + 1);
}

/* The fields of an error or notice but for file, line and routine. */
static void
add_error_fields(struct buf *out, struct slice message)
{
    struct slice rest = slice_skip(message, 5);

    while (rest.len > 1) {
        size_t len = strlen((const char *)rest.at) + 1;

        if (strchr("FLR", rest.at[0]) == NULL)
            buf_add(out, slice_of(rest.at, len));
        rest = slice_skip(rest, len);
    }
}

/* Whether the FIELD of an error begins with VALUE. */
static bool
has_field(struct slice message, char field, const char *value)
{
    struct slice rest = slice_skip(message, 5);

    while (rest.len > 1 && rest.at[0] != (uint8_t)field)
        rest = slice_skip(rest, strlen((const char *)rest.at) + 1);
    return rest.len > 1 && BEGINS((const char *)rest.at + 1, value);
}

static bool
is_same_message(struct slice a, struct slice b)
{
    struct buf fields[2] = { { 0 }, { 0 } };
    bool is_same = slice_equal(a, b);

    if (is_same || a.at[0] != b.at[0] || a.at[0] != 'E')
        return is_same;
    add_error_fields(&fields[0], a);
    add_error_fields(&fields[1], b);
    is_same = slice_equal(buf_slice(&fields[0]), buf_slice(&fields[1])) ||
              (has_field(a, 'M', "unexpected message type") && has_field(b, 'M', "unexpected message type"));
    buf_release(&fields[0]);
    buf_release(&fields[1]);
    return is_same;
}

/* How many messages at the front of both answers are the same; *IS_END: all of A, all of B. */
static size_t
same_messages(const struct side *a, const struct side *b, bool is_end[2])
{
    struct slice left = buf_slice(&a->answer);
    struct slice right = buf_slice(&b->answer);
    size_t count = 0;

    while (left.len > 0 && right.len > 0) {
        size_t left_len = message_len(left);
        size_t right_len = message_len(right);

        if (!is_same_message(slice_of(left.at, left_len), slice_of(right.at, right_len)))
            break;
        left = slice_skip(left, left_len);
        right = slice_skip(right, right_len);
        count++;
    }
    is_end[0] = left.len == 0;
    is_end[1] = right.len == 0;
    return count;
}

/* What S has answered behind its first SAME messages. */
static struct slice
answer_from(const struct side *s, size_t same)
{
    struct slice rest = buf_slice(&s->answer);

    for (; same > 0; same--)
        rest = slice_skip(rest, message_len(rest));
    return rest;
}

/* Whether S, after SAME messages, says that it cannot parse in a failed transaction. */
static bool
is_unable_to_parse(const struct side *s, size_t same)
{
    struct slice rest = answer_from(s, same);

    if (rest.len == 0 || rest.at[0] != 'E' || !has_field(slice_of(rest.at, message_len(rest)), 'C', "25P02"))
        return false;
    while (rest.len > 0 && rest.at[0] != 'Z')
        rest = slice_skip(rest, message_len(rest));
    return rest.len > 0 && rest.at[5] == 'E';
}

static void
write_answer(struct buf *out, const char *title, const struct side *s, size_t same)
{
    struct slice rest = buf_slice(&s->answer);

    buf_add_format(out, "    --- %s\n", title);
    for (size_t i = 0; rest.len > 0; i++) {
        size_t len = message_len(rest);

        buf_add_format(out, "    %c%c ", i == same ? '>' : ' ', rest.at[0]);
        for (size_t j = 5; j < len && j < 300; j++) {
            if (rest.at[j] >= ' ' && rest.at[j] < 0x7f)
                buf_add_u8(out, rest.at[j]);
            else
                buf_add_format(out, rest.at[j] == 0 && rest.at[0] == 'E' ? "  " : "\\%02x", rest.at[j]);
        }
        buf_add_u8(out, '\n');
        rest = slice_skip(rest, len);
    }
    if (s->is_gone || s->is_silent)
        buf_add_format(out, "    %s\n", s->is_gone ? "(gone)" : "(silence)");
}

/* --- conversations --- */

static PGconn *
superuser_dial(const char *database)
{
    PGconn *c = PQconnectdb(text("host=%s port=%u dbname=%s user=postgres connect_timeout=20 "
                                 "options='-c client_min_messages=warning'",
                                 pg_main()->socket, pg_main()->port, database));

    SAYS(dial_error(c), "");
    return c;
}

/* Two copies of one database, object identifiers included. */
static void
databases_make(void)
{
    PGconn *c;

    if (pg_count(pg_main(), "select count(*) from pg_database where datname like 'diff_%%'") == 2)
        return;
    SAYS(pg_ask(pg_main(), "create database diff_a"), "CREATE DATABASE");
    c = superuser_dial("diff_a");
    SAYS(ask(c, "create table r (a int primary key, b text, c float8);"
                "insert into r select i, 'row ' || i, i / 4.0 from generate_series(1, 12) i;"
                "create table w (owner int, v text, n int default 0) with (autovacuum_enabled = off);"
                "create table u (k int primary key);"
                "create table m (a int primary key, b text);"
                "insert into m select i, 'moving ' || i from generate_series(1, 3) i;"
                "analyze r; grant select on r, m to public; grant all on w, u to public"),
         "GRANT");
    PQfinish(c);
    SAYS(pg_ask(pg_main(), "create database diff_b template diff_a"), "CREATE DATABASE");
}

struct talk *
talk_new(struct weir *w)
{
    struct talk *t = calloc(1, sizeof *t);

    if (t == NULL)
        abort();
    databases_make();
    t->weir = w;
    t->super[0] = superuser_dial("diff_a");
    t->super[1] = superuser_dial("diff_b");
    for (unsigned i = 0; i < TALK_CLIENTS; i++)
        t->direct[i].fd = t->pooled[i].fd = -1;
    return t;
}

static void
talk_hang_up(struct talk *t)
{
    for (unsigned i = 0; i < TALK_CLIENTS; i++) {
        side_close(&t->direct[i]);
        side_close(&t->pooled[i]);
    }
}

void
talk_free(struct talk *t)
{
    talk_hang_up(t);
    PQfinish(t->super[0]);
    PQfinish(t->super[1]);
    buf_release(&t->difference);
    free(t);
}

/* Table m as it was, but for the numbers of its columns: they are the same in both databases. */
static void
restore(PGconn *c)
{
    SAYS(ask(c, "alter table m drop column if exists d, alter column a type int, alter column b type text"),
         "ALTER TABLE");
}

void
talk_begin(struct talk *t)
{
    talk_hang_up(t);
    t->is_apart = false;
    for (unsigned i = 0; i < 2 && t->is_changed; i++)
        restore(t->super[i]);
    t->is_changed = false;
    buf_drop(&t->difference, buf_len(&t->difference));
    for (unsigned i = 0; i < 2; i++)
        SAYS(ask(t->super[i],
                 "set lock_timeout = '10s'; truncate w, u; insert into w values (99, 'first', 0)"),
             "INSERT 0 1");
}

bool
talk_is_apart(const struct talk *t)
{
    return t->is_apart;
}

const char *
talk_difference(const struct talk *t)
{
    return buf_len(&t->difference) == 0 ? "" : (const char *)buf_slice(&t->difference).at;
}

/* Where somebody has the table, in a transaction, the change fails. */
static void
change(struct talk *t, const char *sql)
{
    const char *said[2];

    for (unsigned i = 0; i < 2; i++) {
        said[i] = ask(t->super[i], "begin; lock table m in access exclusive mode nowait; %s; commit",
                      text("%.*s", (int)strcspn(sql, "\n"), sql));
        if (PQtransactionStatus(t->super[i]) != PQTRANS_IDLE)
            (void)ask(t->super[i], "rollback");
    }
    t->is_changed = t->was_changed = true;
    if (strcmp(said[0], said[1]) != 0)
        t->is_apart = true;
}

/* Whether S, after SAME messages, describes parameters. */
static bool
is_describing(const struct side *s, size_t same)
{
    struct slice rest = answer_from(s, same);

    return rest.len > 0 && rest.at[0] == 't';
}

/* Whether S, after SAME messages, says that a plan is stale. */
static bool
is_stale(const struct side *s, size_t same)
{
    struct slice rest = answer_from(s, same);

    return rest.len > 0 && rest.at[0] == 'E' &&
           (has_field(slice_of(rest.at, message_len(rest)), 'R', "RevalidateCachedQuery") ||
            has_field(slice_of(rest.at, message_len(rest)), 'R', "PortalSetResultFormat"));
}

/* Whether S, after SAME messages, does not understand a parameter. */
static bool
is_refusing_parameter(const struct side *s, size_t same)
{
    struct slice rest = answer_from(s, same);

    return rest.len > 0 && rest.at[0] == 'E' &&
           (has_field(slice_of(rest.at, message_len(rest)), 'W', "unnamed portal parameter $") ||
            has_field(slice_of(rest.at, message_len(rest)), 'W', "portal \""));
}

/* Whether what differs after SAME messages is what a change of the table makes differ. */
static bool
is_about_the_change(const struct side *direct, const struct side *pooled, size_t same)
{
    return is_stale(direct, same) || is_stale(pooled, same) || is_refusing_parameter(direct, same) ||
           is_refusing_parameter(pooled, same) ||
           (is_describing(direct, same) && is_describing(pooled, same));
}

/* Whether DIRECT was ended over a Close or a Parse among COPY data, which POOLED did not notice. */
static bool
is_over_what_was_made_up(const struct side *direct, const struct side *pooled, size_t same)
{
    struct slice rest = answer_from(direct, same);

    return direct->is_gone && !pooled->is_gone && rest.len > 0 && rest.at[0] == 'E' &&
           (has_field(slice_of(rest.at, message_len(rest)), 'M',
                      "unexpected message type 0x43 during COPY") ||
            has_field(slice_of(rest.at, message_len(rest)), 'M', "unexpected message type 0x50 during COPY"));
}

static bool
talk_with(struct talk *t, const struct turn *turn)
{
    struct side *direct = &t->direct[turn->client];
    struct side *pooled = &t->pooled[turn->client];
    struct buf out = { 0 };
    bool is_end[2];
    bool is_same;
    size_t same;

    if (direct->fd < 0 || direct->is_gone || pooled->is_gone) {
        side_open(direct, pg_main()->port, "diff_a");
        side_open(pooled, weir_port(t->weir), "diff_b");
    }
    side_forget_answer(direct);
    side_forget_answer(pooled);
    add_lines(&out, turn->lines);
    add_lines(&out, "S");
    for (unsigned i = 0; i < MARK_CLOSES; i++)
        add_lines(&out, "C P the_mark");
    add_lines(&out, "S");
    side_send(pooled, buf_slice(&out), turn->chunk);
    side_send(direct, buf_slice(&out), 0);
    buf_release(&out);
    side_hear(direct, 0);
    side_hear(pooled, direct->is_gone ? SIZE_MAX : direct->readies);
    same = same_messages(direct, pooled, is_end);
    /* Who hangs up with something unread in its socket may take its last words with it: one may know more of
     * them than the other. */
    is_same = direct->is_gone
                  ? pooled->is_gone && (is_end[0] || is_end[1])
                  : !pooled->is_gone && !pooled->is_silent && !direct->is_silent && is_end[0] && is_end[1];
    if (!is_same && (is_unable_to_parse(pooled, same) || is_over_what_was_made_up(direct, pooled, same) ||
                     (t->was_changed && is_about_the_change(direct, pooled, same)))) {
        t->is_apart = true;
        is_same = true;
    }
    if (!is_same) {
        buf_drop(&t->difference, buf_len(&t->difference));
        write_answer(&t->difference, "PostgreSQL says", direct, same);
        write_answer(&t->difference, "pgweir says", pooled, same);
        buf_add_u8(&t->difference, '\0');
    }
    return is_same;
}

bool
talk_turn(struct talk *t, const struct turn *turn)
{
    if (turn->client == TALK_CHANGE) {
        change(t, turn->lines);
        return true;
    }
    return talk_with(t, turn);
}
