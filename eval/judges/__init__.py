"""Judges, the models that score outputs: recognizers, speaker encoders, MOS predictors, voice activity detectors."""
