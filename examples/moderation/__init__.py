"""A moderation bot's data access: infractions and the actions behind them, users, channels with a purpose.

models -> criteria, summaries -> repositories -> services; imports point one way. `python -m examples.moderation` shows
it on an embedded server, or on `MONGO_URI`; `python -m pytest examples/moderation` tests it.
"""
