/*
 * option.c - from the text of an option to its value and back. The rows are in option_table.c.
 *
 *     option_parse() reads into a value of its own, holds that against the row's bounds, and only then writes
 *     the slot: so a refused text leaves no trace. Bounds are written in the table as in a file and are read
 *     by the same code.
 */
#include "pgweir/config/option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"

/* Deadlines are sums of such values and a clock in µs; 317 years leave room for that. */
#define DURATION_MOST_US UINT64_C(10000000000000000)

#define SHOWN_VALUE "%.80s" /* how much of a wrong value a complaint repeats */

/* Any option's value while it is not yet in its slot. */
union value {
    char *text; /* borrowed from the file's text */
    bool flag;
    unsigned count;
    uint64_t amount; /* durations in µs, sizes in bytes */
    int choice;
    struct option_share share;
};

struct measure {
    const char *unit;
    uint64_t factor;
};

static const struct measure duration_units[] = {
    { "us", 1 },
    { "ms", 1000 },
    { "s", UINT64_C(1000000) },
    { "min", UINT64_C(60000000) },
    { "h", UINT64_C(3600000000) },
    { "d", UINT64_C(86400000000) },
    { NULL, 0 },
};

static const struct measure byte_units[] = {
    { "B", 1 },
    { "kB", UINT64_C(1) << 10 },
    { "MB", UINT64_C(1) << 20 },
    { "GB", UINT64_C(1) << 30 },
    { "TB", UINT64_C(1) << 40 },
    { NULL, 0 },
};

static const struct measure *
measure_find(const struct measure *units, const char *name)
{
    for (; units->unit != NULL; units++)
        if (text_equal_nocase(units->unit, name))
            return units;
    return NULL;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number: WHOLE plus MILLIONTHS, rounded up where more digits follow, so that only 0 is 0. */
struct decimal {
    uint64_t whole;
    uint64_t millionths;
};

/* Returns the first character behind the number in TEXT, or NULL when there is none or it does not fit. */
static const char *
decimal_read(const char *text, struct decimal *out, bool *is_too_large)
{
    uint64_t scale = 100000;
    bool has_digits = false, has_rest = false;

    *out = (struct decimal){ 0 };
    *is_too_large = false;
    for (; is_digit(*text); text++) {
        has_digits = true;
        if (__builtin_mul_overflow(out->whole, 10, &out->whole) ||
            __builtin_add_overflow(out->whole, (uint64_t)(*text - '0'), &out->whole))
            *is_too_large = true;
    }
    if (*text == '.') {
        for (text++; is_digit(*text); text++) {
            has_digits = true;
            out->millionths += scale * (uint64_t)(*text - '0');
            has_rest |= scale == 0 && *text != '0';
            scale /= 10;
        }
    }
    out->millionths += has_rest ? 1 : 0;
    return has_digits && !*is_too_large ? text : NULL;
}

/* WHAT is the word for the complaint; EXAMPLES shows how it is written. */
static enum err
amount_read(const char *text, const struct measure *units, uint64_t bare_factor, const char *what,
            const char *examples, uint64_t *out, struct error *why)
{
    const char *number = *text == '+' ? text + 1 : text;
    struct decimal decimal;
    bool is_too_large;
    const char *unit;
    uint64_t factor = bare_factor, amount, part;

    if (*text == '-' && (is_digit(text[1]) || text[1] == '.'))
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is negative", text);
    unit = decimal_read(number, &decimal, &is_too_large);
    if (is_too_large)
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is too large", text);
    if (unit == NULL)
        return error_set(why, ERR_SYNTAX, "`" SHOWN_VALUE "` is not a %s (write %s)", text, what, examples);
    while (*unit == ' ' || *unit == '\t')
        unit++;
    if (*unit != '\0') {
        const struct measure *measure = measure_find(units, unit);

        if (measure == NULL)
            return error_set(why, ERR_SYNTAX, "`" SHOWN_VALUE "` has an unknown unit (write %s)", text,
                             examples);
        factor = measure->factor;
    }
    /* millionths <= 10^6 and factor <= 2^40: the product fits. */
    part = (decimal.millionths * factor + 999999) / 1000000;
    if (__builtin_mul_overflow(decimal.whole, factor, &amount) ||
        __builtin_add_overflow(amount, part, &amount))
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is too large", text);
    *out = amount;
    return ERR_NONE;
}

static uint64_t
duration_unit_us(const struct option *o)
{
    const struct measure *measure = o->unit == NULL ? NULL : measure_find(duration_units, o->unit);

    return measure == NULL ? UINT64_C(1000000) : measure->factor;
}

static enum err
duration_read(const struct option *o, const char *text, uint64_t *out, struct error *why)
{
    uint64_t us = 0;
    enum err e = amount_read(text, duration_units, duration_unit_us(o), "duration",
                             "30, 0.5, 200ms, 30s, 5min, 2h or 1d", &us, why);

    if (e != ERR_NONE)
        return e;
    if (us > DURATION_MOST_US)
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is too large", text);
    *out = us;
    return ERR_NONE;
}

/* As strtoul() with base 0 reads it, 0777 and 0x1ff included, but without signs and rests. */
static enum err
count_read(const char *text, unsigned *out, struct error *why)
{
    char *end;
    unsigned long long number;

    if (*text == '-' && is_digit(text[1]))
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is negative", text);
    errno = 0;
    number = strtoull(text, &end, 0);
    if (!is_digit(text[0]) || *end != '\0')
        return error_set(why, ERR_SYNTAX, "`" SHOWN_VALUE "` is not a whole number%s", text,
                         text[0] == '0' && is_digit(text[1]) ? " (a leading 0 means octal)" : "");
    if (errno == ERANGE || number > UINT_MAX)
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is too large", text);
    *out = (unsigned)number;
    return ERR_NONE;
}

static enum err
bool_read(const char *text, bool *out, struct error *why)
{
    static const char *const yes[] = { "1", "on", "yes", "true" };
    static const char *const no[] = { "0", "off", "no", "false" };

    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (text_equal_nocase(text, yes[i]) || text_equal_nocase(text, no[i])) {
            *out = text_equal_nocase(text, yes[i]);
            return ERR_NONE;
        }
    }
    return error_set(why, ERR_SYNTAX,
                     "`" SHOWN_VALUE "` is neither yes nor no (write 1, on, yes, true or 0, off, no, false)",
                     text);
}

static enum err
choice_read(const struct option *o, const char *text, int *out, struct error *why)
{
    char all[256];
    size_t used = 0, count = 0;
    const char *nearest;

    for (; o->choices[count] != NULL; count++) {
        if (text_equal_nocase(text, o->choices[count])) {
            *out = (int)count;
            return ERR_NONE;
        }
        if (used < sizeof(all))
            used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", count == 0 ? "" : ", ",
                                     o->choices[count]);
    }
    nearest = text_nearest(text, o->choices, count);
    if (nearest != NULL)
        return error_set(why, ERR_SYNTAX, "`" SHOWN_VALUE "` is not one of %s; did you mean `%s`?", text, all,
                         nearest);
    return error_set(why, ERR_SYNTAX, "`" SHOWN_VALUE "` is not one of %s", text, all);
}

static enum err
auto_count_read(const char *text, unsigned *out, struct error *why)
{
    enum err e = ERR_NONE;

    if (text_equal_nocase(text, "auto"))
        *out = 0;
    else
        e = count_read(text, out, why);
    if (e == ERR_SYNTAX)
        return error_set(why, e, "`" SHOWN_VALUE "` is neither a whole number nor `auto`", text);
    return e;
}

static enum err
share_read(const char *text, struct option_share *out, struct error *why)
{
    struct option_share share = { 0 };
    size_t len = strlen(text);
    char digits[16];
    enum err e;

    if (len == 0 || text[len - 1] != '%') {
        e = count_read(text, &share.count, why);
    } else {
        snprintf(digits, sizeof(digits), "%.*s",
                 len > sizeof(digits) ? (int)sizeof(digits) - 1 : (int)len - 1, text);
        e = count_read(text_trim(digits), &share.percent, why);
        if (e == ERR_LIMIT || (e == ERR_NONE && share.percent > 100))
            return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is not between 0%% and 100%%", text);
    }
    if (e == ERR_SYNTAX)
        return error_set(
            why, e, "`" SHOWN_VALUE "` is neither a number of connections nor a percentage (write 5 or 10%%)",
            text);
    if (e == ERR_NONE)
        *out = share;
    return e;
}

/* Digits beyond millionths are refused: they would be lost. */
static enum err
fraction_read(const char *text, unsigned *out, struct error *why)
{
    unsigned whole = 0, millionths = 0, unit = 100000;
    const char *p = text;

    if (*p < '0' || *p > '9')
        return error_set(why, ERR_SYNTAX, "`" SHOWN_VALUE "` is not a fraction (write 0, 0.001 or 1)", text);
    for (; *p >= '0' && *p <= '9' && whole <= 1; p++)
        whole = whole * 10 + (unsigned)(*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9' && unit > 0; p++, unit /= 10)
            millionths += (unsigned)(*p - '0') * unit;
    while (*p == '0')
        p++;
    if (whole > 1 || (whole == 1 && millionths > 0))
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is not between 0 and 1", text);
    if (*p != '\0')
        return error_set(why, ERR_SYNTAX,
                         "`" SHOWN_VALUE "` is not a fraction (write 0, 0.001 or 1; at most six digits)",
                         text);
    *out = whole * FRACTION_ONE + millionths;
    return ERR_NONE;
}

static enum err
value_read(const struct option *o, const char *text, union value *out, struct error *why)
{
    switch (o->type) {
    case OPT_TEXT:
        return ERR_NONE; /* any text will do; option_parse() copies it */
    case OPT_BOOL:
        return bool_read(text, &out->flag, why);
    case OPT_COUNT:
        return count_read(text, &out->count, why);
    case OPT_DURATION:
        return duration_read(o, text, &out->amount, why);
    case OPT_BYTES:
        return amount_read(text, byte_units, 1, "size", "65536, 64kB, 16MB or 1GB", &out->amount, why);
    case OPT_CHOICE:
        return choice_read(o, text, &out->choice, why);
    case OPT_AUTO_COUNT:
        return auto_count_read(text, &out->count, why);
    case OPT_SHARE:
        return share_read(text, &out->share, why);
    case OPT_FRACTION:
        return fraction_read(text, &out->count, why);
    }
    return error_set(why, ERR_SYNTAX, "option %s has no type", o->name);
}

/* The number in V that bounds are about; 0 for types that have none. */
static uint64_t
value_amount(const struct option *o, const union value *v)
{
    switch (o->type) {
    case OPT_COUNT:
    case OPT_AUTO_COUNT:
        return v->count;
    case OPT_DURATION:
    case OPT_BYTES:
        return v->amount;
    case OPT_TEXT:
    case OPT_BOOL:
    case OPT_CHOICE:
    case OPT_SHARE:
    case OPT_FRACTION:
        break;
    }
    return 0;
}

/* A bound as written in the table; NONE when it has none. */
static uint64_t
bound_amount(const struct option *o, const char *bound, uint64_t none)
{
    union value v = { 0 };

    if (bound == NULL || value_read(o, bound, &v, NULL) != ERR_NONE)
        return none;
    return value_amount(o, &v);
}

static enum err
bounds_check(const struct option *o, const char *text, const union value *v, struct error *why)
{
    uint64_t amount = value_amount(o, v);
    const char *unit = o->type == OPT_DURATION ? o->unit : "";
    const char *or_auto = o->type == OPT_AUTO_COUNT ? ", or auto" : "";

    if (o->type == OPT_AUTO_COUNT && text_equal_nocase(text, "auto"))
        return ERR_NONE;
    if (amount >= bound_amount(o, o->least, 0) && amount <= bound_amount(o, o->most, UINT64_MAX))
        return ERR_NONE;
    if (o->least == NULL)
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is more than %s%s", text, o->most, unit);
    if (o->most == NULL)
        return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is out of range: at least %s%s%s", text, o->least,
                         unit, or_auto);
    return error_set(why, ERR_LIMIT, "`" SHOWN_VALUE "` is out of range: %s%s to %s%s%s", text, o->least,
                     unit, o->most, unit, or_auto);
}

enum err
option_parse(const struct option *o, const char *value, void *slot, struct error *why)
{
    union value v = { 0 };
    enum err e = value_read(o, value, &v, why);

    if (e == ERR_NONE)
        e = bounds_check(o, value, &v, why);
    if (e != ERR_NONE)
        return e;
    switch (o->type) {
    case OPT_TEXT: {
        char *copy = mem_text(value);

        free(*(char **)slot);
        *(char **)slot = copy;
        break;
    }
    case OPT_BOOL:
        *(bool *)slot = v.flag;
        break;
    case OPT_COUNT:
    case OPT_AUTO_COUNT:
    case OPT_FRACTION:
        *(unsigned *)slot = v.count;
        break;
    case OPT_DURATION:
    case OPT_BYTES:
        *(uint64_t *)slot = v.amount;
        break;
    case OPT_CHOICE:
        *(int *)slot = v.choice;
        break;
    case OPT_SHARE:
        *(struct option_share *)slot = v.share;
        break;
    }
    return ERR_NONE;
}

/* AMOUNT in the row's unit, as a decimal number without superfluous zeros. */
static void
duration_show(const struct option *o, uint64_t us, char *out, size_t size)
{
    uint64_t factor = duration_unit_us(o);
    char fraction[24];
    size_t len;

    if (us % factor == 0) {
        snprintf(out, size, "%" PRIu64, us / factor);
        return;
    }
    if (1000000 % factor == 0) { /* at most six digits tell it exactly */
        snprintf(fraction, sizeof(fraction), "%06" PRIu64, us % factor * (1000000 / factor));
        for (len = strlen(fraction); fraction[len - 1] == '0'; len--)
            fraction[len - 1] = '\0';
        snprintf(out, size, "%" PRIu64 ".%s", us / factor, fraction);
        return;
    }
    for (size_t i = COUNT_OF(duration_units) - 1;
         i-- > 0;) { /* minutes and more: the largest unit that divides it */
        if (us % duration_units[i].factor == 0) {
            snprintf(out, size, "%" PRIu64 "%s", us / duration_units[i].factor, duration_units[i].unit);
            return;
        }
    }
}

static void
bytes_show(uint64_t bytes, char *out, size_t size)
{
    size_t i = COUNT_OF(byte_units) - 2;

    while (i > 0 && (bytes == 0 || bytes % byte_units[i].factor != 0))
        i--;
    snprintf(out, size, "%" PRIu64 "%s", bytes / byte_units[i].factor, i == 0 ? "" : byte_units[i].unit);
}

static void
share_show(const struct option_share *share, char *out, size_t size)
{
    if (share->percent > 0)
        snprintf(out, size, "%u%%", share->percent);
    else
        snprintf(out, size, "%u", share->count);
}

static void
fraction_show(unsigned millionths, char *out, size_t size)
{
    int digits = 6;

    if (millionths % FRACTION_ONE == 0) {
        snprintf(out, size, "%u", millionths / FRACTION_ONE);
        return;
    }
    for (; millionths % 10 == 0; millionths /= 10)
        digits--;
    snprintf(out, size, "0.%0*u", digits, millionths);
}

void
option_show(const struct option *o, const void *slot, char *out, size_t size)
{
    switch (o->type) {
    case OPT_TEXT:
        snprintf(out, size, "%s", *(char *const *)slot);
        return;
    case OPT_BOOL:
        snprintf(out, size, "%d", *(const bool *)slot ? 1 : 0);
        return;
    case OPT_COUNT: {
        bool is_octal = o->unit != NULL && strcmp(o->unit, "octal") == 0;

        snprintf(out, size, is_octal ? "0%03o" : "%u", *(const unsigned *)slot);
        return;
    }
    case OPT_AUTO_COUNT:
        if (*(const unsigned *)slot == 0)
            snprintf(out, size, "auto");
        else
            snprintf(out, size, "%u", *(const unsigned *)slot);
        return;
    case OPT_DURATION:
        duration_show(o, *(const uint64_t *)slot, out, size);
        return;
    case OPT_BYTES:
        bytes_show(*(const uint64_t *)slot, out, size);
        return;
    case OPT_CHOICE:
        snprintf(out, size, "%s", o->choices[*(const int *)slot]);
        return;
    case OPT_SHARE:
        share_show(slot, out, size);
        return;
    case OPT_FRACTION:
        fraction_show(*(const unsigned *)slot, out, size);
        return;
    }
}

bool
option_equal(const struct option *o, const void *slot_a, const void *slot_b)
{
    switch (o->type) {
    case OPT_TEXT:
        return strcmp(*(char *const *)slot_a, *(char *const *)slot_b) == 0;
    case OPT_BOOL:
        return *(const bool *)slot_a == *(const bool *)slot_b;
    case OPT_COUNT:
    case OPT_AUTO_COUNT:
    case OPT_FRACTION:
        return *(const unsigned *)slot_a == *(const unsigned *)slot_b;
    case OPT_DURATION:
    case OPT_BYTES:
        return *(const uint64_t *)slot_a == *(const uint64_t *)slot_b;
    case OPT_CHOICE:
        return *(const int *)slot_a == *(const int *)slot_b;
    case OPT_SHARE: {
        const struct option_share *a = slot_a, *b = slot_b;

        return a->percent == b->percent && a->count == b->count;
    }
    }
    return false;
}
