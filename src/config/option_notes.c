/*
 * option_notes.c - what to say of options that do less in pgweir than in PgBouncer. The log says it once when
 * a file sets one, and the reference page says it too. Whoever gives an option its effect deletes its row.
 */
#include <string.h>

#include "option_impl.h"
#include "pgweir/base/text.h"

static const struct {
    const char *name;
    const char *note; /* behind the name */
} notes[] = {
    /* for good */
    { "auth_ldap_options", "has no effect: there is no login by LDAP" },
    { "dns_zone_check_period", "has no effect: host names are looked up again after `dns_max_ttl`" },
    { "job_name", "has no effect: it names a service on Windows" },
    { "pkt_buf", "has no effect: connections share one large buffer" },
    { "sbuf_loopcnt", "has no effect: connections take turns by themselves" },
    { "track_extra_parameters",
      "only tells `ignore_startup_parameters` what to leave alone: all settings follow" },
};

const char *
option_note(const struct option *o)
{
    for (size_t i = 0; i < COUNT_OF(notes); i++)
        if (strcmp(notes[i].name, o->name) == 0)
            return notes[i].note;
    return NULL;
}
