//! Reasoning effort of a model, which an operator sets; the end of a model's name does not set it.
//!
//! genai 0.7 takes a last word such as `-max` or `-medium` off nearly every model's name and asks for that effort,
//! unless an effort is given. Many models really have such names (`qwen-max`, `mistral-medium`). If an operator gives
//! no effort, a model of such a name therefore gets the effort for which genai's adapter sends nothing.

use genai::adapter::AdapterKind;
use genai::chat::ReasoningEffort;

use super::failure::Failure;

/// The efforts there are.
pub(super) const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// A request's effort, and as which provider's it is sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) adapter: AdapterKind,
    pub(super) effort: Option<ReasoningEffort>,
}

/// Decides how to ask a provider for a model by its unchanged name, with the operator's effort.
///
/// # Errors
/// When genai has no way to send the name without an effort.
pub(super) fn sent(adapter: AdapterKind, model: &str, wanted: Option<&str>) -> Result<Sent, Failure> {
    if let Some(wanted) = wanted {
        return Ok(Sent { adapter, effort: ReasoningEffort::from_keyword(wanted) });
    }
    let last = model.rsplit_once('-').map_or("", |(_, last)| last);
    if ReasoningEffort::from_keyword(last).is_none() {
        return Ok(Sent { adapter, effort: None });
    }
    let (adapter, effort) = match adapter {
        // Their names stay.
        AdapterKind::Ollama | AdapterKind::OllamaCloud | AdapterKind::Cohere | AdapterKind::BedrockApi => {
            (adapter, None)
        }
        // Of zero they send nothing.
        AdapterKind::Anthropic | AdapterKind::MiniMax | AdapterKind::Gemini | AdapterKind::Vertex => {
            (adapter, Some(ReasoningEffort::Zero))
        }
        // It is OpenAI's with a member `thinking` for any effort.
        AdapterKind::DeepSeek => (AdapterKind::OpenAI, Some(ReasoningEffort::Budget(0))),
        AdapterKind::GeminiIx => {
            return Err(Failure::Host(
                "the end of the model's name would be taken for an effort: set `effort` in [handler.model]",
            ));
        }
        // OpenAI and all that speak as it does have no budget to send.
        _ => (adapter, Some(ReasoningEffort::Budget(0))),
    };
    Ok(Sent { adapter, effort })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_effort_is_one_of_genai() {
        for effort in EFFORTS {
            assert!(ReasoningEffort::from_keyword(effort).is_some(), "{effort}");
        }
    }

    #[test]
    fn a_name_says_nothing_of_effort() {
        let effort = |adapter, model, wanted| {
            let sent = sent(adapter, model, wanted).unwrap();
            (sent.adapter, sent.effort.map(|effort| effort.to_string()))
        };
        let text = |text: &str| Some(text.to_owned());
        for model in ["qwen-max", "mistral-medium", "local-low", "x-high", "x-none", "x-xhigh", "x-zero", "x-minimal"] {
            assert_eq!(effort(AdapterKind::OpenAI, model, None), (AdapterKind::OpenAI, text("0")), "{model}");
        }
        for model in ["max", "qwen-maximal", "gpt-5", "qwen_max"] {
            assert_eq!(effort(AdapterKind::OpenAI, model, None).1, None, "{model}");
        }
        assert_eq!(effort(AdapterKind::OpenAI, "qwen-max", Some("high")).1, text("high"));
        assert_eq!(effort(AdapterKind::Anthropic, "qwen-max", None).1, text("zero"));
        assert_eq!(effort(AdapterKind::Ollama, "qwen-max", None).1, None);
        assert_eq!(effort(AdapterKind::DeepSeek, "x-max", None).0, AdapterKind::OpenAI);
        assert!(sent(AdapterKind::GeminiIx, "x-max", None).is_err());
        assert_eq!(effort(AdapterKind::GeminiIx, "x-max", Some("low")).1, text("low"));
    }
}
