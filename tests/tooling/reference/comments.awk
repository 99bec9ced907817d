# comments.awk <header>: the header for Doxygen, line by line: its comments become Doxygen's.
#
# A comment documents the declaration under it, or the one that it follows in its line. One with an empty
# line under it belongs to the section, which `/* ---- Title ---- */` begins; the first belongs to the file, and
# that of shmipc.h or shmipc.hpp is the first page.
# Inside functions and enumerations a comment of its own line stays as it is.
#
# In the text, names become links, also those of errors without their prefix: Doxygen then says which do not
# exist. Indented lines are code.

{ line[NR] = $0 }

/^ *SHMIPC_E_[A-Z_]* = / {
    name = $1
    sub(/^SHMIPC_E_/, "", name)
    is_error[name] = 1
}

# What a line opens and closes, its texts and comments removed.
function follow(text, i, c, directive) {
    directive = continued || text ~ /^ *#/
    continued = directive && text ~ /\\$/
    if (directive)
        return
    gsub(/"([^"\\]|\\.)*"/, "", text)
    gsub(/'([^'\\]|\\.)'/, "", text)
    gsub(/\/\*.*\*\//, "", text)
    sub(/\/\*.*/, "", text)
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "{") {
            kind[++depth] = statement ~ /(^|[ ;])enum / ? "enum" : \
                statement ~ /(^|[ ;>])(class|struct|union|namespace|extern) / && statement !~ /\)/ ? "scope" : "body"
            statement = ""
        } else if (c == "}") {
            depth--
            statement = ""
        } else if (c == ";") {
            statement = ""
        } else {
            statement = statement c
        }
    }
    statement = statement " "
}

function in_body(i) {
    for (i = 1; i <= depth; i++)
        if (kind[i] == "body")
            return 1
    return 0
}

# A line of prose.
function prose(text, out, word) {
    gsub(/[\\<>@]/, "\\\\&", text)
    out = ""
    while (match(text, /`[^`]*`|\*?[A-Za-z_][A-Za-z0-9_]*(->[a-z_]+)?/)) {
        word = substr(text, RSTART, RLENGTH)
        out = out substr(text, 1, RSTART - 1) linked(word)
        text = substr(text, RSTART + RLENGTH)
    }
    return out text
}

function linked(word) {
    if (word in is_error)
        return "\\ref SHMIPC_E_" word " \"" word "\""
    if (language == "c" && word ~ /^(shmipc|SHMIPC)_[A-Za-z0-9_]*[A-Za-z0-9]$/ &&
        word !~ /^SHMIPC_(SHARED|STATIC|NO_DEPRECATED|UNWINDS)$/)
        return "#" word
    return word
}

# A line of a comment: code is left alone.
function inside(text, body) {
    body = text
    sub(/^ \* ?/, "", body)
    if (body ~ /^     *[^ ]/ && (was_code || was_empty)) {
        was_code = 1
        was_empty = 0
        return text
    }
    was_code = 0
    was_empty = body ~ /^ *\*?$/
    return prose(text)
}

# Prints the comment of the lines `from` to `to`, which begins with `opening`, and ends with `closing`.
function comment(from, to, opening, closing, i, text, before) {
    was_code = was_empty = 0
    for (i = from; i <= to; i++) {
        text = line[i]
        before = ""
        if (i == from) {
            before = substr(text, 1, index(text, "/*") - 1) opening
            text = substr(text, index(text, "/*") + 2)
        }
        if (i == to)
            sub(/ *\*\/$/, "", text)
        print before inside(text) (i == to ? closing : "")
    }
}

function slug(title) {
    title = tolower(title)
    sub(/[^a-z].*/, "", title)
    return title
}

# The last line of the comment that begins in line `n`.
function end_of(n) {
    while (line[n] !~ /\*\/$/ && n < NR)
        n++
    return n
}

function is_title(n) {
    return line[n] ~ /^\/\* ---- .* -+ \*\/$/
}

# A comment that documents the section.
function is_about_section(n) {
    return section && line[n] ~ /^\/\*/ && !is_title(n) && line[end_of(n) + 1] == ""
}

# Prints the text of such a comment and the line under it, and returns that line's number.
function about_section(n, last) {
    last = end_of(n)
    comment(n, last, "", "")
    print " * @{ */"
    return last + 1
}

# Prints the title in line `n` and the empty line under it, and returns the last line that is printed.
function title(n, text) {
    text = line[n]
    gsub(/^\/\* ---- | -+ \*\/$/, "", text)
    section = slug(text)
    print "/** @defgroup " section " " text
    if (is_about_section(n + 2)) {
        print ""
        return about_section(n + 2)
    }
    print " * @{ */"
    return n + 1
}

function without_value(text) {
    gsub(/ |=.*|,/, "", text)
    return text
}

# Prints line `n`, which is a declaration or a part of one, and returns the last line that is printed.
function code(n, text, last, part) {
    text = line[n]
    if (text ~ /^ *uint(32|64)_t reserved|^template .* std::|namespace SHMIPC_NAMESPACE/) {
        print "" # not for users
        return n
    }
    if (text ~ /^SHMIPC_DEPRECATED\("/) {
        split(text, part, "\"")
        print "/** @deprecated since " part[2] ": " prose(part[4]) " */"
        return n
    }
    follow(text)
    if (index(text, "/*") && text !~ /^#(include|if|e)/ && !in_body()) {
        last = end_of(n)
        comment(n, last, "/**<", " */")
        return last
    }
    if (text ~ /^ +[A-Z_]+( = .*)?,?$/ && kind[depth] == "enum")
        text = text " /**< #" without_value(text) "_has_no_comment */" # Doxygen itself would not complain
    print text
    return n
}

END {
    is_main = FILENAME ~ /\/shmipc\.(h|hpp)$/
    for (n = 1; n <= NR; n++) {
        if (is_title(n)) {
            n = title(n)
        } else if (line[n] ~ /^ *\/\*/) {
            last = end_of(n)
            if (in_body() || kind[depth] == "enum")
                for (; n <= last; n++)
                    print line[n]
            else
                comment(n, last, n > 1 ? "/**" : is_main ? "/** @mainpage Overview\n" : "/** @file\n", " */")
            n = last
        } else if (line[n] != "" || !section) {
            n = code(n)
        } else if (is_about_section(n + 1)) {
            print "/** @} */ /** @addtogroup " section
            n = about_section(n + 1)
        } else if (is_title(n + 1) || line[n + 1] == "#ifdef __cplusplus") {
            print "/** @} */"
        } else {
            print ""
        }
    }
    if (is_main)
        print "/** @file */"
}
