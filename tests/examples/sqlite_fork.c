/* sqlite_fork <extension>: a process that has used the extension forks, and its child opens a
   connection of its own. */
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *extension;

static sqlite3 *open_connection(void) {
    sqlite3 *db = NULL;
    char *why = NULL;
    if (sqlite3_open(":memory:", &db) ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL) ||
        sqlite3_load_extension(db, extension, NULL, &why))
        fprintf(stderr, "%s\n", why ? why : sqlite3_errmsg(db));
    return db;
}

static int ask(sqlite3 *db) {
    char *why = NULL;
    int error = sqlite3_exec(db, "SELECT go_hash('')", NULL, NULL, &why);
    if (error)
        fprintf(stderr, "%s: %s\n", extension, why);
    return error;
}

static int use(void) {
    sqlite3 *db = open_connection();
    int error = ask(db);
    sqlite3_close(db);
    return error;
}

int main(int argc, char **argv) {
    extension = argc > 1 ? argv[1] : "";
    sqlite3 *db = open_connection();
    if (ask(db))
        return 1;
    pid_t child = fork();
    if (child == 0)
        _exit(use() ? 1 : 0);
    int status = 1;
    waitpid(child, &status, 0);
    int error = ask(db); /* the parent's goes on */
    sqlite3_close(db);
    return status || error ? 1 : 0;
}
