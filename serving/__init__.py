"""HTTP and batch serving of SpeechX on Ray Serve."""
