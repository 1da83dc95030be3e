/*
 * rules.c - the tables of message types. A type that has no row is 0: …_UNKNOWN, header only.
 *
 * source PostgreSQL docs, protocol-message-formats.
 */
#include "pgweir/wire/rules.h"

/* clang-format off */
const uint8_t front_kinds[256] = {
    ['Q'] = FRONT_QUERY,
    ['F'] = FRONT_FUNCTION,
    ['P'] = FRONT_PARSE,
    ['B'] = FRONT_BIND,
    ['D'] = FRONT_DESCRIBE,
    ['E'] = FRONT_EXECUTE,
    ['C'] = FRONT_CLOSE,
    ['S'] = FRONT_SYNC,
    ['H'] = FRONT_FLUSH,
    ['d'] = FRONT_COPY_DATA,
    ['c'] = FRONT_COPY_END,
    ['f'] = FRONT_COPY_END,
    ['p'] = FRONT_PASSWORD,
    ['X'] = FRONT_TERMINATE,
};

const uint8_t back_kinds[256] = {
    ['1'] = BACK_PARSE_COMPLETE,
    ['2'] = BACK_BIND_COMPLETE,
    ['3'] = BACK_CLOSE_COMPLETE,
    ['t'] = BACK_PARAMETERS,
    ['T'] = BACK_ROW_SHAPE,
    ['n'] = BACK_ROW_SHAPE,
    ['D'] = BACK_DATA,
    ['V'] = BACK_DATA,
    ['d'] = BACK_DATA,
    ['c'] = BACK_DATA,
    ['C'] = BACK_COMMAND_DONE,
    ['I'] = BACK_COMMAND_DONE,
    ['s'] = BACK_COMMAND_DONE,
    ['G'] = BACK_COPY_IN,
    ['H'] = BACK_COPY_OUT,
    ['W'] = BACK_COPY_BOTH,
    ['Z'] = BACK_READY,
    ['E'] = BACK_ERROR,
    ['N'] = BACK_NOTICE,
    ['S'] = BACK_PARAMETER,
    ['A'] = BACK_NOTIFICATION,
    ['R'] = BACK_AUTH,
    ['K'] = BACK_KEY,
    ['v'] = BACK_NEGOTIATE,
};
/* clang-format on */

#define WHOLE_4 SCAN_WHOLE, SCAN_WHOLE, SCAN_WHOLE, SCAN_WHOLE
#define WHOLE_16 WHOLE_4, WHOLE_4, WHOLE_4, WHOLE_4
#define WHOLE_64 WHOLE_16, WHOLE_16, WHOLE_16, WHOLE_16
#define WHOLE_256 WHOLE_64, WHOLE_64, WHOLE_64, WHOLE_64

const struct scan_rules front_relay_rules = { .need = { 0 } };

const struct scan_rules front_login_rules = { .need = { WHOLE_256 } };

const struct scan_rules back_relay_rules = {
    .need = {
        ['Z'] = SCAN_WHOLE,
        ['E'] = SCAN_WHOLE,
        ['S'] = SCAN_WHOLE,
        ['C'] = SCAN_WHOLE,
        ['t'] = SCAN_WHOLE,
        ['T'] = SCAN_WHOLE,
    },
};

const struct scan_rules back_login_rules = { .need = { WHOLE_256 } };
