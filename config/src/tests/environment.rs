//! What the environment switches on, moves, and gives keys to.

use super::{loaded, refused};
use crate::{MapEnv, ProviderKeys, Secret};

fn names(text: &str, env: &MapEnv) -> Vec<String> {
    loaded(text, env).providers.into_iter().map(|provider| provider.name).collect()
}

const SIMULATORS: [&str; 9] = [
    "sim",
    "sim-openai",
    "sim-openai-responses",
    "sim-openai-completions",
    "sim-anthropic",
    "sim-gemini",
    "sim-cohere",
    "sim-ollama",
    "sim-bedrock",
];

#[test]
fn without_a_file_the_simulators_are_on() {
    let config = loaded("", &MapEnv::new());
    assert_eq!(names("", &MapEnv::new()), SIMULATORS);
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:8080");
    assert!(config.listeners[0].http2 && config.listeners[0].tls.is_none());
    assert!(config.warnings.is_empty());
}

#[test]
fn configured_ones_come_before_those_of_the_environment() {
    let env =
        MapEnv::new().with_var("OPENAI_API_KEY", "a").with_var("MISTRAL_API_KEY", "b").with_var("XAI_API_KEY", " ");
    let expected = [["mistral", "openai"].as_slice(), &SIMULATORS].concat();
    assert_eq!(names("providers: {mistral: }", &env), expected);
}

#[test]
fn the_first_variable_that_is_set_gives_the_key() {
    let env = MapEnv::new().with_var("GOOGLE_API_KEY", "second").with_var("GOOGLE_GENERATIVE_AI_API_KEY", "third");
    let config = loaded("", &env);
    assert_eq!(config.providers[0].name, "gemini");
    assert_eq!(config.providers[0].key.as_ref().map(Secret::expose), Some("second"));
}

#[test]
fn local_servers_wait_for_their_address() {
    let env = MapEnv::new().with_var("OLLAMA_API_KEY", "key");
    assert_eq!(names("", &env), SIMULATORS);
    let config = loaded("", &env.with_var("OLLAMA_BASE_URL", "http://10.0.0.9:11434/v1"));
    let ollama = config.provider("ollama").expect("its address is set");
    assert_eq!(ollama.base_url.path(&ollama.faces[0].path), "/v1/chat/completions");
    assert_eq!(ollama.base_url.authority, "10.0.0.9:11434");
    let native = ollama.face("ollama").expect("it speaks its own dialect too");
    assert_eq!(ollama.base_url.path(&native.path), "/api/chat", "not under the version of the other one");
    let config = loaded("providers: {ollama: {}}", &MapEnv::new());
    let ollama = config.provider("ollama").expect("it is configured");
    assert_eq!(ollama.key_missing, None, "a local server needs no key");
}

#[test]
fn a_provider_of_ones_own_may_have_its_address_in_the_environment() {
    let env = MapEnv::new().with_var("HOUSE_VLLM_BASE_URL", "http://10.0.0.5:8000");
    let config = loaded("providers: {house-vllm: {dialect: openai}}", &env);
    assert_eq!(config.providers[0].base_url.to_string(), "http://10.0.0.5:8000");
    assert_eq!(config.providers[0].key_missing, None, "nobody said that it wants a key");
}

#[test]
fn the_file_wins_over_the_address_in_the_environment() {
    let env = MapEnv::new().with_var("OPENAI_BASE_URL", "https://env.example/v1").with_var("OPENAI_API_KEY", "key");
    let url = |text| loaded(text, &env).provider("openai").expect("its key is set").base_url.to_string();
    assert_eq!(url(""), "https://env.example/v1");
    assert_eq!(url("providers: {openai: {base_url: https://file.example}}"), "https://file.example");
}

#[test]
fn a_wrong_address_in_the_environment_is_named_by_its_variable() {
    let env = MapEnv::new().with_var("OLLAMA_BASE_URL", "10.0.0.9:11434");
    let report = refused("", &env);
    assert_eq!(
        report.to_string(),
        "gateway.yaml: invalid `OLLAMA_BASE_URL`, expected `http://` or `https://` at its beginning\n  \
         at /providers/ollama/base_url"
    );
}

#[test]
fn a_missing_provider_key_is_a_warning() {
    let config = loaded("providers:\n  openai: { api_key: \"${OPENAI_API_KEY}\" }\n  groq:\n", &MapEnv::new());
    let openai = config.provider("openai").expect("it is configured");
    assert_eq!((openai.key.is_none(), openai.key_missing.as_deref()), (true, Some("`OPENAI_API_KEY` is not set")));
    let warnings: Vec<_> = config.warnings.iter().map(|warning| (warning.line, warning.message.as_str())).collect();
    let end = "only callers with a key of their own can use it";
    assert_eq!(
        warnings,
        [
            (2, format!("provider `openai` has no key, `OPENAI_API_KEY` is not set; {end}").as_str()),
            (3, format!("provider `groq` has no key, `GROQ_API_KEY` is not set; {end}").as_str()),
        ]
    );
}

#[test]
fn secrets_come_from_files_beside_the_configuration() {
    let env = MapEnv::new().with_file("/etc/lockgate/openai.key", "sk-file\n").with_var("X", "sk-var");
    let text = "providers:\n  openai: { api_key: { file: openai.key } }\n  groq: { api_key: { env: X } }\n  \
                xai: { api_key: { file: nowhere } }\n";
    let config = crate::load_str("/etc/lockgate/gateway.yaml", text, &env).expect("the text is right");
    let key = |name| config.provider(name).and_then(|provider| provider.key.as_ref()).map(Secret::expose);
    assert_eq!((key("openai"), key("groq"), key("xai")), (Some("sk-file"), Some("sk-var"), None));
    let missing = config.provider("xai").and_then(|provider| provider.key_missing.as_deref());
    assert_eq!(missing, Some("cannot read `nowhere`: entity not found"));
}

#[test]
fn callers_can_wake_what_nobody_configured() {
    let config = loaded("providers: {xai: {enabled: false}}", &MapEnv::new());
    let dormant: Vec<_> = config.dormant.names().collect();
    assert!(dormant.contains(&"openai"));
    assert!(!dormant.contains(&"xai"), "it is switched off");
    assert!(!dormant.contains(&"ollama"), "nobody said that there is a local server");
    assert!(config.provider("xai").is_none());
    let config = loaded("provider_keys: configured", &MapEnv::new());
    assert_eq!((config.provider_keys, config.dormant.names().count()), (ProviderKeys::Configured, 0));
}

#[test]
fn plain_references_take_the_type_that_is_expected() {
    let env = MapEnv::new().with_var("N", "4").with_var("YES", "true").with_var("DIGITS", "0123456789012345");
    let text = "server:\n  threads: ${N}\nopen: ${YES}\nproviders:\n  openai:\n    api_key: ${DIGITS}\n";
    let config = loaded(text, &env);
    assert_eq!((config.threads, config.open), (4, true));
    assert_eq!(config.providers[0].key.as_ref().map(Secret::expose), Some("0123456789012345"));
}

#[test]
fn an_address_that_is_the_gateways_own_is_a_warning() {
    let env = MapEnv::new().with_var("OPENAI_BASE_URL", "http://localhost:8080/v1").with_var("OPENAI_API_KEY", "key");
    let config = loaded("", &env);
    assert_eq!(
        config.warnings[0].message,
        "provider `openai` is at `http://localhost:8080/v1`, which is this gateway itself"
    );
}
