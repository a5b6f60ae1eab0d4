"""The contract of `POST /{page_id}/calls` as documents: OpenAPI for programs, a reference page and Markdown for people."""
