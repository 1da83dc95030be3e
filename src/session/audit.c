/*
 * audit.c - what clients leave in a session without a sign of it in their texts: a function or a trigger that
 * sets something, makes a temporary table, listens, takes a lock.
 *
 *     released --(session_audit)--> everything is asked for --> as it should be: on to the next client
 *                                                         \-> more than that --+-- watched: it is the
 *                                                         client's,
 *                                                                             |   its texts are learnt
 *                                                                             +-- else: DISCARD ALL
 *
 * A server is watched when its session was known as it got its client: it is new, or was cleaned, or an audit
 * has just found nothing. Then the texts of that client alone can have done what is found in the end: it
 * follows the client as if a text had shown it, and the fingerprints of those texts are suspected from then
 * on. One that is not watched may have kept things of any client before, so that nobody may have them; the
 * next releases are all looked at, to find out whose doing it is. With session_audit = 1 every server is
 * watched, and nothing is ever lost or leaked.
 *
 * Texts that were learnt are read back like those that show what they do. Of the texts of one transaction,
 * which is not known to be it, all are learnt: those that leave nothing behind for some time are forgotten.
 */
#include <string.h>

#include "pgweir/base/text.h"
#include "pgweir/pool/audit.h"
#include "session_settings_impl.h"
#include "session_state_impl.h"

#define SHOWN_TEXT_BYTES 200u

/* --- notes --- */

void
state_begin_notes(struct server *s)
{
    struct session_state *state = session_state_of(s);

    state->note_count = 0;
    state->asked_notes = 0;
    state->notes_are_partial = false;
    buf_release(&state->note_texts);
}

/* Those that the question has been about; what its client has sent behind it is for the next one. */
static void
drop_notes(struct session_state *state)
{
    for (unsigned i = 0; i < state->asked_notes; i++)
        buf_drop(&state->note_texts, strlen((const char *)buf_slice(&state->note_texts).at) + 1);
    state->note_count -= state->asked_notes;
    memmove(state->notes, state->notes + state->asked_notes, state->note_count * sizeof state->notes[0]);
    state->asked_notes = 0;
    state->notes_are_partial = false;
}

static void
note_add(struct server *s, uint64_t fingerprint, bool is_learned, const char *shown)
{
    struct session_state *state = session_state_of(s);

    for (unsigned i = 0; i < state->note_count; i++)
        if (state->notes[i].fingerprint == fingerprint)
            return;
    if (state->note_count == NOTES_MOST) {
        state->notes_are_partial = true;
        return;
    }
    state->notes[state->note_count++] = (struct note){ fingerprint, is_learned };
    buf_add_textz(&state->note_texts, shown);
}

uint32_t
audit_note(struct client *c, struct slice text, uint32_t flags)
{
    char shown[SHOWN_TEXT_BYTES] = "";
    uint64_t fingerprint;
    uint32_t learned;

    if ((flags & (uint32_t)(SQL_BEGIN | SQL_COMMIT | SQL_ROLLBACK)) != 0 && text.len <= strlen("ROLLBACK;"))
        return 0; /* nothing else has room in it */
    fingerprint = sql_fingerprint(text, !c->has_odd_strings, shown, c->server->is_watched ? sizeof shown : 0);
    learned = shard_learned(c->shard, fingerprint);
    if (learned != 0 || c->server->is_watched)
        note_add(c->server, fingerprint, learned != 0, shown);
    return learned;
}

void
audit_learned_ran(struct server *s, bool was_right)
{
    struct session_state *state = s->session;

    for (unsigned i = 0; i < state->asked_notes; i++)
        if (state->notes[i].is_learned)
            shard_learned_ran(s->member.shard, state->notes[i].fingerprint, was_right);
    if (!s->is_watched || s->audited_stamp == state->asked_stamp)
        drop_notes(state);
}

/* --- what is more than it should be --- */

static bool
is_reported(const struct server *s, const char *name)
{
    struct slice rest = buf_slice(&s->reported);

    while (rest.len > 0) {
        size_t len = 1 + (size_t)get_be32(rest.at + 1);
        struct startup_pair pair;

        if (settings_read_report(slice_of(rest.at, len), &pair) && text_equal_nocase(pair.name, name))
            return true;
        rest = slice_skip(rest, len);
    }
    return false;
}

/* A custom setting that was put back is '' ever after. */
static bool
is_same_value(const char *name, const char *a, const char *b)
{
    if (strchr(name, '.') != NULL) {
        a = a == NULL ? "" : a;
        b = b == NULL ? "" : b;
    }
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

struct findings {
    uint32_t flags;     /* enum sql_flag, of texts that would show it */
    struct buf words;   /* what it is, for the log */
    bool is_spelt_anew; /* a value of a startup packet stands there in another spelling, perhaps */
};

static void
find_setting(struct findings *f, const char *name)
{
    buf_add_format(&f->words, "%sthe setting %s", buf_len(&f->words) > 0 ? ", " : "", name);
    f->flags |= SQL_OPAQUE;
}

/* Startup packets say 5000 where the server says 5s: that is no change. Once followed, it is spelt alike. */
static bool
may_be_spelling(const struct client *c, const char *name, const char *believed, const char *value)
{
    const char *floor = snapshot_value(c->floor, name);

    return value != NULL && believed != NULL && floor != NULL && strcmp(floor, believed) == 0;
}

static void
find_settings(const struct server *s, const struct answer *a, struct findings *f)
{
    for (size_t i = 0; i < a->count; i++) {
        const char *name = a->of_server[i].name;
        const char *value = a->of_server[i].value;
        const char *believed = snapshot_value(s->settings, name);

        if (is_same_value(name, value, believed) || is_reported(s, name))
            continue;
        if (may_be_spelling(s->client, name, believed, value))
            f->is_spelt_anew = true;
        else
            find_setting(f, name);
    }
}

/* What it should have and what was put back. */
static void
find_missing(const struct server *s, const struct answer *a, struct findings *f)
{
    for (size_t i = 0; i < snapshot_count(s->settings); i++) {
        const char *name = snapshot_pair_at(s->settings, i)->name;

        if (!answer_has(a, name) && !is_reported(s, name))
            find_setting(f, name);
    }
}

static void
find_pins(const struct answer *a, struct findings *f)
{
    static const char *const words[] = {
#define PIN_WORDS(id, name, text) [id] = text,
        PIN_REASONS(PIN_WORDS)
#undef PIN_WORDS
    };

    f->flags |= read_back_makers(a->pins);
    for (unsigned i = 0; i < PIN_REASON_COUNT; i++)
        if ((a->pins & PIN_BIT(i)) != 0)
            buf_add_format(&f->words, "%s%s", buf_len(&f->words) > 0 ? ", " : "", words[i]);
}

/* --- what becomes of it --- */

static void
follow(struct server *s, const struct answer *a)
{
    struct client *c = s->client;
    unsigned pins = c->pins | a->pins;

    if (!read_back_follow(s, a))
        pins |= PIN_BIT(PIN_SETTINGS);
    state_pin(c, pins);
}

static void
learn(struct server *s, const struct findings *f)
{
    struct session_state *state = session_state_of(s);
    const char *shown = (const char *)buf_slice(&state->note_texts).at;

    for (unsigned i = 0; i < state->asked_notes; i++) {
        if (shard_learn(s->member.shard, state->notes[i].fingerprint, f->flags))
            client_log(s->client, LOG_NOTICE_LEVEL,
                       "a query has left in the session what its text does not show (%.*s); such queries are "
                       "read back from now on; fingerprint %016llx: %s",
                       (int)buf_len(&f->words), (const char *)buf_slice(&f->words).at,
                       (unsigned long long)state->notes[i].fingerprint, shown);
        shown += strlen(shown) + 1;
    }
    if (state->asked_notes == 0 || state->notes_are_partial)
        client_log(
            s->client, LOG_NOTICE_LEVEL,
            "queries have left in the session what no text of theirs shows (%.*s), and were too many to "
            "be learnt",
            (int)buf_len(&f->words), (const char *)buf_slice(&f->words).at);
}

static void
scrub(struct server *s, const struct findings *f)
{
    s->scrub = SCRUB_ALL;
    if (shard_audit_alert(s->member.shard, loop_now_us(s->worker->loop)))
        server_log(s, LOG_NOTICE_LEVEL,
                   "clients have left in the session what no text of theirs shows (%.*s): it is removed, and "
                   "the next releases are all looked at",
                   (int)buf_len(&f->words), (const char *)buf_slice(&f->words).at);
}

/* One that was sampled is watched for one client more: what its texts do is then known for certain. */
static void
find_nothing(struct server *s, const struct answer *a, const struct findings *f)
{
    bool is_sampled = !s->is_watched;

    if (s->is_watched && f->is_spelt_anew)
        follow(s, a);
    else
        settings_suspect_hidden(s, s->is_watched ? s->client->id : 0);
    s->is_watched = is_sampled || shard_audits_always(s->member.shard);
    s->is_attentive = s->is_watched || shard_has_learned(s->member.shard);
}

void
audit_judge(struct server *s, const struct answer *a)
{
    struct findings f = { 0 };

    buf_init(&f.words);
    find_settings(s, a, &f);
    find_missing(s, a, &f);
    find_pins(a, &f);
    s->audited_stamp = s->session->asked_stamp;
    shard_counters(s->member.shard)->audit_count++;
    shard_counters(s->member.shard)->audit_finding_count += f.flags != 0;
    if (f.flags == 0) {
        find_nothing(s, a, &f);
    } else if (s->is_watched) {
        learn(s, &f);
        follow(s, a);
    } else {
        scrub(s, &f);
    }
    drop_notes(s->session);
    buf_release(&f.words);
}
