//! In what upstreams of this dialect deviate from it, by name. Each is met where the request is encoded.

use super::super::Quirk;

/// All of them, in the order of their names.
pub(super) const QUIRKS: &[Quirk] = &[
    Quirk { name: "cache_control", what: "cache breakpoints are sent as `cache_control`" },
    Quirk { name: "flat_content", what: "texts of a message are joined to one string" },
    Quirk { name: "max_tokens_legacy", what: "the limit is sent as `max_tokens`, whatever the model" },
    Quirk { name: "no_developer_role", what: "instructions are sent as `system`, whatever the model" },
    Quirk { name: "no_parallel_tool_calls", what: "`parallel_tool_calls` is left out" },
    Quirk { name: "no_reasoning_effort", what: "`reasoning_effort` is left out" },
    Quirk { name: "no_stream_options", what: "`stream_options` is left out, so streams may end without usage" },
    Quirk { name: "no_user", what: "`user` is left out" },
    Quirk { name: "prompt_cache_breakpoint", what: "cache breakpoints are sent as `prompt_cache_breakpoint`" },
    Quirk { name: "reasoning_content_in", what: "earlier thinking is sent back as `reasoning_content`" },
    Quirk { name: "reasoning_details_in", what: "earlier thinking is sent back with its state as `reasoning_details`" },
    Quirk { name: "thought_signature_in", what: "Gemini's signatures are sent back in `extra_content`" },
    Quirk { name: "tool_ids_9", what: "ids of tool calls are nine letters and digits" },
    Quirk { name: "top_k", what: "`top_k` is sent" },
];
