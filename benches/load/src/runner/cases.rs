//! The cases: what is asked, what is compared with what, and how low it is meant to be.

use crate::dialect::Dialect;

/// The mock model that each gateway routes to the `OpenAI` upstream.
pub(super) const OPENAI_MODEL: &str = "gpt-mock";
/// The mock model that each gateway routes to the Anthropic upstream.
pub(super) const ANTHROPIC_MODEL: &str = "claude-mock";

const PER_REQUEST: &str = "cpu_us_per_request";
const PER_CHUNK: &str = "cpu_us_per_chunk";

/// One kind of steady load.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) client: Dialect,
    pub(super) upstream: Dialect,
    pub(super) shape: Shape,
    /// The case of bare Pingora that the ratio refers to.
    pub(super) reference: &'static str,
    /// The figure that is compared.
    pub(super) compared: &'static str,
    /// The ratio that is meant to be reached.
    pub(super) goal: Option<f64>,
}

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Whole answers on so many connections.
    Plain(usize),
    /// Whole answers to bodies of 1 MiB, 4 connections.
    Body,
    /// Streams of one delta, one at a time: time to first token with no burst behind it.
    First,
    /// 16 streams at once from an upstream that never waits.
    Flood,
    /// 64 streams of one delta per 10 ms: what real models look like.
    Paced,
}

/// A case about one process, not about a rate.
#[derive(Debug)]
pub(super) struct Footprint {
    pub(super) name: &'static str,
    /// The figure that has a goal.
    pub(super) compared: &'static str,
    /// How many MiB it may be.
    pub(super) goal: f64,
}

/// How much of everything.
#[derive(Debug)]
pub(super) struct Scale {
    pub(super) seconds: f64,
    pub(super) warm_up: f64,
    /// Paced streams last two seconds, so that their window is longer.
    pub(super) paced_extra: f64,
    pub(super) chunks: u64,
    /// Unrecorded load on a new gateway, so that pools and caches are filled.
    pub(super) settle_in: f64,
    /// Time for memory to settle before it is read.
    pub(super) settle: f64,
    pub(super) held_streams: usize,
    pub(super) upload_bytes: usize,
}

pub(super) const FULL: Scale = Scale {
    seconds: 3.0,
    warm_up: 0.7,
    paced_extra: 1.0,
    chunks: 200,
    settle_in: 1.0,
    settle: 1.0,
    held_streams: 1000,
    upload_bytes: 20 << 20,
};

pub(super) const QUICK: Scale = Scale {
    seconds: 0.3,
    warm_up: 0.1,
    paced_extra: 0.0,
    chunks: 20,
    settle_in: 0.1,
    settle: 0.1,
    held_streams: 50,
    upload_bytes: 2 << 20,
};

const BODY_BYTES: usize = 1 << 20;
const DELAY_US: u64 = 10_000;

pub(super) const START: Footprint = Footprint { name: "start", compared: "idle_mib", goal: 12.0 };
pub(super) const IDLE_STREAMS: Footprint = Footprint { name: "idle_streams", compared: "growth_mib", goal: 40.0 };
pub(super) const UPLOAD: Footprint = Footprint { name: "upload_20m", compared: "growth_mib", goal: 2.0 };
pub(super) const FOOTPRINTS: [&Footprint; 3] = [&START, &UPLOAD, &IDLE_STREAMS];

pub(super) const CASES: &[Case] = &[
    same("plain_c1", Shape::Plain(1), None),
    same("plain_c64", Shape::Plain(64), Some(0.80)),
    Case { compared: "ttft_p50_us", ..same("ttft", Shape::First, Some(1.05)) },
    same("stream_flood", Shape::Flood, Some(1.15)),
    same("stream_paced", Shape::Paced, Some(1.0)),
    openai_to_anthropic("cross_oa_an_plain", "plain_c64", Shape::Plain(64), 1.15),
    openai_to_anthropic("cross_oa_an_flood", "stream_flood", Shape::Flood, 1.5),
    openai_to_anthropic("cross_oa_an_paced", "stream_paced", Shape::Paced, 1.05),
    anthropic_to_openai("cross_an_oa_plain", "plain_c64", Shape::Plain(64), 1.15),
    anthropic_to_openai("cross_an_oa_flood", "stream_flood", Shape::Flood, 1.5),
    anthropic_to_openai("cross_an_oa_paced", "stream_paced", Shape::Paced, 1.05),
    same("body_1m", Shape::Body, Some(0.75)),
];

const fn same(name: &'static str, shape: Shape, goal: Option<f64>) -> Case {
    let compared = shape.cpu();
    Case { name, client: Dialect::Openai, upstream: Dialect::Openai, shape, reference: name, compared, goal }
}

const fn openai_to_anthropic(name: &'static str, reference: &'static str, shape: Shape, goal: f64) -> Case {
    Case { reference, upstream: Dialect::Anthropic, ..same(name, shape, Some(goal)) }
}

const fn anthropic_to_openai(name: &'static str, reference: &'static str, shape: Shape, goal: f64) -> Case {
    Case { reference, client: Dialect::Anthropic, ..same(name, shape, Some(goal)) }
}

// === impl Shape ===

impl Shape {
    /// Names the figure that is compared where a case says nothing else: what the gateway's core is busy with.
    pub(super) const fn cpu(self) -> &'static str {
        match self {
            Self::Plain(_) | Self::Body => PER_REQUEST,
            Self::First | Self::Flood | Self::Paced => PER_CHUNK,
        }
    }

    /// Names the figures that tell how fast the case is for clients: a rate, a median and a tail.
    pub(super) fn shown(self) -> [&'static str; 3] {
        match self {
            Self::Plain(_) | Self::Body => ["requests_per_second", "latency_p50_us", "latency_p99_us"],
            Self::First | Self::Flood => ["chunks_per_second", "ttft_p50_us", "ttft_p99_us"],
            Self::Paced => ["chunks_per_second", "transit_p50_us", "transit_p99_us"],
        }
    }
}

// === impl Case ===

impl Case {
    pub(super) fn crosses(&self) -> bool {
        self.client != self.upstream
    }

    /// Sets the upstream for this case, every setting of it.
    pub(super) fn control(&self, scale: &Scale) -> String {
        let chunks = self.chunks(scale);
        let delay_us = if self.shape == Shape::Paced { DELAY_US } else { 0 };
        format!("chunks={chunks}&delay_us={delay_us}&first_us=0&coalesce=1&hold_us=0&read_us=0")
    }

    /// Sets the load generator for this case.
    pub(super) fn arguments(&self, scale: &Scale) -> Vec<String> {
        let (connections, streamed) = match self.shape {
            Shape::Plain(connections) => (connections, false),
            Shape::Body => (4, false),
            Shape::First => (1, true),
            Shape::Flood => (16, true),
            Shape::Paced => (64, true),
        };
        let seconds = scale.seconds + if self.shape == Shape::Paced { scale.paced_extra } else { 0.0 };
        let model = if self.upstream == Dialect::Anthropic { ANTHROPIC_MODEL } else { OPENAI_MODEL };
        let body_bytes = if self.shape == Shape::Body { BODY_BYTES } else { 0 };
        let mut arguments: Vec<String> =
            ["--name", self.name, "--dialect", self.client.name(), "--model", model].map(str::to_owned).to_vec();
        for (name, value) in [
            ("--connections", connections.to_string()),
            ("--expect", self.chunks(scale).to_string()),
            ("--body-bytes", body_bytes.to_string()),
            ("--seconds", seconds.to_string()),
            ("--warm-up", scale.warm_up.to_string()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        if streamed {
            arguments.push("--stream".to_owned());
        }
        arguments
    }

    fn chunks(&self, scale: &Scale) -> u64 {
        if self.shape == Shape::First { 1 } else { scale.chunks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_is_a_case_of_one_dialect_with_the_same_figure() {
        for case in CASES {
            let reference = CASES.iter().find(|other| other.name == case.reference);
            let reference = reference.expect("the reference is a case");
            assert!(!reference.crosses(), "{} refers to a crossing", case.name);
            assert_eq!(case.compared, reference.compared, "{}", case.name);
        }
    }
}
