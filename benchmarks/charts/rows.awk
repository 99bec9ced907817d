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

{ name = text("name"); guest = text("guest"); variant = text("variant") }
