/*
 * script.c - plays a script against PostgreSQL and against pgweir, and compares what comes back.
 *
 * What comes back is written down as a transcript, one line per message: its type, and its body with
 * everything unprintable escaped. Long bodies are told by length and digest.
 */

#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "pgweir/wire/front.h"
#include "raw.h"

#define MOST_CHARS 200u /* of a body in a transcript */

/* --- messages --- */

/* Cuts the next word off *LINE; `-` is the empty one. The last word takes the rest. */
static const char *
next_word(const char **line)
{
    size_t size = strcspn(*line, " ");
    const char *word = text("%.*s", (int)size, *line);

    *line += size;
    if (**line == ' ')
        (*line)++;
    return strcmp(word, "-") == 0 ? "" : word;
}

/* A value as it is, or repeated: x*1000. */
static void
add_value(struct buf *out, const char *value)
{
    size_t times = 0;

    if (value[0] != '\0' && value[1] == '*')
        times = strtoul(value + 2, NULL, 10);
    if (times == 0) {
        buf_add_text(out, value);
        return;
    }
    memset(buf_reserve(out, times), value[0], times);
    buf_commit(out, times);
}

static void
add_values(struct buf *body, const char *values)
{
    char *copy = strdup(values);
    uint16_t count = 0;

    for (const char *c = values; *c != '\0'; c++)
        if (c == values || *c == '|')
            count++;
    buf_add_be16(body, count);
    for (char *rest = copy, *value; count > 0 && (value = strsep(&rest, "|")) != NULL;) {
        struct buf bytes = { 0 };

        if (strcmp(value, "\\N") == 0) {
            buf_add_be32(body, UINT32_MAX);
            continue;
        }
        add_value(&bytes, value);
        buf_add_be32(body, (uint32_t)buf_len(&bytes));
        buf_add(body, buf_slice(&bytes));
        buf_release(&bytes);
    }
    free(copy);
}

static void
add_bind(struct buf *body, const char *rest, bool is_binary)
{
    buf_add_textz(body, next_word(&rest));
    buf_add_textz(body, next_word(&rest));
    buf_add_be16(body, 0); /* all parameters are text */
    add_values(body, rest);
    buf_add_be16(body, is_binary ? 1 : 0);
    if (is_binary)
        buf_add_be16(body, 1);
}

static void
add_function_call(struct buf *body, const char *rest)
{
    buf_add_be32(body, (uint32_t)strtoul(next_word(&rest), NULL, 10));
    buf_add_be16(body, 0);
    add_values(body, rest);
    buf_add_be16(body, 0);
}

void
script_add(struct buf *out, const char *line)
{
    struct buf body = { 0 };
    char type = line[0];
    const char *rest = line[1] == ' ' ? line + 2 : line + 1;

    switch (type) {
    case 'P':
        buf_add_textz(&body, next_word(&rest));
        buf_add_textz(&body, rest);
        buf_add_be16(&body, 0);
        break;
    case 'b':
    case 'B':
        add_bind(&body, rest, type == 'b');
        type = 'B';
        break;
    case 'C':
    case 'D':
        buf_add_text(&body, next_word(&rest));
        buf_add_textz(&body, next_word(&rest));
        break;
    case 'E':
        buf_add_textz(&body, next_word(&rest));
        buf_add_be32(&body, (uint32_t)strtoul(rest, NULL, 10));
        break;
    case 'F':
        add_function_call(&body, rest);
        break;
    case 'd':
        add_value(&body, rest);
        buf_add_u8(&body, '\n');
        break;
    case 'Q':
    case 'f':
        buf_add_textz(&body, rest);
        break;
    default: /* S, H, c, X: no body */
        break;
    }
    buf_add_u8(out, (uint8_t)type);
    buf_add_be32(out, (uint32_t)buf_len(&body) + 4);
    buf_add(out, buf_slice(&body));
    buf_release(&body);
}

/* --- transcripts --- */

static void
write_down(struct buf *transcript, int type, struct slice body)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    buf_add_u8(transcript, (uint8_t)type);
    buf_add_u8(transcript, ' ');
    if (body.len > MOST_CHARS) {
        EVP_Digest(body.at, body.len, digest, NULL, EVP_sha256(), NULL);
        buf_add_format(transcript, "(%zu bytes, %02x%02x%02x%02x) ", body.len, digest[0], digest[1],
                       digest[2], digest[3]);
        body.len = MOST_CHARS;
    }
    for (size_t i = 0; i < body.len; i++) {
        if (body.at[i] >= ' ' && body.at[i] < 0x7f)
            buf_add_u8(transcript, body.at[i]);
        else
            buf_add_format(transcript, "\\%02x", body.at[i]);
    }
    buf_add_u8(transcript, '\n');
}

/* Reads up to a message of type WANTED (RAW_GONE: up to the end); false when it does not come. */
static bool
listen_until(struct raw *r, int wanted, struct buf *transcript)
{
    for (;;) {
        int type = raw_message(r);

        if (type == RAW_GONE || type == RAW_SILENCE) {
            if (type != wanted)
                buf_add_text(transcript, type == RAW_GONE ? "(gone)\n" : "(silence)\n");
            return type == wanted;
        }
        write_down(transcript, type, raw_body(r));
        if (type == wanted)
            return true;
    }
}

static bool
send_in_chunks(struct raw *r, struct buf *out, size_t chunk)
{
    struct slice bytes = buf_slice(out);
    bool sent = true;

    while (sent && bytes.len > 0) {
        size_t piece = chunk == 0 || chunk > bytes.len ? bytes.len : chunk;

        sent = raw_send(r, slice_of(bytes.at, piece));
        bytes = slice_skip(bytes, piece);
    }
    buf_release(out);
    return sent;
}

/* The rival holds a server in every second step, so that the next transaction lands on another one. */
static void
rival_moves(PGconn *rival)
{
    if (rival != NULL)
        ask(rival, PQtransactionStatus(rival) == PQTRANS_IDLE ? "begin" : "commit");
}

/* Plays the script to its end, says goodbye, and returns the transcript. CHUNK 0: each step in one write. */
static char *
play(struct raw *r, const char *const *lines, size_t chunk, PGconn *rival)
{
    struct buf transcript = { 0 };
    struct buf out = { 0 };
    bool goes_on = true;

    for (; goes_on && *lines != NULL; lines++) {
        if ((*lines)[0] != '<') {
            script_add(&out, *lines);
            continue;
        }
        send_in_chunks(r, &out, chunk);
        goes_on = listen_until(r, (*lines)[1] == '.' ? RAW_GONE : (*lines)[1], &transcript);
        rival_moves(rival);
    }
    script_add(&out, "X");
    send_in_chunks(r, &out, 0);
    if (goes_on)
        listen_until(r, RAW_GONE, &transcript);
    raw_close(r);
    buf_add_u8(&transcript, '\0');
    return (char *)transcript.at; /* nothing was dropped at its front */
}

static size_t
script_bytes(const char *const *lines)
{
    struct buf out = { 0 };
    size_t bytes;

    for (; *lines != NULL; lines++)
        if ((*lines)[0] != '<')
            script_add(&out, *lines);
    bytes = buf_len(&out);
    buf_release(&out);
    return bytes;
}

static void
print_difference(const char *how, const char *expected, const char *actual)
{
    size_t same = 0;
    size_t line = 0;

    for (; expected[same] != '\0' && expected[same] == actual[same]; same++)
        if (expected[same] == '\n')
            line = same + 1;
    fprintf(stderr,
            "\n    %s: the answer differs from PostgreSQL's, after %zu equal bytes\n"
            "    --- PostgreSQL says\n%.1500s    --- pgweir says\n%.1500s    ---\n",
            how, line, expected + line, actual + line);
}

void
same_as_direct(struct weir *w, const char *const *lines, unsigned line, const char *file)
{
    const struct {
        const char *how;
        bool is_tls;
        size_t chunk;
    } ways[] = {
        { "plain", false, 0 },
        { "over TLS", true, 0 },
        { "in small pieces", false, script_bytes(lines) < 2000 ? 3 : 100003 },
    };
    char *expected = play(raw_open(pg_main()->port), lines, 0, NULL);
    PGconn *rival = weir_dial(w);

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct raw *r = ways[i].is_tls ? raw_open_tls(weir_port(w)) : raw_open(weir_port(w));
        char *actual = play(r, lines, ways[i].chunk, rival);
        bool same = strcmp(actual, expected) == 0;

        if (!same)
            print_difference(ways[i].how, expected, actual);
        CU_assertImplementation(same, line, "the same as on a direct connection", file, "", CU_FALSE);
        free(actual);
    }
    CU_ASSERT(!HAS(expected, "(silence)") && !HAS(expected, "(gone)")); /* the script itself makes sense */
    PQfinish(rival);
    free(expected);
}
