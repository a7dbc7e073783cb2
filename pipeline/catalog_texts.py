"""The catalogue's sentences by event type, status and language; the English ones are the first seed's."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline import catalog_unified

Texts = Mapping[str, str]


def _texts(en: str, sw: str, fr: str) -> Texts:
    return {"en": en, "sw": sw, "fr": fr}


TEXTS: Mapping[str, Mapping[str, Texts]] = {
    "message_received": {
        "started": _texts(
            "📩 Processing your message...", "📩 Tunashughulikia ujumbe wako...", "📩 Traitement de votre message..."
        ),
        "completed": _texts(
            "✅ Message received and validated", "✅ Ujumbe umepokelewa na kuthibitishwa", "✅ Message reçu et validé"
        ),
        "failed": _texts(
            "⚠️ The message could not be accepted",
            "⚠️ Ujumbe haukuweza kupokelewa",
            "⚠️ Le message n'a pas pu être accepté",
        ),
    },
    "loading_history": {
        "started": _texts(
            "📚 Loading conversation history...",
            "📚 Tunapakia historia ya mazungumzo...",
            "📚 Chargement de l'historique de la conversation...",
        ),
        "completed": _texts("✅ History loaded", "✅ Historia imepakiwa", "✅ Historique chargé"),
        "failed": _texts(
            "⚠️ The history could not be loaded",
            "⚠️ Historia haikuweza kupakiwa",
            "⚠️ L'historique n'a pas pu être chargé",
        ),
    },
    "agent_thinking": {
        "started": _texts(
            "🤔 AI is analyzing your question...", "🤔 AI inachambua swali lako...", "🤔 L'IA analyse votre question..."
        ),
        "progress": _texts(
            "🧠 Understanding context and requirements...",
            "🧠 Inaelewa muktadha na mahitaji...",
            "🧠 Compréhension du contexte et des besoins...",
        ),
        "completed": _texts("✅ Analysis complete", "✅ Uchambuzi umekamilika", "✅ Analyse terminée"),
        "failed": _texts("⚠️ The analysis failed", "⚠️ Uchambuzi umeshindikana", "⚠️ L'analyse a échoué"),
    },
    "tool_search_documents": {
        "started": _texts(
            "📄 Searching relevant documents...",
            "📄 Tunatafuta nyaraka zinazohusika...",
            "📄 Recherche des documents pertinents...",
        ),
        "progress": _texts(
            "🔍 Found {count} potential matches...",
            "🔍 Tumepata {count} zinazoweza kufaa...",
            "🔍 {count} correspondances possibles trouvées...",
        ),
        "completed": _texts(
            "✅ Document search complete", "✅ Utafutaji wa nyaraka umekamilika", "✅ Recherche de documents terminée"
        ),
        "failed": _texts("⚠️ Document search failed", "⚠️ Utafutaji wa nyaraka umeshindikana", "⚠️ La recherche a échoué"),
    },
    "tool_search_webpages": {
        "started": _texts(
            "🌐 Searching web content...", "🌐 Tunatafuta kwenye tovuti...", "🌐 Recherche de contenu web..."
        ),
        "progress": _texts(
            "🔍 Analyzing {count} web pages...",
            "🔍 Tunachambua kurasa {count} za tovuti...",
            "🔍 Analyse de {count} pages web...",
        ),
        "completed": _texts(
            "✅ Web search complete", "✅ Utafutaji wa tovuti umekamilika", "✅ Recherche web terminée"
        ),
        "failed": _texts("⚠️ Web search failed", "⚠️ Utafutaji wa tovuti umeshindikana", "⚠️ La recherche web a échoué"),
    },
    "tool_collection_stats": {
        "started": _texts(
            "📊 Gathering collection statistics...",
            "📊 Tunakusanya takwimu za mkusanyiko...",
            "📊 Collecte des statistiques de la collection...",
        ),
        "completed": _texts("✅ Statistics retrieved", "✅ Takwimu zimepatikana", "✅ Statistiques obtenues"),
        "failed": _texts(
            "⚠️ The statistics could not be gathered",
            "⚠️ Takwimu hazikuweza kukusanywa",
            "⚠️ Les statistiques n'ont pas pu être obtenues",
        ),
    },
    "tool_extract_text": {
        "started": _texts(
            "📝 Extracting relevant text content...",
            "📝 Tunatoa maandishi yanayohusika...",
            "📝 Extraction du texte pertinent...",
        ),
        "progress": _texts(
            "🔍 Processing {count} sources...",
            "🔍 Tunachakata vyanzo {count}...",
            "🔍 Traitement de {count} sources...",
        ),
        "completed": _texts(
            "✅ Text extraction complete", "✅ Utoaji wa maandishi umekamilika", "✅ Extraction du texte terminée"
        ),
        "failed": _texts(
            "⚠️ Text extraction failed", "⚠️ Utoaji wa maandishi umeshindikana", "⚠️ L'extraction du texte a échoué"
        ),
    },
    "response_generation": {
        "started": _texts("✍️ Generating response...", "✍️ Tunaandaa jibu...", "✍️ Rédaction de la réponse..."),
        "progress": _texts(
            "📝 Crafting answer with sources...",
            "📝 Tunaandika jibu pamoja na vyanzo...",
            "📝 Composition de la réponse avec ses sources...",
        ),
        "completed": _texts("✅ Response ready", "✅ Jibu liko tayari", "✅ Réponse prête"),
        "failed": _texts(
            "⚠️ The answer could not be finished",
            "⚠️ Jibu halikuweza kukamilishwa",
            "⚠️ La réponse n'a pas pu être terminée",
        ),
    },
    "saving_message": {
        "started": _texts(
            "💾 Saving conversation...", "💾 Tunahifadhi mazungumzo...", "💾 Enregistrement de la conversation..."
        ),
        "completed": _texts("✅ Conversation saved", "✅ Mazungumzo yamehifadhiwa", "✅ Conversation enregistrée"),
        "failed": _texts(
            "⚠️ The conversation could not be saved",
            "⚠️ Mazungumzo hayakuweza kuhifadhiwa",
            "⚠️ La conversation n'a pas pu être enregistrée",
        ),
    },
    "gap": {
        "failed": _texts(
            "⚠️ {lost} events between {since} and {until} were lost",
            "⚠️ Matukio {lost} kati ya {since} na {until} yamepotea",
            "⚠️ {lost} événements entre {since} et {until} ont été perdus",
        ),
    },
    "error": {"failed": _texts("❌ {error_message}", "❌ {error_message}", "❌ {error_message}")},
    **catalog_unified.TEXTS,
}

RETRY: Texts = _texts("🔁 Trying again...", "🔁 Tunajaribu tena...", "🔁 Nouvel essai...")

WORDS_ALONE: Texts = _texts(
    "📄 Searching by words alone...", "📄 Tunatafuta kwa maneno pekee...", "📄 Recherche par les mots seuls..."
)
"""The search goes on without embeddings."""

REASONS: Mapping[str, Texts] = {
    "error": _texts(
        "Something went wrong while answering. Please try again.",
        "Hitilafu imetokea wakati wa kujibu. Tafadhali jaribu tena.",
        "Une erreur s'est produite pendant la réponse. Veuillez réessayer.",
    ),
    "timeout": _texts(
        "Answering took too long and was stopped. Please try again.",
        "Kujibu kumechukua muda mrefu na kumesimamishwa. Tafadhali jaribu tena.",
        "La réponse a pris trop de temps et a été arrêtée. Veuillez réessayer.",
    ),
    "worker_lost": _texts(
        "The part that was answering stopped unexpectedly. Please try again.",
        "Sehemu iliyokuwa ikijibu imesimama ghafla. Tafadhali jaribu tena.",
        "Le processus qui répondait s'est arrêté de façon inattendue. Veuillez réessayer.",
    ),
    "cancelled": _texts("The answer was stopped.", "Jibu limesimamishwa.", "La réponse a été arrêtée."),
    "expired": _texts(
        "The message waited too long and was not answered. Please try again.",
        "Ujumbe umesubiri kwa muda mrefu na haukujibiwa. Tafadhali jaribu tena.",
        "Le message a attendu trop longtemps et n'a pas reçu de réponse. Veuillez réessayer.",
    ),
}

NOTES: Mapping[str, Texts] = {
    "another_model": _texts(
        "🔁 Asking another model...", "🔁 Tunauliza modeli nyingine...", "🔁 Un autre modèle est consulté..."
    ),
    "plan_by_rules": _texts(
        "🧭 Choosing by rules what to search...",
        "🧭 Tunachagua kwa kanuni cha kutafuta...",
        "🧭 Choix de la recherche par des règles...",
    ),
}
"""What progress of a stage may say besides its own sentence."""
