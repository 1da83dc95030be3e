#include "tls_bench.h"

#include <CUnit/CUnit.h>

struct tls_params
accept_params(void)
{
    return (struct tls_params){ .cert_file = cert_server()->cert_file, .key_file = cert_server()->key_file };
}

struct tls_params
connect_params(void)
{
    return (struct tls_params){ .ca_file = cert_ca()->cert_file, .verify = TLS_VERIFY_FULL };
}

struct tls_context *
accept_context(struct tls_params p)
{
    struct tls_context *c = NULL;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(tls_context_new_accept(&p, &c, &why), ERR_NONE);
    return c;
}

struct tls_context *
connect_context(struct tls_params p)
{
    struct tls_context *c = NULL;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(tls_context_new_connect(&p, &c, &why), ERR_NONE);
    return c;
}

void
tls_bench_init_with(struct tls_bench *f, struct tls_params connecting, struct tls_params accepting)
{
    bench_init_unix(&f->bench);
    f->client = &f->bench.a;
    f->server = &f->bench.b;
    f->connecting = connect_context(connecting);
    f->accepting = accept_context(accepting);
}

void
shake_hands(struct tls_bench *f, const char *server_name)
{
    stream_start_tls_accept(&f->server->stream, f->accepting, slice_of(NULL, 0));
    stream_start_tls_connect(&f->client->stream, f->connecting, server_name, "10.0.0.1:5432");
    settle(f->bench.loop);
}

void
tls_bench_init(struct tls_bench *f)
{
    tls_bench_init_with(f, connect_params(), accept_params());
    shake_hands(f, "db.test");
    CU_ASSERT_EQUAL_FATAL(f->client->tls_calls, 1);
    CU_ASSERT_EQUAL_FATAL(f->server->tls_calls, 1);
}

void
tls_bench_fini(struct tls_bench *f)
{
    bench_fini(&f->bench);
    tls_context_drop(f->connecting);
    tls_context_drop(f->accepting);
}

void
send_text(struct peer *from, const char *text)
{
    stream_send(&from->stream, slice_of_text(text));
}

void
talk(struct tls_bench *f)
{
    size_t had_client = buf_len(&f->client->got), had_server = buf_len(&f->server->got);

    send_text(f->client, "question");
    settle(f->bench.loop);
    send_text(f->server, "answer");
    settle(f->bench.loop);
    CU_ASSERT_EQUAL(buf_len(&f->server->got), had_server + strlen("question"));
    CU_ASSERT_EQUAL(buf_len(&f->client->got), had_client + strlen("answer"));
}
