#!/bin/bash
# Every case of the conformance suite under compute-sanitizer, each in a process of its own, several at once, the long ones first.
#
#     crates/millstream-cuda/tests/sanitize.sh memcheck|initcheck PROGRAM [PROCESSES [SECONDS]]
#
# PROGRAM is the test program: cargo test --release -p millstream-cuda --test conformance --no-run prints its path. Run it once without the sanitizer before, so that the kernels are in the
# cache. The cases may count on 512 MiB of the device's memory. A case that is not over within SECONDS (100) counts as not ended, never as passed.
# Prints a line for each case and a summary; ends with 0 when every case ended, passed and left the sanitizer without an error.
set -u
tool=$1 program=$2 processes=${3:-8} seconds=${4:-100}
sanitizer=${COMPUTE_SANITIZER:-compute-sanitizer}
export MILLSTREAM_CUDA_MEMORY_MIB=512
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

one() { # tool program case
    local begun=$SECONDS log=$4/$3
    timeout -s KILL "$5" "$6" --tool "$1" --error-exitcode 86 "$2" --exact "$3" >"$log" 2>&1
    local code=$? said='not ended'
    if [ $code = 0 ] && grep -q '^conformance suite: 1 cases run, 0 failed' "$log" && grep -q 'ERROR SUMMARY: 0 errors' "$log"; then
        said='ok'
    elif [ $code != 137 ]; then
        said="FAILED with $code"
        grep -m 6 -E '=========|FAIL|panicked' "$log" | sed 's/^/    /'
    fi
    printf '%-10s %4s s  %s\n' "$said" $((SECONDS - begun)) "$3"
}
export -f one

begun=$SECONDS
long='released_memory|two_operands|casts|the_greatest|a_fill_writes|many_threads|how_operands|one_operand|products|sums_and_means'
cases=$("$program" --list)
{ grep -E "$long" <<<"$cases"; grep -vE "$long" <<<"$cases"; } |
    xargs -P "$processes" -I CASE bash -c 'one "$@"' _ "$tool" "$program" CASE "$out" "$seconds" "$sanitizer" | tee "$out/.lines"
all=$(wc -l <<<"$cases") ok=$(grep -c '^ok ' "$out/.lines")
echo "compute-sanitizer $tool: $ok of $all cases ended with 0 errors, in $((SECONDS - begun)) s, $processes processes at once"
[ "$ok" = "$all" ]
