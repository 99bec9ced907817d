# man.awk: writes the manual's pages from include/shmipc/shmipc.h.
#
#     awk -v man=DIRECTORY -v version=0.1.0 -v date=2026-01-31 -f man.awk shmipc.h
#
# shmipc(7) is the header's first comment. Each section of the header, which `/* ---- Title ---- */` begins, is
# a page shmipc_<first word of the title>(3) with its macros, and each function and type has a page of its
# own. DIRECTORY has subdirectories man3 and man7. The header has what this relies on:
#
# - the first word of a section's title is that of no other, and with shmipc_ no function's and no type's name;
# - a comment stands above what it describes, or behind it in the same line; one with an empty line under it
#   describes its section;
# - SHMIPC_DEPRECATED(...) has a line of its own;
# - a comment's first sentence tells what it is; what follows "Errors:" in its last paragraph is a list;
# - in comments, lines that are indented by four spaces are code, and `words` in backquotes parameters.

{ line[NR] = $0 }

/^ *SHMIPC_E_[A-Z_]* = / {
    name = $1
    sub(/^SHMIPC_E_/, "", name)
    is_error[name] = 1
}

# Functions, then types: those of structures and enumerations, those in one line, those of functions.
/^SHMIPC_API .*[ *]shmipc_[a-z_]*\(/ {
    name = $0
    sub(/\(.*/, "", name)
    has_page[last_word(name)] = 1
}

/^} shmipc_|^typedef .*;$/ {
    name = $0
    sub(/;$/, "", name)
    has_page[last_word(name)] = 1
}

/^typedef .*\(\*shmipc/ { has_page[pointer_name($0)] = 1 }

function last_word(text) {
    sub(/.*[ *\n]/, "", text)
    return text
}

function pointer_name(text) {
    text = substr(text, index(text, "(*") + 2)
    sub(/\).*/, "", text)
    return text
}

# ---- Text ----

function escaped(text) {
    gsub(/\\/, "\\(rs", text)
    return text
}

# A line of code.
function verbatim(text) {
    text = escaped(text)
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    return text ~ /^\./ ? "\\&" text : text
}

# Prose, with the names in it set apart.
function marked(text, out, word) {
    out = ""
    text = escaped(text)
    while (match(text, /`[^`]*`|[A-Za-z_][A-Za-z0-9_]*/)) {
        word = substr(text, RSTART, RLENGTH)
        out = out substr(text, 1, RSTART - 1)
        text = substr(text, RSTART + RLENGTH)
        if (word ~ /^`/)
            out = out (word ~ / / ? "\\fB" : "\\fI") substr(word, 2, length(word) - 2) "\\fR"
        else if (word in is_error)
            out = out "\\fBSHMIPC_E_" word "\\fR"
        else if (word in has_page && index(page, "/" word ".") == 0)
            out = out "\\fB" word "\\fR(3)"
        else if (word ~ /^(shmipc|SHMIPC)_/)
            out = out "\\fB" word "\\fR"
        else
            out = out word
    }
    return out text
}

function put(text) {
    print text >page
}

# Prints prose in short lines.
function fill(text, words, n, i, row) {
    n = split(text, words, " ")
    row = ""
    for (i = 1; i <= n; i++) {
        if (row != "" && length(row) + length(words[i]) > 76) {
            put(row)
            row = ""
        }
        row = row == "" ? (words[i] ~ /^[.']/ ? "\\&" : "") words[i] : row " " words[i]
    }
    if (row != "")
        put(row)
}

# The text of the comment in the lines `from` to `to`, without its frame.
function text_of(from, to, i, text, all) {
    all = ""
    for (i = from; i <= to; i++) {
        text = line[i]
        if (i == from)
            text = substr(text, index(text, "/*") + 2)
        if (i == to)
            sub(/ *\*\/$/, "", text)
        if (!sub(/^ \* ?/, "", text))
            sub(/^ */, "", text)
        all = all text "\n"
    }
    sub(/^\n/, "", all)
    return all
}

# Prints a comment's paragraphs, but for the errors that it lists: they are in `errors`.
function paragraphs(text, rows, n, i, prose, first) {
    n = split(text "\n", rows, "\n")
    prose = errors = ""
    first = 1
    for (i = 1; i <= n; i++) {
        if (rows[i] ~ /^    / && prose == "") {
            put(".PP\n.nf\n.RS 4")
            for (; rows[i] ~ /^    /; i++)
                put(verbatim(substr(rows[i], 5)))
            put(".RE\n.fi")
            first = 0
        } else if (rows[i] != "") {
            prose = prose (prose == "" ? "" : " ") rows[i]
        } else if (prose != "") {
            if (match(prose, /(^| )Errors: /)) {
                errors = substr(prose, RSTART + RLENGTH)
                prose = substr(prose, 1, RSTART - 1)
            }
            if (prose != "")
                paragraph(prose, first)
            first = 0
            prose = ""
        }
    }
}

# A paragraph that begins with one word and a full stop has a title.
function paragraph(prose, first) {
    if (page ~ /7$/ && match(prose, /^[A-Z][a-z-]+( \([a-z_]+\))?\. /)) {
        put(".SS " quoted(substr(prose, 1, RLENGTH - 2)))
        prose = substr(prose, RLENGTH + 1)
    } else if (!first) {
        put(".PP")
    }
    fill(marked(prose))
}

function quoted(text) {
    return "\"" text "\""
}

# A comment's first sentence, for the line that says what a page is about: up to the first full stop, colon or
# semicolon that is in no parentheses.
function summary(text, i, c, depth) {
    gsub(/\n/, " ", text)
    gsub(/`/, "", text)
    depth = 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        depth += (c == "(") - (c == ")")
        if (!depth && c ~ /[.;:]/ && substr(text, i + 1, 1) ~ /^ ?$/)
            break
    }
    text = substr(text, 1, i - 1)
    sub(/ +$/, "", text)
    if (substr(text, 2, 1) ~ /[a-z ]/)
        text = tolower(substr(text, 1, 1)) substr(text, 2)
    return escaped(text)
}

# ---- Pages ----

function begin_page(name, number, about) {
    if (page != "")
        close(page)
    page = man "/man" number "/" name "." number
    put(".\\\" Made from shmipc.h by man.awk.")
    put(".TH " toupper(name) " " number " " date " " quoted("libshmipc " version) " " quoted("libshmipc"))
    put(".SH NAME\n" name " \\- " about)
    if (number == 3)
        put(".SH LIBRARY\nlibshmipc (\\fI\\-lshmipc\\fR)\n.SH SYNOPSIS\n.nf\n.B #include <shmipc/shmipc.h>")
}

# Prints a declaration without what is said before it for the compiler.
function declaration(code, rows, n, i, ends) {
    n = split(code, rows, "\n")
    for (i = 1; i <= n; i++) {
        sub(/^(SHMIPC_API |           )/, "", rows[i])
        ends = rows[i + 1] ~ /^ *SHMIPC_PRINTF_LIKE/ ? ";" : ""
        put(".B " quoted(verbatim(rows[i] ends)))
        if (ends)
            return
    }
}

# The page of a function or a type.
function own_page(n) {
    begin_page(item_name[n], 3, summary(item_text[n]))
    put(".PP")
    if (item_kind[n] == "type" && item_code[n] ~ /\{/)
        put(".B " quoted(substr(item_code[n], 1, index(item_code[n], "{")) " ... } " item_name[n] ";"))
    else
        declaration(item_code[n])
    put(".fi\n.SH DESCRIPTION")
    if (item_note[n] != "")
        put(marked(item_note[n]) "\n.PP")
    paragraphs(item_text[n])
    list = errors
    if (item_kind[n] == "type")
        members(item_code[n])
    if (list != "") {
        put(".SH ERRORS")
        fill(marked(list))
    }
    put(".SH SEE ALSO")
    if (list != "")
        put(".BR shmipc_error (3),")
    put(".BR " item_section[n] " (3),\n.BR shmipc (7)")
}

# Prints the members of a structure or an enumeration, or nothing if it has none.
function members(code, rows, n, i, text, at, heading) {
    n = split(code, rows, "\n")
    heading = ""
    for (i = 2; i < n; i++) {
        text = rows[i]
        while (text ~ /\/\*/ && text !~ /\*\// && i < n) {
            i++
            sub(/^ */, " ", rows[i])
            text = text rows[i]
        }
        sub(/^ */, "", text)
        if (text == "" || text ~ /^uint(32|64)_t reserved/)
            continue
        at = index(text, "/*")
        comment = at ? substr(text, at + 3) : ""
        sub(/ *\*\/$/, "", comment)
        if (at == 1) {
            heading = comment
            continue
        }
        if (at)
            text = substr(text, 1, at - 1)
        sub(/[;,]? *$/, "", text)
        if (comment == "private")
            continue
        put(".TP\n.B " quoted(verbatim(text)))
        fill(marked(comment == "" ? heading : comment))
        heading = ""
    }
}

# What a section is about: its title, or what that says after a colon.
function subject(section, text) {
    text = title[section]
    return index(text, ": ") ? substr(text, index(text, ": ") + 2) : tolower(text)
}

# Lists the section's pages of one kind.
function contents(section, heading, kinds, i, any) {
    any = 0
    for (i = 1; i <= items; i++) {
        if (item_section[i] != section || index(kinds, item_kind[i]) == 0)
            continue
        if (!any++)
            put(".SS " heading)
        put(".TP\n.BR " item_name[i] " (3)")
        fill(summary(item_text[i]))
    }
}

# The value of a macro that has one in its line.
function value(code) {
    if (code !~ /^#define [A-Z_]+ [^\\]*$/)
        return ""
    sub(/^#define [A-Z_]+/, "", code)
    sub(/ *(\/\*.*)?$/, "", code)
    return code
}

function section_page(section, i) {
    begin_page(section, 3, subject(section))
    put(".fi\n.SH DESCRIPTION")
    if (about[section] == "")
        put("Declared in \\fIshmipc.h\\fR:")
    paragraphs(about[section])
    contents(section, "Functions", "function")
    contents(section, "Types", "type pointer")
    for (i = 1; i <= items; i++) {
        if (item_section[i] == section && item_kind[i] == "macro") {
            put(".SS " quoted(verbatim(item_name[i] value(item_code[i]))))
            paragraphs(item_text[i])
        }
    }
    put(".SH SEE ALSO\n.BR shmipc (7)")
}

function overview(text, i) {
    begin_page("shmipc", 7, summary(substr(text, index(text, ": ") + 2)))
    put(".SH DESCRIPTION")
    paragraphs(substr(text, index(text, "\n\n") + 2))
    put(".SH SEE ALSO")
    for (i = 1; i <= sections; i++) {
        put(".TP\n.BR " section_name[i] " (3)")
        fill(subject(section_name[i]))
    }
}

# ---- The header ----

function begin_section(text, name) {
    name = tolower(text)
    sub(/[^a-z].*/, "", name)
    section = "shmipc_" name
    if (section in has_page) {
        print "man.awk: shmipc.h: section \"" text "\" would have the page of another, " section >"/dev/stderr"
        exit 1
    }
    has_page[section] = 1
    section_name[++sections] = section
    title[section] = text
    about[section] = ""
}

# The last line of the comment that begins in line `n`.
function end_of(n) {
    while (line[n] !~ /\*\/$/ && n < NR)
        n++
    return n
}

# The last line of the declaration that begins in line `n`.
function end_of_code(n, depth) {
    depth = 0
    if (line[n] ~ /^#if/) {
        for (; n < NR; n++) {
            depth += (line[n] ~ /^#if/) - (line[n] ~ /^#endif/)
            if (!depth)
                return n
        }
    }
    if (line[n] ~ /^#/) {
        while (line[n] ~ /\\$/)
            n++
        return index(line[n], "/*") ? end_of(n) : n
    }
    for (; n < NR; n++) {
        depth += (line[n] ~ /\{$/) - (line[n] ~ /^}/)
        if (!depth && line[n] ~ /;$/)
            break
    }
    return n
}

# Reads the declaration in the lines `from` to `to`, whose comment is `text`.
function item(from, to, text, i, code, name, note, words_of) {
    code = line[from]
    for (i = from + 1; i <= to; i++)
        code = code "\n" line[i]
    note = ""
    if (match(code, /^SHMIPC_DEPRECATED\("[^"]*", "[^"]*"\)\n/)) {
        split(code, words_of, "\"")
        note = "Deprecated since " words_of[2] ": " words_of[4] "."
        code = substr(code, RLENGTH + 1)
    }
    if (code ~ /^#/) {
        if (index(code, "/*") && text == "")
            text = text_of(from, to)
        name = substr(code, index(code, "#define ") + 8)
        sub(/[^A-Z_].*/, "", name)
        kind = "macro"
    } else if (code ~ /^SHMIPC_API/) {
        name = code
        sub(/\(.*/, "", name)
        name = last_word(name)
        kind = "function"
    } else if (code ~ /\(\*shmipc/) {
        name = pointer_name(code)
        kind = "pointer"
    } else {
        name = code
        sub(/;$/, "", name)
        name = last_word(name)
        kind = "type"
    }
    if (text == "") {
        print "man.awk: shmipc.h:" from ": " name " has no comment" >"/dev/stderr"
        exit 1
    }
    items++
    item_section[items] = section
    item_kind[items] = kind
    item_name[items] = name
    item_text[items] = text
    item_code[items] = code
    item_note[items] = note
}

END {
    last = end_of(1)
    begin_section("Header: versions, linking, deprecation")
    first_text = text_of(1, last)
    for (n = last + 1; n <= NR; n++) {
        if (line[n] ~ /^\/\* ---- .* -+ \*\/$/) {
            text = line[n]
            gsub(/^\/\* ---- | -+ \*\/$/, "", text)
            begin_section(text)
        } else if (line[n] ~ /^\/\*/) {
            last = end_of(n)
            text = text_of(n, last)
            n = last
            if (line[n + 1] == "") {
                about[section] = about[section] "\n" text
            } else {
                last = end_of_code(n + 1)
                item(n + 1, last, text)
                n = last
            }
        } else if (line[n] ~ /^(SHMIPC_API|typedef|#define SHMIPC_[A-Z_]+ )/) {
            last = end_of_code(n)
            item(n, last, "")
            n = last
        }
    }
    for (n = 1; n <= items; n++)
        if (item_kind[n] != "macro")
            own_page(n)
    for (n = 1; n <= sections; n++)
        section_page(section_name[n])
    overview(first_text)
}
