//! What is inside the binary, and what is shown to users.

use super::loaded;
use crate::{DIALECTS, MapEnv, catalog, load};

#[test]
fn each_dialect_has_an_entry_of_its_name_and_a_simulator() {
    let names: Vec<_> = catalog().iter().map(|entry| entry.name).collect();
    for dialect in DIALECTS {
        assert!(names.contains(dialect), "no entry shows how `{dialect}` is spoken");
        assert!(names.contains(&format!("sim-{dialect}").as_str()), "`{dialect}` cannot be tried offline");
    }
    let config = loaded("", &MapEnv::new());
    let sim = config.provider("sim").expect("the simulator is always on");
    let dialects: Vec<_> = sim.faces.iter().map(|face| face.dialect.as_str()).collect();
    assert!(DIALECTS.iter().all(|dialect| dialects.contains(dialect)), "`sim` speaks them all: {dialects:?}");
    let gemini = config.provider("sim-gemini").expect("there is one for each dialect");
    assert!(gemini.faces.iter().all(|face| face.dialect == "gemini"), "it speaks nothing else");
}

#[test]
fn a_server_of_ones_own_has_an_api_beside_chat_only_if_it_says_so() {
    let faces = |paths: &str| {
        let text = format!("providers: {{house: {{dialect: openai, base_url: http://10.0.0.5{paths}}}}}");
        let config = loaded(&text, &MapEnv::new());
        let house = config.provider("house").expect("it is configured");
        house.faces.iter().map(|face| (face.route_type.clone(), face.path.clone())).collect::<Vec<_>>()
    };
    let chat = ("llm/v1/chat".to_owned(), "/v1/chat/completions".to_owned());
    assert_eq!(faces(""), std::slice::from_ref(&chat));
    let responses = ("llm/v1/responses".to_owned(), "/v1/responses".to_owned());
    assert_eq!(faces(", paths: {responses: /v1/responses}"), std::slice::from_ref(&responses));
    let both = ", paths: {responses: /v1/responses, chat: /v1/chat/completions}";
    assert_eq!(faces(both), [chat, responses.clone()]);
    let completions = ("llm/v1/completions".to_owned(), "/v1/completions".to_owned());
    assert_eq!(faces(", paths: {completions: /v1/completions}"), std::slice::from_ref(&completions));
    let others = ", paths: {responses: /v1/responses, completions: /v1/completions}";
    assert_eq!(faces(others), [responses, completions]);
}

#[test]
fn gemini_streams_at_a_path_of_its_own() {
    let config = loaded("providers: { gemini: {} }", &MapEnv::new().with_var("GOOGLE_API_KEY", "key"));
    let face = config.provider("gemini").and_then(|provider| provider.face("gemini")).expect("it speaks its own");
    assert_eq!(face.path, "/v1beta/models/{model}:generateContent");
    assert_eq!(face.stream_path.as_deref(), Some("/v1beta/models/{model}:streamGenerateContent?alt=sse"));
}

#[test]
fn a_server_of_ollamas_dialect_is_spoken_to_in_it_alone() {
    let text = "providers: { house: { dialect: ollama, base_url: \"http://10.0.0.5:11434\" } }";
    let config = loaded(text, &MapEnv::new());
    let house = config.provider("house").expect("it is configured");
    let faces: Vec<_> = house.faces.iter().map(|face| (face.dialect.as_str(), face.path.as_str())).collect();
    assert_eq!(faces, [("ollama", "/api/chat"), ("ollama", "/api/generate")]);
    assert_eq!(house.key_missing, None, "such a server needs no key");
}

#[test]
fn bedrock_streams_at_a_path_of_its_own() {
    let env = MapEnv::new()
        .with_var("AWS_BEARER_TOKEN_BEDROCK", "key")
        .with_var("BEDROCK_BASE_URL", "https://bedrock-runtime.eu-central-1.amazonaws.com");
    let config = loaded("", &env);
    let provider = config.provider("bedrock").expect("its key is set");
    assert_eq!(provider.base_url.authority, "bedrock-runtime.eu-central-1.amazonaws.com");
    let face = provider.face("bedrock").expect("it speaks its own");
    assert_eq!(face.path, "/model/{model}/converse");
    assert_eq!(face.stream_path.as_deref(), Some("/model/{model}/converse-stream"));
}

#[test]
fn bedrock_is_a_host_of_another_dialect_too() {
    let env = MapEnv::new()
        .with_var("AWS_BEARER_TOKEN_BEDROCK", "key")
        .with_var("BEDROCK_BASE_URL", "https://bedrock-runtime.eu-central-1.amazonaws.com");
    let config = loaded("", &env);
    let provider = config.provider("bedrock-anthropic").expect("the key of both is set");
    assert_eq!(provider.base_url.authority, "bedrock-runtime.eu-central-1.amazonaws.com", "one variable moves both");
    let face = provider.face("anthropic").expect("it speaks what it hosts");
    assert_eq!(face.path, "/model/{model}/invoke");
    assert_eq!(face.stream_path.as_deref(), Some("/model/{model}/invoke-with-response-stream"));
    let counter = provider.face("bedrock").expect("it counts in its own dialect");
    assert_eq!((&*counter.route_type, &*counter.path), ("llm/v1/count_tokens", "/model/{model}/count-tokens"));
}

#[test]
fn the_built_in_routes_serve_every_dialect() {
    let config = loaded("", &MapEnv::new());
    let route = |path: &str| config.routes.iter().find(|route| route.path.text == path).expect("the route is built in");
    assert_eq!(route("/v1/chat/completions").dialects, ["openai"]);
    assert_eq!(route("/v1/chat/completions").methods, ["POST"]);
    assert_eq!(route("/v1/responses").dialects, ["openai"]);
    assert_eq!(route("/v1/responses").route_type, "llm/v1/responses");
    assert_eq!(route("/v1/messages").dialects, ["anthropic"]);
    assert_eq!(route("/v1/completions").dialects, ["openai"]);
    assert_eq!(route("/v1/completions").route_type, "llm/v1/completions");
    assert_eq!(route("/sampling").dialects, ["mcp-sampling"]);
    assert_eq!(route("/v1beta/models/{model}:streamGenerateContent").dialects, ["gemini"]);
    assert_eq!(route("/v2/chat").dialects, ["cohere"]);
    assert_eq!(route("/api/chat").dialects, ["ai-sdk-ui", "ollama"]);
    assert_eq!(route("/api/generate").route_type, "llm/v1/completions");
    assert!(route("/v1/models/{id}").dialects.is_empty());
    assert_eq!(route("/model/{model}/converse-stream").dialects, ["bedrock"]);
    assert_eq!(route("/v1/models/{id}").methods, ["GET"]);
    assert!(route("/p/{provider}/{rest}").methods.is_empty(), "any method passes");
    assert!(config.routes.iter().all(|route| route.builtin));
    let closed = loaded("passthrough: { enabled: false }", &MapEnv::new());
    assert!(closed.routes.iter().all(|route| route.route_type != "passthrough"));
}

#[test]
fn the_example_is_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/example.yaml");
    let text = std::fs::read_to_string(path).expect("the example is there");
    let env = ["OPENAI_API_KEY", "GROQ_API_KEY", "ANTHROPIC_API_KEY"]
        .into_iter()
        .fold(MapEnv::new().with_file(path, text), |env, name| env.with_var(name, "sk-example-0123456789"))
        .with_var("ALICE_KEY", "lg-alice-0123456789")
        .with_file("/run/secrets/vertex", "ya29.example\n")
        .with_file("/run/secrets/openai", "sk-example-9876543210\n");
    let config = load(Some(path.as_ref()), &env).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(config.listeners.len(), 2);
    assert_eq!(config.models.len(), 3);
    assert_eq!(config.keys.len(), 2);
}
