# Reads a line of results: one JSON object, whose fields always come in the same order.
function text(field) {
    if (!match($0, "\"" field "\":\"[^\"]*\""))
        return ""
    return substr($0, RSTART + length(field) + 4, RLENGTH - length(field) - 5)
}

function number(field) {
    if (!match($0, "\"" field "\":[0-9.]+"))
        return "?"
    return substr($0, RSTART + length(field) + 3, RLENGTH - length(field) - 3)
}

# What a chart calls the row.
function label() {
    if (name == "rtt")
        return guest == "go" ? "C to Go" : "C to C"
    if (name == "limit")
        return "bare limit"
    gsub("_", " ", name)
    return name
}

# Microseconds, of "compute 5 us" or "asleep 1 ms".
function us(variant,    words) {
    split(variant, words, " ")
    return words[2] * (words[3] == "ms" ? 1000 : 1)
}

# What the row was to come to, and whether it has.
function target(    most) {
    most = number("longest_target") / 1e6
    if (!/"target"/ || number("target") + most == 0)
        return ""
    return (text("better") == "more" ? "at least " : "at most ") number("target") \
        (most > 0 ? ", max " most " ms" : "") (/"missed":true/ ? ": missed" : ": met")
}

{ name = text("name"); guest = text("guest"); variant = text("variant") }
