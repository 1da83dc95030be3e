/* main.c - the one file that is in no library, so that tests can link everything else. */
#include "pgweir/process/program.h"

int
main(int argc, char **argv)
{
    return program_main(argc, argv);
}
