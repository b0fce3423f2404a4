"""One module a topic. Each has `async def run(bench: Bench) -> None`, and its name is the topic's name."""
