"""Which dialect a CSV file has, by a sample of it: what cuts it, how it quotes, and where its table begins.

`detection.py` is what others call; nothing here reads rows.
"""
