#!/bin/sh
#
# table.sh - what came out of one case.
#
#     table.sh text|markdown RESULTS CASE FIGURES POOLERS
#
# RESULTS has lines of name=value, each with round=, case= and pooler=. For every figure: the median of each pooler, and
# the median over the rounds of pgweir's figure divided by the other's in the same round. Figures that are not in the
# lines as they are: per_cpu (how many per second of CPU), over_300ms (what the slowest took beyond 300 ms),
# most_over_mean. Where `direct` is among the poolers, times are what a pooler adds to it.

set -eu
awk -v form="$1" -v name="$3" -v figures="$4" -v poolers="$5" '
function value(figure) {
    if (figure == "per_cpu") return v["cpu_us"] > 0 ? 1e6 / v["cpu_us"] : 0
    if (figure == "over_300ms") return v["most_us"] / 1000 - 300
    if (figure == "most_over_mean") return v["mean_us"] > 0 ? v["most_us"] / v["mean_us"] : 0
    return v[figure]
}
function is_time(figure) { return figure ~ /^p[0-9]+_us$/ }
function sort_list(n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
}
function median(n) {
    if (n == 0) return 0
    sort_list(n)
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
# Medians over the rounds; `low` and `high` are the extremes.
function median_of(pooler, figure,    r, n) {
    n = 0
    for (r = 1; r <= rounds; r++) if ((r, pooler, figure) in data) list[++n] = data[r, pooler, figure]
    return median(n)
}
function ratio_of(pooler, figure) { return ratio_between("pgweir", pooler, figure) }
function ratio_between(one, other, figure,    r, n) {
    n = 0
    for (r = 1; r <= rounds; r++)
        if ((r, other, figure) in data && data[r, other, figure] > 0)
            list[++n] = data[r, one, figure] / data[r, other, figure]
    low = high = 0
    if (n == 0) return -1
    sort_list(n)
    low = list[1]
    high = list[n]
    return median(n)
}
function words(figure) {
    if (figure == "cpu_us" && name ~ /^copy|^value/) return "CPU per byte"
    if (figure == "cpu_us") return "CPU per " (name == "pipeline" ? "query" : "transaction")
    if (figure == "added_us") return "added to the time of one client"
    if (figure == "rate") return "throughput (more is better)"
    if (figure == "per_cpu") return "logins per CPU second (more is better)"
    if (figure == "resident") return "resident bytes per client"
    if (figure == "cpu_share") return "CPU share while idle"
    if (figure == "over_300ms") return "ms until 20 servers answer, less 300 ms of query"
    if (figure == "most_over_mean") return "longest over mean"
    if (is_time(figure)) { sub(/_us$/, "", figure); return (has_direct ? "added " : "") "latency " figure }
    return figure
}
function show(number) { return number < 0 ? "–" : number < 0.01 && number > 0 ? sprintf("%.5f", number) : sprintf("%.2f", number) }
BEGIN { figure_count = split(figures, figure_list, ","); pooler_count = split(poolers, pooler_list, " ") }
{
    split("", v)
    for (i = 1; i <= NF; i++) { at = index($i, "="); word = substr($i, at + 1); v[substr($i, 1, at - 1)] = word ~ /^[0-9.]+$/ ? word + 0 : word }
    if (v["case"] == name "-before") before[v["pooler"]] = v["cpu_us"]
    if (v["case"] != name) next
    if (v["pooler"] == "direct") has_direct = 1
    if (v["round"] + 0 > rounds) rounds = v["round"] + 0
    for (i = 1; i <= figure_count; i++) data[v["round"], v["pooler"], figure_list[i]] = value(figure_list[i])
}
END {
    for (i = 1; has_direct && i <= figure_count; i++)
        for (r = 1; is_time(figure_list[i]) && r <= rounds; r++)
            for (p = 1; p <= pooler_count; p++)
                if (pooler_list[p] != "direct") data[r, pooler_list[p], figure_list[i]] -= data[r, "direct", figure_list[i]]
    for (i = 1; i <= figure_count; i++) {
        figure = figure_list[i]
        if (form == "markdown") {
            ratio = ratio_of("pgbouncer", figure)
            spread = ratio < 0 ? "–" : sprintf("%.2f … %.2f", low, high)
            line = "| " name " | " words(figure) " | " show(ratio) " | " spread " | " show(ratio_of("haproxy", figure)) " |"
            if (figure == "resident" || figure == "most_over_mean" || figure == "over_300ms")
                line = "| " name " | " words(figure) " | " sprintf("%.4g : %.4g", median_of("pgweir", figure), median_of("pgbouncer", figure)) \
                       " | " spread " | – |"
            if (figure == "cpu_share")
                line = "| " name " | " words(figure) " | " show(median_of("pgweir", figure)) " : " show(median_of("pgbouncer", figure)) " | – | – |"
            print line
        } else {
            printf "%-12s %-46s", name, words(figure)
            for (p = 1; p <= pooler_count; p++) printf "  %s %.4g", pooler_list[p], median_of(pooler_list[p], figure)
            printf "  |"
            for (p = 2; p <= pooler_count; p++) printf "  /%s %s", pooler_list[p], show(ratio_of(pooler_list[p], figure))
            print ""
        }
        for (p = 1; p <= pooler_count; p++)
            if (pooler_list[p] in before && before[pooler_list[p]] > 0) {
                grown = median_of(pooler_list[p], figure) / before[pooler_list[p]]
                if (form == "text") printf "%-12s   %s: %.2f of what it was before\n", name, pooler_list[p], grown
                else printf "| %s | CPU with them over CPU before, %s | %.2f | – | – |\n", name, pooler_list[p], grown
            }
        for (p = 3; name ~ /^workers/ && figure == "rate" && p <= pooler_count; p++) {
            ratio = ratio_between(pooler_list[p], "pgbouncer", figure)
            if (form == "text") printf "%-12s   %s over PgBouncer: %s\n", name, pooler_list[p], show(ratio)
            else printf "| %s | throughput of %s over PgBouncer | %s | %.2f … %.2f | – |\n", name, pooler_list[p], show(ratio), low, high
        }
    }
}' "$2"
