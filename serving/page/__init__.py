"""The page at /: every task with recording, upload, examples and a player. Extra `page` (gradio)."""
