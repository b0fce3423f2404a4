"""A blog whose data access objects read through Redis.

models -> dao -> api; imports point one way. `uvicorn examples.blog_dao.main:app` serves it, on an embedded server and
with a cache in memory, unless `MONGO_URI` and `REDIS_URL` say otherwise; `python -m pytest examples/blog_dao` tests it.
"""
