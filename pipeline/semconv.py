"""OpenTelemetry's names for attributes, in one place: the GenAI conventions have left the main repository."""

SESSION_ID = "session.id"
USER_ID = "user.id"
ERROR_TYPE = "error.type"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_DESTINATION = "messaging.destination.name"
MESSAGING_MESSAGE_ID = "messaging.message.id"

GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id"
GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_USAGE_COST = "gen_ai.usage.cost"
"""Not in the conventions, which know no prices; several backends read it."""

SPANFEED_EVENT_TYPE = "spanfeed.event_type"
SPANFEED_EVENT_DATA = "spanfeed.data."
SPANFEED_MESSAGE_ID = "spanfeed.message_id"
SPANFEED_ATTEMPT = "spanfeed.attempt"
SPANFEED_REASON = "spanfeed.reason"

IDS = frozenset((SESSION_ID, USER_ID, MESSAGING_MESSAGE_ID, GEN_AI_CONVERSATION_ID, SPANFEED_MESSAGE_ID))
"""Attributes that name something: they are never redacted, or nothing would be found by them."""

CONTENT = tuple(
    "gen_ai.prompt gen_ai.completion gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions "
    "gen_ai.tool.call.arguments gen_ai.tool.call.result gen_ai.tool.message gen_ai.event.content llm.prompts "
    "llm.completions llm.input_messages llm.output_messages input.value output.value traceloop.entity.input "
    "traceloop.entity.output".split()
)
"""Attributes that begin so hold what was said, in the conventions of today and of earlier ones."""
