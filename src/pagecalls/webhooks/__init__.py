"""Telling apps what happened: rendering, signing and delivering webhooks, and proving a callback URL."""
