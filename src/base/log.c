/*
 * log.c - lines to stderr, to a file and to syslog.
 *
 *     No lock on the way of a line. The file has one descriptor number for the life of the process:
 *     log_open() opens the new file aside and lays it over that number with dup3(), so that a writer
 *     in another thread meets the old file or the new one, never a number that now is a client's socket.
 *     While there is no file, the number leads to /dev/null.
 */
#include "pgweir/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MOST 4096
#define CUT_MARK "…"
#define CUT_MARK_BYTES (sizeof(CUT_MARK) - 1)

static const char *const level_words[] = {
    [LOG_FATAL_LEVEL] = "FATAL", [LOG_ERROR_LEVEL] = "ERROR", [LOG_WARNING_LEVEL] = "WARNING",
    [LOG_NOTICE_LEVEL] = "LOG",  [LOG_INFO_LEVEL] = "LOG",    [LOG_DEBUG_LEVEL] = "DEBUG",
};

static const int priorities[] = {
    /* as PgBouncer's */
    [LOG_FATAL_LEVEL] = LOG_CRIT,  [LOG_ERROR_LEVEL] = LOG_ERR, [LOG_WARNING_LEVEL] = LOG_WARNING,
    [LOG_NOTICE_LEVEL] = LOG_INFO, [LOG_INFO_LEVEL] = LOG_INFO, [LOG_DEBUG_LEVEL] = LOG_DEBUG,
};

static const int facilities[] = {
    [FACILITY_AUTH] = LOG_AUTH,         [FACILITY_AUTHPRIV] = LOG_AUTHPRIV,
    [FACILITY_DAEMON] = LOG_DAEMON,     [FACILITY_USER] = LOG_USER,
    [FACILITY_LOCAL0] = LOG_LOCAL0,     [FACILITY_LOCAL0 + 1] = LOG_LOCAL1,
    [FACILITY_LOCAL0 + 2] = LOG_LOCAL2, [FACILITY_LOCAL0 + 3] = LOG_LOCAL3,
    [FACILITY_LOCAL0 + 4] = LOG_LOCAL4, [FACILITY_LOCAL0 + 5] = LOG_LOCAL5,
    [FACILITY_LOCAL0 + 6] = LOG_LOCAL6, [FACILITY_LOCAL7] = LOG_LOCAL7,
};

#define IDENT_BYTES 64

static struct {
    atomic_int most;      /* enum log_level */
    atomic_bool is_quiet; /* nothing to stderr */
    atomic_bool has_file; /* file_fd leads to a file, not to /dev/null */
    atomic_int file_fd;   /* -1 until the first file, then never changes */
    atomic_bool has_syslog;
    pthread_mutex_t _open; /* one log_open(), log_close() or log_to_syslog() at a time */
    /* syslog(3) keeps a pointer, under a lock of its own: it gets the other one of these two. */
    char idents[2][IDENT_BYTES];
    unsigned ident; /* the one in use */
} log_state = {
    .most = LOG_NOTICE_LEVEL,
    .file_fd = -1,
    ._open = PTHREAD_MUTEX_INITIALIZER,
};

/* Lets log_state.file_fd lead to what PATH names. */
static enum err
log_lead_to_locked(const char *path, struct error *why)
{
    int slot = atomic_load(&log_state.file_fd);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

    if (fd < 0)
        return error_set_errno(why, errno, "cannot open log file \"%s\"", path);
    if (slot < 0) {
        atomic_store(&log_state.file_fd, fd);
        return ERR_NONE;
    }
    if (dup3(fd, slot, O_CLOEXEC) < 0) {
        int errnum = errno;

        close(fd);
        return error_set_errno(why, errnum, "cannot switch to log file \"%s\"", path);
    }
    close(fd);
    return ERR_NONE;
}

static enum err
log_open_locked(const char *file, bool quiet, enum log_level most, struct error *why)
{
    bool wants_file = file != NULL && file[0] != '\0';
    enum err e = ERR_NONE;

    if (wants_file || atomic_load(&log_state.has_file))
        e = log_lead_to_locked(wants_file ? file : "/dev/null", why);
    if (e != ERR_NONE)
        return e;
    atomic_store(&log_state.has_file, wants_file);
    atomic_store(&log_state.is_quiet, quiet);
    atomic_store(&log_state.most, (int)most);
    return ERR_NONE;
}

enum err
log_open(const char *file, bool quiet, enum log_level most, struct error *why)
{
    enum err e;

    pthread_mutex_lock(&log_state._open);
    e = log_open_locked(file, quiet, most, why);
    pthread_mutex_unlock(&log_state._open);
    return e;
}

void
log_close(void)
{
    /* Should /dev/null not open, the file stays: there is nobody left to be told. */
    enum err e = log_open(NULL, false, LOG_NOTICE_LEVEL, NULL);

    (void)e;
}

void
log_to_syslog(const char *ident, enum log_facility facility)
{
    pthread_mutex_lock(&log_state._open);
    if (ident != NULL) {
        log_state.ident ^= 1;
        snprintf(log_state.idents[log_state.ident], IDENT_BYTES, "%s", ident);
        openlog(log_state.idents[log_state.ident], LOG_PID | LOG_NDELAY, facilities[facility]);
    } else if (atomic_load(&log_state.has_syslog)) {
        closelog();
    }
    atomic_store(&log_state.has_syslog, ident != NULL);
    pthread_mutex_unlock(&log_state._open);
}

bool
log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_state.most, memory_order_relaxed);
}

/* A line under construction; room for the cut mark and the newline is always kept. */
struct line {
    char text[LINE_BYTES_MOST];
    size_t len;
    size_t head; /* bytes of date, time, process and level, which syslog adds itself */
};

static void
line_begin(struct line *line, enum log_level level)
{
    struct timespec now;
    struct tm tm;
    int len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    /* cppcheck-suppress ctuuninitvar ; it is written to here, not read */
    len = snprintf(line->text, sizeof(line->text), "%04d-%02d-%02d %02d:%02d:%02d.%03ld UTC [%ld] %s ",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   now.tv_nsec / 1000000, (long)getpid(), level_words[level]);
    line->len = len < 0 ? 0 : (size_t)len;
    line->head = line->len;
}

static bool
line_try_add(struct line *line, const char *text, size_t len)
{
    if (line->len + len + CUT_MARK_BYTES + 1 > sizeof(line->text))
        return false;
    memcpy(line->text + line->len, text, len);
    line->len += len;
    return true;
}

static void
line_end(struct line *line, bool is_cut)
{
    if (is_cut) {
        memcpy(line->text + line->len, CUT_MARK, CUT_MARK_BYTES);
        line->len += CUT_MARK_BYTES;
    }
    line->text[line->len++] = '\n';
}

static bool
is_byte_in(char c, unsigned char least, unsigned char most)
{
    return (unsigned char)c >= least && (unsigned char)c <= most;
}

/* U+2028 and U+2029: to many a log viewer they end a line. */
static bool
is_line_separator(const char *text)
{
    return memcmp(text, "\xE2\x80\xA8", 3) == 0 || memcmp(text, "\xE2\x80\xA9", 3) == 0;
}

/* Bytes of the character at TEXT that may stand in a line as they are; 0 when its first byte must be
 * escaped: a control character (those of C1, which terminals obey, too), a line separator, or not
 * UTF-8 (RFC 3629, section 4: neither overlong nor a surrogate). */
static size_t
plain_bytes(const char *text)
{
    unsigned char c = (unsigned char)text[0];
    bool is_plain;

    if (c < 0x80)
        return c >= 0x20 && c != 0x7F ? 1 : 0;
    if (c < 0xE0) {
        is_plain = c >= 0xC2 && is_byte_in(text[1], c == 0xC2 ? 0xA0 : 0x80, 0xBF);
        return is_plain ? 2 : 0;
    }
    if (c < 0xF0) {
        is_plain = is_byte_in(text[1], c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF) &&
                   is_byte_in(text[2], 0x80, 0xBF) && !is_line_separator(text);
        return is_plain ? 3 : 0;
    }
    is_plain = c <= 0xF4 && is_byte_in(text[1], c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF) &&
               is_byte_in(text[2], 0x80, 0xBF) && is_byte_in(text[3], 0x80, 0xBF);
    return is_plain ? 4 : 0;
}

static size_t
escape_byte(char c, char out[5])
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "\aa\bb\tt\nn\vv\ff\rr";
    const char *name = memchr(named, c, sizeof(named) - 1);

    out[0] = '\\';
    if (name != NULL && (unsigned char)c < 0x20) {
        out[1] = name[1];
        return 2;
    }
    out[1] = 'x';
    out[2] = digits[(unsigned char)c >> 4];
    out[3] = digits[(unsigned char)c & 15];
    return 4;
}

/* Adds TEXT, escaped, as far as there is room; false when it had to be cut. */
static bool
line_add_escaped(struct line *line, const char *text)
{
    while (*text != '\0') {
        size_t plain = plain_bytes(text);

        if (plain > 0) {
            if (!line_try_add(line, text, plain))
                return false;
            text += plain;
        } else {
            char escaped[5];
            size_t len = escape_byte(*text, escaped);

            if (!line_try_add(line, escaped, len))
                return false;
            text++;
        }
    }
    return true;
}

static void
write_once(int fd, const struct line *line)
{
    ssize_t wrote;

    do
        wrote = write(fd, line->text, line->len);
    while (wrote < 0 && errno == EINTR);
    /* A full disk or a closed pipe is no reason to stop serving, and there is nowhere to complain. */
}

void
log_line(enum log_level level, const char *format, ...)
{
    /* As large as a line: whatever vsnprintf() cuts, the line could not have held either. */
    char text[LINE_BYTES_MOST];
    struct line line;
    int errnum = errno;
    va_list args;

    if (!log_wants(level))
        return;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        snprintf(text, sizeof(text), "%s", format);
    va_end(args);
    line_begin(&line, level);
    line_end(&line, !line_add_escaped(&line, text));
    if (!atomic_load_explicit(&log_state.is_quiet, memory_order_relaxed))
        write_once(STDERR_FILENO, &line);
    if (atomic_load_explicit(&log_state.has_file, memory_order_acquire))
        write_once(atomic_load_explicit(&log_state.file_fd, memory_order_relaxed), &line);
    if (atomic_load_explicit(&log_state.has_syslog, memory_order_relaxed))
        syslog(priorities[level], "%.*s", (int)(line.len - line.head - 1), line.text + line.head);
    errno = errnum;
}
