//! How many tokens a prompt amounts to, without a tokenizer.
//!
//! A tokenizer per vendor would weigh megabytes and still be wrong for the vendors that publish none. Text is weighed
//! by classes of characters instead; what vendors add around messages and tools is a constant each. The result is
//! meant for budgets, limits and clients that want a number at once: it is an estimate, and says so where it is shown.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::model::{Media, MediaClass, MediaSource, Part, PartContent, Request, Tool};

/// Tokens that vendors spend on each message.
const PER_MESSAGE: f64 = 4.0;
/// Tokens for each call or result, besides its words.
const PER_CALL: f64 = 10.0;
/// Tokens for each tool on offer, besides its words.
const PER_TOOL: f64 = 25.0;
/// Tokens of the instructions that Claude models get when there are tools at all (Anthropic, "Tool use": 313 to 346
/// with recent models). Other vendors' are not worth a number.
const CLAUDE_TOOLS: f64 = 346.0;
/// Tokens of the vendor's own instructions that Cohere counts in with every prompt to Command A: 495 were recorded with
/// a prompt of 11.
const COMMAND_A: f64 = 495.0;
/// Tokens of an image whose size is unknown, and the most of any image.
const MOST_PER_IMAGE: f64 = 1600.0;
/// Pixels per token of an image (Anthropic, "Vision").
const PIXELS_PER_TOKEN: f64 = 750.0;
/// Where an image's size is looked for: its first bytes, as base64.
const IMAGE_HEAD: usize = 64 << 10;
/// Tokens of other media, whose length only their decoder knows.
const PER_MEDIUM: f64 = 1300.0;

/// Words from this length on are looked at as possible blobs (keys, hashes, base64).
const BLOB_LENGTH: usize = 24;
const BLOB_WEIGHT: f64 = 0.6;

/// Estimates the input tokens of a request; at least 1.
pub fn request(request: &Request) -> u64 {
    let mut total = parts(&request.system);
    if !request.system.is_empty() {
        total += PER_MESSAGE;
    }
    if request.model.starts_with("command-a-0") {
        total += COMMAND_A;
    }
    total += request.turns.iter().map(|turn| PER_MESSAGE + parts(&turn.parts)).sum::<f64>();
    if !request.tools.is_empty() {
        let instructions = if request.model.contains("claude") { CLAUDE_TOOLS } else { 0.0 };
        total += instructions + request.tools.iter().map(tool).sum::<f64>();
    }
    if let crate::model::OutputFormat::JsonSchema { schema, .. } = &request.output.format {
        total += weigh(schema.as_str());
    }
    whole(total)
}

/// Estimates the tokens of a text; 0 for none.
pub fn text(text: &str) -> u64 {
    if text.is_empty() { 0 } else { whole(weigh(text)) }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of positive weights, far below 2^52"
)]
fn whole(tokens: f64) -> u64 {
    (tokens.ceil() as u64).max(1)
}

fn parts(parts: &[Part]) -> f64 {
    parts.iter().map(|part| content(&part.content)).sum()
}

fn content(content: &PartContent) -> f64 {
    match content {
        PartContent::Text(text) | PartContent::Refusal(text) => weigh(text),
        PartContent::Media(media) => medium(media),
        PartContent::Reasoning(reasoning) => reasoning.text.as_deref().map_or(0.0, weigh),
        PartContent::ToolCall(call) => PER_CALL + weigh(&call.name) + weigh(&call.args),
        PartContent::ToolResult(result) => {
            let json = result.json.as_ref().filter(|_| result.parts.is_empty());
            PER_CALL + parts(&result.parts) + json.map_or(0.0, |json| weigh(json.as_str()))
        }
        PartContent::ServerCall(call) => PER_CALL + weigh(call.input.as_str()),
        PartContent::ServerResult(result) => PER_CALL + weigh(result.output.as_str()),
        PartContent::Unknown { raw, .. } => weigh(raw.as_str()),
    }
}

fn tool(tool: &Tool) -> f64 {
    let said = |text: &Option<crate::model::Str>| text.as_deref().map_or(0.0, weigh);
    let raw = |raw: &Option<crate::model::RawJson>| raw.as_ref().map_or(0.0, |raw| weigh(raw.as_str()));
    PER_TOOL
        + match tool {
            Tool::Function { name, description, schema, .. } => weigh(name) + said(description) + raw(schema),
            Tool::Custom { name, description, format } => weigh(name) + said(description) + raw(format),
            Tool::Server { raw, .. } => weigh(raw.as_str()),
        }
}

fn medium(media: &Media) -> f64 {
    let said = media.title.as_deref().map_or(0.0, weigh) + media.context.as_deref().map_or(0.0, weigh);
    said + match (&media.source, media.class) {
        (MediaSource::Text(text), _) => weigh(text),
        (MediaSource::Parts(inner), _) => parts(inner),
        (MediaSource::Base64(data), MediaClass::Image) => {
            let head = data.as_bytes().get(..data.len().min(IMAGE_HEAD) / 4 * 4).unwrap_or_default();
            image(&STANDARD.decode(head).unwrap_or_default())
        }
        (MediaSource::Bytes(bytes), MediaClass::Image) => image(bytes),
        (_, MediaClass::Image) => MOST_PER_IMAGE,
        // What a document says is not known before somebody reads it; its title stands for it.
        (_, MediaClass::Document) => 0.0,
        (_, MediaClass::Audio | MediaClass::Video) => PER_MEDIUM,
    }
}

#[expect(clippy::cast_precision_loss, reason = "sides of images are far below 2^52 pixels")]
fn image(bytes: &[u8]) -> f64 {
    imagesize::blob_size(bytes).map_or(MOST_PER_IMAGE, |size| {
        (size.width as f64 * size.height as f64 / PIXELS_PER_TOKEN).ceil().min(MOST_PER_IMAGE)
    })
}

/// The weight of a text, word by word: blobs have their own.
fn weigh(text: &str) -> f64 {
    text.split_inclusive(char::is_whitespace).map(word).sum()
}

/// A word with the blank behind it.
fn word(word: &str) -> f64 {
    let bare = word.trim_end();
    if bare.len() >= BLOB_LENGTH && is_blob(bare.as_bytes()) {
        #[expect(clippy::cast_precision_loss, reason = "a word is far below 2^52 bytes")]
        return bare.len() as f64 * BLOB_WEIGHT;
    }
    word.chars().map(weight).sum()
}

fn is_blob(word: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-');
    word.iter().all(allowed) && word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic)
}

fn weight(c: char) -> f64 {
    match c {
        'a'..='z' | 'A'..='Z' => 0.25,
        '0'..='9' => 0.5,
        c if c.is_whitespace() => 0.25,
        c if c.is_ascii() => 0.75,
        '\u{2600}'..='\u{27bf}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f000}'.. => 2.7,
        _ => 0.85,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, Str, Turn};

    fn user(parts: Vec<Part>) -> Request {
        Request { turns: vec![Turn { role: Role::User, parts, name: None }], ..Request::default() }
    }

    #[test]
    fn prose_is_near_four_characters_a_token() {
        let prose = "All the world's a stage, and all the men and women merely players.";
        assert!((15..=20).contains(&text(prose)), "{}", text(prose));
        assert_eq!(text(""), 0);
        assert_eq!(text("a"), 1);
    }

    #[test]
    fn blobs_digits_and_other_scripts_weigh_more() {
        let same_length = ["abcdefghijklmnopqrstuvwx", "012345678901234567890123", "YWJjZGVmZ2hpamtsbW5vcHFy1"];
        let [words, digits, blob] = same_length.map(text);
        assert!(words < digits && words < blob);
        assert!(text("日本語日本語") >= 5);
        assert!(text("👩‍👩‍👧") >= 8);
    }

    #[test]
    fn an_image_counts_by_its_size() {
        // The first bytes of a PNG of 750 by 10 pixels.
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend_from_slice(&750u32.to_be_bytes());
        png.extend_from_slice(&10u32.to_be_bytes());
        png.extend_from_slice(&[8, 6, 0, 0, 0, 0, 0, 0, 0, 0]);
        let media = |source| Part::new(PartContent::Media(Media::new(MediaClass::Image, None, source)));
        let sized = media(MediaSource::Base64(Str::from(STANDARD.encode(png))));
        assert_eq!(request(&user(vec![sized])), 14);
        assert_eq!(request(&user(vec![media(MediaSource::Url(Str::from_static("https://x/y.png")))])), 1604);
    }

    /// What vendors counted for recorded prompts of text and tools, next to the estimate.
    #[test]
    fn recorded_prompts_are_estimated_within_a_third() {
        let root = std::env::var_os("LOCKGATE_CORPUS").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
            std::path::PathBuf::from,
        );
        let mut ratios: Vec<f64> = Vec::new();
        for dialect in crate::dialects::upstreams() {
            let cases = std::fs::read_dir(root.join(dialect.name().replace('_', "-"))).into_iter().flatten().flatten();
            ratios.extend(cases.filter_map(|case| ratio(dialect, &case.path())));
        }
        if ratios.is_empty() {
            eprintln!("SKIPPED: there are no recorded prompts at {}, set LOCKGATE_CORPUS", root.display());
            return;
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        let near = ratios.iter().filter(|ratio| (0.67..1.5).contains(*ratio)).count();
        eprintln!("{} prompts, median {median:.2}, within a third: {near}", ratios.len());
        assert!((0.75..1.33).contains(&median), "the median estimate is {median:.2} of the truth");
        assert!(near * 10 >= ratios.len() * 6, "only {near} of {} are near", ratios.len());
    }

    /// Estimate over truth; `None` for prompts with media, vendors' own tools or caches, and for errors.
    fn ratio(dialect: &dyn crate::dialects::Upstream, case: &std::path::Path) -> Option<f64> {
        let read = |file: &str| std::fs::read(case.join(file)).ok().map(bytes::Bytes::from);
        let call = crate::dialects::CallHead { model: Some("m"), ..Default::default() };
        let asked = dialect.decode_request(&call, &read("request.json")?).ok()?;
        let plain = |part: &Part| {
            matches!(part.content, PartContent::Text(_) | PartContent::ToolCall(_) | PartContent::ToolResult(_))
        };
        let all_plain = asked.turns.iter().all(|turn| turn.parts.iter().all(plain));
        if !all_plain || asked.tools.iter().any(|tool| matches!(tool, Tool::Server { .. })) {
            return None;
        }
        let usage = dialect.inspect_response(&read("response.json")?).usage?;
        #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
        (usage.input() > 0).then(|| request(&asked) as f64 / usage.input() as f64)
    }
}
