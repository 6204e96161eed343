"""The HTTP API: conversations, answers as they are written, an OpenAI-compatible door, health and metrics.

    app = create_app(service, settings=settings, mounts=[...])      app.py
    serve(app, settings)                                            run.py

This is the only part of Kefu that is asynchronous; `turns.py` crosses to the synchronous bot, once.
"""
