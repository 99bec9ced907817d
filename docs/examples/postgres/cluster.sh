# A scratch server of the PostgreSQL that pg_config tells of, with a Unix socket alone, and the Go process: for
# measure.sh and the test, which set `work`, a directory. As root the server runs as user postgres and the Go process as
# nobody, in whose group the server is; as another user both run as that one, and no group is set.
# shellcheck shell=bash disable=SC2034,SC2154

server=
guest=
programs=$(pg_config --bindir)
prefix=postgres.$$
export PGHOST=$work/server PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=10
if [[ $(id -u) == 0 ]]; then
    server_user=postgres
    guest_user=nobody
    group=$(id -gn $guest_user)
    as_server=(setpriv --reuid="$server_user" --regid="$(id -g $server_user)" --groups="$(id -g $guest_user)")
    as_guest=(setpriv --reuid="$guest_user" --regid="$group" --clear-groups)
    guest_flags=(-owner "$server_user")
else
    server_user=$(id -un)
    guest_user=$server_user
    group=
    as_server=()
    as_guest=()
    guest_flags=()
    echo "not root: the server and the Go process run as $server_user, and no group is used"
fi

# make_cluster <the built module>
make_cluster() {
    chmod 755 "$work"
    install -d -m 755 -o "$server_user" "$work/server"
    install -d -m 755 -o "$guest_user" "$work/guest"
    cp "$1" "$work/shmipc_go.so"
    (cd / && "${as_server[@]}" "$programs/initdb" -D "$work/server/data" -U postgres -A trust -E UTF8 \
        --locale=C.UTF-8 --no-sync) >"$work/initdb.txt"
    cat >>"$work/server/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/server'
max_connections = 50
fsync = off
shmipc_go.prefix = '$prefix'
shmipc_go.guest_group = '$group'
shmipc_go.socket = '$work/guest/socket'
END
}

# start_server [setting]...
start_server() {
    "${as_server[@]}" "$programs/postgres" -D "$work/server/data" "${@/#/--}" >>"$work/server.txt" 2>&1 &
    server=$!
}

server_is_ready() {
    "$programs/pg_isready" -q
}

start_guest() {
    "${as_guest[@]}" "$work/guest/program" -prefix "$prefix" "${guest_flags[@]}" -socket "$work/guest/socket" \
        2>>"$work/guest.txt" &
    guest=$!
}

# make_functions <this directory> <database>
make_functions() {
    psql -Xq -v ON_ERROR_STOP=1 -v module="$work/shmipc_go" -f "$1/functions.sql" "$2"
}
