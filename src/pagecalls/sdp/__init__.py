"""Session descriptions: text in, facts out, text out. Pure, and the same for both legs of a call.

In reading order: `grammar` (lines), `attributes` (values), `draft` and `description` (text to value and back), `connection`
(the state between two descriptions), `codecs`, `profile` (what an offer must hold), `tracks`, `negotiate`, `render`.
"""
