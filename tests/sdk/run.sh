#!/bin/sh
# The official SDKs against the real binary: Python with pytest, Node with its own runner.
#   LOCKGATE_BIN     the gateway (default: target/debug/lockgate of this workspace)
#   LOCKGATE_CORPUS  recorded provider traffic (default: ../shared/fixtures beside the project)
# Arguments go to pytest. Ends what it started, whatever happens; fails when a runner fails.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=${LOCKGATE_BIN:-$root/target/debug/lockgate}
work=$root/target/sdk
venv=$root/target/sdk-venv
export LOCKGATE_CORPUS="${LOCKGATE_CORPUS:-$root/../shared/fixtures}"
mkdir -p "$work"
[ -x "$bin" ] || { echo "no gateway at $bin: build it, or set LOCKGATE_BIN" >&2; exit 2; }

# Installs once for each state of the two lists.
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    # Not by the script `pip`: it names the folder that it was made in, and a copied workspace has another.
    python3 -m venv "$venv" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" &&
        cp "$here/requirements.txt" "$venv/installed.txt" || exit 2
fi
if ! cmp -s "$here/package-lock.json" "$here/node_modules/.installed.json"; then
    (cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) &&
        cp "$here/package-lock.json" "$here/node_modules/.installed.json" || exit 2
fi

free_ports() {
    "$venv/bin/python" -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in held))'
}
read -r port upstream_port tls_port <<PORTS
$(free_ports)
PORTS
"$venv/bin/python" "$here/python/certificate.py" "$work" || exit 2
cat >"$work/lockgate.yaml" <<YAML
listeners:
  - address: 127.0.0.1:$port
  - {address: "127.0.0.1:$tls_port", tls: {cert: "$work/chain.pem", key: "$work/key.pem"}}
keys: [{name: sdk, key: sk-test}]
providers:
  up-openai: {dialect: openai, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up, models: [listed]}
  up-openai-responses: {dialect: openai, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up, paths: {responses: /v1/responses}}
  up-anthropic: {dialect: anthropic, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up, auth: {header: x-api-key}}
  up-openai-completions: {dialect: openai, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up, paths: {completions: /v1/completions}}
  up-gemini: {dialect: gemini, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up, auth: {header: x-goog-api-key}}
  up-bedrock: {dialect: bedrock, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up}
  up-bedrock-anthropic: {type: bedrock-anthropic, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up}
  up-cohere: {dialect: cohere, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up}
  up-ollama: {dialect: ollama, base_url: "http://127.0.0.1:$upstream_port", api_key: sk-up}
models:
  pool: {balance: failover, targets: [sim-openai/error=503, sim-anthropic/echo]}
timeouts: {connect: 1s, first_event: 1s, between_events: 1s, total: 30s}
YAML

"$bin" serve --config "$work/lockgate.yaml" >"$work/lockgate.log" 2>&1 &
gateway=$!
trap 'kill "$gateway" 2>/dev/null; wait "$gateway" 2>/dev/null' EXIT
trap 'exit 130' INT TERM
tries=0
until "$venv/bin/python" -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/health', timeout=1)" 2>/dev/null; do
    tries=$((tries + 1))
    kill -0 "$gateway" 2>/dev/null && [ "$tries" -lt 100 ] || { echo "the gateway did not start:" >&2; tail -20 "$work/lockgate.log" >&2; exit 2; }
    sleep 0.1
done

export LOCKGATE_TLS_URL="https://127.0.0.1:$tls_port" LOCKGATE_CA="$work/chain.pem"
export LOCKGATE_BIN="$bin" LOCKGATE_URL="http://127.0.0.1:$port" LOCKGATE_KEY=sk-test LOCKGATE_UPSTREAM_PORT="$upstream_port"
failed=0
"$venv/bin/python" -m pytest -q -p no:cacheprovider "$here/python" "$@" || failed=1
if ! (cd "$here" && node --test --test-concurrency=1 --test-reporter=spec node/*.test.mjs) >"$work/node.log" 2>&1; then
    failed=1
    grep -n '✖' "$work/node.log" | sed '/failing tests/,$d' | head -60
    echo "more in $work/node.log"
fi
grep -E '^ℹ (tests|pass|fail|skipped|duration)' "$work/node.log"
kill -0 "$gateway" 2>/dev/null || { echo "the gateway ended during the tests:" >&2; tail -20 "$work/lockgate.log" >&2; failed=1; }
exit "$failed"
