/*
 * usage.c - CPU and memory of a process.
 *
 * /proc/PID/task/TID/schedstat counts nanoseconds where /proc/PID/stat counts ticks of 10 ms, so a second's
 * measurement is enough. A kernel without it falls back to the ticks.
 */
#include "usage.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first line of the file at PATH; false when there is none. */
static bool
read_line(const char *path, char *line, int size)
{
    FILE *f = fopen(path, "re");
    bool is_read;

    if (f == NULL)
        return false;
    is_read = fgets(line, size, f) != NULL;
    fclose(f);
    return is_read;
}

static double
cpu_us_of_ticks(int pid)
{
    unsigned long user, system;
    char path[64];
    char line[1024];
    char *at;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (!read_line(path, line, sizeof(line)))
        return 0;
    at = strrchr(line, ')'); /* the end of field 2, the name; utime is field 14, stime follows */
    for (int field = 2; at != NULL && field < 14; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return 0;
    user = strtoul(at, &at, 10);
    system = strtoul(at, NULL, 10);
    return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static double
cpu_us_of_threads(int pid)
{
    double sum_ns = 0;
    char path[64];
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    tasks = opendir(path);
    if (tasks == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char file[sizeof(path) + sizeof(entry->d_name) + sizeof("//schedstat")];
        char line[256];

        snprintf(file, sizeof(file), "%s/%s/schedstat", path, entry->d_name);
        if (entry->d_name[0] != '.' && read_line(file, line, sizeof(line)))
            sum_ns += strtod(line, NULL);
    }
    closedir(tasks);
    return sum_ns / 1e3;
}

static uint64_t
resident_of(int pid)
{
    uint64_t kb = 0;
    char path[64];
    char line[256];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtoul(line + 6, NULL, 10);
    fclose(f);
    return kb * 1024;
}

struct usage
usage_of(int pid)
{
    struct usage u = { 0 };

    if (pid <= 0)
        return u;
    u.cpu_us = cpu_us_of_threads(pid);
    if (u.cpu_us <= 0)
        u.cpu_us = cpu_us_of_ticks(pid);
    u.resident = resident_of(pid);
    return u;
}
