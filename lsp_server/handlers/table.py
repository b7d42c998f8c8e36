"""Which handler answers which method, and which command."""

from typing import Any

from lsprotocol import types

from .. import protocol
from .adapters import activate_adapter, adapters, rollback_adapter
from .answers import Command, Feature
from .documents import cursor, did_change, did_save, inline_completion
from .insights import describe, event, report, why
from .lifecycle import (
    did_change_configuration,
    did_change_folders,
    initialize,
    initialized,
    shutdown,
)
from .models import choose_model, models
from .serving import completion_accepted, restart_engine, status
from .training import (
    cancel_training,
    pause_training,
    resume_training,
    set_up_training,
    start_training,
)

LSP: dict[str, Feature] = {
    types.INITIALIZE: initialize,
    types.INITIALIZED: initialized,
    types.SHUTDOWN: shutdown,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_folders,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_SAVE: did_save,
}
OPTIONS: dict[str, Any] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: types.InlineCompletionOptions(),
}
REQUESTS: dict[str, Feature] = {
    protocol.STATUS: status,
    protocol.ADAPTERS: adapters,
    protocol.MODELS: models,
    protocol.WHY: why,
    protocol.REPORT: report,
    protocol.DIAGNOSTICS: describe,
    protocol.EVENT: event,
    protocol.CURSOR: cursor,
}
"""Our own, whose failures are told as LSP errors (a notification's go to the log)."""
COMMANDS: dict[str, Command] = {
    protocol.COMPLETION_ACCEPTED: completion_accepted,
    protocol.RESTART_ENGINE: restart_engine,
    protocol.START_TRAINING: start_training,
    protocol.CANCEL_TRAINING: cancel_training,
    protocol.PAUSE_TRAINING: pause_training,
    protocol.RESUME_TRAINING: resume_training,
    protocol.SETUP_TRAINING: set_up_training,
    protocol.ACTIVATE_ADAPTER: activate_adapter,
    protocol.ROLLBACK_ADAPTER: rollback_adapter,
    protocol.CHOOSE_MODEL: choose_model,
}
