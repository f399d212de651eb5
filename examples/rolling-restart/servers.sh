# Where everything is, for up.sh and deploy.sh. On Linux, every address that begins with 127 is this machine.
SERVER_1=${SERVER_1:-127.0.1.1}
SERVER_2=${SERVER_2:-127.0.1.2}
PROXY=${PROXY:-127.0.0.1:8080}
export SERVER_1 SERVER_2 PROXY
