/*
 * sql.h - what the text of a query says about the session that will run it.
 *
 * Two ways in: sql_next() yields one token after the other, by PostgreSQL's lexical rules; sql_look() goes
 * over the whole text once and notes every statement and function call that may leave something behind in
 * the session. Both are linear in the length of the text, allocate nothing and go over hostile text alike:
 * where PostgreSQL would refuse the text, the answer is some answer.
 *
 * sql_look() suspects, it does not know: it errs towards a finding that is not there, and it sees text only,
 * never what a function, a trigger or a view does when it runs.
 *
 * standard_strings   is the setting standard_conforming_strings of the session, as ParameterStatus told it.
 *                    A SET of it within the text does not count: PostgreSQL too reads the whole text first.
 * encodings          bytes above 127 are letters. That is so in every encoding that a server may have, but not
 *                    in the client encodings BIG5, GBK, GB18030, JOHAB, SJIS, SHIFT_JIS_2004 and UHC: there,
 *                    only a text that sql_is_ascii() may be trusted to be what it seems.
 *
 * source PostgreSQL docs, sql-syntax-lexical; SQL Commands (sql-set, sql-createfunction, …).
 */
#ifndef PGWEIR_WIRE_SQL_H
#define PGWEIR_WIRE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/slice.h"

/* Tokens. */

enum sql_kind {
    SQL_END,
    SQL_WORD,        /* a key word or a name without quotes */
    SQL_QUOTED_NAME, /* "…" and U&"…" */
    SQL_STRING, /* '…', E'…', N'…', U&'…', B'…', X'…', with all parts of one continued over lines; $tag$…$tag$ */
    SQL_NUMBER, /* without a sign */
    SQL_PARAMETER,   /* $1 */
    SQL_PUNCTUATION, /* an operator, or one of , ( ) [ ] . .. : :: := and whatever has no place in SQL */
    SQL_SEMICOLON,   /* any ; whether it ends a statement is for the grammar to say, see sql_look() */
};

struct sql_token {
    enum sql_kind kind;
    struct slice text; /* into the scanned text; empty at SQL_END */
};

struct sql_scan {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *signs_end; /* up to here, + and - are operators of one byte */
    bool standard_strings;
    bool is_unterminated; /* a string, a quoted name or a comment ran into the end of the text */
};

/* SQL must outlive S and the tokens. */
void sql_scan_init(struct sql_scan *s, struct slice sql, bool standard_strings);

/* Skips blanks and comments and reads one token; once SQL_END, always SQL_END. A NUL counts as a blank. */
enum sql_kind sql_next(struct sql_scan *s, struct sql_token *out);

/* Whether T is the key word WORD, which is given in lower case; never true of a quoted name. */
bool sql_token_is(const struct sql_token *t, const char *word);

#define SQL_NAME_MOST 63u /* NAMEDATALEN - 1 */

/*
 * Writes the name that T (a word or a quoted name) stands for, with a NUL behind it: ASCII letters of a word
 * in lower case, "" undone, and cut to SQL_NAME_MOST bytes (whole UTF-8 characters) as PostgreSQL cuts.
 * return false, OUT untouched, when T is no name, has no end, is U&"…", or SIZE does not suffice.
 */
MUST_CHECK bool sql_name_read(const struct sql_token *t, char *out, size_t size);

/*
 * Writes the value of the string T with a NUL behind it. Escapes above ASCII come out as UTF-8.
 * return false, OUT perhaps half-written, when T is no string, has no end, is B'…', X'…' or U&'…', holds an
 *        escape that PostgreSQL refuses or that its versions read differently, or when SIZE does not suffice.
 */
MUST_CHECK bool sql_string_read(const struct sql_token *t, bool standard_strings, char *out, size_t size);

/* n of $n; 0 when T is no parameter or n does not fit a Bind message. */
uint16_t sql_parameter_read(const struct sql_token *t);

bool sql_is_ascii(struct slice sql);

/*
 * What texts have in common that differ in their constants, comments, case and spacing: a hash of the text with
 * ? for each constant and each list of constants. Never 0.
 * out    gets that text with a NUL behind it, cut to SIZE; SIZE may be 0.
 */
uint64_t sql_fingerprint(struct slice sql, bool standard_strings, char *out, size_t size);

/* What could be the name of a setting of an extension or an application ("app.tenant_id"), wherever it stands in
 * SQL, within strings too: between quotes, or behind SET. Moves *SQL behind it. False: there is none any more. */
bool sql_next_dotted_name(struct slice *sql, char *out, size_t size);

/* Findings. */

/* clang-format off */
enum sql_flag {
    SQL_SETS            = 1 << 0,  /* SET of a setting, TIME ZONE, NAMES, ROLE, SESSION AUTHORIZATION, …; not SET LOCAL,
                                    * SET TRANSACTION, SET CONSTRAINTS */
    SQL_RESETS          = 1 << 1,  /* RESET */
    SQL_RESETS_ALL      = 1 << 2,  /* RESET ALL (SQL_RESETS is set too, and so on below) */
    SQL_SET_CONFIG      = 1 << 3,  /* a call of set_config() that may outlive the transaction */
    SQL_SET_CONFIG_LOCAL = 1 << 4, /* a call of set_config() whose third argument is a literal true */
    SQL_DISCARDS        = 1 << 5,  /* DISCARD */
    SQL_DISCARDS_ALL    = 1 << 6,  /* DISCARD ALL */
    SQL_LISTEN          = 1 << 7,
    SQL_UNLISTEN        = 1 << 8,
    SQL_PREPARE         = 1 << 9,  /* what the prepared statement will do is found here, not at its EXECUTE */
    SQL_EXECUTE         = 1 << 10, /* EXPLAIN EXECUTE and CREATE TABLE AS EXECUTE too */
    SQL_DEALLOCATE      = 1 << 11,
    SQL_DEALLOCATE_ALL  = 1 << 12, /* DEALLOCATE ALL */
    SQL_HOLD_CURSOR     = 1 << 13, /* DECLARE … CURSOR WITH HOLD */
    SQL_CLOSE_CURSOR    = 1 << 14, /* CLOSE, of one or of ALL */
    SQL_TEMP            = 1 << 15, /* CREATE TEMP …, SELECT INTO TEMP, CREATE … pg_temp.x; not ON COMMIT DROP */
    SQL_ADVISORY_LOCK   = 1 << 16, /* pg_advisory_lock(), pg_try_advisory_lock_shared(), …; not the _xact_ ones */
    SQL_ADVISORY_UNLOCK = 1 << 17, /* pg_advisory_unlock(), _shared, _all */
    SQL_LOAD            = 1 << 18, /* LOAD */
    SQL_OPAQUE          = 1 << 19, /* it may do anything: DO, CALL, set_config() of a computed name, UPDATE pg_settings,
                                    * U&"…", more settings or stranger names than the list of settings holds */
    SQL_CURRVAL         = 1 << 20, /* currval(), lastval() */
    SQL_NEXTVAL         = 1 << 21, /* nextval(), setval(); an INSERT into a serial column has no sign of it */
    SQL_SETSEED         = 1 << 22, /* setseed(), SET seed */
    SQL_DDL             = 1 << 23, /* may change what a statement prepared earlier returns: CREATE, ALTER, DROP of tables,
                                    * views, types, functions, schemas, …, SELECT INTO, IMPORT FOREIGN SCHEMA; not of
                                    * indexes, sequences, roles, triggers, …; not TRUNCATE, not CREATE TEMP */
    SQL_BEGIN           = 1 << 24, /* BEGIN, START TRANSACTION, … AND CHAIN */
    SQL_COMMIT          = 1 << 25, /* COMMIT, END, PREPARE TRANSACTION */
    SQL_ROLLBACK        = 1 << 26, /* ROLLBACK, ABORT; not ROLLBACK TO */
    SQL_COPY            = 1 << 27,
    SQL_PATH            = 1 << 28, /* sets search_path, for the session or for the transaction: SET LOCAL, set_config() */
    SQL_COMPUTED        = 1 << 29, /* SQL_SET_CONFIG of a name that is neither a literal nor a parameter; in the body of DO
                                    * too. No view shows what it has set when that is a setting of an application */
};
/* clang-format on */

#define SQL_SETTINGS_MOST 16u
#define SQL_SETTING_NAME_MOST 127u
#define SQL_NAMED_MOST 16u

enum sql_how { SQL_BY_SET, SQL_BY_RESET /* and SET … TO DEFAULT */, SQL_BY_SET_CONFIG };

/* A setting that the session may keep another value of. What is local to the transaction is not listed. */
struct sql_setting {
    enum sql_how how;
    uint16_t name_parameter;  /* set_config($n, …): n, and name is empty; else 0 */
    uint16_t local_parameter; /* set_config(…, …, $n): n, whose value says whether it is local; else 0 */
    char name[SQL_SETTING_NAME_MOST + 1]; /* ASCII letters in lower case: "timezone", "app.tenant_id" */
};

enum sql_verb { SQL_BY_PREPARE, SQL_BY_EXECUTE, SQL_BY_DEALLOCATE };

/* A prepared statement that the text names. */
struct sql_named {
    enum sql_verb verb;
    size_t at; /* where in the text the name's token stands, quotes included, so that it can be replaced */
    size_t len;
    char name[SQL_NAME_MOST + 1]; /* as sql_name_read(): cut, as PostgreSQL cuts names in Parse too */
};

struct sql_findings {
    uint32_t flags;      /* of enum sql_flag, over all statements */
    uint32_t statements; /* how many; one without a token is none */
    bool is_unterminated;
    bool settings_are_partial; /* a setting is not listed; SQL_OPAQUE is set then */
    bool named_are_partial;    /* a statement's name is not listed: no room, or U&"…" */
    uint8_t setting_count;
    uint8_t named_count;
    /* With SQL_PATH: what search_path is set to last, as it stands in the text; or $n, then PATH is empty. */
    uint16_t path_parameter;
    struct slice path;
    struct sql_setting settings[SQL_SETTINGS_MOST]; /* in the order of the text; a name may come twice */
    struct sql_named named[SQL_NAMED_MOST];         /* in the order of the text */
};

/*
 * Finds out about all statements in SQL. A semicolon in parentheses (CREATE RULE) or within BEGIN ATOMIC … END
 * ends no statement; strings are not looked into, those of DO (SQL_OPAQUE) and CREATE FUNCTION included, but for
 * SQL_COMPUTED in $tag$…$tag$ of DO.
 * out    entries of the lists beyond their counts are left as they were.
 */
void sql_look(struct slice sql, bool standard_strings, struct sql_findings *out);

/*
 * Whether SQL is one of the many texts of which can be told at a glance that sql_look() would find nothing: no
 * flag is set, whatever standard_strings says, no list has an entry, and there is one statement at most. False: it
 * must be asked.
 */
bool sql_is_harmless(struct slice sql);

#endif
