"""A deployment as its user asks and steers it, with the user's own rights: what the commands and the page share.

It may not import the faces above it (`cli`, `ui`), nor the functions' own worlds (`composition`).
"""
