/* command_line.c - reading flags, and the text of --help. */
#include "command_line_impl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/text.h"

enum { FLAG_HELP_CONFIG = 256, FLAG_INSTANCES }; /* flags without a letter */

#define INSTANCES_MOST 10000ul

static const char letters[] = ":dhqRu:vV"; /* the colon in front: a missing value is told apart */

static const struct option flags[] = {
    { "daemon", no_argument, NULL, 'd' },
    { "help", no_argument, NULL, 'h' },
    { "help-config", no_argument, NULL, FLAG_HELP_CONFIG },
    { "instances", required_argument, NULL, FLAG_INSTANCES },
    { "quiet", no_argument, NULL, 'q' },
    { "reboot", no_argument, NULL, 'R' },
    { "user", required_argument, NULL, 'u' },
    { "verbose", no_argument, NULL, 'v' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

void
command_line_help(FILE *to)
{
    fputs(
        "pgweir pools PostgreSQL connections.\n"
        "\n"
        "Usage: pgweir [OPTION]... FILE.ini\n"
        "       pgweir check [--instances=N] FILE.ini\n"
        "\n"
        "check reads the file and all it names, connects to each database and tells whether the servers have\n"
        "enough connections for N instances (1 if not given); it starts nothing and exits with 1 for a problem.\n"
        "\n"
        "  -d, --daemon         run in the background (needs a pidfile)\n"
        "  -q, --quiet          log nothing to standard error\n"
        "  -u, --user=USERNAME  become this user after start, whatever the file says\n"
        "  -v, --verbose        log more; twice: much more\n"
        "  -R, --reboot         not supported: with so_reuseport, start the new process, then stop the old one\n"
        "  -V, --version        show the version and leave\n"
        "  -h, --help           show this help and leave\n"
        "      --help-config    show every option of the configuration file and leave\n"
        "\n"
        "Signals: HUP reloads; TERM stops when transactions have ended, or after shutdown_timeout;\n"
        "INT does so without a time limit; QUIT stops at once; USR1 pauses; USR2 resumes.\n",
        to);
}

static const char *
nearest_flag(const char *word)
{
    const char *names[COUNT_OF(flags) - 1];

    for (size_t i = 0; i < COUNT_OF(names); i++)
        names[i] = flags[i].name;
    return text_nearest(word, names, COUNT_OF(names));
}

/* getopt_long() has refused WORD, an element of argv. */
static enum err
refuse(const char *word, struct error *why)
{
    const char *near;
    char name[64];

    if (strncmp(word, "--", 2) != 0)
        return error_set(why, ERR_SYNTAX, "unknown option -%c", optopt);
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    if (optopt != 0)
        return error_set(why, ERR_SYNTAX, "option --%s takes no value", name);
    near = nearest_flag(name);
    if (near == NULL)
        return error_set(why, ERR_SYNTAX, "unknown option --%s", name);
    return error_set(why, ERR_SYNTAX, "unknown option --%s, did you mean --%s", name, near);
}

static enum err
take_instances(struct command_line *line, struct error *why)
{
    char *end;
    unsigned long count = strtoul(optarg, &end, 10);

    if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || count == 0 || count > INSTANCES_MOST)
        return error_set(why, ERR_SYNTAX, "--instances=%.40s is not between 1 and %lu", optarg,
                         INSTANCES_MOST);
    line->instances = (unsigned)count;
    return ERR_NONE;
}

/* FLAG is what getopt_long() returned. */
static enum err
take_flag(struct command_line *line, int flag, char **argv, struct error *why)
{
    switch (flag) {
    case 'd':
        line->is_daemon = true;
        return ERR_NONE;
    case 'q':
        line->is_quiet = true;
        return ERR_NONE;
    case 'v':
        line->verbose++;
        return ERR_NONE;
    case 'u':
        line->user = optarg;
        return ERR_NONE;
    case 'h':
        line->command = COMMAND_HELP;
        return ERR_NONE;
    case 'V':
        line->command = COMMAND_VERSION;
        return ERR_NONE;
    case FLAG_HELP_CONFIG:
        line->command = COMMAND_HELP_CONFIG;
        return ERR_NONE;
    case FLAG_INSTANCES:
        return take_instances(line, why);
    case 'R':
        return error_set(
            why, ERR_SYNTAX,
            "-R (--reboot) is not supported: start the new process beside the old one with so_reuseport, "
            "then stop the old one with SIGTERM");
    case ':':
        return error_set(why, ERR_SYNTAX, "option %s needs a value", argv[optind - 1]);
    default:
        return refuse(argv[optind - 1], why);
    }
}

enum err
command_line_read(int argc, char **argv, struct command_line *out, struct error *why)
{
    struct command_line line = { .command = COMMAND_RUN };
    int flag;

    optind = 0; /* glibc: begin anew, whoever called before */
    opterr = 0;
    while (line.command == COMMAND_RUN && (flag = getopt_long(argc, argv, letters, flags, NULL)) != -1) {
        enum err e = take_flag(&line, flag, argv, why);

        if (e != ERR_NONE)
            return e;
    }
    if (line.command == COMMAND_RUN && argc - optind == 2 && strcmp(argv[optind], "check") == 0) {
        line.command = COMMAND_CHECK;
        optind++;
    }
    if (line.command == COMMAND_RUN && line.instances > 0)
        return error_set(why, ERR_SYNTAX, "--instances is for pgweir check");
    line.instances = line.instances > 0 ? line.instances : 1;
    if (line.command == COMMAND_RUN || line.command == COMMAND_CHECK) {
        if (optind == argc)
            return error_set(why, ERR_SYNTAX, "no configuration file given");
        if (optind + 1 < argc)
            return error_set(why, ERR_SYNTAX, "one configuration file only, not \"%s\" too",
                             argv[optind + 1]);
        line.file = argv[optind];
    }
    *out = line;
    return ERR_NONE;
}
