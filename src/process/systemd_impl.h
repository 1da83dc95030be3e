/*
 * systemd_impl.h - what a service manager that started us wants to hear, and the sockets that it may have
 * opened for us. Its protocol is a line or two in a datagram (sd_notify(3)) and two environment variables
 * (sd_listen_fds(3)); without it nothing of this does anything.
 */
#ifndef PGWEIR_PROCESS_SYSTEMD_IMPL_H
#define PGWEIR_PROCESS_SYSTEMD_IMPL_H

#include <stdint.h>

#include "pgweir/base/err.h"

#define SYSTEMD_FIRST_FD 3

/* Remembers what the environment says and takes it out, so that commands that we run are not mistaken for us.
 * Before there are threads. */
void systemd_init(void);
/* How many listening sockets were handed over, SYSTEMD_FIRST_FD and those behind it. They are for the process
 * that was started: 0 in a daemon that it has forked. */
unsigned systemd_listen_fds(void);

/* Each with a word on what we do, for `systemctl status`. */
void systemd_tell_ready(const char *status);
void systemd_tell_reloading(uint64_t monotonic_us);
void systemd_tell_stopping(const char *status);

#endif
