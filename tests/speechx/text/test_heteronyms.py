"""One spelling, two words: the sentence tells which. Stress and the rest of the sentence are left out."""

from __future__ import annotations

import pytest

from speechx.text.g2p.english import EnglishG2P
from speechx.text.phones import strip_stress

TEAR, TARE = "tɪɹ", "tɛɹ"
BOW, BOUGH = "boʊ", "baʊ"
CASES = [
    ("a tear ran down her cheek", TEAR), ("he wiped every tear away", TEAR), ("they used tear gas", TEAR),
    ("there was a tear in his eye", TEAR), ("tear it up", TARE), ("do not tear the paper", TARE),
    ("a tear in my shirt", TARE),
    ("he burst into tears", "tɪɹz"), ("tears ran down her face", "tɪɹz"), ("she was in tears again", "tɪɹz"),
    ("he tears the paper", "tɛɹz"), ("it tears easily", "tɛɹz"), ("blood sweat and tears", "tɪɹz"),
    ("he had a bow and arrow", BOW), ("she wore a bow tie", BOW), ("with a red bow in her hair", BOW),
    ("they bow to the king", BOUGH), ("you must bow before her", BOUGH), ("the bow of the ship", BOUGH),
    ("he bows to nobody", "baʊz"),
    ("the dove flew away", "dʌv"), ("a white dove", "dʌv"), ("he dove in", "doʊv"), ("they dove into the lake", "doʊv"),
    ("polish your shoes", "pɑlɪʃ"), ("he bought shoe polish", "pɑlɪʃ"), ("please polish the silver", "pɑlɪʃ"),
    ("polish food is good", "poʊlɪʃ"), ("she speaks polish", "poʊlɪʃ"), ("the polish army", "poʊlɪʃ"),
    ("german and polish", "poʊlɪʃ"), ("from english to polish", "poʊlɪʃ"),
    ("wind it up", "waɪnd"), ("wind the clock", "waɪnd"), ("the wind up there", "wɪnd"), ("a cold wind", "wɪnd"),
    ("a lead pipe", "lɛd"), ("he will lead the team", "lid"), ("lead poisoning", "lɛd"), ("the lead role", "lid"),
    ("a minute detail", "maɪnut"), ("wait a minute", "mɪnɪt"), ("in minute quantities", "maɪnut"),
    ("my brother lives here", "lɪvz"), ("our lives in danger", "laɪvz"), ("she lives in town", "lɪvz"),
    ("he plays bass guitar", "beɪs"), ("we went bass fishing", "bæs"),
    ("i read it yesterday", "ɹɛd"), ("i will read it", "ɹid"), ("read the book", "ɹid"),
    ("close the door", "kloʊz"), ("he sat close to me", "kloʊs"), ("a live show", "laɪv"), ("they live here", "lɪv"),
    ("he wound the clock", "waʊnd"), ("a deep wound", "wund"), ("the use of it", "jus"), ("use it now", "juz"),
    ("no excuse", "ɪkskjus"), ("excuse me", "ɪkskjuz"), ("record it", "ɹɪkɔɹd"), ("a new record", "ɹɛkɚd"),
    ("present it", "pɹɪzɛnt"), ("a present for you", "pɹɛzənt"), ("desert the army", "dɪzɚt"), ("in the desert", "dɛzɚt"),
    ("my resume", "ɹɛzəmeɪ"), ("resume it", "ɹɪzum"), ("separate them", "sɛpɚeɪt"), ("a separate room", "sɛpɚɪt"),
    ("an estimate", "ɛstɪmɪt"), ("to estimate it", "ɛstɪmeɪt"), ("an object", "ɑbdʒɛkt"), ("i object to it", "əbdʒɛkt"),
]  # fmt: skip


@pytest.fixture(scope="module")
def g2p() -> EnglishG2P:
    return EnglishG2P()


@pytest.mark.parametrize(("sentence", "expected"), CASES, ids=[sentence for sentence, _ in CASES])
def test_heteronyms(g2p: EnglishG2P, sentence: str, expected: str) -> None:
    read = ["".join(strip_stress(phone) for phone in word) for word in g2p(sentence.split())]
    assert expected in read
