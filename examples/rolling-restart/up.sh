#!/bin/sh
# Starts HAProxy, with nothing behind it yet: sh up.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
mkdir -p run
haproxy -D -f "$here/haproxy.cfg" -p run/haproxy.pid
