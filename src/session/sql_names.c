/* sql_names.c - see sql_names_impl.h. */
#include "sql_names_impl.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "relay_impl.h"

#define OURS "pgweir_"
#define OURS_LEN 7u
#define TOKEN_BYTES (2u * SQL_NAME_MOST + 3u) /* a name with quotes, all of them doubled */

struct replaced {
    size_t at;                    /* in the text as it is sent */
    long delta;                   /* by how much it is longer there */
    char ours[TOKEN_BYTES];       /* the token in it, quotes included */
    char bare[SQL_NAME_MOST + 1]; /* the name that it stands for */
    char theirs[SQL_NAME_MOST + 1];
};

struct sql_names {
    struct client_name
        *deallocated[SQL_NAMED_MOST]; /* by the nth DEALLOCATE of one; held; NULL: none of the client's */
    unsigned deallocate_count;
    unsigned done;     /* tags that have come */
    bool has_executes; /* errors may tell places in the text of what is executed */
    uint32_t findings; /* enum sql_flag of what is executed */
    unsigned count;
    struct replaced replaced[SQL_NAMED_MOST];
};

void
sql_names_free(struct sql_names *names)
{
    if (names == NULL)
        return;
    for (unsigned i = 0; i < names->deallocate_count; i++)
        name_drop(names->deallocated[i]);
    free(names);
}

/* --- what goes ahead --- */

static void
close_stand_in(struct client *c, const char *name, enum owed_action action)
{
    size_t len = strlen(name) + 1;

    (void)enter(c, OWED_CLOSE, action, EFFECT_NONE);
    send_head(c, 'C', 1 + len, slice_of("S", 1), slice_of(name, len));
}

/* A statement without text: it is there to be deallocated. */
static void
put_stand_in(struct client *c, const char *name, enum owed_action action)
{
    static const uint8_t nothing[] = { 0, 0, 0 };
    size_t len = strlen(name) + 1;

    close_stand_in(c, name, action);
    (void)enter(c, OWED_PARSE, action, EFFECT_NONE);
    send_head(c, 'P', len + sizeof nothing, slice_of(NULL, 0), slice_of(name, len));
    gather_add(&c->worker->gather, &c->server->stream, slice_of(nothing, sizeof nothing));
}

/* --- the text --- */

static bool
looks_like_ours(const char *name)
{
    return strncmp(name, OURS, OURS_LEN) == 0;
}

/* The name that keeps SQL's own pgweir_… apart from ours. */
static void
write_apart(struct replaced *r, const char *name)
{
    size_t n = 0;

    snprintf(r->bare, sizeof r->bare, "%s", name);
    r->bare[OURS_LEN - 1] = '-';
    r->ours[n++] = '"';
    for (const char *at = r->bare; *at != '\0'; at++) {
        if (*at == '"')
            r->ours[n++] = '"';
        r->ours[n++] = *at;
    }
    r->ours[n++] = '"';
    r->ours[n] = '\0';
}

static void
write_name(struct replaced *r, const char *name)
{
    snprintf(r->bare, sizeof r->bare, "%s", name);
    snprintf(r->ours, sizeof r->ours, "%s", name);
}

/* Whether the text has deallocated that name before its Ith: what follows is no concern of ours. */
static bool
is_gone_before(const struct sql_findings *f, unsigned i)
{
    for (unsigned j = 0; j < i; j++)
        if (f->named[j].verb == SQL_BY_DEALLOCATE && strcmp(f->named[j].name, f->named[i].name) == 0)
            return true;
    return false;
}

/* Puts R in place of what is named by D. *DONE: how much of TEXT is in OUT already. */
static void
replace(struct sql_names *names, struct slice text, const struct sql_named *d, size_t *done, struct buf *out)
{
    struct replaced *r = &names->replaced[names->count++];

    buf_add(out, slice_of(text.at + *done, d->at - *done));
    r->at = buf_len(out);
    r->delta = (long)strlen(r->ours) - (long)d->len;
    snprintf(r->theirs, sizeof r->theirs, "%s", d->name);
    buf_add_text(out, r->ours);
    *done = d->at + d->len;
}

/* A statement that the text executes, or would prepare again. In a failed transaction it does not get so far, and no Parse would. */
static void
need_for_text(struct client *c, struct statement *st)
{
    const struct server *s = c->server;
    const struct server_statement *e = set_find(s, st);

    if (s->status == 'E' ||
        (e != NULL && is_known(s, e->parsed.stamp) && e->parsed.epoch == schema_epoch(s->schema)))
        return;
    (void)send_parse_named(c, st, OWED_SWALLOW, EFFECT_ADDED);
    evict(c);
}

/* What is named last in F, not yet in NAMES, gets its replacement there; false: it stays as it is. */
static bool
choose(struct client *c, struct sql_names *names, const struct sql_findings *f, unsigned i)
{
    const struct sql_named *d = &f->named[i];
    struct replaced *r = &names->replaced[names->count];
    struct client_name *n = is_gone_before(f, i) ? NULL : name_find(c, d->name);

    if (d->verb == SQL_BY_DEALLOCATE)
        names->deallocated[names->deallocate_count++] = name_hold(n);
    if (n == NULL) {
        if (looks_like_ours(d->name))
            write_apart(r, d->name);
        return looks_like_ours(d->name);
    }
    if (d->verb == SQL_BY_DEALLOCATE) {
        char name[STATEMENT_NAME_BYTES];

        snprintf(name, sizeof name, "pgweir_gone_%u", names->deallocate_count);
        put_stand_in(c, name, OWED_SWALLOW);
        write_name(r, name);
    } else {
        if (d->verb == SQL_BY_EXECUTE) {
            names->has_executes = true;
            names->findings |= name_findings(n);
        }
        need_for_text(c, n->statement);
        write_name(r, n->statement->name);
    }
    return true;
}

static bool
is_any_ours(const struct client *c, const struct sql_findings *f)
{
    for (unsigned i = 0; i < f->named_count; i++)
        if (looks_like_ours(f->named[i].name) || name_find(c, f->named[i].name) != NULL)
            return true;
    return false;
}

struct sql_names *
sql_names_rewrite(struct client *c, struct slice text, const struct sql_findings *f, struct buf *out)
{
    static const uint8_t sync[] = { 'S', 0, 0, 0, 4 };
    struct sql_names *names;
    size_t done = 0;
    uint64_t stamp = c->server->stamp;
    /* A Sync would end what is open; a transaction that has failed it leaves as it is, and there what goes ahead fails. */
    bool may_sync = !c->server->ledger.is_open || c->server->status == 'E';

    if ((f->flags & SQL_NAMING) == 0 || f->named_are_partial || c->server->ledger.is_copy_in_open ||
        !is_any_ours(c, f))
        return NULL;
    names = mem_new(sizeof *names);
    for (unsigned i = 0; i < f->named_count; i++)
        if (choose(c, names, f, i))
            replace(names, text, &f->named[i], &done, out);
    buf_add(out, slice_skip(text, done));
    if (c->server->stamp != stamp &&
        may_sync) { /* an error in what went ahead must not make the server skip the Query */
        (void)enter(c, OWED_SYNC, OWED_SWALLOW, EFFECT_NONE);
        gather_copy(&c->worker->gather, &c->server->stream, slice_of(sync, sizeof sync));
    }
    return names;
}

uint32_t
sql_names_findings(const struct sql_names *names)
{
    return names->findings;
}

/* Whether the server still has to answer anything: what is made up is certain, and the end of a COPY has no answer. */
static bool
is_answer_owed(const struct ledger *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (ledger_entry(l, i)->action != OWED_SYNTHESISE && ledger_entry(l, i)->kind != OWED_COPY_END)
            return true;
    return false;
}

bool
sql_names_must_wait(struct client *c, const struct sql_findings *f)
{
    const struct ledger *l = &c->server->ledger;
    bool must_wait = (f->flags & SQL_NAMING) != 0 && !l->is_copy_in_open && is_answer_owed(l);

    if (must_wait)
        send_flush(c);
    return must_wait;
}

bool
sql_names_parse_must_wait(struct client *c, const struct statement *st)
{
    bool must_wait = c->server->turn.wipes_owed > 0 || !are_removals_known(c);
    struct sql_findings f;

    if ((st->findings & SQL_NAMING) == 0 || c->server->ledger.is_copy_in_open)
        return false;
    statement_look(st, !c->has_odd_strings, &f);
    for (unsigned i = 0; i < f.named_count && !must_wait; i++) {
        const struct client_name *n = name_find(c, f.named[i].name);

        must_wait = n != NULL && !is_known(c->server, stamp_on_server(c, n->stamp));
    }
    if (must_wait)
        send_flush(c);
    return must_wait;
}

/* --- the extended protocol --- */

/* ST, whose text may name a statement, or what is to be parsed in its place. */
static struct statement *
rewrite_parse(struct client *c, struct statement *st, struct slice scope, struct client_name **target)
{
    struct sql_findings f;
    struct sql_names names = { 0 };
    struct client_name *n;
    struct statement *other;
    struct buf out;
    size_t done = 0;

    statement_look(st, !c->has_odd_strings, &f);
    if (f.named_count != 1 || f.named_are_partial || f.statements != 1)
        return st;
    n = name_find(c, f.named[0].name);
    if (n != NULL && f.named[0].verb == SQL_BY_DEALLOCATE)
        write_name(&names.replaced[0], SQL_STAND_IN);
    else if (n != NULL)
        write_name(&names.replaced[0], n->statement->name);
    else if (n == NULL && looks_like_ours(f.named[0].name))
        write_apart(&names.replaced[0], f.named[0].name);
    else
        return st;
    buf_init(&out);
    replace(&names, statement_tail(st), &f.named[0], &done, &out);
    buf_add(&out, slice_skip(statement_tail(st), done));
    other = statement_take(&c->worker->statements, buf_slice(&out), scope);
    buf_release(&out);
    if (other == NULL)
        return st;
    *target = name_hold(n);
    statement_drop(st);
    return other;
}

/* In two functions, because clearing the lists of the rare one costs 600 instructions, and this is called for every Parse. */
struct statement *
sql_names_parse(struct client *c, struct statement *st, struct slice scope, struct client_name **target)
{
    *target = NULL;
    return LIKELY((st->findings & SQL_NAMING) == 0) ? st : rewrite_parse(c, st, scope, target);
}

void
sql_names_need(struct client *c, const struct client_name *n)
{
    bool is_fresh;

    if (n->target != NULL && (n->statement->findings & SQL_DEALLOCATE) == 0)
        (void)need(c, n->target, &is_fresh);
}

struct client_name *
sql_names_execute(struct client *c, const struct client_name *n)
{
    struct client_name *target;

    if (n == NULL || n->target == NULL || (n->statement->findings & SQL_DEALLOCATE) == 0)
        return NULL;
    target = name_find(c, n->target->name);
    if (target != NULL)
        put_stand_in(c, SQL_STAND_IN, OWED_HIDE);
    else
        close_stand_in(c, SQL_STAND_IN, OWED_HIDE);
    return name_hold(target != NULL ? target : n->target);
}

/* --- what became of it --- */

static void
take_away(struct client *c, struct client_name *n)
{
    if (c == NULL || n == NULL || !name_is_in(c, n))
        return;
    name_take_out(c, n);
    name_drop(n);
}

void
sql_names_deallocated(struct server *s, struct owed *o)
{
    struct sql_names *names = o->effect == EFFECT_SQL ? o->of_server : NULL;

    if (o->effect == EFFECT_DEALLOCATES)
        take_away(s->client, o->of_client);
    else if (names != NULL && names->done < names->deallocate_count)
        take_away(s->client, names->deallocated[names->done++]);
}

/* Where NAME stands in TEXT, and not as the beginning of a longer one; NULL: nowhere. */
const char *
sql_names_find(const char *text, const char *name)
{
    const char *at = text;

    while ((at = strstr(at, name)) != NULL) {
        char next = at[strlen(name)];

        if (next < '0' || next > '9')
            return at;
        at++;
    }
    return NULL;
}

/* The place that P tells, in the client's text. */
static long
place_in_theirs(const struct sql_names *names, long place)
{
    long delta = 0;

    for (unsigned i = 0; i < names->count; i++)
        if ((long)names->replaced[i].at + 1 < place)
            delta += names->replaced[i].delta;
    return place - delta;
}

bool
sql_names_reword(const struct sql_names *names, const char *text, char field, struct buf *out)
{
    if (field == 'P' && names->count > 0 && !names->has_executes) {
        buf_add_format(out, "%ld", place_in_theirs(names, strtol(text, NULL, 10)));
        buf_add_u8(out, '\0');
        return true;
    }
    for (unsigned i = 0; i < names->count; i++) {
        const char *at = field == 'M' ? sql_names_find(text, names->replaced[i].bare) : NULL;

        if (at == NULL)
            continue;
        buf_add(out, slice_of(text, (size_t)(at - text)));
        buf_add_text(out, names->replaced[i].theirs);
        buf_add_textz(out, at + strlen(names->replaced[i].bare));
        return true;
    }
    return false;
}
