#include "ledger_letters.h"

const uint8_t owed_kinds[256] = {
    ['P'] = OWED_PARSE, ['B'] = OWED_BIND,  ['D'] = OWED_DESCRIBE, ['E'] = OWED_EXECUTE,  ['C'] = OWED_CLOSE,
    ['S'] = OWED_SYNC,  ['Q'] = OWED_QUERY, ['F'] = OWED_FUNCTION, ['c'] = OWED_COPY_END,
};

enum ledger_verdict
settle(struct ledger *l, char type)
{
    enum back_kind kind = back_kind_of((uint8_t)type);
    struct owed owed;
    bool failed;
    enum ledger_verdict verdict = ledger_settle(l, kind, &owed);

    while (kind == BACK_ERROR && ledger_take_skipped(l, &owed, &failed))
        ;
    return verdict;
}
