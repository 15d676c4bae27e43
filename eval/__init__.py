"""One evaluator per task, and the reports they write."""
