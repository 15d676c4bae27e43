"""SpeechX: one task-prompted codec language model for speech."""

__version__ = "0.1.0"
