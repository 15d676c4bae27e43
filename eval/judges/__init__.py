"""Measuring models: recognizers, speaker encoders, MOS predictors, voice activity, each behind one small protocol."""
