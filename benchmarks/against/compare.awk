# compare.awk THIS THAT: the rows of two revisions, measured equally often and in turn. For each row the
# quotient of the two ratios, time by time: the median, and as its spread the distance between the
# first and the third quartile. After rows.awk.
BEGIN {
    nothing = 0.02 # a spread below that is chance,
    few = 4        # and so is what fewer times say
    infinite = 1e9
    format = "%-15s %-26s %-5s %8s %7s  %9s  %6s  %s\n"
}

name !~ /^limit/ && number("ratio") != "?" {
    side = FILENAME == ARGV[1] ? "this" : "that"
    row = sprintf("%s|%s|%s|%s|%s|%s", name, variant, guest, number("bytes"), number("threads"),
                  number("in_flight"))
    if (side == "this" && !((side, row) in times))
        order[rows++] = row
    processor = text("processor")
    if (text("better") == "more")
        is_speed[row] = 1
    ratio[side, row, times[side, row]++] = number("ratio") + 0
}

# Above 1 is slower, also where a larger ratio is better.
function quotient(above, below) {
    if (above == below)
        return 1
    return below > 0 ? above / below : infinite
}

function compare(row, i,    this, that) {
    this = ratio["this", row, i]
    that = ratio["that", row, i]
    return row in is_speed ? quotient(that, this) : quotient(this, that)
}

function sort(values, count,    i, k, value) {
    for (i = 1; i < count; i++) {
        value = values[i]
        for (k = i; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1]
        values[k] = value
    }
}

# Sorted quotients say that something has changed if all do, and the median by more than the spread.
function verdict(values, count, median, spread) {
    if (count < few)
        return ""
    if (spread < nothing)
        spread = nothing
    if (median - 1 > spread && values[0] > 1)
        return "slower"
    return 1 - median > spread && values[count - 1] < 1 ? "faster" : ""
}

function describe(row,    count, i, values, median, spread, parts) {
    split(row, parts, "|")
    count = times["this", row] < times["that", row] ? times["this", row] : times["that", row]
    for (i = 0; i < count; i++)
        values[i] = compare(row, i)
    sort(values, count)
    median = (values[int(count / 2)] + values[int((count - 1) / 2)]) / 2
    spread = values[int(count * 3 / 4)] - values[int(count / 4)]
    if (count == 0)
        printf format, parts[1], parts[2], parts[3], parts[4], parts[5], "", "", "not in the other"
    else
        printf format, parts[1], parts[2], parts[3], parts[4], parts[5], sprintf("%.3f", median),
            sprintf("%.3f", spread), verdict(values, count, median, spread)
}

END {
    print "processor: " (processor == "" ? "unknown" : processor)
    printf format, "row", "variant", "guest", "bytes", "threads", "this/that", "spread", ""
    for (n = 0; n < rows; n++)
        describe(order[n])
}
