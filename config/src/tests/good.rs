//! What a right configuration means.

use std::time::Duration;

use super::loaded;
use crate::{
    Auth, Balance, KeyMaterial, LogFormat, MapEnv, Media, ModelOverride, Secret, Target, TimeoutOverrides, Trigger,
};

fn target(provider: &str, model: &str, weight: u32) -> Target {
    Target { provider: provider.to_owned(), model: model.to_owned(), weight, timeouts: TimeoutOverrides::default() }
}

#[test]
fn a_provider_of_ones_own_speaks_as_the_inventor_of_its_dialect() {
    let text = "
providers:
  a: { dialect: anthropic, base_url: \"http://10.0.0.5:8000/v1\", api_key: k, headers: {X-Team: a} }
  g: { dialect: gemini, base_url: https://g.example, auth: {query: key}, quirks: [odd] }
  o: { dialect: openai, base_url: https://o.example, auth: none, paths: {chat: /chat}, usage_in_stream: false }
";
    let config = loaded(text, &MapEnv::new());
    let [a, g, o] = &config.providers[..3] else { panic!("three are configured") };
    assert_eq!(a.auth, Auth::Header { name: "x-api-key".to_owned(), scheme: None, prefix: None });
    let headers = [("x-team", "a"), ("anthropic-version", "2023-06-01")];
    assert_eq!(a.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(a.base_url.path(&a.faces[0].path), "/v1/messages");
    assert_eq!((a.entry.as_str(), a.title.as_str(), a.key_header.as_str()), ("a", "a", "x-a-key"));
    assert!(a.models.prefixes.is_empty(), "names of Claude do not mean this server");
    assert_eq!(g.auth, Auth::Query { name: "key".to_owned() });
    assert_eq!((g.faces[0].dialect.as_str(), g.quirks.as_slice()), ("gemini", ["odd".to_owned()].as_slice()));
    assert_eq!(o.auth, Auth::None);
    assert_eq!((o.faces[0].path.as_str(), o.models_path.as_deref()), ("/chat", Some("/v1/models")));
    assert!(!o.usage_in_stream);
}

#[test]
fn a_second_provider_of_a_kind_has_a_header_of_its_own() {
    let text = "providers: { openai: {}, openai-eu: { type: openai, base_url: https://eu.api.openai.com } }";
    let config = loaded(text, &MapEnv::new().with_var("OPENAI_API_KEY", "key"));
    let [us, eu] = &config.providers[..2] else { panic!("two are configured") };
    assert_eq!((us.entry.as_str(), us.key_header.as_str()), ("openai", "x-openai-key"));
    assert_eq!((eu.entry.as_str(), eu.key_header.as_str()), ("openai", "x-openai-eu-key"));
    assert_eq!(eu.key.as_ref().map(Secret::expose), Some("key"), "the kind's variable serves both");
    assert!(eu.models.has("gpt-5"));
}

#[test]
fn pools_of_pools_become_one_list() {
    let text = "
models:
  fast: { balance: round-robin, targets: [sim/a, {model: sim/b, weight: 2}] }
  all: { targets: [{model: fast, weight: 3, timeouts: {total: 9s}}, sim-openai/org/c], timeouts: {total: 1m} }
  quick: fast
  smart: sim/d
";
    let config = loaded(text, &MapEnv::new());
    let fast = config.model("fast").expect("it is configured");
    assert_eq!(
        (fast.balance, fast.targets.clone()),
        (Balance::RoundRobin, vec![target("sim", "a", 1), target("sim", "b", 2)])
    );
    let all = config.model("all").expect("it is configured");
    let total = TimeoutOverrides { total: Some(Duration::from_secs(9)), ..TimeoutOverrides::default() };
    let expected = [
        Target { timeouts: total, ..target("sim", "a", 3) },
        Target { timeouts: total, ..target("sim", "b", 6) },
        target("sim-openai", "org/c", 1),
    ];
    assert_eq!(all.targets, expected);
    assert_eq!(all.timeouts.total, Some(Duration::from_mins(1)));
    let quick = config.model("quick").expect("it is configured");
    assert_eq!((quick.balance, &quick.targets), (Balance::RoundRobin, &fast.targets));
    assert_eq!(config.model("smart").expect("it is configured").targets, [target("sim", "d", 1)]);
}

#[test]
fn targets_that_cannot_answer_yet_are_warnings() {
    let text = "providers: {xai: {enabled: false}}\nmodels: {a: groq/llama, b: xai/grok, c: ollama/llama}";
    let config = loaded(text, &MapEnv::new());
    let warnings: Vec<_> = config.warnings.iter().map(|warning| warning.message.as_str()).collect();
    let expected = [
        "provider `groq` needs `GROQ_API_KEY`, or an entry under `providers`",
        "provider `xai` is switched off",
        "provider `ollama` needs `OLLAMA_BASE_URL`, or an entry under `providers`",
    ];
    assert_eq!(warnings, expected);
    assert_eq!(config.models.len(), 3);
}

#[test]
fn the_nearest_setting_wins() {
    let text = "
timeouts: { connect: 1s, first_event: 500ms }
layers: { failover: { attempts: 5 } }
models:
  m: { targets: [{ model: sim/a, timeouts: { first_event: 7s } }], layers: { failover: { on: [429, 4xx, connect] } } }
";
    let config = loaded(text, &MapEnv::new());
    assert_eq!(config.timeouts.connect, Duration::from_secs(1));
    assert_eq!(config.timeouts.total, Duration::from_mins(15));
    let model = &config.models[0];
    let timeouts = config.timeouts.with(&model.timeouts).with(&model.targets[0].timeouts);
    assert_eq!((timeouts.first_event, timeouts.connect), (Duration::from_secs(7), Duration::from_secs(1)));
    let failover = config.failover.clone().with(&model.failover);
    assert_eq!(failover.attempts, 5);
    assert_eq!(failover.on, [Trigger::Status(429), Trigger::StatusClass(4), Trigger::Connect]);
    assert!(config.failover.on.iter().any(|trigger| trigger.is_status(503)));
}

#[test]
fn routes_come_before_the_built_in_ones() {
    let text = "
models: { fast: sim/a }
limits: { body: 8MiB, head: 1000 }
routes:
  - { path: /team-a/chat, route_type: llm/v1/chat, model: fast, model_override: deny, strict: true, limits: {body: 1MiB} }
  - { path: /v1/messages, route_type: llm/v1/chat, dialect: anthropic, model: sim/x, timeouts: {total: 1h} }
  - { path: \"/raw/{provider}/{rest}\", route_type: passthrough, upgrade: true, methods: [GET, POST] }
";
    let config = loaded(text, &MapEnv::new());
    let [chat, messages, raw] = &config.routes[..3] else { panic!("three are configured") };
    assert_eq!(
        (chat.dialects.join(" "), chat.model_override, chat.strict),
        ("openai".to_owned(), ModelOverride::Deny, true)
    );
    assert_eq!((chat.limits.body, chat.limits.head, chat.limits.headers), (1 << 20, 1000, 100));
    assert_eq!((messages.limits.body, messages.model_override), (8 << 20, ModelOverride::Deny));
    assert_eq!(messages.timeouts.total, Some(Duration::from_hours(1)));
    assert!(raw.upgrade && !raw.builtin && raw.dialects.is_empty());
    assert!(config.routes[3..].iter().all(|route| route.builtin && route.limits.body == 8 << 20));
}

#[test]
fn keys_narrow_what_a_client_may_do() {
    let text = "
listen: 0.0.0.0:80
keys:
  - { name: alice, key: \"${ALICE}\", path: /org/alice, labels: {team: a}, models: [\"openai/*\"], routes: [\"/v1/*\"] }
  - { name: bob, hash: \"sha256:00ff000000000000000000000000000000000000000000000000000000000000\", expires: 2020-01-01 }
";
    let config = loaded(text, &MapEnv::new().with_var("ALICE", "lg-0123456789abcdef"));
    let [alice, bob] = config.keys.as_slice() else { panic!("two are configured") };
    assert_eq!(alice.material, KeyMaterial::Plain(Secret::new("lg-0123456789abcdef")));
    assert!(alice.allows_model("openai/gpt-5") && !alice.allows_model("groq/llama"));
    assert!(alice.allows_path("/v1/chat/completions") && !alice.allows_path("/p/openai/v1/files"));
    assert!(matches!(bob.material, KeyMaterial::Sha256(digest) if digest[..3] == [0, 0xff, 0]));
    assert!(bob.allows_model("anything"));
    assert_eq!(config.warnings[0].message, "key `bob` has expired");
}

#[test]
fn the_rest_of_the_settings_arrive() {
    let text = "
listeners:
  - { address: \"[::1]:8443\", tls: {cert: chain.pem, key: /abs/key.pem}, http2: false }
  - { address: localhost:9000 }
limits: { upload: 10MB, headers: 50, connections: 7 }
passthrough: { allow: [openai, \"groq/v1/files*\"], deny: [openai/v1/admin/*], v1_alias: false }
log: { format: json, level: \"info,lockgate=debug\", access: false }
server: { threads: 3 }
provider_keys: request
";
    let config = crate::load_str("/etc/lockgate/gateway.yaml", text, &MapEnv::new()).expect("the text is right");
    let tls = config.listeners[0].tls.as_ref().expect("the first listener has TLS");
    assert_eq!((tls.cert.to_str(), tls.key.to_str()), (Some("/etc/lockgate/chain.pem"), Some("/abs/key.pem")));
    assert_eq!(config.listeners[1].address.to_string(), "127.0.0.1:9000");
    assert_eq!((config.limits.upload, config.limits.headers, config.limits.connections), (10_000_000, 50, 7));
    assert!(config.passthrough.allows("openai", "v1/files") && config.passthrough.allows("groq", "v1/files/x"));
    assert!(!config.passthrough.allows("openai", "v1/admin/keys") && !config.passthrough.allows("groq", "v1/models"));
    assert_eq!((config.log.format, config.log.access, config.threads), (LogFormat::Json, false, 3));
}

#[test]
fn media_are_fetched_within_limits_unless_told_otherwise() {
    let media = loaded("", &MapEnv::new()).media;
    assert_eq!(media, Media::default());
    assert_eq!((media.fetch, media.max_bytes, media.max_redirects), (true, 20 << 20, 3));
    let text = "media: { fetch: false, max_bytes: 1MiB, timeout: 3s, max_redirects: 0, allow: [\"*.Corp.example\", 10.1.0.0/16, \"::1\"] }";
    let media = loaded(text, &MapEnv::new()).media;
    assert_eq!((media.fetch, media.max_bytes, media.timeout.as_secs(), media.max_redirects), (false, 1 << 20, 3, 0));
    let allow: Vec<_> = media.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["*.corp.example", "10.1.0.0/16", "::1/128"]);
    let config = loaded("media: { allow: [\"*\"] }", &MapEnv::new());
    assert!(config.warnings[0].message.contains("any machine"), "{}", config.warnings[0].message);
}

#[test]
fn secrets_are_never_shown() {
    let text = "
providers:
  openai: { api_key: sk-provider-secret }
  groq: { api_key: \"${GROQ}\", headers: {x-more: \"${GROQ}\"} }
keys: [{ name: a, key: gateway-secret-long }, { name: b, hash: \"sha256:abababababababababababababababababababababababababababababababab\" }]
";
    let env = MapEnv::new().with_var("GROQ", "sk-env-secret").with_var("XAI_API_KEY", "sk-xai-secret");
    let config = loaded(text, &env);
    let shown = format!("{config:?}{config:#?}{env:?}");
    for hidden in ["secret", "171, 171", "abab"] {
        assert!(!shown.contains(hidden), "`{hidden}` is shown");
    }
    assert!(shown.contains("[redacted]"));
    assert_eq!(config.providers[0].key.as_ref().map(ToString::to_string).as_deref(), Some("[redacted]"));
}
