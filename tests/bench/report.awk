# SPDX-License-Identifier: LGPL-2.1-or-later
#
# report.awk - from the lines of bench-guest to tables (Markdown, on standard output) and a plot (to the file `svg`).
#
# Every figure is the median of its rounds; a ratio is the median of the ratios of each round, because what a round
# compares was measured side by side.

function median_of(list, n,   i, j, t) {
        for (i = 2; i <= n; i++)
                for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                        t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
                }
        return n == 0 ? "" : n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

# The figure of one round; a sum is written "floor.held+floor.commits".
function figure(kind, n, round, what,   parts, k, i, sum) {
        k = split(what, parts, "+")
        for (i = 1; i <= k; i++) {
                if (!((kind, n, round, parts[i]) in value)) return ""
                sum += value[kind, n, round, parts[i]]
        }
        return sum
}

function median(kind, n, what,   list, round, v, m) {
        for (round = 1; round <= rounds; round++) {
                v = figure(kind, n, round, what)
                if (v != "") list[++m] = v
        }
        return median_of(list, m)
}

function ratio(kind, n, what, to,   list, round, a, b, m) {
        for (round = 1; round <= rounds; round++) {
                a = figure(kind, n, round, what); b = figure(kind, n, round, to)
                if (a != "" && b > 0) list[++m] = a / b
        }
        return median_of(list, m)
}

function time(usec) {
        if (usec == "") return "–"
        if (usec < 9950) return sprintf("%.1f ms", usec / 1e3)
        return usec < 999500 ? sprintf("%.0f ms", usec / 1e3) : sprintf("%.1f s", usec / 1e6)
}

function times(x) { return x == "" ? "–" : x < 9.95 ? sprintf("%.2f ×", x) : sprintf("%.0f ×", x) }

# A table: its columns are "HEADING=WHAT" (a time) or "HEADING=WHAT/WHAT" (a ratio).
function table(title, kind, columns,   k, c, i, parts, line, rule, what) {
        k = split(columns, c, "|")
        printf "\n**%s, %s volumes**\n\n", title, kind
        line = "| volumes |"; rule = "| ---: |"
        for (i = 1; i <= k; i++) { split(c[i], parts, "="); line = line " " parts[1] " |"; rule = rule " ---: |" }
        print line; print rule
        for (j = 1; j <= n_counts; j++) {
                line = "| " counts[j] " |"
                for (i = 1; i <= k; i++) {
                        split(c[i], parts, "=")
                        if (split(parts[2], what, "/") == 2) line = line " " times(ratio(kind, counts[j], what[1], what[2])) " |"
                        else line = line " " time(median(kind, counts[j], parts[2])) " |"
                }
                print line
        }
}

# --- the plot: a panel per kind, time on a logarithmic scale over the number of volumes --------------------------------

function x_of(i) { return left + 40 + (n_counts > 1 ? (i - 1) * (width - 80) / (n_counts - 1) : 0) }
function y_of(usec) { return top + height - (log(usec) - log(low)) / (log(high) - log(low)) * height }

function draw_scale(   decade) {
        for (decade = low; decade <= high; decade *= 10) {
                printf "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='#ddd'/>\n", left, y_of(decade), left + width, y_of(decade) > svg
                printf "<text x='%d' y='%.1f' text-anchor='end'>%s</text>\n", left - 6, y_of(decade) + 4,
                        decade < 1e6 ? decade / 1e3 " ms" : decade / 1e6 " s" > svg
        }
        for (i = 1; i <= n_counts; i++)
                printf "<text x='%.1f' y='%d' text-anchor='middle'>%d</text>\n", x_of(i), top + height + 18, counts[i] > svg
        printf "<text x='%d' y='%d' text-anchor='middle'>volumes</text>\n", left + width / 2, top + height + 36 > svg
}

function draw_series(kind, what, colour, dash,   i, v, points) {
        for (i = 1; i <= n_counts; i++) {
                v = median(kind, counts[i], what)
                if (v == "" || v <= 0) continue
                points = points sprintf("%.1f,%.1f ", x_of(i), y_of(v))
                printf "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'><title>%s</title></circle>\n", x_of(i), y_of(v), colour, time(v) > svg
        }
        printf "<polyline points='%s' fill='none' stroke='%s' stroke-width='2' stroke-dasharray='%s'/>\n", points, colour, dash > svg
}

function draw_legend(   i, y) {
        for (i = 1; i <= n_series; i++) {
                y = top + 8 + i * 20
                printf "<line x1='%d' y1='%d' x2='%d' y2='%d' stroke='%s' stroke-width='2' stroke-dasharray='%s'/>\n",
                        left, y, left + 30, y, colour_of[i], dash_of[i] > svg
                printf "<text x='%d' y='%d'>%s</text>\n", left + 38, y + 4, label_of[i] > svg
        }
}

function series(label, what, thin_what, colour, dash) {
        label_of[++n_series] = label; what_of[n_series, "thick"] = what; what_of[n_series, "thin"] = thin_what
        colour_of[n_series] = colour; dash_of[n_series] = dash
}

function plot(   k, s, v) {
        series("lvcreate -s in turn: first to last", "lvcreate.total", "lvcreate.total", "#b22", "")
        series("lvcreate -s in turn: longest pause", "lvcreate.pause", "lvcreate.pause", "#b22", "6,3")
        series("quiescectl create: as a whole", "create.total", "create.total", "#26a", "")
        series("quiescectl create: longest pause", "create.pause", "create.pause", "#26a", "6,3")
        series("quiescectl create: writes held", "create.held", "create.held", "#26a", "2,3")
        series("floor (thin: with the pool's commits)", "floor.held", "floor.held+floor.commits", "#555", "2,3")
        low = 1e12; high = 0
        for (k = 1; k <= n_kinds; k++)
                for (s = 1; s <= n_series; s++)
                        for (i = 1; i <= n_counts; i++) {
                                v = median(kinds[k], counts[i], what_of[s, kinds[k]])
                                if (v == "" || v <= 0) continue
                                while (v < low) low = low > 1e11 ? 10 ^ int(log(v) / log(10)) : low / 10
                                if (v > high) high = v
                        }
        high = 10 ^ (int(log(high) / log(10)) + 1)
        width = 340; height = 360; top = 50
        printf "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' font-size='12'>\n", n_kinds * 430 + 320, 460 > svg
        print "<rect width='100%' height='100%' fill='white'/>" > svg
        for (k = 1; k <= n_kinds; k++) {
                left = 70 + (k - 1) * 430
                printf "<text x='%d' y='30' text-anchor='middle' font-size='15'>%s volumes</text>\n", left + width / 2, kinds[k] > svg
                draw_scale()
                for (s = 1; s <= n_series; s++) draw_series(kinds[k], what_of[s, kinds[k]], colour_of[s], dash_of[s])
        }
        left += width + 40
        draw_legend()
        print "</svg>" > svg
}

# --- input ---------------------------------------------------------------------------------------------------------------

function note(list, n, seen, what) {
        if (!((what) in seen)) { seen[what] = 1; list[n + 1] = what; return n + 1 }
        return n
}

$1 == "host" || $1 == "machine" { for (i = 2; i <= NF; i++) { split($i, pair, "="); said[$1, pair[1]] = pair[2] } }
$1 == "result" {
        delete told
        for (i = 2; i <= NF; i++) { split($i, pair, "="); told[pair[1]] = pair[2] }
        n_kinds = note(kinds, n_kinds, kind_seen, told["kind"])
        n_counts = note(counts, n_counts, count_seen, told["n"])
        if (told["round"] > rounds) rounds = told["round"]
        for (key in told)
                if (sub(/_usec$/, "", key)) value[told["kind"], told["n"], told["round"], told["way"] "." key] = told[key "_usec"]
}
$1 == "done" { whole = 1 }

END {
        if (!whole || n_kinds == 0) { print "report: the run is not whole" > "/dev/stderr"; exit 1 }
        gsub(/_/, " ", said["host", "cpu"])
        print "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->"
        print "# What a snapshot set costs"
        print ""
        print "Written by `make bench` (`tests/bench/`, see HACKING.md), which measures everything below in one run, side by side, in"
        print "turn. Absolute times are those of an emulated machine, some ten times those of a real one: read the ratios."
        print ""
        printf "- Guest: Linux %s, LVM %s, %s CPUs, %s of memory, ext4 on two volume groups of one virtio disk each.\n",
                said["machine", "kernel"], said["machine", "lvm"], said["machine", "cpus"], said["machine", "memory"]
        printf "- Host: %s CPUs of %s, QEMU %s, %s.\n", said["host", "cpus"], said["host", "cpu"], said["host", "qemu"],
                said["host", "accel"] == "kvm" ? "KVM" : "software emulation (TCG)"
        printf "- Medians of %d rounds; commit %s.\n", rounds, said["host", "commit"]
        print "- Load: per volume a process that writes 4 KiB, fsyncs and rests for 10 ms, without end, and 100 MB that are only in memory at the start."
        print ""
        print "![plot](results.svg)"
        print ""
        print "## How long writes are held"
        print ""
        print "From the first file system frozen to the last one thawed, as the kernel sees it (`freeze_super`, `thaw_super`). *create* is"
        print "`quiescectl create` (a persistent set), *run* `quiescectl run` (an auto-release set), both with the fsfreeze writer; *floor* is a"
        print "suspend and a resume of the same volumes in parallel with nothing in between, after syncfs and with expedited RCU, as the hold"
        print "has them. *lvcreate* holds one volume at a time: the longest of one, and from the first snapshot to the last."
        for (k = 1; k <= n_kinds; k++) {
                floor = kinds[k] == "thin" ? "floor.held+floor.commits" : "floor.held"
                table("Hold", kinds[k], "floor=floor.held" (kinds[k] == "thin" ? "|one commit per volume=floor.commits" : "") \
                      "|create=create.held|create / floor" (kinds[k] == "thin" ? " and commits" : "") "=create.held/" floor \
                      "|run=run.held|run / floor" (kinds[k] == "thin" ? " and commits" : "") "=run.held/" floor \
                      "|lvcreate: one volume=lvcreate.each|lvcreate: first to last=lvcreate.total")
        }
        print ""
        print "## The longest pause of an application"
        print ""
        print "From one record on the disk to the next, the longest of all volumes over the whole operation. *sync* is what writing out the"
        print "same data costs without any snapshot."
        for (k = 1; k <= n_kinds; k++)
                table("Pause", kinds[k], "create=create.pause|run=run.pause|lvcreate=lvcreate.pause|sync=sync.pause|lvcreate's whole / create=lvcreate.total/create.pause|lvcreate's whole / run=lvcreate.total/run.pause")
        print ""
        print "## The operation as a whole"
        print ""
        print "*lvcreate* is N commands, thin ones with activation, as the snapshots of *create* are active too."
        for (k = 1; k <= n_kinds; k++)
                table("Whole", kinds[k], "create=create.total|lvcreate=lvcreate.total|create / lvcreate=create.total/lvcreate.total|run=run.total")
        print ""
        plot()
}
