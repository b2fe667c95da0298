#!/usr/bin/env bash
# Passes every example configuration through `lockgate check`: deploy/check.sh [program]
#
# Secrets stand for themselves here: a check reads no key but asks that each be there.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-lockgate}
export ALICE_KEY=check-alice-0123456789 CI_KEY=check-ci-0123456789abc GATEWAY_KEY=check-gateway-0123456789
export OPENAI_API_KEY=check ANTHROPIC_API_KEY=check GEMINI_API_KEY=check GROQ_API_KEY=check
for file in deploy/config/*.yaml config/data/example.yaml; do
    if ! told=$("$program" check "$file" 2>&1); then
        printf '%s is refused:\n%s\n' "$file" "$told" >&2
        exit 1
    fi
    echo "$file: fine"
done
