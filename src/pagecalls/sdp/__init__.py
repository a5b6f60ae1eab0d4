"""Session descriptions: text in, facts out, text out. Pure, and the same for both legs of a call.

In reading order: `grammar` (lines), `attributes` (values), `draft` and `description` (text to value and back), `connection`
(the state between two descriptions), `codecs` and `video` (what of a list we use), `profile` (what an offer must hold), `tracks`,
`lines`, `negotiate` (the first answer, and the door), `renegotiate` (later offers), `offers` (our own), `render`.
"""
