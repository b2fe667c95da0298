//! Placeholders: where their values come from, what they may hold, and what is said when there is none.

use super::{loaded, refused};
use crate::{MapEnv, Provider};

const OWN: &str = "providers:\n  own:\n    dialect: openai\n    auth: none\n    base_url: \"https://{region}.example/x/{team}\"\n    \
                   paths: { chat: \"/{team}/chat?v={version}\" }\n    headers: { x-team: \"{team}/{other}\" }\n    params: ";

fn own(params: &str, env: &MapEnv) -> Provider {
    let config = loaded(&format!("{OWN}{params}\n"), env);
    config.provider("own").expect("it is configured").clone()
}

/// The one mistake of a text: `line:column path: message`.
fn mistake(text: &str, env: &MapEnv) -> String {
    let report = refused(text, env);
    let [problem] = report.problems.as_slice() else { panic!("one mistake is expected:\n{report}") };
    format!("{}:{} {}: {}", problem.line, problem.column, problem.path, problem.message)
}

fn environment(pairs: &[(&str, &str)]) -> MapEnv {
    pairs.iter().fold(MapEnv::new(), |env, (name, value)| env.with_var(*name, *value))
}

#[test]
fn placeholders_are_filled_wherever_they_stand() {
    let provider = own("{ region: eu-1, team: a.b_c, version: { default: 2024-10-21 } }", &MapEnv::new());
    assert_eq!(provider.base_url.to_string(), "https://eu-1.example/x/a.b_c");
    assert_eq!(provider.faces[0].path, "/a.b_c/chat?v=2024-10-21");
    let headers = [("x-team".to_owned(), "a.b_c/{other}".to_owned())];
    assert_eq!(provider.headers, headers, "braces in a header may mean anything");
    assert_eq!(provider.params_missing, None);
}

#[test]
fn a_value_wins_over_variables_and_those_over_the_default() {
    let region = |region: &str, env: &[(&str, &str)]| {
        let provider = own(&format!("{{ region: {region}, team: t, version: v }}"), &environment(env));
        provider.base_url.host
    };
    let env = [("B", "from-b"), ("C", "from-c")];
    assert_eq!(region("{ value: v, env: [A, B], default: d }", &env), "v.example");
    assert_eq!(region("{ env: [A, B, C], default: d }", &env), "from-b.example");
    assert_eq!(region("{ env: [A], default: d }", &env), "d.example");
    assert_eq!(region("\"${C}\"", &env), "from-c.example");
}

#[test]
fn values_cannot_leave_their_place() {
    let refused_values: &[(&str, &[&str], &str)] = &[
        (
            "region",
            &["a.b", "a/b", "evil.example/", "a:1", "-a", "a-", "a@b", "é", "%2e"],
            "letters, digits and `-` in a host name",
        ),
        ("team", &["a/b", "..", ".", "a?b", "a#b", "%2e%2e", "a b"], "letters, digits and `-._~:@` in a path"),
        ("version", &["a&b=c", "a#b", "a/b", "a+b"], "letters, digits and `-._~` in a query"),
    ];
    for (name, values, expected) in refused_values {
        for value in *values {
            let mut params = vec![("region", "r"), ("team", "t"), ("version", "v")];
            params.retain(|(other, _)| other != name);
            params.push((name, value));
            let params: Vec<String> = params.iter().map(|(name, value)| format!("{name}: \"{value}\"")).collect();
            let report = refused(&format!("{OWN}{{ {} }}\n", params.join(", ")), &MapEnv::new());
            assert!(report.problems.iter().all(|problem| problem.line == 8), "{report}");
            let told = format!("invalid param `{name}`, expected {expected}");
            assert!(report.problems.iter().any(|problem| problem.message == told), "{value}: {report}");
        }
    }
}

#[test]
fn a_wrong_value_is_told_by_its_variable() {
    let env = environment(&[("GOOGLE_OAUTH_ACCESS_TOKEN", "t"), ("GOOGLE_VERTEX_PROJECT", "a/b")]);
    let text = "providers:\n  vertex: {}\n  vertex-anthropic: { enabled: false }\n";
    assert_eq!(
        mistake(text, &env),
        "2:3 /providers/vertex/params/project: invalid `GOOGLE_VERTEX_PROJECT`, expected letters, digits and `-._~:@` in \
         a path"
    );
}

#[test]
fn mistyped_names_are_told_with_the_nearest() {
    let text = "providers:\n  vertex:\n    params: { projct: a, project: b }\n";
    assert_eq!(
        mistake(text, &MapEnv::new()),
        "3:23 /providers/vertex/params/projct: unknown param `projct`, did you mean `project`?"
    );
    let text = "providers:\n  vertex:\n    base_url: \"https://{locatoin}.example\"\n    params: { project: b }\n";
    assert_eq!(
        mistake(text, &MapEnv::new()),
        "3:15 /providers/vertex/base_url: unknown placeholder `{locatoin}`, did you mean `location`? (a new one needs a \
         value under `params`)"
    );
    let text =
        "providers:\n  own: { dialect: openai, base_url: \"https://a.example\", paths: { chat: \"/{modle}/chat\" } }\n";
    assert_eq!(
        mistake(text, &MapEnv::new()),
        "2:73 /providers/own/paths/chat: unknown placeholder `{modle}`, did you mean `model`? (a new one needs a value \
         under `params`)"
    );
    let text = "providers:\n  openai:\n    params: { region: b }\n";
    assert_eq!(
        mistake(text, &MapEnv::new()),
        "3:23 /providers/openai/params/region: unknown param `region`, no placeholder of this provider has that name"
    );
    let text = "providers:\n  vertex:\n    params: { project: { vaule: b } }\n";
    assert_eq!(
        mistake(text, &MapEnv::new()),
        "3:26 /providers/vertex/params/project/vaule: unknown key `vaule`, did you mean `value`?"
    );
    let text = "providers:\n  vertex:\n    params: { project: 7 }\n";
    assert_eq!(
        mistake(text, &MapEnv::new()),
        "3:24 /providers/vertex/params/project: expected a string, or `{value, env, default, base_urls}`, found the \
         number `7`"
    );
}

#[test]
fn a_missing_value_makes_a_provider_unusable_and_is_told() {
    let env = environment(&[("AZURE_OPENAI_API_KEY", "k"), ("GOOGLE_OAUTH_ACCESS_TOKEN", "t")]);
    let config = loaded("providers:\n  azure: {}\n  vertex:\n    params: { location: us-central1 }\n", &env);
    let reasons = [
        "`resource` is not set, it is given by `AZURE_RESOURCE_NAME` or `AZURE_OPENAI_ENDPOINT` or \
         `providers.azure.params.resource`",
        "`project` is not set, it is given by `GOOGLE_VERTEX_PROJECT` or `providers.vertex.params.project`",
    ];
    for (name, reason) in ["azure", "vertex"].into_iter().zip(reasons) {
        let provider = config.provider(name).expect("it is configured");
        assert_eq!(provider.params_missing.as_deref(), Some(reason));
    }
    let warnings: Vec<_> = config.warnings.iter().map(|warning| (warning.line, warning.message.clone())).collect();
    assert_eq!(warnings[0], (2, format!("provider `azure` cannot be used, {}", reasons[0])));
    assert_eq!(warnings[1], (3, format!("provider `vertex` cannot be used, {}", reasons[1])));
    assert_eq!(config.provider("azure").map(|azure| azure.base_url.host.as_str()), Some("unfilled.invalid"));
}

#[test]
fn a_key_alone_does_not_switch_a_host_on() {
    let env = environment(&[("AZURE_OPENAI_API_KEY", "k")]);
    let config = loaded("models: { a: azure/gpt, b: vertex/gemini }\n", &env);
    assert!(config.provider("azure").is_none());
    let told: Vec<_> = config.warnings.iter().map(|warning| warning.message.as_str()).collect();
    let has = |text: &str| told.iter().any(|message| message.starts_with(text));
    assert!(has("provider `azure` has a key, but is not switched on: `resource` is not set"), "{told:?}");
    assert!(has("provider `azure` is not switched on, `resource` is not set"), "{told:?}");
    assert!(has("provider `vertex` needs `GOOGLE_OAUTH_ACCESS_TOKEN`"), "{told:?}");
    let config = loaded("", &environment(&[("AZURE_OPENAI_API_KEY", "k"), ("AZURE_RESOURCE_NAME", "mine")]));
    let azure = config.provider("azure").expect("all that it needs is set");
    assert_eq!(azure.base_url.to_string(), "https://mine.openai.azure.com");
}

#[test]
fn an_endpoint_of_azures_stands_for_the_resource() {
    let env = environment(&[
        ("AZURE_OPENAI_API_KEY", "k"),
        ("AZURE_OPENAI_ENDPOINT", "https://other.openai.azure.com/openai/v1/"),
    ]);
    let config = loaded("providers: { eu: { type: azure, base_url: \"https://eu.example\" } }", &env);
    let path = |name: &str| {
        let provider = config.provider(name).expect("it is on");
        assert_eq!(provider.params_missing, None, "{name} needs no resource");
        format!("{}{}", provider.base_url.authority, provider.base_url.path(&provider.faces[0].path))
    };
    assert_eq!(path("azure"), "other.openai.azure.com/openai/v1/chat/completions");
    assert_eq!(path("eu"), "eu.example/openai/v1/chat/completions", "the file wins");
    let wrong = env.with_var("AZURE_OPENAI_ENDPOINT", "other.openai.azure.com");
    assert!(refused("", &wrong).to_string().contains("invalid `AZURE_OPENAI_ENDPOINT`, expected `http://`"));
    let unasked = MapEnv::new().with_var("AZURE_OPENAI_ENDPOINT", "other.openai.azure.com");
    let config = loaded("", &unasked);
    assert!(config.warnings[0].message.contains("invalid `AZURE_OPENAI_ENDPOINT`"), "nobody asked for Azure");
    assert!(config.dormant.names().all(|name| !name.starts_with("azure-d") && name != "azure"));
}

#[test]
fn locations_of_vertex_have_their_hosts() {
    let urls = |location: &str, more: &str| {
        let text =
            format!("providers: {{ vertex: {{ api_key: t, params: {{ project: p, location: {location} }}{more} }} }}");
        let config = loaded(&text, &MapEnv::new());
        let vertex = config.provider("vertex").expect("it is configured");
        let face = vertex.face("gemini").expect("it speaks Gemini");
        assert!(
            face.path.contains(&format!("/locations/{location}/publishers/google/models/{{model}}:generateContent"))
        );
        vertex.base_url.authority.clone()
    };
    assert_eq!(urls("global", ""), "aiplatform.googleapis.com");
    assert_eq!(urls("eu", ""), "aiplatform.eu.rep.googleapis.com");
    assert_eq!(urls("europe-west4", ""), "europe-west4-aiplatform.googleapis.com");
    assert_eq!(urls("global", ", base_url: \"http://10.0.0.1\""), "10.0.0.1", "the file's own wins");
}
