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

SPANFEED_EVENT_TYPE = "spanfeed.event_type"
SPANFEED_EVENT_DATA = "spanfeed.data."
SPANFEED_MESSAGE_ID = "spanfeed.message_id"
SPANFEED_ATTEMPT = "spanfeed.attempt"
SPANFEED_REASON = "spanfeed.reason"
