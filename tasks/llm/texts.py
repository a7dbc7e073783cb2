"""What is said when there is nothing to quote, in English, French and Kiswahili."""

from __future__ import annotations

from collections.abc import Sequence

_TEXTS = {
    "en": {
        "greeting": (
            "Hello! I answer questions with sentences quoted from the documents, and show where each one comes from."
            " What would you like to know?"
        ),
        "thanks": "You are welcome! Is there anything else that you would like to know from the documents?",
        "refusal": "I could not find an answer to this in the documents.",
        "nearest": "The nearest pages are: {titles}.",
        "unavailable": "The documents could not be searched just now, so I cannot answer this. Please try again later.",
        "follow_up": "What about {heading}?",
        "quoted": "\u201c{}\u201d",
    },
    "fr": {
        "greeting": (
            "Bonjour ! Je réponds aux questions par des phrases citées des documents, en indiquant d'où vient chacune."
            " Que souhaitez-vous savoir ?"
        ),
        "thanks": "Je vous en prie ! Souhaitez-vous savoir autre chose que disent les documents ?",
        "refusal": "Je n'ai pas trouvé de réponse à cette question dans les documents.",
        "nearest": "Les pages les plus proches sont : {titles}.",
        "unavailable": (
            "La recherche dans les documents est indisponible en ce moment, je ne peux donc pas répondre."
            " Veuillez réessayer plus tard."
        ),
        "follow_up": "Et pour {heading} ?",
        "quoted": "«\u00a0{}\u00a0»",
    },
    "sw": {
        "greeting": (
            "Habari! Ninajibu maswali kwa sentensi zilizonukuliwa kutoka kwenye nyaraka, na kuonyesha kila moja imetoka"
            " wapi. Ungependa kujua nini?"
        ),
        "thanks": "Karibu sana! Je, kuna jambo lingine ungependa kujua kutoka kwenye nyaraka?",
        "refusal": "Sikupata jibu la swali hili kwenye nyaraka.",
        "nearest": "Kurasa zilizo karibu zaidi ni: {titles}.",
        "unavailable": "Nyaraka haziwezi kutafutwa kwa sasa, kwa hiyo siwezi kujibu. Tafadhali jaribu tena baadaye.",
        "follow_up": "Vipi kuhusu {heading}?",
        "quoted": "\u201c{}\u201d",
    },
}


def say(name: str, language: str, **values: str) -> str:
    """The text `name` (greeting, thanks, unavailable, follow_up) in `language`, such as `fr` or `fr-CA`; else English.

    Raises KeyError for an unknown name.
    """
    return _words(language)[name].format(**values)


def refusal(language: str, titles: Sequence[str]) -> str:
    """The refusal, with the titles of the nearest pages if there are any."""
    words = _words(language)
    if not titles:
        return words["refusal"]
    named = ", ".join(words["quoted"].format(title) for title in titles)
    return f"{words['refusal']} {words['nearest'].replace('{titles}', named)}"


def _words(language: str) -> dict[str, str]:
    return _TEXTS.get(language.replace("_", "-").partition("-")[0].lower(), _TEXTS["en"])
