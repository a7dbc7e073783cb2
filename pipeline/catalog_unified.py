"""The types of unified events: their categories, and the sentence that a user reads for each, in three languages.

These events have no status: what happened stands in the type's name.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.event import Category

NO_STATUS = "none"
"""The word under which a sentence is found that belongs to an event without a status."""

_SENTENCES: Mapping[Category, str] = {
    Category.REALTIME: """
backup.started | 💾 Backup started | 💾 Kuhifadhi nakala kumeanza | 💾 Sauvegarde commencée
backup.progress | 💾 Backup: {progress} % | 💾 Nakala: {progress} % | 💾 Sauvegarde : {progress} %
backup.completed | ✅ Backup complete | ✅ Nakala imekamilika | ✅ Sauvegarde terminée
backup.failed | ⚠️ The backup failed | ⚠️ Kuhifadhi nakala kumeshindikana | ⚠️ La sauvegarde a échoué
job.started | ⚙️ {job_name} started | ⚙️ {job_name} imeanza | ⚙️ {job_name} a commencé
job.progress | ⚙️ {job_name}: {progress} % done | ⚙️ {job_name}: {progress} % tayari | ⚙️ {job_name} : {progress} % fait
job.completed | ✅ {job_name} complete | ✅ {job_name} imekamilika | ✅ {job_name} terminé
job.failed | ⚠️ {job_name} failed | ⚠️ {job_name} imeshindikana | ⚠️ {job_name} a échoué
job.retried | 🔁 {job_name} is tried again | 🔁 {job_name} inajaribiwa tena | 🔁 {job_name} est réessayé
tool_server.started | 🔌 {server_name} started | 🔌 {server_name} imeanza | 🔌 {server_name} a démarré
tool_server.stopped | 🔌 {server_name} stopped | 🔌 {server_name} imesimama | 🔌 {server_name} s'est arrêté
tool_server.health_changed | 🔌 {server_name} is now {health_status} | 🔌 {server_name} sasa ni {health_status} | \
🔌 {server_name} est maintenant {health_status}
tool_server.error | ⚠️ {server_name} reports an error | ⚠️ {server_name} ina hitilafu | \
⚠️ {server_name} signale une erreur
document.uploaded | 📄 Document {filename} uploaded | 📄 Waraka {filename} umepakiwa | 📄 Document {filename} reçu
document.processing_started | 📄 Processing the document... | \
📄 Tunashughulikia waraka... | 📄 Traitement du document...
document.processing_progress | 📄 Document: {progress} % processed | 📄 Waraka: {progress} % umeshughulikiwa | \
📄 Document : {progress} % traité
document.processing_completed | ✅ Document processed | ✅ Waraka umeshughulikiwa | ✅ Document traité
document.processing_failed | ⚠️ The document could not be processed | ⚠️ Waraka haukuweza kushughulikiwa | \
⚠️ Le document n'a pas pu être traité
conversation.started | 💬 Conversation started | 💬 Mazungumzo yameanza | 💬 Conversation commencée
conversation.ended | 💬 Conversation ended | 💬 Mazungumzo yameisha | 💬 Conversation terminée
message.received | 📩 Message received | 📩 Ujumbe umepokelewa | 📩 Message reçu
message.sent | 📤 Message sent | 📤 Ujumbe umetumwa | 📤 Message envoyé
user.registered | 👤 New user registered | 👤 Mtumiaji mpya amejisajili | 👤 Nouvel utilisateur inscrit
user.updated | 👤 User updated | 👤 Mtumiaji amesasishwa | 👤 Utilisateur mis à jour
user.connected | 🟢 User connected | 🟢 Mtumiaji ameunganishwa | 🟢 Utilisateur connecté
user.disconnected | ⚪ User disconnected | ⚪ Mtumiaji ametoka | ⚪ Utilisateur déconnecté
user.status_changed | 👤 User is now {status} | 👤 Mtumiaji sasa ni {status} | 👤 L'utilisateur est maintenant {status}
plugin.installed | 🧩 {plugin_name} installed | 🧩 {plugin_name} imesakinishwa | 🧩 {plugin_name} installé
plugin.activated | 🧩 {plugin_name} activated | 🧩 {plugin_name} imewashwa | 🧩 {plugin_name} activé
plugin.deactivated | 🧩 {plugin_name} deactivated | 🧩 {plugin_name} imezimwa | 🧩 {plugin_name} désactivé
plugin.error | ⚠️ {plugin_name} reports an error | ⚠️ {plugin_name} ina hitilafu | ⚠️ {plugin_name} signale une erreur
plugin.started | 🧩 {plugin_name} started | 🧩 {plugin_name} imeanza | 🧩 {plugin_name} a démarré
plugin.stopped | 🧩 {plugin_name} stopped | 🧩 {plugin_name} imesimama | 🧩 {plugin_name} s'est arrêté
agent.created | 🤖 Agent {agent_name} created | 🤖 Wakala {agent_name} ameundwa | 🤖 Agent {agent_name} créé
agent.updated | 🤖 Agent {agent_name} updated | 🤖 Wakala {agent_name} amesasishwa | 🤖 Agent {agent_name} mis à jour
""",
    Category.MONITORING: """
system.alert | ⚠️ Alert: {message} | ⚠️ Tahadhari: {message} | ⚠️ Alerte : {message}
system.status | ℹ️ System: {status} | ℹ️ Mfumo: {status} | ℹ️ Système : {status}
""",
    Category.STREAMING: """
chat.message_chunk | ✍️ Writing... | ✍️ Tunaandika... | ✍️ Rédaction...
chat.message_complete | ✅ Message complete | ✅ Ujumbe umekamilika | ✅ Message terminé
""",
    Category.WORKFLOW: """
workflow.status | 🔁 Workflow is now {status} | 🔁 Mtiririko sasa ni {status} | 🔁 Le flux est maintenant {status}
workflow.started | 🔁 Workflow started | 🔁 Mtiririko umeanza | 🔁 Flux commencé
workflow.completed | ✅ Workflow complete | ✅ Mtiririko umekamilika | ✅ Flux terminé
workflow.failed | ⚠️ The workflow failed | ⚠️ Mtiririko umeshindikana | ⚠️ Le flux a échoué
""",
    Category.ANALYTICS: """
message.feedback | 📝 Feedback received | 📝 Maoni yamepokelewa | 📝 Avis reçu
experiment.exposure | 🧪 {experiment}: variant {variant} | 🧪 {experiment}: toleo {variant} | \
🧪 {experiment} : variante {variant}
""",
    Category.SECURITY: """
auth.login_success | 🔓 Signed in | 🔓 Umeingia | 🔓 Connexion réussie
auth.login_failure | 🔒 Sign-in failed | 🔒 Kuingia kumeshindikana | 🔒 Échec de la connexion
auth.key_refused | 🔒 A key was refused | 🔒 Ufunguo umekataliwa | 🔒 Une clé a été refusée
auth.token_refused | 🔒 A token was refused | 🔒 Tokeni imekataliwa | 🔒 Un jeton a été refusé
suspicious.brute_force | 🚨 Many failed attempts from {ip_address} | \
🚨 Majaribio mengi yaliyoshindikana kutoka {ip_address} | 🚨 Nombreux échecs depuis {ip_address}
""",
}  # fmt: skip
"""By category: a type a line, then its sentence in English, Kiswahili and French."""


def _lines() -> list[tuple[Category, list[str]]]:
    return [
        (category, [part.strip() for part in line.split("|")])
        for category, block in _SENTENCES.items()
        for line in block.strip().splitlines()
    ]


TYPES: Mapping[str, Category] = {parts[0]: category for category, parts in _lines()}
"""Every type, with its category."""

TEXTS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    name: {NO_STATUS: {"en": en, "sw": sw, "fr": fr}} for _, (name, en, sw, fr) in _lines()
}
"""Every type's sentence, in the form of `pipeline.catalog_texts.TEXTS`."""
