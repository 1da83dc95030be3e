/*
 * cancel_impl.h - cancel requests, inwards and outwards.
 *
 * A key names the worker that has the client, so a request that arrived anywhere travels there by letter as a
 * job, becomes a courier (a connection to the server that carries the CancelRequest) if that client has a
 * query running, and travels back so that the requester is closed only when the server has acted. While
 * couriers are under way the server is not handed to another client.
 *
 * source PostgreSQL docs, protocol-flow "Canceling Requests in Progress".
 */
#ifndef PGWEIR_SESSION_CANCEL_IMPL_H
#define PGWEIR_SESSION_CANCEL_IMPL_H

#include "client_impl.h"
#include "server_impl.h"

struct cancel_job;

/* A fresh random key for a client that enters, put into its worker's map. */
void cancel_key_make(struct client *c);
void cancel_key_forget(struct client *c);
struct client *client_of_pid(const struct worker *w, uint32_t pid); /* NULL: none of W has this key */
/* Cancel requests of clients on their way to S. */
unsigned cancel_count(const struct server *s);

/* REQUESTER sent a CancelRequest; it is ended when the request was handled or turned out to be nobody's. */
void cancel_request(struct client *requester, uint32_t pid, struct slice secret);
void cancel_requester_gone(struct client *requester);

/* Sends the server's own cancel key to it over a connection of its own. JOB (may be NULL) goes home when that
 * is done. */
void cancel_dispatch(struct server *s, struct cancel_job *job);
/* S is being freed: its couriers go on without it. */
void cancel_server_gone(struct server *s);

#endif
