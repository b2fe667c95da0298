//! The command line: what it prints, and how it ends.

use std::{fs, path::PathBuf, process::Output};

use crate::support::{
    Config, Face, Upstream,
    gateway::{command, scratch},
    soon,
};

/// Runs the program in an empty folder.
async fn run(args: &[&str], env: &[(String, String)]) -> Output {
    let dir = scratch();
    let mut command = command(env);
    let output = soon("the end of the command", command.args(args).current_dir(&dir).output()).await;
    fs::remove_dir_all(dir).expect("a test can remove its folder");
    output.expect("the program must start")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program must print text")
}

/// Writes a configuration and returns its folder and file.
fn write(yaml: &str) -> (PathBuf, String) {
    let dir = scratch();
    let file = dir.join("own.yaml");
    fs::write(&file, yaml).expect("a test can write its folder");
    (dir, file.to_str().expect("the scratch folder has a plain name").to_owned())
}

#[tokio::test]
async fn check_shows_routes_and_where_they_go() {
    let yaml = "listen: 127.0.0.1:9\n\
                providers:\n  house: {dialect: openai, base_url: \"http://10.0.0.5:8000\", auth: none}\n\
                models:\n  fast: {targets: [house/qwen, openai/gpt-x]}\n\
                media: {allow: [media.corp.example]}\n\
                routes:\n  - {path: /team-a/chat, route_type: llm/v1/chat, dialect: openai, model: fast}\n";
    let (dir, file) = write(yaml);
    let output = run(&["check", &file], &[]).await;
    let table = text(&output.stdout);
    assert!(output.status.success(), "a good file must be accepted: {}", text(&output.stderr));
    let row = |start: &str| {
        let row =
            table.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no `{start}`:\n{table}"));
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("sim-openai-responses "), "sim-openai-responses openai counted inside the gateway none needed");
    assert_eq!(
        row("sim "),
        "sim openai, anthropic, gemini, cohere, ollama, bedrock counted inside the gateway none needed"
    );
    assert_eq!(row("house "), "house openai estimated http://10.0.0.5:8000 none needed");
    for (path, dialect) in [("/v1/responses/input_tokens", "openai"), ("/model/{model}/count-tokens", "bedrock")] {
        let expected = format!("POST {path} llm/v1/count_tokens ({dialect}) the model that the request names");
        assert_eq!(row(&format!("POST {path} ")), expected);
    }
    for word in [
        "/team-a/chat",
        "/v1/messages",
        "/v1/chat/completions",
        "fast",
        "house",
        "qwen",
        "OPENAI_API_KEY",
        "media.corp.example",
    ] {
        assert!(table.contains(word), "the table must show `{word}`:\n{table}");
    }
    fs::remove_dir_all(dir).expect("a test can remove its folder");
}

#[tokio::test]
async fn check_reports_every_mistake_with_its_place() {
    let yaml = "listen: 127.0.0.1:9\n\
                providers:\n  openai: {api_kye: x}\n  house: {dialect: opnai, base_url: \"http://10.0.0.5\"}\n\
                timeouts: {conect: 5s, total: soon}\n\
                models:\n  fast: nobody/x\n";
    let (dir, file) = write(yaml);
    let output = run(&["check", &file], &[]).await;
    assert!(!output.status.success(), "a bad file must be refused by the exit code");
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    let mistakes = [
        ("api_kye", ":3:", "api_key"),
        ("opnai", ":4:", "openai"),
        ("conect", ":5:", "connect"),
        ("soon", ":5:", ""),
        ("nobody", ":7:", ""),
    ];
    for (mistake, line, near) in mistakes {
        let own = told.lines().find(|own| own.contains(mistake) && own.contains(line));
        assert!(own.is_some(), "`{mistake}` must be told with its line {line}:\n{told}");
        assert!(told.contains(near), "the nearest valid name `{near}` must be told:\n{told}");
    }
    assert!(told.contains("own.yaml"), "the file must be named:\n{told}");
    fs::remove_dir_all(dir).expect("a test can remove its folder");
}

#[tokio::test]
async fn check_refuses_quirks_that_nobody_knows() {
    for (quirks, dialect, said) in [
        ("[max_token_legacy]", "openai", "unknown quirk `max_token_legacy`, did you mean `max_tokens_legacy`?"),
        ("[top_k, vertx]", "gemini", "unknown quirk `vertx`, did you mean `vertex`?"),
        ("[top_k, vertx]", "gemini", "unknown quirk `top_k`, expected `vertex`"),
        ("[vertex]", "openai", "unknown quirk `vertex`, expected `cache_control`"),
        ("[top_k]", "cohere", "unknown quirk `top_k`, its dialects know none"),
    ] {
        let yaml =
            format!("providers: {{up: {{dialect: {dialect}, base_url: \"http://127.0.0.1:1\", quirks: {quirks}}}}}\n");
        let (_dir, file) = write(&yaml);
        let output = run(&["check", &file], &[]).await;
        assert!(!output.status.success(), "{quirks} of {dialect} must be refused");
        let errors = text(&output.stderr);
        assert!(errors.contains("provider `up`: ") && errors.contains(said), "{errors}");
    }
    let (_dir, file) =
        write("providers: {up: {dialect: openai, base_url: \"http://127.0.0.1:1\", quirks: [top_k, no_user]}}\n");
    assert!(run(&["check", &file], &[]).await.status.success(), "known quirks must be taken");
}

#[tokio::test]
async fn check_never_shows_a_secret() {
    let yaml = "providers:\n  openai: {api_key: sk-secret-in-file, api_kye: sk-secret-misplaced}\n\
                keys: [{name: a, key: sk-secret-gateway, path: 7}]\n";
    let (dir, file) = write(yaml);
    let bad = run(&["check", &file], &[]).await;
    fs::write(&file, yaml.replace(", api_kye: sk-secret-misplaced", "").replace(", path: 7", "")).expect("writable");
    let good = run(&["check", &file], &[]).await;
    assert!(good.status.success(), "the mended file must be accepted: {}", text(&good.stderr));
    for output in [bad, good] {
        let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!told.contains("sk-secret"), "no secret may be shown:\n{told}");
    }
    fs::remove_dir_all(dir).expect("a test can remove its folder");
}

#[tokio::test]
async fn missing_file_is_named() {
    for args in [&["check", "/nowhere/own.yaml"][..], &["serve", "--config", "/nowhere/own.yaml"]] {
        let output = run(args, &[]).await;
        assert!(!output.status.success(), "{args:?} must fail");
        let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(told.contains("/nowhere/own.yaml"), "{args:?} must name the file: {told}");
    }
}

#[tokio::test]
async fn serve_refuses_a_bad_file_and_a_taken_port() {
    let (dir, file) = write("timeouts: {conect: 5s}\n");
    let output = run(&["serve", "--config", &file], &[]).await;
    assert!(!output.status.success(), "a bad file must not be served");
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(told.contains("conect"), "the mistake must be told: {told}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback must have a free port");
    let port = taken.local_addr().expect("a listener must have an address").port();
    fs::write(&file, format!("listen: 127.0.0.1:{port}\n")).expect("a test can write its folder");
    let output = run(&["serve", "--config", &file], &[]).await;
    assert!(!output.status.success(), "a taken port must end the program");
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(told.contains(&port.to_string()), "the address must be told: {told}");
    assert!(!told.contains("panicked"), "a taken port is no reason to panic: {told}");
    fs::remove_dir_all(dir).expect("a test can remove its folder");
}

#[tokio::test]
async fn address_that_others_reach_needs_keys_or_a_word() {
    let (dir, file) = write("listen: 0.0.0.0:1\n");
    let output = run(&["check", &file], &[]).await;
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success(), "a gateway without keys must not be open to other machines: {told}");
    assert!(told.contains("keys") && told.contains("open"), "what would work must be told: {told}");
    fs::remove_dir_all(dir).expect("a test can remove its folder");
}

#[tokio::test]
async fn models_lists_names_and_providers() {
    let output = run(&["models"], &[("OPENAI_API_KEY".to_owned(), "sk-listed".to_owned())]).await;
    assert!(output.status.success(), "the list must be printed: {}", text(&output.stderr));
    let list = text(&output.stdout);
    assert!(list.contains("sim/echo"), "the built-in models must be listed:\n{list}");
    assert!(list.contains("openai"), "a provider with a key must be listed:\n{list}");
    assert!(!list.contains("sk-listed"), "no secret may be shown");
}

#[tokio::test]
async fn providers_lists_what_can_be_used_and_what_is_missing() {
    let env = [
        ("GROQ_API_KEY".to_owned(), "sk-listed".to_owned()),
        ("AZURE_OPENAI_API_KEY".to_owned(), "sk-listed".to_owned()),
        ("XAI_API_KEY".to_owned(), "sk-listed".to_owned()),
    ];
    let (dir, file) = write("listen: 127.0.0.1:9\nproviders:\n  xai: {enabled: false}\n  cohere: {}\n");
    let output = run(&["providers", "--config", &file], &env).await;
    assert!(output.status.success(), "the list must be printed: {}", text(&output.stderr));
    let list = text(&output.stdout);
    let line = |name: &str| {
        let own = list.lines().find(|line| line.split_whitespace().next() == Some(name));
        own.unwrap_or_else(|| panic!("`{name}` must be listed:\n{list}"))
    };
    for (name, words) in [
        ("groq", &["ready", "openai", "chat, responses", "transcriptions", "https://api.groq.com/openai"][..]),
        ("sim", &["ready", "inside the gateway"]),
        ("cohere", &["`CO_API_KEY` is not set", "rerank"]),
        ("azure", &["`resource` is not set", "AZURE_RESOURCE_NAME"]),
        ("xai", &["switched off"]),
        ("mistral", &["needs `MISTRAL_API_KEY`", "ocr"]),
        ("workers-ai", &["needs `CLOUDFLARE_API_TOKEN` and `CLOUDFLARE_ACCOUNT_ID`"]),
        ("vllm", &["needs `VLLM_BASE_URL`"]),
        ("gtranslate", &["needs an entry under `providers`"]),
    ] {
        assert!(words.iter().all(|word| line(name).contains(word)), "{words:?} must stand in: {}", line(name));
    }
    let position = |name: &str| list.lines().position(|own| own == line(name));
    assert!(position("sim") < position("azure"), "what can be used comes first:\n{list}");
    assert!(!list.contains("sk-listed"), "no secret may be shown");
    fs::remove_dir_all(dir).expect("a test can remove its folder");
}

#[tokio::test]
async fn providers_can_be_asked_for_by_capability_and_by_name() {
    let output = run(&["providers", "--capability", "ocr"], &[]).await;
    let list = text(&output.stdout);
    assert!(list.contains("mistral") && list.contains("azure-ai") && !list.contains("groq"), "{list}");
    let output = run(&["providers", "--capability", "embedings"], &[]).await;
    assert!(!output.status.success() && text(&output.stderr).contains("`embeddings`"), "{}", text(&output.stderr));
    let output = run(&["providers", "grok"], &[]).await;
    let told = text(&output.stdout);
    for word in
        ["xai: needs `XAI_API_KEY`", "grok, spacexai", "authorization: Bearer KEY", "x-xai-key", "/v1/messages", "high"]
    {
        assert!(told.contains(word), "`{word}` must be told:\n{told}");
    }
    let output = run(&["providers", "volcengine"], &[("ARK_API_KEY".to_owned(), "k".to_owned())]).await;
    let told = text(&output.stdout);
    for word in ["volcengine: ready", "medium", "cline/cline", "/v3/chat/completions (unverified)"] {
        assert!(told.contains(word), "`{word}` must be told:\n{told}");
    }
    let output = run(&["providers", "opnai"], &[]).await;
    assert!(!output.status.success() && text(&output.stderr).contains("did you mean `openai`?"));
}

#[tokio::test]
async fn call_prints_the_answer() {
    let output = run(&["call", "sim/echo", "hello out there"], &[]).await;
    assert!(output.status.success(), "the call must succeed: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout).trim(), "hello out there", "the answer alone must be printed");
}

#[tokio::test]
async fn call_reaches_a_configured_provider() {
    for face in Face::ALL.iter().copied() {
        let upstream = Upstream::start(move |seen| {
            let streamed = crate::support::client::contains(&seen.body, "\"stream\":true")
                || seen.head.target().contains("stream");
            face.script("from afar", streamed)
        })
        .await;
        let (dir, file) = write(&Config::to(&upstream).yaml(9));
        let output = run(&["call", "--config", &file, &format!("{}/m", face.provider()), "hello"], &[]).await;
        assert!(output.status.success(), "{face:?}: the call must succeed: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout).trim(), "from afar", "{face:?}: the answer alone must be printed");
        fs::remove_dir_all(dir).expect("a test can remove its folder");
    }
}

#[tokio::test]
async fn call_fails_by_its_exit_code() {
    for (model, word) in [("sim/error=503", "503"), ("simm/echo", "sim"), ("openai/gpt-x", "OPENAI_API_KEY")] {
        let output = run(&["call", model, "hello"], &[]).await;
        assert!(!output.status.success(), "{model} must fail");
        let told = text(&output.stderr);
        assert!(told.contains(word) || model.starts_with("sim/"), "{model}: the reason must be told: {told}");
        assert!(!told.is_empty(), "{model}: a failure must say something");
    }
}

#[tokio::test]
async fn help_and_version_are_there() {
    let help = run(&["--help"], &[]).await;
    for word in ["serve", "check", "call", "models", "providers"] {
        assert!(text(&help.stdout).contains(word), "the help must name `{word}`");
    }
    let version = run(&["--version"], &[]).await;
    assert!(text(&version.stdout).contains("lockgate"), "the version must be printed");
    let wrong = run(&["serv"], &[]).await;
    assert!(!wrong.status.success() && text(&wrong.stderr).contains("serve"), "a near command must be named");
}

#[tokio::test]
async fn a_host_that_lacks_a_value_is_told_by_check_and_models() {
    let yaml = "listen: 127.0.0.1:9\n\
                providers:\n  azure: {api_key: k}\n  vertex: {api_key: t, params: {project: p}}\n\
                models:\n  fast: {targets: [azure/gpt, vertex/gemini]}\n";
    let (dir, file) = write(yaml);
    let output = run(&["check", &file], &[]).await;
    let table = text(&output.stdout);
    assert!(output.status.success(), "a missing value is no mistake: {}", text(&output.stderr));
    for word in
        ["missing: `resource` is not set", "AZURE_RESOURCE_NAME", "a param of azure", "aiplatform.googleapis.com"]
    {
        assert!(table.contains(word), "the table must show `{word}`:\n{table}");
    }
    let output = run(&["models", "--config", &file], &[]).await;
    let (list, told) = (text(&output.stdout), text(&output.stderr));
    assert!(list.contains("vertex/*") && !list.contains("azure/*"), "only what can be asked is listed:\n{list}");
    assert!(told.contains("`resource` is not set") && told.contains("AZURE_RESOURCE_NAME"), "why not is told:\n{told}");
    let set = [("AZURE_RESOURCE_NAME".to_owned(), "mine".to_owned())];
    let output = run(&["check", &file], &set).await;
    assert!(text(&output.stdout).contains("https://mine.openai.azure.com"), "{}", text(&output.stdout));
    fs::remove_dir_all(dir).expect("a test can remove its folder");
}
