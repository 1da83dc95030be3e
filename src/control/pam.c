/*
 * pam.c - asks PAM: authenticate, then whether the account may be used. The password has been asked for
 * already; the conversation hands it to whichever module wants it, and answers nothing else.
 */
#include "pam_impl.h"

#include <errno.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"

#define PASSWD_BYTES 16384u

/* --- PAM --- */

/* PAM frees what it is given, so everything here is malloc()'s own. */
static void
forget_answers(struct pam_response *answers, int count)
{
    for (int i = 0; i < count; i++)
        mem_free_secret(answers[i].resp);
    free(answers);
}

static int
converse(int count, const struct pam_message **messages, struct pam_response **out, void *arg)
{
    const struct secret_ask *ask = arg;
    struct pam_response *answers;

    if (count <= 0 || count > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    answers = calloc((size_t)count, sizeof(*answers));
    if (answers == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        switch (messages[i]->msg_style) {
        case PAM_PROMPT_ECHO_OFF:
            answers[i].resp = mem_text(ask->password);
            break;
        case PAM_ERROR_MSG:
            log_line(LOG_NOTICE_LEVEL, "PAM says to user \"%.63s\": %.200s", ask->user, messages[i]->msg);
            break;
        case PAM_TEXT_INFO:
            break;
        default: /* there is nobody whom it could ask */
            forget_answers(answers, i);
            return PAM_CONV_ERR;
        }
    }
    *out = answers;
    return PAM_SUCCESS;
}

/* A module that asks for a pause after a wrong password would have all others wait too. */
static void
no_pause(int outcome, unsigned pause_us, void *arg)
{
    (void)outcome;
    (void)pause_us;
    (void)arg;
}

static int
start(struct secret_ask *ask, const struct pam_conv *conversation, pam_handle_t **out)
{
    if (ask->directory[0] != '\0')
        return pam_start_confdir(ask->service, ask->user, conversation, ask->directory, out);
    return pam_start(ask->service, ask->user, conversation, out);
}

static int
check(struct secret_ask *ask, pam_handle_t *pam)
{
    union { /* PAM takes functions as what they are not */
        void (*function)(int, unsigned, void *);
        const void *item;
    } pause = { .function = no_pause };
    int result = pam_set_item(pam, PAM_FAIL_DELAY, pause.item);

    if (result == PAM_SUCCESS && ask->from[0] != '\0')
        result = pam_set_item(pam, PAM_RHOST, ask->from);
    if (result == PAM_SUCCESS)
        result = pam_authenticate(pam, PAM_SILENT);
    if (result == PAM_SUCCESS)
        result = pam_acct_mgmt(pam, PAM_SILENT);
    return result;
}

void
pam_answer(struct secret_ask *ask)
{
    const struct pam_conv conversation = { .conv = converse, .appdata_ptr = ask };
    pam_handle_t *pam = NULL;
    int result = start(ask, &conversation, &pam);

    if (result == PAM_SUCCESS)
        result = check(ask, pam);
    ask->outcome = result == PAM_SUCCESS ? SECRET_GIVEN : SECRET_UNKNOWN;
    if (result != PAM_SUCCESS)
        snprintf(ask->reason, sizeof(ask->reason), "%s", pam_strerror(pam, result));
    if (pam != NULL)
        pam_end(pam, result);
}

/* --- names of the system --- */

void
system_answer(struct secret_ask *ask)
{
    char *room = mem_new(PASSWD_BYTES);
    struct passwd entry;
    struct passwd *found = NULL;
    int error = getpwuid_r(ask->uid, &entry, room, PASSWD_BYTES, &found);

    ask->outcome = found != NULL ? SECRET_GIVEN : SECRET_UNKNOWN;
    if (found != NULL)
        ask->secret = mem_text(entry.pw_name);
    else
        log_line(LOG_NOTICE_LEVEL, "the system has no name for its user %u: %s", (unsigned)ask->uid,
                 error == 0 ? "there is none" : strerror(error));
    free(room);
}
