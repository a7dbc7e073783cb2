"""Greetings, thanks and other messages in which there is nothing to search for."""

from __future__ import annotations

import re

from tasks.rag.terms import folded, words

_LIMIT_CHARACTERS = 120

# Whole phrases first, then the words that may stand around them; all without accents.
_PHRASES = """
how are you|how are you doing|how is it going|how do you do|who are you|what are you|what is your name
what can you do|what do you do|can you help me|can you help|help me|help|i need help|please help
good morning|good afternoon|good evening|good day|good night|see you|see you later|nice to meet you|what is up
thank you|thanks a lot|thanks|many thanks|much appreciated|that is all|that helps|that helped|got it|well done|good job
you are welcome|no problem|never mind|have a nice day
comment ca va|ca va|comment allez vous|comment vas tu|qui es tu|qui etes vous|que peux tu faire|que pouvez vous faire
que sais tu faire|aide moi|aidez moi|aide|s il vous plait|s il te plait|merci beaucoup|merci bien|mille mercis
au revoir|bonne journee|bonne soiree|bonne nuit|a bientot|de rien|enchante
habari yako|habari gani|habari za asubuhi|habari za mchana|habari za jioni|habari za leo|habari zenu|hujambo|hamjambo
sijambo|u hali gani|wewe ni nani|unaweza kufanya nini|nisaidie|naomba msaada|msaada|asante sana|nashukuru|nakushukuru
kwa heri|usiku mwema|siku njema|karibu sana|tutaonana|shikamoo|marahaba
"""
_COURTEOUS_WORDS = """
hi hello hey hiya howdy greetings thanks thank thx ty cheers ok okay great good nice cool perfect awesome excellent
super wonderful yes yeah yep no nope bye goodbye ciao
bonjour bonsoir salut coucou allo merci parfait accord oui non genial
habari jambo mambo vipi salaam salama asante poa sawa ndiyo ndio hapana kwaheri karibu
"""
_WORDS_AROUND = """
there dear all everyone team bot assistant please well very much so for your the you again sir madam and help
bien d beaucoup a tous toi vous et votre ton pour aide
sana rafiki ndugu bwana bibi na kwa msaada wako tafadhali
"""
_THANKS_WORDS = """
thanks thank thx ty cheers appreciated merci mercis asante nashukuru nakushukuru
"""
_PHRASE = re.compile(r"\b(?:" + "|".join(sorted(re.split(r"[|\n]", _PHRASES.strip()), key=len, reverse=True)) + r")\b")
_COURTEOUS = frozenset(_COURTEOUS_WORDS.split())
_THANKS = frozenset(_THANKS_WORDS.split())
_AROUND = frozenset(_WORDS_AROUND.split())


def is_small_talk(message: str) -> bool:
    """Whether the message is nothing but courtesy, in English, French or Kiswahili, or holds no word at all."""
    if len(message) > _LIMIT_CHARACTERS:
        return False
    spoken = re.sub(r"\b(what|how|that|who)'s\b", r"\1 is", message.lower().replace("\u2019", "'"))
    spoken = re.sub(r"'(?:ve|ll|m)\b", "", spoken.replace("you're", "you are"))
    plain = " ".join(words(folded(spoken.replace("'", " "))))
    rest, phrases = _PHRASE.subn(" ", plain)
    left = rest.split()
    courteous = sum(word in _COURTEOUS for word in left)
    around = sum(word in _AROUND and word not in _COURTEOUS for word in left)
    return courteous + around == len(left) and (courteous + phrases > 0 or not left)


def is_thanks(message: str) -> bool:
    """Whether there is a word of thanks in the message."""
    return not _THANKS.isdisjoint(words(folded(message)))
