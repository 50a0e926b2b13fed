#!/bin/sh
# demo.sh - knackdb doing its job on this machine, end to end.
#
#     demo.sh BUILD_DIRECTORY [FOLDER]
#
# An agent learns on live work; a writer is killed while it stores; nothing that was acknowledged
# is lost; the log is replayed; everything comes out as CSV. Works below a temporary directory that
# is removed at the end, or in FOLDER, which stays. The exit status is 0 only if every check held.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ] || [ ! -x "$1/cli/knackdb" ]; then
    echo 'usage: demo.sh BUILD_DIRECTORY [FOLDER], with everything built' >&2
    exit 2
fi
build=$(CDPATH='' cd -- "$1" && pwd -P)
knackdb=$build/cli/knackdb
examples=$build/docs

if [ $# -gt 1 ]; then
    mkdir -p "$2"
    folder=$(CDPATH='' cd -- "$2" && pwd -P)
else
    folder=$(mktemp -d "${TMPDIR:-/tmp}/knackdb-demo.XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
fi
store=$folder/memory.knack

now_ms() { date +%s%3N; }
began_ms=$(now_ms)
step_number=0

# step WHAT COMMAND... - says what comes, does it, says how long it took; a failure ends the demo.
step() {
    step_number=$((step_number + 1))
    printf '\n%d. %s\n' "$step_number" "$1"
    shift
    step_began_ms=$(now_ms)
    if ! "$@"; then
        printf '\ndemo: step %d failed\n' "$step_number" >&2
        exit 1
    fi
    printf '   (%s)\n' "$(seconds_since "$step_began_ms")"
}

seconds_since() {
    elapsed_ms=$(($(now_ms) - $1))
    printf '%d.%03d s' $((elapsed_ms / 1000)) $((elapsed_ms % 1000))
}

# What a command prints goes into a file first: a pipe would hide that it failed.
shown() {
    printf '   $ knackdb'
    for word in "$@"; do
        case $word in
        *' '*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}

# Long lines are cut where a terminal would wrap them.
narrow() { cut -c 1-118 | sed 's/^/   /'; }

learn() { "$examples/learning_agent" "$store" "$@"; }

# The rows with a key sum up a way; those without are single runs.
best_ways() {
    set -- --where 'external_id is not null' --order-by score --limit 8 \
        --columns task_type,pattern_used,success_rate,usage_count,confidence_score,execution_time
    shown query memory.knack execution_patterns "$@"
    "$knackdb" query "$store" execution_patterns "$@" # a table on a terminal, CSV elsewhere
}

kill_writer() { "$examples/survive_kill" "$store" 3; }

check_bytes() {
    shown verify memory.knack
    "$knackdb" verify "$store" >"$folder/verify.txt" || return 1
    narrow <"$folder/verify.txt"
}

replay_last() {
    shown replay memory.knack '|' tail -n 6
    "$knackdb" replay "$store" >"$folder/replay.txt" || return 1
    [ -s "$folder/replay.txt" ] || return 1
    tail -n 6 "$folder/replay.txt" | narrow
}

dump_csv() {
    shown dump memory.knack -o csv
    "$knackdb" dump "$store" -o "$folder/csv" || return 1
    for table in execution_patterns user_preferences performance_metrics; do
        printf '   %s.csv, %s lines:\n' "$table" "$(wc -l <"$folder/csv/$table.csv")"
        head -n 3 "$folder/csv/$table.csv" | tr -d '\r' | narrow
    done
}

step 'An agent works on files of this machine and learns which way is best' learn
step 'What it has learned is in the store: ways to do things, the best score first' best_ways
step 'A writer is killed with SIGKILL while it stores, three times' kill_writer
step 'Every byte on disk is checked' check_bytes
step 'The agent goes on from what it knew' learn 1
step 'The last records of the replay log' replay_last
step 'All rows as CSV' dump_csv

printf '\nEvery check held. %s in all.\n' "$(seconds_since "$began_ms")"
