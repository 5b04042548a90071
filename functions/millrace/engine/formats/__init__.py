"""The file formats, a folder each with its reader and its writer; `registry` lists them.

What all of them share lies beside the folders: `text` for rows as text, `streams` for bytes, `limits` and `memory`.
"""
