//! The catalog: each entry can be used, and no two get in each other's way.

use std::collections::BTreeMap;

use super::{loaded, refused};
use crate::{Auth, CatalogEntry, DIALECTS, Kind, MapEnv, Provider, catalog};

/// Variables that switch on more than one provider, and why that is meant.
const SHARED: &[(&str, &[&str], &str)] = &[
    ("ARK_API_KEY", &["byteplus", "volcengine"], "one platform inside and outside China"),
    ("AWS_BEARER_TOKEN_BEDROCK", &["bedrock", "bedrock-anthropic"], "two APIs of one service"),
    ("AZURE_API_KEY", &["azure", "azure-deployments"], "two APIs of one resource"),
    ("AZURE_OPENAI_API_KEY", &["azure", "azure-deployments"], "two APIs of one resource"),
    (
        "CLOUDFLARE_API_TOKEN",
        &["cloudflare-ai-gateway", "workers-ai"],
        "two services of one account, each named by a param",
    ),
    ("CLOUDSDK_AUTH_ACCESS_TOKEN", &["vertex", "vertex-anthropic"], "two makers in one project"),
    ("GOOGLE_OAUTH_ACCESS_TOKEN", &["vertex", "vertex-anthropic"], "two makers in one project"),
];

/// Entries with a placeholder that no usual variable fills.
const NEED_A_FILE: &[&str] = &["databricks", "infomaniak"];

/// An entry as a configuration that gives it a key and all params gets it.
fn switched_on(entry: &CatalogEntry) -> Provider {
    let params: Vec<String> = entry.params.iter().map(|(name, _)| format!("{name}: mine")).collect();
    // Not the usual port, which is that of local servers too.
    let text = format!(
        "listen: 127.0.0.1:1\nproviders: {{ {}: {{ api_key: key, params: {{ {} }} }} }}",
        entry.name,
        params.join(", ")
    );
    let config = loaded(&text, &MapEnv::new());
    assert!(config.warnings.is_empty(), "{}: {:?}", entry.name, config.warnings);
    config.provider(entry.name).expect("the provider is configured").clone()
}

/// Fails if two entries have the same of something.
fn assert_unique<T: Ord + std::fmt::Debug>(what: &str, of: impl IntoIterator<Item = (T, &'static str)>) {
    let mut owners = BTreeMap::new();
    for (value, owner) in of {
        let told = format!("`{owner}` has {what} {value:?}");
        let other = owners.insert(value, owner);
        assert_eq!(other, None, "{told} as well");
    }
}

#[test]
fn every_entry_is_sound() {
    let entries = catalog();
    assert!(entries.len() >= 240, "the catalog has {} entries", entries.len());
    for entry in &entries {
        let url = &entry.base_url;
        assert!(entry.kind == Kind::Builtin || url.starts_with("http"), "{} is nowhere", entry.name);
        assert!(entry.kind == Kind::Local || !url.starts_with("http:"), "{} is sent keys in the clear", entry.name);
        assert!(!url.ends_with("/v1"), "{} counts its version twice", entry.name);
        assert!(!url.ends_with('/') || entry.kind == Kind::Builtin, "{} has a slash at its end", entry.name);
        assert!(entry.dialects.iter().all(|name| DIALECTS.contains(&name.as_str())), "{:?}", entry.dialects);
        assert!(entry.regions.is_empty() || entry.regions.iter().any(|(_, region)| region == url), "{}", entry.name);
        assert!(!entry.sources.is_empty() || !has_facts(entry), "{} was read somewhere", entry.name);
    }
}

/// The gateway's own, and the twin of an entry whose facts are told there.
fn has_facts(entry: &CatalogEntry) -> bool {
    entry.kind != Kind::Builtin && entry.name != "azure-deployments"
}

#[test]
fn every_entry_can_be_switched_on_by_a_configuration() {
    for entry in catalog() {
        let provider = switched_on(&entry);
        let dialects: Vec<_> = provider.faces.iter().map(|face| face.dialect.as_str()).collect();
        assert!(entry.dialects.iter().all(|dialect| dialects.contains(&dialect.as_str())), "{}", entry.name);
        assert_eq!(provider.key_header, entry.key_header);
        assert!(provider.is_ready(), "{} has all that it needs", entry.name);
        assert_eq!(provider.auth == Auth::None, entry.auth == "none", "{}: {:?}", entry.name, provider.auth);
        let operations = entry.capabilities.iter().filter(|capability| capability.dialect.is_none()).count();
        assert_eq!(provider.operations.len(), operations, "{}", entry.name);
    }
}

#[test]
fn every_variable_switches_its_provider_on() {
    let is_on = |name: &str, env: &MapEnv| {
        loaded("listen: 127.0.0.1:1\nprovider_keys: configured", env).provider(name).is_some()
    };
    for entry in catalog().iter().filter(|entry| entry.kind != Kind::Builtin && !NEED_A_FILE.contains(&entry.name)) {
        let filled = entry.params.iter().map(|(name, variables)| {
            variables.first().unwrap_or_else(|| panic!("{}: `{name}` has no variable", entry.name))
        });
        let env = filled.fold(MapEnv::new(), |env, variable| env.with_var(variable, "mine"));
        assert!(!is_on(entry.name, &env), "{} is off until somebody asks for it", entry.name);
        let moved = env.clone().with_var(base_url_variable(entry.name), "https://10.0.0.1:1");
        assert_eq!(is_on(entry.name, &moved), entry.kind == Kind::Local, "{}", entry.name);
        for variable in entry.env.iter().filter(|_| entry.kind != Kind::Local) {
            assert!(is_on(entry.name, &env.clone().with_var(variable, "key")), "{variable} switches {} on", entry.name);
        }
    }
}

fn base_url_variable(name: &str) -> String {
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("{word}_BASE_URL")
}

#[test]
fn names_and_headers_are_unique() {
    let entries = catalog();
    let names = entries.iter().flat_map(|entry| {
        let aliases = entry.aliases.iter().map(String::as_str);
        aliases.chain([entry.name]).map(|name| (name.to_owned(), entry.name)).collect::<Vec<_>>()
    });
    assert_unique("the name", names);
    assert_unique("the header", entries.iter().map(|entry| (entry.key_header.clone(), entry.name)));
    assert_unique("the title", entries.iter().map(|entry| (entry.title.clone(), entry.name)));
}

/// The order of the files decides who is asked for a bare name, so a shorter prefix must not stand before a longer one.
#[test]
fn no_entry_takes_the_model_names_of_a_later_one() {
    let prefixes: Vec<(&str, String)> = catalog()
        .iter()
        .flat_map(|entry| switched_on(entry).models.prefixes.into_iter().map(|prefix| (entry.name, prefix)))
        .collect();
    assert!(prefixes.len() > 40, "{prefixes:?}");
    for (index, (later, prefix)) in prefixes.iter().enumerate() {
        let mut before = prefixes.iter().take(index).filter(|(name, _)| name != later);
        let taken = before.find(|(_, other)| prefix != other && prefix.starts_with(other.as_str()));
        assert_eq!(taken, None, "bare names of `{later}` that begin with `{prefix}` go elsewhere");
    }
}

#[test]
fn variables_are_shared_knowingly() {
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for entry in catalog() {
        for variable in &entry.env {
            owners.entry(variable.clone()).or_default().push(entry.name);
        }
        let alone: std::collections::BTreeSet<_> = entry.env.iter().collect();
        assert_eq!(alone.len(), entry.env.len(), "{} lists a variable twice", entry.name);
    }
    for names in owners.values_mut() {
        names.sort_unstable();
    }
    owners.retain(|_, names| names.len() > 1);
    let known: BTreeMap<String, Vec<&str>> =
        SHARED.iter().map(|(variable, names, _)| ((*variable).to_owned(), names.to_vec())).collect();
    assert_eq!(owners, known);
}

#[test]
fn what_wants_no_key_waits_for_a_word() {
    let config = loaded("", &MapEnv::new());
    for entry in catalog().into_iter().filter(|entry| entry.env.is_empty() && entry.kind != Kind::Builtin) {
        assert!(config.provider(entry.name).is_none(), "nobody switched {} on", entry.name);
        assert!(config.dormant.names().all(|name| name != entry.name), "a caller cannot wake {}", entry.name);
        assert!(config.dormant.wake(entry.name).is_none(), "nor by its name");
    }
}

#[test]
fn sleepers_wake_as_their_entries_say() {
    let config = loaded("", &MapEnv::new());
    let asleep: Vec<_> = config.dormant.names().filter(|name| config.dormant.wake(name).is_some()).collect();
    assert!(asleep.len() > 150, "only {} providers are left unmade", asleep.len());
    let entries = catalog();
    for name in asleep {
        let woken = config.dormant.wake(name).expect("it was just woken");
        let entry = entries.iter().find(|entry| entry.name == name).expect("it is in the catalog");
        let on = switched_on(entry);
        assert_eq!((woken.base_url, woken.faces, woken.auth), (on.base_url, on.faces, on.auth), "{name}");
        assert!(woken.key.is_none() && woken.key_missing.is_some(), "only a caller has a key for {name}");
        assert!(config.dormant.key_headers().any(|header| header == woken.key_header), "{name}");
    }
    assert!(config.dormant.wake("spacexai").is_none(), "`xai` has models, so it is made already");
    assert_eq!(config.dormant.wake("async").map(|provider| provider.name).as_deref(), Some("asyncai"));
}

#[test]
fn a_sleeper_that_the_environment_moves_is_made() {
    let env = MapEnv::new().with_var("DEEPGRAM_BASE_URL", "https://deepgram.example");
    let config = loaded("", &env);
    let made = config.dormant.made().iter().find(|provider| provider.name == "deepgram").expect("it is made");
    assert_eq!(made.base_url.authority, "deepgram.example");
    assert!(config.dormant.wake("deepgram").is_none());
}

#[test]
fn aliases_mean_their_provider() {
    let env = MapEnv::new().with_var("XAI_API_KEY", "key");
    let config = loaded("models: { a: grok/grok-4, b: google/gemini-x, c: echo/echo }", &env);
    let targets: Vec<_> = config.models.iter().map(|model| model.targets[0].provider.as_str()).collect();
    assert_eq!(targets, ["xai", "gemini", "sim"]);
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].message.starts_with("provider `gemini` needs `GEMINI_API_KEY`"));
    let config = loaded("providers: { grok: {} }", &env);
    let grok = config.provider("grok").expect("an entry may have an alias for its name");
    assert_eq!((grok.entry.as_str(), grok.base_url.authority.as_str()), ("xai", "api.x.ai"));
    assert!(grok.aliases.is_empty(), "the aliases stay with `xai`");
    let own = "providers: { grok: { dialect: openai, base_url: \"http://10.0.0.5:1\", auth: none } }";
    let grok = loaded(own, &MapEnv::new()).provider("grok").expect("it is configured").clone();
    assert_eq!(
        (grok.entry.as_str(), grok.auth),
        ("grok", Auth::None),
        "one that says how it is spoken to is one's own"
    );
}

#[test]
fn aliases_of_ones_own_are_held_apart() {
    let text = "providers:\n  a: { dialect: openai, base_url: \"http://h\", aliases: [x] }\n  \
                b: { dialect: openai, base_url: \"http://h\", aliases: [x, \"y/z\"] }\n";
    let report = refused(text, &MapEnv::new());
    let told: Vec<_> = report.problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (3, "invalid provider name `y/z`, expected letters, digits, `-`, `_` and `.`"),
            (3, "alias `x` is already that of provider `a`"),
        ]
    );
    let report = refused("passthrough:\n  deny: [grok, google/*]\n", &MapEnv::new());
    let told: Vec<_> = report.problems.iter().map(|problem| problem.message.as_str()).collect();
    let expected = [
        "`grok` is an alias, expected the provider's name `xai`",
        "`google` is an alias, expected the provider's name `gemini`",
    ];
    assert_eq!(told, expected);
}

#[test]
fn regions_are_chosen_by_name() {
    let url = |text: &str, env: &MapEnv| loaded(text, env).providers[0].base_url.to_string();
    let env = MapEnv::new().with_var("DASHSCOPE_API_KEY", "key");
    assert_eq!(url("", &env), "https://dashscope-intl.aliyuncs.com");
    assert_eq!(url("providers: { alibaba: { region: cn } }", &env), "https://dashscope.aliyuncs.com");
    let moved = env.with_var("ALIBABA_BASE_URL", "https://mine.example");
    assert_eq!(url("providers: { alibaba: { region: us } }", &moved), "https://dashscope-us.aliyuncs.com");
    assert_eq!(url("providers: { alibaba: {} }", &moved), "https://mine.example");
    let own = "providers: { own: { dialect: openai, base_url: \"http://a\", regions: { b: \"http://b\" } } }";
    assert_eq!(url(own, &MapEnv::new()), "http://a");
}

#[test]
fn regions_that_are_not_there_are_told() {
    let told = |text: &str| {
        let report = refused(text, &MapEnv::new());
        let [problem] = report.problems.as_slice() else { panic!("one mistake is expected:\n{report}") };
        format!("{} {}", problem.path, problem.message)
    };
    assert_eq!(
        told("providers: { alibaba: { region: eu-west } }"),
        "/providers/alibaba/region unknown region `eu-west`, expected `cn`, `intl` or `us`"
    );
    assert_eq!(
        told("providers: { openai: { region: eu } }"),
        "/providers/openai/region unknown region `eu`, this provider has no `regions`"
    );
    assert_eq!(
        told("providers: { alibaba: { region: cn, base_url: \"http://h\" } }"),
        "/providers/alibaba/region `base_url` and `region` both say where the provider is, expected one of them"
    );
}

#[test]
fn an_endpoint_elsewhere_keeps_its_host_until_the_provider_moves() {
    let env = MapEnv::new().with_var("JINA_API_KEY", "key");
    let face = |text: &str, env: &MapEnv| loaded(text, env).provider("jina").expect("its key is set").faces[0].clone();
    let own = face("", &env);
    let host = own.base.as_ref().map(|base| base.authority.as_str());
    assert_eq!((host, own.path.as_str()), (Some("deepsearch.jina.ai"), "/v1/chat/completions"));
    let moved = face("providers: { jina: { base_url: \"http://10.0.0.5\" } }", &env);
    assert_eq!((moved.base, moved.path.as_str()), (None, "/v1/chat/completions"));
    let moved = face("", &env.clone().with_var("JINA_BASE_URL", "http://10.0.0.5"));
    assert_eq!(moved.base, None, "nothing goes to a host that somebody moved away from");
    let written = "providers: { jina: { base_url: \"http://10.0.0.5\", paths: { chat: \"http://10.0.0.6:8/x\" } } }";
    let written = face(written, &env);
    assert_eq!(written.base.map(|base| base.to_string()).as_deref(), Some("http://10.0.0.6:8"));
    let report = refused("providers: { jina: { paths: { chat: \"http://a b/x\" } } }", &env);
    assert!(report.to_string().contains("as a whole URL, it holds a character that a url cannot hold"), "{report}");
}

#[test]
fn a_server_without_conversations_needs_no_dialect() {
    let text = "providers: { house: { base_url: \"http://10.0.0.5\", paths: { embeddings: /v1/embeddings } } }";
    let house = loaded(text, &MapEnv::new()).provider("house").expect("it is configured").clone();
    assert!(house.faces.is_empty());
    let [embeddings] = house.operations.as_slice() else { panic!("{:?}", house.operations) };
    assert_eq!((embeddings.name, embeddings.route_type), ("embeddings", "llm/v1/embeddings"));
    let text = "providers: { house: { base_url: \"http://10.0.0.5\", paths: { chat: /v1/chat } } }";
    assert!(refused(text, &MapEnv::new()).to_string().contains("missing key `dialect`"));
    let text = "providers: { house: { dialect: openai, base_url: \"http://h\", paths: { embeddings: /e } } }";
    let house = loaded(text, &MapEnv::new()).provider("house").expect("it is configured").clone();
    assert_eq!((house.faces.len(), house.operations.len()), (1, 1), "what it has besides takes no chat away");
}

#[test]
fn a_prefix_stands_right_before_the_key() {
    let config = loaded("", &MapEnv::new().with_var("TTSREADER_API_KEY", "key"));
    let auth = config.provider("ttsreader").expect("its key is set").auth.clone();
    let Auth::Header { name, scheme, prefix } = auth else { panic!("{auth:?}") };
    assert_eq!((name.as_str(), scheme.as_deref(), prefix.as_deref()), ("authorization", Some("Bearer"), Some("UAPI-")));
}
