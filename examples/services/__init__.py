"""User accounts, in layers: models, repositories, services, an API, a worker."""
