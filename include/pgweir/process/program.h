/*
 * program.h - pgweir as a program: command line, daemon, log, pid file, privileges, listeners, worker
 * threads, signals, reload and the end.
 *
 *     SIGHUP        reads the configuration again; keeps the one in force when anything is wrong with the new one
 *     SIGTERM       no new clients; each session ends at its next transaction boundary; what is left after
 *                   shutdown_timeout is closed
 *                   shutdown_timeout is closed; with shutdown_mode clients it ends when its clients have left
 *     SIGINT        at transaction boundaries, without a time limit
 *     SIGQUIT       closes everything at once, as does SIGTERM or SIGINT while shutting down
 *     SIGUSR1       PAUSE: requests wait, servers are closed as they come back
 *     SIGUSR2       RESUME
 *
 * exit codes: 0 an end that was asked for, an immediate one too, so that no supervisor takes a stop for a
 * failure and starts us again (PgBouncer exits 1 there); 1 a problem with arguments, configuration or the
 * machine, told on stderr.
 */
#ifndef PGWEIR_PROCESS_PROGRAM_H
#define PGWEIR_PROCESS_PROGRAM_H

int program_main(int argc, char **argv);

#endif
