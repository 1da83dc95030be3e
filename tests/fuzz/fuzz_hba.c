/* fuzz_hba.c - files like pg_hba.conf and pg_ident.conf, and questions to them. */
#include <assert.h>
#include <string.h>

#include "config/hba_impl.h"
#include "config/ident_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice input;

static enum err
read_input(const char *path, struct buf *out, struct file_facts *facts, struct error *why)
{
    *facts = (struct file_facts){ .mode = 0600 };
    if (strcmp(path, "file") != 0)
        return error_set(why, ERR_NOT_FOUND, "cannot open `%.200s`", path);
    buf_add(out, input);
    return ERR_NONE;
}

static void
ask_hba(const struct hba *hba)
{
    static const uint8_t lens[] = { 0, 4, 16 };

    static const char *const hosts[] = { NULL, "", "db.example.com" };

    for (unsigned i = 0; i < 36; i++) {
        struct hba_question q = { .database = "app",
                                  .user = i % 2 == 0 ? "app" : "u",
                                  .from = { .at = { 127, 0, 0, 1 }, .len = lens[i % 3] },
                                  .host = hosts[i / 12],
                                  .is_tls = i % 4 < 2,
                                  .is_replication = i % 12 > 8 };
        const struct hba_rule *rule;
        enum hba_answer answer = hba_find(hba, &q, &rule);

        assert((answer == HBA_FOUND) == (rule != NULL));
        assert(answer != HBA_NEEDS_HOST || (q.host == NULL && q.from.len > 0));
        assert(rule == NULL || strcmp(rule->file, "file") == 0);
        assert(rule == NULL || rule->method != HBA_PEER || q.from.len == 0);
        assert(rule == NULL || !rule->wants_certificate || (q.is_tls && q.from.len > 0));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct place place = { "main", 1 };
    struct problems problems, warnings;
    struct ident *ident;
    struct hba *hba;

    /* The C library takes gigabytes for some patterns; what it does with them is not ours to find. */
    if (size > 0 && memchr(data, '/', size) != NULL &&
        (memchr(data, '{', size) != NULL || memchr(data, '(', size) != NULL))
        return 0;
    input = slice_of(data, size);
    problems_init(&problems, NULL);
    problems_init(&warnings, NULL);
    hba = hba_read("file", place, read_input, &problems, &warnings);
    ask_hba(hba);
    hba_free(hba);
    ident = ident_read("file", place, read_input, &problems);
    (void)ident_allows(ident, "ops", "joe", "app");
    ident_free(ident);
    return 0;
}
