#!/usr/bin/env bash
# Writes the report as a comment on the pull request, in the place of the one that an earlier run has written. Needs curl and jq.
# A comment that cannot be written is told of and is no failure: a pull request from a fork may not write any.
set -u

mark="<!-- phasegate report ${PHASEGATE_PROJECT:-.} -->"
api=${GITHUB_API_URL:-https://api.github.com}/repos/${GITHUB_REPOSITORY:-}/issues
report=${PHASEGATE_REPORT:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

give_up() {
    echo "::warning::the comment was not written: $1"
    exit 0
}

if [ ! -s "$report" ]; then give_up 'there is no report'; fi
for program in curl jq; do
    command -v "$program" >/dev/null || give_up "$program is missing"
done
number=$(jq -er '.pull_request.number' "${GITHUB_EVENT_PATH:-/dev/null}") || give_up 'this is no pull request'

# The token is not among the arguments, which everybody on the machine can read.
umask 077
printf 'header = "Authorization: Bearer %s"\nheader = "Accept: application/vnd.github+json"\nheader = "Content-Type: application/json"\n' "${PHASEGATE_TOKEN:-}" >"$work/curl"
call() {
    curl --silent --show-error --fail --max-time 30 --retry 2 --config "$work/curl" "$@"
}

# GitHub takes 65,536 characters.
jq -Rs --arg mark "$mark" '{ body: ($mark + "\n" + .)[0:65000] }' "$report" >"$work/body"

found=
page=1
while [ "$page" -le 30 ]; do
    call "$api/$number/comments?per_page=100&page=$page" >"$work/page" || give_up 'the comments cannot be read'
    found=$(jq -r --arg mark "$mark" '[.[] | select(.body | startswith($mark))][0].id // empty' "$work/page") \
        || give_up 'the comments cannot be read'
    if [ -n "$found" ] || [ "$(jq length "$work/page")" -lt 100 ]; then break; fi
    page=$((page + 1))
done

if [ -n "$found" ]; then
    call --request PATCH --data-binary "@$work/body" "$api/comments/$found" >/dev/null || give_up 'it cannot be changed'
else
    call --request POST --data-binary "@$work/body" "$api/$number/comments" >/dev/null || give_up 'it cannot be made; does the job have the permission `pull-requests: write`?'
fi
