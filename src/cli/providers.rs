//! `lockgate providers`: which can be used now, what the others lack, and what each has.

use std::{
    io::{self, Write},
    path::Path,
};

use lockgate_config::{CatalogEntry, Config, Kind, Provider, Scheme, catalog, expected_one_of, offers};

use super::{Failure, load, table::table};

/// A provider as the list shows it.
struct Row<'a> {
    name: &'a str,
    aliases: &'a [String],
    /// `None` if it can be used now.
    lacks: Option<String>,
    dialects: Vec<&'a str>,
    offers: Vec<&'a str>,
    base_url: String,
}

/// Prints the providers, or one of them.
pub(super) fn run(path: Option<&Path>, name: Option<&str>, capability: Option<&str>) -> Result<(), Failure> {
    let config = load(path)?;
    let entries = catalog();
    let mut out = io::stdout().lock();
    if let Some(name) = name {
        return one(&config, &entries, name, &mut out);
    }
    let mut rows = rows(&config, &entries);
    if let Some(wanted) = capability {
        let known = offers();
        if !known.contains(&wanted) {
            let hint = expected_one_of(wanted, known.iter().copied());
            return Err(Failure::Other(format!("unknown capability `{wanted}`{hint}")));
        }
        rows.retain(|row| row.offers.contains(&wanted));
    }
    // Those that can be used come first, in the order in which they are preferred.
    rows.sort_by_key(|row| row.lacks.is_some());
    let ready = rows.iter().filter(|row| row.lacks.is_none()).count();
    let all = rows.len();
    let cells = rows.into_iter().map(|row| {
        let lacks = row.lacks.unwrap_or_else(|| "ready".to_owned());
        [row.name.to_owned(), row.dialects.join(", "), row.base_url, lacks, row.offers.join(", ")]
    });
    table(&mut out, ["provider", "speaks", "at", "status", "has"], cells)?;
    writeln!(out, "\n{ready} of {all} can be used now; `lockgate providers NAME` tells more of one")?;
    Ok(())
}

/// The configured providers, then the rest of the catalog.
fn rows<'a>(config: &'a Config, entries: &'a [CatalogEntry]) -> Vec<Row<'a>> {
    let configured = config.providers.iter().map(of_provider);
    let others = entries.iter().filter(|entry| config.provider(entry.name).is_none()).map(|entry| Row {
        name: entry.name,
        aliases: &entry.aliases,
        lacks: Some(lacks(config, entry)),
        dialects: entry.dialects.iter().map(String::as_str).collect(),
        offers: entry.offers(),
        base_url: entry.base_url.clone(),
    });
    configured.chain(others).collect()
}

fn of_provider(provider: &Provider) -> Row<'_> {
    let mut dialects: Vec<&str> = provider.faces.iter().map(|face| face.dialect.as_str()).collect();
    dialects.dedup();
    Row {
        name: &provider.name,
        aliases: &provider.aliases,
        lacks: (!provider.is_ready()).then(|| {
            let reasons = [&provider.params_missing, &provider.key_missing].into_iter().flatten();
            let reasons: Vec<&str> = reasons.map(String::as_str).collect();
            if reasons.is_empty() { "a key is missing".to_owned() } else { reasons.join("; ") }
        }),
        dialects,
        offers: provider.offers(),
        base_url: match provider.base_url.scheme {
            Scheme::Sim => "inside the gateway".to_owned(),
            _ => provider.base_url.to_string(),
        },
    }
}

/// What an entry that is not switched on lacks.
fn lacks(config: &Config, entry: &CatalogEntry) -> String {
    let is_set = |name: &String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dormant = config.dormant.made().iter().find(|provider| provider.name == entry.name);
    if entry.env.iter().any(is_set) && entry.kind != Kind::Local {
        let unfilled = dormant.and_then(|provider| provider.params_missing.clone());
        return unfilled.unwrap_or_else(|| "switched off".to_owned());
    }
    let params = entry.params.iter().filter(|(_, variables)| !variables.iter().any(is_set));
    let params = params.map(|(name, variables)| match variables.first() {
        Some(variable) => format!("`{variable}`"),
        None => format!("`providers.{}.params.{name}`", entry.name),
    });
    let own = match (entry.kind, entry.env.first()) {
        (Kind::Local, _) => format!("`{}`", base_url_variable(entry.name)),
        (_, Some(variable)) => format!("`{variable}`"),
        (_, None) => "an entry under `providers`".to_owned(),
    };
    format!("needs {}", std::iter::once(own).chain(params).collect::<Vec<_>>().join(" and "))
}

fn base_url_variable(name: &str) -> String {
    format!("{}_BASE_URL", name.to_ascii_uppercase().replace(['-', '.'], "_"))
}

/// Prints all that is known of one provider.
fn one(config: &Config, entries: &[CatalogEntry], name: &str, out: &mut impl Write) -> Result<(), Failure> {
    let rows = rows(config, entries);
    let by_alias = || rows.iter().find(|row| row.aliases.iter().any(|alias| alias == name));
    let Some(row) = rows.iter().find(|row| row.name == name).or_else(by_alias) else {
        let hint = expected_near(name, &rows);
        return Err(Failure::Other(format!("unknown provider `{name}`{hint}")));
    };
    writeln!(out, "{}: {}", row.name, row.lacks.as_deref().unwrap_or("ready"))?;
    let mut facts: Vec<[String; 2]> = vec![["base url".to_owned(), row.base_url.clone()]];
    let mut fact = |what: &str, told: String| {
        if !told.is_empty() {
            facts.push([what.to_owned(), told]);
        }
    };
    fact("aliases", row.aliases.join(", "));
    let entry_name = config.provider(row.name).map_or(row.name, |provider| provider.entry.as_str());
    if let Some(entry) = entries.iter().find(|entry| entry.name == entry_name) {
        fact("title", entry.title.clone());
        fact("catalog", format!("{} ({})", entry.section, entry.name));
        fact("regions", pairs(&entry.regions));
        fact("params", entry.params.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
        fact("key from", entry.env.join(", "));
        fact("key shown", if entry.keyless { format!("{} (or none)", entry.auth) } else { entry.auth.clone() });
        fact(
            "headers",
            entry.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", "),
        );
        fact("callers' key", entry.key_header.clone());
        fact("confidence", entry.confidence.to_string());
        fact("sources", entry.sources.join(", "));
    }
    for [what, told] in facts {
        writeln!(out, "  {what:<13}{told}")?;
    }
    writeln!(out)?;
    match (config.provider(row.name), entries.iter().find(|entry| entry.name == entry_name)) {
        (Some(provider), entry) => table(out, ["has", "speaks", "at"], places(provider, entry).into_iter())?,
        (None, Some(entry)) => {
            let places = entry.capabilities.iter().map(|own| {
                let unverified = if own.unverified { " (unverified)" } else { "" };
                [own.name.to_owned(), own.dialect.clone().unwrap_or_default(), format!("{}{unverified}", own.path)]
            });
            table(out, ["has", "speaks", "at"], places)?;
        }
        (None, None) => {}
    }
    writeln!(out, "its own API is at `/p/{}/...`", row.name)?;
    Ok(())
}

/// What a configured provider has, and where.
fn places(provider: &Provider, entry: Option<&CatalogEntry>) -> Vec<[String; 3]> {
    let unverified = |path: &str| {
        let capabilities = entry.into_iter().flat_map(|entry| &entry.capabilities);
        let is_unverified = capabilities.filter(|own| own.path == path).any(|own| own.unverified);
        if is_unverified { " (unverified)" } else { "" }
    };
    let place = |base: &Option<lockgate_config::BaseUrl>, path: &str| {
        let base = base.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{base}{path}{}", unverified(path))
    };
    let faces = provider.faces.iter().map(|face| {
        let offer = face.route_type.rsplit('/').next().unwrap_or_default();
        [offer.to_owned(), face.dialect.clone(), place(&face.base, &face.path)]
    });
    let operations = provider
        .operations
        .iter()
        .map(|operation| [operation.name.to_owned(), String::new(), place(&operation.base, &operation.path)]);
    faces.chain(operations).collect()
}

fn pairs(regions: &[(String, String)]) -> String {
    regions.iter().map(|(name, url)| format!("{name} {url}")).collect::<Vec<_>>().join(", ")
}

fn expected_near(name: &str, rows: &[Row<'_>]) -> String {
    let names = rows.iter().flat_map(|row| std::iter::once(row.name).chain(row.aliases.iter().map(String::as_str)));
    let near = names.map(|other| (lockgate_config::name_distance(name, other), other)).min_by_key(|(edits, _)| *edits);
    match near.filter(|(distance, _)| *distance <= (name.len() / 3).max(1)) {
        Some((_, near)) => format!(", did you mean `{near}`?"),
        None => ": `lockgate providers` lists all".to_owned(),
    }
}
