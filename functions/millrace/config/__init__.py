"""The configuration: the only place that knows pydantic; light enough for synth and for a cold start.

``load(path)`` or ``parse(data)`` give a Document, or raise InvalidConfiguration with every problem at once. Each
module's docstring says what others use of it.
"""
