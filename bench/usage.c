/*
 * usage.c - CPU and memory of a process.
 *
 * /proc/PID/task/TID/schedstat counts nanoseconds where /proc/PID/stat counts ticks of 10 ms, so a second's
 * measurement is enough. A kernel without it falls back to the ticks.
 */
#include "usage.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static double
cpu_us_of_ticks(int pid)
{
    unsigned long user = 0;
    unsigned long system = 0;
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        user = system = 0;
    fclose(f);
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
        double ns;
        FILE *f;

        snprintf(file, sizeof(file), "%s/%s/schedstat", path, entry->d_name);
        f = entry->d_name[0] == '.' ? NULL : fopen(file, "re");
        if (f == NULL)
            continue;
        if (fscanf(f, "%lf", &ns) == 1)
            sum_ns += ns;
        fclose(f);
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
        if (sscanf(line, "VmRSS: %lu", &kb) == 1)
            break;
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
