"""Token ids: one vocabulary for everything in a sequence that is not a codec frame.

The ranges are frozen. New markers, tasks and languages are appended inside their range, so that weights
trained with an older list keep their meaning.

    0          PAD, "no token"
    1          BOS, the input of the first target step
    2..31      markers between the parts of an acoustic prompt; 2..8 are taken, each by the task that names it;
               9 says that a synthesizer spoke the target
    32..95     task ids, 64 reserved; a task names its `slot` in 0..63
    96..127    languages, 32 reserved; those that are added to a process have the next ones
    128..511   phones, 128 + index in the frozen phone table
"""

from speechx.text.languages import MAX_LANGUAGES, language_index

VOCAB_SIZE = 512

PAD = 0
BOS = 1

FIRST_MARKER = 2
NUM_MARKERS = 30
SYNTHETIC = 9

FIRST_TASK = 32
NUM_TASKS = 64
FIRST_LANGUAGE = 96
FIRST_PHONE = 128
NUM_PHONES = VOCAB_SIZE - FIRST_PHONE
assert FIRST_LANGUAGE + MAX_LANGUAGES == FIRST_PHONE


def task_token(slot: int) -> int:
    """Token of the task with this slot. Raises ValueError outside 0..63."""
    if not 0 <= slot < NUM_TASKS:
        raise ValueError(f"task slot {slot} is outside 0..{NUM_TASKS - 1}")
    return FIRST_TASK + slot


def language_token(language: str) -> int:
    """Token of a language code. Raises ValueError for a language that is not known.

    The tokens of added languages have no trained row in the table: their adapters bring one (speechx.models.lora).
    """
    return FIRST_LANGUAGE + language_index(language)
