/*
 * script.c - lines are played one after the other, in a pace; the first that fails is told, and ends the
 * script.
 *
 *     line -> verb -> bytes -> socket -> | house, turned loop by loop | -> sockets -> actors' `in`
 *                                                                 compared by the next lines <--/
 */
#include "script_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "message.h"

/* The plain build plays all splits. The sanitizers slow a script down: they get a sample, and the thread
 * sanitizer, which has little to find in one thread, hardly any. */
#if defined(__SANITIZE_THREAD__)
#define SPLIT_STEP 1000 /* one split of each */
#elif defined(__SANITIZE_ADDRESS__)
#define SPLIT_STEP 5
#else
#define SPLIT_STEP 1
#endif

/* --- failing --- */

bool
script_has_failed(const struct script *s)
{
    return s->has_failed;
}

void
script_fail(struct script *s, const char *format, ...)
{
    va_list args;

    if (s->has_failed)
        return;
    s->has_failed = true;
    fprintf(stderr, "\n%s:%u: %s", s->file, s->at_line, s->line);
    if (s->scene.pace == PACE_BYTES)
        fprintf(stderr, " (byte by byte)");
    if (s->scene.pace == PACE_SPLIT_AT)
        fprintf(stderr, " (split at %zu)", s->scene.split_at);
    fprintf(stderr, "\n    ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    CU_assertImplementation(CU_FALSE, s->at_line, s->line, s->file, "", CU_FALSE);
}

void
script_fail_showing(struct script *s, const struct actor *a, struct slice wanted)
{
    struct buf text;

    buf_init(&text);
    buf_add_format(&text, "%c%u should have got\n", script_kind_letters[a->kind], a->number);
    messages_show(&text, wanted);
    buf_add_text(&text, "    and has\n");
    messages_show(&text, buf_slice(&a->in));
    if (a->is_ended)
        buf_add_text(&text, "        the end of the connection\n");
    buf_add_u8(&text, 0);
    script_fail(s, "%s", (const char *)buf_slice(&text).at);
    buf_release(&text);
}

/* --- lines --- */

const char *
behind_word(const char *text)
{
    text += strcspn(text, " ");
    return text + strspn(text, " ");
}

bool
begins_with_word(const char *text, const char *word)
{
    size_t len = strcspn(text, " ");

    return strlen(word) == len && strncmp(text, word, len) == 0;
}

static void
play_line(struct script *s, const char *line)
{
    if (!direction_try_play(s, line) && !verb_try_play(s, line))
        script_fail(s, "this line cannot be played");
}

void
script_line(struct script *s, const char *format, ...)
{
    va_list args;

    if (s->has_failed)
        return;
    va_start(args, format);
    vsnprintf(s->line, sizeof s->line, format, args);
    va_end(args);
    play_line(s, s->line);
    if (!s->has_failed)
        script_settle(s);
}

static bool
play(const struct scene *scene, const char *const *lines, const char *file, unsigned line, size_t *sent)
{
    struct script *s = script_begin(scene, file, line);

    for (; *lines != NULL; lines++)
        script_line(s, "%s", *lines);
    *sent = s->sent;
    return script_end(s);
}

bool
script_play(const struct scene *scene, const char *const *lines, const char *file, unsigned line)
{
    size_t sent;

    return play(scene, lines, file, line, &sent);
}

void
script_play_splits(const struct scene *scene, const char *const *lines, const char *file, unsigned line)
{
    struct scene paced = *scene;
    size_t sent;
    bool good;

    paced.pace = PACE_WHOLE;
    good = play(&paced, lines, file, line, &sent);
    if (good) {
        size_t once_more;

        paced.pace = PACE_BYTES;
        good = play(&paced, lines, file, line, &once_more);
    }
    paced.pace = PACE_SPLIT_AT;
    for (paced.split_at = 1; good && paced.split_at < sent; paced.split_at += SPLIT_STEP) {
        size_t once_more;

        good = play(&paced, lines, file, line, &once_more);
    }
}
