/* outbox.c - see outbox_impl.h. */
#include "outbox_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/mem.h"
#include "stream_impl.h"

void
outbox_init(struct outbox *out)
{
    out->count = 0;
    out->used = 0;
    out->bytes = mem_new(OUTBOX_MOST_BYTES);
}

void
outbox_fini(struct outbox *out)
{
    if (out->bytes != NULL)
        mem_wipe(out->bytes, OUTBOX_MOST_BYTES);
    free(out->bytes);
    out->bytes = NULL;
}

bool
outbox_try_add(struct outbox *out, struct stream *s, const struct iovec *iov, int count, size_t bytes)
{
    struct outgoing *o;

    assert(s->backlog == NULL);
    if (bytes > OUTBOX_SMALL_BYTES)
        return false;
    if (UNLIKELY(out->count == OUTBOX_MOST || bytes > OUTBOX_MOST_BYTES - out->used))
        outbox_flush(out);
    if (out->count == 0 || out->entries[out->count - 1].stream != s)
        out->entries[out->count++] = (struct outgoing){ .stream = s, .at = out->used };
    o = &out->entries[out->count - 1];
    for (int i = 0; i < count; i++) {
        memcpy(out->bytes + out->used, iov[i].iov_base, iov[i].iov_len);
        out->used += (uint32_t)iov[i].iov_len;
    }
    o->len += (uint32_t)bytes;
    s->is_queued = true;
    return true;
}

static void
send_entry(const struct outbox *out, struct outgoing *o)
{
    struct stream *s = o->stream;
    struct iovec iov = { out->bytes + o->at, o->len };

    o->stream = NULL;
    if (s != NULL && !s->is_broken)
        stream_send_now(s, &iov, 1);
}

void
outbox_flush(struct outbox *out)
{
    for (unsigned i = 0; i < out->count; i++)
        if (out->entries[i].stream != NULL)
            out->entries[i].stream->is_queued = false;
    for (unsigned i = 0; i < out->count; i++)
        send_entry(out, &out->entries[i]);
    out->count = 0;
    out->used = 0;
}

void
outbox_flush_stream(struct outbox *out, struct stream *s)
{
    s->is_queued = false;
    for (unsigned i = 0; i < out->count; i++)
        if (out->entries[i].stream == s)
            send_entry(out, &out->entries[i]);
}
