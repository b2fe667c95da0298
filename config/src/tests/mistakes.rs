//! One fixture per mistake: what is said about it, and where.

use super::refused;
use crate::MapEnv;

fn env() -> MapEnv {
    MapEnv::new().with_var("WRONG", "sk-hidden").with_var("SEVEN", "7").with_file("/multi", "a\nb")
}

/// Asserts that a text has exactly one mistake; `expected` is `line:column path: message`.
#[track_caller]
fn one(text: &str, expected: &str) {
    let report = refused(text, &env());
    let found: Vec<String> = report
        .problems
        .iter()
        .map(|problem| format!("{}:{} {}: {}", problem.line, problem.column, problem.path, problem.message))
        .collect();
    assert_eq!(found, [expected], "for:\n{text}");
}

#[test]
fn a_report_has_a_block_for_each_mistake() {
    let text = "listen: 127.0.0.1:80\nprovders:\n  openai: {}\nlog: { format: jsn }\n";
    let expected = "\
gateway.yaml:2:1: unknown key `provders`, did you mean `providers`?
  at /provders
gateway.yaml:4:16: unknown value `jsn`, did you mean `json`?
  at /log/format";
    assert_eq!(refused(text, &env()).to_string(), expected);
}

#[test]
fn all_mistakes_of_the_form_come_at_once() {
    let text = "
listen: [x]
server: { threads: many }
timeouts: { connect: 5, totl: 1s }
models:
  a: { balance: faster, targets: sim/a }
keys: [{ key: x }]
";
    let report = refused(text, &env());
    let found: Vec<_> =
        report.problems.iter().map(|problem| (problem.line, problem.column, problem.message.as_str())).collect();
    let expected = [
        (2, 1, "expected a string, found a list"),
        (3, 20, "expected a whole number, found a string"),
        (4, 22, "expected a duration with a unit, such as `10s`, found the number `5`"),
        (4, 25, "unknown key `totl`, did you mean `total`?"),
        (6, 17, "unknown value `faster`, expected `failover` or `round-robin`"),
        (6, 34, "expected a list, found a string"),
        (7, 8, "missing key `name`"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn all_mistakes_of_the_meaning_come_at_once() {
    let text = "
listen: 0.0.0.0:80
providers: { opnai: {}, x: { dialect: antropic, base_url: host } }
models: { a: opnrouter/x, b: c }
timeouts: { connect: 5 }
routes: [{ path: v1, route_type: llm/v1/chats, dialect: gemni }]
";
    let text = text.replace("connect: 5 ", "connect: 5x ");
    let report = refused(&text, &env());
    let places: Vec<_> = report.problems.iter().map(|problem| problem.path.as_str()).collect();
    let expected = [
        "/listen",
        "/providers/opnai",
        "/providers/x/dialect",
        "/providers/x/base_url",
        "/models/a",
        "/models/b",
        "/timeouts/connect",
        "/routes/0/path",
        "/routes/0/route_type",
        "/routes/0/dialect",
    ];
    assert_eq!(places, expected);
}

#[test]
fn keys() {
    one("zzzzzzzz: 1\n", "1:1 /zzzzzzzz: unknown key `zzzzzzzz`");
    one(
        "providers:\n  openai:\n    api_kye: x\n",
        "3:5 /providers/openai/api_kye: unknown key `api_kye`, did you mean `api_key`?",
    );
    one("open: true\nlog: {}\nopen: false\n", "3:1 /open: duplicate key `open`, it is already on line 1");
    one("listeners:\n  - http2: true\n", "2:5 /listeners/0: missing key `address`");
    one("listeners:\n  - address: 127.0.0.1:1\n    tls: { cert: x }\n", "3:5 /listeners/0/tls: missing key `key`");
}

#[test]
fn values() {
    one("open: yes\n", "1:7 /open: expected `true` or `false`, found a string");
    one("server: {threads: -1}\n", "1:19 /server/threads: `-1` is too small, expected at least 0");
    one("server: {threads: 5000}\n", "1:19 /server/threads: `5000` is too large, expected at most 1024");
    one("server: {threads: 1.5}\n", "1:19 /server/threads: expected a whole number, found the number `1.5`");
    one("limits: {headers: 0}\n", "1:19 /limits/headers: `0` is too small, expected at least 1");
    one("- a\n", "1:1 : expected a mapping, found a list");
    one("limits: { body: true }\n", "1:17 /limits/body: expected a size, such as `32MiB`, found `true`");
    one("limits: { body: 0 }\n", "1:17 /limits/body: a size must be more than zero");
    one("timeouts: { total: \"10\" }\n", "1:20 /timeouts/total: duration `10` has no unit, write `10s` for seconds");
    one(
        "log: { level: verbose }\n",
        "1:15 /log/level: unknown level `verbose`, expected `off`, `error`, `warn`, `info`, `debug` or `trace`",
    );
}

#[test]
fn settings_where_they_have_no_effect() {
    let near = "is about the client, before a target is chosen: set it for a route or at the top";
    one(
        "providers: {openai: {timeouts: {body: 5s}}}\n",
        &format!("1:33 /providers/openai/timeouts/body: `body` has no effect here, it {near}"),
    );
    one(
        "models: {a: {targets: [sim/a], timeouts: {write: 5s}}}\n",
        "1:43 /models/a/timeouts/write: `write` has no effect here, it is about the client, whoever answers: set it for \
         a route or at the top",
    );
    one(
        "models: {a: {targets: [{model: sim/a, timeouts: {body: 5s}}]}}\n",
        &format!("1:50 /models/a/targets/0/timeouts/body: `body` has no effect here, it {near}"),
    );
    one(
        "routes: [{path: /a, route_type: llm/v1/chat, timeouts: {idle: 5s}}]\n",
        "1:57 /routes/0/timeouts/idle: `idle` has no effect here, it belongs to a connection, which may serve several \
         routes: set it at the top",
    );
    let passes = "this has no effect on a route of type `passthrough`";
    for (setting, column, path) in [
        ("model: sim/a", 66, "model"),
        ("strict: true", 67, "strict"),
        ("limits: {body: 1MiB}", 74, "limits/body"),
        ("layers: {failover: {attempts: 1}}", 59, "layers"),
    ] {
        one(
            &format!("routes: [{{path: \"/a/{{provider}}\", route_type: passthrough, {setting}}}]\n"),
            &format!("1:{column} /routes/0/{path}: {passes}"),
        );
    }
    one(
        "routes: [{path: /a, route_type: llm/v1/chat, upgrade: true}]\n",
        "1:55 /routes/0/upgrade: this has no effect on a route of type `llm/v1/chat`",
    );
    one(
        "limits: {head: 2MiB}\n",
        "1:16 /limits/head: a request head of 2097152 bytes is too large, expected at most `1MB`",
    );
    one("limits: {headers: 300}\n", "1:19 /limits/headers: `300` is too large, expected at most 256");
}

#[test]
fn yaml() {
    one("a: [\n", "2:1 /a/0: invalid yaml: while parsing a node, did not find expected node content");
    one("a: {b: !x 1}\n", "1:8 /a/b: tag `!x` is not supported");
}

#[test]
fn the_environment() {
    one(
        "listen: ${NOWHERE}\n",
        "1:9 /listen: environment variable `NOWHERE` is not set; set it, or write `${NOWHERE:-default}`",
    );
    one("log:\n  level: ${X\n", "2:10 /log/level: `${` has no closing `}`; write `$${` for the characters themselves");
    // What came from the environment is not shown.
    one("log:\n  format: ${WRONG}\n", "2:11 /log/format: unknown value, expected `human` or `json`");
    one("open: ${SEVEN}\n", "1:7 /open: expected `true` or `false`, found a value of another type");
}

#[test]
fn listeners() {
    let wants = "expected an IP address and a port, such as `127.0.0.1:8080`";
    one("listen: somewhere\n", &format!("1:9 /listen: invalid address `somewhere`, {wants}"));
    one("listen: \":8080\"\n", "1:9 /listen: invalid address `:8080`, expected `127.0.0.1:8080`");
    one(
        "listen: 127.0.0.1:1\nlisteners: [{address: 127.0.0.1:2}]\n",
        "1:9 /listen: expected either `listen` or `listeners`",
    );
    one(
        "listeners:\n  - address: 127.0.0.1:2\n  - address: 127.0.0.1:2\n",
        "3:14 /listeners/1/address: duplicate address `127.0.0.1:2`",
    );
    let open = "and there are no `keys`; add a key, listen on `127.0.0.1`, or set `open: true`";
    one("listen: 0.0.0.0:80\n", &format!("1:9 /listen: other machines can reach `0.0.0.0:80` {open}"));
    one(
        "listeners:\n  - address: 127.0.0.1:2\n  - address: \"[::]:3\"\n",
        &format!("3:14 /listeners/1/address: other machines can reach `[::]:3` {open}"),
    );
}

#[test]
fn providers() {
    one(
        "providers:\n  opnai: {}\n",
        "2:3 /providers/opnai: unknown provider `opnai`, did you mean `openai`? \
         (one of your own needs `dialect` and `base_url`)",
    );
    one(
        "providers:\n  eu: { type: opnai }\n",
        "2:15 /providers/eu/type: unknown provider type `opnai`, did you mean `openai`?",
    );
    one("providers: {x: {dialect: openai}}\n", "1:13 /providers/x: missing key `base_url`");
    one(
        "providers: {x: {base_url: http://h}}\n",
        "1:13 /providers/x: missing key `dialect`, expected `openai`, `anthropic`, `gemini`, `bedrock`, `cohere` or `ollama`",
    );
    one(
        "providers: {x: {dialect: opeanai, base_url: http://h}}\n",
        "1:26 /providers/x/dialect: unknown dialect `opeanai`, did you mean `openai`?",
    );
    one(
        "providers: {openai: {base_url: \"https://u:secret@h\"}}\n",
        "1:32 /providers/openai/base_url: invalid base url, a name or password cannot stand in a base url, \
         use `api_key` and `auth`",
    );
    one(
        "providers: {openai: {auth: {scheme: Bearer}}}\n",
        "1:22 /providers/openai/auth: expected either `header`, with or without `scheme` and `prefix`, or `query`",
    );
    one("providers: {openai: {auth: non}}\n", "1:28 /providers/openai/auth: unknown value `non`, did you mean `none`?");
    one(
        "providers: {openai: {api_key: {env: A, file: b}}}\n",
        "1:22 /providers/openai/api_key: expected either `env` or `file`",
    );
    let name = "expected the bare name of a variable, such as `OPENAI_API_KEY`";
    one(
        "providers: {openai: {api_key: {env: \"${WRONG}\"}}}\n",
        &format!("1:37 /providers/openai/api_key/env: {name}"),
    );
    one("providers: {openai: {headers: {a: b, A: c}}}\n", "1:41 /providers/openai/headers/A: duplicate header `A`");
    one(
        "providers: {openai: {api_key: {file: /multi}}}\n",
        "1:22 /providers/openai/api_key: a key may hold only visible ASCII characters",
    );
    one(
        "providers: {openai: {api_key: [x]}}\n",
        "1:22 /providers/openai/api_key: expected a string such as `${NAME}`, `{env: NAME}` or `{file: path}`, found a list",
    );
    one("providers: {openai: sk-secret}\n", "1:21 /providers/openai: expected a mapping, found a string");
    one(
        "providers: {openai: {headers: {\"a b\": c}}}\n",
        "1:39 /providers/openai/headers/a b: invalid header name `a b`",
    );
    one(
        "providers: {openai: {paths: {chat: chat}}}\n",
        "1:36 /providers/openai/paths/chat: invalid path `chat`, expected one that begins with `/`",
    );
    one(
        "providers: {openai: {}, other: {type: openai, key_header: X-OpenAI-Key}}\n",
        "1:59 /providers/other/key_header: header `x-openai-key` is already that of provider `openai`",
    );
    one(
        "providers: {a/b: {dialect: openai, base_url: http://h}}\n",
        "1:13 /providers/a~1b: invalid provider name `a/b`, expected letters, digits, `-`, `_` and `.`",
    );
    one(
        "passthrough: {deny: [opnai/x]}\n",
        "1:22 /passthrough/deny/0: unknown provider `opnai`, did you mean `openai`?",
    );
}

#[test]
fn models() {
    one("models: {a: opnai/x}\n", "1:13 /models/a: unknown provider `opnai`, did you mean `openai`?");
    one("models: {a: sim/}\n", "1:13 /models/a: expected a model after `sim/`");
    one(
        "models:\n  fast: sim/a\n  b: { targets: [{model: fsat}] }\n",
        "3:26 /models/b/targets/0/model: unknown model `fsat`, did you mean `fast`? \
         (expected `provider/model` or a name of `models`)",
    );
    one("models: {a: {targets: []}}\n", "1:14 /models/a/targets: expected at least one target");
    one("models: {a: {}}\n", "1:10 /models/a: missing key `targets`");
    one(
        "models:\n  z: sim/a\n  a: b\n  b: {targets: [sim/a, c]}\n  c: a\n",
        "3:6 /models/a: models name each other in a circle: `a` → `b` → `c` → `a`",
    );
    one("models: {a: a}\n", "1:13 /models/a: models name each other in a circle: `a` → `a`");
    one(
        "models: {a: {targets: [{model: sim/a, weight: 0}]}}\n",
        "1:47 /models/a/targets/0/weight: `0` is too small, expected at least 1",
    );
    one(
        "layers: {failover: {on: [conect]}}\n",
        "1:26 /layers/failover/on/0: unknown failure `conect`, did you mean `connect`? (or a status such as `429`)",
    );
    one(
        "layers: {failover: {on: [200]}}\n",
        "1:26 /layers/failover/on/0: status `200` is no failure, expected 400 to 599",
    );
}

#[test]
fn routes() {
    let route = |rest: &str| format!("routes:\n  - {{ path: /x, route_type: llm/v1/chat, {rest} }}\n");
    one(
        "routes: [{path: /x, route_type: llm/v1/chta}]\n",
        "1:33 /routes/0/route_type: unknown route type `llm/v1/chta`, did you mean `llm/v1/chat`?",
    );
    one(
        "routes: [{path: x, route_type: llm/v1/chat}]\n",
        "1:17 /routes/0/path: invalid path `x`, expected `/` at its beginning",
    );
    one(
        "routes: [{path: /x, route_type: passthrough}]\n",
        "1:17 /routes/0/path: path `/x` of a passthrough must capture `{provider}`",
    );
    one(&route("methods: [post]"), "2:52 /routes/0/methods/0: unknown method `post`, did you mean `POST`?");
    one(&route("model: opnai/x"), "2:49 /routes/0/model: unknown provider `opnai`, did you mean `openai`?");
    one(
        &route("model: fast"),
        "2:49 /routes/0/model: unknown model `fast` (expected `provider/model` or a name of `models`)",
    );
    one(
        &format!("{}  - {{ path: /x, route_type: llm/v1/chat }}\n", route("")),
        "3:13 /routes/1/path: route `/x` already serves these requests",
    );
}

#[test]
fn gateway_keys() {
    one("keys: [{name: a}]\n", "1:8 /keys/0: key `a` needs either `key` or `hash`");
    one(
        "keys: [{name: a, hash: \"sha256:12\"}]\n",
        "1:24 /keys/0/hash: invalid hash, expected `sha256:` and 64 hexadecimal digits",
    );
    // A gateway with its keys left out might be open to everybody.
    one("keys: [{name: a, key: \"${NOWHERE}\"}]\n", "1:23 /keys/0/key: key `a` cannot be read, `NOWHERE` is not set");
    one(
        "keys:\n  - {name: a, key: 0123456789abcdef-x}\n  - {name: a, key: 0123456789abcdef-y}\n",
        "3:12 /keys/1/name: duplicate key name `a`",
    );
    one(
        "keys:\n  - {name: a, key: 0123456789abcdef-x}\n  - {name: b, key: 0123456789abcdef-x}\n",
        "3:5 /keys/1: key `b` is the same as key `a`",
    );
    one(
        "keys: [{name: a, key: 0123456789abcdef-x, expires: soon}]\n",
        "1:52 /keys/0/expires: invalid time `soon`, expected one such as `2027-01-01T00:00:00Z`",
    );
    one(
        "keys: [{name: a, key: 0123456789abcdef-x, routes: [v1]}]\n",
        "1:52 /keys/0/routes/0: invalid path pattern `v1`, expected `/` at its beginning",
    );
}

#[test]
fn exemptions_of_media_are_hosts_or_networks() {
    one(
        "media: { allow: [10.1.2.3/16] }",
        "1:18 /media/allow/0: network `10.1.2.3/16` has bits beyond its prefix, did you mean `10.1.0.0/16`?",
    );
    one(
        "media: { allow: [a.example, \"http://b.example\"] }",
        "1:29 /media/allow/1: invalid host `http://b.example`, expected a host such as `*.example.com`, without scheme and port, or a network such as `10.1.0.0/16`",
    );
    one("media: { max_redirects: 11 }", "1:25 /media/max_redirects: `11` is too large, expected at most 10");
    one("media: { max_byte: 1MiB }", "1:10 /media/max_byte: unknown key `max_byte`, did you mean `max_bytes`?");
}
