#!/bin/sh
# Runs every fuzz target for SECONDS (60 unless told), or only those that are named:
#   fuzz/run.sh [SECONDS] [TARGET...]
#
# Needs a stable toolchain and a C++ compiler (libFuzzer is compiled from libfuzzer-sys). The coverage instrumentation
# is an LLVM pass that stable rustc can run; there is no unsafe code for an address sanitizer to watch.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -gt 0 ] && shift

if ! command -v "${CXX:-c++}" >/dev/null 2>&1; then
    echo "SKIPPED: fuzzing needs a C++ compiler, none is installed" >&2
    exit 0
fi

host=$(rustc -vV | sed -n 's/^host: //p')
# With --target, build scripts and macros are built without the instrumentation.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --release --locked --bins --target "$host"

bin=${CARGO_TARGET_DIR:-target}/$host/release
failed=
for target in ${*:-$(ls fuzz_targets | sed 's/\.rs$//')}; do
    mkdir -p "corpus/$target" "artifacts/$target"
    echo "== $target, $seconds s"
    if "$bin/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target"; then
        continue
    fi
    failed="$failed $target"
done
if [ -n "$failed" ]; then
    echo "FAILED:$failed (inputs are in fuzz/artifacts/)" >&2
    exit 1
fi
