#!/usr/bin/env bash
# Checks, plans and asks, and writes what came of it as Markdown: what action.yml does, but for the comment. What it is asked for is
# in the environment, as action.yml sets it; nothing of it is run as a command. Ends with the first exit code that is not 0.
set -u

migrate=${PHASEGATE_MIGRATE:-migrate}
project=${PHASEGATE_PROJECT:-.}
report=$(mktemp "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/phasegate-report.XXXXXX")
worst=0

# The first thing that is wrong decides; what comes after it is still shown.
keep() {
    if [ "$worst" -eq 0 ]; then worst=$1; fi
}

# Runs a question and puts its answer into the report, or where there is none what was said about it.
ask() {
    local code=0 said
    said=$(mktemp)
    "$migrate" -C "$project" "$@" --output markdown >>"$report" 2>"$said" || code=$?
    cat "$said" >&2
    case $code in
        0 | 10 | 11 | 12) ;;
        *)
            {
                echo "### \`migrate $1\` failed (exit code $code)"
                echo
                sed 's/^/    /' "$said"
            } >>"$report"
            ;;
    esac
    echo >>"$report"
    rm -f "$said"
    keep "$code"
}

# One option for each word of a list.
each() {
    local option=$1 word
    local -a words
    read -r -a words <<<"${2//$'\n'/ }"
    options=()
    for word in ${words[@]+"${words[@]}"}; do options+=("$option" "$word"); done
}

# The annotations, and the part of the summary that says what was found.
"$migrate" -C "$project" check --output github
ask check
asked=$(wc -c <"$report")

each --to "${PHASEGATE_TO:-}"
to=(${options[@]+"${options[@]}"})
if [ "${#to[@]}" -gt 0 ]; then
    each --from "${PHASEGATE_FROM:-}"
    from=(${options[@]+"${options[@]}"})
    each --via "${PHASEGATE_VIA:-}"
    ask plan "${to[@]}" ${from[@]+"${from[@]}"} ${options[@]+"${options[@]}"}
fi
if [ -n "${PHASEGATE_GATE:-}" ]; then
    read -r -a words <<<"${PHASEGATE_GATE//$'\n'/ }"
    ask gate "${words[@]}"
fi

if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    # `check` has added its own part.
    tail -c "+$((asked + 1))" "$report" >>"$GITHUB_STEP_SUMMARY"
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    {
        echo "code=$worst"
        echo "report=$report"
    } >>"$GITHUB_OUTPUT"
else
    cat "$report"
fi
exit "$worst"
