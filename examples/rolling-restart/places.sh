# What runs in which place, and what HAProxy knows of it: for deploy.sh and errors.sh.

servers='server-1 server-2'
places='server-1-a server-1-b server-2-a server-2-b'

fail() {
    echo "deploy: $1" >&2
    exit 1
}

# ---- Processes. run/PLACE.pid holds the process that is in a place, and its version.

address() {
    case $1 in server-1-*) host=$SERVER_1 ;; *) host=$SERVER_2 ;; esac
    case $1 in *-a) echo "$host:8001" ;; *) echo "$host:8002" ;; esac
}

# A process that has ended may stay in the process table until somebody asks how it ended.
runs() {
    kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

pid_in() {
    pid=
    [ ! -e "run/$1.pid" ] || read -r pid _ <"run/$1.pid"
    [ -n "$pid" ] && runs "$pid" && echo "$pid"
}

version_in() {
    pid_in "$1" >/dev/null && read -r _ version <"run/$1.pid" && echo "$version"
}

# ---- The proxy.

proxy() {
    answer=$(echo "$1" | socat -t 10 - UNIX-CONNECT:run/haproxy.sock) || fail 'HAProxy does not answer'
    [ -z "$answer" ] || echo "$answer"
}

# Something that HAProxy knows about a place: scur (requests now), check_status, …
figure() {
    proxy 'show stat' | awk -F, -v place="$1" -v name="$2" '
        NR == 1 { sub(/^# /, ""); for (i = 1; i <= NF; i++) at[$i] = i }
        $1 == "web" && $2 == place { print $at[name] }'
}
